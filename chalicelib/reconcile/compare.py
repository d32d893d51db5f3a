"""The comparison, in the warehouse: names of files against rows and lines by file. Only differences stay.

Equal counts can hide a lost line and a doubled one; so a file is `loaded` only if it has as many rows as its name says,
as many distinct lines, and these are 1 to that number.

States of a file:
    loaded      every line once
    new         no rows, and no run has seen it before: where the reconciler loads, that is its ordinary way in
    missing     no rows
    partial     some line has no row
    excess      every line has its row, some more than one
    orphaned    rows whose file is gone
    waiting     not loaded, but younger than the grace period
    unreadable  can't be loaded as it is, and is unchanged since that was found
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from chalicelib import layout, times
from chalicelib.reconcile import hours, listing, transaction
from chalicelib.reconcile.hours import Window
from chalicelib.reconcile.listing import Listing
from chalicelib.reconcile.whole import SUMS, whole
from chalicelib.settings import settings
from chalicelib.warehouse import copy

REPAIRABLE = ("missing", "partial", "excess")
LOADABLE = ("new", *REPAIRABLE)

KNOWN_DAYS = (
    "SELECT CAST(hour AS DATE) AS day FROM disaster.tweet_hour GROUP BY CAST(hour AS DATE) HAVING COUNT(*) = 24"
)
HOURS_KNOWN = """
SELECT hour, settled_checks, files, checked_at, next_check_at <= CAST(:now AS TIMESTAMP) AS due
FROM disaster.tweet_hour
WHERE next_check_at <= CAST(:now AS TIMESTAMP) OR hour >= CAST(:recent AS TIMESTAMP)
"""
SEEN_UNTIL = "(SELECT COALESCE(MAX(repeats_until), CAST('1970-01-01' AS TIMESTAMP)) FROM disaster.reconciliation)"
"""Of rows loaded until then it is known which tweets came more than once: see repeats.py."""

STANDING = f"""
SELECT
    MAX(started_at) AS last_sweep,
    (SELECT COUNT(*) FROM disaster.finding WHERE closed_at IS NULL) AS findings,
    (
        SELECT COUNT(*) FROM disaster.disaster_tweets
        WHERE arrived_at >= CAST(:recent AS TIMESTAMP) AND loaded_at > {SEEN_UNTIL}
    ) AS new_rows
FROM disaster.reconciliation
WHERE swept AND finished_at IS NOT NULL
"""  # noqa: S608 - text of our own


class Known(NamedTuple):
    """What former runs left: days they know all hours of, hours they want looked at again, recent hours as they were
    found, when they last swept, how many findings are open, and how many recent rows were loaded since a run last
    looked for tweets that came more than once."""

    days: list[date]
    again: list[tuple[datetime, int]]  # with how often in a row it was found settled
    recent: dict[datetime, hours.Found]
    last_sweep: datetime | None
    findings: int = 0
    new_rows: int = 0


class Job(NamedTuple):
    """What a run is to do. `asked_for`: on hours that somebody named; there, files that were found unreadable are tried
    again though they haven't changed. `sweep`: whether to look for rows of hours that nobody lists."""

    id: str
    now: datetime
    grace: timedelta
    repair: bool
    asked_for: bool
    sweep: bool


def known(now: datetime) -> Known:
    """Return what former runs left in the warehouse. Raises WarehouseError."""
    asked, recent = [KNOWN_DAYS, HOURS_KNOWN, STANDING], hours.recent(now)
    given = {"now": times.sql(now), "recent": times.sql(recent.start)}
    days, rows, standing = transaction.run(asked, given, answers=3)
    return Known(
        [row["day"] for row in days],
        [(row["hour"], row["settled_checks"]) for row in rows if row["due"]],
        {row["hour"]: hours.Found(row["files"], row["checked_at"]) for row in rows if row["hour"] >= recent.start},
        standing[0]["last_sweep"],
        standing[0]["findings"],
        standing[0]["new_rows"],
    )


