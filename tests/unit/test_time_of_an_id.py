"""`created_at` is filled from an ID that holds the time it was made; from no other."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.transform.handler import transform
from chalicelib.transform.rows import EPOCH, FIRST, timestamp, written
from tests.support.aws_in_memory import aws, event, rows

ARRIVED = 1_767_322_800_000  # 2026-01-02 03:00:00 UTC


@pytest.mark.parametrize(
    ("tweet_id", "time"),
    [
        ("1050118621198921728", "2018-10-10 20:19:24.211"),  # X's documentation shows both with their created_at
        ("1212092628029698048", "2019-12-31 19:26:16.771"),
        (str((FIRST - EPOCH) << 22), "2010-11-05 00:00:00.000"),
        (str((ARRIVED - EPOCH) << 22), "2026-01-02 03:00:00.000"),
    ],
)
def test_a_snowflake_holds_its_time(tweet_id: str, time: str) -> None:
    assert written(tweet_id, ARRIVED) == time


@pytest.mark.parametrize(
    "tweet_id",
    [
        "29700859247",  # the last days of IDs that were counted
        "1",
        str(((FIRST - EPOCH) << 22) - 1),
        str((ARRIVED + 1 - EPOCH) << 22),  # after it arrived
        "9223372036854775807",
        "6.29587E+17",
        "629587000000000000",  # the same, written out
        "1050118621198921728.0",
        "-105011862119892172",
        "at://did:plc:x/post",
        "105011862119892172a",
        "9" * 30,
    ],
)
def test_another_id_holds_none(tweet_id: str) -> None:
    assert written(tweet_id, ARRIVED) is None


def test_an_id_of_more_digits_than_64_bits_have_holds_none_even_in_the_next_century() -> None:
    in_2100 = 4_102_444_800_000
    assert written("9223372036854775807", in_2100) == "2080-07-10 17:30:30.208"
    assert written("10000000000000000001", in_2100) is None


@given(st.text(alphabet="0123456789", max_size=25) | st.text(max_size=25), st.integers(1, 253_402_300_799_999))
def test_whatever_the_id_its_time_is_between_the_first_and_the_arrival(tweet_id: str, arrived: int) -> None:
    time = written(tweet_id, arrived)
    assert time is None or timestamp(FIRST) <= time <= timestamp(arrived)


@given(st.integers(0, 253_402_300_799_999))
def test_a_timestamp_is_what_the_calendar_says(ms: int) -> None:
    second = datetime.fromtimestamp(ms // 1000, UTC)
    assert timestamp(ms) == f"{second:%Y-%m-%d %H:%M:%S}.{ms % 1000:03}".rjust(23, "0")


@pytest.mark.parametrize(
    ("own", "stored"),
    [
        ({"id": 1050118621198921728}, "2018-10-10 20:19:24.211"),
        ({"id_str": "1050118621198921728"}, "2018-10-10 20:19:24.211"),
        ({"id": 1050118621198921728, "created_at": "2018-10-10T20:19:24.000Z"}, "2018-10-10 20:19:24"),
        ({"id": 1050118621198921728, "created_at": "last Tuesday"}, "2018-10-10 20:19:24.211"),
        ({"tweetid": "6.29587E+17"}, None),
        ({}, None),
    ],
)
def test_the_source_comes_first_and_the_id_fills_in(own: dict[str, object], stored: str | None) -> None:
    tweet = json.dumps({"text": "River over its banks", **own}).encode()
    with aws():
        (row,) = rows(transform(event(tweet, arrived=ARRIVED), None))
    assert row["created_at"] == stored
