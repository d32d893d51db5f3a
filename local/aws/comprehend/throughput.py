"""Limit an endpoint's throughput: Comprehend's inference units as token buckets."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

CHARACTERS_PER_UNIT = 100
DOCUMENTS_PER_UNIT = 2
"""A second and a unit: https://docs.aws.amazon.com/comprehend/latest/dg/manage-endpoints-update.html"""


class Throughput:
    """Lets a second's worth through at once, then the endpoint's rate.

    A text longer than a second's worth passes when nothing is owed, and those after it wait for it. AWS documents the
    rate and not how it smooths.
    """

    def __init__(self, units: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.units, self._clock, self._lock = units, clock, threading.Lock()
        self._characters, self._documents = float(CHARACTERS_PER_UNIT * units), float(DOCUMENTS_PER_UNIT * units)
        self._at = clock()

    def admits(self, characters: int) -> bool:
        """Return whether a document of this many characters may pass now; if so, it counts."""
        with self._lock:
            now = self._clock()
            seconds, self._at = now - self._at, now
            most_characters, most_documents = CHARACTERS_PER_UNIT * self.units, DOCUMENTS_PER_UNIT * self.units
            self._characters = min(self._characters + seconds * most_characters, most_characters)
            self._documents = min(self._documents + seconds * most_documents, most_documents)
            if self._documents < 1 or self._characters < min(characters, most_characters):
                return False
            self._characters -= characters
            self._documents -= 1
            return True