HOUR_TABLE = "CREATE TEMP TABLE listed_hour (hour TIMESTAMP, hour_key VARCHAR(32)) DISTSTYLE ALL"

FILE_TABLE = """
CREATE TEMP TABLE listed_file (
    s3_key VARCHAR(256), hour_key VARCHAR(32), expected_rows INTEGER, bytes BIGINT, written_at TIMESTAMP
) DISTKEY (s3_key)
"""


def rows(columns: str, windows: int) -> str:
    """Return the SELECT of the rows of the hours in `listed_hour`, which lie in so many windows.

    One SELECT a window, so that each reads its own blocks. The parameters are those of `bounds`.
    """

    def of(n: int) -> str:
        return f"""SELECT {columns}
    FROM disaster.disaster_tweets
    WHERE arrived_at >= CAST(:since_{n} AS TIMESTAMP) AND arrived_at < CAST(:until_{n} AS TIMESTAMP)
        AND SUBSTRING(s3_key, 1, 27) IN (
            SELECT hour_key FROM listed_hour
            WHERE hour >= CAST(:since_{n} AS TIMESTAMP) AND hour < CAST(:stop_{n} AS TIMESTAMP)
        )"""  # noqa: S608 - text of our own

    return "\n    UNION ALL\n    ".join(map(of, range(1, windows + 1)))


def bounds(windows: Sequence[Window]) -> dict[str, str]:
    """Return the parameters of `rows`. No row of a file arrived before the hour of its key: that of its earliest."""
    return {
        f"{name}_{n}": times.sql(moment)
        for n, window in enumerate(windows, 1)
        for name, moment in zip(("since", "stop", "until"), window, strict=True)
    }


def found(windows: int) -> str:
    """Return the statement that adds up the rows of each file, where they lie."""
    return f"""
CREATE TEMP TABLE found_file DISTKEY (s3_key) AS
SELECT
    s3_key, MAX(SUBSTRING(s3_key, 1, 27)) AS hour_key,
    {SUMS},
    SUM(DATEDIFF(SECOND, arrived_at, loaded_at)) AS lag_seconds,
    MAX(DATEDIFF(SECOND, arrived_at, loaded_at)) AS longest_lag_seconds
FROM (
    {rows("s3_key, s3_line, arrived_at, loaded_at", windows)}
) AS looked_at
GROUP BY s3_key
"""  # noqa: S608 - text of our own


COMPARED_TABLE = """
CREATE TEMP TABLE compared_file (
    s3_key VARCHAR(256), hour TIMESTAMP, expected_rows BIGINT, bytes BIGINT, written_at TIMESTAMP,
    found_rows BIGINT, found_lines BIGINT, lag_seconds BIGINT, longest_lag_seconds BIGINT,
    state VARCHAR(16), known_state VARCHAR(16)
) DISTKEY (s3_key)
"""


def distinct_lines(windows: int) -> str:
    """Return what counts distinct lines, of files whose sums aren't those of all lines and of files that are gone."""
    return f"""
CREATE TEMP TABLE distinct_line DISTKEY (s3_key) AS
SELECT s3_key, COUNT(DISTINCT s3_line) AS found_lines
FROM (
    {rows("s3_key, s3_line", windows)}
) AS looked_at
WHERE s3_key IN (
    SELECT found_file.s3_key
    FROM found_file
    LEFT JOIN listed_file ON listed_file.s3_key = found_file.s3_key
    WHERE listed_file.s3_key IS NULL OR NOT {whole("listed_file.expected_rows")}
)
GROUP BY s3_key
"""  # noqa: S608 - text of our own


