"""Import what takes long where a test uses it: each of the parallel workers collects all tests, and runs a part."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Later:
    """A module that is imported when something of it is first asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # pytest's questions while it collects
            raise AttributeError(name)
        return getattr(import_module(self._name), name)
