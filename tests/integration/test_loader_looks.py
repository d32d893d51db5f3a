"""A look lists S3, and either runs, or leaves a report that says why the warehouse was not woken."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any
from unittest import mock

import pytest

from chalicelib import clients, jobs
from chalicelib.reconcile import firehose_failures, gate, ledger, listing, lock, look, precedence
from chalicelib.reconcile.hours import floor
from chalicelib.settings import settings
from chalicelib.warehouse import data_api
from local.server import LocalAws
from tests.support import tweet_files as files
from tests.support.deliveries import loading

SURGE = {"relevant": 400, "tweets": 500, "seconds": 30.0}


@pytest.fixture(autouse=True, scope="module")
def alone(stack: LocalAws) -> None:
    files.forget_all()


@pytest.fixture(autouse=True)
def settled(alone: None) -> Iterator[None]:
    """A loader that has loaded all there is."""
    with loading():
        load_all()
        yield


def reports() -> set[str]:
    return set(jobs._ids("reconciliations", date.min))


def report_of(surge: dict[str, Any] | None = None) -> dict[str, Any]:
    """Look, and return the one report that is there then and wasn't before: ids of one second have no order."""
    before = reports()
    looked(surge)
    (job_id,) = reports() - before
    found = jobs.get("reconciliations", job_id)
    assert found
    return found


def load_all() -> None:
    files.execute("DELETE FROM disaster.finding")
    clients.s3().delete_object(Bucket=settings().bucket, Key=ledger.KEY)
    for _ in range(3):
        if not looked()["left"]:
            return
    raise AssertionError(looked())


def looked(surge: dict[str, Any] | None = None) -> dict[str, Any]:
    return look.look(files.Context(), surge)


@contextmanager
def asleep() -> Iterator[None]:
    """Whoever asks the warehouse fails."""
    with mock.patch.object(clients, "redshift_data", side_effect=AssertionError("the warehouse was woken")):
        yield


def later(**change: Any) -> None:
    """The ledger as if it were of an earlier time."""
    known = ledger.read(settings().bucket)
    assert known
    ledger.write(settings().bucket, known._replace(**change))


def present(tweets: int = 5) -> str:
    """A tweet file of the present hour."""
    return files.put(floor(datetime.now(UTC)), tweets)


def test_a_new_file_is_loaded_by_the_next_look_and_the_one_after_has_nothing_to_do() -> None:
    key = present()
    assert looked()["why"] == "tweet files to load"
    assert files.rows_of(key) == [1, 2, 3, 4, 5]
    with asleep():
        assert looked() == {"woken": False, "why": "nothing to load, no check due", "left": False}


def test_the_ordinary_way_in_is_no_repair_and_leaves_no_finding() -> None:
    key = present(3)
    report = report_of()
    assert report["verdict"] == "well"
    assert report["new"] == {"files": 1, "tweets": 3, "loaded": 3}
    assert (report["tweets"]["late"], report["repairs"]["files"], report["findings"]) == (0, 0, [])
    found = data_api.query("SELECT state FROM disaster.reconciliation_finding WHERE s3_key = :key", {"key": key})
    assert found == []
    (known,) = data_api.query("SELECT state FROM disaster.tweet_file WHERE s3_key = :key", {"key": key})
    assert known == {"state": "loaded"}


def test_a_new_file_that_can_not_be_loaded_is_a_finding() -> None:
    hour = floor(datetime.now(UTC))
    key = files.put(hour, body=b"no gzip")
    report = report_of()
    assert report["verdict"] == "trouble"
    assert files.states(report)[key] == "unreadable"
    clients.s3().delete_object(Bucket=settings().bucket, Key=key)


def test_a_file_may_wait_and_a_surge_may_not() -> None:
    with loading(load_seconds=900):
        key = present()
        with asleep():
            assert looked() == {"woken": False, "why": "nothing to load yet", "left": True}
            assert looked({**SURGE, "relevant": 29})["woken"] is False
        assert looked(SURGE)["why"] == "a surge of relevant tweets"
        assert files.rows_of(key) == [1, 2, 3, 4, 5]
        with asleep():
            assert looked(SURGE)["woken"] is False  # another copy of the transform tells of the same


def test_four_times_an_hour_a_look_that_wakes_nobody_says_so_in_a_report() -> None:
    later(looked_at=datetime.now(UTC) - gate.WIDE)
    with asleep():
        report = report_of()
        before = reports()
        looked()
        assert reports() == before
    files.check(json.loads(json.dumps({name: each for name, each in report.items() if name not in JOB})))
    assert (report["status"], report["verdict"], report["warehouse"]["woken"]) == ("succeeded", "well", False)
    assert report["warehouse"]["why"] == "nothing to load, no check due"
    assert "The warehouse was not woken: nothing to load, no check due." in jobs.page(report)


