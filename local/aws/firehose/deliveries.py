"""Manage all delivery streams of this machine. Their descriptions are moto's, kept on disk with each one's journal."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from moto.firehose.models import DeliveryStream, firehose_backends

from local.aws import kinesis
from local.aws.faults import Faults
from local.aws.firehose.delivery import Outside
from local.aws.firehose.journal import Journal
from local.aws.firehose.settings import settings
from local.aws.firehose.stream import Stream


class FlushError(TimeoutError):
    """Some streams could not deliver everything in the time given; the message names them."""


class Deliveries:
    """Delivery streams by region and name."""

    def __init__(self, home: Path, outside: Outside, faults: Faults) -> None:
        self._home, self._outside, self._faults = home, outside, faults
        self._copying = threading.Lock()  # one COPY at a time, and many files each: files are read into memory
        self._streams: dict[tuple[str, str], Stream] = {}
        home.mkdir(parents=True, exist_ok=True)
        for path in sorted(home.glob("*.sqlite")):
            journal = Journal(path)
            if description := journal.description:
                self._start(journal, restored(description), description["account"], description["region"])
            else:  # the last run ended between making the file and describing the stream
                journal.remove()

    def create(self, stream: DeliveryStream, account: str, region: str) -> None:
        """Put a stream to work that moto has just created."""
        journal = Journal(self._path(region, stream.delivery_stream_name))
        if source := settings(stream, region).source_arn:
            journal.skip(kinesis.newest(source))  # as Firehose does, which starts at LATEST
        journal.describe(described(stream, account, region))
        self._start(journal, stream, account, region)

    def update(self, stream: DeliveryStream, account: str, region: str) -> None:
        """Give a stream its changed settings."""
        running = self._streams[region, stream.delivery_stream_name]
        running.change(settings(stream, region), described(stream, account, region))

    def delete(self, region: str, name: str) -> None:
        if stream := self._streams.pop((region, name), None):
            stream.delete()

    def find(self, region: str, name: str) -> Stream | None:
        return self._streams.get((region, name))

    def flush(self, timeout: float = 60.0) -> None:
        """Deliver everything now, waiting for no buffer to fill, and wait until it is done. Raises FlushError."""
        deadline = time.monotonic() + timeout
        late = [stream.settings.name for stream in list(self._streams.values()) if not stream.flush(deadline)]
        if late:
            raise FlushError(f"Not delivered within {timeout:g} s: {', '.join(late)}")

    def close(self) -> None:
        """Stop all streams; what isn't delivered is on disk for the next run."""
        for stream in self._streams.values():
            stream.close()
        self._streams.clear()

    def _start(self, journal: Journal, stream: DeliveryStream, account: str, region: str) -> None:
        firehose_backends[account][region].delivery_streams[stream.delivery_stream_name] = stream
        running = Stream(journal, settings(stream, region), self._outside, self._faults, self._copying)
        self._streams[region, stream.delivery_stream_name] = running

    def _path(self, region: str, name: str) -> Path:
        return self._home / f"{region}.{name}.sqlite"


def undelivered(home: Path) -> int:
    """Return how much of this home's streams is still on its way: shards to read, puts, batches, objects to copy.

    May be asked beside a running server.
    """
    sent = kinesis.kept(home)
    count = 0
    for path in sorted((home / "firehose").glob("*.sqlite")):
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as disk:
            for table in ("put", "batch", "object"):
                count += disk.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]  # noqa: S608 - constants
            (text,) = disk.execute("SELECT value FROM known WHERE name = 'description'").fetchone()
            source = (json.loads(text)["stream"]["source"] or {}).get("KinesisStreamARN", "")
            read = dict(disk.execute("SELECT shard, sequence FROM position"))
        count += sum(last > read.get(shard, 0) for shard, last in sent.get(source, {}).items())
    return count


def described(stream: DeliveryStream, account: str, region: str) -> dict[str, Any]:
    """moto's stream as JSON; its times as ISO 8601."""
    known = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in vars(stream).items()}
    return {"account": account, "region": region, "stream": known}


def restored(description: dict[str, Any]) -> DeliveryStream:
    """moto's stream as it was described."""
    stream: DeliveryStream = DeliveryStream.__new__(DeliveryStream)
    for name, value in description["stream"].items():
        setattr(stream, name, datetime.fromisoformat(value) if name.endswith("_timestamp") else value)
    return stream
