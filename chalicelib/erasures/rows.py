"""The warehouse's part: the list of what was erased, the rows that hold it, and what is left of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from chalicelib import times
from chalicelib.erasures.records import LOST
from chalicelib.reconcile import listing, transaction
from chalicelib.settings import settings
from chalicelib.warehouse import copy, data_api

TABLES = ("disaster.disaster_tweets", "disaster.repeated_tweet")
"""All tables with tweets' rows, the copies that a view hides included."""
MOST_ROWS = 10_000  # found at a time

NEW_TABLE = "CREATE TEMP TABLE new_erasure (tweet_id VARCHAR(1024), user_id VARCHAR(1024)) DISTSTYLE ALL"
DIGEST_TABLE = "CREATE TEMP TABLE new_digest (digest CHAR(64), listed_at TIMESTAMP) DISTSTYLE ALL"
LISTED_AGAIN = "DELETE FROM disaster.erased_id USING new_digest WHERE erased_id.digest = new_digest.digest"
LISTED = """
INSERT INTO disaster.erased_id (digest, listed_at)
SELECT digest, MAX(listed_at) FROM new_digest GROUP BY digest
"""
COUNT = "SELECT COUNT(*) AS ids FROM disaster.erased_id"
FORGET = "DELETE FROM disaster.erased_id WHERE listed_at < CAST(:before AS TIMESTAMP)"

SEEN_TABLE = "CREATE TEMP TABLE seen_id (object INTEGER, digest CHAR(64)) DISTKEY (digest)"
SEEN = """
SELECT DISTINCT seen_id.object AS object, seen_id.digest AS digest
FROM seen_id
INNER JOIN disaster.erased_id ON erased_id.digest = seen_id.digest
"""

LINE_TABLE = "CREATE TEMP TABLE erased_line (s3_key VARCHAR(256), s3_line INTEGER) DISTSTYLE ALL"


class Row(NamedTuple):
    """A row that has to be erased. `digest`: of what it was found by, empty where that is in the requests at hand."""

    s3_key: str
    s3_line: int
    arrived_at: datetime
    digest: str


def remember(urls: str) -> None:
    """Add digests to the list; `urls` is the manifest of objects with a `digest` and a `listed_at` a line."""
    load = copy.statement(urls, settings().copy_role_arn, "new_digest", ("digest", "listed_at"))
    transaction.run([DIGEST_TABLE, load, LISTED_AGAIN, LISTED], answers=0)


def listed() -> int:
    """Count the digests on the list."""
    (row,) = data_api.query(COUNT)
    return int(row["ids"])


def forget(before: datetime) -> None:
    """Take what was listed before a time off the list."""
    transaction.run([FORGET], {"before": times.sql(before)}, answers=0)


def seen(urls: str, patience: float) -> dict[int, set[str]]:
    """Return, of the digests in some objects, those on the list, by the object's number; `urls`: a manifest of such
    lines.
    """
    load = copy.statement(urls, settings().copy_role_arn, "seen_id", ("object", "digest"))
    (rows,) = transaction.run([SEEN_TABLE, load, SEEN], answers=1, patience=patience)
    found: dict[int, set[str]] = {}
    for row in rows:
        found.setdefault(row["object"], set()).add(row["digest"])
    return found


def find(requests: str, earliest: datetime | None, since: datetime, patience: float) -> list[Row]:
    """Up to MOST_ROWS rows that have to be erased, by their arrival: those that the requests at hand name, and those
    loaded since a time that are on the list.

    `requests`: the manifest of their objects, empty without any. `earliest`: no tweet of theirs arrived before.
    """
    asked = []
    given = {"since": times.sql(since)}
    if requests:
        names = ("tweet_id", "user_id")
        asked = [NEW_TABLE, copy.statement(requests, settings().copy_role_arn, "new_erasure", names)]
        given["earliest"] = times.sql(earliest) if earliest else "1970-01-01 00:00:00"
    (rows,) = transaction.run([*asked, found(bool(requests))], given, answers=1, patience=patience)
    return [Row(row["s3_key"], row["s3_line"], row["arrived_at"], row["digest"] or "") for row in rows]


def found(new: bool) -> str:
    """Return the SELECT of `find`, with the requests at hand or without."""
    parts = [
        f"""
        SELECT t.s3_key, t.s3_line, t.arrived_at, listed.digest
        FROM {table} AS t
        INNER JOIN disaster.erased_id AS listed ON listed.digest = SHA2('{kind}:' || t.{kind}_id, 256)
        WHERE t.erased_at IS NULL AND t.loaded_at >= CAST(:since AS TIMESTAMP)
        """  # noqa: S608 - names of our own
        for table in TABLES
        for kind in ("tweet", "user")
    ]
    if new:
        parts += [
            f"""
            SELECT t.s3_key, t.s3_line, t.arrived_at, CAST('' AS CHAR(64)) AS digest
            FROM {table} AS t
            WHERE t.erased_at IS NULL AND t.arrived_at >= CAST(:earliest AS TIMESTAMP)
                AND t.{kind}_id IN (SELECT {kind}_id FROM new_erasure WHERE {kind}_id IS NOT NULL)
            """  # noqa: S608
            for table in TABLES
            for kind in ("tweet", "user")
        ]
    every = " UNION ALL ".join(parts)
    return f"""
        SELECT s3_key, s3_line, arrived_at, digest FROM ({every}) AS found
        ORDER BY arrived_at, s3_key, s3_line
        LIMIT {MOST_ROWS}
    """  # noqa: S608


def erase(lines: Iterable[tuple[str, int]], work: str, now: datetime, patience: float) -> None:
    """Take from rows what has to go. `work`: the key to hand their names to COPY under.

    The lock comes first: what a repair or Firehose's COPY has read from files as they were is committed by then, and
    what begins later reads files that are erased already.
    """
    rows: Iterable[dict[str, Any]] = ({"s3_key": key, "s3_line": line} for key, line in lines)
    url = listing.lines(settings().bucket, work, rows)
    load = copy.statement(url, settings().copy_role_arn, "erased_line", ("s3_key", "s3_line"), manifest=False)
    lock = transaction.SQL["lock"] if settings().delivery == "reconcile" else transaction.SQL["lock_tweets"]
    asked = [lock, LINE_TABLE, load, *map(erased, TABLES), NOTES]
    transaction.run(asked, {"now": times.sql(now)}, answers=0, patience=patience)


NOTES = """
UPDATE disaster.label_review
SET note = NULL
WHERE note IS NOT NULL AND tweet_key IN (
    SELECT t.tweet_key
    FROM disaster.disaster_tweets AS t
    INNER JOIN erased_line AS l ON t.s3_key = l.s3_key AND t.s3_line = l.s3_line
)
"""
"""What people have noted of a post may quote it. Their labels stay, as the row's do."""


def erased(table: str) -> str:
    """Return the UPDATE that makes a table's rows tombstones."""
    name = table.rpartition(".")[2]
    nothing = ", ".join(f"{column} = NULL" for column in LOST)
    return f"""
        UPDATE {table}
        SET {nothing}, erased_at = CAST(:now AS TIMESTAMP)
        FROM erased_line
        WHERE {name}.s3_key = erased_line.s3_key AND {name}.s3_line = erased_line.s3_line AND {name}.erased_at IS NULL
    """  # noqa: S608


def manifest(bucket: str, key: str, keys: Sequence[str]) -> str:
    """Write a manifest of some objects, and return its URL."""
    return f"s3://{bucket}/{listing.manifest(bucket, key, keys)}"
