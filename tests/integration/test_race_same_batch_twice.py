"""Firehose's retry after a timeout runs beside the first invocation of the same batch, in every order of their writes.

One tweet file and one rejected file come of it, both invocations answer what the file says, and whatever Firehose
delivers of the two answers, the next reconciliation leaves every line once.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest

from chalicelib.classifier import bundled
from chalicelib.transform import answer, handler
from chalicelib.transform.handler import transform
from tests.support import aws_in_memory as memory
from tests.support import tweet_files as files
from tests.support.stepped import Steps, orders

TWEETS = [json.dumps({"tweet_id": f"t{n}", "text": f"flood in street {n}"}).encode() for n in range(4)]
JUNK = b"not JSON"
RECORDS = (TWEETS[0], JUNK, b"\n".join(TWEETS[1:]))
MOST_BYTES = 3_200  # of an answer: the last tweets don't fit
STEPS = 4  # of an invocation: before the rejected file, before and within the tweet file's PUT, before putting back


@contextmanager
def stepped(steps: Steps) -> Iterator[memory.Aws]:
    """The transform's surroundings in memory; before and within each write it pauses.

    A conditional PUT beside another one of the same key is answered 409, as by S3:
    docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
    """
    with memory.aws() as aws, mock.patch.object(answer, "MOST_BYTES", MOST_BYTES):
        under_way: set[str] = set()

        def put_object(*, Bucket: str, Key: str, Body: bytes, IfNoneMatch: str = "") -> None:
            steps.pause()
            if not IfNoneMatch:
                aws.put_object(Bucket=Bucket, Key=Key, Body=Body)
                return
            if Key in under_way:
                raise memory.client_error("ConditionalRequestConflict")
            under_way.add(Key)
            try:
                steps.pause()
                aws.put_object(Bucket=Bucket, Key=Key, Body=Body, IfNoneMatch=IfNoneMatch)
            finally:
                under_way.remove(Key)

        def put_record_batch(**given: Any) -> dict[str, Any]:
            steps.pause()
            return aws.put_record_batch(**given)

        aws.s3.put_object.side_effect = put_object
        aws.stream.put_record_batch.side_effect = put_record_batch
        yield aws


def in_order(order: Sequence[int], event: dict[str, Any]) -> tuple[memory.Aws, list[Any]]:
    """The surroundings after two invocations of an event took turns in this order, and how the two ended."""
    steps = Steps()
    with stepped(steps) as aws:
        return aws, steps.run(order, lambda: transform(event, None), lambda: transform(event, None))


def test_an_invocation_has_so_many_steps() -> None:
    aws, (first, _) = in_order([], memory.event(*RECORDS))
    assert first.pauses == STEPS
    assert len(aws.taken_back) == 2


def test_every_order_ends_in_one_file_that_both_answer() -> None:
    event = memory.event(*RECORDS)
    for order in orders(STEPS, STEPS):
        aws, ended = in_order(order, event)
        (tweet_file,) = (key for key in aws.objects if key.startswith("tweets/"))
        (rejected,) = aws.lines("rejected/")
        assert base64.b64decode(rejected["raw"]) == JUNK
        lines = aws.lines("tweets/")
        assert [line["tweet_id"] for line in lines] == ["t0", "t1"]
        assert all(line["s3_key"] == tweet_file for line in lines)
        answers = [each.result for each in ended if not each.error]
        assert answers
        for each in answers:
            assert memory.rows(each) == lines
        for each in ended:  # S3 refused it as often as it tried: Firehose invokes once more, and that is answered
            assert each.error is None or "ConditionalRequestConflict" in str(each.error)
        assert {*b"".join(aws.taken_back).splitlines()} == {*TWEETS[2:]}
        with stepped(Steps()) as again:
            again.objects.update(aws.objects)
            assert memory.rows(transform(event, None)) == lines
            assert again.objects == aws.objects


def test_a_classifier_switched_in_between_changes_no_line_of_the_answers() -> None:
    """The second invocation would label otherwise; it answers what the first one wrote, in whichever order."""
    decide, decided = handler.decide, []

    def differently(*arguments: Any) -> handler.Outcome:
        outcome = decide(*arguments)
        decided.append(outcome)
        version = f"version-{len(decided)}".encode()
        return outcome._replace(lines=[line.replace(bundled.version().encode(), version) for line in outcome.lines])

    for order in orders(STEPS, STEPS):
        decided.clear()
        with mock.patch.object(handler, "decide", differently):
            aws, ended = in_order(order, memory.event(*RECORDS))
        lines = aws.lines("tweets/")
        assert len({line["classifier_version"] for line in lines}) == 1
        assert all(memory.rows(each.result) == lines for each in ended if not each.error)


@pytest.mark.parametrize("delivered", [(), (0,), (1,), (0, 1)], ids=["none", "first", "second", "both"])
def test_the_next_reconciliation_leaves_every_line_once(stack: Any, delivered: tuple[int, ...]) -> None:
    hour = files.an_hour()
    event = memory.event(*RECORDS, arrived=int(hour.timestamp() * 1000))
    aws, ended = in_order([0, 0, 1, 1, 0, 1, 0, 1], event)
    (key,) = (key for key in aws.objects if key.startswith("tweets/"))
    files.put_object(key, aws.objects[key])
    for number in delivered:
        rows = [base64.b64decode(record["data"]) for record in ended[number].result["records"]]
        files.put_object(f"delivery/race-{hour:%d%H}-{number}.gz", gzip.compress(b"".join(rows)))
        files.load(f"delivery/race-{hour:%d%H}-{number}.gz")
    report = files.reconcile(hour, repair=True)
    expected = {0: {key: "missing"}, 1: {}, 2: {key: "excess"}}[len(delivered)]
    assert files.states(report) == expected
    assert files.rows_of(key) == [1, 2]
    assert files.reconcile(hour)["verdict"] == "well"
