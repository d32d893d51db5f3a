"""A run does its steps in order, each within its share of the time, and says how far it is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import EndpointConnectionError

from chalicelib import clients, jobs
from chalicelib.comprehend import idle
from chalicelib.overview import stored
from chalicelib.pages import reconciliation as page
from chalicelib.reconcile import (
    alert,
    books,
    compare,
    firehose_failures,
    gate,
    hours,
    ledger,
    listing,
    precedence,
    refusals,
    repeats,
    run,
)
from chalicelib.reconcile.books import Answers
from chalicelib.reconcile.compare import NO_QUESTIONS, Compared, Known
from chalicelib.reconcile.firehose_failures import GivenUp
from chalicelib.reconcile.hours import HOUR, HourFiles, Range
from chalicelib.reconcile.job import Deadlines, Job, Run
from chalicelib.reconcile.listing import Listing
from chalicelib.reconcile.refusals import Refusals
from chalicelib.reconcile.repair import Repairs
from chalicelib.reconcile.report import Results
from chalicelib.situations import run as situations
from chalicelib.telemetry import logger
from chalicelib.warehouse import data_api
from tests.support.aws_in_memory import NAME, SETTINGS, client_error

NOW = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)
KNOWN = Known([], [], {}, None)


def at(hour: int) -> datetime:
    return datetime(2026, 1, 31, hour, tzinfo=UTC)


@pytest.fixture(autouse=True)
def known_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "settings", lambda: replace(SETTINGS, delivery="firehose", grace_seconds=700))


# ---- what is to be done


def test_what_is_not_said_is_filled_in() -> None:
    job = run.plan({}, "id", NOW, KNOWN)
    assert job == Job("id", NOW, timedelta(seconds=700), False, False, True)
    assert run.plan({"repair": True, "grace_seconds": 5}, "id", NOW, KNOWN)[2:4] == (timedelta(seconds=5), True)


@pytest.mark.parametrize("named", [{"from": "2026-01-31"}, {"to": "2026-01-31"}])
def test_a_run_on_named_hours_is_asked_for_and_sweeps_nothing(named: dict[str, str]) -> None:
    job = run.plan(named, "id", NOW, KNOWN)
    assert (job.asked_for, job.sweep) == (True, False)


@pytest.mark.parametrize(("ago", "sweep"), [(timedelta(hours=24), True), (timedelta(hours=24, microseconds=-1), False)])
def test_a_day_after_the_last_sweep_the_next_one_is_due(ago: timedelta, sweep: bool) -> None:
    assert run.plan({}, "id", NOW, KNOWN._replace(last_sweep=NOW - ago)).sweep == sweep


def test_hours_are_those_that_were_asked_for_on_days_that_have_files_or_are_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listing, "stored_days", lambda bucket: {date(2026, 1, 29)} if bucket == NAME else set())
    known = KNOWN._replace(days=[date(2026, 1, 30)])
    job = run.plan({"to": "2026-01-31T01:00:00Z"}, "id", NOW, known)
    found = run.which({"to": "2026-01-31T01:00:00Z"}, job, known, Listing())
    assert len(found) == 49
    both = {"from": "2026-01-30T22:00:00+01:00", "to": "2026-01-31T01:00:00"}
    assert run.which(both, run.plan(both, "id", NOW, known), known, Listing()) == {
        datetime(2026, 1, 30, hour, tzinfo=UTC) for hour in (21, 22, 23)
    } | {at(0)}


def test_without_hours_those_are_looked_at_that_are_due_or_have_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def files_of(bucket: str, span: Range, seen: Listing) -> dict[datetime, HourFiles]:
        asked.append((bucket, span))
        seen.requests += 1
        return {at(3): HourFiles(2, at(4)), at(5): HourFiles(1, at(5))}

    monkeypatch.setattr(listing, "stored_days", lambda bucket: {NOW.date()})
    monkeypatch.setattr(listing, "files_of", files_of)
    recent = {at(hour): HourFiles(1, at(hour) + HOUR) for hour in range(12)} | {at(5): HourFiles(1, at(9))}
    changed = {at(hour) for hour in range(12) if hour != 5}  # their files are gone, or more
    seen = Listing()
    job = run.plan({}, "id", NOW, KNOWN)
    assert run.which({}, job, KNOWN._replace(recent=recent), seen) == changed | {at(12)}
    assert asked == [(NAME, Range(datetime(2026, 1, 29, 12, tzinfo=UTC), at(13)))]
    assert seen.requests == 1


# ---- whether there will be something to do


CALM = KNOWN._replace(recent={at(1): HourFiles(2, at(3))})
OF_AN_HOUR = Listing([at(1)], {at(1): HourFiles(2, at(2))})


@pytest.mark.parametrize(
    ("known", "listed", "calm"),
    [
        (CALM, OF_AN_HOUR, True),
        (CALM, Listing([at(2)]), True),
        (
            KNOWN,
            Listing([datetime(2025, 1, 1, tzinfo=UTC)], {datetime(2025, 1, 1, tzinfo=UTC): HourFiles(1, at(2))}),
            True,
        ),
        (CALM._replace(findings=1), OF_AN_HOUR, False),
        (CALM._replace(new_rows=1), OF_AN_HOUR, False),
        (KNOWN, OF_AN_HOUR, False),
        (CALM, Listing([at(1)], {at(1): HourFiles(3, at(2))}), False),
        (CALM, Listing([at(1)]), False),
    ],
)
def test_a_run_is_calm_where_nothing_is_open_and_no_file_is_new(known: Known, listed: Listing, calm: bool) -> None:
    job = Job("id", NOW, timedelta(), repair=True, asked_for=False, sweep=False)
    assert run.calm(job, known, listed) is calm
    assert not run.calm(job._replace(sweep=True), known, listed)


def test_a_calm_run_s_comparison_asks_what_the_report_shows(steps: Steps) -> None:
    steps.known, steps.listed = KNOWN, Listing([at(1), at(2)])
    found = run.reconcile(ASKED, "id", Deadlines(1100.0, 1120.0), mock.Mock(lost=False))
    assert steps.of("compared_with")[-1] == books.questions(found.job, steps.listed)


# ---- orphans that were written meanwhile


@pytest.mark.parametrize(("code", "there"), [("404", False), ("403", False), ("400", False), ("", True)])
def test_a_file_is_there_if_s3_says_so(monkeypatch: pytest.MonkeyPatch, code: str, there: bool) -> None:
    s3 = mock.Mock()
    s3.head_object.side_effect = client_error(code) if code else None
    monkeypatch.setattr(clients, "s3", lambda: s3)
    assert run.exists_now("tweets/x") is there
    s3.head_object.assert_called_once_with(Bucket=NAME, Key="tweets/x")
    assert run.exists_now("") is False


def test_an_error_of_s3_is_no_file_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = mock.Mock()
    s3.head_object.side_effect = client_error("500")
    monkeypatch.setattr(clients, "s3", lambda: s3)
    with pytest.raises(Exception, match="500"):
        run.exists_now("tweets/x")


def test_orphans_whose_file_is_there_after_all_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    taken_back: list[Any] = []
    compared = Compared({"orphaned": {"files": 3}}, ["a", "b", "c"])
    job = run.plan({}, "id", NOW, KNOWN)
    listed = Listing([at(1)])
    given: list[Any] = []
    mine = Run(job, NAME, "work/", SETTINGS.copy_role_arn, Deadlines(100.0, 200.0))
    monkeypatch.setattr(compare, "compare", lambda *arguments: (given.append(arguments), compared)[1])
    monkeypatch.setattr(compare, "no_orphans", lambda *arguments: taken_back.append(arguments))
    monkeypatch.setattr(run, "exists_now", lambda key: key != "b")
    assert run.compared_with(mine, listed, NO_QUESTIONS) is compared
    assert given == [(mine, listed, NO_QUESTIONS)]
    assert taken_back == [(mine, ["a", "c"])]
    monkeypatch.setattr(run, "exists_now", lambda key: False)
    run.compared_with(mine, listed, NO_QUESTIONS)
    assert len(taken_back) == 1
    assert run.compared_with(mine, Listing(), NO_QUESTIONS) == Compared({}, [])
    assert len(given) == 2


# ---- what idles


def test_what_idles_is_told_or_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    monkeypatch.setattr(logger, "exception", logged.append)
    monkeypatch.setattr(idle, "endpoints", lambda: [{"version": "v"}])
    assert idle.endpoints_or_none() == [{"version": "v"}]
    for trouble in (
        client_error("AccessDenied"), EndpointConnectionError(endpoint_url="x"), data_api.WarehouseError("no"),
    ):  # fmt: skip
        monkeypatch.setattr(idle, "endpoints", mock.Mock(side_effect=trouble))
        assert idle.endpoints_or_none() is None
    assert logged == ["idle endpoints unknown"] * 3


# ---- all of it


def total(files: int) -> dict[str, int]:
    return {"files": files, "tweets": 0, "loaded": 0}


class Steps:
    """What is called of the other modules, in order; a clock that stands still."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.called: list[tuple[Any, ...]] = []
        self.listed = Listing([at(1), at(2)], files=20)
        self.compared = Compared(
            {state: total(files) for state, files in (("missing", 2), ("excess", 3), ("loaded", 9))}, []
        )
        self.known = KNOWN._replace(findings=7, days=[NOW.date()])
        self.objects: list[dict[str, Any]] = []
        self.repairs = Repairs(files=1, since=at(1))
        settled = Answers([], [], {"tweets": 0, "extra": 0}, [], [])
        monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
        monkeypatch.setattr(listing, "stored_days", lambda bucket: set())
        monkeypatch.setattr(jobs, "progress", lambda *told: self.called.append(("progress", *told)))
        monkeypatch.setattr(compare, "known", lambda now, job_id: self.known)
        monkeypatch.setattr(clients, "s3", lambda: mock.Mock(put_object=lambda **o: self.objects.append(o)))
        for module, name, answer in (
            (listing, "write", lambda: self.listed),
            (run, "compared_with", lambda: self.compared),
            (run, "repair", lambda: self.repairs),
            (repeats, "find", lambda: None),
            (situations, "update", lambda: None),
            (firehose_failures, "find", list),
            (refusals, "count", Refusals),
            (firehose_failures, "given_up", lambda: GivenUp(0, [])),
            (books, "settle", lambda: settled),
            (books, "close", lambda: None),
            (alert, "measure", lambda: None),
            (alert, "tell", lambda: True),
            (run, "keep", lambda: None),
            (idle, "endpoints_or_none", list),
        ):
            monkeypatch.setattr(module, name, self.step(name, answer))

    def step(self, name: str, answer: Any) -> Any:
        def called(*arguments: Any) -> Any:
            self.called.append((name, *arguments))
            return answer()

        return called

    def of(self, name: str) -> tuple[Any, ...]:
        [found] = [rest for called, *rest in self.called if called == name]
        return tuple(found)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    yield Steps(monkeypatch)


