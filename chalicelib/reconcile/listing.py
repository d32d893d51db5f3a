"""List the tweet files of some hours, and write their names to S3 for COPY.

A file's row count is in its name, so a LIST is enough: one request for 1,000 files, and none for a file. Keys stream
from LIST to gzipped lines, so memory doesn't grow with their number.
"""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import orjson

from chalicelib import clients, layout, times
from chalicelib.reconcile import hours
from chalicelib.reconcile.hours import HourFiles, Range

MOST_KEY_BYTES = 256  # of s3_key
PART = 50_000  # lines: some megabytes, and parts for Redshift to load at once
MOST_FOREIGN = 100  # named in the report


class Object(NamedTuple):
    """One object of a LIST: its key, bytes and when it was last written."""

    key: str
    bytes: int
    written_at: datetime


@dataclass
class Listing:
    """A listing: the hours that were listed completely, in order, and where their files' names are for COPY."""

    hours: list[datetime] = field(default_factory=list)
    hour_files: dict[datetime, HourFiles] = field(default_factory=dict)  # of those hours that have files
    days: set[date] = field(default_factory=set)  # that have files, where somebody asked
    files: int = 0
    requests: int = 0
    complete: bool = True  # whether time was enough for all hours
    foreign: list[str] = field(default_factory=list)  # keys that are no tweet files'
    manifest: str = ""  # key of the COPY manifest of the names; empty where there is no file

    @property
    def newest(self) -> dict[datetime, datetime]:
        """Return when the newest file of an hour was written, for those that have files."""
        return {hour: known.at for hour, known in self.hour_files.items()}


def stored_days(bucket: str, folder: str = layout.TWEETS) -> set[date]:
    """Return the days that have files, from their folders: a request for 1,000 days."""
    pages = clients.s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder, Delimiter="/")
    return hours.days(each["Prefix"] for page in pages for each in page.get("CommonPrefixes", ()))


def objects(bucket: str, folder: str, span: Range, listing: Listing | None = None) -> Iterator[Object]:
    """Yield the objects under `<folder>dt=…/hh=…/` of a range, in order of their keys; counts requests in `listing`."""
    yield from between(bucket, folder, layout.hour_folder(span.start), layout.hour_folder(span.stop), listing)


def between(bucket: str, folder: str, start: str, stop: str, listing: Listing | None = None) -> Iterator[Object]:
    """Yield the objects of a folder whose keys behind it are from `start` up to, not including, `stop`."""
    pages = clients.s3().get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket=bucket, Prefix=folder, StartAfter=folder + start):
        if listing:
            listing.requests += 1
        for item in page.get("Contents", ()):
            if item["Key"] >= folder + stop:
                return
            yield Object(item["Key"], item["Size"], item["LastModified"].astimezone(UTC))


def tweet_file(key: str) -> re.Match[str] | None:
    """Match a tweet file's key (group 1: its hour, 2: its rows); return None for other keys."""
    return layout.TWEET_FILE.fullmatch(key) if len(key.encode()) <= MOST_KEY_BYTES else None


def files_of(bucket: str, span: Range, listing: Listing) -> dict[datetime, HourFiles]:
    """Return how many tweet files each hour of a range has, their rows, and when the newest was written; counts
    requests."""
    by_key: dict[str, HourFiles] = {}
    for file in objects(bucket, layout.TWEETS, span, listing):
        if named := tweet_file(file.key):
            by_key[named[1]] = with_file(by_key.get(named[1]), file, int(named[2]))
    return {hour: by_key[layout.hour_folder(hour)] for hour in hours.within(span) if layout.hour_folder(hour) in by_key}


def with_file(known: HourFiles | None, file: Object, rows: int) -> HourFiles:
    """Return an hour's files with one file added."""
    files, newest, before = known or HourFiles(0, file.written_at)
    return HourFiles(files + 1, max(newest, file.written_at), before + rows)


