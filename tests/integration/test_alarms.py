"""Each alarm fires when what it watches goes wrong, clears when that ends, and is quiet on a healthy or a fresh stage.

A small model of CloudWatch evaluates the template's alarms over simulated metrics: events fall into periods, a period
has a statistic or none, and the last `EvaluationPeriods` decide
(docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html, …/alarms-and-missing-data.html).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import pytest

from tests.support.infra_templates import data_plane, of_type

HOUR = 3600
STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "Sum": sum,
    "Maximum": max,
    "Minimum": min,
    "Average": lambda values: sum(values) / len(values),
}
EXPRESSIONS: dict[str, Callable[..., float]] = {
    '"100 * refused / (taken + refused)"': lambda taken, refused: 100 * refused / (taken + refused),
    '"FILL(errors, 0) + FILL(dropped, 0)"': lambda errors, dropped: (errors or 0) + (dropped or 0),
    '{"Fn::Sub": "100 * used * 24 / 3600 / ${RpuHours}"}': lambda used: 100 * used * 24 / 3600 / RPU_HOURS,
}
"""Metric math, by the text that the template has."""
RPU_HOURS = 24  # the template's default
BUFFERS = (60, 300, 900)  # seconds: BufferSeconds has MinValue 60 and MaxValue 900


class Watched(NamedTuple):
    """A metric's events: every so many seconds a value, by whether all is well (None: no event)."""

    every: int
    well: float | None
    wrong: float | None


def watched(buffer: int) -> dict[str, dict[str, Watched]]:
    """Return what each alarm watches, by the id of its metric; `""` where there is one metric alone."""
    return {
        "LostTweets": {"": Watched(900, 0, 5)},
        "RejectedShare": {"taken": Watched(60, 100, 100), "refused": Watched(60, 1, 20)},
        "Fallbacks": {"": Watched(60, 0, 3)},
        "DeliveryFreshness": {"": Watched(60, 60 + buffer + 300, 60 + buffer + 7200)},
        "LoadBehind": {"": Watched(60, 0, 1200)},
        "WarehouseHours": {"used": Watched(1800, 600, 3600)},  # RPU-seconds: 8 and 48 RPU-hours a day
        "CopyFails": {"": Watched(buffer, 1, 0)},
        "BackupFails": {"": Watched(max(buffer, 300), 1, 0)},
        "StreamThrottled": {"": Watched(60, 0, 7)},
        "TransformErrors": {"": Watched(60, 0, 1)},
        "TransformThrottles": {"": Watched(60, 0, 1)},
        "CollectBehind": {"": Watched(60, 1.5, 3600)},
        "CollectGap": {"": Watched(60, 0, 1800)},
        "CollectErrors": {"": Watched(60, 0, 1)},
        "ReconcileErrors": {"": Watched(900, 0, 3)},
        "ReconcileIncomplete": {"": Watched(900, 0, 1)},
        "ReconcileSilent": {"": Watched(900, 1, None)},
        "SituationsFail": {"": Watched(900, None, 1)},
        "ErasuresLate": {"": Watched(HOUR, 600, 50_000)},
        "EraseErrors": {"": Watched(HOUR, 0, 3)},
        "EraseSilent": {"": Watched(HOUR, 1, None)},
        "AdminErrors": {"": Watched(120, None, 1)},
        "JobErrors": {"errors": Watched(1800, 0, 1), "dropped": Watched(1800, None, None)},
        "SourceBehind": {"": Watched(60, 1000, 7_200_000)},
    }


def alarms() -> dict[str, dict[str, Any]]:
    return of_type(data_plane(Source="Kinesis", Delivery="firehose"), "AWS::CloudWatch::Alarm")


def period_of(alarm: dict[str, Any]) -> int:
    stats = [each["MetricStat"]["Period"] for each in alarm.get("Metrics", ()) if "MetricStat" in each]
    return int(alarm.get("Period") or stats[0])