COMPARED = """
INSERT INTO compared_file
SELECT
    pair.s3_key, listed_hour.hour, pair.expected_rows, pair.bytes, pair.written_at, pair.found_rows, pair.found_lines,
    pair.lag_seconds, pair.longest_lag_seconds,
    CASE
        WHEN pair.written_at IS NULL THEN 'orphaned'
        WHEN pair.whole THEN 'loaded'
        WHEN pair.written_at > CAST(:cutoff AS TIMESTAMP) THEN 'waiting'
        WHEN tweet_file.state = 'unreadable' AND tweet_file.written_at = pair.written_at AND :again = 'false'
            THEN 'unreadable'
        WHEN pair.found_rows = 0 AND tweet_file.s3_key IS NULL AND :loads = 'true' THEN 'new'
        WHEN pair.found_rows = 0 THEN 'missing'
        WHEN pair.found_lines >= pair.expected_rows AND pair.first_line = 1 AND pair.last_line = pair.expected_rows
            THEN 'excess'
        ELSE 'partial'
    END,
    tweet_file.state
FROM (
    SELECT
        COALESCE(listed_file.s3_key, found_file.s3_key) AS s3_key,
        COALESCE(listed_file.hour_key, found_file.hour_key) AS hour_key,
        COALESCE(listed_file.expected_rows, 0) AS expected_rows,
        listed_file.bytes AS bytes,
        listed_file.written_at AS written_at,
        COALESCE(found_file.found_rows, 0) AS found_rows,
        COALESCE(distinct_line.found_lines, found_file.found_rows, 0) AS found_lines,
        found_file.first_line AS first_line,
        found_file.last_line AS last_line,
        COALESCE(distinct_line.found_lines, found_file.found_rows) = listed_file.expected_rows
            AND found_file.found_rows = listed_file.expected_rows
            AND found_file.first_line = 1 AND found_file.last_line = listed_file.expected_rows AS whole,
        found_file.lag_seconds AS lag_seconds,
        found_file.longest_lag_seconds AS longest_lag_seconds
    FROM listed_file
    FULL OUTER JOIN found_file ON listed_file.s3_key = found_file.s3_key
    LEFT JOIN distinct_line ON distinct_line.s3_key = found_file.s3_key
) AS pair
INNER JOIN listed_hour ON listed_hour.hour_key = pair.hour_key
LEFT JOIN disaster.tweet_file ON tweet_file.s3_key = pair.s3_key
"""

FILES_SEEN_AGAIN = """
UPDATE disaster.tweet_file
SET
    state = compared_file.state,
    bytes = COALESCE(compared_file.bytes, tweet_file.bytes),
    written_at = COALESCE(compared_file.written_at, tweet_file.written_at),
    loaded_at = CASE WHEN compared_file.state = 'loaded' THEN CAST(:now AS TIMESTAMP) END,
    changed_at = CAST(:now AS TIMESTAMP)
FROM compared_file
WHERE tweet_file.s3_key = compared_file.s3_key
    AND (
        compared_file.state <> compared_file.known_state
        OR COALESCE(compared_file.written_at, tweet_file.written_at) <> tweet_file.written_at
    )
"""

FILES_SEEN_FIRST = """
INSERT INTO disaster.tweet_file
    (s3_key, hour, expected_rows, bytes, written_at, first_seen_at, loaded_at, repairs, state, changed_at)
SELECT
    s3_key, hour, expected_rows, bytes, written_at, CAST(:now AS TIMESTAMP),
    CASE WHEN state = 'loaded' THEN CAST(:now AS TIMESTAMP) END, 0, state, CAST(:now AS TIMESTAMP)
FROM compared_file
WHERE known_state IS NULL AND state <> 'orphaned'
"""

JUDGED_TABLE = """
CREATE TEMP TABLE judged_hour (
    hour TIMESTAMP, hour_key VARCHAR(32), files BIGINT, tweets BIGINT, loaded BIGINT,
    waiting BIGINT, waiting_files BIGINT, troubled_files BIGINT, lag_seconds BIGINT, longest_lag_seconds BIGINT,
    state VARCHAR(16), settled_checks INTEGER, kept_check_at TIMESTAMP
) DISTSTYLE ALL
"""

