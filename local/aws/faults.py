"""Inject faults of AWS at the given rates, reproducibly by a seed.

    LOCAL_FAULTS='{"seed": 7, "rates": {"copy_fails": 0.2, "statement_lost": 0.05}}' make local

or the same JSON in `<home>/faults.json`, which is read again whenever it changes; removing it ends the faults. A file
that can't be read as such changes nothing: the terminal and the log of the services say why. A name without a rate
never strikes.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from threading import Lock

from local.aws import logs

KINDS: Mapping[str, str] = {
    "firehose_throttled": "PutRecordBatch is refused with ServiceUnavailableException",
    "firehose_partial": "PutRecordBatch takes some of its records only (FailedPutCount)",
    "transform_error": "the transform raises before it does anything",
    "transform_timeout": "the transform ran, but its answer never reached Firehose",
    "s3_before": "PutObject fails, nothing was written",
    "s3_after": "PutObject fails, though the object was written",
    "copy_fails": "a COPY fails, nothing was loaded",
    "copy_fails_after_commit": "a transaction with a COPY reports failure though it was committed",
    "copy_twice": "a COPY is applied twice",
    "statement_lost": "the Data API forgets a statement, which may have run or not",
    "comprehend_throttled": "ClassifyDocument is refused with ThrottlingException",
    "comprehend_fails": "ClassifyDocument answers InternalServerException",
    "comprehend_slow": "ClassifyDocument takes three seconds longer",
    "comprehend_gone": "ClassifyDocument knows no such endpoint",
}
"""Name → what happens. Killing the process is no entry: whoever wants that sends it SIGKILL."""


class FaultsError(ValueError):
    """The switch is set to something that it doesn't know; the message names it."""


class Faults:
    """Decides at every occasion whether a fault strikes, and counts those that did."""

    def __init__(self, rates: Mapping[str, float] | None = None, seed: int = 0, file: Path | None = None) -> None:
        self.struck: Counter[str] = Counter()
        self._file = file
        self._tally = tally_of(file.parent) if file else None
        self._stamp: tuple[int, int] | None = None
        self._lock = Lock()
        self._set(rates or {}, seed)

    @classmethod
    def from_json(cls, text: str, file: Path | None = None) -> Faults:
        """From `{"seed"?: int, "rates": {name: 0 to 1}}`. Raises FaultsError."""
        rates, seed = parse(text)
        return cls(rates, seed, file)

    def strikes(self, name: str) -> bool:
        """Return whether the fault happens this time."""
        if name not in KINDS:
            raise FaultsError(f"There is no fault {name!r}; there are {', '.join(KINDS)}")
        with self._lock:
            self._reread()
            if not (rate := self._rates.get(name, 0.0)) or self._random[name].random() >= rate:
                return False
            self.struck[name] += 1
            if self._tally:  # outlives this process, which may be killed
                with self._tally.open("a") as tally:
                    tally.write(f"{name}\n")
            return True

    def set(self, rates: Mapping[str, float], seed: int = 0) -> None:
        """Other rates from now on. Raises FaultsError."""
        checked(rates)
        with self._lock:
            self._set(rates, seed)

    def _set(self, rates: Mapping[str, float], seed: int) -> None:
        self._rates = dict(rates)
        # One generator a fault: how often another one is asked for must not change what this one does.
        self._random = {name: random.Random(f"{seed} {name}") for name in KINDS}  # noqa: S311 - no secret

    def _reread(self) -> None:
        if self._file is None:
            return
        try:
            status = self._file.stat()
        except FileNotFoundError:
            if self._stamp is not None:
                self._stamp = None
                self._set({}, 0)
            return
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                rates, seed = parse(self._file.read_text())
            except (OSError, ValueError) as error:
                logs.tell(f"{self._file} is ignored, and the faults stay as they were: {error}")
                return
            self._set(rates, seed)


def parse(text: str) -> tuple[dict[str, float], int]:
    """(rates, seed) of the switch's JSON. Raises FaultsError."""
    try:
        found = json.loads(text)
        rates, seed = dict(found["rates"]), int(found.get("seed", 0))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise FaultsError(f'Faults are {{"seed": 1, "rates": {{"copy_fails": 0.1}}}}, not {text[:80]!r}') from error
    checked(rates)
    return rates, seed


def checked(rates: Mapping[str, float]) -> None:
    for name, rate in rates.items():
        if name not in KINDS:
            raise FaultsError(f"There is no fault {name!r}; there are {', '.join(KINDS)}")
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
            raise FaultsError(f"The rate of {name} is from 0 to 1, not {rate!r}")


def tally_of(home: Path) -> Path:
    """Return the file in which the faults of a local AWS that struck are counted: a line each, its name."""
    return home / "faults.struck"


def of(home: Path) -> Faults:
    """Return the switch of a local AWS: LOCAL_FAULTS if it is set, else `faults.json` in its home."""
    if text := os.environ.get("LOCAL_FAULTS"):
        return Faults.from_json(text)
    return Faults(file=home / "faults.json")
