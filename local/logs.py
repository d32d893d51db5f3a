"""What a function prints and logs goes to `<home>/logs/<function>.log`, as on AWS it goes to its log group."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TextIO

from chalicelib.telemetry import logger

_current: ContextVar[TextIO | None] = ContextVar("log", default=None)


class Routed:
    """A stream that writes to the running function's log, or else to where it went before."""

    def __init__(self, otherwise: TextIO) -> None:
        self.otherwise = otherwise

    def write(self, text: str) -> int:
        return (_current.get() or self.otherwise).write(text)

    def flush(self) -> None:
        (_current.get() or self.otherwise).flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.otherwise, name)


class Logs:
    """From `open()` to `close()` this process's standard output is routed, and so are the app's loggers."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "logs"
        self._files: dict[str, TextIO] = {}
        self._opening = threading.Lock()
        self._stdout: Any = None

    def open(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        # Threads that a function starts don't know which it is.
        self._routed_logger = Routed(self._file("functions"))
        self._streams: list[tuple[logging.StreamHandler[Any], Any]] = []
        for each in (logger, logging.getLogger("disaster-tweets")):
            for handler in each.handlers:
                if isinstance(handler, logging.StreamHandler):
                    self._streams.append((handler, handler.setStream(self._routed_logger)))
        self._stdout, sys.stdout = sys.stdout, Routed(sys.stdout)  # type: ignore[assignment]

    def close(self) -> None:
        if isinstance(sys.stdout, Routed):
            sys.stdout = self._stdout
        for handler, stream in self._streams:
            handler.setStream(stream)
        for file in self._files.values():
            file.close()

    @contextmanager
    def of(self, function: str) -> Iterator[TextIO]:
        """What this thread prints and logs within is `function`'s."""
        file = self._file(function)
        token = _current.set(file)
        try:
            yield file
        finally:
            _current.reset(token)

    def _file(self, function: str) -> TextIO:
        with self._opening:
            if function not in self._files:
                self._files[function] = (self.folder / f"{function}.log").open("a", buffering=1, encoding="utf-8")
            return self._files[function]
