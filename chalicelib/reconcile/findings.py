"""Keep what needs a person in the warehouse, from the run that finds it until it is mended or somebody resolves it.

A finding has one of four kinds:
    orphaned    rows whose file is gone
    unreadable  a tweet file that can't be loaded as it is
    refused     a tweet file that nothing is wrong with, and that the warehouse refuses
    unanswered  records that the transform never answered for, some of whose tweets are in no row

It is outstanding until a run finds it so no longer (closed: `mended`, `replaced` by rows of another file, or `changed`
into another finding), or until somebody resolves it (resolved: still so, and accepted). A resolved finding whose file
has changed since, or that has more tweets in no row than when it was resolved, is closed as `changed` and opened anew.
Runs report and alarm on what is outstanding, whichever hours they looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from chalicelib.warehouse import data_api

SHOWN = 100  # outstanding ones in a report
LISTED = 500  # of each status in GET /findings

TO_DO = {
    "orphaned": "Restore the file: the bucket keeps earlier versions. Or replay its hour: once each of its tweets is a "
    "row of another file, the next look at its hour resolves this.",
    "unreadable": "Restore an earlier version of the file: the next look at its hour loads it. Or replay its hour, see "
    "that its tweets are there, and resolve this.",
    "refused": "Put the cause right that the detail names: each run tries the file again. If it can't be put right, "
    "replay its hour and resolve this.",
    "unanswered": "Send its records again: once each of their tweets is a row, the next look at its hour closes this.",
}
"""What to do about each kind; docs/operations.md has the commands."""

# ---- what a run does, within the transaction that ends it

TROUBLE_TABLE = """
CREATE TEMP TABLE trouble (
    s3_key VARCHAR(1024), kind VARCHAR(16), hour TIMESTAMP, expected_rows BIGINT, found_rows BIGINT, found_lines BIGINT,
    tweets BIGINT, written_at TIMESTAMP, detail VARCHAR(1024)
) DISTKEY (s3_key)
"""

_KIND = "CASE WHEN found.state IN ('orphaned', 'unreadable', 'unanswered') THEN found.state ELSE 'refused' END"
_NEEDS_A_PERSON = "(found.action = 'failed' OR found.state IN ('orphaned', 'unreadable', 'unanswered'))"

TROUBLE = f"""
INSERT INTO trouble
SELECT
    found.s3_key, {_KIND}, found.hour, found.expected_rows, found.found_rows, found.found_lines,
    found.expected_rows - LEAST(COALESCE(found.lines_after, found.found_lines), found.expected_rows),
    tweet_file.written_at, found.detail
FROM disaster.reconciliation_finding AS found
LEFT JOIN disaster.tweet_file ON tweet_file.s3_key = found.s3_key
WHERE found.reconciliation_id = :id AND {_NEEDS_A_PERSON}
"""  # noqa: S608 - text of our own

MENDED = """
UPDATE disaster.finding
SET closed_at = CAST(:now AS TIMESTAMP), closed_as = 'mended'
FROM disaster.tweet_file
WHERE finding.s3_key = tweet_file.s3_key AND tweet_file.state = 'loaded'
    AND finding.kind IN ('unreadable', 'refused') AND finding.closed_at IS NULL
"""

NO_ORPHANS = """
UPDATE disaster.finding
SET closed_at = CAST(:now AS TIMESTAMP), closed_as = 'mended'
WHERE kind = 'orphaned' AND closed_at IS NULL
    AND s3_key NOT IN (SELECT s3_key FROM trouble WHERE kind = 'orphaned')
    AND (hour IN (SELECT hour FROM listed_hour) OR (hour IS NULL AND :swept = 'true'))
"""

ANSWERED_TABLE = "CREATE TEMP TABLE answered_file (s3_key VARCHAR(1024)) DISTSTYLE ALL"

ANSWERED = """
UPDATE disaster.finding
SET tweets = 0, closed_at = CAST(:now AS TIMESTAMP), closed_as = 'replaced'
FROM answered_file
WHERE finding.s3_key = answered_file.s3_key AND finding.kind = 'unanswered' AND finding.closed_at IS NULL
"""

OF_ANOTHER_KIND = """
UPDATE disaster.finding
SET closed_at = CAST(:now AS TIMESTAMP), closed_as = 'changed'
FROM trouble
WHERE finding.s3_key = trouble.s3_key AND finding.kind <> trouble.kind AND finding.closed_at IS NULL
    AND finding.kind IN ('unreadable', 'refused') AND trouble.kind IN ('unreadable', 'refused')
