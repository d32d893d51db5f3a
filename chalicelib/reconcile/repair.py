"""Loads files again: in one transaction their rows go, COPY brings them back, and it is written down.

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
from chalicelib.reconcile import examine, listing, plan, transaction
from chalicelib.reconcile.compare import Job
from chalicelib.reconcile.plan import File
from chalicelib.reconcile.whole import SUMS, whole
from chalicelib.settings import settings
from chalicelib.telemetry import logger
from chalicelib.warehouse import copy, data_api

ATTEMPTS = 3  # at one file
BLAMELESS = 3  # files in a row that fail though nothing is wrong with them: is it the warehouse? A good file tells
PAGE = 5000  # findings read at a time
NEVER = "9999-12-31 00:00:00"

SURGE, IN_TIME, LATE, REFUSED = range(4)
"""What is loaded first: a surge; then what can still be a row within `load_seconds`, the oldest file first; then
what is late or damaged, the newest hour first; at the end what was refused the last time: nothing waits for that."""

_SECONDS = "DATEDIFF(SECOND, CAST('1970-01-01' AS TIMESTAMP), tweet_file"

TO_REPAIR = f"""
SELECT s3_key, expected_rows, bytes, written_at, urgency, place
FROM (
    SELECT
        s3_key, expected_rows, bytes, written_at, urgency,
        CAST(urgency AS VARCHAR(1)) || LPAD(
            CAST(CASE WHEN urgency < {LATE} THEN written ELSE 9999999999 - hour END AS VARCHAR(10)), 10, '0'
        ) || s3_key AS place
    FROM (
        SELECT
            found.s3_key AS s3_key, found.expected_rows AS expected_rows, found.bytes AS bytes,
            tweet_file.written_at AS written_at,
            CASE
                WHEN refused.s3_key IS NOT NULL THEN {REFUSED}
                WHEN tweet_file.written_at >= CAST(:surge AS TIMESTAMP) THEN {SURGE}
                WHEN tweet_file.written_at >= CAST(:in_time AS TIMESTAMP) THEN {IN_TIME}
                ELSE {LATE}
            END AS urgency,
            {_SECONDS}.written_at) AS written, {_SECONDS}.hour) AS hour
        FROM disaster.reconciliation_finding AS found
        INNER JOIN disaster.tweet_file ON tweet_file.s3_key = found.s3_key
        LEFT JOIN (SELECT s3_key FROM disaster.finding WHERE kind = 'refused' AND closed_at IS NULL) AS refused
            ON refused.s3_key = found.s3_key
        WHERE found.reconciliation_id = :id AND found.action = 'to_repair'
    ) AS damaged
) AS placed
WHERE place > :behind
ORDER BY place
LIMIT {PAGE}
"""  # noqa: S608 - numbers of our own

KNOWN_GOOD = """
SELECT s3_key, expected_rows, bytes, written_at
FROM disaster.tweet_file
WHERE state = 'loaded'
ORDER BY loaded_at DESC, s3_key DESC
LIMIT 3
"""

KEYS_TABLE = "CREATE TEMP TABLE repair_file (s3_key VARCHAR(256), expected_rows BIGINT) DISTSTYLE ALL"

CLAIM = """
UPDATE disaster.tweet_file
SET repairs = tweet_file.repairs + 1, changed_at = CAST(:now AS TIMESTAMP)
FROM repair_file
WHERE tweet_file.s3_key = repair_file.s3_key
"""

_BETWEEN = "arrived_at >= CAST(:since AS TIMESTAMP) AND arrived_at < CAST(:until AS TIMESTAMP)"

DELETE = f"""
DELETE FROM disaster.disaster_tweets
USING repair_file
WHERE disaster_tweets.s3_key = repair_file.s3_key AND {_BETWEEN}
"""  # noqa: S608 - text of our own

RESULT = f"""
CREATE TEMP TABLE repair_result DISTSTYLE ALL AS
SELECT s3_key, found_rows, found_rows AS found_lines, COALESCE({whole("expected_rows")}, FALSE) AS whole
FROM (
    SELECT
        repair_file.s3_key AS s3_key,
        repair_file.expected_rows AS expected_rows,
        {SUMS}
    FROM repair_file
    LEFT JOIN (SELECT s3_key AS key_of_row, s3_line FROM disaster.disaster_tweets WHERE {_BETWEEN}) AS present
        ON present.key_of_row = repair_file.s3_key
    GROUP BY repair_file.s3_key, repair_file.expected_rows
) AS counted
"""  # noqa: S608 - text of our own

# Distinct lines are counted only where the sums say that something is wrong.
LINES = f"""
UPDATE repair_result
SET found_lines = counted.lines, whole = counted.whole
FROM (
    SELECT
        repair_file.s3_key AS s3_key,
        COUNT(DISTINCT present.s3_line) AS lines,
        COUNT(present.s3_line) = repair_file.expected_rows
            AND COUNT(DISTINCT present.s3_line) = repair_file.expected_rows
            AND MIN(present.s3_line) = 1 AND MAX(present.s3_line) = repair_file.expected_rows AS whole
    FROM repair_file
    INNER JOIN (SELECT s3_key, s3_line FROM disaster.disaster_tweets WHERE {_BETWEEN}) AS present
        ON present.s3_key = repair_file.s3_key
    WHERE repair_file.s3_key IN (SELECT s3_key FROM repair_result WHERE NOT whole)
    GROUP BY repair_file.s3_key, repair_file.expected_rows
) AS counted
WHERE repair_result.s3_key = counted.s3_key
"""  # noqa: S608 - text of our own

LOADED = """
UPDATE disaster.tweet_file
SET state = 'loaded', loaded_at = CAST(:now AS TIMESTAMP)
FROM repair_result
WHERE tweet_file.s3_key = repair_result.s3_key AND repair_result.whole
"""

REPAIRED = """
UPDATE disaster.reconciliation_finding
SET
    action = CASE WHEN repair_result.whole THEN 'repaired' ELSE 'failed' END,
    lines_after = repair_result.found_lines