def written(bucket: str, span: Range, listing: Listing) -> dict[datetime, list[datetime]]:
    """Return when the tweet files of each hour of a range were written, in order; counts requests."""
    by_key: dict[str, list[datetime]] = {}
    for file in objects(bucket, layout.TWEETS, span, listing):
        if named := tweet_file(file.key):
            by_key.setdefault(named[1], []).append(file.written_at)
    return {
        hour: sorted(by_key[layout.hour_folder(hour)])
        for hour in hours.within(span)
        if layout.hour_folder(hour) in by_key
    }


def any_file(bucket: str) -> bool:
    """Return whether there is a tweet file at all: one request."""
    return bool(clients.s3().list_objects_v2(Bucket=bucket, Prefix=layout.TWEETS, MaxKeys=1).get("Contents"))


def write(bucket: str, prefix: str, spans: Sequence[Range], deadline: float, requests: int = 0) -> Listing:
    """List the ranges one after the other and write their files' names under `prefix`, until `deadline` (monotonic).

    Writing the same listing again overwrites it. An hour that wasn't got through isn't among the listing's hours,
    though some of its names may have been written. `requests` were made before.
    """
    listing, lines = Listing(requests=requests), LineWriter(bucket, f"{prefix}files-")
    for span in spans:
        due, reached = hours.within(span), 0
        for file in objects(bucket, layout.TWEETS, span, listing):
            while reached < len(due) and file.key >= layout.TWEETS + layout.hour_folder(due[reached] + hours.HOUR):
                reached += 1
            if listing.files % 1000 == 0 and time.monotonic() > deadline:
                listing.complete = False
                break
            named = tweet_file(file.key)
            if not named:
                listing.foreign = [*listing.foreign, file.key][:MOST_FOREIGN]
                continue
            listing.files += 1
            listing.hour_files[due[reached]] = with_file(listing.hour_files.get(due[reached]), file, int(named[2]))
            lines.add(
                {
                    "s3_key": file.key,
                    "hour_key": layout.TWEETS + named[1],
                    "expected_rows": int(named[2]),
                    "bytes": file.bytes,
                    "written_at": times.sql(file.written_at),
                }
            )
        listing.hours += due if listing.complete else due[:reached]
        if not listing.complete:
            break
    lines.end()
    listing.hours.sort()
    if lines.parts:
        listing.manifest = manifest(bucket, f"{prefix}files.manifest", lines.parts)
    return listing


class LineWriter:
    """Writes JSON lines to gzipped objects `<prefix>00001.ndjson.gz`, … of up to PART lines."""

    def __init__(self, bucket: str, prefix: str) -> None:
        self._bucket, self._prefix = bucket, prefix
        self.parts: list[str] = []  # keys
        self._open()

    def _open(self) -> None:
        self._gzip, self._body, self._count = zlib.compressobj(1, wbits=31), bytearray(), 0

    def add(self, line: dict[str, Any]) -> None:
        self._body += self._gzip.compress(orjson.dumps(line) + b"\n")
        self._count += 1
        if self._count == PART:
            self.end()

    def end(self) -> None:
        """Write the remaining lines."""
        if self._count:
            key = f"{self._prefix}{len(self.parts) + 1:05}.ndjson.gz"
            self._body += self._gzip.flush()
            clients.s3().put_object(Bucket=self._bucket, Key=key, Body=bytes(self._body))
            self.parts.append(key)
        self._open()


def write_lines(bucket: str, key: str, rows: Iterable[dict[str, Any]]) -> str:
    """Write a few rows as gzipped JSON lines under `key`; return its URL."""
    packed = zlib.compressobj(1, wbits=31)
    body = b"".join(packed.compress(orjson.dumps(row) + b"\n") for row in rows) + packed.flush()
    clients.s3().put_object(Bucket=bucket, Key=key, Body=body)
    return f"s3://{bucket}/{key}"


def manifest(bucket: str, key: str, keys: Iterable[str]) -> str:
    """Write a COPY manifest of some objects under `key`; return its key.

    Each is mandatory: a file that has gone is an error, not nothing.
    docs.aws.amazon.com/redshift/latest/dg/loading-data-files-using-manifest.html
    """
    body = orjson.dumps({"entries": [{"url": f"s3://{bucket}/{each}", "mandatory": True} for each in keys]})
    clients.s3().put_object(Bucket=bucket, Key=key, Body=body)
    return key
