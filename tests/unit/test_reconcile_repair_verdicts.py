"""A file that can't be loaded is found among the others, judged, and told; the others get in."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from chalicelib import jobs
from chalicelib.reconcile import file_check, listing, repair, repair_batches, transaction
from chalicelib.reconcile.job import Deadlines, Job, Run
from chalicelib.reconcile.repair import NotLoaded, Repairs
from chalicelib.warehouse import copy, data_api
from tests.support.aws_in_memory import NAME, SETTINGS, client_error

JOB = Job("20260102T080000Z-abcdef", datetime(2026, 1, 2, 8, tzinfo=UTC), timedelta(0), True, False, False)
WRITTEN = datetime(2026, 1, 2, 7, 10, tzinfo=UTC)
KEYS = [f"tweets/dt=2026-01-02/hh={hour:02}/a-5.ndjson.gz" for hour in range(8)]
GOOD = "tweets/dt=2026-01-01/hh=00/good-1.ndjson.gz"


def row(key: str) -> dict[str, Any]:
    return {"s3_key": key, "expected_rows": 5, "bytes": 9, "written_at": WRITTEN}


class Warehouse:
    """Eight damaged files in one page. `refused` are what it does not load, `partial` what is not whole afterwards."""

    def __init__(self) -> None:
        self.now, self.seconds = 1000.0, 0.0  # on the clock, and what a transaction takes
        self.batches: list[list[str]] = []
        self.asked: list[tuple[Any, ...]] = []
        self.written: dict[str, list[Any]] = {}
        self.refused: set[str] = set()
        self.partial: set[str] = set()
        self.good: list[str] = []
        self.raises: dict[str, Exception] = {}  # by key
        self.told: list[tuple[Any, ...]] = []

    def run(self, asked: Sequence[str], given: Any = None, *, answers: int, patience: float = 840.0) -> list[Any]:
        assert answers == 1
        if asked == [repair.SQL["to_repair"]]:
            assert given["id"] == JOB.id
            return [[{**row(key), "urgency": repair.LATE, "place": key} for key in reversed(KEYS)]]
        if asked == [repair.SQL["known_good"]]:
            return [[row(key) for key in self.good]]
        self.asked.append((asked, given, patience))
        self.now += self.seconds
        batch = self.batches[-1]
        for key in batch:
            if key in self.raises:
                raise self.raises[key]
        if self.refused & set(batch):
            raise data_api.WarehouseError("Load into table failed", "s1")
        return [[{"s3_key": key, "found_rows": 3, "found_lines": 2} for key in batch if key in self.partial]]

    def lines(self, bucket: str, key: str, rows: Any) -> str:
        self.written[key] = list(rows)
        return f"s3://{bucket}/{key}"

    def manifest(self, bucket: str, key: str, keys: Sequence[str]) -> str:
        self.batches.append(list(keys))
        return key


@pytest.fixture
def warehouse(monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    found = Warehouse()
    monkeypatch.setattr(transaction, "run", found.run)
    for module in (repair, transaction):
        monkeypatch.setattr(module, "settings", lambda: SETTINGS)
    monkeypatch.setattr(listing, "manifest", found.manifest)
    monkeypatch.setattr(listing, "write_lines", found.lines)
    monkeypatch.setattr(jobs, "progress", lambda *told: found.told.append(told))
    monkeypatch.setattr(time, "monotonic", lambda: found.now)
    monkeypatch.setattr(file_check, "trouble", lambda bucket, file: None)
    monkeypatch.setattr(data_api, "query", lambda sql, given: [])
    return found


def under_way(until: float) -> Run:
    return Run(JOB, NAME, "work/", SETTINGS.copy_role_arn, Deadlines(until, until))


def mend(seconds: float = 1e9) -> Repairs:
    return repair.repair(under_way(1000.0 + seconds), lambda gives_way: "", 8)


def test_a_full_page_is_followed_by_what_lies_behind_it_though_that_may_be_nothing(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    pages = [
        [{**row(key), "urgency": repair.LATE, "place": key} for key in KEYS[:2]],
        [],
    ]

    def run(statements: Sequence[str], given: Mapping[str, str], *, answers: int) -> list[Any]:
        assert (statements, answers) == ([repair.SQL["to_repair"]], 1)
        asked.append(given["behind"])
        return [pages.pop(0)]

    monkeypatch.setattr(repair, "PAGE", 2)
    monkeypatch.setattr(transaction, "run", run)
    found = list(repair.to_repair(JOB))
    assert [(urgency, [file.key for file in page]) for urgency, page in found] == [(repair.LATE, KEYS[:2])]
    assert asked == ["0", KEYS[1]]


def test_a_batch_is_one_transaction_that_knows_its_files_and_when_they_arrived(
    warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    done = mend(seconds=60.0)
    [(files_told, told)] = [(vars(each)["files"], each.message) for each in caplog.records if hasattr(each, "files")]
    assert (files_told, told) == (8, "repair")
    assert done == Repairs(1, 8, [], "", datetime(2026, 1, 2, 0, tzinfo=UTC))
    assert warehouse.batches == [KEYS[::-1]]
    assert warehouse.written == {
        "work/repair-00001.ndjson.gz": [{"s3_key": key, "expected_rows": 5} for key in KEYS[::-1]]
    }
    keys, files = f"s3://{NAME}/work/repair-00001.ndjson.gz", f"s3://{NAME}/work/repair-00001.manifest"
    lock = transaction.SQL["lock"] if SETTINGS.delivery == "reconcile" else transaction.SQL["lock_tweets"]
    [(asked, given, patience)] = warehouse.asked
    role = SETTINGS.copy_role_arn
    keys_in = copy.statement(keys, role, "repair_file", ("s3_key", "expected_rows"), manifest=False)
    assert asked == repair.statements(lock, keys_in, files, role)
    assert given == {
        "id": JOB.id,
        "now": "2026-01-02 08:00:00",
        "since": "2026-01-02 00:00:00",
        "until": "2026-01-03 07:10:00",
    }
    assert patience == 60.0
    assert warehouse.told == [("files loaded again", 0, 8)]


def test_a_file_that_can_t_be_loaded_is_found_by_halves_and_the_others_get_in(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.refused = {KEYS[5]}
    wrong = {KEYS[5]: "its gzip stream is cut off"}
    monkeypatch.setattr(file_check, "trouble", lambda bucket, file: wrong.get(file.key) if bucket == NAME else "")
    done = mend()
    assert done.not_loaded == [NotLoaded(KEYS[5], "unreadable", "its gzip stream is cut off")]
    assert (done.files, done.stopped, done.transactions) == (7, "", 7)
    assert [len(batch) for batch in warehouse.batches] == [8, 4, 2, 2, 1, 1, 4]


def test_a_file_that_nothing_is_wrong_with_is_tried_three_times(warehouse: Warehouse) -> None:
    warehouse.refused = {KEYS[5]}
    done = mend()
    assert done.not_loaded == [NotLoaded(KEYS[5], "failed", "Load into table failed (statement s1)")]
    assert (done.files, done.stopped) == (7, "")
    assert warehouse.batches.count([KEYS[5]]) == 3


def test_a_file_that_is_loaded_and_not_whole_is_judged_too(warehouse: Warehouse) -> None:
    warehouse.partial = {KEYS[2]}
    done = mend()
    assert done.not_loaded == [NotLoaded(KEYS[2], "failed", "3 rows of 2 lines after it was loaded")]
    assert warehouse.batches == [KEYS[::-1], [KEYS[2]], [KEYS[2]]]
    assert done.files == 7


@pytest.mark.parametrize("trouble", [client_error("SlowDown"), EndpointConnectionError(endpoint_url="s3")], ids=repr)
def test_a_file_that_can_t_be_read_now_is_not_called_unreadable(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    def fails(bucket: str, file: Any) -> None:
        raise trouble

    warehouse.refused = {KEYS[0]}
    monkeypatch.setattr(file_check, "trouble", fails)
    [verdict] = mend().not_loaded
    assert verdict == NotLoaded(KEYS[0], "failed", f"it could not be read: {trouble}")


def test_what_was_refused_is_told_at_a_bearable_length(warehouse: Warehouse) -> None:
    warehouse.raises = dict.fromkeys(KEYS, data_api.WarehouseError("x" * 2000))
    done = mend()
    assert {len(verdict.detail) for verdict in done.not_loaded} == {700}
    assert done.stopped == f"The warehouse refuses good files: {'x' * 500}"


def test_what_redshift_wrote_down_of_a_load_is_told_too(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    error = {"line_number": 7, "column_name": "s3_line", "error_message": "x" * 500}
    monkeypatch.setattr(data_api, "query", lambda sql, given: (asked.append((sql, given)), [error])[1])
    warehouse.raises = {KEYS[5]: data_api.WarehouseError("y" * 2000)}
    [verdict] = mend().not_loaded
    assert verdict.detail == f"{'y' * 700} sys_load_error_detail: line 7, s3_line: {'x' * 500}"[:1000]
    assert asked == [(repair.SQL["load_error"], {"key": f"%/{KEYS[5]}", "since": "2026-01-02 08:00:00"})]


def test_a_warehouse_that_refuses_every_file_is_left_alone_after_three_and_a_good_one(warehouse: Warehouse) -> None:
    warehouse.refused = {*KEYS, GOOD}
    warehouse.good = [GOOD]
    done = mend()
    assert [verdict.key for verdict in done.not_loaded] == KEYS[:4:-1]
    assert warehouse.batches[-1] == [GOOD]
    assert done.stopped.startswith("The warehouse refuses good files: Load into table failed")


@pytest.mark.parametrize("good", [[GOOD], [KEYS[0], GOOD]], ids=["the first", "another"])
def test_files_that_fail_where_good_ones_are_taken_are_to_blame_themselves(
    warehouse: Warehouse, good: list[str]
) -> None:
    warehouse.refused, warehouse.good = set(KEYS), good
    done = mend()
    assert [verdict.key for verdict in done.not_loaded] == KEYS[::-1]
    assert warehouse.batches.count([GOOD]) == 2  # after three, and after six
    assert done.stopped == ""


def test_a_good_file_that_does_not_become_whole_proves_nothing(warehouse: Warehouse) -> None:
    warehouse.refused, warehouse.partial, warehouse.good = set(KEYS), {GOOD}, [GOOD]
    assert mend().stopped.startswith("The warehouse refuses good files")


@pytest.mark.parametrize("wrong", [True, False])
def test_only_files_in_a_row_that_nothing_is_wrong_with_are_counted(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, wrong: bool
) -> None:
    """One that is to blame, or one that is loaded, shows that the warehouse takes files."""
    between = {KEYS[5], KEYS[2]}
    warehouse.refused = set(KEYS) if wrong else set(KEYS) - between
    monkeypatch.setattr(file_check, "trouble", lambda bucket, file: "cut" if wrong and file.key in between else None)
    done = mend()
    assert done.stopped == ""
    assert [verdict.key for verdict in done.not_loaded if verdict.state == "failed"] == [
        key for key in KEYS[::-1] if key not in between
    ]
    assert done.files == (0 if wrong else 2)


def test_a_transaction_that_still_runs_ends_the_repairs_whatever_it_loads(warehouse: Warehouse) -> None:
    still = data_api.StillRunningError("Not done in time (STARTED)", "s1")
    warehouse.refused, warehouse.good, warehouse.raises = set(KEYS), [GOOD], {GOOD: still}
    done = mend()
    assert done.stopped == f"The warehouse did not end in time: {still}"
    assert len(done.not_loaded) == 3


def test_no_transaction_begins_that_would_not_end_in_time(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repair_batches, "MOST_FILES", 2)
    monkeypatch.setattr(repair_batches.batches, "__defaults__", (2, 1000, 1000))
    warehouse.seconds = 10.0
    done = mend(seconds=25.0)
    assert [patience for _, _, patience in warehouse.asked] == [25.0, 15.0]
    assert (done.files, done.stopped) == (4, "Time is up; the next run continues")
    assert warehouse.told == [("files loaded again", files, 8) for files in (0, 2, 4)]
