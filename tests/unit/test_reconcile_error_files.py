"""What was refused is counted by reason, and records without an answer by tweet, from files that may be damaged."""

from __future__ import annotations

import gzip
import io
import json
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib import clients, times
from chalicelib.reconcile import firehose_failures, hours, refusals, transaction
from chalicelib.reconcile.firehose_failures import FailedFile, GivenUp
from chalicelib.reconcile.hours import HOUR, Range
from chalicelib.reconcile.job import Deadlines, Job, Run
from chalicelib.reconcile.refusals import Sample
from chalicelib.transform.rows import tweet_key
from chalicelib.warehouse import copy
from tests.support.aws_in_memory import SETTINGS, client_error

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
SPANS = [Range(NOON, NOON + 2 * HOUR), Range(NOON - 2 * HOUR, NOON - HOUR)]  # the newest first
SOON = 2000.0


class Bucket:
    """Objects that are listed in order and read; a key in `broken` raises when it is read."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.broken: dict[str, Exception] = {}
        self.read: list[str] = []

    def get_paginator(self, name: str) -> Bucket:
        assert name == "list_objects_v2"
        return self

    def paginate(self, *, Bucket: str, Prefix: str, StartAfter: str) -> Iterator[dict[str, Any]]:
        assert Bucket == "bucket"
        found = [key for key in sorted(self.objects) if key.startswith(Prefix) and key > StartAfter]
        yield {"Contents": [{"Key": key, "Size": 1, "LastModified": NOON} for key in found]}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        assert Bucket == "bucket"
        self.read.append(Key)
        if Key in self.broken:
            raise self.broken[Key]
        return {"Body": io.BytesIO(self.objects[Key])}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:
        assert Bucket == "bucket"
        self.objects[Key] = Body


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    found = Bucket()
    monkeypatch.setattr(clients, "s3", lambda: found)
    monkeypatch.setattr("time.monotonic", lambda: 1000.0)
    return found


# ---- what was refused


def refused(reason: str, message: str = "why") -> bytes:
    return json.dumps({"reason": reason, "message": message, "raw": "x" * 500}, separators=(",", ":")).encode() + b"\n"


def rejected(bucket: Bucket, hour: datetime, name: str, *lines: bytes, says: int | None = None) -> str:
    key = f"rejected/{hour:dt=%Y-%m-%d/hh=%H}/{name}-{len(lines) if says is None else says}.ndjson.gz"
    bucket.objects[key] = gzip.compress(b"".join(lines))
    return key


def test_refusals_of_all_ranges_are_counted_by_reason_and_the_newest_files_are_read_first(bucket: Bucket) -> None:
    old = rejected(bucket, NOON - 2 * HOUR, "a", refused("no_text"))
    new = rejected(bucket, NOON + HOUR, "b", refused("no_text"), refused("empty"), refused("no_text"))
    for outside in (NOON - 3 * HOUR, NOON - HOUR, NOON + 2 * HOUR):
        rejected(bucket, outside, "c", refused("empty"))
    bucket.objects[f"rejected/{NOON:dt=%Y-%m-%d/hh=%H}/notes.txt"] = b"no file of the transform"
    found = refusals.count("bucket", SPANS, SOON)
    assert (found.tweets, found.files, found.unread) == (4, 2, 0)
    assert found.reasons == Counter({"no_text": 3, "empty": 1})
    assert found.samples == [
        Sample("no_text", "why", new, 1), Sample("empty", "why", new, 2), Sample("no_text", "why", old, 1),
    ]  # fmt: skip


def test_three_samples_of_each_reason_are_shown_one_a_file(bucket: Bucket) -> None:
    keys = [rejected(bucket, NOON, name, *[refused("empty")] * 2) for name in "abcde"]
    found = refusals.count("bucket", SPANS, SOON)
    assert found.reasons == Counter({"empty": 10})
    assert sorted((sample.s3_key, sample.line) for sample in found.samples) == [(key, 1) for key in keys[-3:]]


def test_a_message_is_read_whole_or_not_at_all(bucket: Bucket) -> None:
    messages = ['a "tweet" is \\ an object', "é" * 30, "x" * 300]
    for at, message in enumerate(messages):
        rejected(bucket, NOON, f"{9 - at}", refused(f"reason_{at}", message))
    found = refusals.count("bucket", SPANS, SOON)
    assert [sample.message for sample in found.samples] == [*messages[:2], ""]


def test_a_message_that_is_no_json_is_none(bucket: Bucket) -> None:
    rejected(bucket, NOON, "a", b'{"reason":"empty","message":"\\q"}\n')
    assert [sample.message for sample in refusals.count("bucket", SPANS, SOON).samples] == [""]


@pytest.mark.parametrize(
    "trouble", [client_error("SlowDown"), OSError("reset"), EOFError("cut")], ids=lambda each: type(each).__name__
)
def test_a_file_that_can_not_be_read_leaves_its_reasons_unknown(bucket: Bucket, trouble: Exception) -> None:
    bucket.broken[rejected(bucket, NOON, "a", refused("empty"), refused("empty"))] = trouble
    rejected(bucket, NOON, "b", refused("no_text"))
    found = refusals.count("bucket", SPANS, SOON)
    assert (found.tweets, found.unread, found.reasons) == (3, 2, Counter({"no_text": 1}))


@pytest.mark.parametrize(
    "body", [b"broken", gzip.compress(refused("empty") * 2, mtime=0)[:-9], b"\x1f\x8b\x08\0\0\0\0\0\0\0junk"]
)
def test_a_damaged_file_leaves_its_reasons_unknown(bucket: Bucket, body: bytes) -> None:
    bucket.objects[rejected(bucket, NOON, "a", says=2)] = body
    found = refusals.count("bucket", SPANS, SOON)
    assert (found.tweets, found.unread, found.reasons, found.samples) == (2, 2, Counter(), [])


def test_a_line_that_says_no_reason_makes_the_file_s_reasons_unknown(bucket: Bucket) -> None:
    rejected(bucket, NOON, "a", refused("empty"), b'{"why":"empty"}\n')
    assert refusals.count("bucket", SPANS, SOON).unread == 2


def test_a_file_over_its_budget_is_read_up_to_there(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    rejected(bucket, NOON, "a", *[refused("empty")] * 5)
    monkeypatch.setattr(refusals, "MOST_BYTES", 3 * len(refused("empty")))
    found = refusals.count("bucket", SPANS, SOON)
    assert (found.tweets, found.unread, found.reasons) == (5, 2, Counter({"empty": 3}))
    assert len(found.samples) == 1


def test_where_time_is_up_files_are_counted_and_not_read(bucket: Bucket) -> None:
    rejected(bucket, NOON, "a", refused("empty"))
    assert refusals.count("bucket", SPANS, 1000.0).unread == 0
    found = refusals.count("bucket", SPANS, 999.9)
    assert (found.tweets, found.files, found.unread) == (1, 1, 1)
    assert len(bucket.read) == 1


def test_of_very_many_files_the_newest_are_read(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "MOST_READ", 2)
    keys = [rejected(bucket, NOON + at * HOUR, "a", refused("empty")) for at in (-2, 0, 1)]
    found = refusals.count("bucket", SPANS, SOON)
    assert (found.tweets, found.files, found.unread) == (3, 3, 1)
    assert sorted(bucket.read) == keys[-2:]


def test_a_flood_of_refused_files_is_read_only_in_part(bucket: Bucket) -> None:
    for at in range(refusals.MOST_READ + 1):
        rejected(bucket, NOON, f"{at:05}", refused("empty"))
    counted = refusals.count("bucket", SPANS, SOON)
    assert (counted.files, counted.unread) == (5001, 1)


# ---- records without an answer


def error_line(data: bytes, code: str = "Lambda.FunctionError") -> bytes:
    return json.dumps({"errorCode": code, "rawData": b64encode(data).decode()}).encode() + b"\n"


def failed(bucket: Bucket, hour: datetime, name: str, *lines: bytes) -> str:
    key = f"delivery/processing-failed/{hour:%Y/%m/%d/%H}/{name}"
    bucket.objects[key] = b"".join(lines)
    return key


ONE, TWO = b'{"text":"one"}', b'{"text":"two"}'


def mine(deadline: float = SOON) -> Run:
    job = Job("job", NOON, timedelta(), repair=True, asked_for=False, sweep=False)
    return Run(job, "bucket", "work/", SETTINGS.copy_role_arn, Deadlines(deadline, deadline))


class Warehouse:
    """Answers how many tweets of a file are in no row, from the next list of answers."""

    def __init__(self, *answers: dict[str, int]) -> None:
        self.answers, self.asked = list(answers), list[Any]()

    def run(self, asked: Sequence[str], given: dict[str, str], *, answers: int, patience: float) -> Any:
        assert answers == 1
        self.asked.append((list(asked), given, patience))
        return [[{"s3_key": key, "lost": str(lost)} for key, lost in self.answers.pop(0).items()]]


def asks(monkeypatch: pytest.MonkeyPatch, *answers: dict[str, int]) -> Warehouse:
    found = Warehouse(*answers)
    monkeypatch.setattr(transaction, "run", found.run)
    return found


def test_tweets_of_records_without_an_answer_are_looked_for_in_rows_that_are_recent(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = failed(bucket, NOON, "b", error_line(ONE + b"\njunk"), error_line(TWO, "Other"))
    old = failed(bucket, NOON - 2 * HOUR, "a", error_line(ONE))
    failed(bucket, NOON - HOUR, "c", error_line(ONE))
    warehouse = asks(monkeypatch, {new: 0, old: 0})
    assert firehose_failures.find(mine(), SPANS) == [
        FailedFile(new, 2, 2, 1, 0, Counter({"Lambda.FunctionError": 1, "Other": 1})),
        FailedFile(old, 1, 1, 0, 0, Counter({"Lambda.FunctionError": 1})),
    ]
    [(asked, given, patience)] = warehouse.asked
    load = copy.statement(
        "s3://bucket/work/unanswered.manifest", SETTINGS.copy_role_arn, "unanswered_tweet", ("s3_key", "tweet_key")
    )
    sql = firehose_failures.SQL
    assert asked == [sql["unanswered_tweet"], load, sql["missing"]]
    assert (given, patience) == ({"since": times.sql(NOON - 2 * HOUR - hours.RECENT)}, 1000.0)
    [part] = [key for key in bucket.objects if key.startswith("work/unanswered-")]
    told = [json.loads(line) for line in gzip.decompress(bucket.objects[part]).splitlines()]
    assert told == [
        {"s3_key": key, "tweet_key": tweet_key(raw)} for key, raw in ((new, ONE), (new, TWO), (old, ONE))
    ]  # fmt: skip
    assert part in bucket.objects["work/unanswered.manifest"].decode()


def test_what_is_in_no_recent_row_is_looked_for_in_all_before_it_counts_as_lost(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = failed(bucket, NOON, "a", error_line(ONE))
    b = failed(bucket, NOON, "b", error_line(TWO))
    warehouse = asks(monkeypatch, {a: 1, b: 1}, {a: 1})
    assert {file.key: file.lost for file in firehose_failures.find(mine(), SPANS)} == {a: 1, b: 0}
    first, second = warehouse.asked
    assert second == (first[0], {"since": "1970-01-01 00:00:00"}, 1000.0)


def test_what_the_transform_refused_itself_and_what_no_transform_would_take_is_not_looked_for(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed(bucket, NOON, "a", error_line(ONE, firehose_failures.REFUSED))
    key = failed(bucket, NOON, "b", error_line(b"junk"))
    warehouse = asks(monkeypatch)
    assert firehose_failures.find(mine(), SPANS) == [FailedFile(key, 1, 0, 1, 0, Counter({"Lambda.FunctionError": 1}))]
    assert warehouse.asked == []


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"no json\n", "JSONDecodeError"),
        (b"[]\n", "TypeError"),
        (b"{}\n", "KeyError: 'errorCode'"),
        (b'{"errorCode": "x", "rawData": "A"}\n', "Error: "),
        (b"\x1f\x8bjunk", "EOFError"),
        (b"\x1f\x8b\x09junkjunk", "BadGzipFile"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\0\xff\xff", "error: Error -3"),
    ],
)
def test_a_file_that_can_not_be_read_is_named_with_what_was_read_of_it(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, body: bytes, why: str
) -> None:
    key = failed(bucket, NOON, "a", body)
    if body.startswith(b"\x1f"):
        asks(monkeypatch)
    else:
        bucket.objects[key] = error_line(ONE) + body
        asks(monkeypatch, {})
    [file] = firehose_failures.find(mine(), SPANS)
    assert file.trouble.startswith("it can't be read: ")
    assert why in file.trouble
    assert (file.records, file.lost) == (0 if body.startswith(b"\x1f") else 1, 0)


def test_a_file_that_s3_does_not_give_is_named(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.broken[failed(bucket, NOON, "a", error_line(ONE))] = client_error("SlowDown")
    asks(monkeypatch)
    [file] = firehose_failures.find(mine(), SPANS)
    assert (file.records, "SlowDown" in file.trouble) == (0, True)


@pytest.mark.parametrize(("name", "most"), [("MOST_LINE", 50), ("MOST_BYTES", 100)])
def test_a_file_over_its_budget_is_named(bucket: Bucket, monkeypatch: pytest.MonkeyPatch, name: str, most: int) -> None:
    monkeypatch.setattr(firehose_failures, name, most)
    failed(bucket, NOON, "a", *[error_line(ONE)] * 2)
    asks(monkeypatch, {})
    [file] = firehose_failures.find(mine(), SPANS)
    assert "TooLargeError" in file.trouble


def test_when_repairs_stop_no_more_files_are_read(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    failed(bucket, NOON, "a", error_line(ONE))
    asks(monkeypatch, {})
    assert len(firehose_failures.find(mine(1000.0), SPANS)) == 1
    assert firehose_failures.find(mine(999.9), SPANS) == []


def test_of_very_many_files_the_newest_thousand_are_read_and_of_manifests_the_newest_hundred_are_named(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = failed(bucket, NOON - 2 * HOUR, "a", b"junk\n")
    keys = [failed(bucket, NOON + at % 2 * HOUR, f"{at:04}", b"junk\n") for at in range(1000)]
    manifests = [key.replace("processing-failed", "errors/manifests") for key in (old, *keys)]
    bucket.objects |= dict.fromkeys(manifests, b"{}")
    asks(monkeypatch)
    assert [file.key for file in firehose_failures.find(mine(), SPANS)] == sorted(keys, reverse=True)
    assert firehose_failures.given_up("bucket", SPANS) == GivenUp(1001, sorted(manifests, reverse=True)[:100])
    assert firehose_failures.given_up("bucket", []) == GivenUp(0, [])
    assert firehose_failures.failed("bucket", SPANS[0]) == 1000
