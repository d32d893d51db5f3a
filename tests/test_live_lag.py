"""A post of a network with 40 a second can be queried within 90 seconds; none is missing, none is there twice."""

from benchmarks import live
from local.server import LocalAws


def test_two_minutes_arrive_in_time(stack: LocalAws) -> None:
    import boto3

    from local.server import forget

    try:
        found = live.measure(stack, 2, 40)
    finally:
        for name in ("bluesky", "jetstream"):
            boto3.client("ssm").delete_parameter(Name=f"/disaster-tweets/local/{name}")
        forget()
    assert 4_700 < found.posts < 4_900
    assert found.distinct == found.posts
    assert found.stored <= found.posts + 2  # the cursor's own event is told again
    assert max(found.lags) <= 90
