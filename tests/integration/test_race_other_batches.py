"""Firehose's retry batches the records of a timed-out invocation differently, while that one is still at work.

Each batch has a tweet file of its own, so some tweets are in two. Whatever Firehose delivers of the answers, the next
reconciliation loads what is missing, and the view shows each tweet once.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from chalicelib.transform.handler import transform
from chalicelib.warehouse import data_api
from tests.support import aws_in_memory as memory
from tests.support import tweet_files as files
from tests.support.stepped import Steps, orders

JUNK = b"not JSON"


def batches(arrived: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The batch that timed out, and the two in which its records come again, the second with another one."""
    tweets = [json.dumps({"tweet_id": f"t{n}", "text": f"flood at {arrived}"}).encode() for n in range(5)]
    event = memory.event(b"\n".join(tweets[:2]), JUNK, *tweets[2:], arrived=arrived)
    first, *again = ({**event, "records": event["records"][part]} for part in (slice(4), slice(2), slice(2, 5)))
    return first, again[0], again[1]


@contextmanager
def stepped(steps: Steps) -> Iterator[memory.Aws]:
    """The transform's surroundings in memory; before each write it pauses."""
    with memory.aws() as aws:

        def put_object(**given: Any) -> None:
            steps.pause()
            aws.put_object(**given)

        aws.s3.put_object.side_effect = put_object
        yield aws


def in_order(order: Sequence[int], arrived: int) -> tuple[memory.Aws, list[dict[str, Any]]]:
    """The surroundings afterwards, and the answers to the three batches; the second and the third come one by one."""
    first, *again = batches(arrived)
    steps = Steps()
    with stepped(steps) as aws:
        late, retried = steps.run(
            order, lambda: transform(first, None), lambda: [transform(each, None) for each in again]
        )
    assert not late.error and not retried.error
    return aws, [late.result, *retried.result]


def test_each_batch_has_its_own_files_in_every_order() -> None:
    for order in orders(2, 3):
        aws, answers = in_order(order, 1_770_091_506_789)
        lines = aws.lines("tweets/")
        assert len({line["s3_key"] for line in lines}) == 3
        for answered in answers:
            rows = memory.rows(answered)
            assert rows == [line for line in lines if line["s3_key"] == rows[0]["s3_key"]]
            assert [row["s3_line"] for row in rows] == list(range(1, len(rows) + 1))
        assert Counter(line["tweet_id"] for line in lines) == {"t0": 2, "t1": 2, "t2": 2, "t3": 2, "t4": 1}
        assert len({(line["tweet_id"], line["tweet_key"]) for line in lines}) == 5
        assert [base64.b64decode(line["raw"]) for line in aws.lines("rejected/")] == [JUNK] * 2


@pytest.mark.parametrize("delivered", [(), (0,), (1, 2), (0, 1, 2)], ids=["none", "late one", "retries", "all"])
def test_the_next_reconciliation_loads_all_and_the_view_shows_each_once(stack: Any, delivered: tuple[int, ...]) -> None:
    hour = files.an_hour()
    aws, answers = in_order([0, 1, 0, 1, 1], int(hour.timestamp() * 1000))
    keys = [key for key in aws.objects if key.startswith("tweets/")]
    for key in keys:
        files.put_object(key, aws.objects[key])
    for number in delivered:
        rows = b"".join(base64.b64decode(record["data"]) for record in answers[number]["records"])
        name = f"delivery/race-{hour:%d%H}-{number}.gz"
        files.put_object(name, gzip.compress(rows))
        files.load(name)

    report = files.reconcile(hour, repair=True)
    assert report["repairs"]["files"] == 3 - len(delivered)
    assert [len(files.rows_of(key)) for key in keys] == [
        len(gzip.decompress(aws.objects[key]).splitlines()) for key in keys
    ]
    files.find_repeats()
    view = "SELECT tweet_id, copies FROM disaster.tweet WHERE SUBSTRING(s3_key, 1, 27) = :hour ORDER BY tweet_id"
    shown = data_api.query(view, {"hour": keys[0][:27]})
    assert [(row["tweet_id"], row["copies"]) for row in shown] == [
        ("t0", 2),
        ("t1", 2),
        ("t2", 2),
        ("t3", 2),
        ("t4", 1),
    ]
    report = files.reconcile(hour)
    assert report["verdict"] == "well"
    assert report["twice"] == {"tweets": 4, "extra_rows": 4}
