"""A look at S3 reads the ledger and lists some hours; then it wakes the warehouse, leaves a report, or does nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from unittest import mock

import pytest

from chalicelib import clients, jobs
from chalicelib.conditional import HeldError
from chalicelib.reconcile import (
    alert,
    firehose_failures,
    gate,
    hours,
    ledger,
    listing,
    lock,
    look,
    precedence,
    refusals,
)
from chalicelib.reconcile.gate import Ledger, UsualStream
from chalicelib.reconcile.hours import HOUR, HourFiles, Range
from chalicelib.reconcile.listing import Listing
from chalicelib.reconcile.refusals import Refusals
from tests.support.aws_in_memory import NAME, SETTINGS

NOW = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
NARROW = Range(NOON - HOUR, NOON + HOUR)
SURGE = {"relevant": 500, "tweets": 600, "seconds": 60}
KNOWN = Ledger(
    {NOON: HourFiles(1, NOON, 100)}, {NOON.date()}, 0, UsualStream(10.0, 0.1), NOW - timedelta(minutes=1),
    woken_at=NOON, report="former",
)  # fmt: skip
FORMER = {
    "outstanding": {"findings": 1, "tweets": 9, "untold": 0, "shown": []}, "resolved": {"findings": 2}, "hours": [],
}  # fmt: skip


class Clock(datetime):
    """It is half past twelve."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        assert tz is UTC
        return NOW


class World:
    """What a look touches. `known`: the ledger; `written`: when the files of each hour were; `held`: how often a run is
    found under way."""

    def __init__(self) -> None:
        self.known: Ledger | None = KNOWN
        self.written: Mapping[datetime, list[datetime]] = {NOON: [NOON]}
        self.days: Iterable[date] = {NOON.date()}
        self.failed, self.any_file, self.held = 0, True, 0
        self.called: list[tuple[Any, ...]] = []
        self.left: list[Ledger] = []
        self.run_fails: Exception | None = None
        self.former: dict[str, Any] | None = FORMER

    def lock_held(self, bucket: str) -> bool:
        assert bucket == NAME
        self.held -= 1
        return self.held >= 0

    def files(self, bucket: str, span: Range, seen: Listing) -> Mapping[datetime, list[datetime]]:
        self.called.append(("written", bucket, span))
        seen.requests += 3
        return self.written

    def run(self, event: dict[str, Any], context: Any) -> None:
        self.called.append(("run", event, context))
        if self.run_fails:
            raise self.run_fails

    def noted(self, name: str, answer: Any = None) -> Any:
        def called(*arguments: Any, **named: Any) -> Any:
            self.called.append((name, *arguments, *named.values()))
            return answer() if answer else None

        return called

    def of(self, name: str) -> list[tuple[Any, ...]]:
        return [tuple(rest) for called, *rest in self.called if called == name]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    found = World()
    monkeypatch.setattr(look, "datetime", Clock)
    monkeypatch.setattr(look, "settings", lambda: replace(SETTINGS, delivery="reconcile", load_seconds=900))
    monkeypatch.setattr("time.sleep", found.noted("sleep"))
    monkeypatch.setattr(clients, "s3", lambda: mock.Mock(put_object=found.noted("put_object")))
    for module, name, does in (
        (lock, "held", found.lock_held),
        (ledger, "read", lambda bucket: found.known if bucket == NAME else None),
        (ledger, "write", lambda bucket, known: found.left.append(known)),
        (listing, "any_file", lambda bucket: found.any_file and bucket == NAME),
        (listing, "written", found.files),
        (listing, "stored_days", found.noted("stored_days", lambda: found.days)),
        (firehose_failures, "failed", found.noted("failed", lambda: found.failed)),
        (precedence, "ask", found.noted("ask")),
        (refusals, "count", found.noted("count", lambda: Refusals(tweets=4))),
        (alert, "measure", found.noted("measure")),
        (jobs, "run", found.run),
        (jobs, "new_id", lambda: "new"),
        (jobs, "get", lambda kind, job_id: found.former if (kind, job_id) == (look.KIND, "former") else None),
        (jobs, "store_done", found.noted("store_done")),
    ):
        monkeypatch.setattr(module, name, does)
    return found