# Only a check that was due counts: looks by hand, one after the other, say nothing about what comes later. An hour
# that is found settled before it was due keeps the check that it has. What can't be repaired needn't be looked at every
# time, either: its hour counts as settled. (Not said in the SQL: the Data API looks for parameters in comments, too.)
JUDGED = """
INSERT INTO judged_hour
SELECT
    hour, hour_key, files, tweets, loaded, waiting, waiting_files, troubled_files,
    CASE WHEN found_rows > 0 THEN lag_seconds / found_rows END, longest_lag_seconds,
    CASE
        WHEN troubled_files > 0 THEN 'troubled'
        WHEN waiting_files > 0 OR hour > CAST(:closed AS TIMESTAMP) THEN 'open'
        ELSE 'settled'
    END,
    CASE
        WHEN waiting_files + mendable_files > 0 OR hour > CAST(:closed AS TIMESTAMP) THEN 0
        WHEN next_check_at > CAST(:now AS TIMESTAMP) THEN settled_checks
        ELSE settled_checks + 1
    END,
    CASE
        WHEN waiting_files + mendable_files = 0 AND hour <= CAST(:closed AS TIMESTAMP)
            AND next_check_at > CAST(:now AS TIMESTAMP) THEN next_check_at
    END
FROM (
    SELECT
        listed_hour.hour AS hour,
        listed_hour.hour_key AS hour_key,
        COALESCE(MAX(tweet_hour.settled_checks), 0) AS settled_checks,
        MAX(tweet_hour.next_check_at) AS next_check_at,
        COUNT(compared_file.written_at) AS files,
        COALESCE(SUM(compared_file.expected_rows), 0) AS tweets,
        COALESCE(SUM(LEAST(compared_file.found_lines, compared_file.expected_rows)), 0) AS loaded,
        COALESCE(SUM(
            CASE
                WHEN compared_file.state = 'waiting'
                    THEN compared_file.expected_rows - LEAST(compared_file.found_lines, compared_file.expected_rows)
            END
        ), 0) AS waiting,
        COUNT(CASE WHEN compared_file.state = 'waiting' THEN 1 END) AS waiting_files,
        COUNT(CASE WHEN compared_file.state IN ('new', 'missing', 'partial', 'excess') THEN 1 END) AS mendable_files,
        COUNT(CASE WHEN compared_file.state NOT IN ('loaded', 'waiting', 'new') THEN 1 END) AS troubled_files,
        SUM(compared_file.found_rows) AS found_rows,
        SUM(compared_file.lag_seconds) AS lag_seconds,
        MAX(compared_file.longest_lag_seconds) AS longest_lag_seconds
    FROM listed_hour
    LEFT JOIN compared_file ON compared_file.hour = listed_hour.hour
    LEFT JOIN disaster.tweet_hour ON tweet_hour.hour = listed_hour.hour
    GROUP BY listed_hour.hour, listed_hour.hour_key
) AS counted
"""

HOURS_OUT = "DELETE FROM disaster.tweet_hour USING judged_hour WHERE tweet_hour.hour = judged_hour.hour"

_NEXT = " ".join(f"WHEN {n} THEN CAST(:next_{n} AS TIMESTAMP)" for n in range(1, len(hours.INTERVALS)))

HOURS_IN = f"""
INSERT INTO disaster.tweet_hour
    (hour, hour_key, files, tweets, loaded, waiting, waiting_files, troubled_files, lag_seconds, longest_lag_seconds,
    state, settled_checks, checked_at, next_check_at)
SELECT
    hour, hour_key, files, tweets, loaded, waiting, waiting_files, troubled_files, lag_seconds, longest_lag_seconds,
    state, settled_checks,
    CAST(:now AS TIMESTAMP),
    COALESCE(
        kept_check_at,
        CASE settled_checks
            WHEN 0 THEN CAST(:now AS TIMESTAMP)
            {_NEXT}
            ELSE CAST(:next_{len(hours.INTERVALS)} AS TIMESTAMP)
        END
    )
FROM judged_hour
"""  # noqa: S608 - numbers of our own

