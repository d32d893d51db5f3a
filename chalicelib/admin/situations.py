"""List situations: those that go on, and those of the last week."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib import times
from chalicelib.admin.http import Answer, Request
from chalicelib.admin.patience import PATIENCE, failed
from chalicelib.warehouse import data_api
from chalicelib.warehouse.data_api import WarehouseError
from chalicelib.warehouse.statements import named

WEEK = timedelta(days=7)


def list_all(request: Request) -> Answer:  # noqa: ARG001 - every view takes it
    """Return situations: those that go on first, then the newest first, each with the posts that show it best."""
    asked = [named("situations/listed"), named("situations/listed_posts")]
    try:
        done = data_api.run(asked, {"since": times.sql(datetime.now(UTC) - WEEK)}, patience=PATIENCE)
        situations, posts = data_api.rows_of(f"{done}:1"), data_api.rows_of(f"{done}:2")
    except WarehouseError as error:
        return failed(error)
    examples: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for post in posts:
        examples[post["situation_id"]].append(_example(post))
    return Answer({"situations": [_shown(row) | {"examples": examples[row["situation_id"]]} for row in situations]})


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    status = "closed" if row["closed_at"] else "open"
    lists = {name: row[name] or [] for name in ("places", "information_types")}
    return {**times.written(row), "status": status, **lists}


def _example(post: Mapping[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in post.items() if name not in {"situation_id", "nth", "original_text"}}
    return {"text": post["original_text"], **times.written(rest)}