def context(seconds: float) -> mock.Mock:
    return mock.Mock(get_remaining_time_in_millis=lambda: seconds * 1000)


def test_a_look_with_nothing_to_do_lists_two_hours_and_leaves_nothing(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert look.look(None) == {"woken": False, "why": "nothing to load, no check due", "left": False}
    assert world.called == [("written", NAME, NARROW)]
    assert world.left == []
    assert "BehindSeconds" not in capsys.readouterr().out


def test_a_file_that_may_wait_is_told_to_be_left(world: World) -> None:
    world.written = {NOON: [NOON, NOW - timedelta(minutes=1)]}
    assert look.look(None) == {"woken": False, "why": "nothing to load yet", "left": True}
    world.known = KNOWN._replace(not_before=NOW + timedelta(seconds=1))
    assert look.look(None) == {"woken": False, "why": "the last run failed a short time ago", "left": False}
    world.known = KNOWN._replace(not_before=NOW)
    assert look.look(None)["left"] is True


def test_a_file_that_has_waited_long_enough_is_loaded(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.written = {NOON: [NOON, NOW - timedelta(seconds=750)]}
    mine = context(800)
    assert look.look(mine) == {"woken": True, "why": "tweet files to load", "left": True}
    arguments = {"repair": True, "why": "tweet files to load"}
    assert world.of("run") == [({"kind": "reconciliations", "arguments": arguments}, mine)]
    [metrics] = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert metrics["BehindSeconds"] == [30.0]
    assert metrics["_aws"]["CloudWatchMetrics"][0]["Metrics"] == [{"Name": "BehindSeconds", "Unit": "Seconds"}]


def test_where_firehose_loads_a_file_has_its_grace(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.written = {NOON: [NOON, NOW - timedelta(seconds=750)]}
    for grace, woken in ((800, False), (750, True)):
        known = replace(SETTINGS, delivery="firehose", load_seconds=0, grace_seconds=grace)
        monkeypatch.setattr(look, "settings", lambda known=known: known)
        assert look.look(None)["woken"] is woken


def test_a_surge_says_since_when_its_files_go_first(world: World) -> None:
    world.written = {NOON: [NOON, NOW]}
    assert look.look(None, SURGE)["why"] == "a surge of relevant tweets"
    [(event, _)] = world.of("run")
    assert event["arguments"]["surge_since"] == "2026-03-04T12:29:50+00:00"


def test_all_recent_hours_are_listed_every_quarter_of_an_hour(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.known = KNOWN._replace(looked_at=NOW - gate.WIDE + timedelta(seconds=1))
    look.look(None)
    world.known = KNOWN._replace(looked_at=NOW - gate.WIDE)
    look.look(None)
    assert world.of("written") == [(NAME, NARROW), (NAME, hours.recent(NOW))]
    assert (world.of("stored_days"), world.of("failed")) == ([(NAME,)], [(NAME, hours.recent(NOW))])
    assert '"BehindSeconds":[0.0]' in capsys.readouterr().out.replace(" ", "")


def test_what_only_the_wide_look_shows_wakes_too(world: World) -> None:
    world.known = KNOWN._replace(looked_at=NOW - gate.WIDE)
    world.days = {date(2025, 1, 1)}
    assert look.look(None)["why"] == "tweet files of a day that no run has seen"
    world.days, world.failed = {NOON.date()}, 1
    assert look.look(None)["why"] == "records that the transform did not answer for"


def test_a_wide_look_that_wakes_nobody_leaves_a_report_and_says_when_it_looked(world: World) -> None:
    world.known = KNOWN._replace(looked_at=NOW - gate.WIDE)
    assert look.look(None)["woken"] is False
    assert world.left == [KNOWN._replace(looked_at=NOW)]
    [(kind, job_id, arguments, report)] = world.of("store_done")
    assert (kind, job_id, arguments) == (
        "reconciliations", "new", {"repair": True, "why": "nothing to load, no check due"},
    )  # fmt: skip
    assert {name: report[name] for name in FORMER} == FORMER
    assert (report["verdict"], report["tweets"]["lost"], report["alerted"]) == ("trouble", 9, False)
    assert (report["rejected"]["tweets"], report["looked_at"]["list_requests"]) == (4, 3)
    woken = {"woken": False, "why": "nothing to load, no check due", "last_woken_at": "2026-03-04T12:00:00Z"}
    assert report["warehouse"] == woken
    [(measured, took)] = world.of("measure")
    assert measured == report
    assert 0 <= took < 60
    [(bucket, key, body, content)] = world.of("put_object")
    assert (bucket, key) == (NAME, "reports/reconciliations/new.html")
    assert content == "text/html; charset=utf-8"
    assert b"The warehouse was not woken" in body
    [(bucket, spans, until)] = world.of("count")
    assert (bucket, spans) == (NAME, [NARROW])
    assert 0 < until - time.monotonic() <= 20.0


def test_where_nothing_needs_a_person_all_is_well(world: World) -> None:
    world.known, world.former = KNOWN._replace(looked_at=NOW - gate.WIDE, woken_at=None), None
    look.look(None)
    [(*_, report)] = world.of("store_done")
    assert (report["verdict"], report["tweets"]["lost"]) == ("well", 0)
    assert report["warehouse"]["last_woken_at"] is None


def test_without_a_ledger_a_run_makes_one_if_there_is_any_file(world: World) -> None:
    world.known = None
    assert look.look(None) == {"woken": True, "why": "no run has left a ledger", "left": True}
    assert world.of("written") == []
    world.any_file = False
    world.written = {}
    assert look.look(None)["woken"] is False
    assert world.of("written") == [(NAME, hours.recent(NOW))], "a stage that is new is looked at as a whole"
    [left] = world.left
    assert (left.looked_at, left.usual.share, left.took) == (NOW, SETTINGS.relevant_share, 0.0)


def test_after_a_run_that_failed_the_warehouse_is_left_alone(world: World) -> None:
    world.known = KNOWN._replace(check_at=NOW)
    world.run_fails = ValueError("no such table")
    with pytest.raises(ValueError, match="no such table"):
        look.look(None)
    assert world.left == [world.known._replace(not_before=NOW + timedelta(minutes=15))]


def test_a_run_that_found_another_under_way_has_not_failed(world: World) -> None:
    world.known = KNOWN._replace(check_at=NOW)
    world.run_fails = HeldError("Another run is under way")
    with pytest.raises(HeldError):
        look.look(None)
    assert world.left == []


# ---- another run is under way


def test_a_look_leaves_a_run_under_way_alone(world: World) -> None:
    world.held = 1
    assert look.look(None) == {"woken": False, "why": "another run is under way", "left": True}
    assert world.called == []


def test_a_surge_asks_the_run_under_way_to_end_each_time_and_waits_for_it(world: World) -> None:
    world.held = 2
    assert look.look(None, SURGE)["why"] == "nothing to load, no check due"
    assert [name for name, *_ in world.called] == ["ask", "sleep", "ask", "sleep", "written"]
    assert world.of("ask") == [(NAME,)] * 2
    assert world.of("sleep") == [(lock.POLL,)] * 2


@pytest.mark.parametrize("known", [KNOWN._replace(usual=UsualStream(10_000.0, 0.9)), None])
def test_what_is_no_surge_as_far_as_is_known_waits_and_asks_for_nothing(world: World, known: Ledger | None) -> None:
    world.known, world.held = known, 1
    look.look(None, SURGE)
    assert (world.of("ask"), world.of("sleep")) == ([], [(lock.POLL,)])


@pytest.mark.parametrize(("seconds", "waits"), [(119.9, False), (120.0, True)])
def test_a_surge_does_not_wait_where_too_little_time_would_be_left(world: World, seconds: float, waits: bool) -> None:
    world.held = 1
    assert (look.look(context(seconds), SURGE)["why"] != "another run is under way") is waits
    assert len(world.of("sleep")) == waits
