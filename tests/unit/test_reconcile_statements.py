"""What a run asks of the warehouse: which statements, with which parameters, and what it makes of the answers."""

# A fake answers with words where the warehouse answers with rows.
# mypy: disable-error-code="comparison-overlap"

from __future__ import annotations

import gzip
import json
import time
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from chalicelib import clients
from chalicelib.reconcile import books, compare, file_check, findings, hours, listing, repeats, transaction
from chalicelib.reconcile.books import Answers
from chalicelib.reconcile.compare import Compared, Known, Questions
from chalicelib.reconcile.firehose_failures import FailedFile
from chalicelib.reconcile.hours import HOUR, Window
from chalicelib.reconcile.job import Deadlines, Job, Run
from chalicelib.reconcile.listing import Listing
from chalicelib.reconcile.repair import NotLoaded
from chalicelib.reconcile.repair_batches import TweetFile as Damaged
from chalicelib.warehouse import copy, data_api, statements
from chalicelib.warehouse.statements import END, WINDOW, for_windows
from tests.support.aws_in_memory import NAME, SETTINGS, client_error

NOW = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)
JOB = Job("job", NOW, timedelta(seconds=900), True, False, True)
ROLE = SETTINGS.copy_role_arn


def at(hour: int) -> datetime:
    return datetime(2026, 1, 31, hour, tzinfo=UTC)


def under_way(job: Job, seconds: float = 840.0) -> Run:
    """Return a run with so many seconds left; the clock stands still at 1,000."""
    return Run(job, NAME, "work/", ROLE, Deadlines(1000.0 + seconds, 1000.0 + seconds))


