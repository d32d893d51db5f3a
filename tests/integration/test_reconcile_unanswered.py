"""What was refused, by reason; and what no transform answered for: lost only if its tweets are in no row."""

import gzip
import json
from base64 import b64encode
from typing import Any

import pytest

from chalicelib import layout
from chalicelib.reconcile import firehose_failures, refusals
from chalicelib.transform.handler import transform
from tests.support import tweet_files as files
from tests.support.aws_in_memory import aws, event
from tests.support.aws_in_memory import rows as answered

pytestmark = pytest.mark.usefixtures("stack")


def error_line(data: bytes, code: str = "Lambda.FunctionError") -> bytes:
    """A record as Firehose writes it to its error prefix."""
    line = {
        "attemptsMade": 4,
        "arrivalTimestamp": 1_770_091_506_789,
        "errorCode": code,
        "errorMessage": "The Lambda function was successfully invoked but it returned an error result.",
        "attemptEndingTimestamp": 1_770_091_566_789,
        "rawData": b64encode(data).decode(),
        "lambdaArn": "arn:aws:lambda:us-east-1:123456789012:function:disaster-tweets-local-transform:$LATEST",
    }
    return json.dumps(line).encode() + b"\n"


def source(key: str, number: int) -> bytes:
    """The record that a line of a file made by hand came from."""
    return json.dumps({"tweet_id": f"{number}", "text": f"flood in {key} {number}"}).encode()


def failed(hour: Any, *lines: bytes, packed: bool = False) -> str:
    key = f"{layout.FAILED}{hour:%Y/%m/%d/%H}/disaster-tweets-local-1-{files.an_id()}"
    body = b"".join(lines)
    files.put_object(key, gzip.compress(body) if packed else body)
    return key


def test_records_whose_tweets_are_in_rows_are_not_lost() -> None:
    hour = files.an_hour()
    key = files.loaded(hour)
    failed(hour, *(error_line(source(key, number)) for number in (1, 2, 3)))
    report = files.reconcile(hour)
    assert (report["unanswered"]["records"], report["unanswered"]["tweets"], report["unanswered"]["lost"]) == (3, 3, 0)
    assert report["verdict"] == "well" and report["tweets"]["lost"] == 0 and report["findings"] == []


def test_records_whose_tweet_file_was_only_repaired_now_are_not_lost() -> None:
    hour = files.an_hour()
    key = files.put(hour)
    failed(hour, *(error_line(source(key, number)) for number in (1, 2)))
    report = files.reconcile(hour, repair=True)
    assert (report["verdict"], report["unanswered"]["lost"]) == ("repaired", 0)


@pytest.mark.parametrize("packed", [False, True])
def test_records_that_are_nowhere_are_lost_and_the_file_is_named(packed: bool) -> None:
    hour = files.an_hour()
    key = files.loaded(hour)
    name = failed(hour, error_line(source(key, 1)), error_line(b'{"text": "nobody has me"}'), packed=packed)
    report = files.reconcile(hour)
    assert report["verdict"] == "trouble" and report["tweets"]["lost"] == 1
    (shown,) = report["unanswered"]["shown"]
    assert (shown["s3_key"], shown["tweets"], shown["lost"]) == (name, 2, 1)
    assert shown["error_codes"] == {"Lambda.FunctionError": 2}
    assert files.states(report) == {name: "unanswered"}


def test_what_the_transform_itself_refused_is_not_counted_twice() -> None:
    hour = files.an_hour()
    failed(hour, error_line(b"no tweet", code=firehose_failures.REFUSED))
    report = files.reconcile(hour)
    assert report["unanswered"]["files"] == 0 and report["verdict"] == "well"


def test_records_that_no_transform_would_take_are_refused_not_lost() -> None:
    hour = files.an_hour()
    failed(hour, error_line(b"no tweet"))
    report = files.reconcile(hour)
    assert report["unanswered"]["shown"][0]["refused"] == 1 and report["tweets"]["lost"] == 0


def test_a_file_that_can_t_be_read_is_named() -> None:
    hour = files.an_hour()
    name = failed(hour, b"not what Firehose writes\n")
    report = files.reconcile(hour)
    (shown,) = report["unanswered"]["shown"]
    assert shown["s3_key"] == name and "can't be read" in shown["trouble"]
    assert report["verdict"] == "trouble" and files.states(report) == {name: "unanswered"}


