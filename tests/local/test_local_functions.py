"""The local Lambda runs the app's functions as Lambda does."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local.aws import context, functions
from local.aws.functions import Function, FunctionError, Functions
from local.aws.logs import Logs


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Callable[[Callable[[Any, Any], Any]], Functions]]:
    """Makes a Lambda of one function, `f`, with a time-out of 60 seconds."""
    with Logs(tmp_path) as logs:
        yield lambda code: Functions({"f": Function("short", code, 60, 256)}, logs)


def test_the_apps_functions_are_found_with_their_stages_settings() -> None:
    found = functions.of_app("local")
    named = {f"disaster-tweets-local-{name}" for name in ("transform", "collect", "reconcile", "erase", "jobs")}
    assert set(found) == {"disaster-tweets-local", *named}
    transform = found["disaster-tweets-local-transform"]
    assert (transform.timeout, transform.memory) == (300, 1769)


def test_it_is_invoked_by_name_arn_or_qualified_arn(made: Any) -> None:
    lambda_ = made(lambda event, context: [event, context.function_name])
    for name in ("f", context.arn("f"), context.arn("f") + ":$LATEST", "f:$LATEST"):
        assert lambda_.invoke(name, {"a": 1}) == [{"a": 1}, "f"]
    with pytest.raises(KeyError, match="There is no function g"):
        lambda_.invoke("g", {})


def test_it_is_told_how_much_time_is_left(made: Any) -> None:
    def code(event: Any, context: Any) -> list[int]:
        first = context.get_remaining_time_in_millis()
        time.sleep(0.02)
        return [first, context.get_remaining_time_in_millis()]

    first, then = made(code).invoke("f", {})
    assert 59_000 < first <= 60_000
    assert then <= first - 20


def test_it_gets_a_copy_of_the_event_and_must_answer_json(made: Any) -> None:
    event: dict[str, Any] = {}
    made(lambda event, context: event.update(changed=True)).invoke("f", event)
    assert event == {}
    with pytest.raises(FunctionError, match="TypeError"):
        made(lambda event, context: {1, 2}).invoke("f", {})
    with pytest.raises(FunctionError, match="ResponseSizeTooLarge"):
        made(lambda event, context: "x" * functions.MOST_BYTES).invoke("f", {})


def test_an_asynchronous_invocation_is_tried_three_times(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functions, "EVENT_PAUSES", (0.01, 0.01))
    tried: list[int] = []
    done = threading.Event()

    def code(event: Any, context: Any) -> None:
        tried.append(event)
        if len(tried) == functions.EVENT_ATTEMPTS:
            done.set()
        raise ValueError

    lambda_ = made(code)
    lambda_.invoke_later("f", 7)
    assert done.wait(10)
    lambda_.close()
    assert tried == [7, 7, 7]


def test_what_functions_print_goes_to_their_logs_even_when_they_run_side_by_side(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from chalicelib.telemetry import logger

    together = threading.Barrier(2)

    def code(event: Any, context: Any) -> None:
        together.wait(10)
        sys.stdout.write(f"printed by {event}\n")
        logger.info("logged by", extra={"who": event})
        if event == "b":
            raise ValueError("b fails")

    with Logs(tmp_path, [logger]) as logs, ThreadPoolExecutor(2) as pool:
        lambda_ = Functions({name: Function(name, code, 60, 256) for name in ("a", "b")}, logs)
        running = [pool.submit(lambda_.invoke, name, name) for name in ("a", "b")]
        sys.stdout.write("the terminal's\n")
        assert [type(each.exception()) for each in running] == [type(None), FunctionError]
    assert capsys.readouterr().out == "the terminal's\n"
    for name, other in (("a", "b"), ("b", "a")):
        text = (tmp_path / "logs" / f"{name}.log").read_text()
        assert f"printed by {name}" in text
        assert f'"who":"{name}"' in text
        assert f"printed by {other}" not in text
    assert "[ERROR] ValueError: b fails\nTraceback" in (tmp_path / "logs" / "b.log").read_text()


class TestOverTheApi:
    @pytest.fixture
    def lambda_(self, stack: Any) -> Any:
        return boto3.client("lambda", endpoint_url=stack.endpoint_url)

    def test_an_answer(self, lambda_: Any) -> None:
        done = lambda_.invoke(FunctionName="disaster-tweets-local-transform", Payload=b'{"records": []}')
        assert (done["StatusCode"], json.loads(done["Payload"].read())) == (200, {"records": []})
        assert "FunctionError" not in done

    def test_an_error_of_the_function(self, lambda_: Any) -> None:
        done = lambda_.invoke(FunctionName="disaster-tweets-local-jobs", Payload=b'{"kind": "tea", "arguments": {}}')
        error = json.loads(done["Payload"].read())
        assert (done["StatusCode"], done["FunctionError"], error["errorType"]) == (200, "Unhandled", "ValueError")
        assert "no kind of job 'tea'" in error["errorMessage"]

    def test_a_payload_that_is_no_json(self, lambda_: Any) -> None:
        with pytest.raises(ClientError, match="InvalidRequestContentException"):
            lambda_.invoke(FunctionName="disaster-tweets-local-jobs", Payload=b"{")

    def test_a_request_that_is_too_large_is_refused(self, lambda_: Any) -> None:
        name, large = "disaster-tweets-local-jobs", b'"' + b"x" * functions.MOST_EVENT_BYTES + b'"'
        with pytest.raises(lambda_.exceptions.RequestTooLargeException, match="smaller than 1048576 bytes"):
            lambda_.invoke(FunctionName=name, Payload=large, InvocationType="Event")
        with pytest.raises(lambda_.exceptions.RequestTooLargeException, match="smaller than 6291456 bytes"):
            lambda_.invoke(FunctionName=name, Payload=b'"' + b"x" * functions.MOST_BYTES + b'"')

    def test_a_function_that_is_not_there(self, lambda_: Any) -> None:
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            lambda_.invoke(FunctionName="disaster-tweets-local-tea")

    def test_a_dry_run(self, lambda_: Any) -> None:
        done = lambda_.invoke(FunctionName="disaster-tweets-local-jobs", InvocationType="DryRun")
        assert done["StatusCode"] == 204
