"""Tweet files made by hand in the local AWS, rows damaged by hand, and reconciliations run in this process."""

from __future__ import annotations

import gzip
import json
import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import fastjsonschema

from chalicelib import clients, layout
from chalicelib.classifier import Prediction
from chalicelib.columns import NAMES
from chalicelib.reconcile import listing, repeats, run
from chalicelib.reconcile.compare import Known
from chalicelib.reconcile.job import Job
from chalicelib.settings import settings
from chalicelib.transform import rows
from chalicelib.transform.unpack import unpack
from chalicelib.warehouse import copy, data_api
from infra.stages import ROOT

TABLE = "disaster.disaster_tweets"
_HOURS = count()
check = fastjsonschema.compile(json.loads((ROOT / "docs" / "reconciliation-report.schema.json").read_text()))
"""Raises where a report isn't what its schema says. Every report of every test has to pass."""


class Context:
    """A Lambda's context with so many seconds left."""

    def __init__(self, seconds: float = 120) -> None:
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return int((self._end - time.monotonic()) * 1000)


def an_hour() -> datetime:
    """An hour long ago that no other test uses; what other tests left for a person is forgotten."""
    execute("DELETE FROM disaster.finding")
    return datetime(2025, 3, 1, tzinfo=UTC) + timedelta(hours=next(_HOURS))


def lines(key: str, tweets: int, hour: datetime) -> list[bytes]:
    """A tweet file's lines, as the transform writes them."""
    found = []
    for number in range(1, tweets + 1):
        source = json.dumps({"tweet_id": f"{number}", "text": f"flood in {key} {number}"}).encode()
        (tweet,), _ = unpack(source)
        fact = rows.facts(tweet, int(hour.timestamp() * 1000) + number, tweet.text, [])
        classification = rows.classification(Prediction("flood", 0.9, 0.8, (), "bundled-1"), 0.001)
        found.append(fact + classification + rows.link(key) % number)
    return found


def put(hour: datetime, tweets: int = 5, *, body: bytes | None = None) -> str:
    """Writes a tweet file (with another content if one is given): its key."""
    key = f"tweets/{layout.hour_folder(hour)}{secrets.token_hex(16)}-{tweets}.ndjson.gz"
    whole = gzip.compress(b"".join(lines(key, tweets, hour)))
    clients.s3().put_object(Bucket=settings().bucket, Key=key, Body=whole if body is None else body)
    return key


def put_object(key: str, body: bytes) -> None:
    clients.s3().put_object(Bucket=settings().bucket, Key=key, Body=body)


def load(*keys: str) -> None:
    """Loads tweet files as Firehose would: a COPY, and nothing written down."""
    bucket = settings().bucket
    manifest = listing.manifest(bucket, f"reports/work/tests/{secrets.token_hex(8)}.manifest", keys)
    data_api.run([copy.statement(f"s3://{bucket}/{manifest}", settings().copy_role_arn, TABLE, NAMES)])


def loaded(hour: datetime, tweets: int = 5) -> str:
    """A tweet file that is in the warehouse whole: its key."""
    key = put(hour, tweets)
    report = reconcile(hour, repair=True)
    assert rows_of(key) == list(range(1, tweets + 1)), report
    return key


def rows_of(key: str) -> list[int]:
    """The lines of a file that have rows, in order, each as often as it has."""
    found = data_api.query(
        "SELECT s3_line FROM disaster.disaster_tweets WHERE s3_key = :key ORDER BY s3_line", {"key": key}
    )
    return [row["s3_line"] for row in found]


def execute(sql: str, **parameters: str) -> None:
    """Changes the warehouse by hand."""
    data_api.run([sql], parameters)


def delete(key: str, line: int | None = None) -> None:
    """Deletes a file's rows by hand, or one of them."""
    if line is None:
        execute("DELETE FROM disaster.disaster_tweets WHERE s3_key = :key", key=key)
    else:
        where = "s3_key = :key AND s3_line = CAST(:line AS INTEGER)"
        execute(f"DELETE FROM disaster.disaster_tweets WHERE {where}", key=key, line=str(line))


def double(key: str, line: int) -> None:
    """Inserts a row of a file once more."""
    where = "s3_key = :key AND s3_line = CAST(:line AS INTEGER)"
    again = f"SELECT * FROM disaster.disaster_tweets WHERE {where}"
    execute(f"INSERT INTO disaster.disaster_tweets {again}", key=key, line=str(line))


def reconcile(
    *hours_looked_at: datetime, repair: bool = False, grace: int = 0, seconds: float = 120, job_id: str = ""
) -> dict[str, Any]:
    """The report of a run, on the hours from the first to the last one named if any are."""
    arguments: dict[str, Any] = {"repair": repair, "grace_seconds": grace}
    if hours_looked_at:
        first, last = min(hours_looked_at), max(hours_looked_at)
        arguments |= {"from": first.isoformat(), "to": (last + timedelta(hours=1)).isoformat()}
    report = run.run(arguments, Context(seconds), job_id or an_id())
    check(json.loads(json.dumps(report)))
    return report


def find_repeats() -> None:
    """What a run with a sweep does about tweets that came more than once."""
    job = Job(an_id(), datetime.now(UTC), timedelta(0), repair=False, asked_for=False, sweep=True)
    repeats.find(job, Known([], [], {}, None), None, 60)


def an_id() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def states(report: dict[str, Any]) -> dict[str, str]:
    """The findings of a report: key → state."""
    return {finding["s3_key"]: finding["state"] for finding in report["findings"]}


def actions(report: dict[str, Any]) -> dict[str, str]:
    return {finding["s3_key"]: finding["action"] for finding in report["findings"]}


def body_of(parts: Sequence[bytes]) -> bytes:
    return gzip.compress(b"".join(parts))


def forget_all() -> None:
    """Remove what other tests have left: files that can't be read, rows without one, records without an answer."""
    bucket = settings().bucket
    pages = clients.s3().get_paginator("list_objects_v2")
    for prefix in ("tweets/", "delivery/processing-failed/"):
        for page in list(pages.paginate(Bucket=bucket, Prefix=prefix)):
            for each in page.get("Contents", ()):
                clients.s3().delete_object(Bucket=bucket, Key=each["Key"])
    for table in ("disaster_tweets", "tweet_file", "tweet_hour", "finding"):
        execute(f"DELETE FROM disaster.{table}")
