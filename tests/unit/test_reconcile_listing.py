"""What should be in the warehouse is read off a LIST: of the hours that were asked for, and of tweet files alone."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from unittest import mock

import pytest

from chalicelib import clients, times
from chalicelib.reconcile import listing
from chalicelib.reconcile.hours import HourFiles, Range, asked, ranges
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

    def paginate(
        self, *, Bucket: str, Prefix: str, StartAfter: str = "", Delimiter: str = ""
    ) -> Iterator[dict[str, Any]]:
        assert Bucket == "bucket"
        found = [key for key in self.keys if key.startswith(Prefix) and key > StartAfter]
        if Delimiter:
            folders = {Prefix + key.removeprefix(Prefix).partition(Delimiter)[0] + Delimiter for key in found}
            yield {"CommonPrefixes": [{"Prefix": folder} for folder in sorted(folders)]}
            yield {}
            return
        for at in range(0, max(1, len(found)), 2):
            told = [{"Key": key, "Size": 7, "LastModified": self.written(key)} for key in found[at : at + 2]]
            yield {"Contents": told} if told else {}

    def written(self, key: str) -> datetime:
        return START

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:
        assert Bucket == "bucket"
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


def test_the_days_that_have_files_are_read_off_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    bucket(monkeypatch, key(0), key(1), key(24), "tweets/notes/x", "rejected/dt=2026-03-01/hh=00/x")
    assert listing.stored_days("bucket") == {date(2026, 1, 2), date(2026, 1, 3)}
    assert listing.stored_days("bucket", "rejected/") == {date(2026, 3, 1)}


def test_of_each_hour_its_files_are_counted_with_the_time_of_the_newest_write(monkeypatch: pytest.MonkeyPatch) -> None:
    minutes = {key(0, "a"): 5, key(0, "b"): 9, key(0, "c"): 7, key(1, "a"): 8}
    s3 = bucket(monkeypatch, *minutes, "tweets/dt=2026-01-02/hh=03/notes.txt", key(2))
    monkeypatch.setattr(s3, "written", lambda key: START + timedelta(minutes=minutes.get(key, 0)))
    seen = listing.Listing()
    assert listing.files_of("bucket", Range(START - HOUR, START + 2 * HOUR), seen) == {
        START: HourFiles(3, START + timedelta(minutes=9), 15),
        START + HOUR: HourFiles(1, START + timedelta(minutes=8), 5),
    }
    assert seen.requests == 3  # six files, two a request


def test_the_files_of_an_hour_that_are_written_down_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    bucket(monkeypatch, key(0, "a"), key(0, "b"), key(1))
    listed = listing.write("bucket", "work/", [Range(START, START + 2 * HOUR)], FOREVER)
    assert listed.hour_files == {START: HourFiles(2, START, 10), START + HOUR: HourFiles(1, START, 5)}


def test_ranges_are_listed_one_after_the_other_and_hours_come_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = bucket(monkeypatch, key(0), key(1), key(5))
    spans = [Range(START + 5 * HOUR, START + 7 * HOUR), Range(START, START + 2 * HOUR)]
    listed = listing.write("bucket", "work/", spans, FOREVER, requests=3)
    assert listed.hours == [START, START + HOUR, START + 5 * HOUR, START + 6 * HOUR]
    assert listed.hour_files == dict.fromkeys((START, START + HOUR, START + 5 * HOUR), HourFiles(1, START, 5))
    assert listed.newest == dict.fromkeys((START, START + HOUR, START + 5 * HOUR), START)
    assert (listed.files, listed.requests, listed.manifest) == (3, 3 + 1 + 2, "work/files.manifest")
    assert sorted(s3.objects) == ["work/files-00001.ndjson.gz", "work/files.manifest"]
    assert [line["s3_key"] for line in names(s3)] == [key(5), key(0), key(1)]
    assert listing.write("bucket", "work/", [], FOREVER) == listing.Listing()


def test_names_are_written_in_parts_that_redshift_loads_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "PART", 2)
    s3 = bucket(monkeypatch, *(key(0, f"{n}") for n in range(5)))
    listed = listing.write("bucket", "work/", [Range(START, START + HOUR)], FOREVER)
    parts = [f"work/files-0000{n}.ndjson.gz" for n in (1, 2, 3)]
    assert [len(gzip.decompress(s3.objects[part]).splitlines()) for part in parts] == [2, 2, 1]
    assert json.loads(s3.objects[listed.manifest])["entries"] == [
        {"url": f"s3://bucket/{part}", "mandatory": True} for part in parts
    ]


def test_a_hundred_foreign_keys_are_named_and_the_files_behind_them_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = [f"tweets/dt=2026-01-02/hh=03/{n:03}" for n in range(120)]
    bucket(monkeypatch, *foreign, key(0, "z"))
    listed = listing.write("bucket", "work/", [Range(START, START + HOUR)], FOREVER)
    assert (listed.foreign, listed.files) == (foreign[:100], 1)


def test_the_clock_is_looked_at_once_in_a_thousand_files_and_what_was_got_through_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks = []

    def monotonic() -> float:
        looks.append(1)
        return 10.0 * len(looks)

    monkeypatch.setattr(time, "monotonic", monotonic)
    keys = [key(n // 700, f"{n:05}") for n in range(2100)]
    bucket(monkeypatch, *keys)
    spans = [Range(START, START + 4 * HOUR), Range(START - HOUR, START)]
    listed = listing.write("bucket", "work/", spans, deadline=20.0)
    assert len(looks) == 3
    assert (listed.files, listed.complete, listed.hours) == (2000, False, [START, START + HOUR])
    looks.clear()
    assert listing.write("bucket", "work/", spans, deadline=30.0).complete


def test_a_few_rows_are_a_file_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = bucket(monkeypatch)
    assert listing.write_lines("bucket", "work/x", [{"a": 1}, {"a": 2}]) == "s3://bucket/work/x"
    assert gzip.decompress(s3.objects["work/x"]) == b'{"a":1}\n{"a":2}\n'


def test_a_time_is_written_in_utc_to_the_second() -> None:
    moment = datetime(2026, 1, 2, 4, 5, 6, 789_000, tzinfo=timezone(HOUR))
    assert times.sql(moment) == "2026-01-02 03:05:06"


def test_of_each_hour_it_is_told_when_its_files_were_written_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = bucket(monkeypatch, key(0, "a"), key(0, "b"), key(1, "c"), key(3, "d"), key(1).replace(".ndjson", ".txt"))
    at = {key(0, "a"): START + HOUR, key(0, "b"): START, key(1, "c"): START, key(3, "d"): START}
    monkeypatch.setattr(s3, "written", lambda name: at.get(name, START))
    seen = listing.Listing()
    found = listing.written("bucket", Range(START, START + 3 * HOUR), seen)
    assert found == {START: [START, START + HOUR], START + HOUR: [START]}
    assert seen.requests == 3


def test_whether_there_is_any_tweet_file_is_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[dict[str, Any]] = [{}, {"Contents": [{"Key": key(0)}]}]
    s3 = mock.Mock()
    s3.list_objects_v2.side_effect = answers
    monkeypatch.setattr(clients, "s3", lambda: s3)
    assert [listing.any_file("bucket") for _ in range(2)] == [False, True]
    assert s3.list_objects_v2.call_args_list == [mock.call(Bucket="bucket", Prefix="tweets/", MaxKeys=1)] * 2