# A run that Lambda starts a second time begins anew.
FORMER_FINDINGS = "DELETE FROM disaster.reconciliation_finding WHERE reconciliation_id = :id"
FORMER_RUN = "DELETE FROM disaster.reconciliation WHERE reconciliation_id = :id"

RUN = """
INSERT INTO disaster.reconciliation
    (reconciliation_id, started_at, repair, grace_seconds, swept, hours)
SELECT
    CAST(:id AS VARCHAR(32)), CAST(:now AS TIMESTAMP), :repair = 'true', CAST(:grace AS INTEGER),
    :sweep = 'true', COUNT(*)
FROM listed_hour
"""

FINDINGS = """
INSERT INTO disaster.reconciliation_finding
    (reconciliation_id, found_at, s3_key, hour, state, expected_rows, found_rows, found_lines, bytes, action)
SELECT
    CAST(:id AS VARCHAR(32)), CAST(:now AS TIMESTAMP), s3_key, hour, state, expected_rows, found_rows, found_lines,
    bytes,
    CASE WHEN state IN ('new', 'missing', 'partial', 'excess') AND :repair = 'true' THEN 'to_repair' ELSE 'none' END
FROM compared_file
WHERE state NOT IN ('loaded', 'waiting')
"""

# Rows of hours that nobody lists: their day has no file, or they name no file at all. They are told where they lie, for
# each node has all hours; so lines are counted of these rows alone.
SWEEP = """
INSERT INTO disaster.reconciliation_finding
    (reconciliation_id, found_at, s3_key, state, expected_rows, found_rows, found_lines, action)
SELECT
    CAST(:id AS VARCHAR(32)), CAST(:now AS TIMESTAMP), stray.s3_key, 'orphaned', 0, stray.found_rows, stray.found_lines,
    'none'
FROM (
    SELECT disaster_tweets.s3_key AS s3_key, COUNT(*) AS found_rows,
        COUNT(DISTINCT disaster_tweets.s3_line) AS found_lines
    FROM disaster.disaster_tweets
    LEFT JOIN disaster.tweet_hour ON tweet_hour.hour_key = SUBSTRING(disaster_tweets.s3_key, 1, 27)
    WHERE tweet_hour.hour_key IS NULL
    GROUP BY disaster_tweets.s3_key
) AS stray
"""

TOTALS = """
SELECT
    state,
    COUNT(*) AS files,
    SUM(expected_rows) AS tweets,
    SUM(LEAST(found_lines, expected_rows)) AS loaded,
    SUM(found_rows) - SUM(found_lines) AS doubled
FROM compared_file
GROUP BY state
ORDER BY state
"""

ORPHANS = """
SELECT s3_key
FROM disaster.reconciliation_finding
WHERE reconciliation_id = :id AND state = 'orphaned'
ORDER BY s3_key DESC
LIMIT 1000
"""


def statements(job: Job, listed: Listing, hours_url: str, bucket: str, role: str, windows: int = 1) -> list[str]:
    """Return the transaction of a comparison; its last two are TOTALS and ORPHANS."""
    names = []
    if listed.manifest:
        columns = ("s3_key", "hour_key", "expected_rows", "bytes", "written_at")
        names = [copy.statement(f"s3://{bucket}/{listed.manifest}", role, "listed_file", columns)]
    return [
        transaction.LOCK,
        HOUR_TABLE,
        copy.statement(hours_url, role, "listed_hour", ("hour", "hour_key"), manifest=False),
        FILE_TABLE,
        *names,
        found(windows),
        distinct_lines(windows),
        COMPARED_TABLE,
        COMPARED,
        FILES_SEEN_AGAIN,
        FILES_SEEN_FIRST,
        JUDGED_TABLE,
        JUDGED,
        HOURS_OUT,
        HOURS_IN,
        FORMER_FINDINGS,
        FORMER_RUN,
        RUN,
        FINDINGS,
        *([SWEEP] if job.sweep else []),
        TOTALS,
        ORPHANS,
    ]