FROM repair_result
WHERE reconciliation_finding.s3_key = repair_result.s3_key AND reconciliation_finding.reconciliation_id = :id
"""

NOT_WHOLE = "SELECT s3_key, found_rows, found_lines FROM repair_result WHERE NOT whole ORDER BY s3_key"


LOAD_ERROR = """
SELECT line_number, TRIM(column_name) AS column_name, TRIM(error_message) AS error_message
FROM sys_load_error_detail
WHERE TRIM(file_name) LIKE :key AND start_time >= CAST(:since AS TIMESTAMP)
ORDER BY start_time DESC
LIMIT 1
"""


class Verdict(NamedTuple):
    """Why a file could not be repaired: `unreadable` where the file is to blame, else `failed`."""

    key: str
    state: str
    detail: str


@dataclass
class Repairs:
    """What was done: transactions tried, files brought back, verdicts on the others, why it stopped if it did.

    `since`: no row that was loaded arrived before; None where none was. `oldest_at`: when the first files were loaded
    that are not a surge's.
    """

    transactions: int = 0
    files: int = 0
    verdicts: list[Verdict] = field(default_factory=list)
    stopped: str = ""
    since: datetime | None = None
    oldest_at: datetime | None = field(default=None, compare=False)


class _StopError(Exception):
    """No more repairs in this run; says why."""


def repair(
    job: Job, folder: str, deadline: float, hindrance: Callable[[bool], str], damaged: int | None = None
) -> Repairs:
    """Repair what the comparison found, in the order of its urgency, until `deadline` (monotonic) or until `hindrance`
    says why not. It is given whether files were loaded that are not a surge's.

    `damaged`: how many files that is, for the job's progress.
    """
    work = _Work(job, folder, deadline, hindrance)
    try:
        for urgency, page in to_repair(job):
            for batch in plan.batches(page):
                jobs.progress("files loaded again", work.done.files, damaged)
                work.mend(batch, 1)
                if urgency != SURGE and work.done.oldest_at is None:
                    work.done.oldest_at = datetime.now(UTC)
    except _StopError as error:
        work.done.stopped = str(error)
    return work.done


def to_repair(job: Job) -> Iterator[tuple[int, list[File]]]:
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
        (rows,) = transaction.run([TO_REPAIR], given, answers=1)
        for urgency, page in groupby(rows, key=itemgetter("urgency")):
            yield urgency, [_file(row) for row in page]
        more = len(rows) == PAGE
        given["behind"] = rows[-1]["place"] if rows else "~"


def _file(row: data_api.Row) -> File:
    return File(row["s3_key"], row["expected_rows"], row["bytes"], row["written_at"])


class _Work:
    """One run's repairs under way."""

    def __init__(self, job: Job, folder: str, deadline: float, hindrance: Callable[[bool], str]) -> None:
        self._job, self._folder, self._deadline, self._hindrance = job, folder, deadline, hindrance
        self._longest = 0.0  # seconds that a transaction took so far
        self._blameless = 0
        self.done = Repairs()

    def mend(self, batch: list[File], attempt: int) -> None:
        """Load a batch again; where that fails, its halves, down to a single file."""
        try:
            left = self._load(batch)
        except data_api.StillRunningError as error:
            raise _StopError(f"The warehouse did not end in time: {error}") from error
        except data_api.WarehouseError as error:
            if len(batch) == 1:
                self._judge(batch[0], str(error), attempt)
                return
            for half in plan.halves(batch):
                self.mend(half, attempt)
            return
        self._blameless = 0
        self.done.files += len(batch) - len(left)
        for file in batch:
            if file.key in left:
                self._judge(file, left[file.key], attempt)

    def _judge(self, file: File, message: str, attempt: int) -> None:
        """Find out whether a file that was not loaded is to blame; if not, try it again."""
        try:
            wrong = examine.trouble(settings().bucket, file)
        except (ClientError, BotoCoreError) as error:
            wrong, message = None, f"it could not be read: {error}"
        if wrong:
            self.done.verdicts.append(Verdict(file.key, "unreadable", wrong))
            self._blameless = 0
        elif attempt < ATTEMPTS:
            self.mend([file], attempt + 1)
        else:
            why = " ".join(filter(None, (message[:700], load_error(file, self._job.now))))
            self.done.verdicts.append(Verdict(file.key, "failed", why[:1000]))
            self._blameless += 1
            if self._blameless >= BLAMELESS:
                if not self._takes_a_good_file():
                    raise _StopError(f"The warehouse refuses files that nothing is wrong with: {message[:500]}")
                self._blameless = 0

    def _takes_a_good_file(self) -> bool:
        """Load a file again that is loaded, which changes nothing: whether the warehouse takes any file at all.

        Where no file was ever loaded that can't be told, and counts as no. Raises _StopError as `_load`.
        """
        for row in transaction.run([KNOWN_GOOD], answers=1)[0]:
            try:
                if not self._load([_file(row)]):
                    return True
            except data_api.StillRunningError as error:
                raise _StopError(f"The warehouse did not end in time: {error}") from error
            except data_api.WarehouseError:
                continue
        return False

    def _load(self, batch: list[File]) -> dict[str, str]:
        """Load files in one transaction; return the keys of the files that are not whole after it, and how many rows
        they have.

        Raises WarehouseError when nothing was done (or, for StillRunningError, may be yet); _StopError.
        """
        began = time.monotonic()
        if why := self._hindrance(self.done.oldest_at is not None):
            raise _StopError(why)
        if began + self._longest > self._deadline:
            raise _StopError("Time is up; the next run goes on")
        try:
            return self._transaction(batch, self._deadline - began)
        finally:
            self._longest = max(self._longest, time.monotonic() - began)

    def _transaction(self, batch: list[File], patience: float) -> dict[str, str]:
        self.done.transactions += 1
        bucket, name = settings().bucket, f"{self._folder}repair-{self.done.transactions:05}"
        rows = ({"s3_key": file.key, "expected_rows": file.expected_rows} for file in batch)
        keys_url = listing.lines(bucket, f"{name}.ndjson.gz", rows)
        manifest = listing.manifest(bucket, f"{name}.manifest", [file.key for file in batch])
        lock = transaction.LOCK if settings().delivery == "reconcile" else transaction.LOCK_TWEETS
        asked = statements(lock, keys_url, f"s3://{bucket}/{manifest}", settings().copy_role_arn)
        logger.info("repair", extra={"files": len(batch), "manifest": manifest})
        since, until = plan.bounds(batch)
        now = times.sql(self._job.now)
        given = {"id": self._job.id, "now": now, "since": times.sql(since), "until": times.sql(until)}
        (not_whole,) = transaction.run(asked, given, answers=1, patience=patience)
        self.done.since = min(since, self.done.since or since)
        return {
            row["s3_key"]: f"{row['found_rows']} rows of {row['found_lines']} lines after it was loaded"
            for row in not_whole
        }


def load_error(file: File, since: datetime) -> str:
    """Return which line of a file Redshift could not load and why, as it wrote down since then; empty if it did not.

    Everybody sees the errors of his own loads: docs.aws.amazon.com/redshift/latest/dg/SYS_LOAD_ERROR_DETAIL.html
    """
    try:
        rows = data_api.query(LOAD_ERROR, {"key": f"%/{file.key}", "since": times.sql(since)})
    except data_api.WarehouseError:
        return ""
    return "".join(
        f"sys_load_error_detail: line {row['line_number']}, {row['column_name']}: {row['error_message']}"
        for row in rows
    )


def statements(lock: str, keys_url: str, manifest_url: str, role: str) -> list[str]:
    """Return the transaction of a repair; its last statement is NOT_WHOLE.

    `lock` comes first: the DELETE must see what a COPY that went before it has loaded.
    """
    return [
        lock,
        KEYS_TABLE,
        copy.statement(keys_url, role, "repair_file", ("s3_key", "expected_rows"), manifest=False),
        CLAIM,
        DELETE,
        copy.statement(manifest_url, role, "disaster.disaster_tweets", NAMES),
        RESULT,
        LINES,
        LOADED,
        REPAIRED,
        NOT_WHOLE,
    ]
