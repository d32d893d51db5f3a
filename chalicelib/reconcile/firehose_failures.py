"""Find failed records: the transform never answered for them, and Firehose wrote them to its error prefix.

Their tweets may be in the warehouse all the same: the transform wrote their tweet file and died before it answered, or
they were sent again. Only what is in no row counts as lost, until somebody replays the file.
Firehose's format: docs.aws.amazon.com/firehose/latest/dev/data-transformation.html#data-transformation-failure-handling
"""

from __future__ import annotations

import time
import zlib
from base64 import b64decode
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import bodies, clients, layout, times
from chalicelib.reconcile import hours, listing, transaction
from chalicelib.reconcile.hours import Range
from chalicelib.reconcile.job import Run
from chalicelib.transform.rows import tweet_key
from chalicelib.transform.unpack import unpack
from chalicelib.warehouse import copy
from chalicelib.warehouse.statements import sections

REFUSED = "Lambda.ProcessingFailedStatus"  # the transform's own answer: those are in its rejected files
SQL = sections("reconcile/firehose_failures")
SHOWN = 100  # manifests
MOST_BYTES = 256 << 20
"""Of one file, unpacked: Firehose gathers up to 128 MB.
docs.aws.amazon.com/firehose/latest/dev/create-configure-backup.html"""
MOST_LINE = 16 << 20
"""Bytes of a record with what Firehose says of it: its data in base64 came in a request of 6 MB."""
MOST_FILES = 1000  # read at a run, the newest first; each has up to some MB
ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class FailedFile:
    """One file of records without an answer: what was in it, and how many of its tweets are in no row."""

    key: str
    records: int = 0
    tweets: int = 0
    refused: int = 0  # what no transform would take
    lost: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    trouble: str = ""


class GivenUp(NamedTuple):
    """Manifests whose COPY Firehose gave up on; what they were to load is in the tweet files. The newest are named."""

    manifests: int
    newest: Sequence[str]


def given_up(bucket: str, spans: Sequence[Range]) -> GivenUp:
    """Return the manifests that Firehose gave up in some ranges."""
    keys = Keys(bucket, layout.GIVEN_UP, spans, SHOWN)
    return GivenUp(keys.count, keys.newest)


def failed(bucket: str, span: Range) -> int:
    """Count the files of failed records that Firehose wrote in the hours of a range."""
    return sum(1 for _ in of_firehose(bucket, layout.FAILED, span))


class Keys:
    """The keys that Firehose wrote to a folder in the hours of some ranges: how many, and the newest, latest first."""

    def __init__(self, bucket: str, folder: str, spans: Sequence[Range], most: int) -> None:
        self.count, keys = 0, deque[str](maxlen=most)
        for span in reversed(spans):
            for each in of_firehose(bucket, folder, span):
                self.count += 1
                keys.append(each.key)
        self.newest = list(reversed(keys))


def of_firehose(bucket: str, folder: str, span: Range) -> Iterator[listing.Object]:
    """Yield the objects that Firehose wrote to a folder in the hours of a range."""
    return listing.between(bucket, folder, layout.firehose_folder(span.start), layout.firehose_folder(span.stop))


def find(run: Run, spans: Sequence[Range]) -> list[FailedFile]:
    """Find the files with records that the transform never answered for, the newest first, until repairs stop."""
    bucket, deadline = run.bucket, run.deadlines.repairs
    files: list[FailedFile] = []
    lines = listing.LineWriter(bucket, f"{run.folder}unanswered-")
    for key in Keys(bucket, layout.FAILED, spans, MOST_FILES).newest:
        if time.monotonic() > deadline:
            break
        file = FailedFile(key)
        for known_by in read(bucket, file):
            lines.add({"s3_key": key, "tweet_key": known_by})
        if file.records or file.trouble:
            files.append(file)
    lines.end()
    if lines.parts:
        manifest = listing.manifest(bucket, f"{run.folder}unanswered.manifest", lines.parts)
        url = f"s3://{bucket}/{manifest}"
        lost = missing(run, url, min(span.start for span in spans) - hours.RECENT)
        if any(lost.values()):  # rarely: only then the whole table is asked, for tweets that were sent long before, too
            lost = missing(run, url, ALWAYS)
        for file in files:
            file.lost = lost.get(file.key, 0)
    return files


def read(bucket: str, file: FailedFile) -> Iterator[str]:
    """Yield the `tweet_key` of every tweet in a file of Firehose's; count in `file` what it holds."""
    try:
        for line in bodies.lines(clients.s3().get_object(Bucket=bucket, Key=file.key)["Body"], MOST_BYTES, MOST_LINE):
            yield from tweet_keys(orjson.loads(line), file)
    except (ClientError, BotoCoreError, OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        file.trouble = f"it can't be read: {type(error).__name__}: {error}"


def tweet_keys(record: dict[str, Any], file: FailedFile) -> Iterator[str]:
    """Return the keys that the transform would have given the tweets of one record."""
    if record["errorCode"] == REFUSED:
        return
    tweets, refusals = unpack(b64decode(record["rawData"]))
    file.records += 1
    file.tweets += len(tweets)
    file.refused += len(refusals)
    file.codes[str(record["errorCode"])] += 1
    for tweet in tweets:
        yield tweet_key(tweet.raw)


def missing(run: Run, manifest_url: str, since: datetime) -> dict[str, int]:
    """Return, by file, how many of the tweets that a manifest's lines name are in no row that arrived `since`."""
    asked = [
        SQL["unanswered_tweet"],
        copy.statement(manifest_url, run.role, "unanswered_tweet", ("s3_key", "tweet_key")),
        SQL["missing"],
    ]
    ((*rows,),) = transaction.run(asked, {"since": times.sql(since)}, answers=1, patience=run.until_repairs_stop)
    return {row["s3_key"]: int(row["lost"]) for row in rows}
