"""Write a function's output and logs to `<home>/logs/<function>.log`, as AWS writes them to its log group.

What the services have to say (a COPY that failed, ...) goes to `services.log` there.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Protocol, TextIO

log = logging.getLogger(__name__)

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


def routed_stdout() -> Callable[[], None]:
    """Route standard output; return what undoes it, unless somebody else has replaced it since."""
    before = sys.stdout
    mine: Any = Routed(before)
    sys.stdout = mine

    def undo() -> None:
        if sys.stdout is mine:
            sys.stdout = before

    return undo


class Watched:
    """A file whose lines are also handed on, each as soon as it is whole."""

    def __init__(self, file: TextIO, hand_on: Callable[[str], None]) -> None:
        self.file, self._hand_on = file, hand_on
        self._rest = ""
        self._writing = threading.Lock()

    def write(self, text: str) -> int:
        with self._writing:
            *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._hand_on(line)
        with suppress(OSError):  # a full disk costs lines of the log, and nothing else
            self.file.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self.file.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


def _nobody(*_: str) -> None:
    """Take a line and do nothing with it."""


class Logger(Protocol):
    """What writes through handlers: logging's loggers, and Powertools'."""

    @property
    def handlers(self) -> list[logging.Handler]: ...


class Logs:
    """From `with` to its end, standard output and the loggers of the app and of the services are routed."""

    def __init__(self, home: Path, loggers: Sequence[Logger] = ()) -> None:
        """`loggers` of the app. Chalice's has the app's name."""
        self._loggers = loggers
        self.folder = home / "logs"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.hand_on: Callable[[str, str], None] = _nobody
        """Takes each line that a function logs, with the function's name."""
        self._files: dict[str, TextIO] = {}
        self._opening = threading.Lock()
        self._end = ExitStack()

    def __enter__(self) -> Logs:
        # Threads that a function starts don't know whose they are.
        routed = Routed(self._file("functions"))
        for each in self._loggers:
            for handler in each.handlers:
                if type(handler) is logging.StreamHandler:  # no file's, nor a test's
                    self._end.callback(handler.setStream, handler.setStream(routed))
        services = logging.StreamHandler(self._file("services"))
        services.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        own = logging.getLogger("local")
        own.addHandler(services)
        self._end.callback(own.removeHandler, services)
        self._end.callback(routed_stdout())
        return self

    def __exit__(self, *_: object) -> None:
        self._end.close()
        for file in self._files.values():
            file.close()

    @contextmanager
    def of(self, function: str) -> Iterator[TextIO]:
        """Attribute what this thread prints and logs within to `function`."""
        file = self._file(function)
        token = _current.set(file)
        try:
            yield file
        finally:
            _current.reset(token)

    def _file(self, function: str) -> TextIO:
        with self._opening:
            if function not in self._files:
                file = (self.folder / f"{function}.log").open("a", buffering=1, encoding="utf-8")
                watched: Any = Watched(file, lambda line: self.hand_on(function, line))
                self._files[function] = watched
            return self._files[function]


def tell(message: str) -> None:
    """Print a message to the terminal of the server (standard error), and to `services.log`."""
    log.warning(message)
    print(message, file=sys.stderr, flush=True)


def running() -> str | None:
    """Return the function whose code this is (`transform`, `api_handler`, ...), None outside of any."""
    log = _current.get()
    return Path(log.name).stem if log else None
