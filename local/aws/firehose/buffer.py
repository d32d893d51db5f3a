"""Decide when a buffer is emptied, and which items go together. Decisions only: no threads, no clock of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Hints(NamedTuple):
    """Whichever comes first empties the buffer."""

    bytes: int
    seconds: float  # since the first item came


class Buffer(Generic[T]):
    """Items in the order in which they came, each with its size in bytes and when it came."""

    def __init__(self) -> None:
        self._items: deque[tuple[T, int, float]] = deque()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._items)

    def add(self, items: Iterable[tuple[T, int]], now: float) -> None:
        for item, size in items:
            self._items.append((item, size, now))
            self.bytes += size

    def wait(self, hints: Hints, now: float, most_items: int | None = None) -> float | None:
        """Return seconds until it is to be emptied: 0 when it is full or old enough, None while there is nothing in
        it.
        """
        if not self._items:
            return None
        if self.bytes >= hints.bytes or (most_items is not None and len(self._items) >= most_items):
            return 0.0
        return max(0.0, self._items[0][2] + hints.seconds - now)

    def take(self, most_bytes: int, most_items: int | None = None) -> list[T]:
        """Return the first items, within the limits; the very first one whatever its size."""
        taken: list[T] = []
        size = 0
        while self._items and (most_items is None or len(taken) < most_items):
            item, its_size, _ = self._items[0]
            if taken and size + its_size > most_bytes:
                break
            self._items.popleft()
            taken.append(item)
            size += its_size
        self.bytes -= size
        return taken

    def give_back(self, items: Sequence[tuple[T, int]], now: float) -> None:
        """Put items that were taken back to the front, in their order."""
        for item, size in reversed(items):
            self._items.appendleft((item, size, now))
            self.bytes += size
