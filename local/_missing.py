"""Stands in for services that have not landed yet. Goes away with them."""

from importlib import import_module
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any


def _or_nothing(name: str) -> Any:
    if find_spec(name):
        return import_module(name)
    nothing = SimpleNamespace(flush=lambda: None, close=lambda: None, execute=lambda _: 0)
    return SimpleNamespace(install=lambda *_: nothing)


warehouse = _or_nothing("local.warehouse")