def values(
    alarm: dict[str, Any], metrics: dict[str, Watched], wrong: tuple[int, int], hours: int
) -> list[float | None]:
    """Return the alarm's value in each period of some hours; all is wrong from one second to another."""
    period = period_of(alarm)
    found: list[float | None] = []
    for start in range(0, hours * HOUR, period):
        parts = {}
        for name, metric in metrics.items():
            events = [
                metric.wrong if wrong[0] <= at < wrong[1] else metric.well
                for at in range(-(-start // metric.every) * metric.every, start + period, metric.every)
            ]
            present = [value for value in events if value is not None]
            stat = alarm.get("Statistic") or "Sum"
            parts[name] = STATISTICS[stat](present) if present else None
        if "" in parts:
            found.append(parts[""])
            continue
        expression = json.dumps(alarm["Metrics"][0]["Expression"])
        there = [value is not None for value in parts.values()]
        known = any(there) if "FILL" in expression else all(there)
        found.append(EXPRESSIONS[expression](**parts) if known else None)
    return found


def states(alarm: dict[str, Any], series: Sequence[float | None]) -> list[str]:
    """Return the alarm's state after each period."""
    periods = int(alarm["EvaluationPeriods"])
    needed = int(alarm.get("DatapointsToAlarm", periods))
    above = alarm["ComparisonOperator"] == "GreaterThanThreshold"
    threshold = float(alarm["Threshold"])
    found = []
    for end in range(1, len(series) + 1):
        last = list(series[max(0, end - periods) : end])
        if alarm["TreatMissingData"] == "missing" and all(value is None for value in last):
            found.append("INSUFFICIENT_DATA")
            continue
        breaching = sum(
            alarm["TreatMissingData"] == "breaching"
            if value is None
            else (value > threshold) == above and value != threshold
            for value in last
        )
        found.append("ALARM" if breaching >= needed else "OK")
    return found


def tells(alarm: dict[str, Any], before: str, state: str) -> bool:
    """Return whether somebody is told: an action follows a change of state alone."""
    action = {"ALARM": "AlarmActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}.get(state, "")
    return state != before and bool(alarm.get(action))


def told(alarm: dict[str, Any], series: Sequence[float | None]) -> list[bool]:
    """Return after which periods somebody is told of trouble. A new alarm has INSUFFICIENT_DATA."""
    found = ["INSUFFICIENT_DATA", *states(alarm, series)]
    return [tells(alarm, before, state) for before, state in pairwise(found)]


def test_every_alarm_of_the_template_is_simulated() -> None:
    assert set(alarms()) == set(watched(300))


@pytest.mark.parametrize("buffer", BUFFERS)
@pytest.mark.parametrize("name", sorted(watched(300)))
def test_it_fires_while_something_is_wrong_and_clears_afterwards(name: str, buffer: int) -> None:
    alarm, metrics = alarms()[name], watched(buffer)[name]
    series = values(alarm, metrics, (6 * HOUR, 12 * HOUR), 24)
    trouble, period = told(alarm, series), period_of(alarm)
    assert not any(trouble[: 6 * HOUR // period]), "while all is well"
    assert any(trouble[6 * HOUR // period : 9 * HOUR // period]), "within three hours"
    assert states(alarm, series)[-1] == "OK"


def test_a_job_whose_event_was_dropped_is_told_though_no_function_failed() -> None:
    alarm = alarms()["JobErrors"]
    metrics = {"errors": Watched(1800, None, None), "dropped": Watched(1800, None, 1)}
    series = values(alarm, metrics, (6 * HOUR, 12 * HOUR), 24)
    assert any(told(alarm, series)[6 * HOUR // period_of(alarm) :]) and states(alarm, series)[-1] == "OK"


@pytest.mark.parametrize("name", sorted(watched(300)))
def test_a_fresh_stage_without_data_tells_nobody(name: str) -> None:
    assert not any(told(alarms()[name], [None] * 48))
