"""What the collector touches, in memory: S3 with conditional writes and a clock, a stream, and a way to be killed."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from unittest import mock

from chalicelib import clients
from chalicelib.erasures import requests
from chalicelib.settings import Settings
from chalicelib.sources import collect, jetstream
from tests.support.aws_in_memory import client_error


class Killed(BaseException):
    """The process is gone: nothing that it would still do happens."""


class World:
    """`now` in seconds since the epoch. `kill_at`: the step (from 1) at which the collector is killed, 0 for none.

    With `after`, what that step does is done, and the collector does not hear of it.
    """

    def __init__(self, now: float) -> None:
        self.now = now
        self.objects: dict[str, tuple[bytes, str, float]] = {}
        self.records: list[bytes] = []
        self.steps: list[str] = []
        self.kill_at, self.after = 0, False
        self.s3, self.stream = mock.Mock(), mock.Mock()
        self.s3.get_object.side_effect = self._step("get", self.get_object)
        self.s3.put_object.side_effect = self._step("put", self.put_object)
        self.stream.put_record_batch.side_effect = self._step("records", self.put_record_batch)

    def _step(self, name: str, do: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **named: Any) -> Any:
            self.steps.append(name)
            dead = self.kill_at and len(self.steps) >= self.kill_at
            if dead and not (self.after and len(self.steps) == self.kill_at):
                raise Killed
            answer = do(*arguments, **named)
            if dead:
                raise Killed
            return answer

        return step

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        if Key not in self.objects:
            raise client_error("NoSuchKey")
        body, etag, modified = self.objects[Key]
        date = format_datetime(datetime.fromtimestamp(int(self.now), UTC), usegmt=True)
        return {
            "Body": io.BytesIO(body),
            "ETag": etag,
            "LastModified": datetime.fromtimestamp(int(modified), UTC),
            "ResponseMetadata": {"HTTPHeaders": {"date": date}},
        }

    def put_object(
        self, *, Bucket: str, Key: str, Body: bytes, IfMatch: str = "", IfNoneMatch: str = ""
    ) -> dict[str, Any]:
        there = self.objects.get(Key)
        if (IfMatch and (not there or there[1] != IfMatch)) or (IfNoneMatch and there):
            raise client_error("PreconditionFailed")
        etag = hashlib.md5(Body).hexdigest()
        self.objects[Key] = (Body, etag, self.now)
        return {"ETag": etag}

    def put_record_batch(self, *, DeliveryStreamName: str, Records: list[dict[str, bytes]]) -> dict[str, Any]:
        assert DeliveryStreamName == "disaster-tweets-local" and 0 < len(Records) <= 500
        assert all(len(record["Data"]) <= 5 * 1024 or record["Data"].count(b"\n") == 1 for record in Records)
        self.records += [record["Data"] for record in Records]
        return {"FailedPutCount": 0, "RequestResponses": [{"RecordId": "1"} for _ in Records]}

    def run(self) -> dict[str, Any]:
        """One invocation; `status` is `killed` if it was."""
        try:
            return collect.collect(None, lambda: self.now)
        except Killed:
            return {"status": "killed"}

    def posts(self) -> list[dict[str, Any]]:
        """The posts that the stream has taken, each time it did."""
        return [json.loads(line) for record in self.records for line in record.splitlines()]

    def deletions(self) -> set[str]:
        """The IDs of posts and users that are to be erased."""
        lines = [
            json.loads(line)
            for key, (body, _, _) in self.objects.items()
            if key.startswith(requests.FOLDER)
            for line in (gzip.decompress(body) if key.endswith(".gz") else body).splitlines()
        ]
        return {line.get("tweet_id") or line["user_id"] for line in lines}

    @property
    def cursor(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.objects["collect/bluesky.json"][0])
        return found


@contextmanager
def world(now: float, servers: str, bluesky: str = "everything", **settings: str) -> Iterator[World]:
    """The collector's surroundings, replaced; `servers` as the setting has them."""
    made = World(now)
    name = "disaster-tweets-local"
    stage = Settings("local", name, name, "tweets", "role", bluesky=bluesky, jetstream=servers, **settings)  # type: ignore[arg-type]
    with (
        mock.patch.object(clients, "s3", lambda: made.s3),
        mock.patch.object(clients, "firehose", lambda: made.stream),
        mock.patch.object(clients, "kinesis", lambda: made.stream),
        mock.patch.object(collect, "settings", lambda: stage),
        mock.patch.object(requests, "settings", lambda: stage),
        mock.patch.object(jetstream, "POLL", 0.02),
        mock.patch.object(collect, "QUIET", 30.0),
    ):
        yield made
