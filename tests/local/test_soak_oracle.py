"""The soak's oracle, on evidence made by hand: each kind of damage is complained of, and only that."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from local.soak.evidence import Evidence
from local.soak.oracle import Happened, Verdict, judge, missed
from local.soak.records import Record, alone, array, flat, junk, lines, small
from local.soak.sender import Sent

AT = 1_767_322_805_000  # 2026-01-02 03:00:05 UTC
FILE = f"tweets/dt=2026-01-02/hh=03/{'a' * 32}-3.ndjson.gz"
LATER = f"tweets/dt=2026-01-02/hh=03/{'b' * 32}-1.ndjson.gz"
REJECTED = f"rejected/dt=2026-01-02/hh=03/{'a' * 32}-1.ndjson.gz"
ERRORS = "delivery/processing-failed/2026/01/02/03/failed"

CUT = lines([small(1), small(2)])  # its first tweet fitted into an answer, the second was put back
MIXED = lines([flat(3), junk(50), flat(6)])
GIVEN_UP = array([flat(9), flat(10)])


def line(tweet: Any, key: str, number: int) -> dict[str, Any]:
    return {
        **tweet.columns,
        "cleaning_text": tweet.columns["original_text"],
        "disaster_label": "flood",
        "classifier_score": 0.9,
        "arrived_datetime_from_kinesis": AT,
        "processing_time": 0.00001,
        "relevance_label": "relevant",
        "relevance_score": 0.8,
        "tweet_key": tweet.key,
        "keywords": [{"prefix": "The", "word": "flood", "suffix": "of", "theme": "flood"}],
        "classifier_version": "bundled-1",
        "s3_key": key,
        "s3_line": number,
        "arrived_at": "2026-01-02 03:00:05.000",
    }


def refusal(raw: bytes, **changed: Any) -> dict[str, Any]:
    said = {"reason": "no_text", "message": "no text", "record_id": "1", "arrived_at": "2026-01-02 03:00:05.000"}
    return {**said, "raw": base64.b64encode(raw).decode(), **changed}


def error(data: bytes, code: str = "Lambda.FunctionError") -> dict[str, Any]:
    return {"attemptsMade": 4, "errorCode": code, "rawData": base64.b64encode(data).decode()}


class Stored:
    """What is stored when all is well, and what happened. A test damages it."""

    def __init__(self) -> None:
        tweets = [CUT.tweets[0], MIXED.tweets[0], MIXED.tweets[1]]
        self.files = {
            FILE: [line(tweet, FILE, number) for number, tweet in enumerate(tweets, 1)],
            LATER: [line(CUT.tweets[1], LATER, 1)],
        }
        (refused,) = MIXED.junk
        self.rejected = {REJECTED: [refusal(refused.raw, reason=refused.reason)]}
        self.errors = {ERRORS: [error(GIVEN_UP.data)]}
        rows = copy.deepcopy([stored for file in self.files.values() for stored in file])
        self.rows = [
            {
                **row,
                "keywords": json.dumps(row["keywords"]),  # as the Data API answers
                "arrived_at": "2026-01-02 03:00:05",
                "loaded_at": "2026-01-02 03:00:08.123456",
            }
            for row in rows
        ]
        self.view = [{name: row[name] for name in ("tweet_key", "s3_key", "s3_line")} for row in rows]
        self.known = [
            {"s3_key": key, "expected_rows": n, "state": "loaded", "repairs": 0} for key, n in ((FILE, 3), (LATER, 1))
        ]
        self.runs = [
            run("a", "2026-01-02 03:01:00", "2026-01-02 03:01:02"),
            run("b", "2026-01-02 03:01:02.5", "2026-01-02 03:01:03"),
            run("killed", "2026-01-02 03:01:04", None),
            run("c", "2026-01-02 03:01:25", "2026-01-02 03:01:27"),
        ]
        self.sent = [Sent(record, AT - 10, 0) for record in (CUT, MIXED, GIVEN_UP)]
        self.struck = {"transform_error": 3, "s3_before": 1}

    def problems(self) -> list[str]:
        return self.judge().problems

    def judge(self) -> Verdict:
        def body(said: list[dict[str, Any]]) -> bytes:
            return b"".join(json.dumps(each).encode() + b"\n" for each in said)

        evidence = Evidence(
            files={key: body(said) for key, said in self.files.items()},
            rejected={key: body(said) for key, said in self.rejected.items()},
            errors={key: body(said) for key, said in self.errors.items()},
            rows=self.rows,
            view=self.view,
            known=self.known,
            runs=self.runs,
            repaired={"missing": 2},
            at=AT + 1000,
        )
        return judge(Happened(self.sent, 5, self.struck, 2, 1, 1), evidence)


def run(name: str, started: str, finished: str | None) -> dict[str, Any]:
    return {"reconciliation_id": name, "started_at": started, "finished_at": finished}


def test_all_is_well_and_counted() -> None:
    verdict = Stored().judge()
    assert verdict.problems == []
    expected = {
        "records sent": 3,
        "tweets sent": 6,
        "records of several tweets": 3,
        "junk sent": 1,
        "junk among tweets": 1,
        "records sent again": 5,
        "records put back into Firehose": 1,
        "records put back into Kinesis": 0,
        "fault transform_error": 3,
        "fault s3_before": 1,
        "kills (SIGKILL)": 2,
        "reconciliations killed": 1,
        "reconciliations": 3,
        "reconciliations at once": 1,
        "files repaired, missing": 2,
        "tweet files": 2,
        "rows": 4,
        "tweets in the view": 4,
        "% of the tweets in the view": 66,
        "junk refused": 1,
        "tweets that Firehose gave up": 2,
    }
    assert verdict.measures == expected


def test_too_little_is_missed() -> None:
    assert missed({"a": 1, "b": 2}, {"a": 1, "b": 2}) == []
    assert missed({"a": 1}, {"a": 2, "b": 1}) == ["a: 1, at least 2", "b: 0, at least 1"]


def sent_more(record: Record) -> Callable[[Stored], None]:
    return lambda stored: stored.sent.append(Sent(record, AT - 10, 0))


def in_first_line(**changed: Any) -> Callable[[Stored], None]:
    """The same in the line and its row, so that the two agree."""

    def change(stored: Stored) -> None:
        stored.files[FILE][0].update(changed)
        stored.rows[0].update({name: json.dumps(v) if name == "keywords" else v for name, v in changed.items()})

    return change


def in_first_row(**changed: Any) -> Callable[[Stored], None]:
    return lambda stored: stored.rows[0].update(changed)


def refused(**changed: Any) -> Callable[[Stored], None]:
    return lambda stored: stored.rejected[REJECTED][0].update(changed)


def known(**changed: Any) -> Callable[[Stored], None]:
    return lambda stored: stored.known[0].update(changed)


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (sent_more(alone(flat(99))), "1 tweets lost: t99"),
        (sent_more(alone(junk(99))), "pieces of junk that no rejected file names"),
        (lambda stored: stored.errors.clear(), "2 tweets lost"),
        (in_first_line(original_text="other"), "lines that differ from what was sent"),
        (in_first_line(tweet_id="t2"), "lines that differ from what was sent"),
        (in_first_line(truncated=True), "lines that differ from what was sent"),
        (in_first_line(created_at="2026-01-02 03:04:05"), "lines that differ from what was sent"),
        (in_first_line(arrived_datetime_from_kinesis=AT - 20), "lines with an arrival that can't be"),
        (in_first_line(arrived_datetime_from_kinesis=AT + 9999), "lines with an arrival that can't be"),
        (in_first_line(arrived_at="2026-01-02 03:00:05.001"), "lines with an arrival that can't be"),
        (in_first_line(disaster_label="pizza"), "lines with a label or a score that can't be"),
        (in_first_line(disaster_label=None), "lines with a label or a score that can't be"),
        (in_first_line(classifier_score=1.1), "lines with a label or a score that can't be"),
        (in_first_line(relevance_label="maybe"), "lines with a label or a score that can't be"),
        (in_first_line(relevance_score=0.2), "lines with a label or a score that can't be"),
        (in_first_line(classifier_version=""), "lines with a label or a score that can't be"),
        (in_first_line(processing_time=-1.0), "lines with a label or a score that can't be"),
        (in_first_line(keywords=[{"word": "flood"}]), "lines with a label or a score that can't be"),
        (lambda stored: stored.files[FILE][0].update(s3_line=2), "lines that don't say where they stand"),
        (lambda stored: stored.files[FILE].pop(), "files whose names don't say what they hold"),
        (lambda stored: stored.rejected[REJECTED].clear(), "files whose names don't say what they hold"),
        (lambda stored: stored.files.update({LATER.replace("hh=03", "hh=04"): stored.files.pop(LATER)}), "files whose"),
        (lambda stored: stored.files.update({LATER.replace("hh=03", "hh=01"): stored.files.pop(LATER)}), "files whose"),
        (lambda stored: stored.rows.pop(), "lines without a row"),
        (lambda stored: stored.rows.append(stored.rows[0]), "lines with several rows"),
        (lambda stored: stored.rows.append({**stored.rows[0], "s3_line": 4}), "rows of lines that don't exist"),
        (in_first_row(original_text="other"), "rows that differ from their lines"),
        (in_first_row(disaster_label="storm"), "rows that differ from their lines"),
        (in_first_row(arrived_at="2026-01-02 03:00:06"), "rows that differ from their lines"),
        (in_first_row(keywords="[]"), "rows that differ from their lines"),
        (in_first_row(location="there"), "rows that differ from their lines"),
        (lambda stored: stored.rows[0].pop("classifier_score"), "rows that differ from their lines"),
        (lambda stored: stored.view.append(stored.view[0]), "tweets more than once in the view"),
        (lambda stored: stored.view.pop(), "tweets with rows that the view doesn't show"),
        (lambda stored: stored.view[0].update(s3_line=9), "tweets in the view that have no such row"),
        (refused(raw=base64.b64encode(flat(3).raw).decode()), "refusals of good tweets"),
        (refused(raw="AAAA"), "refusals of what nobody sent"),
        (refused(raw="not base64"), "refusals of what nobody sent"),
        (refused(reason="empty"), "refusals with a wrong reason, or without a message"),
        (refused(message=""), "refusals with a wrong reason, or without a message"),
        (lambda stored: stored.errors[ERRORS].append(error(b"x")), "error records of what nobody sent"),
        (
            lambda stored: stored.errors[ERRORS].append(error(MIXED.data, "Lambda.ProcessingFailedStatus")),
            "error records of tweets that the transform refused",
        ),
        (lambda stored: stored.struck.update(s3_before=0), "batches given up, in 4 attempts though 3 faults struck"),
        (lambda stored: stored.known.append(stored.known[0]), "tweet files that the reconciler knows more than once"),
        (lambda stored: stored.known.pop(), "tweet files that the reconciler doesn't know"),
        (known(s3_key="tweets/other"), "files that the reconciler knows and nobody wrote"),
        (known(state="partial"), "takes for something else than loaded"),
        (known(expected_rows=4), "takes for something else than loaded"),
        (
            lambda stored: stored.runs.append(run("d", "2026-01-02 03:01:01", "2026-01-02 03:01:04")),
            "pairs of reconciliations at work at once: a and d, d and b",
        ),
    ],
)
def test_damage_is_complained_of(damage: Callable[[Stored], None], complaint: str) -> None:
    stored = Stored()
    damage(stored)
    assert any(complaint in problem for problem in stored.problems()), stored.problems()


@pytest.mark.parametrize(
    "change",
    [
        # At least once: the same record twice, in rows of another file, and a part of one put back and given up.
        lambda stored: (
            stored.files.update({(key := LATER.replace("b", "c")): [line(CUT.tweets[1], key, 1)]}),
            stored.rows.append({**stored.rows[3], "s3_key": key}),
            stored.known.append({**stored.known[1], "s3_key": key}),
        ),
        lambda stored: stored.errors[ERRORS].append(error(CUT.tweets[1].raw + b"\n")),
        # A takeover is in order once the lock may have expired.
        lambda stored: stored.runs.append(run("d", "2026-01-02 03:01:27", "2026-01-02 03:02:50")),
        lambda stored: stored.runs.append(run("d", "2026-01-02 03:00:00", "2026-01-02 03:01:01")),
        # The transform's own refusal: its record is in Firehose's error records, too.
        lambda stored: (
            sent_more(alone(junk(80)))(stored),
            stored.rejected.update(
                {REJECTED.replace("a" * 32, "b" * 32): [refusal(junk(80).raw, reason=junk(80).reason)]}
            ),
            stored.errors[ERRORS].append(error(junk(80).raw, "Lambda.ProcessingFailedStatus")),
        ),
    ],
)
def test_what_may_happen_is_no_problem(change: Callable[[Stored], object]) -> None:
    stored = Stored()
    change(stored)
    assert stored.problems() == []


def test_a_file_that_can_not_be_read_is_a_problem() -> None:
    stored = Stored()
    evidence = Evidence({FILE: b"\x1f\x8bbroken"}, {}, {}, [], [], [], [], {}, AT)
    assert any("can't be read" in problem for problem in judge(Happened(stored.sent), evidence).problems)
