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

SEEN_UNTIL = "(SELECT COALESCE(MAX(repeats_until), CAST('1970-01-01' AS TIMESTAMP)) FROM disaster.reconciliation)"
"""Of rows loaded until then it is known which tweets came more than once: see repeats.py."""

KNOWN = f"""
SELECT
    standing.last_sweep, standing.begun, standing.findings, standing.new_rows,
    known_hour.hour, known_hour.settled_checks, known_hour.files, known_hour.checked_at, known_hour.due,
    known_hour.ends_day
FROM (
    SELECT
        MAX(CASE WHEN swept AND finished_at IS NOT NULL THEN started_at END) AS last_sweep,
        COUNT(CASE WHEN reconciliation_id = :id THEN 1 END) AS begun,
        (SELECT COUNT(*) FROM disaster.finding WHERE closed_at IS NULL) AS findings,
        (
            SELECT COUNT(*) FROM disaster.disaster_tweets
            WHERE arrived_at >= CAST(:recent AS TIMESTAMP) AND loaded_at > {SEEN_UNTIL}
        ) AS new_rows
    FROM disaster.reconciliation
) AS standing
LEFT JOIN (
    SELECT
        hour, settled_checks, files, checked_at, next_check_at <= CAST(:now AS TIMESTAMP) AS due,
        ROW_NUMBER() OVER (PARTITION BY CAST(hour AS DATE) ORDER BY hour) = 24 AS ends_day
    FROM disaster.tweet_hour
) AS known_hour ON known_hour.due OR known_hour.hour >= CAST(:recent AS TIMESTAMP) OR known_hour.ends_day
"""  # noqa: S608 - text of our own


class Known(NamedTuple):
    """What former runs left: days they know all hours of, hours they want looked at again, recent hours as they were
    found, when they last swept, how many findings are open, and how many recent rows were loaded since a run last
    looked for tweets that came more than once. `begun`: whether this run was begun before."""

    days: list[date]
    again: list[tuple[datetime, int]]  # with how often in a row it was found settled
    recent: dict[datetime, hours.Found]
    last_sweep: datetime | None
    findings: int = 0
    new_rows: int = 0
    begun: bool = False


class Job(NamedTuple):
    """What a run is to do. `asked_for`: on hours that somebody named; there, files that were found unreadable are tried
    again though they haven't changed. `sweep`: whether to look for rows of hours that nobody lists. `begun`: Lambda
    starts it a second time. `surge`: files written since then are loaded first."""

    id: str
    now: datetime
    grace: timedelta
    repair: bool
    asked_for: bool
    sweep: bool
    begun: bool = False
    surge: datetime | None = None