class Warehouse:
    """Answers what it is told to, and keeps what it was asked and what was written to S3."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.answers: list[Any] = []
        self.written: dict[str, list[dict[str, Any]]] = {}

    def run(self, asked: Sequence[str], given: Any = None, *, answers: int, patience: float = 840.0) -> Any:
        self.asked.append((list(asked), given, answers, patience))
        return self.answers.pop(0) if self.answers else [[] for _ in range(answers)]

    def lines(self, bucket: str, key: str, rows: Any) -> str:
        self.written[key] = list(rows)
        return f"s3://{bucket}/{key}"


@pytest.fixture
def warehouse(monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    found = Warehouse()
    monkeypatch.setattr(transaction, "run", found.run)
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    monkeypatch.setattr(listing, "write_lines", found.lines)
    monkeypatch.setattr(compare, "settings", lambda: SETTINGS)
    return found


def load(key: str, table: str, *columns: str) -> str:
    return copy.statement(f"s3://{NAME}/{key}", ROLE, table, columns, manifest=False)


# ---- the files


def test_statements_come_from_their_files_without_comments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "made-up.sql").write_text("-- :why\nSELECT 1;\n")
    (tmp_path / "made-up-two.sql").write_text("SELECT 1; SELECT 2;")
    parts = (
        "-- of all\n-- name: first\n-- :why\nSELECT 1\n  -- for each window\nFROM a; \n\n-- name: second\nSELECT ';';\n"
    )
    (tmp_path / "made-up-parts.sql").write_text(parts)
    monkeypatch.setattr(statements, "FOLDER", tmp_path)
    assert statements.named("made-up") == "SELECT 1"
    with pytest.raises(ValueError, match="too many"):
        statements.named("made-up-two")
    found = statements.sections("made-up-parts")
    assert found == {"first": "SELECT 1\n  -- for each window\nFROM a", "second": "SELECT ';'"}


def test_what_reads_a_window_is_repeated_for_each_with_parameters_of_its_own() -> None:
    one, other = (f"{WINDOW}SELECT {name} WHERE t >= :since\n{END}" for name in ("a", "b::text"))
    assert for_windows(f"WITH x AS (\n{one})\nUNION :all\n{other};", 2) == (
        "WITH x AS (\nSELECT a WHERE t >= :since_1\nUNION ALL\nSELECT a WHERE t >= :since_2\n)\nUNION :all\n"
        "SELECT b::text WHERE t >= :since_1\nUNION ALL\nSELECT b::text WHERE t >= :since_2\n;"
    )
    assert for_windows(f"{one};", 1) == "SELECT a WHERE t >= :since_1\n;"


# ---- what former runs left


def test_what_is_known_are_days_due_hours_recent_hours_and_what_stands(warehouse: Warehouse) -> None:
    old = datetime(2026, 1, 2, tzinfo=UTC)
    first_recent = datetime(2026, 1, 29, 12, tzinfo=UTC)
    standing = {"last_sweep": at(2), "findings": 7, "new_rows": 9, "begun": 0}
    rows = [
        dict(zip(("hour", "settled_checks", "files", "checked_at", "due", "ends_day"), row, strict=True))
        for row in (
            (old, 3, 1, at(1), True, False),
            (at(3), 2, 5, at(4), False, False),
            (first_recent, 0, 7, at(5), True, False),
            (datetime(2026, 1, 1, 23, tzinfo=UTC), 4, 1, at(1), False, True),
        )
    ]
    warehouse.answers = [[[{**standing, **row} for row in rows]]]
    assert compare.known(NOW, "job") == Known(
        [date(2026, 1, 1)],
        [(old, 3), (first_recent, 0)],
        {at(3): hours.HourFiles(5, at(4)), first_recent: hours.HourFiles(7, at(5))},
        at(2),
        7,
        9,
    )  # fmt: skip
    given = {"id": "job", "now": "2026-01-31 12:30:00", "recent": "2026-01-29 12:00:00"}
    assert warehouse.asked == [([compare.SQL["known"]], given, 1, 840.0)]


def test_of_a_warehouse_without_hours_only_the_standing_is_known(warehouse: Warehouse) -> None:
    nothing = dict.fromkeys(("last_sweep", "hour", "settled_checks", "files", "checked_at", "due", "ends_day"))
    warehouse.answers = [[[{**nothing, "findings": 0, "new_rows": 0, "begun": 1}]]]
    assert compare.known(NOW, "job") == Known([], [], {}, None, begun=True)


# ---- the comparison


@pytest.mark.parametrize("yes", [True, False])
def test_a_comparison_is_asked_with_its_moments_as_text(warehouse: Warehouse, yes: bool) -> None:
    job = Job("job", NOW, timedelta(seconds=900), repair=yes, asked_for=yes, sweep=yes)
    said = "true" if yes else "false"
    windows = [Window(at(1), at(3), at(9)), Window(at(4), at(5), at(10))]
    given = compare.parameters(job, windows)
    later = {name: given.pop(name) for name in list(given) if name.startswith("next_")}
    assert given == {
        "id": "job",
        "now": "2026-01-31 12:30:00",
        "cutoff": "2026-01-31 12:15:00",
        "closed": "2026-01-31 11:15:00",
        "again": said,
        "repair": said,
        "grace": "900",
        "sweep": said,
        "loads": "true" if SETTINGS.delivery == "reconcile" else "false",
        "since_1": "2026-01-31 01:00:00",
        "stop_1": "2026-01-31 03:00:00",
        "until_1": "2026-01-31 09:00:00",
        "since_2": "2026-01-31 04:00:00",
        "stop_2": "2026-01-31 05:00:00",
        "until_2": "2026-01-31 10:00:00",
    }
    assert list(later) == [f"next_{n}" for n in range(1, 9)]
    assert list(later.values())[:3] == ["2026-01-31 13:30:00", "2026-01-31 16:30:00", "2026-02-01 04:30:00"]
    assert later["next_8"] == "2027-12-15 04:30:00"


def test_a_comparison_loads_what_was_listed_and_tells_totals_and_orphans(warehouse: Warehouse) -> None:
    listed = Listing([at(1), at(2)], manifest="work/files.manifest")
    warehouse.answers = [[[{"state": "loaded", "files": 3}, {"state": "missing", "files": 1}], [{"s3_key": "a"}]]]
    found = compare.compare(under_way(JOB, 77.0), listed)
    assert found == Compared(
        {"loaded": {"state": "loaded", "files": 3}, "missing": {"state": "missing", "files": 1}}, ["a"]
    )
    assert warehouse.written == {
        "work/hours.ndjson.gz": [
            {"hour": "2026-01-31 01:00:00", "hour_key": "tweets/dt=2026-01-31/hh=01/"},
            {"hour": "2026-01-31 02:00:00", "hour_key": "tweets/dt=2026-01-31/hh=02/"},
        ]
    }
    windows = hours.windows(listed.hours, {})
    [(asked, given, answers, patience)] = warehouse.asked
    hours_in = load("work/hours.ndjson.gz", "listed_hour", "hour", "hour_key")
    assert asked == compare.statements(JOB, listed, hours_in, NAME, ROLE, len(windows))
    assert (given, answers, patience) == (compare.parameters(JOB, windows), 2, 77.0)
    names = copy.statement(
        f"s3://{NAME}/work/files.manifest", ROLE, "listed_file",
        ("s3_key", "hour_key", "expected_rows", "bytes", "written_at"),
    )  # fmt: skip
    assert asked[:5] == [
        transaction.SQL["lock"],
        compare.SQL["listed_hour"],
        load("work/hours.ndjson.gz", "listed_hour", "hour", "hour_key"),
        compare.SQL["listed_file"],
        names,
    ]
    assert asked[-3:] == [compare.SQL["sweep"], compare.SQL["totals"], compare.SQL["orphans"]]
    without = compare.statements(JOB._replace(sweep=False), Listing([at(1)]), hours_in, NAME, ROLE)
    assert set(asked) - set(without) == {names, compare.SQL["sweep"], compare.SQL["orphans"]}
    again = compare.statements(JOB._replace(begun=True), listed, hours_in, NAME, ROLE)
    assert [sql for sql in again if sql not in asked] == [compare.SQL["former_findings"], compare.SQL["former_run"]]


def test_without_a_sweep_orphans_are_asked_for_where_there_are_some(warehouse: Warehouse) -> None:
    job, listed = JOB._replace(sweep=False), Listing([at(1)])
    warehouse.answers = [[[{"state": "orphaned", "files": 1}]], [[{"s3_key": "a"}]]]
    assert compare.compare(under_way(job, 77.0), listed).orphans == ["a"]
    assert warehouse.asked[1] == ([compare.SQL["orphans"]], {"id": "job"}, 1, 77.0)
    warehouse.asked.clear()
    warehouse.answers = [[[{"state": "loaded", "files": 1}]]]
    assert compare.compare(under_way(job, 77.0), listed).orphans == []
    assert len(warehouse.asked) == 1


def test_a_comparison_asks_more_questions_in_the_same_transaction(warehouse: Warehouse) -> None:
    questions = Questions({"a": "SELECT :x", "b": "SELECT 2"}, {"x": "1"})
    warehouse.answers = [[[], [], ["answer a"], ["answer b"]]]
    found = compare.compare(under_way(JOB, 77.0), Listing([at(1)]), questions)
    assert found == Compared({}, [], {"a": ["answer a"], "b": ["answer b"]})  # type: ignore[list-item]
    [(asked, given, answers, _)] = warehouse.asked
    assert (asked[-4:], answers) == ([compare.SQL["totals"], compare.SQL["orphans"], "SELECT :x", "SELECT 2"], 4)
    assert given["x"] == "1"


def test_orphans_that_are_there_after_all_are_taken_back(warehouse: Warehouse) -> None:
    key = "tweets/dt=2026-01-31/hh=01/x-5.ndjson.gz"
    compare.no_orphans(under_way(JOB), [key])
    assert warehouse.written == {"work/late.ndjson.gz": [{"s3_key": key, "hour_key": "tweets/dt=2026-01-31/hh=01/"}]}
    statements = [
        compare.SQL["late_file"],
        load("work/late.ndjson.gz", "late_file", "s3_key", "hour_key"),
        compare.SQL["no_findings"],
        compare.SQL["hours_open"],
    ]
    assert warehouse.asked == [(statements, {"id": "job", "now": "2026-01-31 12:30:00"}, 0, 840.0)]


# ---- the end of a run


def settle(
    warehouse: Warehouse,
    totals: dict[str, Any] | None = None,
    orphans: Sequence[str] = (),
    listed: Sequence[datetime] = (),
    open_findings: int = 0,
    not_loaded: Sequence[NotLoaded] = (),
    unanswered: Sequence[FailedFile] = (),
    answers: Mapping[str, Any] = {},
) -> Answers:
    compared = Compared(totals or {}, orphans, answers)
    return books.settle(under_way(JOB, 55.0), Listing(list(listed)), compared, open_findings, not_loaded, unanswered)


QUIET = [transaction.SQL["lock"], compare.SQL["listed_hour"]]
ALWAYS = [books.SQL["twice"], for_windows(books.SQL["kinds"], 1), books.SQL["hours"]]
OF_TROUBLE = [*ALWAYS, books.SQL["actions"], books.SQL["worst"]]
OF_KEPT = [findings.SQL["kept"], findings.SQL["worst"]]


def test_a_quiet_run_asks_for_what_the_report_shows_and_nothing_else(warehouse: Warehouse) -> None:
    warehouse.answers = [[[{"tweets": 1, "extra": 2}], ["kind"], ["hour"]]]
    found = settle(warehouse, {"loaded": 1, "waiting": 1}, listed=[at(1)], unanswered=[FailedFile("a")])
    assert found == Answers((), (), {"tweets": 1, "extra": 2}, ["kind"], ["hour"])  # type: ignore[list-item]
    hours_in = load("work/hours.ndjson.gz", "listed_hour", "hour", "hour_key")
    [(asked, given, answers, patience)] = warehouse.asked
    assert asked == [*QUIET, hours_in, *ALWAYS]
    assert (answers, patience) == (3, 55.0)
    assert given == {
        "since_1": "2026-01-31 01:00:00",
        "stop_1": "2026-01-31 02:00:00",
        "until_1": "2026-02-01 02:00:00",
        "strip_start": "2026-01-24 13:00:00",
        "strip_stop": "2026-01-31 13:00:00",
    }


def test_what_the_comparison_was_told_is_not_asked_again_where_nothing_was_found(warehouse: Warehouse) -> None:
    told = {"twice": [{"tweets": 1, "extra": 2}], "kinds": ["kind"], "hours": ["hour"]}
    found = settle(warehouse, {"loaded": 1}, listed=[at(1)], unanswered=[FailedFile("a")], answers=told)
    assert found == Answers((), (), {"tweets": 1, "extra": 2}, ["kind"], ["hour"])  # type: ignore[list-item]
    assert warehouse.asked == []
    lost = [FailedFile("a", lost=1)]
    changes: list[tuple[dict[str, Any], int]] = [
        ({"totals": {"missing": 1}}, 2), ({"open_findings": 1}, 2), ({"unanswered": lost}, 4)
    ]  # fmt: skip
    for change, more in changes:
        warehouse.answers = [[[{"tweets": 0, "extra": 0}], [], [], *[[]] * more]]
        settle(warehouse, **change, answers=told)
        assert warehouse.asked.pop()[2] == 3 + more


def test_the_report_s_questions_are_of_the_hours_that_were_listed(warehouse: Warehouse) -> None:
    asked, given = books.questions(JOB, Listing([at(1)]))
    assert list(asked.values()) == ALWAYS
    assert given["since_1"] == "2026-01-31 01:00:00"
    assert (given["strip_start"], given["strip_stop"]) == ("2026-01-24 13:00:00", "2026-01-31 13:00:00")


def test_a_run_on_no_hour_loads_none(warehouse: Warehouse) -> None:
    warehouse.answers = [[[{"tweets": 0, "extra": 0}], [], []]]
    settle(warehouse)
    [(asked, given, _, _)] = warehouse.asked
    assert asked == [*QUIET, *ALWAYS]
    assert given["since_1"] == given["until_1"] == "2026-01-31 12:30:00"
    assert warehouse.written == {}


ANSWERS = [[{"tweets": 0, "extra": 0}], [], []]


@pytest.mark.parametrize("state", ["missing", "partial", "excess"])
def test_what_can_be_repaired_is_told_by_file(warehouse: Warehouse, state: str) -> None:
    warehouse.answers = [[*ANSWERS, ["action"], ["worst"]]]
    found = settle(warehouse, {state: 1})
    assert (found.actions, found.worst, found.kept) == (["action"], ["worst"], ((), ()))
    [(asked, given, answers, _)] = warehouse.asked
    assert asked == [*QUIET, books.SQL["hours_mended"], *OF_TROUBLE]
    assert answers == 5
    assert (given["id"], given["in_an_hour"]) == ("job", "2026-01-31 13:30:00")


@pytest.mark.parametrize(
    "given",
    [{"totals": {"orphaned": 1}}, {"totals": {"unreadable": 1}}, {"orphans": ["a"]}],
    ids=["orphaned", "unreadable", "orphans of hours that nobody lists"],
)
def test_what_needs_a_person_is_kept(warehouse: Warehouse, given: dict[str, Any]) -> None:
    warehouse.answers = [[*ANSWERS, ["action"], ["worst"], ["kept"], ["kept worst"]]]
    assert settle(warehouse, **given).kept == (["kept"], ["kept worst"])
    [(asked, parameters, answers, _)] = warehouse.asked
    assert asked == [*QUIET, *findings.statements(""), books.SQL["hours_mended"], *OF_TROUBLE, *OF_KEPT]
    assert answers == 7
    assert parameters["swept"] == "true"


def test_findings_that_are_open_are_looked_at_though_nothing_new_was_found(warehouse: Warehouse) -> None:
    warehouse.answers = [[*ANSWERS, ["kept"], ["kept worst"]]]
    settle(warehouse, open_findings=1, unanswered=[FailedFile("a")])
    [(asked, _, answers, _)] = warehouse.asked
    answered = load("work/answered.ndjson.gz", "answered_file", "s3_key")
    assert asked == [*QUIET, *findings.statements(answered), *ALWAYS, *OF_KEPT]
    assert warehouse.written == {"work/answered.ndjson.gz": [{"s3_key": "a"}]}
    assert answers == 5


def test_verdicts_and_records_without_an_answer_are_written_down(warehouse: Warehouse) -> None:
    warehouse.answers = [[*ANSWERS, [], [], [], []]]
    gone = "delivery/processing-failed/2026/01/31/09/x"
    files = [
        FailedFile("fine", tweets=1),
        FailedFile(gone, tweets=5, lost=2),
        FailedFile("elsewhere", trouble="it can't be read"),
    ]
    settle(warehouse, open_findings=1, not_loaded=[NotLoaded("k", "unreadable", "cut")], unanswered=files)
    [(asked, given, _, patience)] = warehouse.asked
    moments = {"id": "job", "now": "2026-01-31 12:30:00", "in_an_hour": "2026-01-31 13:30:00", "swept": "true"}
    assert given.items() >= moments.items()
    assert all(any(f":{name}" in sql for sql in asked) for name in given), "the Data API refuses what nobody asks for"
    assert patience == 55.0
    assert asked == [
        *QUIET,
        books.SQL["not_loaded"],
        load("work/not_loaded.ndjson.gz", "not_loaded", "s3_key", "state", "detail"),
        books.SQL["files_judged"],
        books.SQL["findings_judged"],
        books.SQL["former_unanswered"],
        load("work/unanswered.ndjson.gz", "disaster.reconciliation_finding", *books.FINDING),
        *findings.statements(load("work/answered.ndjson.gz", "answered_file", "s3_key")),
        books.SQL["hours_mended"],
        *OF_TROUBLE,
        *OF_KEPT,
    ]
    at_answered = asked.index(load("work/answered.ndjson.gz", "answered_file", "s3_key"))
    assert asked[at_answered - 1 : at_answered + 2 : 2] == [findings.SQL["answered_file"], findings.SQL["answered"]]
    same = {
        "reconciliation_id": "job", "found_at": "2026-01-31 12:30:00", "state": "unanswered", "action": "none",
    }  # fmt: skip
    lost = {"s3_key": gone, "hour": "2026-01-31 09:00:00", "expected_rows": 5, "found_rows": 3, "found_lines": 3}
    unread = {"s3_key": "elsewhere", "hour": None, "expected_rows": 0, "found_rows": 0, "found_lines": 0}
    assert warehouse.written == {
        "work/not_loaded.ndjson.gz": [{"s3_key": "k", "state": "unreadable", "detail": "cut"}],
        "work/unanswered.ndjson.gz": [
            {**same, **lost, "detail": None},
            {**same, **unread, "detail": "it can't be read"},
        ],
        "work/answered.ndjson.gz": [{"s3_key": "fine"}],
    }
    assert all(set(row) == set(books.FINDING) for row in warehouse.written["work/unanswered.ndjson.gz"])


def test_what_is_answered_now_is_only_written_down_where_there_is_any() -> None:
    of_answers = [findings.SQL["answered_file"], "COPY", findings.SQL["answered"]]
    without = findings.statements("")
    assert not {"", *of_answers} & set(without)
    assert [sql for sql in findings.statements("COPY") if sql not in without] == of_answers


@pytest.mark.parametrize(
    ("asked_for", "listed", "stop"),
    [
        (False, [at(1)], at(13)),
        (True, [at(1), at(2)], at(3)),
        (True, [at(12)], at(13)),
        (True, [at(12), at(13)], at(13)),
        (True, [], at(13)),
    ],
)
def test_the_strip_of_hours_ends_with_what_was_asked_for_or_with_the_present(
    asked_for: bool, listed: list[datetime], stop: datetime
) -> None:
    assert books.strip_stop(JOB._replace(asked_for=asked_for), listed) == stop


@pytest.mark.parametrize("alerted", [True, False])
@pytest.mark.parametrize("loaded", [0, 3])
def test_a_run_closes_with_its_numbers_and_with_what_was_told(warehouse: Warehouse, alerted: bool, loaded: int) -> None:
    tweets = {"expected": 1, "loaded": 2, "waiting": 3, "late": 4, "repaired": 5, "lost": 6, "orphaned_rows": 7}
    report = {
        "tweets": tweets,
        "files": {"listed": 8},
        "complete": alerted,
        "alerted": alerted,
        "new": {"loaded": loaded},
    }
    books.close(JOB, report, NOW + HOUR)
    told = {"now": "2026-01-31 12:30:00"} if alerted else {}
    given = {
        "id": "job", "finished": "2026-01-31 13:30:00", "complete": "true" if alerted else "false", "files": "8",
        "tweets": "1", "loaded": "2", "waiting": "3", "late": "4", "repaired": "5", "lost": "6",
    }  # fmt: skip
    ordinary = [books.SQL["ordinary"]] if loaded else []
    statements = [books.SQL["closed"], *ordinary, *([findings.SQL["told"]] if alerted else [])]
    assert warehouse.asked == [(statements, {**given, **told}, 0, 840.0)]


# ---- findings


def test_of_what_is_kept_any_part_can_be_counted() -> None:
    kept = findings.Kept(
        [
            {"status": "outstanding", "kind": "orphaned", "findings": 1, "tweets": 10, "untold": 0},
            {"status": "outstanding", "kind": "refused", "findings": 2, "tweets": 20, "untold": 1},
            {"status": "resolved", "kind": "refused", "findings": 4, "tweets": 40, "untold": 0},
        ],
        (),
    )
    assert (kept.total("outstanding"), kept.total("outstanding", "tweets"), kept.total("resolved")) == (3, 30, 4)
    assert (kept.total("outstanding", kind="refused"), kept.total("outstanding", "untold", "refused")) == (2, 1)


def test_findings_are_read_and_resolved_in_one_round_trip_each(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    answers = {"s1:1": ["outstanding"], "s1:2": ["settled"]}

    def run(statements: list[str], given: Any = None, *, patience: float) -> str:
        asked.append((statements, given, patience))
        return "s1"

    monkeypatch.setattr(data_api, "run", run)
    monkeypatch.setattr(data_api, "rows_of", lambda statement: answers[statement])
    assert findings.read(9.0) == (["outstanding"], ["settled"])
    assert findings.resolve("f1", "me", "seen", "r1", 8.0) == "settled"
    answers["s1:2"] = []
    assert findings.resolve("f1", "me", "seen", "", 8.0) is None
    given = {"finding": "f1", "caller": "me", "reason": "seen", "request": "r1"}
    assert asked == [
        ([findings.SQL["outstanding"], findings.SQL["settled"]], None, 9.0),
        ([findings.SQL["resolve"], findings.SQL["one"]], given, 8.0),
        ([findings.SQL["resolve"], findings.SQL["one"]], {**given, "request": "none"}, 8.0),
    ]


# ---- a transaction that is lost


def test_a_transaction_that_the_data_api_lost_is_run_again_and_its_last_answers_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ends: list[Any] = [data_api.StatementLostError("gone"), "s2"]
    given: list[Any] = []

    def run(statements: Sequence[str], parameters: Any, *, patience: float) -> str:
        given.append((statements, parameters, patience))
        end = ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return str(end)

    monkeypatch.setattr(data_api, "run", run)
    monkeypatch.setattr(data_api, "rows_of", lambda statement: [statement])
    assert transaction.run(["a", "b", "c"], {"x": "y"}, answers=2, patience=5.0) == [["s2:2"], ["s2:3"]]
    assert given == [(["a", "b", "c"], {"x": "y"}, 5.0)] * 2
    ends = ["s3"]
    assert transaction.run(["a"], answers=0) == []
    ends = [data_api.StatementLostError("gone")] * 3
    with pytest.raises(data_api.StatementLostError):
        transaction.run(["a"], answers=0)
    assert ends == []
    ends = [data_api.WarehouseError("refused")]
    with pytest.raises(data_api.WarehouseError):
        transaction.run(["a"], answers=0)


# ---- tweets that came more than once


def test_tweets_that_came_again_are_looked_for_where_something_may_have_changed(warehouse: Warehouse) -> None:
    quiet = JOB._replace(sweep=False)
    known = Known([], [], {}, None)
    repeats.find(quiet, known, None, 5.0)
    assert warehouse.asked == []
    two_days_ago = "2026-01-29 12:00:00"
    writing = [
        transaction.SQL["lock"],
        repeats.SQL["new"],
        repeats.SQL["repeats"],
        repeats.SQL["outdated"],
        repeats.SQL["found"],
        repeats.SQL["seen"],
    ]
    for new_rows, repaired, since in (
        (1, None, two_days_ago), (0, at(1), two_days_ago), (1, datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02 00:00:00"),
    ):  # fmt: skip
        repeats.find(quiet, known._replace(new_rows=new_rows), repaired, 5.0)
        assert warehouse.asked.pop() == (writing, {"since": since, "last_since": since, "id": "job"}, 0, 5.0)


@pytest.mark.parametrize(
    ("last_sweep", "loaded_since"), [(None, "1970-01-01 00:00:00"), (at(2), "2026-01-30 02:00:00")]
)
@pytest.mark.parametrize(("found", "last_since"), [(None, "2026-01-31 12:30:00"), (at(3), "2026-01-31 03:00:00")])
def test_a_sweep_looks_through_the_whole_table(
    warehouse: Warehouse,
    last_sweep: datetime | None,
    loaded_since: str,
    found: datetime | None,
    last_since: str,
) -> None:
    warehouse.answers = [[[{"since": found}]]]
    repeats.find(JOB, Known([], [], {}, last_sweep), None, 5.0)
    given = {"since": "1970-01-01 00:00:00", "loaded_since": loaded_since}
    new = repeats.SQL["new_and_known"]
    assert warehouse.asked == [
        ([new, repeats.SQL["repeats"], repeats.SQL["last_of_found"]], given, 1, 5.0),
        (
            [
                transaction.SQL["lock"],
                new,
                repeats.SQL["repeats"],
                repeats.SQL["outdated"],
                repeats.SQL["found"],
                repeats.SQL["seen"],
            ],
            {**given, "last_since": last_since, "id": "job"},
            0,
            5.0,
        ),
    ]


# ---- why a file can't be loaded


KEY = "tweets/dt=2026-01-31/hh=01/x-2.ndjson.gz"
DAMAGED = Damaged(KEY, 2, 9, at(2))


def row(number: int, **told: Any) -> bytes:
    return json.dumps({"s3_key": KEY, "s3_line": number, "arrived_at": "2026-01-31 01:00:00.000", **told}).encode()


def packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


WHOLE = packed(row(1) + b"\n" + row(2) + b"\n")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (WHOLE, None),
        (packed(row(1) + b"\n" + row(2)), None),
        (b"plain text", "it is not valid gzip: Error -3 while decompressing data: incorrect header check"),
        (WHOLE[:-1], "its gzip stream is cut off"),
        (b"", "its gzip stream is cut off"),
        (WHOLE + b"x", "it has data after the end of its gzip stream"),
        (packed(row(1)), "it has 1 lines, its name says 2"),
        (packed(b""), "it has 0 lines, its name says 2"),
        (packed(row(1) + b"\n[]"), "line 2 is not a JSON object"),
        (packed(row(2)), f"line 1 says it is line 2 of '{KEY}'"),
        (packed(row(1, s3_key="other")), "line 1 says it is line 1 of 'other'"),
        (packed(row(1, s3_key="x" * 500)), f"line 1 says it is line 1 of '{'x' * 189}"),
        (
            packed(row(1, arrived_at="2026-01-31 00:59:59.999")),
            "line 1 did not arrive from 2026-01-31 01:00:00 to 2026-02-01 02:00:00: '2026-01-31 00:59:59.999'",
        ),
    ],
    ids=lambda given: f"{len(given)} bytes" if isinstance(given, bytes) else str(given)[:40],
)
def test_what_is_wrong_with_a_file_is_said(monkeypatch: pytest.MonkeyPatch, body: bytes, says: str | None) -> None:
    sizes: list[int] = []

    def get_object(Bucket: str, Key: str) -> dict[str, Any]:
        assert (Bucket, Key) == ("bucket", KEY)

        def chunks(size: int) -> Any:
            sizes.append(size)
            return iter([body[at : at + 7] for at in range(0, len(body), 7)])

        return {"Body": mock.Mock(iter_chunks=chunks)}

    monkeypatch.setattr(clients, "s3", lambda: mock.Mock(get_object=get_object))
    assert file_check.trouble("bucket", DAMAGED) == says
    assert sizes == [1 << 20]


def test_a_line_that_is_no_json_is_named() -> None:
    with pytest.raises(file_check.UnreadableError, match=r"^line 2 is not JSON: unexpected"):
        file_check.check([row(1), b"{"], DAMAGED)


def test_a_line_may_be_as_long_as_redshift_takes_it() -> None:
    longest = b"x" * (4 << 20)
    assert list(file_check.split_lines([longest[:10], longest[10:]])) == [longest]
    with pytest.raises(file_check.UnreadableError, match="a line has more than 4,194,304 bytes"):
        list(file_check.split_lines([longest, b"x"]))


def test_a_file_that_is_gone_is_told_and_an_error_of_s3_is_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(**_: Any) -> None:
        raise client_error(code)

    monkeypatch.setattr(clients, "s3", lambda: mock.Mock(get_object=fails))
    code = "NoSuchKey"
    assert file_check.trouble("bucket", DAMAGED) == "the file is gone"
    code = "SlowDown"
    with pytest.raises(Exception, match="SlowDown"):
        file_check.trouble("bucket", DAMAGED)


def test_a_file_is_unpacked_in_pieces_of_a_megabyte() -> None:
    packed = zlib.compress(b"a" * (5 << 20), wbits=31)
    assert [len(piece) for piece in file_check.gunzipped([packed]) if piece] == [1 << 20] * 5