"""

CHANGED = """
UPDATE disaster.finding
SET closed_at = CAST(:now AS TIMESTAMP), closed_as = 'changed'
FROM trouble
WHERE finding.s3_key = trouble.s3_key AND finding.kind = trouble.kind AND finding.closed_at IS NULL
    AND finding.finding_id IN (SELECT finding_id FROM disaster.finding_resolution)
    AND (
        COALESCE(trouble.written_at, finding.opened_at) <> COALESCE(finding.written_at, finding.opened_at)
        OR trouble.expected_rows <> finding.expected_rows
        OR trouble.tweets > finding.tweets
        OR (trouble.kind = 'orphaned' AND trouble.found_rows <> finding.found_rows)
        OR (trouble.kind = 'orphaned' AND trouble.found_lines <> finding.found_lines)
    )
"""

SEEN = """
UPDATE disaster.finding
SET
    hour = trouble.hour,
    expected_rows = trouble.expected_rows,
    found_rows = trouble.found_rows,
    found_lines = trouble.found_lines,
    tweets = trouble.tweets,
    written_at = trouble.written_at,
    detail = COALESCE(trouble.detail, finding.detail),
    seen_at = CAST(:now AS TIMESTAMP)
FROM trouble
WHERE finding.s3_key = trouble.s3_key AND finding.kind = trouble.kind AND finding.closed_at IS NULL
    AND finding.finding_id NOT IN (SELECT finding_id FROM disaster.finding_resolution)
"""

OPENED = """
INSERT INTO disaster.finding
    (finding_id, s3_key, kind, hour, expected_rows, found_rows, found_lines, tweets, written_at, detail, opened_at,
    opened_by, seen_at)
SELECT
    SUBSTRING(MD5(trouble.s3_key || ' ' || trouble.kind || ' ' || CAST(:id AS VARCHAR(32))), 1, 16),
    trouble.s3_key, trouble.kind, trouble.hour, trouble.expected_rows, trouble.found_rows, trouble.found_lines,
    trouble.tweets, trouble.written_at, trouble.detail, CAST(:now AS TIMESTAMP), CAST(:id AS VARCHAR(32)),
    CAST(:now AS TIMESTAMP)
FROM trouble
LEFT JOIN disaster.finding
    ON finding.s3_key = trouble.s3_key AND finding.kind = trouble.kind AND finding.closed_at IS NULL
WHERE finding.finding_id IS NULL
"""

# An orphan is replaced when each of its tweets is a row of a file that is no orphan.
REPLACED = """
INSERT INTO disaster.finding_resolution (finding_id, resolved_at, resolved_by, reason)
SELECT
    finding.finding_id, CAST(:now AS TIMESTAMP), 'reconciler', 'Each of its tweets is a row of another file'
FROM disaster.finding
INNER JOIN trouble ON trouble.s3_key = finding.s3_key AND trouble.kind = finding.kind
LEFT JOIN (
    SELECT DISTINCT own.s3_key AS s3_key
    FROM disaster.disaster_tweets AS own
    LEFT JOIN (
        SELECT DISTINCT tweet_key
        FROM disaster.disaster_tweets
        WHERE s3_key NOT IN (SELECT s3_key FROM disaster.finding WHERE kind = 'orphaned' AND closed_at IS NULL)
            AND tweet_key IN (
                SELECT tweet_key
                FROM disaster.disaster_tweets
                WHERE s3_key IN (SELECT s3_key FROM trouble WHERE kind = 'orphaned')
            )
    ) AS kept ON kept.tweet_key = own.tweet_key
    WHERE own.s3_key IN (SELECT s3_key FROM trouble WHERE kind = 'orphaned') AND kept.tweet_key IS NULL
) AS alone ON alone.s3_key = finding.s3_key
WHERE finding.kind = 'orphaned' AND finding.closed_at IS NULL AND alone.s3_key IS NULL
    AND finding.finding_id NOT IN (SELECT finding_id FROM disaster.finding_resolution)
"""

ACCEPTED = f"""
UPDATE disaster.reconciliation_finding
SET action = 'resolved'
FROM (SELECT s3_key, kind FROM disaster.finding_status WHERE status = 'resolved') AS accepted
WHERE reconciliation_finding.reconciliation_id = :id AND reconciliation_finding.s3_key = accepted.s3_key
    AND accepted.kind = {_KIND.replace("found.", "reconciliation_finding.")}
    AND {_NEEDS_A_PERSON.replace("found.", "reconciliation_finding.")}
