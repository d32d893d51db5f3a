"""Read a delivery stream's settings from its description in the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.core.exceptions import ServiceException

from local.aws.firehose.buffer import Hints

MEBIBYTE = 1024 * 1024
TRANSFORM_HINTS = Hints(MEBIBYTE, 60.0)
S3_HINTS = Hints(5 * MEBIBYTE, 300.0)
RETRIES = 3
REDSHIFT_RETRY_SECONDS = 3600
"""Defaults: docs.aws.amazon.com/firehose/latest/APIReference/API_BufferingHints.html, _RedshiftRetryOptions.html;
docs.aws.amazon.com/firehose/latest/dev/data-transformation.html"""
MOST_RETRIES, MOST_SECONDS, MOST_RETRY_SECONDS = 300, 900, 7200
TRANSFORM_MEGABYTES = (0.2, 3.0)
DESTINATIONS = ("S3", "ExtendedS3", "Redshift")
REDSHIFT_PREFIXES = "Prefix Expressions or ErrorOutputPrefix is currently not supported for this destination"
"""What AWS answers: a Redshift destination takes neither, in its S3 bucket or in its backup
(docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html)."""


class AwsError(ServiceException):  # type: ignore[misc]
    """An error of the service, with its code and message. Must live outside moto to be serialised as such."""


def invalid(message: str) -> AwsError:
    return AwsError("InvalidArgumentException", message)


@dataclass(frozen=True)
class Place:
    """Where objects go in S3, and how they are buffered."""

    bucket: str
    prefix: str
    error_prefix: str
    gzip: bool
    hints: Hints


@dataclass(frozen=True)
class Processor:
    """The function that transforms."""

    arn: str
    hints: Hints
    retries: int


@dataclass(frozen=True)
class Login:
    """A user of the database."""

    username: str
    password: str


@dataclass(frozen=True)
class Copy:
    """The COPY from S3 into Redshift."""

    table: str
    columns: str  # as given: comma-separated, may be empty
    options: str
    role_arn: str
    retry_seconds: float
    login: Login | str  # or the ARN of the secret that has it


@dataclass(frozen=True)
class Settings:
    """One stream: where from, through what, where to."""

    name: str
    arn: str
    region: str
    version: str
    source_arn: str | None  # of a Kinesis data stream
    place: Place
    processor: Processor | None
    copy: Copy | None
    backup: Place | None


def settings(stream: Any, region: str) -> Settings:
    """From moto's DeliveryStream."""
    described = stream.destinations[0]
    kind = next(kind for kind in ("Redshift", "ExtendedS3", "S3") if kind in described)
    given = described[kind]
    s3 = given["S3DestinationDescription"] if kind == "Redshift" else given
    backs_up = given.get("S3BackupMode") == "Enabled" and given.get("S3BackupDescription")
    return Settings(
        name=stream.delivery_stream_name,
        arn=stream.delivery_stream_arn,
        region=region,
        version=stream.version_id,
        source_arn=(stream.source or {}).get("KinesisStreamARN"),
        place=place(s3),
        processor=processor(given.get("ProcessingConfiguration") or {}),
        copy=copy(given) if kind == "Redshift" else None,
        backup=place(given["S3BackupDescription"]) if backs_up else None,
    )


