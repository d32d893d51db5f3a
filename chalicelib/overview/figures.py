"""Ask the warehouse for the overview's figures: each is a column of one of the statements under `sql/overview/`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from chalicelib import times
from chalicelib.warehouse import data_api, statements

QUESTIONS = (
    "situations",
    "situation_hours",
    "situation_posts",
    "kinds",
    "information_types",
    "places",
    "posts",
    "freshness",
    "health",
)
"""Files under `sql/overview/`, asked in one transaction."""


def ask(as_of: datetime, patience: float) -> dict[str, Any]:
    """Return the overview at a time, within `patience` seconds. Raises WarehouseError."""
    asked = [statements.named(f"overview/{question}") for question in QUESTIONS]
    batch = data_api.run(asked, {"as_of": times.sql(as_of)}, patience=patience)
    answers = {question: data_api.rows_of(f"{batch}:{nth}") for nth, question in enumerate(QUESTIONS, 1)}
    return built(answers, as_of)


def built(answers: Mapping[str, Sequence[data_api.Row]], as_of: datetime) -> dict[str, Any]:
    """Return the overview from the answers: rows as they are, each situation with its hours and posts."""
    plain = {question: [_plain(row) for row in rows] for question, rows in answers.items()}
    hours, posts = (_by_situation(plain[question]) for question in ("situation_hours", "situation_posts"))
    situations = [
        {**each, "hours": hours.get(each["situation_id"], []), "posts_shown": posts.get(each["situation_id"], [])}
        for each in plain["situations"]
    ]
    return {
        "as_of": times.seconds(as_of),
        "situations": situations,
        **{question: plain[question] for question in ("kinds", "information_types", "places", "posts")},
        **{question: plain[question][0] for question in ("freshness", "health")},
    }


def _by_situation(rows: Sequence[data_api.Row]) -> dict[str, list[dict[str, Any]]]:
    grouped: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        rest = {name: value for name, value in row.items() if name != "situation_id"}
        grouped.setdefault(row["situation_id"], []).append(rest)
    return grouped


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as JSON has it."""
    return {name: float(value) if isinstance(value, Decimal) else value for name, value in times.written(row).items()}
