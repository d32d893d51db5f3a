"""Write down what a run comes to: verdicts, hours and findings; read the report's numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from chalicelib import times
from chalicelib.reconcile import compare, findings, hours, listing, transaction
from chalicelib.reconcile.compare import HOUR_TABLE, Compared, Job, Questions, write_hours
from chalicelib.reconcile.findings import Kept
from chalicelib.reconcile.hours import HOUR, Window, floor
from chalicelib.reconcile.listing import Listing
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
    "hour",
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

# From what was found, not by adding to what is there: so that it can be repeated. An hour with a finding that needs a
# person is looked at again within an hour, so that what somebody did about it is seen.
HOURS_MENDED = """
UPDATE disaster.tweet_hour
SET
    loaded = tweet_hour.tweets - tweet_hour.waiting - left_over.absent,
    troubled_files = left_over.files,
    state = CASE
        WHEN left_over.files > 0 THEN 'troubled'
        WHEN left_over.repaired > 0 THEN 'repaired'
        WHEN tweet_hour.state = 'troubled' THEN 'settled'
        ELSE tweet_hour.state
    END,
    settled_checks = CASE WHEN left_over.outstanding > 0 THEN 0 ELSE tweet_hour.settled_checks END,
    next_check_at = CASE
        WHEN left_over.outstanding > 0 THEN LEAST(tweet_hour.next_check_at, CAST(:in_an_hour AS TIMESTAMP))
        ELSE tweet_hour.next_check_at
    END
