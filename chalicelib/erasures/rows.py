"""Erase rows in the warehouse, and keep there the list of erased digests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from chalicelib import times
from chalicelib.reconcile import listing, transaction
from chalicelib.settings import settings
from chalicelib.warehouse import copy, data_api
from chalicelib.warehouse.statements import sections

SQL = sections("erasures/rows")
ERASE = ("erase_tweets", "erase_repeated", "erase_notes", "erase_shown")
"""All tables with tweets' rows, the copies that a view hides included, and what people noted of them."""


class RowToErase(NamedTuple):
    """A row that has to be erased. `digest`: of the listed ID that it has, empty if that is in the given requests."""

    s3_key: str
    s3_line: int
    arrived_at: datetime
    digest: str


def remember(urls: str) -> None:
    """Add digests to the list; `urls` is the manifest of objects with a `digest` and a `listed_at` a line."""
    load = copy.statement(urls, settings().copy_role_arn, "new_digest", ("digest", "listed_at"))
    transaction.run([SQL["new_digest"], load, SQL["listed_again"], SQL["listed"]], answers=0)


def listed() -> int:
    """Count the digests on the list."""
    (row,) = data_api.query(SQL["count"])
    return int(row["ids"])


def forget(before: datetime) -> None:
    """Remove digests that were listed before a time."""
    transaction.run([SQL["forget"]], {"before": times.sql(before)}, answers=0)


def seen(urls: str, patience: float) -> dict[int, set[str]]:
    """Return, of the digests in some objects, those on the list, by the object's number; `urls`: a manifest of such
    lines.
    """
    load = copy.statement(urls, settings().copy_role_arn, "seen_id", ("object", "digest"))
    (rows,) = transaction.run([SQL["seen_id"], load, SQL["seen"]], answers=1, patience=patience)
    digests: dict[int, set[str]] = {}
    for row in rows:
        digests.setdefault(row["object"], set()).add(row["digest"])
    return digests


def find(requests: str, earliest: datetime | None, since: datetime, patience: float) -> list[RowToErase]:
    """Return up to 10,000 rows to erase, by arrival: those that the requests at hand name, and those loaded since a
    time that are on the list.

    `requests`: the manifest of their objects, empty without any. `earliest`: no tweet of theirs arrived before.
    """
    asked = [SQL["find"]]
    given = {"since": times.sql(since)}
    if requests:
        names = ("tweet_id", "user_id")
        load = copy.statement(requests, settings().copy_role_arn, "new_erasure", names)
        asked = [SQL["new_erasure"], load, SQL["find_asked_for"]]
        given["earliest"] = times.sql(earliest) if earliest else "1970-01-01 00:00:00"
    (rows,) = transaction.run(asked, given, answers=1, patience=patience)
    return [RowToErase(row["s3_key"], row["s3_line"], row["arrived_at"], row["digest"] or "") for row in rows]


def erase(lines: Iterable[tuple[str, int]], work: str, now: datetime, patience: float) -> None:
    """Erase the content of rows. `work`: the key of the file that names them to COPY.

    The lock comes first: what a repair or Firehose's COPY has read from files as they were is committed by then, and
    what begins later reads files that are erased already.
    """
    rows: Iterable[dict[str, Any]] = ({"s3_key": key, "s3_line": line} for key, line in lines)
    url = listing.write_lines(settings().bucket, work, rows)
    load = copy.statement(url, settings().copy_role_arn, "erased_line", ("s3_key", "s3_line"), manifest=False)
    lock = transaction.lock()
    asked = [lock, SQL["erased_line"], load, *(SQL[name] for name in ERASE)]
    transaction.run(asked, {"now": times.sql(now)}, answers=0, patience=patience)


def manifest(bucket: str, key: str, keys: Sequence[str]) -> str:
    """Write a manifest of some objects, and return its URL."""
    return f"s3://{bucket}/{listing.manifest(bucket, key, keys)}"
