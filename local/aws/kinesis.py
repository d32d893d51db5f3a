"""Keep moto's Kinesis data streams in `<home>/kinesis.sqlite`: stored before a put is answered, restored at start.

Records older than the stream's retention go. Not kept: consumers, policies, mappings to Lambda functions.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from base64 import b64decode
from binascii import Error
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import count, islice, takewhile
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import orjson
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.exceptions import ServiceException
from moto.kinesis import exceptions, urls
from moto.kinesis.models import Record, Shard, Stream, kinesis_backends
from moto.kinesis.responses import KinesisResponse

FILE = "kinesis.sqlite"
SCHEMA = """
CREATE TABLE IF NOT EXISTS stream (region TEXT, name TEXT, description TEXT NOT NULL, PRIMARY KEY (region, name));
CREATE TABLE IF NOT EXISTS record (
    region TEXT, stream TEXT, shard TEXT, sequence INTEGER, partition_key TEXT, hash_key TEXT, data TEXT, created REAL,
    PRIMARY KEY (region, stream, shard, sequence)
);
"""
MOST_RECORDS = 500
MOST_RECORD_BYTES = 1024 * 1024
MOST_BATCH_BYTES = 5 * 1024 * 1024
"""docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html; a record counts with its partition key"""
TRIM_SECONDS = 60.0  # how often old records are looked for
KEPT = (
    "creation_datetime",
    "shard_count",
    "stream_mode",
    "retention_period_hours",
    "tags",
    "encryption_type",
    "key_id",
)
SHARD_KEPT = ("_shard_id", "starting_hash", "ending_hash", "parent", "adjacent_parent", "is_open")

changing = threading.RLock()
"""Held by whoever changes a stream or looks at one whole: moto's are not safe for threads."""


class AwsError(ServiceException):  # type: ignore[misc]
    """An error of the service, with its code and message. Must live outside moto to be serialised as such."""


# ------------------------------------------------------------------ what a reader in this process needs


class Read(NamedTuple):
    """One record of a shard."""

    sequence: int
    data: bytes
    partition_key: str
    arrived: int  # ms since the epoch


def newest(stream_arn: str) -> dict[str, int]:
    """Return the shards of a stream, each with its newest record's sequence number (0: it has none)."""
    stream = _find(stream_arn)
    with changing:
        return {name: last(shard) for name, shard in stream.shards.items()} if stream else {}


def read(stream_arn: str, shard_id: str, after: int, most: int) -> list[Read]:
    """Return a shard's first records after sequence number `after`."""
    stream = _find(stream_arn)
    records = stream.shards[shard_id].records if stream else {}
    with changing:
        start = max(after + 1, next(iter(records), 0))  # what is older than the retention is gone
    found = takewhile(bool, (records.get(number) for number in count(start)))
    return [
        Read(r.sequence_number, b64decode(r.data), r.partition_key, int(r.created_at * 1000))
        for r in islice(found, most)
        if r
    ]


def last(shard: Shard) -> int:
    """Return its newest record's sequence number, 0 if it has none."""
    return next(reversed(shard.records), 0)


def kept(home: Path) -> dict[str, dict[str, int]]:
    """By stream, as `newest`, but from the disk: may be asked beside a running server."""
    found: dict[str, dict[str, int]] = {}
    with closing(sqlite3.connect(f"{(home / FILE).resolve().as_uri()}?mode=ro", uri=True)) as disk:
        query = "SELECT region, stream, shard, MAX(sequence) FROM record GROUP BY region, stream, shard"
        for region, stream, shard, last in disk.execute(query):
            found.setdefault(f"arn:aws:kinesis:{region}:{DEFAULT_ACCOUNT_ID}:stream/{stream}", {})[shard] = last
    return found


def _find(arn: str) -> Stream | None:
    region, account = arn.split(":")[3:5]
    return kinesis_backends[account][region].streams.get(arn.rpartition("/")[2])


# ------------------------------------------------------------------ the service


