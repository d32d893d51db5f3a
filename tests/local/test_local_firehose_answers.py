"""What Firehose makes of a function's answer: every record is delivered, dropped or failed, each exactly once."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.aws.faults import Faults
from local.aws.firehose import errors, transform
from local.aws.firehose.journal import Record
from local.aws.firehose.transform import Failure, InvocationError, Outcome
from tests.support.firehose_in_memory import FUNCTION, S3

RECORDS = [Record(n, 1_770_000_000_000 + n, f"record {n}".encode()) for n in range(3)]
IDS = ["a", "b", "c"]


def ok(record_id: str, data: bytes = b"row\n") -> dict[str, Any]:
    return {"recordId": record_id, "result": "Ok", "data": base64.b64encode(data).decode()}


def sorted_(*answers: dict[str, Any]) -> tuple[list[bytes], dict[int, str]]:
    outcome = transform.sort(RECORDS, IDS, {"records": list(answers)})
    return outcome.data, {failure.record.sequence: failure.code for failure in outcome.failures}


def test_ok_is_delivered_in_the_batchs_order() -> None:
    assert sorted_(ok("c", b"3"), ok("a", b"1"), ok("b", b"2")) == ([b"1", b"2", b"3"], {})


def test_dropped_is_neither_delivered_nor_an_error() -> None:
    assert sorted_(ok("a"), {"recordId": "b", "result": "Dropped"}, ok("c")) == ([b"row\n"] * 2, {})


def test_processing_failed_is_an_error() -> None:
    failed = {"recordId": "b", "result": "ProcessingFailed", "data": "!"}
    assert sorted_(ok("a"), failed, ok("c")) == ([b"row\n"] * 2, {1: "Lambda.ProcessingFailedStatus"})


def test_a_record_without_an_answer_fails() -> None:
    assert sorted_(ok("a"), ok("c")) == ([b"row\n"] * 2, {1: "Lambda.MissingRecordId"})


def test_a_record_answered_twice_fails_and_its_neighbours_dont() -> None:
    assert sorted_(ok("a"), ok("b"), ok("b"), ok("c")) == ([b"row\n"] * 2, {1: "Lambda.DuplicatedRecordId"})


def test_an_answer_to_nobodys_record_is_passed_over() -> None:
    assert sorted_(ok("a"), ok("b"), ok("c"), ok("z")) == ([b"row\n"] * 3, {})


def test_data_that_is_no_base64_fails_its_record() -> None:
    assert sorted_(ok("a"), {"recordId": "b", "result": "Ok", "data": "é"}, ok("c"))[1] == {
        1: "Lambda.JsonProcessingException"
    }


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"records": None},
        {"records": ["a"]},
        {"records": [{"recordId": 1, "result": "Ok", "data": ""}]},
        {"records": [{"recordId": "a", "result": "ok", "data": ""}]},
        {"records": [{"recordId": "a", "result": "Ok"}]},
        {"records": [{"recordId": "a", "result": ["Ok"], "data": ""}]},
    ],
)
def test_an_answer_out_of_form_counts_for_nothing(answer: Any) -> None:
    with pytest.raises(InvocationError) as raised:
        transform.sort(RECORDS, IDS, answer)
    assert raised.value.code == "Lambda.JsonProcessingException"


def test_an_answer_over_6_mb_counts_for_nothing() -> None:
    with pytest.raises(InvocationError):
        sorted_(ok("a", b"x" * 4_500_000), ok("b"), ok("c"))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from([*IDS, "Ok", "Dropped"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["records", "recordId", "result", "data"]), inner, max_size=4)
    ),
    max_leaves=12,
)
answers = st.fixed_dictionaries(
    {
        "recordId": st.sampled_from([*IDS, "z"]),
        "result": st.sampled_from(["Ok", "Dropped", "ProcessingFailed"]),
        "data": st.text(max_size=8),
    }
)


@given(json_values | st.fixed_dictionaries({"records": st.lists(answers, max_size=6)}))
def test_whatever_is_answered_every_record_is_accounted_for(answer: Any) -> None:
    try:
        outcome = transform.sort(RECORDS, IDS, answer)
    except InvocationError:
        return
    dropped = sum(each["result"] == "Dropped" and each["recordId"] in IDS for each in answer["records"])
    assert len(outcome.data) + len(outcome.failures) <= len(RECORDS)
    assert len(outcome.data) + len(outcome.failures) + dropped >= len(RECORDS)
    assert len({failure.record.sequence for failure in outcome.failures}) == len(outcome.failures)


# ------------------------------------------------------------------ attempts


def run(*results: Any, retries: int = 3, pause: Any = lambda attempt: True, faults: Faults | None = None) -> Any:
    """The outcome, when the function answers or raises these, one after the other."""
    left = list(results)

    def invoke(arn: str, event: dict[str, Any]) -> Any:
        result = left.pop(0)
        if isinstance(result, Exception):
            raise result
        return result(event) if callable(result) else result

    assert S3.processor
    return transform.run(
        S3, replace(S3.processor, retries=retries), "0" * 32, RECORDS, invoke, faults or Faults(), pause
    )


def all_ok(event: dict[str, Any]) -> dict[str, Any]:
    return {"records": [ok(record["recordId"]) for record in event["records"]]}


def test_three_retries_then_all_records_fail() -> None:
    outcome = run(*[RuntimeError("boom")] * 4)
    assert outcome.attempts == 4
    assert [failure.record for failure in outcome.failures] == RECORDS
    assert {failure.code for failure in outcome.failures} == {"Lambda.FunctionError"}
    assert "boom" in outcome.failures[0].message


def test_the_last_retry_may_succeed() -> None:
    assert run(RuntimeError(), None, TimeoutError(), all_ok) == Outcome([b"row\n"] * 3, [], 4)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyError("no such function"), "Lambda.ResourceNotFound"),
        (TimeoutError(), "Lambda.FunctionTimedOut"),
        (ValueError("no"), "Lambda.FunctionError"),
    ],
)
def test_why_it_failed_is_told_as_firehose_does(error: Exception, code: str) -> None:
    assert run(*[error] * 4).failures[0].code == code


def test_a_stream_that_closes_between_attempts_decides_nothing() -> None:
    assert run(RuntimeError(), pause=lambda attempt: False) is None


def test_the_faults_strike_before_and_after_the_function() -> None:
    calls: list[Any] = []

    def counted(event: dict[str, Any]) -> dict[str, Any]:
        calls.append(event)
        return all_ok(event)

    assert run(*[counted] * 4, faults=Faults({"transform_error": 1})).failures[0].code == "Lambda.FunctionError"
    assert not calls
    assert run(*[counted] * 4, faults=Faults({"transform_timeout": 1})).failures[0].code == "Lambda.FunctionTimedOut"
    assert len(calls) == 4
    assert all(event == calls[0] for event in calls)


# ------------------------------------------------------------------ what goes out


def test_the_event_is_firehoses() -> None:
    event = transform.event(S3, "a" * 32, RECORDS)
    assert set(event) == {"invocationId", "deliveryStreamArn", "region", "records"}
    first = event["records"][0]
    assert first == {
        "recordId": first["recordId"],
        "approximateArrivalTimestamp": 1_770_000_000_000,
        "data": base64.b64encode(b"record 0").decode(),
    }
    assert len({record["recordId"] for record in event["records"]}) == 3
    assert all(len(record["recordId"]) == 56 and record["recordId"].isdigit() for record in event["records"])


@pytest.mark.parametrize("megabytes", [0.2, 1, 3])
@pytest.mark.parametrize("from_kinesis", [False, True])
def test_the_event_never_exceeds_what_lambda_takes(megabytes: float, from_kinesis: bool) -> None:
    size = int(megabytes * 1024 * 1024)
    count = transform.most_records(size, from_kinesis)
    assert count > 800
    origin = {
        "sequenceNumber": "4" * 56,
        "subsequenceNumber": 0,
        "partitionKey": "\N{BLACK HEART SUIT}" * 256,
        "shardId": "shardId-000000000000",
        "approximateArrivalTimestamp": 1_770_000_000_000,
    }
    each = Record(0, 1_770_000_000_000, b"x" * (size // count), origin if from_kinesis else None)
    event = transform.event(S3, "a" * 32, [each] * 100)
    envelope = (len(json.dumps(event)) / 100) - len(base64.b64encode(each.data))
    assert envelope * count + size * 4 / 3 < 6_291_556


def test_error_records_have_firehoses_form() -> None:
    failure = Failure(RECORDS[1], "Lambda.MissingRecordId", "One or more")
    (line,) = errors.lines([failure], 4, 1_770_000_009_000, FUNCTION).splitlines()
    assert json.loads(line) == {
        "attemptsMade": 4,
        "arrivalTimestamp": 1_770_000_000_001,
        "errorCode": "Lambda.MissingRecordId",
        "errorMessage": "One or more",
        "attemptEndingTimestamp": 1_770_000_009_000,
        "rawData": base64.b64encode(b"record 1").decode(),
        "lambdaArn": FUNCTION,
    }
