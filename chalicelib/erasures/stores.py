"""Read and rewrite the objects that hold posts: one after the other, in memory that doesn't grow with them.

An object with erased posts is rewritten under its key, and then its old versions are removed. A version that is not
the current one can't be rewritten, so it is removed as a whole. Both steps can be repeated, and a crash between them
leaves an old version that the next look finds.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from chalicelib import bodies, clients, layout
from chalicelib.erasures import records
from chalicelib.erasures.records import Digests

MOST_BYTES = 256 << 20
"""Of one object, unpacked: Firehose gathers up to 128 MB, and of records in base64 a third more.
docs.aws.amazon.com/firehose/latest/dev/create-configure-backup.html"""
MOST_LINE = 16 << 20  # of a row, a refusal, or a record that failed: Lambda takes 6 MB
MOST_BACKUP_LINE = 128 << 20  # the source backup is one line where the producer ends no record with a newline
ATTEMPTS = 5  # at an object that somebody else writes at the same time


class Store(NamedTuple):
    """How the objects under a prefix are read. `of`: the digests of a line. `without`: what is left of it once some are
    erased, the line itself where nothing is. `arrival`: when what it holds arrived, where the warehouse doesn't know.
    """

    prefix: str
    of: Callable[[bytes], Iterable[str]]
    without: Callable[[bytes, Digests, str], bytes]
    arrival: Callable[[bytes], datetime | None] = lambda _: None
    split: Callable[[Iterable[bytes]], Iterable[bytes]] = iter
    most_line: int = MOST_LINE


TWEETS = Store(layout.TWEETS, records.of_row, records.row_without)
DELIVERY = Store(f"{layout.DELIVERY}2", records.of_row, records.row_without)  # their keys begin with the year
SOURCE = Store(
    layout.SOURCE, records.of_source, records.source_without, split=records.pieces, most_line=MOST_BACKUP_LINE
)
REJECTED = Store(layout.REJECTED, records.of_refusal, records.refusal_without, records.arrival_of_refusal)
FAILED = Store(layout.FAILED, records.of_failure, records.failure_without, records.arrival_of_failure)
KINDS = (TWEETS, DELIVERY, SOURCE, REJECTED, FAILED)


class Version(NamedTuple):
    """One version of an object, by a listing."""

    store: Store
    key: str
    version: str
    current: bool
    bytes: int
    written_at: datetime


@dataclass
class Work:
    """Counts of what was read, rewritten and removed, and why objects could not be read, by key."""

    read: int = 0
    bytes: int = 0
    rewritten: int = 0
    versions: int = 0
    trouble: dict[str, str] = field(default_factory=dict)


def store_of(key: str) -> Store | None:
    """Return how the object of a key is read; None for what holds no posts."""
    return next((store for store in KINDS if key.startswith(store.prefix)), None)


def versions(bucket: str, store: Store, prefix: str, after: str = "") -> Iterator[Version]:
    """Yield all versions of the objects under a prefix, in the order of their keys; with `after` those behind a key."""
    begin: dict[str, Any] = {"KeyMarker": after} if after else {}
    for page in clients.s3().get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix, **begin):
        for each in page.get("Versions", ()):
            written = each["LastModified"].astimezone(UTC)
            yield Version(store, each["Key"], each["VersionId"], each["IsLatest"], each["Size"], written)


def version_lines(bucket: str, of: Version, work: Work) -> Iterator[bytes]:
    """Yield the lines of a version as its store has them. What can't be read is written down, and ends it.

    An old version that can't be read goes: what is in it can't be told, and what replaced it is there.
    """
    try:
        stored = clients.s3().get_object(Bucket=bucket, Key=of.key, VersionId=of.version)
        work.read += 1
        work.bytes += of.bytes
        for line in of.store.split(bodies.lines(stored["Body"], MOST_BYTES, of.store.most_line)):
            if not line.isspace():
                yield line
    except (OSError, EOFError, zlib.error, ValueError) as error:
        if of.current:
            work.trouble[of.key] = f"it can't be read: {type(error).__name__}: {error}"
        else:
            remove(bucket, of, work)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"NoSuchKey", "NoSuchVersion"}:
            raise


def clean(bucket: str, of: Version, erased: Digests, at: str, work: Work) -> list[datetime]:
    """Remove erased posts from one version; return when they had arrived, as far as the lines say."""
    arrivals = [
        of.store.arrival(line) for line in version_lines(bucket, of, work) if not erased.isdisjoint(of.store.of(line))
    ]
    if arrivals:
        if of.current:
            rewrite(bucket, of.store, of.key, erased, at, work)
            remove_old(bucket, of.store, of.key, work)
        else:
            remove(bucket, of, work)
    return [arrival for arrival in arrivals if arrival]


def rewrite(bucket: str, store: Store, key: str, erased: Digests, at: str, work: Work) -> None:
    """Rewrite an object without erased posts, if it holds any. Raises what boto3 raises."""
    for attempt in range(ATTEMPTS):
        try:
            _rewrite(bucket, store, key, erased, at, work)
            return
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in {"NoSuchKey", "NoSuchVersion"}:
                return  # somebody removed it
            if code not in {"PreconditionFailed", "ConditionalRequestConflict"} or attempt == ATTEMPTS - 1:
                raise


def _rewrite(bucket: str, store: Store, key: str, erased: Digests, at: str, work: Work) -> None:
    stored: Any = clients.s3().get_object(Bucket=bucket, Key=key)
    body = stored["Body"].read()
    packed, changed = bytearray(), False
    gzipped = body[:2] == bodies.GZIP
    into = zlib.compressobj(6, wbits=31)
    try:
        for line in store.split(bodies.lines(BytesIO(body), MOST_BYTES, store.most_line)):
            kept = store.without(line, erased, at)
            changed = changed or kept is not line
            packed += into.compress(kept) if gzipped else kept
    except (OSError, EOFError, zlib.error, ValueError) as error:
        work.trouble[key] = f"it can't be read: {type(error).__name__}: {error}"
        return
    if changed:
        packed += into.flush() if gzipped else b""
        clients.s3().put_object(
            Bucket=bucket, Key=key, Body=bytes(packed), ContentType=stored["ContentType"], IfMatch=stored["ETag"]
        )
        work.rewritten += 1


def remove_old(bucket: str, store: Store, key: str, work: Work) -> None:
    """Remove all versions of an object but the current one."""
    for each in versions(bucket, store, key):
        if each.key == key and not each.current:
            remove(bucket, each, work)


def remove(bucket: str, version: Version, work: Work) -> None:
    """Remove one version of an object, for good."""
    clients.s3().delete_object(Bucket=bucket, Key=version.key, VersionId=version.version)
    work.versions += 1


def remove_all(bucket: str, key: str, work: Work) -> None:
    """Remove an object with all its versions."""
    for each in versions(bucket, TWEETS, key):
        if each.key == key:
            remove(bucket, each, work)