ASKED = {"from": "2026-01-31T01:00:00Z", "to": "2026-01-31T03:00:00Z", "repair": True}


def test_each_step_gets_what_the_ones_before_it_found_and_its_share_of_the_time(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = mock.Mock(lost=False)
    found = run.reconcile(ASKED, "id", Deadlines(1100.0, 1120.0), lock)
    assert [name for name, *_ in steps.called] == [
        "progress", "write", "progress", "compared_with", "repair", "progress", "find", "progress", "update",
        "progress", "find", "count", "given_up", "settle", "endpoints_or_none",
    ]  # fmt: skip
    assert [rest for name, *rest in steps.called if name == "progress"] == [
        ["listing tweet files"],
        ["tweet files listed, now compared with rows", 20],
        ["looking for tweets that came more than once"],
        ["looking for situations"],
        ["looking for records that the transform did not answer, and for refused ones"],
    ]
    bucket, folder, spans, listed_by, requests = steps.of("write")
    assert (bucket, spans, listed_by, requests) == (NAME, [Range(at(1), at(3))], 1040.0, 0)
    assert folder.startswith("reports/work/id/")
    assert len(folder) == len("reports/work/id/") + 9
    job = found.job
    assert (job.id, job.repair, job.asked_for, job.sweep) == ("id", True, True, False)
    mine = Run(job, NAME, folder, SETTINGS.copy_role_arn, Deadlines(1100.0, 1120.0))
    assert steps.of("compared_with") == (mine, steps.listed, compare.NO_QUESTIONS)
    given, hindrance, damaged = steps.of("repair")
    assert (given, damaged) == (mine, 5)
    monkeypatch.setattr(precedence, "asked", lambda bucket, seconds: bucket == NAME and seconds >= 0)
    assert hindrance(False) == ""
    assert hindrance(True) == "A surge of relevant tweets goes first; the next run continues"
    lock.lost = True
    assert hindrance(False) == "Another run took over"
    looked, lost = [rest for name, *rest in steps.called if name == "find"]
    assert looked == [job, steps.known, at(1), 120.0]
    assert lost == [mine, spans]
    run_id, moment, update_by = steps.of("update")
    assert (run_id, moment.tzinfo, update_by) == ("id", UTC, 1100.0)
    assert steps.of("count") == (NAME, spans, 1100.0)
    assert steps.of("given_up") == (NAME, spans)
    assert steps.of("settle") == (mine, steps.listed, steps.compared, 7, [], [])
    assert found.repairs is steps.repairs
    assert found.listing is steps.listed


@pytest.mark.parametrize(
    ("asked", "totals"),
    [({**ASKED, "repair": False}, None), (ASKED, {"loaded": total(9), "orphaned": total(1)})],
)
def test_nothing_is_repaired_unless_it_is_to_be_and_can_be(
    steps: Steps, asked: dict[str, Any], totals: dict[str, Any] | None
) -> None:
    if totals is not None:
        steps.compared = Compared(totals, [])
    found = run.reconcile(asked, "id", Deadlines(1100.0, 1120.0), mock.Mock(lost=False))
    assert "repair" not in [name for name, *_ in steps.called]
    assert found.repairs == Repairs()


@pytest.mark.parametrize("complete", [True, False])
def test_hours_that_time_ran_out_for_are_no_strays(
    steps: Steps, monkeypatch: pytest.MonkeyPatch, complete: bool
) -> None:
    monkeypatch.setattr(listing, "files_of", lambda bucket, span, seen: {})
    steps.listed = replace(steps.listed, complete=complete)
    assert run.reconcile({}, "id", Deadlines(1100.0, 1120.0), mock.Mock(lost=False)).job.sweep is complete


def test_the_time_left_is_a_second_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    job = run.plan({}, "id", NOW, KNOWN)
    for deadline, left in ((1005.5, 5.5), (1000.5, 1.0), (900.0, 1.0)):
        assert Run(job, NAME, "work/", "role", Deadlines(deadline, 0.0)).until_repairs_stop == left
        assert Run(job, NAME, "work/", "role", Deadlines(0.0, deadline)).until_report == left


@pytest.mark.parametrize(("seconds", "given"), [(100.0, 100.0), (None, 840.0)])
def test_a_run_takes_the_lock_within_its_time_tells_and_leaves_report_and_page(
    steps: Steps, monkeypatch: pytest.MonkeyPatch, seconds: float | None, given: float
) -> None:
    locked: list[Any] = []
    logged: list[Any] = []

    class Lock:
        lost = False

        def __init__(self, *arguments: Any) -> None:
            locked.append(arguments)

        def __enter__(self) -> Lock:
            return self

        def __exit__(self, *error: object) -> None:
            locked.append("free")

    monkeypatch.setattr(run, "Lock", Lock)
    monkeypatch.setattr(logger, "info", lambda text, extra: logged.append((text, extra)))
    context = None
    if seconds is not None:
        context = mock.Mock()
        context.get_remaining_time_in_millis.return_value = seconds * 1000
    report = run.run(ASKED, context, "id")
    assert locked == [(NAME, "id", given * 0.8), "free"]
    mine, *_ = steps.of("repair")
    assert mine.deadlines == pytest.approx((1000.0 + given * 0.85, 1000.0 + given * 0.97))
    assert steps.of("measure") == (report, 0.0)
    assert steps.of("tell") == (report, "id")
    job, told, finished = steps.of("close")
    assert (job.id, told) == ("id", report)
    assert finished.tzinfo == UTC
    assert (report["alerted"], report["verdict"]) == (True, "repaired")
    assert steps.objects == [
        {
            "Bucket": NAME,
            "Key": "reports/reconciliations/id.html",
            "Body": page.render(report, "id").encode(),
            "ContentType": "text/html; charset=utf-8",
        }
    ]
    assert logged == [("reconciled", {"verdict": "repaired", **report["tweets"]})]
    names = [name for name, *_ in steps.called]
    assert names.index("measure") < names.index("tell") < names.index("close")
    found, kept = steps.of("keep")
    assert (found.job, kept) == (job, report)
    assert report["warehouse"] == {"woken": True, "why": "asked for", "last_woken_at": report["as_of"]}


def test_the_overview_is_written_anew_for_a_person_who_names_no_hours(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[bool] = []
    monkeypatch.setattr(stored, "keep", lambda asked_for: written.append(asked_for))
    monkeypatch.setattr(listing, "files_of", lambda bucket, span, seen: {})
    lock = mock.MagicMock()
    lock.return_value.__enter__.return_value.lost = False
    monkeypatch.setattr(run, "Lock", lock)
    for arguments in ({}, {"repair": True}, {"why": "a check is due"}, {"from": "2026-01-31"}, {"to": "2026-01-31"}):
        run.run(arguments, None, "id")
    assert written == [True, True, False, False, False]


# ---- what the next look is told


LONG_AGO = at(0) - 47 * HOUR
BEFORE = gate.Ledger(
    {at(1): HourFiles(1, at(2), 10), at(9): HourFiles(4, at(10), 40), LONG_AGO - HOUR: HourFiles(9, LONG_AGO, 90)},
    {date(2026, 1, 1)}, 5, gate.UsualStream(7.0, 0.25), at(11), check_at=at(13), report="former", took=33.0,
)  # fmt: skip


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[gate.Ledger]:
    """The ledgers that are written; `BEFORE` is there."""
    written: list[gate.Ledger] = []
    monkeypatch.setattr(ledger, "read", lambda bucket: BEFORE if bucket == NAME else None)
    monkeypatch.setattr(ledger, "write", lambda bucket, found: written.append(found))
    monkeypatch.setattr(firehose_failures, "failed", lambda bucket, span: 3 if span == hours.recent(NOW) else 0)
    return written


def results(repairs: Repairs | None = None, *, asked_for: bool = False, **answers: Any) -> Results:
    """What a run on 01:00 to 03:00 found there."""
    job = Job("id", NOW, timedelta(), repair=True, asked_for=asked_for, sweep=True)
    listed = Listing([at(1), at(2)], {at(1): HourFiles(2, at(3), 20), at(2): HourFiles(6, at(3), 60)})
    listed.days = {date(2026, 1, 30), date(2026, 1, 31)}
    given: dict[str, Any] = {"actions": [], "kinds": [], "hours": [], **answers}
    told = Answers(given["actions"], [], {"tweets": 0, "extra": 0}, given["kinds"], given["hours"])
    return Results(job, listed, Compared({}, []), repairs or Repairs(), told, Refusals(), [], GivenUp(0, []), None)


WELL = {"complete": True, "outstanding": {"findings": 0}}


def test_a_run_leaves_what_it_found_and_not_what_was_known_before(kept: list[gate.Ledger]) -> None:
    found = results(
        Repairs(files=2, oldest_at=NOW + timedelta(seconds=90)), hours=[{"hour": at(2), "waiting_files": "2"}]
    )
    run.keep(found, WELL)
    [left] = kept
    assert left.hours == {at(1): HourFiles(2, at(3), 20), at(2): HourFiles(4, at(3), 60)}, "what waits is not known"
    assert (left.days, left.failed) == ({date(2026, 1, 30), date(2026, 1, 31)}, 3)
    assert left.usual == (80 / 1440, 0.25)
    assert (left.looked_at, left.woken_at, left.report, left.took) == (NOW, NOW, "id", 90.0)
    assert left.check_at == NOW + gate.CHECK


def test_a_run_on_hours_that_somebody_named_tells_of_those_alone(kept: list[gate.Ledger]) -> None:
    run.keep(results(asked_for=True), WELL)
    [left] = kept
    known = {at(1): HourFiles(2, at(3), 20), at(2): HourFiles(6, at(3), 60), at(9): HourFiles(4, at(10), 40)}
    assert left.hours == known, "and no more of hours that are not recent any more"
    assert (left.days, left.failed, left.took) == ({date(2026, 1, 1)}, 5, 33.0)


def test_what_is_not_finished_or_needs_somebody_is_looked_at_soon(kept: list[gate.Ledger]) -> None:
    run.keep(results(), WELL)
    run.keep(results(), {**WELL, "outstanding": {"findings": 1}})
    run.keep(results(), {**WELL, "complete": False})
    assert [left.check_at for left in kept] == [None, NOW + HOUR, NOW + gate.AGAIN]


def test_a_run_that_left_something_to_load_tells_nothing(kept: list[gate.Ledger]) -> None:
    for action, state in (("none", "missing"), ("none", "new"), ("repaired", "missing"), ("none", "orphaned")):
        run.keep(results(actions=[{"action": action, "state": state}]), WELL)
    assert len(kept) == 2


def test_without_a_ledger_a_run_on_hours_that_somebody_named_makes_none(
    kept: list[gate.Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "read", lambda bucket: None)
    run.keep(results(asked_for=True), WELL)
    assert kept == []
    run.keep(results(), WELL)
    [left] = kept
    assert (left.usual.share, left.took) == (SETTINGS.relevant_share, 0.0)


def test_the_usual_share_is_told_by_five_hundred_tweets_at_least() -> None:
    rows = [{"tweets": "400", "relevant": "40"}, {"tweets": "100", "relevant": "35"}]
    assert run.share(rows, 0.5) == 0.15
    assert run.share([rows[0], {"tweets": "99", "relevant": "35"}], 0.5) == 0.5
    assert run.share([], 0.5) == 0.5
