"""Invoke the transform, and sort its answers.

docs.aws.amazon.com/firehose/latest/dev/data-transformation-status-model.html says what a function must answer, and
docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-logs.html what Firehose calls its failures.
"""

from __future__ import annotations

import uuid
from binascii import Error, a2b_base64, b2a_base64
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from local.aws.faults import Faults
from local.aws.firehose.journal import Record
from local.aws.firehose.settings import Processor, Settings

MOST_EVENT_BYTES = 6_000_000
"""Of a request to Lambda and of its answer: docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
ENVELOPE = 200
ENVELOPE_FROM_KINESIS = 2000
"""Bytes of JSON around one record's data in the event, at most: a partition key has up to 256 characters, and one takes
up to six bytes there."""
RESULTS = ("Ok", "Dropped", "ProcessingFailed")

MISSING = "One or more record Ids were not returned. Ensure that the Lambda function returns all received record Ids."
DUPLICATED = (
    "Multiple records were returned with the same record Id. "
    "Ensure that the Lambda function returns unique record Ids for each record."
)
FAILED = "ProcessingFailed status set for record"
UNREADABLE = (
    "There was an error parsing returned records from the Lambda function. "
    "Ensure that the returned records follow the status model."
)
FUNCTION_ERROR = "The Lambda function was successfully invoked but it returned an error result."
TIMED_OUT = "The Lambda function invocation timed out. Increase the Timeout setting in the Lambda function."


class Failure(NamedTuple):
    """A record that could not be transformed, and why."""

    record: Record
    code: str
    message: str


class Outcome(NamedTuple):
    """What became of a batch."""

    data: list[bytes]  # of the records answered Ok, in the batch's order
    failures: list[Failure]
    attempts: int = 1


class InvocationError(Exception):
    """An attempt gave no answer that can be used."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


def most_records(hints_bytes: int, from_kinesis: bool) -> int:
    """Return how many records of so many bytes in all fit into one event."""
    return (MOST_EVENT_BYTES - hints_bytes * 4 // 3) // (ENVELOPE_FROM_KINESIS if from_kinesis else ENVELOPE)


def record_id(stream_id: str, record: Record) -> str:
    """56 digits, as Firehose's are: the same for the same record at every attempt."""
    return f"49{int(stream_id[:24], 16):030d}{record.sequence:024d}"


def event(settings: Settings, stream_id: str, records: Sequence[Record]) -> dict[str, Any]:
    """Return the event as in docs.aws.amazon.com/lambda/latest/dg/services-kinesisfirehose.html."""
    source = {"sourceKinesisStreamArn": settings.source_arn} if settings.source_arn else {}
    return {
        "invocationId": str(uuid.uuid4()),
        **source,
        "deliveryStreamArn": settings.arn,
        "region": settings.region,
        "records": [
            {
                "recordId": record_id(stream_id, record),
                "approximateArrivalTimestamp": record.arrived,
                "data": b2a_base64(record.data, newline=False).decode(),
                **({"kinesisRecordMetadata": record.origin} if record.origin else {}),
            }
            for record in records
        ],
    }


def sort(records: Sequence[Record], ids: Sequence[str], answer: Any) -> Outcome:
    """Return what the function's answer says of each record. Raises InvocationError when the answer as a whole can't be
    read.

    What it says of ids that nobody asked for is passed over. An id answered twice or not at all fails its own record.
    """
    answers = answer.get("records") if isinstance(answer, dict) else None
    if not isinstance(answers, list) or not all(_well_formed(each) for each in answers):
        raise InvocationError("Lambda.JsonProcessingException", UNREADABLE)
    if sum(len(each["recordId"]) + len(each.get("data") or "") for each in answers) > MOST_EVENT_BYTES:
        raise InvocationError("Lambda.FunctionError", FUNCTION_ERROR)
    times = Counter(each["recordId"] for each in answers)
    by_id = {each["recordId"]: each for each in answers}
    data: list[bytes] = []
    failures: list[Failure] = []
    for record, name in zip(records, ids, strict=True):
        if not times[name]:
            failures.append(Failure(record, "Lambda.MissingRecordId", MISSING))
        elif times[name] > 1:
            failures.append(Failure(record, "Lambda.DuplicatedRecordId", DUPLICATED))
        elif by_id[name]["result"] == "ProcessingFailed":
            failures.append(Failure(record, "Lambda.ProcessingFailedStatus", FAILED))
        elif by_id[name]["result"] == "Ok":
            try:
                data.append(a2b_base64(by_id[name]["data"], strict_mode=True))
            except (Error, ValueError):
                failures.append(Failure(record, "Lambda.JsonProcessingException", UNREADABLE))
    return Outcome(data, failures)


def _well_formed(answer: Any) -> bool:
    return (
        isinstance(answer, dict)
        and isinstance(answer.get("recordId"), str)
        and answer.get("result") in RESULTS
        and isinstance(answer.get("data"), str if answer["result"] == "Ok" else str | None)
    )


def run(
    settings: Settings,
    processor: Processor,
    stream_id: str,
    records: Sequence[Record],
    invoke: Callable[[str, dict[str, Any]], Any],
    faults: Faults,
    pause: Callable[[int], bool],
) -> Outcome | None:
    """Invoke until an answer can be used, or the retries are used up: then all records fail.

    `pause(attempt)` waits before the next attempt and says whether there is to be one: if not, the outcome is None.
    """
    request = event(settings, stream_id, records)
    ids = [each["recordId"] for each in request["records"]]
    attempt = 1
    while True:
        try:
            return sort(records, ids, _attempt(processor, request, invoke, faults))._replace(attempts=attempt)
        except InvocationError as error:
            if attempt > processor.retries:
                return Outcome([], [Failure(record, error.code, error.message) for record in records], attempt)
        if not pause(attempt):
            return None
        attempt += 1


def _attempt(
    processor: Processor, request: dict[str, Any], invoke: Callable[[str, dict[str, Any]], Any], faults: Faults
) -> Any:
    if faults.strikes("transform_error"):
        raise InvocationError("Lambda.FunctionError", FUNCTION_ERROR)
    try:
        answer = invoke(processor.arn, request)
    except KeyError as error:
        raise InvocationError("Lambda.ResourceNotFound", str(error)) from error
    except TimeoutError as error:
        raise InvocationError("Lambda.FunctionTimedOut", TIMED_OUT) from error
    except Exception as error:
        raise InvocationError("Lambda.FunctionError", f"{FUNCTION_ERROR} {error}"[:1000]) from error
    if faults.strikes("transform_timeout"):
        raise InvocationError("Lambda.FunctionTimedOut", TIMED_OUT)
    return answer
