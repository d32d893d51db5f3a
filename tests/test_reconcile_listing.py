"""What should be in the warehouse is read off a LIST: of the hours that were asked for, and of tweet files alone."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib import clients
from chalicelib.reconcile import listing
from chalicelib.reconcile.hours import Range, asked, ranges
from chalicelib.reconcile.listing import MOST_KEY_BYTES, between, manifest

START = datetime(2026, 1, 2, 3, tzinfo=UTC)
HOUR = timedelta(hours=1)
FOREVER = float("inf")


class S3:
    """A bucket that is listed in pages of two."""

    def __init__(self, *keys: str) -> None:
        self.keys, self.objects = sorted(keys), dict[str, bytes]()

    def get_paginator(self, name: str) -> Any:
        assert name == "list_objects_v2"
        return self

    def paginate(self, *, Bucket: str, Prefix: str, StartAfter: str) -> Iterator[dict[str, Any]]:
        found = [key for key in self.keys if key.startswith(Prefix) and key > StartAfter]
        for at in range(0, max(1, len(found)), 2):
            yield {"Contents": [{"Key": key, "Size": 7, "LastModified": START} for key in found[at : at + 2]]}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:
        self.objects[Key] = Body


def key(hour: int, name: str = "a", rows: int = 5) -> str:
    return f"tweets/{START + HOUR * hour:dt=%Y-%m-%d/hh=%H}/{name}-{rows}.ndjson.gz"


def bucket(monkeypatch: pytest.MonkeyPatch, *keys: str) -> S3:
    found = S3(*keys)
    monkeypatch.setattr(clients, "s3", lambda: found)
    return found


def names(s3: S3) -> list[dict[str, Any]]:
    parts = [body for name, body in s3.objects.items() if name.endswith(".ndjson.gz")]
    return [json.loads(line) for body in parts for line in gzip.decompress(body).splitlines()]


def test_a_range_has_its_hours_and_not_the_one_behind_or_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = bucket(monkeypatch, *(key(hour, name) for hour in range(-1, 4) for name in ("a", "b")))
    listed = listing.write("bucket", "work/", [Range(START, START + 2 * HOUR)], FOREVER)
    assert [line["s3_key"] for line in names(s3)] == [key(0, "a"), key(0, "b"), key(1, "a"), key(1, "b")]
    assert listed.hours == [START, START + HOUR]
    assert (listed.files, listed.complete, listed.foreign) == (4, True, [])


def test_the_newest_hours_come_first_for_time_may_run_out() -> None:
    old, new = START, START + 5 * HOUR
    assert ranges({old, old + HOUR, new}) == [Range(new, new + HOUR), Range(old, old + 2 * HOUR)]


def test_a_bound_that_is_asked_for_is_not_in_it() -> None:
    assert asked([START.date()], START, START + 2 * HOUR, START + 9 * HOUR) == {START, START + HOUR}


def test_a_listing_stops_at_the_first_key_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    bucket(monkeypatch, "t/a", "t/b", "t/c", "t/c/d", "t/d")
    assert [each.key for each in between("bucket", "t/", "a", "c")] == ["t/b"]


def test_a_file_says_its_rows_its_bytes_its_hour_and_when_it_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = bucket(monkeypatch, key(0, rows=123))
    listed = listing.write("bucket", "work/", [Range(START, START + HOUR)], FOREVER)
    assert names(s3) == [
        {
            "s3_key": key(0, rows=123),
            "hour_key": "tweets/dt=2026-01-02/hh=03/",
            "expected_rows": 123,
            "bytes": 7,
            "written_at": "2026-01-02 03:00:00",
        }
    ]
    assert json.loads(s3.objects[listed.manifest])["entries"]


def test_a_key_that_its_column_cannot_hold_is_foreign_and_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    longest = key(0, "x" * (MOST_KEY_BYTES - len(key(0, ""))))
    too_long = longest.replace("/x", "/xx")
    other = "tweets/dt=2026-01-02/hh=03/notes.txt"
    s3 = bucket(monkeypatch, longest, too_long, other)
    listed = listing.write("bucket", "work/", [Range(START, START + HOUR)], FOREVER)
    assert len(longest) == 256
    assert [line["s3_key"] for line in names(s3)] == [longest]
    assert listed.foreign == sorted([too_long, other])


def test_every_file_of_a_manifest_is_mandatory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else COPY passes over a file that has gone, and its rows are deleted for good."""
    s3 = bucket(monkeypatch)
    assert manifest("bucket", "work/m", ["tweets/a", "tweets/b"]) == "work/m"
    assert json.loads(s3.objects["work/m"]) == {
        "entries": [
            {"url": "s3://bucket/tweets/a", "mandatory": True},
            {"url": "s3://bucket/tweets/b", "mandatory": True},
        ]
    }


def test_hours_that_time_ran_out_for_are_not_among_the_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    bucket(monkeypatch, key(0))
    listed = listing.write("bucket", "work/", [Range(START, START + HOUR)], deadline=0.0)
    assert (listed.hours, listed.complete, listed.manifest) == ([], False, "")
