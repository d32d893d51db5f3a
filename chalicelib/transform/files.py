"""Write the tweet file and the rejected file of a batch to S3."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import orjson
from botocore.exceptions import ClientError
from isal import igzip

from chalicelib import bodies, layout
from chalicelib.transform.answer import MOST_BYTES
from chalicelib.transform.batch import Batch, Record
from chalicelib.transform.rows import timestamp
from chalicelib.transform.unpack import Refusal

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

COMPRESSION = 1  # ISA-L's, which takes a sixth of zlib's fastest and comes to a little less
CONFLICTS = 5  # attempts while another invocation is writing the same file


def tweets_key(batch: Batch, rows: int) -> str:
    return layout.tweet_file(batch.folder, batch.name, rows)


def rejected_key(batch: Batch, lines: int) -> str:
    return layout.rejected_file(batch.folder, batch.name, lines)


def refusal_line(record: Record, refusal: Refusal) -> bytes:
    """Return one line of a rejected file: why, from where, and the source itself in base64."""
    line = {
        "reason": refusal.reason,
        "message": refusal.message,
        "record_id": record.id,
        "arrived_at": timestamp(record.arrived),
        "raw": b64encode(refusal.raw).decode(),
    }
    return orjson.dumps(line) + b"\n"


def compress(lines: Iterable[bytes]) -> bytes:
    """Compress lines: the same lines give the same bytes at any time."""
    return igzip.compress(b"".join(lines), COMPRESSION, mtime=0)


def write(s3: S3Client, bucket: str, key: str, lines: Iterable[bytes]) -> None:
    """Write the lines, over the same ones if a former attempt has. Raises what boto3 raises."""
    s3.put_object(Bucket=bucket, Key=key, Body=compress(lines))


def write_once(s3: S3Client, bucket: str, key: str, lines: Sequence[bytes]) -> tuple[Sequence[bytes], bool]:
    """Return the lines under the key, and whether they were there before.

    Then a former attempt at the batch wrote them, and the retry answers the same.

    Raises what boto3 raises; ValueError if the file there has another number of lines, or more than an answer's bytes.
    """
    body = compress(lines)
    for attempt in range(CONFLICTS):
        try:
            s3.put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*")
            return lines, False
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "PreconditionFailed":
                break
            if code != "ConditionalRequestConflict" or attempt == CONFLICTS - 1:
                raise
    stored = list(bodies.lines(s3.get_object(Bucket=bucket, Key=key)["Body"], MOST_BYTES, MOST_BYTES))
    if len(stored) != len(lines):
        raise ValueError(f"s3://{bucket}/{key} has {len(stored)} lines; remove it; Firehose's retry writes it again")
    return stored, True
