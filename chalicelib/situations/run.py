"""Update `disaster.situation` after rows were loaded: count, plan, write, tell."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import times
from chalicelib.reconcile import transaction
from chalicelib.situations import tell
from chalicelib.situations.counts import ANYWHERE, HOUR, PAST, RECENT, STEP, Count
from chalicelib.situations.planner import QUIET, Situation, plan
from chalicelib.situations.usual import LEAST
from chalicelib.telemetry import logger, metrics
from chalicelib.warehouse import data_api
from chalicelib.warehouse.data_api import Row
from chalicelib.warehouse.statements import named

MOST = 50
"""Situations that a run writes, the largest ones: each takes two transactions."""

SEVERITIES = ((1000, "major"), (100, "moderate"), (0, "minor"))
"""By the distinct texts of the peak's hour, from so many on."""


def update(run_id: str, now: datetime, deadline: float) -> None:
    """Find situations, store them and publish new ones, by `deadline` (time.monotonic()).

    What fails here, or has no time left, fails no run: the next one finds the same, for all of it follows from rows.
    """
    if time.monotonic() > deadline:
        return
    try:
        opened = _write(run_id, now, deadline)
        told = tell.tell(run_id, now, deadline - time.monotonic())
        outcome = {"SituationsOpened": opened, "SituationsTold": told}
    except (data_api.WarehouseError, ClientError, BotoCoreError):
        logger.exception("situations not brought up to date", extra={"run": run_id})
        outcome = {"SituationsFailed": 1}
    if counts := {name: number for name, number in outcome.items() if number}:
        emf = metrics()
        for name, number in counts.items():
            emf.add_metric(name, "Count", number)
        emf.flush_metrics()


def _write(run_id: str, now: datetime, deadline: float) -> int:
    """Carry out the plan; return how many situations are new."""
    step = step_of(now)
    recent = (step - RECENT) // HOUR * HOUR - HOUR
    asked = [named("situations/counts"), named("situations/known")]
    given = {
        "since": times.sql(moment(step - PAST)),
        "until": times.sql(now + timedelta(seconds=1)),
        "recent": str(recent),
        "least": str(LEAST // 2),
        "known_since": times.sql(moment(recent - QUIET)),
    }
    counts, known = transaction.run(asked, given, answers=2, patience=deadline - time.monotonic())
    planned = plan((Count(*row.values()) for row in counts), map(situation, known), step)
    alive = sorted([*planned.opened, *planned.going_on], key=lambda each: (-each.peak_texts, each.id))
    for each in alive[:MOST]:
        _keep(each, run_id, now, deadline)
    for each in planned.closed:
        statements = [transaction.SQL["lock"], named("situations/close")]
        given = {"situation": each.id, "now": times.sql(now)}
        transaction.run(statements, given, answers=0, patience=deadline - time.monotonic())
    return len(planned.opened)


def _keep(each: Situation, run_id: str, now: datetime, deadline: float) -> None:
    """Store a situation with the figures of its posts."""
    scope = {
        "kind": each.kind,
        "country": each.country or ANYWHERE,
        "began": times.sql(moment(each.began)),
        "ended": times.sql(moment(each.last + 1)),
    }
    asked = [named(f"situations/{name}") for name in ("sums", "places", "information_types")]
    (sums,), places, types = transaction.run(asked, scope, answers=3, patience=deadline - time.monotonic())
    given = {
        **scope,
        "situation": each.id,
        "run": run_id,
        "now": times.sql(now),
        "closed": times.sql(now) if each.over else "-",
        "place": leading(places, each.country),
        "peak": times.sql(moment(each.peak)),
        "posts": str(sums["posts"]),
        "texts": str(sums["distinct_texts"]),
        "peak_posts": str(each.peak_posts),
        "peak_texts": str(each.peak_texts),
        "expected": f"{each.expected:.3f}",
        "severity": severity(each.peak_texts),
        "places": _json(places),
        "types": _json(types),
    }
    written = [named(f"situations/{name}") for name in ("open", "keep", "drop_posts", "best_posts")]
    transaction.run([transaction.SQL["lock"], *written], given, answers=0, patience=deadline - time.monotonic())


def leading(places: Sequence[Row], country: str) -> str:
    """Return the place that most texts of a situation name, or "-"; without a country half of them have to name it.

    `places`: up to ten, those with most texts first.
    """
    if not places or (not country and 2 * places[0]["distinct_texts"] < sum(each["distinct_texts"] for each in places)):
        return "-"
    return str(places[0]["place"])


def situation(row: Mapping[str, Any]) -> Situation:
    """Return a row of `disaster.situation` as the planner knows it."""
    return Situation(
        row["situation_id"],
        row["kind"],
        row["country"],
        step_of(row["began_at"]),
        step_of(row["last_at"]) - 1,
        step_of(row["peak_at"]),
        row["peak_posts"],
        row["peak_texts"],
        row["expected_texts"],
        step_of(row["opened_at"]),
        row["closed_at"] is not None,
    )


def severity(peak_texts: int) -> str:
    """Return the severity of a situation with so many distinct texts in its peak's hour."""
    return next(name for least, name in SEVERITIES if peak_texts >= least)


def step_of(at: datetime) -> int:
    """Return the step in which a time lies."""
    return int(at.timestamp()) // STEP


def moment(step: int) -> datetime:
    """Return when a step begins."""
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=step * STEP)


def _json(rows: Iterable[Row]) -> str:
    return json.dumps(list(rows), ensure_ascii=False, default=float)  # NUMERIC comes as Decimal
