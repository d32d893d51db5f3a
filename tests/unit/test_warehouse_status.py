"""How the warehouse stands: set up, behind, or waking up; which migrations there are and how many rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.warehouse import data_api, migrations, status
from chalicelib.warehouse.migrations import Migration

ONE, TWO = Migration(1, "one", "SELECT 1;"), Migration(2, "two", "SELECT 2;")
AT = datetime(2026, 1, 1, tzinfo=UTC)


def stands(monkeypatch: pytest.MonkeyPatch, *applied: Migration, tables: tuple[str, ...] = ("migration",)) -> Any:
    """What is said of a warehouse in which these were applied, of ONE and TWO."""
    done = [{"version": e.version, "name": e.name, "checksum": e.checksum, "applied_at": AT} for e in applied]
    answers = {"s1:1": done, "s1:2": [{"name": "migration", "n": len(applied)}]}
    monkeypatch.setattr(migrations, "read", lambda: [ONE, TWO])
    monkeypatch.setattr(migrations, "tables", lambda patience: list(tables))
    monkeypatch.setattr(data_api, "run", lambda statements, *, patience: "s1")
    monkeypatch.setattr(data_api, "rows_of", answers.__getitem__)
    return status.overview(patience=30.0)


def test_all_that_is_known_is_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    done = [{"migration": name, "applied_at": "2026-01-01T00:00:00+00:00"} for name in ("0001_one", "0002_two")]
    assert stands(monkeypatch, ONE, TWO) == {
        "status": "ready",
        "migrations": {"applied": done, "pending": []},
        "rows": {"migration": 2},
    }


def test_what_is_pending_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    found = stands(monkeypatch, ONE)
    assert (found["status"], found["migrations"]["pending"]) == ("behind", ["0002_two"])
    assert found["message"] == "POST /warehouse/setup applies what is pending"


@pytest.mark.parametrize("tables", [(), ("somebody_elses",), ("migration",)])
def test_a_warehouse_without_a_migration_was_never_set_up(
    monkeypatch: pytest.MonkeyPatch, tables: tuple[str, ...]
) -> None:
    found = stands(monkeypatch, tables=tables)
    assert (found["status"], found["migrations"]["pending"]) == ("not_set_up", ["0001_one", "0002_two"])
    assert found["rows"] == ({"migration": 0} if "migration" in tables else {})


def test_one_that_does_not_answer_in_time_is_waking_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def sleeps(patience: float) -> list[str]:
        raise data_api.StillRunningError("Not done in time (STARTED)", "s1")

    monkeypatch.setattr(migrations, "tables", sleeps)
    message = "The warehouse is waking up or busy; this call has woken it: ask again in a minute"
    assert status.overview(patience=1.0) == {"status": "waking_up", "message": message}
