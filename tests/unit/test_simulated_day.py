"""A simulated day: the loader's own code decides when the warehouse wakes, and the goals of the cost page hold."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.reconcile import gate
from chalicelib.reconcile.hours import Range
from infra import costs, day
from tests.support.infra_templates import data_plane, of_type

MINUTE = timedelta(minutes=1)


def test_a_stage_that_nobody_sends_anything_to_never_wakes_its_warehouse_and_costs_60_cents_at_most() -> None:
    for delivery in ("reconcile", "firehose"):
        assert (costs.simulated(0, delivery).wakes, costs.simulated(0, delivery).billed_seconds) == (0, 0.0)
    assert costs.total(costs.ours(costs.simulated(0))) <= 0.60


def test_a_million_tweets_a_day_cost_4_usd_at_most() -> None:
    of = costs.simulated(costs.A_MILLION)
    assert of.tweets == costs.MILLION
    assert costs.total(costs.ours(of)) <= 4.00


@pytest.mark.parametrize(("rate", "loads"), [(0.02, (300, 900, 3600)), (1, (300, 900, 3600)), (10_000, (900,))])
def test_an_ordinary_tweet_is_a_row_within_load_seconds_and_one_of_a_surge_within_two_minutes(
    rate: float, loads: tuple[int, ...]
) -> None:
    for load_seconds in loads:
        of = day.simulate(rate, load_seconds=load_seconds)
        assert of.slowest is not None and of.slowest <= load_seconds
        assert of.surge is not None and of.surge <= 120


def test_a_surge_is_loaded_within_two_minutes_whenever_it_comes_also_during_a_long_run() -> None:
    """At 10,000 tweets a second a run takes over five minutes: it gives way. No tweet is late for it."""
    for seconds in range(3, 783, 60):
        of = day.simulate(10_000, surge=day.NOON + timedelta(seconds=seconds))
        assert of.surge is not None and of.surge <= 120, seconds
        assert of.slowest is not None and of.slowest <= 900, seconds


def test_a_run_that_gave_way_to_nothing_would_make_a_surge_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(day.World, "surge_asks", lambda *_: False)
    found = [day.simulate(10_000, surge=day.NOON + timedelta(seconds=seconds)).surge for seconds in range(3, 783, 60)]
    assert max(filter(None, found)) > 120


def test_twice_the_load_seconds_are_half_the_wakes() -> None:
    wakes = [day.simulate(1, load_seconds=seconds).wakes for seconds in (900, 1800)]
    assert wakes[1] == pytest.approx(wakes[0] / 2, rel=0.12)


def test_the_loader_s_code_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = day.simulate(1).wakes
    monkeypatch.setattr(gate, "UNDER_WAY", timedelta(seconds=600))
    assert day.simulate(1).wakes > 2 * usual
    monkeypatch.setattr(gate, "decide", lambda *_: gate.Decision(False, "never"))
    assert day.simulate(1).wakes == 0


def test_one_tweet_and_then_none_wakes_the_warehouse_twice() -> None:
    """For its load, and for a check a day later; after that it sleeps."""
    now = day.START
    known = gate.fresh(now, 0.1)
    first = gate.after(
        now, known, {}, (), 0, 0.1, complete=True, outstanding=False, loaded=True, swept=True, took=20.0, report=""
    )
    seen = gate.Seen(Range(now, now + timedelta(hours=2)), {})
    assert not gate.decide(now + timedelta(hours=23), seen, first, timedelta()).wake
    assert gate.decide(now + timedelta(hours=24), seen, first, timedelta()).why == "a check is due"
    then = gate.after(
        now + timedelta(hours=24), first, {}, (), 0, 0.1,
        complete=True, outstanding=False, loaded=False, swept=True, took=20.0, report="",
    )  # fmt: skip
    assert not gate.decide(now + timedelta(days=1000), seen, then, timedelta()).wake


def test_a_minute_is_billed_for_each_wake_and_what_overlaps_once() -> None:
    start = day.START
    assert day.bill([]) == (0, 0.0)
    assert day.bill([(start, start + timedelta(seconds=5))]) == (1, 60.0)
    assert day.bill([(start, start + timedelta(seconds=90))]) == (1, 90.0)
    overlapping = [
        (start, start + timedelta(seconds=5)),
        (start + timedelta(seconds=50), start + timedelta(seconds=70)),
    ]
    assert day.bill(overlapping) == (1, 70.0)
    assert day.bill([(start, start + MINUTE), (start + 2 * MINUTE, start + 2 * MINUTE)]) == (2, 120.0)


def test_the_alarms_that_are_counted_are_those_there_are() -> None:
    """Each metric of an alarm is billed: aws.amazon.com/cloudwatch/pricing"""
    alarms = of_type(data_plane(), "AWS::CloudWatch::Alarm").values()
    metrics = [
        query for alarm in alarms for query in alarm.get("Metrics", [{"MetricStat": {}}]) if "MetricStat" in query
    ]
    assert len(metrics) <= costs.ALARMS
