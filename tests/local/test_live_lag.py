"""A post of a network with 40 a second can be queried within 90 seconds; none is missing, none is there twice."""

import boto3
import pytest

from benchmarks import live
from chalicelib.sources import collect
from local.server import LocalAws, forget


def test_two_minutes_arrive_in_time(stack: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    real = collect.collect
    monkeypatch.setattr(collect, "collect", lambda *_: {"status": "off"})  # the schedule's, whose clock is another
    try:
        found = live.measure(stack, 2, 40, real)
    finally:
        for name in ("bluesky", "jetstream"):
            boto3.client("ssm").delete_parameter(Name=f"/disaster-tweets/local/{name}")
        forget()
    assert 4_700 < found.posts < 4_900
    assert found.distinct == found.posts
    assert found.stored <= found.posts + 2  # the cursor's own event is told again
    assert max(found.lags) <= 90