FROM (
    SELECT
        hour,
        COUNT(CASE WHEN state <> 'unanswered' AND action NOT IN ('repaired', 'resolved') THEN 1 END) AS files,
        COUNT(CASE WHEN action = 'repaired' AND state <> 'new' THEN 1 END) AS repaired,
        COUNT(CASE
            WHEN action = 'failed' OR (state IN ('orphaned', 'unreadable', 'unanswered') AND action = 'none') THEN 1
        END) AS outstanding,
        SUM(CASE
            WHEN state = 'unanswered' THEN 0
            ELSE expected_rows - LEAST(COALESCE(lines_after, found_lines), expected_rows)
        END) AS absent
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

WORST = f"""
SELECT
    s3_key, hour, state, expected_rows, found_rows, found_lines, lines_after, action, detail
FROM disaster.reconciliation_finding
WHERE reconciliation_id = :id AND (state <> 'new' OR action <> 'repaired')
ORDER BY
    CASE
        WHEN action = 'failed' OR (state IN ('orphaned', 'unreadable', 'unanswered') AND action = 'none') THEN 0
        ELSE 1
    END,
    action DESC,
    s3_key DESC
LIMIT {SHOWN}
"""  # noqa: S608 - a number of our own


TWICE = """
SELECT COUNT(*) AS tweets, COALESCE(SUM(copies - 1), 0) AS extra
FROM disaster.repeated_tweet
WHERE erased_at IS NULL AND SUBSTRING(s3_key, 1, 27) IN (SELECT hour_key FROM listed_hour)
"""


def kinds(windows: int) -> str:
    """Return what counts the tweets of each kind."""
    return f"""
SELECT
    looked_at.disaster_label AS code,
    MAX(disaster_kind.name) AS name,
    COUNT(*) AS tweets,
    SUM(CASE WHEN looked_at.relevance_label = 'relevant' THEN 1 ELSE 0 END) AS relevant
FROM (
    {compare.rows("disaster_label, relevance_label", windows)}
) AS looked_at
LEFT JOIN disaster.disaster_kind ON disaster_kind.code = looked_at.disaster_label
GROUP BY looked_at.disaster_label
ORDER BY tweets DESC, code
"""  # noqa: S608 - text of our own


HOURS = """
SELECT hour, state, files, tweets, loaded, waiting, waiting_files, troubled_files, lag_seconds, longest_lag_seconds
FROM disaster.tweet_hour
WHERE hour >= CAST(:strip_start AS TIMESTAMP) AND hour < CAST(:strip_stop AS TIMESTAMP)
ORDER BY hour
"""

OF_FINDINGS = {"actions": ACTIONS, "worst": WORST}
"""Of a run that found a file in trouble."""

OF_KEPT = {"kept": findings.KEPT, "kept_worst": findings.WORST}
"""Of a run that found something for a person, or where such a finding is open."""

ORDINARY = """
DELETE FROM disaster.reconciliation_finding
WHERE reconciliation_id = :id AND state = 'new' AND action = 'repaired'
"""
"""A new file that was loaded is no finding: it was one while the run was to load it."""

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
    """The rows of the report: the answers to the questions, by their names. `kept`: what is open, of all hours."""

    actions: Sequence[Mapping[str, Any]]
    worst: Sequence[Mapping[str, Any]]
    twice: Mapping[str, int]
    kinds: Sequence[Mapping[str, Any]]
    hours: Sequence[Mapping[str, Any]]
    kept: Kept = Kept((), ())


def questions(job: Job, listed: Listing) -> Questions:
    """Return the questions of what the report shows of the hours looked at, whatever was found there."""
    windows = hours.windows(listed.hours, listed.newest) or [Window(job.now, job.now, job.now)]
    stop = strip_stop(job, listed.hours)
    return Questions(
        {"twice": TWICE, "kinds": kinds(len(windows)), "hours": HOURS},
        {
            **compare.bounds(windows),
            "strip_start": times.sql(stop - STRIP),
            "strip_stop": times.sql(stop),
        },
    )


def settle(
    job: Job,
    folder: str,
    listed: Listing,
    compared: Compared,
    open_findings: int,
    verdicts: Sequence[Verdict],
    unanswered: Sequence[File],
    patience: float,
) -> Outcome:
    """Write down what the repairs came to, bring the findings up to date, and read what the report says.

    `listed`: what was looked at. `open_findings`: how many there were before. A quiet run, where nothing was found and
    nothing is open, does without the statements about findings; and asks nothing where the comparison has asked all.
    """
    bucket, role = settings().bucket, settings().copy_role_arn
    in_trouble = [file for file in unanswered if file.lost or file.trouble]
    found = bool(set(compared.totals) - {"loaded", "waiting"} or compared.orphans or in_trouble)
    kept = bool(open_findings or {"orphaned", "unreadable"} & set(compared.totals) or compared.orphans)
    kept = kept or bool(verdicts or in_trouble)
    if compared.answers and not found and not kept:
        return Outcome((), (), compared.answers["twice"][0], compared.answers["kinds"], compared.answers["hours"])

    def load(name: str, rows: Iterable[dict[str, Any]], table: str, columns: Sequence[str]) -> str:
        url = listing.lines(bucket, f"{folder}{name}.ndjson.gz", rows)
        return copy.statement(url, role, table, columns, manifest=False)

    shown = questions(job, listed)
    asked = [transaction.LOCK, HOUR_TABLE]
    if listed.hours:
        hours_url = write_hours(bucket, folder, listed.hours)
        asked.append(copy.statement(hours_url, role, "listed_hour", ("hour", "hour_key"), manifest=False))
    if verdicts:
        asked.append(VERDICT_TABLE)
        asked.append(load("verdicts", map(_verdict, verdicts), "verdict", ("s3_key", "state", "detail")))
        asked += [FILES_JUDGED, FINDINGS_JUDGED]
    if in_trouble:
        rows = (_finding(job, each) for each in in_trouble)
        asked += [FORMER_UNANSWERED, load("unanswered", rows, "disaster.reconciliation_finding", FINDING)]
    if kept:
        answered = [{"s3_key": file.key} for file in unanswered if not file.lost and not file.trouble]
        loaded = load("answered", answered, "answered_file", ("s3_key",)) if answered and open_findings else ""
        asked += findings.statements(loaded)
    told = {**shown.asked, **(OF_FINDINGS if found else {}), **(OF_KEPT if kept else {})}
    asked += [*([HOURS_MENDED] if found else []), *told.values()]
    given = {
        "id": job.id,
        **shown.given,
        "now": times.sql(job.now),
        "in_an_hour": times.sql(job.now + HOUR),
        "swept": str(job.sweep).lower(),
    }
    given = {name: value for name, value in given.items() if any(f":{name}" in sql for sql in asked)}
    done = transaction.run(asked, given, answers=len(told), patience=patience)
    answers = dict(zip(told, done, strict=True))
    return Outcome(
        answers.get("actions", ()),
        answers.get("worst", ()),
        answers["twice"][0],
        answers["kinds"],
        answers["hours"],
        Kept(answers.get("kept", ()), answers.get("kept_worst", ())),
    )


def strip_stop(job: Job, listed: Sequence[datetime]) -> datetime:
    """Return where the report's strip of hours ends: with the present, or with the hours that were asked for."""
    present = floor(job.now) + HOUR
    return min(listed[-1] + HOUR, present) if job.asked_for and listed else present


def close(job: Job, report: Mapping[str, Any], finished: datetime) -> None:
    """Write the run's numbers to its row, and to the findings that a message about them was published, if it was."""
    tweets = report["tweets"]
    numbers = {name: str(tweets[name]) for name in ("loaded", "waiting", "late", "repaired", "lost")}
    given = {
        "id": job.id,
        "finished": times.sql(finished),
        "complete": str(report["complete"]).lower(),
        "files": str(report["files"]["listed"]),
        "tweets": str(tweets["expected"]),
        **numbers,
    }
    asked = [CLOSED, *([ORDINARY] if report["new"]["loaded"] else [])]
    if report["alerted"]:
        transaction.run([*asked, findings.TOLD], {**given, "now": times.sql(job.now)}, answers=0)
    else:
        transaction.run(asked, given, answers=0)


def _verdict(verdict: Verdict) -> dict[str, str]:
    return {"s3_key": verdict.key, "state": verdict.state, "detail": verdict.detail}


def _finding(job: Job, file: File) -> dict[str, Any]:
    found = file.tweets - file.lost
    return {
        "reconciliation_id": job.id,
        "found_at": times.sql(job.now),
        "s3_key": file.key,
        "hour": _hour(file.key),
        "state": "unanswered",
        "expected_rows": file.tweets,
        "found_rows": found,
        "found_lines": found,
        "action": "none",
        "detail": file.trouble or None,
    }


def _hour(key: str) -> str | None:
    """Return the hour in which Firehose gave the records up, off its key: `…/YYYY/MM/DD/HH/…`."""
    found = re.search(r"/(\d{4})/(\d{2})/(\d{2})/(\d{2})/", key)
    return "{}-{}-{} {}:00:00".format(*found.groups()) if found else None
