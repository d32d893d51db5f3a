"""Read a tweet file, and say why it can't be loaded."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

import orjson
from botocore.exceptions import ClientError

from chalicelib import clients, times
from chalicelib.reconcile import repair_batches
from chalicelib.reconcile.repair_batches import TweetFile

CHUNK = 1 << 20
MOST_LINE = 4 << 20  # bytes: Redshift's limit for a JSON object


class UnreadableError(Exception):
    """What is wrong with the file, in words."""


def trouble(bucket: str, file: TweetFile) -> str | None:
    """Return what is wrong with a tweet file, None if it is as its name says. Raises ClientError when S3 fails."""
    try:
        body = clients.s3().get_object(Bucket=bucket, Key=file.key)["Body"]
        check(split_lines(gunzipped(body.iter_chunks(CHUNK))), file)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return "the file is gone"
        raise
    except UnreadableError as error:
        return str(error)
    return None


def gunzipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the content of a gzip stream, in pieces of up to a MB. Raises UnreadableError."""
    unpack = zlib.decompressobj(wbits=31)
    try:
        for chunk in chunks:
            rest = chunk
            while rest and not unpack.eof:
                yield unpack.decompress(rest, CHUNK)
                rest = unpack.unconsumed_tail
            if unpack.unused_data:
                raise UnreadableError("it has data after the end of its gzip stream")
    except zlib.error as error:
        raise UnreadableError(f"it is not valid gzip: {error}") from error
    if not unpack.eof:
        raise UnreadableError("its gzip stream is cut off")


def split_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a text that comes in pieces; the last one may lack its newline. Raises UnreadableError."""
    left = b""
    for piece in pieces:
        *whole, left = (left + piece).split(b"\n")
        yield from whole
        if len(left) > MOST_LINE:
            raise UnreadableError(f"a line has more than {MOST_LINE:,} bytes")
    if left:
        yield left


def check(lines: Iterable[bytes], file: TweetFile) -> None:
    """Raise UnreadableError unless these are the lines of that file, numbered through, as many as its name says.

    Their times must be those that a repair looks at (plan.bounds), so that none is loaded that it would not find again.
    """
    since, until = map(times.sql, repair_batches.bounds([file]))
    number = 0
    for number, line in enumerate(lines, 1):
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise UnreadableError(f"line {number:,} is not JSON: {error}") from error
        if not isinstance(row, dict):
            raise UnreadableError(f"line {number:,} is not a JSON object")
        if row.get("s3_key") != file.key or row.get("s3_line") != number:
            named = f"line {row.get('s3_line')!r} of {row.get('s3_key')!r}"
            raise UnreadableError(f"line {number:,} says it is {named:.200}")
        if not since <= str(row.get("arrived_at")) < until:
            raise UnreadableError(
                f"line {number:,} did not arrive from {since} to {until}: {row.get('arrived_at')!r:.50}"
            )
    if number != file.expected_rows:
        raise UnreadableError(f"it has {number:,} lines, its name says {file.expected_rows:,}")
