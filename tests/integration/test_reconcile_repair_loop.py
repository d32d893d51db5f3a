"""A repair takes every damaged file, the newest first, within its time, and stops where it may not go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.reconcile import listing, repair, repair_batches, transaction
from chalicelib.reconcile.job import Deadlines, Job, Run
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
        if asked[0] == repair.SQL["to_repair"]:
            order = [*(key for key in reversed(KEYS) if key != REFUSED), REFUSED]
            file = {"expected_rows": 5, "bytes": 9, "written_at": JOB.now}
            places: list[dict[str, Any]] = [
                {"s3_key": key, "place": f"0{n}", "urgency": repair.REFUSED if key == REFUSED else repair.LATE, **file}
                for n, key in enumerate(order)
            ]
            return [[each for each in places if each["place"] > given["behind"]][:3]]
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
    for module in (repair, transaction):
        monkeypatch.setattr(module, "settings", lambda: SETTINGS)
    monkeypatch.setattr(listing, "manifest", found.manifest)
    monkeypatch.setattr(listing, "write_lines", lambda bucket, key, rows: f"s3://{bucket}/{key}")
    return found


def under_way(until: float) -> Run:
    return Run(JOB, SETTINGS.bucket, "reports/work/x/", SETTINGS.copy_role_arn, Deadlines(until, until))


def mend(deadline: float = 60.0, hindrance: Callable[[bool], str] = lambda gives_way: "") -> repair.Repairs:
    return repair.repair(under_way(time.monotonic() + deadline), hindrance)


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
    assert (done.files, done.not_loaded) == (0, [])
    assert done.stopped.startswith("The warehouse did not end in time")


def test_without_the_lock_nothing_is_repaired(warehouse: Warehouse) -> None:
    done = mend(hindrance=lambda gives_way: "Another run took over")
    assert (warehouse.loaded, done.stopped) == ([], "Another run took over")


def test_a_run_gives_way_to_a_surge_once_it_has_loaded_other_files(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repair_batches.batches, "__defaults__", (2, 1000, 1000))
    done = mend(hindrance=lambda gives_way: "A surge goes first" if gives_way else "")
    assert (done.files, done.stopped) == (2, "A surge goes first")
    assert done.oldest_at is not None


def test_a_run_that_has_loaded_a_surge_alone_does_not_give_way(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repair, "LATE", repair.SURGE)
    done = mend(hindrance=lambda gives_way: "A surge goes first" if gives_way else "")
    assert (warehouse.loaded, done.stopped) == ([*KEYS[5::-1], REFUSED], "")


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
            repair.SQL["repair_file"],
            f"INSERT INTO repair_file VALUES ('{whole}', 3), ('{doubled}', 3)",
            repair.SQL["repair_result"],
            repair.SQL["lines"],
            repair.SQL["loaded"],
            repair.SQL["not_whole"],
            now="2026-01-02 04:00:00",
            since="2026-01-02 03:00:00",
            until="2026-01-03 03:10:00",
        )
        assert not_whole == [(doubled, 3, 2)]
        found = house.run("SELECT s3_key, state, loaded_at FROM disaster.tweet_file ORDER BY s3_key")
    assert [(key, state) for key, state, _ in found] == [(doubled, "partial"), (whole, "loaded")]
    assert (found[0][2], str(found[1][2])[:19]) == (None, "2026-01-02 04:00:00")


def test_what_is_loaded_first_is_a_surge_then_what_can_be_in_time_and_then_the_newest_hours(tmp_path: Path) -> None:
    """Of what can be in time the oldest file comes first, whatever its key; last what the warehouse refused."""
    written = {
        "tweets/dt=2026-01-02/hh=03/e-5.ndjson.gz": ("03:14:00", "0"),
        "tweets/dt=2026-01-02/hh=03/f-5.ndjson.gz": ("03:15:00", "0"),
        "tweets/dt=2026-01-02/hh=03/d-5.ndjson.gz": ("03:02:00", "1"),
        "tweets/dt=2026-01-02/hh=02/b-5.ndjson.gz": ("03:01:00", "1"),
        "tweets/dt=2026-01-02/hh=02/a-5.ndjson.gz": ("02:59:00", "2"),
        "tweets/dt=2026-01-02/hh=01/c-5.ndjson.gz": ("02:59:30", "2"),
        "tweets/dt=2026-01-02/hh=03/g-5.ndjson.gz": ("03:15:00", "3"),
    }
    refused = "tweets/dt=2026-01-02/hh=03/g-5.ndjson.gz"
    expected = [
        *("tweets/dt=2026-01-02/hh=03/e-5.ndjson.gz", "tweets/dt=2026-01-02/hh=03/f-5.ndjson.gz"),
        *("tweets/dt=2026-01-02/hh=02/b-5.ndjson.gz", "tweets/dt=2026-01-02/hh=03/d-5.ndjson.gz"),
        *("tweets/dt=2026-01-02/hh=02/a-5.ndjson.gz", "tweets/dt=2026-01-02/hh=01/c-5.ndjson.gz"),
        refused,
    ]
    given = {"id": "x", "in_time": "2026-01-02 03:00:00", "surge": "2026-01-02 03:14:00"}
    with scratch(tmp_path) as house:
        house.set_up()
        for key, (at, _) in written.items():
            house.run(
                "INSERT INTO disaster.reconciliation_finding (reconciliation_id, found_at, s3_key, state,"
                " expected_rows, found_rows, found_lines, action)"
                " VALUES ('x', '2026-01-02 03:00:00', :key, 'missing', 5, 0, 0, 'to_repair')",
                key=key,
            )
            house.run(FILE, key=key)
            house.run(
                "UPDATE disaster.tweet_file SET written_at = CAST(:at AS TIMESTAMP), hour = CAST(:hour AS TIMESTAMP)"
                " WHERE s3_key = :key",
                key=key,
                at=f"2026-01-02 {at}",
                hour=f"2026-01-02 {key[24:26]}:00:00",
            )
        house.run(
            "INSERT INTO disaster.finding (finding_id, s3_key, kind, expected_rows, found_rows, found_lines, tweets,"
            " opened_at, opened_by, seen_at)"
            " VALUES ('f', :key, 'refused', 5, 0, 0, 5, '2026-01-02 03:00:00', 'x', '2026-01-02 03:00:00')",
            key=refused,
        )
        first = house.run(repair.SQL["to_repair"], **given, behind="0")
        rest = house.run(repair.SQL["to_repair"], **given, behind=first[2][5])
    assert [row[0] for row in first] == expected
    assert [str(row[4]) for row in first] == [written[key][1] for key in expected]
    assert rest == first[3:]
