"""Decide from sizes which tweets of a batch this invocation answers for, and which are put back.

A retry of the same batch decides the same, whichever classifier is active by then, and so finds its tweet file.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

from chalicelib.transform.batch import Record
from chalicelib.transform.rows import CLASSIFICATION_BYTES, LINK_BYTES
from chalicelib.transform.unpack import Refusal

MOST_RECORD_BYTES = 1000 * 1024  # of one record put into Firehose: docs.aws.amazon.com/firehose/latest/dev/limits.html


class Share(NamedTuple):
    """One record's part in the batch: rows[start:stop] of the tweet file are its first tweets."""

    record: Record
    start: int
    stop: int
    result: str  # what Firehose is told. `Dropped`: all its tweets were put back into the stream


class PutBack(NamedTuple):
    """Data to put back as one record."""

    data: bytes
    partition_key: str | None


def fitting(sizes: Iterable[int], capacity: int) -> int:
    """Return how many of the rows, from the first on, surely fit into so many bytes.

    `sizes`: bytes of their first parts.
    """
    return bisect_right(list(accumulate(size + CLASSIFICATION_BYTES + LINK_BYTES for size in sizes)), capacity)


def shares(records: Sequence[Record], rows: int) -> list[Share]:
    """Assign each record its slice of the rows, when the batch's first so many tweets become rows."""
    slices, start = [], 0
    for record in records:
        stop = min(start + len(record.tweets), rows)
        result = "Ok" if stop > start else "Dropped" if record.tweets else "ProcessingFailed"
        slices.append(Share(record, start, stop, result))
        start = stop
    return slices


def leftovers(share: Share) -> tuple[list[PutBack], list[Refusal]]:
    """(what must be put back, what is refused now) of a record.

    A record without rows goes back as it came, and what is wrong with it is found when it comes again. A record cut in
    two gets its last tweets put back as JSON Lines.
    """
    record, done = share.record, share.stop - share.start
    if not done and record.tweets:
        return [PutBack(record.data, record.partition_key)], []
    refusals = record.refusals
    if done == len(record.tweets):
        return [], refusals
    chunks: list[PutBack] = []
    chunk: list[bytes] = []
    size = 0
    for source in record.sources()[done:]:
        line = len(source) + 1
        if line > MOST_RECORD_BYTES:
            message = f"over {MOST_RECORD_BYTES} bytes on its own: no room in this answer, and too large to put back"
            refusals = [*refusals, Refusal("too_large", message, source)]
            continue
        if size + line > MOST_RECORD_BYTES:
            chunks.append(PutBack(b"\n".join(chunk) + b"\n", record.partition_key))
            chunk, size = [], 0
        chunk.append(source)
        size += line
    if chunk:
        chunks.append(PutBack(b"\n".join(chunk) + b"\n", record.partition_key))
    return chunks, refusals
