"""A repair takes every damaged file, the newest first, within its time, and stops where it may not go on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.reconcile import listing, repair, transaction
from chalicelib.reconcile.compare import Job
from chalicelib.warehouse import data_api
from tests.support.aws_in_memory import SETTINGS
from tests.support.warehouses import row, scratch

JOB = Job("20260102T030000Z-abcdef", datetime(2026, 1, 2, 3, tzinfo=UTC), timedelta(0), True, False, False)
KEYS = [f"tweets/dt=2026-01-02/hh=03/{n:03}-5.ndjson.gz" for n in range(7)]
FILE = """
INSERT INTO disaster.tweet_file
    (s3_key, hour, expected_rows, bytes, written_at, first_seen_at, repairs, state, changed_at)
VALUES (:key, '2026-01-02 03:00:00', 3, 9, '2026-01-02 03:10:00', '2026-01-02 03:20:00', 0, 'partial',
    '2026-01-02 03:20:00')
"""
REFUSED = KEYS[6]
"""Which the warehouse refused the last time."""


class Warehouse:
    """Seven damaged files, told in pages of three. `ends` is raised by a repair's transaction."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.patience: list[float] = []
        self.ends: Exception | None = None

    def run(self, asked: Sequence[str], given: dict[str, str], *, answers: int, patience: float = 840.0) -> list[Any]:
        if asked[0] == repair.TO_REPAIR:
            asked_for = [key for key in KEYS if (key == REFUSED) == (given["refused"] == "true")]
            left = [key for key in asked_for if key < given["before"]]
            file = {"expected_rows": 5, "bytes": 9, "written_at": JOB.now}
            return [[{"s3_key": key, **file} for key in sorted(left, reverse=True)[:3]]]
        self.patience.append(patience)
        if self.ends:
            raise self.ends
        return [[]]

    def manifest(self, bucket: str, key: str, keys: Sequence[str]) -> str:
        self.loaded += keys
        return key


@pytest.fixture
def warehouse(monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    found = Warehouse()
    monkeypatch.setattr(transaction, "run", found.run)
    monkeypatch.setattr(repair, "PAGE", 3)
    monkeypatch.setattr(repair, "settings", lambda: SETTINGS)
    monkeypatch.setattr(listing, "manifest", found.manifest)
    monkeypatch.setattr(listing, "lines", lambda bucket, key, rows: f"s3://{bucket}/{key}")
    return found


def mend(deadline: float = 60.0, may_go_on: bool = True) -> repair.Repairs:
    return repair.repair(JOB, "reports/work/x/", time.monotonic() + deadline, lambda: may_go_on)


def test_all_damaged_files_are_loaded_however_many_pages_they_are_and_the_newest_first(warehouse: Warehouse) -> None:
    """But last of all what was refused before, for nothing else is to wait for it."""
    done = mend()
    assert warehouse.loaded == [*KEYS[5::-1], REFUSED]
    assert (done.files, done.stopped) == (7, "")


def test_a_transaction_gets_the_time_that_is_left_and_no_more(warehouse: Warehouse) -> None:
    mend(deadline=30.0)
    assert all(0 < patience <= 30.0 for patience in warehouse.patience)


def test_a_transaction_that_still_runs_has_not_failed_and_stops_the_repairs(warehouse: Warehouse) -> None:
    """Taken for failed, its files would be deleted and loaded beside it."""
    warehouse.ends = data_api.StillRunningError("Not done in time (STARTED)", "s1")
    done = mend()
    assert len(warehouse.patience) == 1
    assert (done.files, done.verdicts) == (0, [])
    assert done.stopped.startswith("The warehouse did not end in time")


def test_without_the_lock_nothing_is_repaired(warehouse: Warehouse) -> None:
    done = mend(may_go_on=False)
    assert (warehouse.loaded, done.stopped) == ([], "Another run took over")


def test_a_file_is_loaded_only_with_every_line_and_its_time_is_that_of_the_run(tmp_path: Path) -> None:
    """As many rows as its name says may hide a lost line beside a doubled one."""
    whole, doubled = "tweets/dt=2026-01-02/hh=03/w-3.ndjson.gz", "tweets/dt=2026-01-02/hh=03/d-3.ndjson.gz"
    with scratch(tmp_path) as house:
        house.set_up()
        assert row(whole, 1, {})["s3_line"] == 1
        house.load({}, {}, {}, key=whole)
        house.load({"s3_line": 1}, {"s3_line": 1}, {"s3_line": 3}, key=doubled)
        for key in (whole, doubled):
            house.run(FILE, key=key)
        not_whole = house.run(
            repair.KEYS_TABLE,
            f"INSERT INTO repair_file VALUES ('{whole}', 3), ('{doubled}', 3)",
            repair.RESULT,
            repair.LINES,
            repair.LOADED,
            repair.NOT_WHOLE,
            now="2026-01-02 04:00:00",
            since="2026-01-02 03:00:00",
            until="2026-01-03 03:10:00",
        )
        assert not_whole == [(doubled, 3, 2)]
        found = house.run("SELECT s3_key, state, loaded_at FROM disaster.tweet_file ORDER BY s3_key")
    assert [(key, state) for key, state, _ in found] == [(doubled, "partial"), (whole, "loaded")]
    assert (found[0][2], str(found[1][2])[:19]) == (None, "2026-01-02 04:00:00")


def test_the_warehouse_tells_the_newest_damaged_files_first(tmp_path: Path) -> None:
    keys = [f"tweets/dt=2026-01-02/hh={n:02}/a-5.ndjson.gz" for n in range(5)]
    with scratch(tmp_path) as house:
        house.set_up()
        for key in keys:
            house.run(
                "INSERT INTO disaster.reconciliation_finding (reconciliation_id, found_at, s3_key, state,"
                " expected_rows, found_rows, found_lines, action)"
                " VALUES ('x', '2026-01-02 03:00:00', :key, 'missing', 5, 0, 0, 'to_repair')",
                key=key,
            )
            house.run(FILE, key=key)
        first = house.run(repair.TO_REPAIR, id="x", before="~", refused="false")
        next_page = house.run(repair.TO_REPAIR, id="x", before=keys[3], refused="false")
    assert [row[0] for row in first] == keys[::-1]
    assert [row[0] for row in next_page] == keys[2::-1]
