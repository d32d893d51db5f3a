"""Kinesis data streams take records within AWS's limits, keep them over a restart, and feed Firehose."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.kinesis.models import kinesis_backends

from local.aws import kinesis
from local.server import LocalAws

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

STREAM, REGION, ACCOUNT = "kept", "eu-west-3", "123456789012"  # a region that no other test uses
ARN = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{STREAM}"


def put(service: kinesis.Kinesis, *keys: str) -> list[tuple[str, str]]:
    stream = kinesis_backends[ACCOUNT][REGION].streams[STREAM]
    return service.put(stream, [{"Data": "eA==", "PartitionKey": key} for key in keys])


def read_all() -> dict[str, list[kinesis.Read]]:
    return {shard: kinesis.read(ARN, shard, 0, 1000) for shard in kinesis.newest(ARN)}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[kinesis.Kinesis]:
    """With a stream of two shards."""
    running = kinesis.Kinesis(tmp_path)
    kinesis_backends[ACCOUNT][REGION].create_stream(STREAM, 2)
    running.keep(REGION, STREAM)
    yield running
    kinesis_backends[ACCOUNT][REGION].streams.pop(STREAM, None)


def restarted(home: Path) -> kinesis.Kinesis:
    kinesis_backends[ACCOUNT][REGION].streams.clear()
    return kinesis.Kinesis(home)


def test_records_survive_a_restart_with_numbers_keys_and_times(service: kinesis.Kinesis, tmp_path: Path) -> None:
    put(service, *"abcdef")
    put(service, *"gh")
    before = read_all()
    assert sum(map(len, before.values())) == 8
    again = restarted(tmp_path)
    assert read_all() == before
    numbers = kinesis.newest(ARN)
    for number, shard in put(again, *"abcdef"):
        assert int(number) > numbers[shard]


def test_reading_goes_on_after_a_number(service: kinesis.Kinesis) -> None:
    put(service, *["same"] * 5)
    ((shard, newest),) = [each for each in kinesis.newest(ARN).items() if each[1]]
    assert newest == 5
    assert [record.sequence for record in kinesis.read(ARN, shard, 2, 2)] == [3, 4]
    assert kinesis.read(ARN, shard, 5, 10) == []


def test_what_is_older_than_the_retention_goes(service: kinesis.Kinesis, tmp_path: Path) -> None:
    put(service, *["same"] * 3)
    ((shard, _),) = [each for each in kinesis.newest(ARN).items() if each[1]]
    for record in kinesis_backends[ACCOUNT][REGION].streams[STREAM].shards[shard].records.values():
        record.created_at -= 25 * 3600
    service._trim_at = 0.0
    put(service, "same")
    expected = [3, 4]  # the shard's newest at that time stays: the next number follows from it
    assert [record.sequence for record in kinesis.read(ARN, shard, 0, 10)] == expected
    restarted(tmp_path)
    assert [record.sequence for record in kinesis.read(ARN, shard, 0, 10)] == expected


def test_a_deleted_stream_stays_deleted(service: kinesis.Kinesis, tmp_path: Path) -> None:
    put(service, "a")
    del kinesis_backends[ACCOUNT][REGION].streams[STREAM]
    service.keep(REGION, STREAM)
    restarted(tmp_path)
    assert STREAM not in kinesis_backends[ACCOUNT][REGION].streams


# ------------------------------------------------------------------ over HTTP


@pytest.fixture(scope="module")
def client(stack: LocalAws) -> KinesisClient:
    return boto3.client("kinesis", config=Config(retries={"total_max_attempts": 1}))


@pytest.fixture
def stream(client: KinesisClient) -> Iterator[str]:
    client.create_stream(StreamName="http", ShardCount=1)
    yield "http"
    client.delete_stream(StreamName="http")


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([b""] * 501, "less than or equal to 500"),
        ([b"x" * 1_048_576], "records.1.member.data"),
        ([b"x" * 1_000_000] * 6, "5 MB"),
    ],
    ids=["501 records", "over 1 MiB with its key", "over 5 MiB"],
)
def test_limits_of_a_batch(client: KinesisClient, stream: str, records: list[bytes], message: str) -> None:
    entries: Any = [{"Data": record, "PartitionKey": "k"} for record in records]
    with pytest.raises(ClientError, match=message):
        client.put_records(StreamName=stream, Records=entries)


def test_records_stay_readable_when_their_shard_is_split(client: KinesisClient, stream: str) -> None:
    entries: Any = [{"Data": b"%d" % n, "PartitionKey": str(n)} for n in range(20)]
    client.put_records(StreamName=stream, Records=entries)
    client.split_shard(StreamName=stream, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127))
    after = client.put_records(StreamName=stream, Records=entries)["Records"]
    assert {each["ShardId"] for each in after} == {"shardId-000000000001", "shardId-000000000002"}
    datas = []
    for shard in client.list_shards(StreamName=stream)["Shards"]:
        iterator = client.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        datas += [record["Data"] for record in client.get_records(ShardIterator=iterator)["Records"]]
    assert sorted(datas) == sorted([b"%d" % n for n in range(20)] * 2)


def test_firehose_delivers_what_comes_after_it_was_made(client: KinesisClient, stream: str, stack: LocalAws) -> None:
    s3, firehose = boto3.client("s3"), boto3.client("firehose")
    s3.create_bucket(Bucket="kinesis")
    source = client.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"]
    client.put_record(StreamName=stream, Data=b"before\n", PartitionKey="k")
    role = "arn:aws:iam::123456789012:role/firehose"
    firehose.create_delivery_stream(
        DeliveryStreamName="reader",
        DeliveryStreamType="KinesisStreamAsSource",
        KinesisStreamSourceConfiguration={"KinesisStreamARN": source, "RoleARN": role},
        ExtendedS3DestinationConfiguration={
            "RoleARN": role,
            "BucketARN": "arn:aws:s3:::kinesis",
            "Prefix": "data/",
            "CompressionFormat": "GZIP",
        },
    )
    entries: Any = [{"Data": b"%d\n" % n, "PartitionKey": "k"} for n in range(10)]
    client.put_records(StreamName=stream, Records=entries)
    stack.flush()
    (found,) = s3.list_objects_v2(Bucket="kinesis", Prefix="data/")["Contents"]
    body = s3.get_object(Bucket="kinesis", Key=found["Key"])["Body"].read()
    assert gzip.decompress(body) == b"".join(b"%d\n" % n for n in range(10))
    firehose.delete_delivery_stream(DeliveryStreamName="reader")