class Kinesis:
    """The streams on disk."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self._disk = sqlite3.connect(home / FILE, check_same_thread=False, isolation_level=None)
        # What is committed survives the death of this process; only the machine's own death may take the last of it.
        self._disk.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + SCHEMA)
        self._trim_at = 0.0
        self._load()

    def put(self, stream: Stream, entries: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
        """Sequence number and shard of each entry, which by then are on disk."""
        placed: list[tuple[Shard, Record]] = []
        with changing:
            self._trim(stream)
            ahead: dict[str, int] = {}
            for entry in entries:
                shard = shard_for(stream, entry["PartitionKey"], entry.get("ExplicitHashKey"))
                sequence = ahead[shard.shard_id] = ahead.get(shard.shard_id, last(shard)) + 1
                record = Record(entry["PartitionKey"], entry["Data"], sequence, entry.get("ExplicitHashKey"))
                placed.append((shard, record))
            rows = [row(stream, shard, record) for shard, record in placed]
            with self._disk:
                self._disk.execute("BEGIN")
                self._disk.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            for shard, record in placed:
                shard.records[record.sequence_number] = record
        return [(str(record.sequence_number), shard.shard_id) for shard, record in placed]

    def keep(self, region: str, name: str) -> None:
        """Make the copy of a stream's description what moto has, or hasn't."""
        stream = kinesis_backends[DEFAULT_ACCOUNT_ID][region].streams.get(name)
        if stream is None:
            self._disk.execute("DELETE FROM stream WHERE region = ? AND name = ?", (region, name))
            self._disk.execute("DELETE FROM record WHERE region = ? AND stream = ?", (region, name))
        else:
            row = (region, name, json.dumps(described(stream), default=datetime.isoformat))
            self._disk.execute("INSERT OR REPLACE INTO stream VALUES (?, ?, ?)", row)

    def close(self) -> None:
        with changing:
            self._disk.close()

    def _load(self) -> None:
        for region, name, text in self._disk.execute("SELECT * FROM stream"):
            kinesis_backends[DEFAULT_ACCOUNT_ID][region].streams[name] = restored(name, region, json.loads(text))
        query = "SELECT * FROM record ORDER BY region, stream, shard, sequence"
        for region, name, shard, sequence, key, hash_key, data, created in self._disk.execute(query):
            record = Record(key, data, sequence, hash_key)
            record.created_at, record.created_at_datetime = created, datetime.fromtimestamp(created, UTC)
            kinesis_backends[DEFAULT_ACCOUNT_ID][region].streams[name].shards[shard].records[sequence] = record

    def _trim(self, stream: Stream) -> None:
        """Drop what is older than the retention; a shard's newest record stays, for the next one's number."""
        now = time.time()
        if now < self._trim_at:
            return
        self._trim_at = now + TRIM_SECONDS
        oldest = now - stream.retention_period_hours * 3600
        for shard in stream.shards.values():
            old = list(takewhile(lambda record: record.created_at < oldest, shard.records.values()))
            old = [record for record in old if record.sequence_number < last(shard)]
            for record in old:
                del shard.records[record.sequence_number]
            if old:
                self._disk.execute(
                    "DELETE FROM record WHERE region = ? AND stream = ? AND shard = ? AND sequence <= ?",
                    (stream.region, stream.stream_name, shard.shard_id, old[-1].sequence_number),
                )


def shard_for(stream: Stream, partition_key: str, hash_key: str | None) -> Shard:
    """Return the open shard for the key. Raises moto's errors for an invalid key."""
    closed = stream.shards
    stream.shards = {name: shard for name, shard in closed.items() if shard.is_open}
    try:
        found = stream.get_shard_for_key(partition_key, hash_key)
    finally:
        stream.shards = closed
    return found or list(closed.values())[-1]  # moto leaves a range's last hash to nobody


def row(stream: Stream, shard: Shard, record: Record) -> tuple[Any, ...]:
    place = (stream.region, stream.stream_name, shard.shard_id, record.sequence_number)
    return (*place, record.partition_key, record.explicit_hash_key, record.data, record.created_at)


def described(stream: Stream) -> dict[str, Any]:
    shards = [{name: getattr(shard, name) for name in SHARD_KEPT} for shard in stream.shards.values()]
    return {name: getattr(stream, name) for name in KEPT} | {"shards": shards}


