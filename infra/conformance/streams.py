"""Check the settings and puts of Firehose and Kinesis."""

from __future__ import annotations

import contextlib
import time
from functools import partial
from typing import Any

from infra import regions, template
from infra.conformance.asking import NotAskedError, Place, check, refused

ACCOUNT = "123456789012"
INVALID = ("InvalidArgumentException",)
MOST_WAIT = 300.0  # seconds until a new stream may be deleted


def destination(place: Place, **changed: Any) -> dict[str, Any]:
    """Return the Redshift destination that the template describes, with some of it changed; None leaves out."""
    own = template.resources(Stage=place.of.name, Delivery="firehose", ExistingBucket=place.bucket)
    names = {
        "AWS::Partition": regions.partition(),
        "AWS::Region": regions.region(),
        "AWS::AccountId": place.role.split(":")[4],
        "Workgroup": f"{place.of.prefix}.{ACCOUNT}.{regions.region()}.redshift-serverless",
        "FirehoseRole": place.role,
        "FirehoseLogin": "unused",
        "FirehoseLogs": f"/aws/kinesisfirehose/{place.of.prefix}",
        "FirehoseDeliveryLog": "delivery",
        "FirehoseBackupLog": "backup",
        "Stage": place.of.name,
    }
    properties = own["Stream"]["Properties"]["RedshiftDestinationConfiguration"]
    made = template.filled({**properties, "SecretsManagerConfiguration": None}, names)
    made |= {"Username": "conformance", "Password": "Conformance-1", **changed}
    for s3 in (made["S3Configuration"], made["S3BackupConfiguration"]):
        s3["BufferingHints"]["IntervalInSeconds"] = int(s3["BufferingHints"]["IntervalInSeconds"])
    return {key: value for key, value in made.items() if value is not None}


def s3(place: Place, **changed: Any) -> dict[str, Any]:
    return {**destination(place)["S3Configuration"], **changed}


def create(place: Place, given: dict[str, Any]) -> None:
    """Make a stream, and delete it once that may be done."""
    firehose = place.client("firehose")
    firehose.create_delivery_stream(DeliveryStreamName=place.name, RedshiftDestinationConfiguration=given)
    deadline = time.monotonic() + MOST_WAIT
    while time.monotonic() < deadline:
        found = firehose.describe_delivery_stream(DeliveryStreamName=place.name)["DeliveryStreamDescription"]
        if found["DeliveryStreamStatus"] != "CREATING":
            break
        time.sleep(2)
    with contextlib.suppress(firehose.exceptions.ResourceNotFoundException):
        firehose.delete_delivery_stream(DeliveryStreamName=place.name, AllowForceDelete=True)


@check
def stream_of_the_template_is_accepted(place: Place) -> None:
    """CreateDeliveryStream takes the Redshift destination that infra/data-plane.yaml describes."""
    create(place, destination(place))


@check
def redshift_takes_no_error_prefix(place: Place) -> str:
    """A Redshift destination takes no ErrorOutputPrefix and no prefix expression, in its bucket or in its backup."""
    found = ""
    for changed in (
        {"S3Configuration": s3(place, ErrorOutputPrefix="rejected/")},
        {"S3BackupConfiguration": s3(place, ErrorOutputPrefix="rejected/")},
        {"S3Configuration": s3(place, Prefix="delivery/!{timestamp:yyyy}/")},
    ):
        found = refused(partial(create, place, destination(place, **changed)), *INVALID)
    return found


@check
def redshift_reads_no_snappy_and_no_zip(place: Place) -> str:
    """A Redshift destination refuses Snappy and ZIP: COPY reads neither."""
    found = ""
    for form in ("Snappy", "ZIP"):
        given = destination(place, S3Configuration=s3(place, CompressionFormat=form))
        found = refused(partial(create, place, given), *INVALID)
    return found


@check
def redshift_needs_a_login(place: Place) -> str:
    """A Redshift destination needs a user and a password, or a secret."""
    return refused(lambda: create(place, destination(place, Username=None, Password=None)), *INVALID)


@check
def buffers_and_retries_have_bounds(place: Place) -> str:
    """Buffers: up to 128 MB and 900 s; the transform's up to 3 MB; COPY is retried for up to 7,200 s."""
    processing = destination(place)["ProcessingConfiguration"]
    for parameter in processing["Processors"][0]["Parameters"]:
        if parameter["ParameterName"] == "BufferSizeInMBs":
            parameter["ParameterValue"] = "4"
    found = ""
    for changed in (
        {"S3Configuration": s3(place, BufferingHints={"IntervalInSeconds": 901, "SizeInMBs": 64})},
        {"S3Configuration": s3(place, BufferingHints={"IntervalInSeconds": 300, "SizeInMBs": 129})},
        {"ProcessingConfiguration": processing},
        {"RetryOptions": {"DurationInSeconds": 7201}},
    ):
        given = destination(place, **changed)
        found = refused(partial(create, place, given), *INVALID, "ValidationException")
    return found


def put(place: Place, *records: bytes) -> None:
    firehose = place.client("firehose")
    stream = firehose.describe_delivery_stream(DeliveryStreamName=place.stream)["DeliveryStreamDescription"]
    if stream["DeliveryStreamType"] != "DirectPut":
        raise NotAskedError("the stream takes no puts: it reads a Kinesis data stream")
    given: Any = [{"Data": data} for data in records]
    firehose.put_record_batch(DeliveryStreamName=place.stream, Records=given)


@check
def a_batch_of_puts_has_bounds(place: Place) -> str:
    """PutRecordBatch takes 500 records, 1,000 KiB each and 4 MiB in all."""
    too_large = ("ValidationException", *INVALID)
    refused(lambda: put(place, *[b"{}"] * 501), "ValidationException")
    refused(lambda: put(place, bytes(1000 * 1024 + 1)), *too_large)
    return refused(lambda: put(place, *[bytes(900 * 1024)] * 5), *too_large)


@check
def an_unknown_stream_is_not_found(place: Place) -> str:
    """A put to a stream that there is none of is a ResourceNotFoundException."""
    firehose = place.client("firehose")
    return refused(
        lambda: firehose.put_record_batch(DeliveryStreamName=place.name, Records=[{"Data": b"{}"}]),
        "ResourceNotFoundException",
    )


@check
def a_stream_with_a_source_takes_no_puts(place: Place) -> str:
    """A stream that reads a Kinesis data stream takes no puts."""
    firehose = place.client("firehose")
    named = firehose.list_delivery_streams(DeliveryStreamType="KinesisStreamAsSource")["DeliveryStreamNames"]
    for name in (name for name in named if name.startswith(place.of.prefix)):
        ask = partial(firehose.put_record_batch, DeliveryStreamName=name, Records=[{"Data": b"{}"}])
        return refused(ask, *INVALID)
    raise NotAskedError("no stream of this stage reads a Kinesis data stream")


@check
def a_batch_for_a_data_stream_has_bounds(place: Place) -> str:
    """PutRecords takes 500 records, 1 MiB each and 5 MiB in all."""
    kinesis = place.client("kinesis")
    if place.of.prefix not in kinesis.list_streams()["StreamNames"]:
        raise NotAskedError("this stage has no Kinesis data stream")

    def send(count: int, size: int) -> str:
        records: Any = [{"Data": bytes(size), "PartitionKey": "1"}] * count
        return refused(
            lambda: kinesis.put_records(StreamName=place.of.prefix, Records=records),
            "ValidationException",
            *INVALID,
        )

    send(501, 1)
    send(1, 1024 * 1024 + 1)
    return send(6, 1000 * 1024)
