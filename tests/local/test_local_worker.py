"""A function that runs in a process of its own is invoked, fails and logs like one that doesn't."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.aws.functions import MOST_BYTES, Function, FunctionError, Functions
from local.aws.logs import Logs

CODE = f"""
import os
print("imported")
def function(event, context):
    print("asked", context.function_name)
    if "raise" in event:
        raise ValueError(event["raise"])
    if "die" in event:
        os._exit(3)
    if "long" in event:
        return "x" * {MOST_BYTES}
    left = context.get_remaining_time_in_millis()
    return [event, os.getpid(), os.environ["AWS_ACCESS_KEY_ID"], context.invoked_function_arn, left]
"""


@pytest.fixture
def lambda_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Functions]:
    (tmp_path / "code_of_a_worker.py").write_text(CODE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Logs(tmp_path) as logs:
        made = Functions({"f": Function("short", print, 60, 256, "code_of_a_worker.function")}, logs)
        made.start_worker("f")
        yield made
        made.close()


def test_it_answers_from_its_process_with_its_roles_key(lambda_: Functions, tmp_path: Path) -> None:
    event = {"a": "\u00e9\ud800", "n": 1 << 70}
    ((said, pid, key, arn, left), again) = lambda_.invoke("f", event), lambda_.invoke("f", {})
    assert (said, key, arn) == (event, "role.f", "arn:aws:lambda:us-east-1:123456789012:function:f")
    assert pid not in (os.getpid(), 0) and again[1] == pid
    assert 50_000 < left <= 60_000
    assert (tmp_path / "logs" / "short.log").read_text() == "imported\nasked f\nasked f\n"


def test_what_it_raises_is_a_function_error_and_in_its_log(lambda_: Functions, tmp_path: Path) -> None:
    with pytest.raises(FunctionError) as raised:
        lambda_.invoke("f", {"raise": "no"})
    assert (raised.value.payload["errorType"], raised.value.payload["errorMessage"]) == ("ValueError", "no")
    assert "in function" in json.dumps(raised.value.payload["stackTrace"])
    assert "[ERROR] ValueError: no" in (tmp_path / "logs" / "short.log").read_text()
    with pytest.raises(FunctionError, match="exceeded maximum"):
        lambda_.invoke("f", {"long": 1})


def test_a_process_that_dies_fails_the_invocation_and_the_next_one_has_another(lambda_: Functions) -> None:
    first = lambda_.invoke("f", {})[1]
    with pytest.raises(FunctionError, match=r"Runtime\.ExitError: .*status 3"):
        lambda_.invoke("f", {"die": 1})
    assert lambda_.invoke("f", {})[1] != first


def test_its_process_ends_with_it(lambda_: Functions) -> None:
    pid = lambda_.invoke("f", {})[1]
    lambda_.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_it_ends_when_the_server_is_killed(lambda_: Functions) -> None:
    worker = lambda_._workers["f"]
    worker._line.close()  # as the kernel does
    deadline = time.monotonic() + 10
    while worker._process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
