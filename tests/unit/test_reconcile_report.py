"""A report tells each number of a run under its name; the alarm and the message to a person tell the same."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import EndpointConnectionError

from chalicelib import clients
from chalicelib.reconcile import alert, findings
from chalicelib.reconcile.books import Answers
from chalicelib.reconcile.compare import Compared
from chalicelib.reconcile.findings import Kept
from chalicelib.reconcile.firehose_failures import FailedFile, GivenUp
from chalicelib.reconcile.job import Job
from chalicelib.reconcile.listing import Listing
from chalicelib.reconcile.refusals import Refusals, Sample
from chalicelib.reconcile.repair import Repairs
from chalicelib.reconcile.report import Results, build, counts, verdict
from chalicelib.telemetry import logger
from tests.support.aws_in_memory import SETTINGS, client_error

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
JOB = Job("job", NOW, timedelta(seconds=900), True, False, True)


def total(files: int, tweets: int, loaded: int) -> dict[str, int]:
    return {"files": files, "tweets": tweets, "loaded": loaded}


def action(state: str, action: str, files: int, **counted: int) -> dict[str, Any]:
    return {
        "state": state,
        "action": action,
        "files": files,
        "absent": 0,
        "absent_after": 0,
        "doubled": 0,
        "found": 0,
    } | counted


OUTSTANDING = {
    "finding_id": "f1", "s3_key": "tweets/x", "kind": "unreadable", "hour": NOW, "expected_rows": 50, "found_rows": 0,
    "tweets": 50, "detail": "cut", "opened_at": NOW, "told_at": None,
}  # fmt: skip
FOUND = Results(
    JOB,
    Listing([NOW - timedelta(hours=2), NOW - timedelta(hours=1)], files=20, requests=3, foreign=["tweets/notes"]),
    Compared(
        {
            "loaded": total(10, 1000, 1000),
            "waiting": total(2, 200, 50),
            "missing": total(3, 300, 0),
            "partial": total(4, 400, 100),
        },
        [],
    ),
    Repairs(transactions=5, files=6),
    Answers(
        [
            action("new", "repaired", 2, absent=500, absent_after=20, doubled=1),
            action("new", "none", 1, absent=30, absent_after=30),
            action("missing", "repaired", 3, absent=300, doubled=0),
            action("partial", "repaired", 2, absent=200, absent_after=0, doubled=7),
            action("partial", "failed", 1, absent=60, absent_after=50),
            action("partial", "to_repair", 1, absent=40, absent_after=40, doubled=9),
            action("orphaned", "none", 2, found=77),
            action("unanswered", "none", 1, absent=1000, absent_after=1000),
        ],
        [
            {"s3_key": "a", "state": "partial", "hour": NOW, "action": "failed", "detail": "why"},
            {"s3_key": "b", "state": "orphaned", "hour": None, "action": "none", "detail": None},
        ],
        {"tweets": 4, "extra": 6},
        [
            {"code": "flood", "name": "Flood", "tweets": 9, "relevant": 8},
            {"code": "odd", "name": None, "tweets": 1, "relevant": 0},
            {"code": None, "name": None, "tweets": 2, "relevant": 1},
        ],
        [{"hour": NOW, "state": "settled", "tweets": 5}],
        Kept(
            [
                {"status": "outstanding", "kind": "unreadable", "findings": 1, "tweets": 50, "untold": 1},
                {"status": "outstanding", "kind": "orphaned", "findings": 2, "tweets": 0, "untold": 0},
                {"status": "resolved", "kind": "orphaned", "findings": 4, "tweets": 3, "untold": 0},
            ],
            [OUTSTANDING],
        ),
    ),
    Refusals(30, 2, Counter({"empty": 10, "not_json": 15}), 5, [Sample("empty", "it is empty", "rejected/x", 7)]),
    [
        FailedFile("gone/1", 10, 11, 1, 5, Counter({"X": 10})),
        FailedFile("gone/2", 20, 22, 2, 0, Counter(), "it can't be read"),
    ],
    GivenUp(2, ["m2", "m1"]),
    [{"version": "v", "cost_usd": 1.0}],
)


def test_every_number_of_a_run_stands_under_its_name() -> None:
    unreadable = {
        **OUTSTANDING,
        "hour": "2026-01-31T12:00:00Z",
        "opened_at": "2026-01-31T12:00:00Z",
        "to_do": findings.TO_DO["unreadable"],
    }
    assert build(FOUND) == {
        "schema_version": 1,
        "verdict": "trouble",
        "complete": False,
        "as_of": "2026-01-31T12:00:00Z",
        "repair": True,
        "grace_seconds": 900,
        "looked_at": {
            "from": "2026-01-31T10:00:00Z",
            "to": "2026-01-31T11:00:00Z",
            "hours": 2,
            "list_requests": 3,
            "swept": True,
        },
        "tweets": {
            "expected": 1900,
            "loaded": 1150,
            "waiting": 150,
            "late": 600,
            "repaired": 510,
            "lost": 50,
            "surplus_rows_removed": 8,
            "orphaned_rows": 77,
        },
        "new": {"files": 3, "tweets": 530, "loaded": 480},
        "files": {
            "listed": 20,
            "loaded": 10,
            "waiting": 2,
            "new": 3,
            "missing": 3,
            "partial": 4,
            "excess": 0,
            "orphaned": 2,
            "unreadable": 0,
        },
        "repairs": {"transactions": 5, "files": 4, "left_files": 1, "stopped": None},
        "findings": [
            {"s3_key": "a", "state": "partial", "hour": "2026-01-31T12:00:00Z", "action": "failed", "detail": "why"},
            {"s3_key": "b", "state": "orphaned", "hour": None, "action": "none", "detail": None},
        ],
        "outstanding": {
            "findings": 3,
            "untold": 1,
            "tweets": 50,
            "orphaned": 2,
            "unreadable": 1,
            "refused": 0,
            "unanswered": 0,
            "shown": [unreadable],
        },
        "resolved": {"findings": 4, "tweets": 3},
        "rejected": {
            "tweets": 30,
            "files": 2,
            "reasons": [{"reason": "not_json", "tweets": 15}, {"reason": "empty", "tweets": 10}],
            "unread_tweets": 5,
            "samples": [{"reason": "empty", "message": "it is empty", "s3_key": "rejected/x", "line": 7}],
        },
        "unanswered": {
            "files": 2,
            "records": 30,
            "tweets": 33,
            "lost": 5,
            "shown": [
                {
                    "s3_key": "gone/1", "records": 10, "tweets": 11, "refused": 1, "lost": 5, "error_codes": {"X": 10},
                    "trouble": None,
                },
                {
                    "s3_key": "gone/2", "records": 20, "tweets": 22, "refused": 2, "lost": 0, "error_codes": {},
                    "trouble": "it can't be read",
                },
            ],
        },
        "given_up": {"manifests": 2, "shown": ["m2", "m1"]},
        "foreign_objects": ["tweets/notes"],
        "twice": {"tweets": 4, "extra_rows": 6},
        "hours": [{"hour": "2026-01-31T12:00:00Z", "state": "settled", "tweets": 5}],
        "kinds": [
            {"code": "flood", "name": "Flood", "tweets": 9, "relevant": 8},
            {"code": "odd", "name": "odd", "tweets": 1, "relevant": 0},
            {"code": "", "name": "(none)", "tweets": 2, "relevant": 1},
        ],
        "idle_endpoints": [{"version": "v", "cost_usd": 1.0}],
    }  # fmt: skip


NOTHING_KEPT = Kept((), ())


def after(*actions: dict[str, Any], kept: Kept = NOTHING_KEPT, files: int = 0, stopped: str = "") -> Results:
    answers = FOUND.answers._replace(actions=actions, kept=kept)
    return FOUND._replace(answers=answers, repairs=Repairs(files=files, stopped=stopped), failures=[])


@pytest.mark.parametrize(
    ("found", "told", "complete"),
    [
        (after(), "well", True),
        (after(files=1), "repaired", True),
        (after(action("missing", "none", 1)), "differs", True),
        (after(action("excess", "none", 1), files=1), "differs", True),
        (after(action("new", "none", 1)), "differs", True),
        (after(action("new", "repaired", 1), files=1), "well", True),
        (after(action("new", "repaired", 1), files=2), "repaired", True),
        (after(action("orphaned", "none", 1)), "well", True),
        (after(action("missing", "repaired", 1), files=1), "repaired", True),
        (after(action("missing", "to_repair", 1), files=1), "differs", False),
        (after(action("missing", "none", 1), kept=FOUND.answers.kept), "trouble", True),
        (after(kept=Kept(FOUND.answers.kept.counts[2:], ())), "well", True),
        (after(stopped="Time is up"), "well", False),
        (after()._replace(listing=Listing(complete=False)), "well", False),
    ],
)
def test_the_verdict_is_the_worst_of_what_there_is(found: Results, told: str, complete: bool) -> None:
    assert verdict(found) == told
    report = build(found)
    assert (report["verdict"], report["complete"]) == (told, complete)


def test_a_run_on_nothing_has_a_report() -> None:
    nothing = after()._replace(listing=Listing(), compared=Compared({}, []), idle_endpoints=None)
    report = build(nothing)
    assert (report["looked_at"]["from"], report["looked_at"]["to"], report["looked_at"]["hours"]) == (None, None, 0)
    assert set(counts(nothing).values()) == {0}
    assert report["idle_endpoints"] is None
    assert build(nothing._replace(repairs=Repairs(stopped="Time is up")))["repairs"]["stopped"] == "Time is up"


def test_of_many_files_without_an_answer_the_first_hundred_are_shown() -> None:
    many = build(FOUND._replace(failures=[FailedFile(str(n)) for n in range(101)]))["unanswered"]
    assert (many["files"], [each["s3_key"] for each in many["shown"]]) == (101, [str(n) for n in range(100)])


# ---- the alarm and the message


def test_the_metrics_are_the_report_s(capsys: pytest.CaptureFixture[str]) -> None:
    report = build(FOUND)
    alert.measure(report, 12.5)
    alert.measure({**report, "complete": True}, 12.5)
    first, second = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    wanted = {
        "Lost": 50, "Late": 600, "Repaired": 510, "Waiting": 150, "FilesListed": 20, "FilesRepaired": 4, "New": 480,
        "FilesOrphaned": 2, "FilesUnreadable": 1, "Incomplete": 1, "ReconcileSeconds": 12.5,
    }  # fmt: skip
    assert {name: first[name] for name in wanted} == {name: [float(number)] for name, number in wanted.items()}
    assert second["Incomplete"] == [0.0]
    [told] = first["_aws"]["CloudWatchMetrics"]
    units = {each["Name"]: each["Unit"] for each in told["Metrics"]}
    assert units == {**dict.fromkeys(wanted, "Count"), "ReconcileSeconds": "Seconds"}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    topic = mock.Mock(publish=lambda **message: found.append(message))
    monkeypatch.setattr(clients, "sns", lambda: topic)
    monkeypatch.setattr(alert, "settings", lambda: replace(SETTINGS, alert_topic_arn="arn:topic"))
    return found


def test_a_message_says_what_is_lost_where_and_what_to_do(sent: list[dict[str, Any]]) -> None:
    assert alert.tell(build(FOUND), "job")
    assert sent == [
        {
            "TopicArn": "arn:topic",
            "Subject": "disaster-tweets-local: 50 tweets lost, 1 files unreadable, 2 files orphaned",
            "Message": "Reconciliation job of disaster-tweets-local: 50 tweets lost, 1 files unreadable,"
            " 2 files orphaned.\n\nf1 unreadable tweets/x (0 rows of 50): cut\n\n"
            "Report: s3://disaster-tweets-local/reports/reconciliations/job.html, or GET /reconciliations/job\n"
            "What to do: GET /findings, and docs/operations.md",
        }
    ]


def test_a_message_names_twenty_findings_and_only_kinds_that_there_are(sent: list[dict[str, Any]]) -> None:
    finding = {
        "finding_id": "f", "kind": "unanswered", "s3_key": "k", "found_rows": 1000, "expected_rows": 2000,
        "detail": None,
    }  # fmt: skip
    nothing = {"tweets": 0, "unreadable": 0, "orphaned": 0, "refused": 0}
    subject, text = alert.message({"outstanding": {**nothing, "shown": [finding] * 21}}, "job", "prod")
    assert subject == "disaster-tweets-prod: records without an answer"
    assert text.splitlines()[2:-3] == ["f unanswered k (1,000 rows of 2,000)"] * 20
    subject, _ = alert.message({"outstanding": {**nothing, "refused": 1200, "shown": []}}, "job", "prod")
    assert subject == "disaster-tweets-prod: 1,200 files refused"


def test_nothing_is_sent_where_all_was_told_or_nobody_is_to_be_told(
    sent: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = build(FOUND)
    told["outstanding"]["untold"] = 0
    assert not alert.tell(told, "job")
    warned: list[Any] = []
    monkeypatch.setattr(alert, "settings", lambda: replace(SETTINGS, alert_topic_arn=""))
    monkeypatch.setattr(logger, "warning", lambda text, extra: warned.append((text, extra)))
    assert not alert.tell(build(FOUND), "job")
    assert warned == [("findings are outstanding, but there is no alert topic", {"report": "job"})]
    assert sent == []


@pytest.mark.parametrize("trouble", [client_error("NotFound"), EndpointConnectionError(endpoint_url="sns")], ids=repr)
def test_a_message_that_can_not_be_sent_fails_no_run_and_is_not_taken_for_told(
    sent: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    logged: list[Any] = []
    monkeypatch.setattr(clients, "sns", lambda: mock.Mock(publish=mock.Mock(side_effect=trouble)))
    monkeypatch.setattr(logger, "exception", lambda text, extra: logged.append((text, extra)))
    assert alert.tell(build(FOUND), "job") is False
    assert logged == [("message not published", {"report": "job"})]
