"""Replay a recorded network in a loop: lines as `/subscribe` sent them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PAUSE_US = 1_000_000  # between the end of the recording and its next beginning


class RecordingError(Exception):
    """The file holds no recording."""


class Recording:
    """The first event of `file` happens at `begin_us` (microseconds since the epoch), the others as far after it."""

    def __init__(self, file: Path, begin_us: int) -> None:
        """Read a recording. Raises RecordingError, OSError."""
        try:
            self._events = sorted(map(json.loads, file.read_text().splitlines()), key=lambda each: int(each["time_us"]))
        except (ValueError, KeyError, TypeError) as error:
            raise RecordingError(f"{file} holds no lines as Jetstream's /subscribe sends them: {error}") from error
        if not self._events:
            raise RecordingError(f"{file} is empty")
        self._begin = begin_us
        first = self._events[0]["time_us"]
        self._after: list[int] = [each["time_us"] - first for each in self._events]
        self._length = self._after[-1] + PAUSE_US

    def time_us(self, number: int) -> int:
        rounds, at = divmod(number, len(self._events))
        return self._begin + rounds * self._length + self._after[at]

    def first(self, time_us: int) -> int:
        """Return the number of the first event at this time or later."""
        rounds, rest = divmod(max(0, time_us - self._begin), self._length)
        at = next((n for n, after in enumerate(self._after) if after >= rest), len(self._after))
        return int(rounds) * len(self._events) + at

    def event(self, number: int) -> dict[str, Any] | None:
        """Return the event as `/subscribe` sends it."""
        return {**self._events[number % len(self._events)], "time_us": self.time_us(number)}
