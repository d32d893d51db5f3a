"""Follow one thing through a package, as a reader does: which modules it enters, and what it is called there.

The thing is known by a key. A stop of its walk is a local variable of a function of the package that holds it, for the
first time in that call: a text with the key in it, or a value that has the key in its fields or elements. Variables of
comprehensions don't count. Stops are in the order of time; from them three numbers are counted:

* `entered`: how often the walk enters a module, the first time included;
* `returns`: how many of these entries are into a module that it was in before;
* `renames`: how often the name differs from the one before.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from tests.support import ROOT

DEEPEST = 4  # values within values that are looked into


class Stop(NamedTuple):
    """A module, and the name of the variable in which the thing is held there."""

    module: str
    name: str


@dataclass(frozen=True)
class Walk:
    """The stops of a walk, in order."""

    stops: Sequence[Stop]

    @property
    def modules(self) -> list[str]:
        """Return the modules that are entered, in order."""
        first = [stop.module for stop in self.stops[:1]]
        return first + [after.module for before, after in pairwise(self.stops) if after.module != before.module]

    @property
    def entered(self) -> int:
        return len(self.modules)

    @property
    def returns(self) -> int:
        return len(self.modules) - len(set(self.modules))

    @property
    def renames(self) -> int:
        return sum(after.name != before.name for before, after in pairwise(self.stops))


def holds(value: Any, key: str, depth: int = DEEPEST) -> bool:
    """Return whether a value is, has or contains the key. Iterators are left alone: looking would use them up."""
    if isinstance(value, str):
        return key in value
    if not depth:
        return False
    inner: Sequence[Any] = ()
    if isinstance(value, Mapping):
        inner = [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple | set | frozenset):
        inner = list(value)
    elif is_dataclass(value) and not isinstance(value, type):
        inner = [getattr(value, field.name) for field in fields(value)]
    return any(holds(each, key, depth - 1) for each in inner)


@contextmanager
def followed(key: str, package: str, ended: Callable[[], bool]) -> Iterator[list[Stop]]:
    """Follow the thing with this key through the modules of a folder until `ended()`; yield the stops as they come."""
    folder = f"{ROOT / package}/"
    stops: list[Stop] = []
    known: dict[FrameType, set[str]] = {}

    def look(frame: FrameType) -> None:
        names = known.setdefault(frame, set())
        for name, value in list(frame.f_locals.items()):
            if name not in names and name.isidentifier() and holds(value, key):
                names.add(name)
                stops.append(Stop(str(Path(frame.f_code.co_filename).relative_to(folder)), name))

    def trace(frame: FrameType, *_: Any) -> Any:
        code = frame.f_code
        if ended() or not code.co_filename.startswith(folder) or code.co_name.startswith("<"):
            return None
        look(frame)
        return trace

    before, thread_before = sys.gettrace(), threading.gettrace()
    sys.settrace(trace)
    threading.settrace(trace)
    try:
        yield stops
    finally:
        sys.settrace(before)
        threading.settrace(thread_before)