"""  # noqa: S608 - text of our own

KEPT = """
SELECT
    status,
    kind,
    COUNT(*) AS findings,
    SUM(tweets) AS tweets,
    SUM(CASE WHEN told_at IS NULL THEN 1 ELSE 0 END) AS untold
FROM disaster.finding_status
WHERE closed_at IS NULL
GROUP BY status, kind
ORDER BY status, kind
"""

WORST = f"""
SELECT finding_id, s3_key, kind, hour, expected_rows, found_rows, tweets, detail, opened_at, told_at
FROM disaster.finding_status
WHERE status = 'outstanding'
ORDER BY CASE WHEN told_at IS NULL THEN 0 ELSE 1 END, tweets DESC, finding_id
LIMIT {SHOWN}
"""  # noqa: S608 - a number of our own

TOLD = """
UPDATE disaster.finding
SET told_at = CAST(:finished AS TIMESTAMP)
WHERE closed_at IS NULL AND told_at IS NULL AND opened_at <= CAST(:now AS TIMESTAMP)
"""


class Kept(NamedTuple):
    """What is open when a run ends: the answers to KEPT and WORST."""

    counts: Sequence[Mapping[str, Any]]
    worst: Sequence[Mapping[str, Any]]

    def total(self, status: str, what: str = "findings", kind: str = "") -> int:
        """Return the sum of `findings`, `tweets` or `untold` of a status, of one kind if it is named."""
        return sum(int(row[what]) for row in self.counts if row["status"] == status and kind in {"", row["kind"]})


def statements(answered_copy: str) -> list[str]:
    """Return what brings `disaster.finding` up to date, without its questions.

    `answered_copy`: the COPY of the files of records of which nothing is lost any more; empty where there are none.
    """
    answered = [ANSWERED_TABLE, answered_copy, ANSWERED] if answered_copy else []
    return [
        *[TROUBLE_TABLE, TROUBLE, MENDED, NO_ORPHANS, *answered],
        *[OF_ANOTHER_KIND, CHANGED, SEEN, OPENED, REPLACED, ACCEPTED],
    ]


# ---- what people ask and do

COLUMNS = """finding_id, status, s3_key, kind, hour, expected_rows, found_rows, found_lines, tweets, detail, opened_at,
    opened_by, seen_at, told_at, closed_at, closed_as, resolved_at, resolved_by, reason"""

OUTSTANDING = f"""
SELECT {COLUMNS}
FROM disaster.finding_status
WHERE status = 'outstanding'
ORDER BY opened_at DESC, finding_id
LIMIT {LISTED}
"""  # noqa: S608 - text of our own

SETTLED = f"""
SELECT {COLUMNS}
FROM disaster.finding_status
WHERE status <> 'outstanding'
ORDER BY COALESCE(closed_at, resolved_at) DESC, finding_id
LIMIT {LISTED}
"""  # noqa: S608 - text of our own

RESOLVE = """
INSERT INTO disaster.finding_resolution (finding_id, resolved_at, resolved_by, reason, request_id)
SELECT
    finding_id, GETDATE(), CAST(:caller AS VARCHAR(2048)), CAST(:reason AS VARCHAR(4096)),
    CAST(:request AS VARCHAR(64))
FROM disaster.finding_status
WHERE finding_id = :finding AND status = 'outstanding'
"""

ONE = f"SELECT {COLUMNS} FROM disaster.finding_status WHERE finding_id = :finding"  # noqa: S608 - text of our own


def read(patience: float) -> tuple[list[data_api.Row], list[data_api.Row]]:
    """Return the outstanding findings, the newest first, and the settled ones, the latest first; up to LISTED each.

    Raises WarehouseError; StillRunningError after `patience` seconds.
    """
    done = data_api.run([OUTSTANDING, SETTLED], patience=patience)
    return data_api.rows_of(f"{done}:1"), data_api.rows_of(f"{done}:2")


def resolve(finding_id: str, caller: str, reason: str, request_id: str, patience: float) -> data_api.Row | None:
    """Write down who resolved a finding and why, if it is outstanding; return it as it is then, None if there is none.

    Resolving it again changes nothing. Raises as `read`.
    """
    given = {"finding": finding_id, "caller": caller, "reason": reason, "request": request_id or "none"}
    done = data_api.run([RESOLVE, ONE], given, patience=patience)
    found = data_api.rows_of(f"{done}:2")
    return found[0] if found else None
