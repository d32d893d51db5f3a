"""A delivery stream of the local Firehose, with everything around it in memory."""

from __future__ import annotations

import base64
import gzip
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from local.aws.faults import Faults
from local.aws.firehose.buffer import Hints
from local.aws.firehose.delivery import Outside
from local.aws.firehose.journal import Journal
from local.aws.firehose.logins import Logins
from local.aws.firehose.settings import Copy, Login, Place, Processor, Settings
from local.aws.firehose.stream import Stream

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:transform:$LATEST"
SOON = Hints(1024 * 1024, 0.02)
S3 = Settings(
    name="tweets",
    arn="arn:aws:firehose:us-east-1:123456789012:deliverystream/tweets",
    region="us-east-1",
    version="1",
    source_arn=None,
    place=Place("bucket", "delivery/", "rejected/", gzip=True, hints=SOON),
    processor=Processor(FUNCTION, SOON, retries=3),
    copy=None,
    backup=None,
)
COPY = Copy(
    "d.tweets", "a,b", "GZIP JSON 'auto'", "arn:aws:iam::123456789012:role/r", 5.0, Login("firehose", "Secret-1")
)
REDSHIFT = replace(S3, copy=COPY)
WITH_BACKUP = replace(S3, backup=Place("backup", "source/", "", gzip=True, hints=SOON))


def upper(event: dict[str, Any]) -> dict[str, Any]:
    """A transform: every record in capitals."""
    return {
        "records": [
            {
                "recordId": record["recordId"],
                "result": "Ok",
                "data": base64.b64encode(base64.b64decode(record["data"]).upper()).decode(),
            }
            for record in event["records"]
        ]
    }


class World:
    """Buckets, a function and a warehouse. `break_…` hold the errors that are raised first, one a call."""

    def __init__(self, function: Callable[[dict[str, Any]], Any] = upper) -> None:
        self.function = function
        self.buckets: dict[str, dict[str, bytes]] = {"bucket": {}, "backup": {}}
        self.events: list[dict[str, Any]] = []
        self.statements: list[str] = []
        self.logins: list[Login] = []
        self.secrets: dict[str, str] = {}
        self.break_function: list[Exception] = []
        self.break_s3: list[Exception] = []
        self.break_copy: list[Exception] = []
        self.outside = Outside(self.invoke, self.put, Logins(self.secrets.__getitem__), self.run_sql)

    def invoke(self, arn: str, event: dict[str, Any]) -> Any:
        assert arn == FUNCTION
        self.events.append(event)
        if self.break_function:
            raise self.break_function.pop(0)
        return self.function(event)

    def put(self, bucket: str, key: str, data: bytes) -> None:
        if self.break_s3:
            raise self.break_s3.pop(0)
        self.buckets[bucket][key] = data

    def run_sql(self, sql: str, login: Login) -> int:
        self.statements.append(sql)
        self.logins.append(login)
        if self.break_copy:
            raise self.break_copy.pop(0)
        return 1

    def keys(self, prefix: str, bucket: str = "bucket") -> list[str]:
        return sorted(key for key in self.buckets[bucket] if key.startswith(prefix))

    def content(self, prefix: str, bucket: str = "bucket") -> bytes:
        """Of all objects under the prefix that are data, in order."""
        bodies = [self.buckets[bucket][key] for key in self.keys(prefix, bucket) if key.endswith(".gz")]
        return b"".join(gzip.decompress(body) for body in bodies)


@contextmanager
def stream(path: Path, world: World, settings: Settings = S3, faults: Faults | None = None) -> Iterator[Stream]:
    """The stream at work, on the journal at `path`; stopped in the end, whatever it still had to do."""
    running = Stream(Journal(path), settings, world.outside, faults or Faults(), threading.Lock())
    try:
        yield running
    finally:
        running.close()


def deliver(running: Stream, seconds: float = 10.0) -> None:
    assert running.flush(time.monotonic() + seconds), "not delivered"


def until(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)
