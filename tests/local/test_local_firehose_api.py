"""Firehose's API as boto3 sees it: its limits, its errors, and streams that are made, changed and deleted."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.firehose.models import firehose_backends

from local.aws.firehose.deliveries import described, restored
from local.server import LocalAws

if TYPE_CHECKING:
    from mypy_boto3_firehose import FirehoseClient
    from mypy_boto3_firehose.type_defs import ExtendedS3DestinationConfigurationTypeDef
    from mypy_boto3_s3 import S3Client

ROLE = "arn:aws:iam::123456789012:role/firehose"
BUCKET = "firehose-api"
PLACE: ExtendedS3DestinationConfigurationTypeDef = {
    "RoleARN": ROLE,
    "BucketARN": f"arn:aws:s3:::{BUCKET}",
    "Prefix": "data/",
    "CompressionFormat": "GZIP",
    "BufferingHints": {"IntervalInSeconds": 0, "SizeInMBs": 1},
}
REDSHIFT: dict[str, Any] = {
    "RoleARN": ROLE,
    "ClusterJDBCURL": "jdbc:redshift://warehouse:5439/tweets",
    "Username": "firehose",
    "Password": "Not-checked-1",
    "CopyCommand": {"DataTableName": "t"},
    "S3Configuration": PLACE,
}


@pytest.fixture(scope="module")
def firehose(stack: LocalAws) -> FirehoseClient:
    return boto3.client("firehose", config=Config(retries={"total_max_attempts": 1}))


@pytest.fixture(scope="module")
def s3(stack: LocalAws) -> S3Client:
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture(scope="module")
def stream(firehose: FirehoseClient, s3: S3Client) -> Iterator[str]:
    firehose.create_delivery_stream(DeliveryStreamName="api", ExtendedS3DestinationConfiguration=PLACE)
    yield "api"
    firehose.delete_delivery_stream(DeliveryStreamName="api")


def refused(call: Any, **request: Any) -> tuple[str, str]:
    """Code and message of the error."""
    with pytest.raises(ClientError) as raised:
        call(**request)
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


def delivered(s3: S3Client, prefix: str = "data/") -> list[bytes]:
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]
    return [gzip.decompress(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()) for key in keys]


def test_a_put_is_delivered(firehose: FirehoseClient, s3: S3Client, stream: str, stack: LocalAws) -> None:
    one = firehose.put_record(DeliveryStreamName=stream, Record={"Data": b"one\n"})
    more = firehose.put_record_batch(DeliveryStreamName=stream, Records=[{"Data": b"two\n"}, {"Data": b""}])
    assert more["FailedPutCount"] == 0
    ids = {one["RecordId"], *(each["RecordId"] for each in more["RequestResponses"])}
    assert len(ids) == 3
    stack.flush()
    assert b"".join(sorted(delivered(s3))) == b"one\ntwo\n"


@pytest.mark.parametrize(
    ("records", "code", "message"),
    [
        ([b""] * 501, "ValidationException", "length less than or equal to 500"),
        ([b"x" * 1_024_001], "ValidationException", "records.1.member.data"),
        ([b"", b"x" * 1_024_001], "ValidationException", "records.2.member.data"),
        ([b"x" * 1_000_000] * 5, "InvalidArgumentException", "Records size exceeds 4 MB limit"),
    ],
    ids=["501 records", "over 1,000 KiB", "the second over 1,000 KiB", "over 4 MiB"],
)
def test_limits_of_a_batch(
    firehose: FirehoseClient, stream: str, records: list[bytes], code: str, message: str
) -> None:
    error = refused(
        firehose.put_record_batch, DeliveryStreamName=stream, Records=[{"Data": record} for record in records]
    )
    assert error[0] == code
    assert message in error[1]


def test_what_just_fits_is_taken(firehose: FirehoseClient, stream: str) -> None:
    batch = [{"Data": b"\n" * 1_024_000}] * 4 + [{"Data": b"\n"}] * 496
    assert firehose.put_record_batch(DeliveryStreamName=stream, Records=batch)["FailedPutCount"] == 0  # type: ignore[arg-type]


def test_a_stream_that_is_not_there(firehose: FirehoseClient) -> None:
    expected = ("ResourceNotFoundException", "Firehose nobody under account 123456789012 not found.")
    assert refused(firehose.put_record, DeliveryStreamName="nobody", Record={"Data": b"x"}) == expected
    assert refused(firehose.put_record_batch, DeliveryStreamName="nobody", Records=[{"Data": b"x"}]) == expected


def test_a_stream_with_a_source_takes_no_puts(firehose: FirehoseClient, stack: LocalAws) -> None:
    error = refused(firehose.put_record, DeliveryStreamName=f"{stack.stream}-from-kinesis", Record={"Data": b"x"})
    assert error[0] == "InvalidArgumentException"


def test_throttling_refuses_the_whole_batch(firehose: FirehoseClient, stream: str, stack: LocalAws) -> None:
    stack.faults.set({"firehose_throttled": 1})
    try:
        error = refused(firehose.put_record_batch, DeliveryStreamName=stream, Records=[{"Data": b"x"}])
    finally:
        stack.faults.set({})
    assert error == ("ServiceUnavailableException", "Slow down.")


@pytest.mark.parametrize(("size", "failed"), [(1, 1), (2, 1), (5, 3)])
def test_some_records_of_a_batch_may_fail(
    firehose: FirehoseClient, s3: S3Client, stream: str, stack: LocalAws, size: int, failed: int
) -> None:
    names = [f"partial-{size}-{n}".encode() for n in range(size)]
    stack.faults.set({"firehose_partial": 1})
    try:
        answer = firehose.put_record_batch(DeliveryStreamName=stream, Records=[{"Data": name} for name in names])
    finally:
        stack.faults.set({})
    refused = [each.get("ErrorCode") for each in answer["RequestResponses"]]
    assert answer["FailedPutCount"] == failed == refused.count("ServiceUnavailableException")
    stack.flush()
    everything = b"".join(delivered(s3))
    assert [name in everything for name in names] == [code is None for code in refused]


@pytest.mark.parametrize(
    ("destination", "change", "message"),
    [
        ("Redshift", {"S3Configuration": {**PLACE, "Prefix": "a/!{timestamp:yyyy}/"}}, "Prefix Expressions"),
        ("Redshift", {"S3Configuration": {**PLACE, "ErrorOutputPrefix": "failed/"}}, "ErrorOutputPrefix"),
        (
            "Redshift",
            {"S3BackupMode": "Enabled", "S3BackupConfiguration": {**PLACE, "ErrorOutputPrefix": "failed/"}},
            "ErrorOutputPrefix",
        ),
        ("Redshift", {"S3Configuration": {**PLACE, "CompressionFormat": "Snappy"}}, "Snappy"),
        ("Redshift", {"Username": None, "Password": None}, "SecretsManagerConfiguration"),
        ("Redshift", {"S3BackupMode": "Enabled"}, "S3BackupConfiguration"),
        ("ExtendedS3", {"Prefix": "!{partitionKeyFromQuery:a}/"}, "prefix expressions"),
        ("ExtendedS3", {"CompressionFormat": "ZIP"}, "ZIP"),
        ("ExtendedS3", {"DynamicPartitioningConfiguration": {"Enabled": True}}, "DynamicPartitioning"),
        (
            "ExtendedS3",
            {"ProcessingConfiguration": {"Enabled": True, "Processors": [{"Type": "AppendDelimiterToRecord"}]}},
            "AppendDelimiterToRecord",
        ),
        (
            "ExtendedS3",
            {
                "ProcessingConfiguration": {
                    "Enabled": True,
                    "Processors": [
                        {
                            "Type": "Lambda",
                            "Parameters": [
                                {"ParameterName": "LambdaArn", "ParameterValue": "arn:aws:lambda:x"},
                                {"ParameterName": "BufferSizeInMBs", "ParameterValue": "4"},
                            ],
                        }
                    ],
                }
            },
            "BufferSizeInMBs must be from 0.2 to 3.0, not 4",
        ),
    ],
)
def test_what_it_cant_do_is_refused_by_name(
    firehose: FirehoseClient, destination: str, change: dict[str, Any], message: str
) -> None:
    base: Mapping[str, Any] = REDSHIFT if destination == "Redshift" else PLACE
    configuration = {key: value for key, value in {**base, **change}.items() if value is not None}
    request = {f"{destination}DestinationConfiguration": configuration}
    code, text = refused(firehose.create_delivery_stream, DeliveryStreamName="refused", **request)
    assert code == "InvalidArgumentException"
    assert message in text
    assert "refused" not in firehose.list_delivery_streams()["DeliveryStreamNames"]


def test_a_changed_destination_is_used_at_once(firehose: FirehoseClient, s3: S3Client, stack: LocalAws) -> None:
    firehose.create_delivery_stream(DeliveryStreamName="changing", ExtendedS3DestinationConfiguration=PLACE)
    known = firehose.describe_delivery_stream(DeliveryStreamName="changing")["DeliveryStreamDescription"]
    firehose.update_destination(
        DeliveryStreamName="changing",
        CurrentDeliveryStreamVersionId=known["VersionId"],
        DestinationId=known["Destinations"][0]["DestinationId"],
        ExtendedS3DestinationUpdate={"Prefix": "changed/"},
    )
    firehose.put_record(DeliveryStreamName="changing", Record={"Data": b"after"})
    stack.flush()
    assert delivered(s3, "changed/") == [b"after"]
    firehose.delete_delivery_stream(DeliveryStreamName="changing")
    assert refused(firehose.put_record, DeliveryStreamName="changing", Record={"Data": b""})[0] == (
        "ResourceNotFoundException"
    )
    assert not list((stack.home / "firehose").glob("*changing*"))


def test_a_description_survives_a_restart(stack: LocalAws) -> None:
    stream = firehose_backends["123456789012"]["us-east-1"].delivery_streams[stack.stream]
    again = restored(described(stream, "123456789012", "us-east-1"))
    assert vars(again) == vars(stream)