def test_a_tweet_s_key_is_the_one_that_the_transform_gives_it() -> None:
    records = [b'{"text": "one"}', b'[{"text": "two"}, {"text": "three"}]', b'{"text": "four"}\n{"text": "five"}']
    records.append(b'{"text": "six","source":"replay"}')
    with aws():
        given = [row["tweet_key"] for row in answered(transform(event(*records), None))]
    found = []
    for record in records:
        line = json.loads(error_line(record))
        found += list(firehose_failures.tweet_keys(line, firehose_failures.FailedFile("x")))
    assert found == given


def test_refused_tweets_are_counted_by_reason() -> None:
    hour = files.an_hour()
    for name, reasons in (("a", ["no_text", "no_text"]), ("b", ["not_json"])):
        body = gzip.compress(b"".join(json.dumps({"reason": reason}).encode() + b"\n" for reason in reasons))
        files.put_object(f"rejected/{hour:dt=%Y-%m-%d/hh=%H}/{name}-{len(reasons)}.ndjson.gz", body)
    report = files.reconcile(hour)
    assert report["rejected"]["reasons"] == [{"reason": "no_text", "tweets": 2}, {"reason": "not_json", "tweets": 1}]
    assert (report["rejected"]["tweets"], report["rejected"]["files"], report["rejected"]["unread_tweets"]) == (3, 2, 0)
    assert report["verdict"] == "well"


def test_refusals_are_shown_by_samples_with_the_line_that_has_the_source() -> None:
    hour = files.an_hour()
    line = b'{"reason":"%b","message":"a \\"tweet\\" is an object","record_id":"1","arrived_at":"","raw":""}\n'
    for name in "abcd":
        body = gzip.compress(line % b"not_an_object" * 2 + line % b"no_text")
        files.put_object(f"{layout.REJECTED}{hour:dt=%Y-%m-%d/hh=%H}/{name}-3.ndjson.gz", body)
    samples = files.reconcile(hour)["rejected"]["samples"]
    assert [(each["s3_key"][-13:], each["line"]) for each in samples if each["reason"] == "no_text"] == [
        (f"{name}-3.ndjson.gz", 3) for name in "dcb"
    ]
    assert {each["message"] for each in samples} == {'a "tweet" is an object'}
    assert len(samples) == 6


def test_a_rejected_file_that_can_t_be_read_is_still_counted() -> None:
    hour = files.an_hour()
    files.put_object(f"{layout.REJECTED}{hour:dt=%Y-%m-%d/hh=%H}/c-4.ndjson.gz", b"broken")
    report = files.reconcile(hour)
    assert (report["rejected"]["tweets"], report["rejected"]["unread_tweets"]) == (4, 4)


def test_manifests_that_firehose_gave_up_on_are_named() -> None:
    hour = files.an_hour()
    files.put_object(key := f"{layout.GIVEN_UP}{hour:%Y/%m/%d/%H}/manifest-1", b"{}")
    report = files.reconcile(hour)
    assert report["given_up"] == {"manifests": 1, "shown": [key]} and report["verdict"] == "well"


def test_a_rejected_file_over_its_budget_is_counted_up_to_there(monkeypatch: pytest.MonkeyPatch) -> None:
    hour = files.an_hour()
    line = json.dumps({"reason": "not_json", "raw": "x" * 1000}).encode() + b"\n"
    monkeypatch.setattr(refusals, "MOST_BYTES", 3 * len(line))
    files.put_object(f"{layout.REJECTED}{hour:dt=%Y-%m-%d/hh=%H}/d-5.ndjson.gz", gzip.compress(line * 5))
    report = files.reconcile(hour)
    assert report["rejected"]["reasons"] == [{"reason": "not_json", "tweets": 3}]
    assert (report["rejected"]["tweets"], report["rejected"]["unread_tweets"]) == (5, 2)


def test_a_file_of_firehose_over_its_budget_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    hour = files.an_hour()
    monkeypatch.setattr(firehose_failures, "MOST_LINE", 1000)
    name = failed(hour, error_line(b'{"text": "one"}'), error_line(b'{"text": "%b"}' % (b"x" * 1000)), packed=True)
    report = files.reconcile(hour)
    (shown,) = report["unanswered"]["shown"]
    assert (shown["s3_key"], shown["tweets"], shown["lost"]) == (name, 1, 1)
    assert "a line has more than 1,000 bytes" in shown["trouble"]
