"""Run the optional accelerator: native code that drafts the rows of plain records, the same to the byte as Python's.

The Python of this package is the definition. The accelerator (`accelerator/`, in Zig) handles plain records of flat
tweets. Python handles every other record, and all records if there is no accelerator. It is a process of its own: if it
dies, Python handles the batch, so only time is lost.
"""

from __future__ import annotations

import atexit
import mmap
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Sequence
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path
from typing import NamedTuple

from chalicelib.classifier import bundled
from chalicelib.telemetry import logger
from chalicelib.transform import recipe
from chalicelib.transform.rows import Draft

PROGRAM = Path(__file__).with_name(f"accelerator-{sys.platform}-{os.uname().machine}")
MOST_SECONDS = 20.0
"""For an answer. The largest event takes a fortieth of it on the smallest Lambda that AWS offers."""
MOST_FAILURES = 3
"""Of the process, until Python does everything: what kills it comes again, for Firehose retries."""

MOST_RECORDS = MOST_TWEETS = 1 << 16
MOST_DATA = 8 << 20
MOST_WRITTEN = 24 << 20
ROW = struct.Struct("<3I")  # where its facts end, where it ends, its label


class _Place(NamedTuple):
    start: int
    size: int


def _layout() -> tuple[dict[str, _Place], int]:
    """Return the offsets of the parts of the shared memory, and its size: `Memory` in accelerator/main.zig."""
    sizes = {
        "head": 16,
        "arrivals": 8 * MOST_RECORDS,
        "ends": 4 * MOST_RECORDS,
        "data": MOST_DATA,
        "tweets": 4 * MOST_RECORDS,
        "rows": ROW.size * MOST_TWEETS,
        "written": MOST_WRITTEN,
    }
    *starts, end = accumulate(sizes.values(), initial=0)
    return {each: _Place(start, size) for (each, size), start in zip(sizes.items(), starts, strict=True)}, end


PLACES, SIZE = _layout()


class DiedError(Exception):
    """The process gave no answer."""


class Accelerator:
    """The process, and the memory shared with it. One batch at a time."""

    def __init__(self, program: Path = PROGRAM) -> None:
        """Raise OSError where the program can't be started, and DiedError where it doesn't work."""
        self.owner = os.getpid()
        descriptor = os.memfd_create("accelerator") if hasattr(os, "memfd_create") else os.dup(_scratch())
        try:
            os.ftruncate(descriptor, SIZE)
            self._memory = mmap.mmap(descriptor, SIZE)
            self._line, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen([program], stdin=descriptor, stdout=theirs.fileno())  # noqa: S603
        finally:
            os.close(descriptor)
        self._line.settimeout(MOST_SECONDS)
        self._lock = threading.Lock()
        header, body = bundled.contents()
        self._shift = partial(bundled.shift_of, header)
        try:
            self._ask(0, 0.0, recipe.recipe(header, body))
        except DiedError:
            self.close()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def drafts(self, datas: Sequence[bytes], arrivals: Sequence[int], share: float) -> list[list[Draft] | None]:
        """Return the drafts of each record's tweets; None for a record that is Python's.

        `datas`: as they were sent. `arrivals`: ms since the epoch. Raises DiedError.
        """
        joined = b"".join(datas)
        count = len(datas)
        if len(joined) > MOST_DATA or count > MOST_RECORDS:
            return [None] * count
        shift, version = self._shift(share), bundled.named_with(bundled.version(), share)
        with self._lock:  # of the memory
            began = time.perf_counter()
            self._put("arrivals", array("q", arrivals).tobytes())
            self._put("ends", array("I", accumulate(map(len, datas))).tobytes())
            self._ask(count, shift, joined)
            tweets = array("I", self._get("tweets", 4 * count))
            total = sum(tweets)
            ends = list(ROW.iter_unpack(self._get("rows", ROW.size * total)))
            written = self._get("written", ends[-1][1] if ends else 0)
        seconds = (time.perf_counter() - began) / max(1, total)
        start = 0
        made = []
        for facts, end, label in ends:
            made.append(Draft(written[start:end], facts - start, recipe.LABELS[label], seconds, version))
            start = end
        return [made[a:b] if b > a else None for a, b in pairwise(accumulate(tweets, initial=0))]

    def close(self) -> None:
        """End the process."""
        self._process.kill()  # before the line is closed: the program ends by itself once it is
        self._line.close()
        self._process.wait()
        self._memory.close()

    def _ask(self, records: int, shift: float, data: bytes) -> None:
        self._put("data", data)
        self._put("head", struct.pack("<IId", records, len(data), shift))
        try:
            self._line.send(b"\1")
            answered = self._line.recv(1)
        except OSError as error:
            raise DiedError(repr(error)) from error
        if not answered:
            raise DiedError(f"ended with status {self._process.wait(MOST_SECONDS)}")

    def _put(self, name: str, content: bytes) -> None:
        start, size = PLACES[name]
        if len(content) > size:
            raise DiedError(f"{name} has {len(content):,} bytes; there is room for {size:,}")
        self._memory[start : start + len(content)] = content

    def _get(self, name: str, size: int) -> bytes:
        start, most = PLACES[name]
        if size > most:
            raise DiedError(f"it says that {name} has {size:,} bytes; there is room for {most:,}")
        return self._memory[start : start + size]


def _scratch() -> int:
    """Return the descriptor of an unnamed file, for systems without memfd_create."""
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class _Kept:
    """State that this process keeps from batch to batch."""

    accelerator: Accelerator | None = None
    failures = 0
    lock = threading.Lock()


def present() -> bool:
    """Return whether the accelerator was built for this machine, and has not failed too often."""
    return PROGRAM.exists() and _Kept.failures < MOST_FAILURES


def pid() -> int | None:
    """Return the process' id, None where there is none."""
    return _Kept.accelerator.pid if _Kept.accelerator else None


def close() -> None:
    """End the process; the next batch starts another."""
    with _Kept.lock:
        ended, _Kept.accelerator = _Kept.accelerator, None
    if ended:
        ended.close()


def drafts(datas: Sequence[bytes], arrivals: Sequence[int], share: float) -> list[list[Draft] | None]:
    """Return the drafts of each record's tweets; None for a record that is Python's. Never raises."""
    accelerator = None
    try:
        accelerator = _kept()
        if accelerator:
            return accelerator.drafts(datas, arrivals, share)
    except Exception as error:  # whatever is wrong there, Python can do it
        _failed(accelerator, error)
    return [None] * len(datas)


def _kept() -> Accelerator | None:
    with _Kept.lock:
        kept = _Kept.accelerator
        if kept and kept.owner == os.getpid():  # a forked process must not talk with its parent's
            return kept
        _Kept.accelerator = Accelerator() if present() else None
        if _Kept.accelerator:
            atexit.register(_Kept.accelerator.close)
        return _Kept.accelerator


def _failed(accelerator: Accelerator | None, error: Exception) -> None:
    with _Kept.lock:
        if accelerator is not _Kept.accelerator:
            return  # another thread has seen the same
        _Kept.failures += 1
        _Kept.accelerator = None
    if accelerator:
        accelerator.close()
    logger.warning(
        "The accelerator failed; Python did the batch's rows instead, which takes longer and comes to the same",
        extra={"error": repr(error), "failures": _Kept.failures, "given_up": _Kept.failures >= MOST_FAILURES},
    )
