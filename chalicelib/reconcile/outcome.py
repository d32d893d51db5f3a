"""What a run comes to: verdicts are written down, hours brought up to date, and the report's numbers read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from chalicelib.reconcile import listing, transaction
from chalicelib.reconcile.compare import HOUR_TABLE, Job, write_hours
from chalicelib.reconcile.hours import HOUR, floor
from chalicelib.reconcile.listing import timestamp
from chalicelib.reconcile.repair import Verdict
from chalicelib.reconcile.unanswered import File
from chalicelib.settings import settings
from chalicelib.warehouse import copy

SHOWN = 500  # findings in the report; all are in disaster.reconciliation_finding
STRIP = timedelta(days=7)
FINDING = (
    "reconciliation_id",
    "found_at",
    "s3_key",
    "state",
    "expected_rows",
    "found_rows",
    "found_lines",
    "action",
    "detail",
)

VERDICT_TABLE = "CREATE TEMP TABLE verdict (s3_key VARCHAR(256), state VARCHAR(16), detail VARCHAR(1024)) DISTSTYLE ALL"

FILES_JUDGED = """
UPDATE disaster.tweet_file
SET state = 'unreadable', changed_at = CAST(:now AS TIMESTAMP)
FROM verdict
WHERE tweet_file.s3_key = verdict.s3_key AND verdict.state = 'unreadable'
"""

FINDINGS_JUDGED = """
UPDATE disaster.reconciliation_finding
SET
    action = 'failed',
    state = CASE WHEN verdict.state = 'unreadable' THEN 'unreadable' ELSE reconciliation_finding.state END,
    detail = verdict.detail
FROM verdict
WHERE reconciliation_finding.s3_key = verdict.s3_key AND reconciliation_finding.reconciliation_id = :id
"""

FORMER_UNANSWERED = """
DELETE FROM disaster.reconciliation_finding WHERE reconciliation_id = :id AND state = 'unanswered'
"""

# From what was found, not by adding to what is there: so that it can be repeated.
HOURS_MENDED = """
UPDATE disaster.tweet_hour
SET
    loaded = tweet_hour.tweets - tweet_hour.waiting - left_over.absent,
    troubled_files = left_over.files,
    state = CASE WHEN left_over.files = 0 THEN 'repaired' ELSE 'troubled' END
FROM (
    SELECT
        hour,
        COUNT(CASE WHEN action <> 'repaired' THEN 1 END) AS files,
        SUM(expected_rows - LEAST(COALESCE(lines_after, found_lines), expected_rows)) AS absent
    FROM disaster.reconciliation_finding
    WHERE reconciliation_id = :id AND hour IS NOT NULL
    GROUP BY hour
) AS left_over
WHERE tweet_hour.hour = left_over.hour
"""

ACTIONS = """
SELECT
    state,
    action,
    COUNT(*) AS files,
    SUM(expected_rows - LEAST(found_lines, expected_rows)) AS absent,
    SUM(expected_rows - LEAST(COALESCE(lines_after, found_lines), expected_rows)) AS absent_after,
    SUM(found_rows - found_lines) AS doubled,
    SUM(found_rows) AS found
FROM disaster.reconciliation_finding
WHERE reconciliation_id = :id
GROUP BY state, action
"""

_EARLIER = """
    EXISTS (
        SELECT 1
        FROM disaster.reconciliation_finding AS earlier
        WHERE earlier.s3_key = finding.s3_key AND earlier.state = finding.state
            AND earlier.reconciliation_id <> :id AND earlier.found_at >= CAST(:month_ago AS TIMESTAMP)
    )
"""

NEW_TROUBLE = f"""
SELECT COUNT(*) AS n
FROM disaster.reconciliation_finding AS finding
WHERE finding.reconciliation_id = :id
    AND (finding.action = 'failed' OR finding.state IN ('orphaned', 'unreadable', 'unanswered'))
    AND NOT {_EARLIER}
"""  # noqa: S608 - text of our own

WORST = f"""
SELECT
    s3_key, hour, state, expected_rows, found_rows, found_lines, lines_after, action, detail
FROM disaster.reconciliation_finding
WHERE reconciliation_id = :id
ORDER BY
    CASE WHEN action = 'failed' OR state IN ('orphaned', 'unreadable', 'unanswered') THEN 0 ELSE 1 END,
    action DESC,
    s3_key DESC
LIMIT {SHOWN}
"""  # noqa: S608 - a number of our own

# Keys are counted where rows lie: all copies of a tweet are on one slice.
TWICE = """
SELECT COUNT(*) AS tweets, COALESCE(SUM(files - 1), 0) AS extra
FROM (
    SELECT tweet_key, COUNT(DISTINCT s3_key) AS files
    FROM disaster.disaster_tweets
    WHERE arrived_at >= CAST(:since AS TIMESTAMP)
        AND SUBSTRING(s3_key, 1, 27) IN (SELECT hour_key FROM listed_hour)
    GROUP BY tweet_key
    HAVING COUNT(DISTINCT s3_key) > 1
) AS repeated
"""

KINDS = """
SELECT
    disaster_tweets.disaster_label AS code,
    MAX(disaster_kind.name) AS name,
    COUNT(*) AS tweets,
    SUM(CASE WHEN disaster_tweets.relevance_label = 'relevant' THEN 1 ELSE 0 END) AS relevant