def parameters(job: Job, windows: Sequence[Window]) -> dict[str, str]:
    """Return the values of the statements' parameters, as text.

    An hour is over at `closed` where its last file has had its grace.
    """
    later = {f"next_{n}": times.sql(job.now + wait) for n, wait in enumerate(hours.INTERVALS, 1)}
    return {
        "id": job.id,
        "now": times.sql(job.now),
        "cutoff": times.sql(job.now - job.grace),
        "closed": times.sql(job.now - job.grace - hours.HOUR),
        **bounds(windows),
        "again": str(job.asked_for).lower(),
        "loads": str(settings().delivery == "reconcile").lower(),
        "repair": str(job.repair).lower(),
        "grace": str(int(job.grace.total_seconds())),
        "sweep": str(job.sweep).lower(),
        **later,
    }


class Compared(NamedTuple):
    """By state: `files`, `tweets`, `loaded`, `doubled`; and the keys of up to 1,000 orphans, the newest hours first."""

    totals: Mapping[str, Mapping[str, Any]]
    orphans: Sequence[str]


def compare(job: Job, listed: Listing, folder: str, patience: float) -> Compared:
    """Compare the hours that were listed and records what was found. `folder` is where the run may write."""
    bucket = settings().bucket
    hours_url = write_hours(bucket, folder, listed.hours)
    windows = hours.windows(listed.hours, listed.newest)
    asked = statements(job, listed, hours_url, bucket, settings().copy_role_arn, len(windows))
    totals, orphans = transaction.run(asked, parameters(job, windows), answers=2, patience=patience)
    return Compared({row["state"]: row for row in totals}, [row["s3_key"] for row in orphans])


def write_hours(bucket: str, folder: str, listed: Sequence[datetime]) -> str:
    """Write the hours as JSON lines for COPY; return their URL."""
    rows = ({"hour": times.sql(hour), "hour_key": layout.TWEETS + layout.hour_folder(hour)} for hour in listed)
    return listing.lines(bucket, f"{folder}hours.ndjson.gz", rows)


KEY_TABLE = "CREATE TEMP TABLE late_file (s3_key VARCHAR(256), hour_key VARCHAR(32)) DISTSTYLE ALL"

NO_FINDINGS = """
DELETE FROM disaster.reconciliation_finding
USING late_file
WHERE reconciliation_finding.s3_key = late_file.s3_key AND reconciliation_finding.reconciliation_id = :id
"""

HOURS_OPEN = """
UPDATE disaster.tweet_hour
SET
    troubled_files = left_over.files,
    state = CASE WHEN left_over.files = 0 THEN 'open' ELSE tweet_hour.state END,
    settled_checks = 0,
    next_check_at = CAST(:now AS TIMESTAMP)
FROM (
    SELECT late.hour_key, COUNT(finding.s3_key) AS files
    FROM (SELECT DISTINCT hour_key FROM late_file) AS late
    INNER JOIN disaster.tweet_hour AS known ON known.hour_key = late.hour_key
    LEFT JOIN disaster.reconciliation_finding AS finding
        ON finding.hour = known.hour AND finding.reconciliation_id = :id
    GROUP BY late.hour_key
) AS left_over
WHERE tweet_hour.hour_key = left_over.hour_key
"""


def no_orphans(job: Job, folder: str, keys: Sequence[str]) -> None:
    """Take findings back: these files are there, they were written after the listing. The next run looks at them."""
    rows = ({"s3_key": key, "hour_key": key[: layout.HOUR_KEY]} for key in keys)
    url = listing.lines(settings().bucket, f"{folder}late.ndjson.gz", rows)
    load = copy.statement(url, settings().copy_role_arn, "late_file", ("s3_key", "hour_key"), manifest=False)
    given = {"id": job.id, "now": times.sql(job.now)}
    transaction.run([KEY_TABLE, load, NO_FINDINGS, HOURS_OPEN], given, answers=0)
