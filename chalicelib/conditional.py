"""Hold an object in S3 by conditional writes. A holder that does not renew it for too long counts as dead.

docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from chalicelib import clients

BEATEN = {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"}
"""What S3 answers to a conditional write when somebody else has written in between."""
MISSING = {"NoSuchKey", "AccessDenied"}
"""What S3 answers where there is no object: it denies that to who may not list."""


class HeldError(Exception):
    """Somebody else holds the object, and has renewed it recently."""


class Stored(NamedTuple):
    """The object: its content, its age in seconds, its ETag."""

    said: dict[str, Any]
    age: float
    etag: str


def code(error: ClientError) -> str:
    return error.response["Error"]["Code"]


def read(bucket: str, key: str) -> Stored | None:
    """Return the object, None where there is none. Raises what boto3 raises."""
    try:
        answer = clients.s3().get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if code(error) in MISSING:
            return None
        raise
    # Both times are S3's own, so that nobody's clock has to be right.
    now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    return Stored(json.loads(answer["Body"].read()), (now - answer["LastModified"]).total_seconds(), answer["ETag"])


def write(bucket: str, key: str, said: dict[str, Any], condition: dict[str, str]) -> str:
    """Write the object under a condition (`IfMatch`, `IfNoneMatch`); return its ETag. Raises what boto3 raises.

    The ETag is a hash of the content, so what is written must differ from write to write.
    """
    put: Any = clients.s3().put_object
    etag: str = put(Bucket=bucket, Key=key, Body=json.dumps(said).encode(), **condition)["ETag"]
    return etag