FROM disaster.disaster_tweets
LEFT JOIN disaster.disaster_kind ON disaster_kind.code = disaster_tweets.disaster_label
WHERE disaster_tweets.arrived_at >= CAST(:since AS TIMESTAMP)
    AND SUBSTRING(disaster_tweets.s3_key, 1, 27) IN (SELECT hour_key FROM listed_hour)
GROUP BY disaster_tweets.disaster_label
ORDER BY tweets DESC, code
"""

HOURS = """
SELECT hour, state, files, tweets, loaded, waiting, waiting_files, troubled_files, lag_seconds, longest_lag_seconds
FROM disaster.tweet_hour
WHERE hour >= CAST(:strip_start AS TIMESTAMP) AND hour < CAST(:strip_stop AS TIMESTAMP)
ORDER BY hour
"""

QUESTIONS = {
    "actions": ACTIONS,
    "new_trouble": NEW_TROUBLE,
    "worst": WORST,
    "twice": TWICE,
    "kinds": KINDS,
    "hours": HOURS,
}

CLOSED = """
UPDATE disaster.reconciliation
SET
    finished_at = CAST(:finished AS TIMESTAMP),
    complete = :complete = 'true',
    files = CAST(:files AS BIGINT),
    tweets = CAST(:tweets AS BIGINT),
    loaded = CAST(:loaded AS BIGINT),
    waiting = CAST(:waiting AS BIGINT),
    late = CAST(:late AS BIGINT),
    repaired = CAST(:repaired AS BIGINT),
    lost = CAST(:lost AS BIGINT)
WHERE reconciliation_id = :id
"""


class Outcome(NamedTuple):
    """The rows of the report: the answers to QUESTIONS, by their names."""

    actions: Sequence[Mapping[str, Any]]
    new_trouble: int
    worst: Sequence[Mapping[str, Any]]
    twice: Mapping[str, int]
    kinds: Sequence[Mapping[str, Any]]
    hours: Sequence[Mapping[str, Any]]


def settle(
    job: Job,
    folder: str,
    listed: Sequence[datetime],
    verdicts: Sequence[Verdict],
    unanswered: Sequence[File],
    strip_stop: datetime,
    patience: float,
) -> Outcome:
    """Writes down what the repairs came to, and reads what the report says. `listed`: the hours looked at."""
    bucket, role = settings().bucket, settings().copy_role_arn
    asked = [HOUR_TABLE]
    if listed:
        hours_url = write_hours(bucket, folder, listed)
        asked.append(copy.statement(hours_url, role, "listed_hour", ("hour", "hour_key"), manifest=False))
    if verdicts:
        url = listing.lines(bucket, f"{folder}verdicts.ndjson.gz", (_verdict(each) for each in verdicts))
        load = copy.statement(url, role, "verdict", ("s3_key", "state", "detail"), manifest=False)
        asked += [VERDICT_TABLE, load, FILES_JUDGED, FINDINGS_JUDGED]
    if in_trouble := [file for file in unanswered if file.lost or file.trouble]:
        url = listing.lines(bucket, f"{folder}unanswered.ndjson.gz", (_finding(job, each) for each in in_trouble))
        load = copy.statement(url, role, "disaster.reconciliation_finding", FINDING, manifest=False)
        asked += [FORMER_UNANSWERED, load]
    asked += [HOURS_MENDED, *QUESTIONS.values()]
    given = {
        "id": job.id,
        "month_ago": timestamp(job.now - timedelta(days=30)),
        "since": timestamp(min(listed, default=job.now)),
        "strip_start": timestamp(strip_stop - STRIP),
        "strip_stop": timestamp(strip_stop),
        **({"now": timestamp(job.now)} if verdicts else {}),
    }
    found = transaction.run(asked, given, answers=len(QUESTIONS), patience=patience)
    answers = dict(zip(QUESTIONS, found, strict=True))
    return Outcome(
        answers["actions"],
        answers["new_trouble"][0]["n"],
        answers["worst"],
        answers["twice"][0],
        answers["kinds"],
        answers["hours"],
    )


def strip_stop(job: Job, listed: Sequence[datetime]) -> datetime:
    """Where the report's strip of hours ends: with the present, or with the hours that were asked for."""
    present = floor(job.now) + HOUR
    return min(listed[-1] + HOUR, present) if job.asked_for and listed else present


def close(job: Job, report: Mapping[str, Any], finished: datetime) -> None:
    """Writes the run's numbers to its row."""
    tweets = report["tweets"]
    numbers = {name: str(tweets[name]) for name in ("loaded", "waiting", "late", "repaired", "lost")}
    given = {
        "id": job.id,
        "finished": timestamp(finished),
        "complete": str(report["complete"]).lower(),
        "files": str(report["files"]["listed"]),
        "tweets": str(tweets["expected"]),
        **numbers,
    }
    transaction.run([CLOSED], given, answers=0)


def _verdict(verdict: Verdict) -> dict[str, str]:
    return {"s3_key": verdict.key, "state": verdict.state, "detail": verdict.detail}


def _finding(job: Job, file: File) -> dict[str, Any]:
    found = file.tweets - file.lost
    return {
        "reconciliation_id": job.id,
        "found_at": timestamp(job.now),
        "s3_key": file.key,
        "state": "unanswered",
        "expected_rows": file.tweets,
        "found_rows": found,
        "found_lines": found,
        "action": "none",
        "detail": file.trouble or None,
    }
