"""What the transform touches, in memory: S3 with conditional writes, a stream that takes records back, no SSM."""

from __future__ import annotations

import base64
import gzip
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import orjson
from botocore.exceptions import ClientError

from chalicelib import clients
from chalicelib.classifier.active import Active, default
from chalicelib.settings import Settings
from chalicelib.transform import handler

STREAM = "arn:aws:firehose:us-east-1:123456789012:deliverystream/disaster-tweets-local"
SOURCE = "arn:aws:kinesis:us-east-1:123456789012:stream/disaster-tweets-source"
NAME = "disaster-tweets-local"
SETTINGS = Settings("local", NAME, NAME, "tweets", "arn:aws:iam::123456789012:role/copy", delivery="firehose")


def event(*records: bytes, source: str | None = None, arrived: int = 1_770_091_506_789) -> dict[str, Any]:
    """An event with such records, as Firehose sends it."""
    return {
        "invocationId": "1f1b1e2a-5c53-4e6f-9f9f-6f6c1d0e7a11",
        "deliveryStreamArn": STREAM,
        "region": "us-east-1",
        **({"sourceKinesisStreamArn": source} if source else {}),
        "records": [
            {
                "recordId": f"{n:056}",
                "approximateArrivalTimestamp": arrived + n,
                "data": base64.b64encode(record).decode(),
                **({"kinesisRecordMetadata": {"partitionKey": f"user-{n}"}} if source else {}),
            }
            for n, record in enumerate(records)
        ],
    }


def client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, "Operation")


class Aws:
    """The clients, and what they hold."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.taken_back: list[bytes] = []
        self.s3, self.stream = mock.Mock(), mock.Mock()
        self.s3.put_object.side_effect = self.put_object
        self.s3.get_object.side_effect = self.get_object
        self.stream.put_record_batch.side_effect = self.put_record_batch

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, IfNoneMatch: str = "") -> None:
        assert Bucket == SETTINGS.bucket
        if IfNoneMatch == "*" and Key in self.objects:
            raise client_error("PreconditionFailed")
        self.objects[Key] = Body

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        assert Bucket == SETTINGS.bucket
        return {"Body": io.BytesIO(self.objects[Key])}

    def put_record_batch(self, *, DeliveryStreamName: str, Records: list[dict[str, bytes]]) -> dict[str, Any]:
        assert DeliveryStreamName == "disaster-tweets-local"
        assert len(Records) <= 500
        assert sum(len(record["Data"]) for record in Records) <= 4 * 1024 * 1024
        assert all(0 < len(record["Data"]) <= 1000 * 1024 for record in Records)
        self.taken_back += [record["Data"] for record in Records]
        return {"FailedPutCount": 0, "RequestResponses": [{"RecordId": "1"} for _ in Records]}

    def lines(self, prefix: str) -> list[dict[str, Any]]:
        """What the files under a prefix say; each file's name must say how many lines it has."""
        found = []
        for key, body in self.objects.items():
            if key.startswith(prefix):
                lines = gzip.decompress(body).splitlines()
                assert key.endswith(f"-{len(lines)}.ndjson.gz")
                found += [orjson.loads(line) for line in lines]
        return found


@contextmanager
def aws(active: Active | None = None) -> Iterator[Aws]:
    """The transform's surroundings, replaced."""
    world = Aws()
    with (
        mock.patch.object(clients, "s3", lambda: world.s3),
        mock.patch.object(clients, "firehose", lambda: world.stream),
        mock.patch.object(clients, "kinesis", lambda: world.stream),
        mock.patch.object(handler, "settings", lambda: SETTINGS),
        mock.patch.object(handler, "active", lambda: active or default()),
    ):
        yield world


def rows(response: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows in an answer, in order."""
    return [json.loads(line) for r in response["records"] for line in base64.b64decode(r["data"]).splitlines()]


def results(response: dict[str, Any]) -> list[str]:
    return [record["result"] for record in response["records"]]