def known(now: datetime, job_id: str) -> Known:
    """Return what former runs left in the warehouse. Raises WarehouseError."""
    recent = hours.recent(now)
    given = {"id": job_id, "now": times.sql(now), "recent": times.sql(recent.start)}
    (rows,) = transaction.run([KNOWN], given, answers=1)
    of_hours = [row for row in rows if row["hour"]]
    return Known(
        [row["hour"].date() for row in of_hours if row["ends_day"]],
        [(row["hour"], row["settled_checks"]) for row in of_hours if row["due"]],
        {row["hour"]: hours.Found(row["files"], row["checked_at"]) for row in of_hours if row["hour"] >= recent.start},
        rows[0]["last_sweep"],
        rows[0]["findings"],
        rows[0]["new_rows"],
        rows[0]["begun"] > 0,
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


def compared(windows: int) -> str:
    """Return the statement that tells each file's state.

    Distinct lines are counted only of files whose sums aren't those of all lines, and of files that are gone.
    """
    return f"""
CREATE TEMP TABLE compared_file DISTKEY (s3_key) AS
SELECT
    pair.s3_key AS s3_key,
    listed_hour.hour AS hour,
    CAST(pair.expected_rows AS BIGINT) AS expected_rows,
    pair.bytes AS bytes,
    pair.written_at AS written_at,
    CAST(pair.found_rows AS BIGINT) AS found_rows,
    CAST(pair.found_lines AS BIGINT) AS found_lines,
    CAST(pair.lag_seconds AS BIGINT) AS lag_seconds,
    CAST(pair.longest_lag_seconds AS BIGINT) AS longest_lag_seconds,
    CAST(CASE
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
    END AS VARCHAR(16)) AS state,
    tweet_file.state AS known_state
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
    LEFT JOIN (
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
    ) AS distinct_line ON distinct_line.s3_key = found_file.s3_key
) AS pair
INNER JOIN listed_hour ON listed_hour.hour_key = pair.hour_key
LEFT JOIN disaster.tweet_file ON tweet_file.s3_key = pair.s3_key
"""  # noqa: S608 - text of our own


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

# Only a check that was due counts: looks by hand, one after the other, say nothing about what comes later. An hour
# that is found settled before it was due keeps the check that it has. What can't be repaired needn't be looked at every
# time, either: its hour counts as settled. (Not said in the SQL: the Data API looks for parameters in comments, too.)
JUDGED = """
CREATE TEMP TABLE judged_hour DISTSTYLE ALL AS
SELECT
    hour, hour_key, files, tweets, loaded, waiting, waiting_files, troubled_files,
    CAST(CASE WHEN found_rows > 0 THEN lag_seconds / found_rows END AS BIGINT) AS lag_seconds,
    longest_lag_seconds,
    CAST(CASE
        WHEN troubled_files > 0 THEN 'troubled'
        WHEN waiting_files > 0 OR hour > CAST(:closed AS TIMESTAMP) THEN 'open'
        ELSE 'settled'
    END AS VARCHAR(16)) AS state,
    CASE
        WHEN waiting_files + mendable_files > 0 OR hour > CAST(:closed AS TIMESTAMP) THEN 0
        WHEN next_check_at > CAST(:now AS TIMESTAMP) THEN settled_checks
        ELSE settled_checks + 1
    END AS settled_checks,
    CASE
        WHEN waiting_files + mendable_files = 0 AND hour <= CAST(:closed AS TIMESTAMP)
            AND next_check_at > CAST(:now AS TIMESTAMP) THEN next_check_at
    END AS kept_check_at
FROM (
    SELECT
        listed_hour.hour AS hour,
        listed_hour.hour_key AS hour_key,
        COALESCE(MAX(tweet_hour.settled_checks), 0) AS settled_checks,
        MAX(tweet_hour.next_check_at) AS next_check_at,
        COUNT(compared_file.written_at) AS files,
        CAST(COALESCE(SUM(compared_file.expected_rows), 0) AS BIGINT) AS tweets,
        CAST(COALESCE(SUM(LEAST(compared_file.found_lines, compared_file.expected_rows)), 0) AS BIGINT) AS loaded,
        CAST(COALESCE(SUM(
            CASE
                WHEN compared_file.state = 'waiting'
                    THEN compared_file.expected_rows - LEAST(compared_file.found_lines, compared_file.expected_rows)
            END
        ), 0) AS BIGINT) AS waiting,
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

# A run that Lambda starts a second time begins anew. Where a transaction of the run is itself repeated, because its end
# was lost, the run and its findings are there: what adds them looks first.
FORMER_FINDINGS = "DELETE FROM disaster.reconciliation_finding WHERE reconciliation_id = :id"
FORMER_RUN = "DELETE FROM disaster.reconciliation WHERE reconciliation_id = :id"

RUN = """
INSERT INTO disaster.reconciliation
    (reconciliation_id, started_at, repair, grace_seconds, swept, hours)
SELECT
    CAST(:id AS VARCHAR(32)), CAST(:now AS TIMESTAMP), :repair = 'true', CAST(:grace AS INTEGER),
    :sweep = 'true', looked_at.hours
FROM (SELECT COUNT(*) AS hours FROM listed_hour) AS looked_at
WHERE NOT EXISTS (SELECT 1 FROM disaster.reconciliation WHERE reconciliation_id = :id)
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
    AND s3_key NOT IN (SELECT s3_key FROM disaster.reconciliation_finding WHERE reconciliation_id = :id)
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
WHERE stray.s3_key NOT IN (SELECT s3_key FROM disaster.reconciliation_finding WHERE reconciliation_id = :id)
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
    """Return the transaction of a comparison; its last one is TOTALS, or ORPHANS after it where the run sweeps."""
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
        compared(windows),
        FILES_SEEN_AGAIN,
        FILES_SEEN_FIRST,
        JUDGED,
        HOURS_OUT,
        HOURS_IN,
        *([FORMER_FINDINGS, FORMER_RUN] if job.begun else []),
        RUN,
        FINDINGS,
        *([SWEEP] if job.sweep else []),
        TOTALS,
        *([ORPHANS] if job.sweep else []),
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


class Questions(NamedTuple):
    """Questions that a transaction asks at its end, by their names, and their parameters."""

    asked: Mapping[str, str]
    given: Mapping[str, str]


class Compared(NamedTuple):
    """By state: `files`, `tweets`, `loaded`, `doubled`; and the keys of up to 1,000 orphans, the newest hours first.
    `answers`: to the questions that were asked with it, by their names."""

    totals: Mapping[str, Mapping[str, Any]]
    orphans: Sequence[str]
    answers: Mapping[str, Sequence[Mapping[str, Any]]] = {}


NO_QUESTIONS = Questions({}, {})


def compare(job: Job, listed: Listing, folder: str, patience: float, questions: Questions = NO_QUESTIONS) -> Compared:
    """Compare the hours that were listed and record what was found. `folder` is where the run may write.

    `questions` are asked of the warehouse as it is then, in the same transaction; `listed_hour` has the hours.
    """
    bucket = settings().bucket
    hours_url = write_hours(bucket, folder, listed.hours)
    windows = hours.windows(listed.hours, listed.newest)
    asked = statements(job, listed, hours_url, bucket, settings().copy_role_arn, len(windows))
    told = ["totals", *(["orphans"] if job.sweep else []), *questions.asked]
    given = {**parameters(job, windows), **questions.given}
    done = transaction.run([*asked, *questions.asked.values()], given, answers=len(told), patience=patience)
    answers = dict(zip(told, done, strict=True))
    totals = {row["state"]: row for row in answers.pop("totals")}
    orphans = answers.pop("orphans", [])
    if not job.sweep and "orphaned" in totals:
        (orphans,) = transaction.run([ORPHANS], {"id": job.id}, answers=1, patience=patience)
    return Compared(totals, [row["s3_key"] for row in orphans], answers)


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
