"""Divide files into batches that are loaded again together. Nothing here touches AWS."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from chalicelib import layout
from chalicelib.reconcile import hours

MOST_FILES = 1000
"""Of one transaction: a COPY of many files beats many COPYs, and a manifest of so many has 0.2 MB."""

MOST_BYTES = 1_000_000_000
"""Of one transaction, gzipped: minutes for the smallest warehouse, so that a run can stop between two."""

MOST_ROWS = 500_000
"""Of one transaction: what is newest is soon there, and a surge that comes meanwhile waits until it has ended
(precedence.py). infra/day.py has what that comes to."""


class TweetFile(NamedTuple):
    """A tweet file to load again: its key, the rows its name promises, its bytes, when it was last written."""

    key: str
    expected_rows: int
    bytes: int
    written_at: datetime


def batches(
    files: Iterable[TweetFile],
    most_files: int = MOST_FILES,
    most_bytes: int = MOST_BYTES,
    most_rows: int = MOST_ROWS,
) -> list[list[TweetFile]]:
    """Divide the files, in their order, into as few batches as the limits allow; a file over a limit has a batch of its
    own.
    """
    made: list[list[TweetFile]] = []
    size = rows = 0
    for file in files:
        full = size + file.bytes > most_bytes or rows + file.expected_rows > most_rows
        if not made or len(made[-1]) == most_files or full:
            made.append([])
            size = rows = 0
        made[-1].append(file)
        size += file.bytes
        rows += file.expected_rows
    return made


def halves(batch: Sequence[TweetFile]) -> list[list[TweetFile]]:
    """Divide a batch that failed in two: a file that can't be loaded is alone after log2(files) rounds, the others are
    in.
    """
    middle = len(batch) // 2
    return [list(batch[:middle]), list(batch[middle:])]


def bounds(batch: Sequence[TweetFile]) -> tuple[datetime, datetime]:
    """Return from when, and until when at the latest, the rows of a batch arrived: see hours.SPREAD."""
    since = min(layout.hour_of(file.key) for file in batch)
    return since, max(file.written_at for file in batch) + hours.SPREAD
