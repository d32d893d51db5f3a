"""Load files again: in one transaction delete their rows, COPY the files, and record it.

A transaction can be repeated at will, and after a crash at any point the next run finds what is still to be done. A
file that can't be loaded makes the COPY of its batch fail; halving the batch finds it, and the others get in.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import jobs, times
from chalicelib.columns import NAMES
from chalicelib.reconcile import file_check, listing, repair_batches, transaction
from chalicelib.reconcile.job import Job, Run
from chalicelib.reconcile.repair_batches import TweetFile
from chalicelib.settings import settings
from chalicelib.telemetry import logger
from chalicelib.warehouse import copy, data_api
from chalicelib.warehouse.statements import sections

SQL = sections("reconcile/repair")

ATTEMPTS = 3  # at one file
BLAMELESS = 3  # files in a row that fail though nothing is wrong with them: is it the warehouse? A good file tells
PAGE = 5000  # findings that `to_repair` reads at a time
NEVER = "9999-12-31 00:00:00"

SURGE, IN_TIME, LATE, REFUSED = range(4)
"""What is loaded first: a surge; then what can still be a row within `load_seconds`, the oldest file first; then
what is late or damaged, the newest hour first; at the end what was refused the last time: nothing waits for that."""


class NotLoaded(NamedTuple):
    """The reason that a file could not be repaired: `unreadable` if the file is the cause, else `failed`."""

    key: str
    state: str
    detail: str


@dataclass
class Repairs:
    """What was done: transactions tried, files brought back, those that were not loaded, why it stopped if it did.

    `since`: no row that was loaded arrived before; None where none was. `oldest_at`: when the first files were loaded
    that are not a surge's.
    """

    transactions: int = 0
    files: int = 0
    not_loaded: list[NotLoaded] = field(default_factory=list)
    stopped: str = ""
    since: datetime | None = None
    oldest_at: datetime | None = field(default=None, compare=False)


class _StopError(Exception):
    """No more repairs in this run; the message says why."""


def repair(run: Run, hindrance: Callable[[bool], str], damaged: int | None = None) -> Repairs:
    """Repair what the comparison found, in the order of its urgency, until time is up or `hindrance` says why not.

    `hindrance` is given whether files were loaded that are not a surge's.

    `damaged`: how many files that is, for the job's progress.
    """
    work = _Work(run, hindrance)
    try:
        for urgency, files in to_repair(run.job):
            for batch in repair_batches.batches(files):
                jobs.progress("files loaded again", work.done.files, damaged)
                work.mend(batch, 1)
                if urgency != SURGE and work.done.oldest_at is None:
                    work.done.oldest_at = datetime.now(UTC)
    except _StopError as error:
        work.done.stopped = str(error)
    return work.done


def to_repair(job: Job) -> Iterator[tuple[int, list[TweetFile]]]:
    """Yield the files that the comparison found repairable, in pages of one urgency, in the order in which they are to
    be loaded."""
    in_time = job.now - timedelta(seconds=settings().load_seconds)
    given = {
        "id": job.id,
        "in_time": times.sql(in_time),
        "surge": times.sql(job.surge) if job.surge else NEVER,
        "behind": "0",
    }
    more = True
    while more:
        (rows,) = transaction.run([SQL["to_repair"]], given, answers=1)
        for urgency, files in groupby(rows, key=itemgetter("urgency")):
            yield urgency, [_file(row) for row in files]
        more = len(rows) == PAGE
        given["behind"] = rows[-1]["place"] if rows else "~"


def _file(row: data_api.Row) -> TweetFile:
    return TweetFile(row["s3_key"], row["expected_rows"], row["bytes"], row["written_at"])


class _Work:
    """One run's repairs under way."""

    def __init__(self, run: Run, hindrance: Callable[[bool], str]) -> None:
        self._run, self._hindrance = run, hindrance
        self._longest = 0.0  # seconds that a transaction took so far
        self._blameless = 0
        self.done = Repairs()

    def mend(self, batch: list[TweetFile], attempt: int) -> None:
        """Load a batch again; where that fails, its halves, down to a single file."""
        try:
            left = self._load(batch)
        except data_api.StillRunningError as error:
            raise _StopError(f"The warehouse did not end in time: {error}") from error
        except data_api.WarehouseError as error:
            if len(batch) == 1:
                self._judge(batch[0], str(error), attempt)
                return
            for half in repair_batches.halves(batch):
                self.mend(half, attempt)
            return
        self._blameless = 0
        self.done.files += len(batch) - len(left)
        for file in batch:
            if file.key in left:
                self._judge(file, left[file.key], attempt)

    def _judge(self, file: TweetFile, message: str, attempt: int) -> None:
        """Check whether the file is the cause that it was not loaded; if not, try it again."""
        try:
            wrong = file_check.trouble(self._run.bucket, file)
        except (ClientError, BotoCoreError) as error:
            wrong, message = None, f"it could not be read: {error}"
        if wrong:
            self.done.not_loaded.append(NotLoaded(file.key, "unreadable", wrong))
            self._blameless = 0
        elif attempt < ATTEMPTS:
            self.mend([file], attempt + 1)
        else:
            why = " ".join(filter(None, (message[:700], load_error(file, self._run.job.now))))
            self.done.not_loaded.append(NotLoaded(file.key, "failed", why[:1000]))
            self._blameless += 1
            if self._blameless >= BLAMELESS:
                if not self._takes_a_good_file():
                    raise _StopError(f"The warehouse refuses good files: {message[:500]}")
                self._blameless = 0

    def _takes_a_good_file(self) -> bool:
        """Load a loaded file again, which changes nothing; return whether the warehouse accepts any file at all.

        Where no file was ever loaded that can't be told, and counts as no. Raises _StopError as `_load`.
        """
        for row in transaction.run([SQL["known_good"]], answers=1)[0]:
            try:
                if not self._load([_file(row)]):
                    return True
            except data_api.StillRunningError as error:
                raise _StopError(f"The warehouse did not end in time: {error}") from error
            except data_api.WarehouseError:
                continue
        return False

    def _load(self, batch: list[TweetFile]) -> dict[str, str]:
        """Load files in one transaction; return the keys of the files that are not whole after it, and how many rows
        they have.

        Raises WarehouseError when nothing was done (or, for StillRunningError, may be yet); _StopError.
        """
        began = time.monotonic()
        if why := self._hindrance(self.done.oldest_at is not None):
            raise _StopError(why)
        if began + self._longest > self._run.deadlines.repairs:
            raise _StopError("Time is up; the next run continues")
        try:
            return self._transaction(batch, self._run.deadlines.repairs - began)
        finally:
            self._longest = max(self._longest, time.monotonic() - began)

    def _transaction(self, batch: list[TweetFile], patience: float) -> dict[str, str]:
        self.done.transactions += 1
        run, name = self._run, f"repair-{self.done.transactions:05}"
        rows = ({"s3_key": file.key, "expected_rows": file.expected_rows} for file in batch)
        keys_in = run.load(name, rows, "repair_file", ("s3_key", "expected_rows"))
        manifest = listing.manifest(run.bucket, f"{run.folder}{name}.manifest", [file.key for file in batch])
        lock = transaction.lock()
        asked = statements(lock, keys_in, f"s3://{run.bucket}/{manifest}", run.role)
        logger.info("repair", extra={"files": len(batch), "manifest": manifest})
        since, until = repair_batches.bounds(batch)
        now = times.sql(self._run.job.now)
        given = {"id": self._run.job.id, "now": now, "since": times.sql(since), "until": times.sql(until)}
        (not_whole,) = transaction.run(asked, given, answers=1, patience=patience)
        self.done.since = min(since, self.done.since or since)
        return {
            row["s3_key"]: f"{row['found_rows']} rows of {row['found_lines']} lines after it was loaded"
            for row in not_whole
        }


def load_error(file: TweetFile, since: datetime) -> str:
    """Return which line of a file Redshift could not load and why, as it wrote down since then; empty if it did not.

    Everybody sees the errors of his own loads: docs.aws.amazon.com/redshift/latest/dg/SYS_LOAD_ERROR_DETAIL.html
    """
    try:
        rows = data_api.query(SQL["load_error"], {"key": f"%/{file.key}", "since": times.sql(since)})
    except data_api.WarehouseError:
        return ""
    return "".join(
        f"sys_load_error_detail: line {row['line_number']}, {row['column_name']}: {row['error_message']}"
        for row in rows
    )


def statements(lock: str, keys_in: str, manifest_url: str, role: str) -> list[str]:
    """Return the transaction of a repair; its last statement is `not_whole`.

    `lock` comes first: the DELETE must see what a COPY that went before it has loaded.
    """
    return [
        lock,
        SQL["repair_file"],
        keys_in,
        SQL["claim"],
        SQL["delete"],
        copy.statement(manifest_url, role, "disaster.disaster_tweets", NAMES),
        SQL["repair_result"],
        SQL["lines"],
        SQL["loaded"],
        SQL["repaired"],
        SQL["not_whole"],
    ]
