"""Of a file that Redshift refuses, the finding says which line it was, where the warehouse has written that down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.reconcile import repair
from chalicelib.reconcile.repair_batches import TweetFile
from chalicelib.warehouse import data_api
from local.server import LocalAws

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def file(name: str) -> TweetFile:
    return TweetFile(f"tweets/dt=2026-01-02/hh=03/{name}-1.ndjson.gz", 1, 10, NOW)


def test_the_line_is_told(stack: LocalAws) -> None:
    known = f"'s3://{stack.stream}/{file('known').key}   '"
    data_api.run(
        [
            "INSERT INTO main.stl_load_errors VALUES"
            f" ('2026-01-01 10:00', {known}, 1, 'lang', '', 'older'),"
            f" ('2026-01-02 10:00', {known}, 7, 'arrived_at  ', '', 'Invalid timestamp format  ')"
        ]
    )
    said = "sys_load_error_detail: line 7, arrived_at: Invalid timestamp format"
    assert repair.load_error(file("known"), NOW) == said
    assert repair.load_error(file("known"), NOW + timedelta(days=1)) == ""  # of this run alone
    assert repair.load_error(file("other"), NOW) == ""


def test_a_warehouse_that_tells_nothing_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise data_api.WarehouseError("ERROR: permission denied")

    monkeypatch.setattr(data_api, "query", refuse)
    assert repair.load_error(file("any"), NOW) == ""