JOB = {"id", "kind", "status", "status_url", "arguments", "started_at", "finished_at"}


def test_what_needs_a_person_stays_in_the_reports_of_looks_that_wake_nobody() -> None:
    hour = floor(datetime.now(UTC))
    key = files.put(hour, body=b"no gzip")
    looked()
    later(looked_at=datetime.now(UTC) - gate.WIDE)
    with asleep():
        report = report_of()
    assert (report["verdict"], report["warehouse"]["woken"]) == ("trouble", False)
    assert [each["s3_key"] for each in report["outstanding"]["shown"]] == [key]
    assert report["tweets"]["lost"] == 5
    later(check_at=datetime.now(UTC))  # within the hour
    assert looked()["why"] == "a check is due"
    clients.s3().delete_object(Bucket=settings().bucket, Key=key)


def test_a_file_that_was_written_late_is_found_by_the_wide_look() -> None:
    key = files.put(floor(datetime.now(UTC)) - timedelta(hours=20))
    with asleep():
        assert looked()["left"] is False
    later(looked_at=datetime.now(UTC) - gate.WIDE)
    assert looked()["woken"] is True
    assert files.rows_of(key) == [1, 2, 3, 4, 5]


def test_files_of_a_day_long_ago_are_found_by_the_wide_look() -> None:
    key = files.put(datetime(2023, 5, 6, 7, tzinfo=UTC))
    later(looked_at=datetime.now(UTC) - gate.WIDE)
    assert looked()["why"] == "tweet files of a day that no run has seen"
    assert files.rows_of(key) == [1, 2, 3, 4, 5]


def test_a_stage_to_which_nobody_has_sent_anything_asks_the_warehouse_nothing() -> None:
    clients.s3().delete_object(Bucket=settings().bucket, Key=ledger.KEY)
    nothing: dict[str, Any] = {"any_file": lambda _: False, "written": lambda *_: {}, "stored_days": lambda _: set()}
    with (
        asleep(),
        mock.patch.multiple(listing, **nothing),
        mock.patch.object(firehose_failures, "failed", return_value=0),
    ):
        report = report_of()
    assert report["warehouse"] == {"woken": False, "why": "nothing to load, no check due", "last_woken_at": None}


def test_without_a_ledger_a_run_makes_a_new_one() -> None:
    clients.s3().delete_object(Bucket=settings().bucket, Key=ledger.KEY)
    assert looked()["why"] == "no run has left a ledger"
    with asleep():
        looked()


def test_while_a_run_is_under_way_a_look_leaves_it_alone_and_a_surge_waits_for_its_end() -> None:
    key = present()
    with lock.Lock(settings().bucket, "another", 0), asleep():
        assert looked()["why"] == "another run is under way"

    class Over(Exception):  # noqa: N818 - no error
        pass

    def sleep(_: float) -> None:
        raise Over

    assert precedence.asked(settings().bucket, 10_000.0) is False
    for surge, asked in (({**SURGE, "relevant": 29}, False), (SURGE, True)):
        with lock.Lock(settings().bucket, "another", 0), mock.patch.object(time, "sleep", sleep), pytest.raises(Over):
            look.look(files.Context(600), surge)
        assert precedence.asked(settings().bucket, 10_000.0) is asked  # the run under way, to end early
    assert precedence.asked(settings().bucket, -1.0) is False  # that was before this run began
    looked()
    assert files.rows_of(key) == [1, 2, 3, 4, 5]


def test_after_a_run_that_failed_the_warehouse_is_left_alone_for_a_while() -> None:
    present()
    with loading(load_seconds=900):
        later(check_at=datetime.now(UTC))
        broken = data_api.WarehouseError("no such table")
        with mock.patch.object(data_api, "run", side_effect=broken), pytest.raises(data_api.WarehouseError):
            looked()
        with asleep():
            assert looked() == {"woken": False, "why": "the last run failed a short time ago", "left": False}
        later(not_before=datetime.now(UTC))
        assert looked()["woken"] is True


def test_a_run_by_hand_that_was_only_to_look_does_not_hide_what_is_to_be_loaded() -> None:
    key = present()
    files.reconcile(repair=False)
    assert looked()["woken"] is True
    assert files.rows_of(key) == [1, 2, 3, 4, 5]
