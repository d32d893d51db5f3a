"""The local schedule runs what the app declares."""

import time
from typing import Any

import pytest

from local.aws import schedule


def test_the_app_declares_how_often_its_functions_run() -> None:
    assert schedule.of_app() == {"collect": 60, "erase": 3600, "reconcile": 60}


@pytest.mark.parametrize(("expression", "period"), [("rate(1 minute)", 60), ("rate(2 hours)", 7200)])
def test_a_rate_is_a_period(expression: str, period: int) -> None:
    assert schedule.seconds(expression) == period


def test_what_is_no_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="cron"):
        schedule.seconds("cron(0 10 * * ? *)")


def test_each_function_gets_a_scheduled_event_once_a_period_until_the_end() -> None:
    invoked: list[tuple[str, dict[str, Any]]] = []
    running = schedule.Schedule({"often": 0.02, "rarely": 60}, lambda *invocation: invoked.append(invocation))
    time.sleep(0.2)
    running.close()
    time.sleep(0.05)
    times = len(invoked)
    assert 2 <= times <= 10
    assert {name for name, _ in invoked} == {"often"}
    assert {(event["source"], event["detail-type"]) for _, event in invoked} == {("aws.events", "Scheduled Event")}
    assert len({event["id"] for _, event in invoked}) == times
    time.sleep(0.1)
    assert len(invoked) == times