def restored(name: str, region: str, description: dict[str, Any]) -> Stream:
    """moto's stream as it was described, without its records."""
    stream = Stream(name, 1, None, None, DEFAULT_ACCOUNT_ID, region)
    shards = description.pop("shards")
    description["creation_datetime"] = datetime.fromisoformat(description["creation_datetime"])
    for key, value in description.items():
        setattr(stream, key, value)
    stream.shards = {}
    for known in shards:
        shard = Shard(known["_shard_id"], known["starting_hash"], known["ending_hash"])
        for key, value in known.items():
            setattr(shard, key, value)
        stream.shards[shard.shard_id] = shard
    return stream


class KeptKinesis(KinesisResponse):  # type: ignore[misc]
    """Requests to moto's Kinesis; what they changed is on disk before they are answered."""

    kinesis: ClassVar[Kinesis]

    def put_record(self) -> Any:
        request = json.loads(self.body)
        ((sequence, shard),) = self._put([request], "")
        return 200, {}, json.dumps({"SequenceNumber": sequence, "ShardId": shard})

    def put_records(self) -> Any:
        entries = orjson.loads(self.body)["Records"]
        if not 1 <= len(entries) <= MOST_RECORDS:
            raise exceptions.TooManyRecords
        answers = [{"SequenceNumber": n, "ShardId": shard} for n, shard in self._put(entries, "records.{}.member.")]
        return 200, {}, orjson.dumps({"FailedRecordCount": 0, "Records": answers}).decode()

    def _put(self, entries: Sequence[dict[str, Any]], member: str) -> list[tuple[str, str]]:
        stream = self.kinesis_backend.describe_stream(self._get_param("StreamARN"), self._get_param("StreamName"))
        sizes = [size(entry, member.format(n)) for n, entry in enumerate(entries, 1)]
        for position, each in enumerate(sizes, 1):
            if each > MOST_RECORD_BYTES:
                raise exceptions.RecordSizeExceedsLimit(position)
        if sum(sizes) > MOST_BATCH_BYTES:
            raise exceptions.TotalRecordsSizeExceedsLimit
        return self.kinesis.put(stream, entries)

    def _kept(self, change: Callable[[], Any]) -> Any:
        """Do it and keep the stream. Records stay in their shards; moto would move and renumber them."""
        name = self._get_param("StreamName") or (self._get_param("StreamARN") or "").rpartition("/")[2]
        with changing:
            before = self.kinesis_backend.streams.get(name)
            records = {shard_id: shard.records for shard_id, shard in before.shards.items()} if before else {}
            for shard in before.shards.values() if before else ():
                shard.records = type(shard.records)()
            try:
                answer = change()
            finally:
                for shard_id, taken in records.items():
                    before.shards[shard_id].records = taken
            self.kinesis.keep(self.region, name)
        return answer


def size(entry: dict[str, Any], member: str) -> int:
    """Return bytes that a record counts for. Raises SerializationException."""
    try:
        return len(b64decode(entry["Data"], validate=True)) + len(entry["PartitionKey"].encode())
    except (Error, KeyError, TypeError, ValueError) as error:
        raise AwsError("SerializationException", f"{member}data and partitionKey: {error!r}") from error


def _keeping(operation: str) -> Callable[[KeptKinesis], Any]:
    original = getattr(KinesisResponse, operation)
    return lambda self: self._kept(lambda: original(self))


for _operation in (
    "create_stream", "delete_stream", "split_shard", "merge_shards", "update_shard_count", "update_stream_mode",
    "increase_stream_retention_period", "decrease_stream_retention_period", "add_tags_to_stream",
    "remove_tags_from_stream", "start_stream_encryption", "stop_stream_encryption",
):  # fmt: skip
    setattr(KeptKinesis, _operation, _keeping(_operation))


def install(home: Path) -> Kinesis:
    """Put it into moto, with its state in `<home>/kinesis.sqlite`; before the server's first request."""
    KeptKinesis.kinesis = Kinesis(home)
    urls.url_paths["{0}/$"] = KeptKinesis.dispatch
    return KeptKinesis.kinesis