def place(given: Mapping[str, Any]) -> Place:
    prefix = given.get("Prefix") or ""
    hints = given.get("BufferingHints") or {}
    return Place(
        bucket=given["BucketARN"].rpartition(":")[2],
        prefix=prefix,
        error_prefix=given.get("ErrorOutputPrefix") or prefix,
        gzip=given.get("CompressionFormat") == "GZIP",
        hints=Hints(
            int(hints.get("SizeInMBs", S3_HINTS.bytes // MEBIBYTE)) * MEBIBYTE,
            float(hints.get("IntervalInSeconds", S3_HINTS.seconds)),
        ),
    )


def processor(given: Mapping[str, Any]) -> Processor | None:
    """Return the Lambda processor, if there is one and it is enabled."""
    if not given.get("Enabled"):
        return None
    for each in given.get("Processors") or ():
        if each["Type"] == "Lambda":
            known = {p["ParameterName"]: p["ParameterValue"] for p in each.get("Parameters") or ()}
            hints = Hints(
                int(float(known.get("BufferSizeInMBs", TRANSFORM_HINTS.bytes / MEBIBYTE)) * MEBIBYTE),
                float(known.get("BufferIntervalInSeconds", TRANSFORM_HINTS.seconds)),
            )
            return Processor(known["LambdaArn"], hints, int(known.get("NumberOfRetries", RETRIES)))
    return None


def copy(given: Mapping[str, Any]) -> Copy:
    command, secret = given["CopyCommand"], given.get("SecretsManagerConfiguration") or {}
    return Copy(
        table=command["DataTableName"],
        columns=command.get("DataTableColumns") or "",
        options=command.get("CopyOptions") or "",
        role_arn=given["RoleARN"],
        retry_seconds=float((given.get("RetryOptions") or {}).get("DurationInSeconds", REDSHIFT_RETRY_SECONDS)),
        login=secret["SecretARN"] if secret.get("Enabled") else login(given),
    )


def login(given: Mapping[str, Any]) -> Login:
    """Return the login that the destination itself has."""
    return Login(given.get("Username", ""), given.get("Password", ""))


PLACES = ("S3DestinationDescription", "S3BackupDescription", "ExtendedS3DestinationDescription")


def with_defaults(described: Any) -> Any:
    """Return a description with what AWS says of each place, whether it was given or not.

    The members that the service model of Firehose requires of S3DestinationDescription.
    """
    if isinstance(described, list):
        return [with_defaults(each) for each in described]
    if not isinstance(described, dict):
        return described
    found = {key: with_defaults(each) for key, each in described.items()}
    for name in PLACES:
        if isinstance(found.get(name), dict):
            found[name] = {
                "BufferingHints": {"SizeInMBs": S3_HINTS.bytes // MEBIBYTE, "IntervalInSeconds": int(S3_HINTS.seconds)},
                "CompressionFormat": "UNCOMPRESSED",
                "EncryptionConfiguration": {"NoEncryptionConfig": "NoEncryption"},
                **found[name],
            }
    return found


def check(kind: str, given: Mapping[str, Any], *, update: bool = False) -> None:
    """Refuse what AWS refuses, and by name what the local Firehose can't do. Raises InvalidArgumentException.

    `given` is a destination's configuration as CreateDeliveryStream takes it, or as UpdateDestination does.
    """
    if kind not in DESTINATIONS:
        raise invalid(f"The local Firehose delivers to S3 and Redshift, not to {kind}.")
    s3 = (given.get("S3Update" if update else "S3Configuration") or {}) if kind == "Redshift" else given
    backup = given.get("S3BackupUpdate" if update else "S3BackupConfiguration") or {}
    if kind == "Redshift":
        for each in (s3, backup):
            if "!{" in (each.get("Prefix") or "") or each.get("ErrorOutputPrefix"):
                raise invalid(REDSHIFT_PREFIXES)
        if s3.get("CompressionFormat") in ("Snappy", "ZIP", "HADOOP_SNAPPY"):
            raise invalid(
                f"Compression format {s3['CompressionFormat']} is not supported for a Redshift destination: "
                "its COPY can't read it."
            )
        seconds = (given.get("RetryOptions") or {}).get("DurationInSeconds", 0)
        if not 0 <= seconds <= MOST_RETRY_SECONDS:
            raise invalid(f"RetryOptions.DurationInSeconds must be from 0 to {MOST_RETRY_SECONDS}.")
        if not update and not (
            given.get("Username") or (given.get("SecretsManagerConfiguration") or {}).get("Enabled")
        ):
            raise invalid("A Redshift destination needs Username and Password, or SecretsManagerConfiguration.")
    for place in (s3, backup):
        check_place(place)
    if given.get("S3BackupMode") == "Enabled" and not update and not given.get("S3BackupConfiguration"):
        raise invalid("S3BackupConfiguration is needed when S3BackupMode is Enabled.")
    check_processing(given.get("ProcessingConfiguration") or {})


def check_place(given: Mapping[str, Any]) -> None:
    if "!{" in (given.get("Prefix") or "") + (given.get("ErrorOutputPrefix") or ""):
        raise invalid("The local Firehose evaluates no prefix expressions; objects go to <prefix>YYYY/MM/DD/HH/.")
    if given.get("CompressionFormat") not in (None, "UNCOMPRESSED", "GZIP"):
        raise invalid(f"The local Firehose compresses with GZIP or not at all, not with {given['CompressionFormat']}.")
    for option in ("DynamicPartitioningConfiguration", "DataFormatConversionConfiguration"):
        if (given.get(option) or {}).get("Enabled"):
            raise invalid(f"The local Firehose has no {option}.")
    hints = given.get("BufferingHints") or {}
    if not 0 <= hints.get("IntervalInSeconds", 0) <= MOST_SECONDS:
        raise invalid(f"BufferingHints.IntervalInSeconds must be from 0 to {MOST_SECONDS}.")
    if not 1 <= hints.get("SizeInMBs", 1) <= 128:
        raise invalid("BufferingHints.SizeInMBs must be from 1 to 128.")


def check_processing(given: Mapping[str, Any]) -> None:
    if not given.get("Enabled"):
        return
    for each in given.get("Processors") or ():
        if each["Type"] != "Lambda":
            raise invalid(f"The local Firehose processes with Lambda, not with {each['Type']}.")
        known = {p["ParameterName"]: p["ParameterValue"] for p in each.get("Parameters") or ()}
        if "LambdaArn" not in known:
            raise invalid("The Lambda processor needs the parameter LambdaArn.")
        least, most = TRANSFORM_MEGABYTES
        for name, low, high in (
            ("BufferSizeInMBs", least, most),
            ("BufferIntervalInSeconds", 0, MOST_SECONDS),
            ("NumberOfRetries", 0, MOST_RETRIES),
        ):
            try:
                within = low <= float(known.get(name, low)) <= high
            except ValueError:
                within = False
            if not within:
                raise invalid(f"The Lambda processor's {name} must be from {low} to {high}, not {known[name]}.")
