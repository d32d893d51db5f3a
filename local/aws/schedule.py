"""Emulate EventBridge's schedules: invoke functions at the rate of their `@app.schedule`."""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

UNITS = {"minute": 60, "hour": 3600, "day": 86400}


def seconds(expression: str) -> int:
    """Return the period of `rate(15 minutes)`. Raises ValueError: nothing else is run here."""
    match = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    if not match:
        raise ValueError(f"The local schedule knows rate(…) only, not {expression}")
    return int(match[1]) * UNITS[match[2]]


def of_app() -> dict[str, int]:
    """Function → seconds between its invocations, as the app declares them."""
    return {name: seconds(expression) for name, expression in expressions().items()}


def expressions() -> dict[str, str]:
    """Return each function's schedule as the app declares it: `rate(15 minutes)`."""
    declared = import_module("app").app.event_sources
    return {
        source.name: expression if isinstance(expression, str) else expression.to_string()
        for source in declared
        if (expression := getattr(source, "schedule_expression", None))
    }


def event() -> dict[str, Any]:
    """docs.aws.amazon.com/eventbridge/latest/ref/events-ref-scheduled.html"""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "region": "us-east-1",
        "resources": [],
        "detail": {},
    }


class Schedule:
    """From its making until `close()`, each function is invoked once a period, first after one period."""

    def __init__(self, periods: Mapping[str, float], invoke: Callable[[str, dict[str, Any]], Any]) -> None:
        self._closing = threading.Event()
        self._invoke = invoke
        for name, period in periods.items():
            threading.Thread(target=self._run, args=(name, period), name=f"schedule {name}", daemon=True).start()

    def close(self) -> None:
        self._closing.set()

    def _run(self, name: str, period: float) -> None:
        while not self._closing.wait(period):
            self._invoke(name, event())
