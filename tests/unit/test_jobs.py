"""A job runs once, ends as succeeded or failed, says how far it is, and never stays `running`."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError

from chalicelib import clients, jobs
from chalicelib.comprehend import evaluation
from chalicelib.reconcile import repair, repair_batches
from chalicelib.settings import Settings
from chalicelib.warehouse import data_api, migrations, setup
from tests.support.aws_in_memory import SETTINGS


class Bucket:
    """S3 in memory, and Lambda's event queue."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.writes: list[dict[str, Any]] = []
        self.invoked: list[dict[str, Any]] = []
        self.refuses: set[str] = set()

    def put_object(self, *, Key: str, Body: bytes, **_: Any) -> None:
        if "put" in self.refuses:
            raise ClientError({"Error": {"Code": "SlowDown"}}, "PutObject")
        self.objects[Key] = Body
        self.writes.append(json.loads(Body))

    def get_object(self, *, Key: str, **_: Any) -> Any:
        if Key not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        return {"Body": io.BytesIO(self.objects[Key])}

    def invoke(self, *, Payload: bytes, **_: Any) -> None:
        if "invoke" in self.refuses:
            raise ClientError({"Error": {"Code": "TooManyRequestsException"}}, "Invoke")
        self.invoked.append(json.loads(Payload))


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    world = Bucket()
    monkeypatch.setattr(clients, "s3", lambda: world)
    monkeypatch.setattr(clients, "lambda_", lambda: world)
    monkeypatch.setattr(jobs, "settings", lambda: Settings("local", "b", "s", "tweets", "role"))
    yield world


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the jobs that were run."""
    found: list[str] = []

    def run(arguments: Any, context: Any, job_id: str) -> dict[str, Any]:
        found.append(job_id)
        return {"applied": []}

    monkeypatch.setattr(setup, "run", run)
    return found


def test_a_job_is_written_down_before_its_function_is_invoked(bucket: Bucket, runs: list[str]) -> None:
    job = jobs.start("setup", {})
    assert bucket.invoked == [job] == bucket.writes
    assert jobs.get("setup", job["id"]) == job
    ended = jobs.run(bucket.invoked[0], None)
    assert ended["status"] == "succeeded" and runs == [job["id"]]
    assert jobs.get("setup", job["id"]) == ended


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_an_event_that_lambda_delivers_twice_runs_its_job_once(
    bucket: Bucket, runs: list[str], monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    if status == "failed":
        monkeypatch.setattr(setup, "run", lambda *_: runs.append("failed") or 1 / 0)
    event = jobs.start("setup", {})
    first = jobs.run(event, None)
    assert first["status"] == status
    assert jobs.run(event, None) == first
    assert len(runs) == 1


def test_a_job_whose_lambda_died_is_failed_after_the_longest_time_a_lambda_may_run(
    bucket: Bucket, runs: list[str]
) -> None:
    job = jobs.start("setup", {})
    key = f"reports/setup/{job['id']}.json"

    def aged(age: timedelta) -> jobs.JobState:
        then = (datetime.now(UTC) - age).isoformat().replace("+00:00", "Z")
        bucket.objects[key] = json.dumps(job | {"started_at": then}).encode()
        found = jobs.get("setup", job["id"])
        assert found
        return found

    assert aged(timedelta(minutes=14, seconds=50))["status"] == "running"
    dead = aged(timedelta(minutes=15, seconds=1))
    assert dead["status"] == "failed"
    assert "did not end within 15 minutes" in dead["error"]
    assert jobs.run(job, None) == dead and runs == [], "nor is it begun anew by an event that comes late"


def test_a_scheduled_run_that_fails_is_stored_and_raised_so_that_the_alarm_on_errors_rings(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "run", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        jobs.run({"kind": "setup", "arguments": {}}, None)
    assert [write["status"] for write in bucket.writes] == ["running", "failed"]
    assert bucket.writes[-1]["error"] == "ZeroDivisionError: division by zero"


def test_a_job_that_somebody_asked_for_is_stored_as_failed_and_not_tried_again_by_lambda(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "run", lambda *_: 1 / 0)
    ended = jobs.run(jobs.start("setup", {}), None)
    assert (ended["status"], ended["error"]) == ("failed", "ZeroDivisionError: division by zero")


def test_a_job_whose_function_cannot_be_invoked_is_failed_at_once(bucket: Bucket) -> None:
    bucket.refuses.add("invoke")
    with pytest.raises(ClientError):
        jobs.start("setup", {})
    assert [write["status"] for write in bucket.writes] == ["running", "failed"]
    assert "could not be invoked" in bucket.writes[-1]["error"]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(jobs, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def test_a_running_job_says_how_far_it_is(bucket: Bucket, clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def run(arguments: Any, context: Any, job_id: str) -> dict[str, Any]:
        for done in range(4):
            jobs.progress("migrations applied", done, 4)
            found = jobs.get("setup", job_id)
            assert found and found["status"] == "running"
            seen.append(found.get("progress"))
            clock[0] += 1.5
        return {"applied": ["one"]}

    monkeypatch.setattr(setup, "run", run)
    ended = jobs.run(jobs.start("setup", {}), None)
    told = {"step": "migrations applied", "done": 2, "of": 4}
    assert seen == [None, None, told, told], "every two seconds at most"
    assert ended["status"] == "succeeded" and "progress" not in ended


def test_no_job_fails_for_a_progress_that_cannot_be_written(
    bucket: Bucket, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(arguments: Any, context: Any, job_id: str) -> dict[str, Any]:
        clock[0] += 10
        bucket.refuses.add("put")
        jobs.progress("half way")
        bucket.refuses.clear()
        return {}

    monkeypatch.setattr(setup, "run", run)
    assert jobs.run(jobs.start("setup", {}), None)["status"] == "succeeded"


def test_outside_a_job_there_is_no_progress_to_tell(bucket: Bucket, clock: list[float], runs: list[str]) -> None:
    jobs.run(jobs.start("setup", {}), None)
    clock[0] += 10
    written = len(bucket.writes)
    jobs.progress("nobody's")
    assert len(bucket.writes) == written


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What is told of progress, whenever it is."""
    found: list[tuple[Any, ...]] = []
    for module in (migrations, evaluation):
        monkeypatch.setattr(module, "settings", lambda: SETTINGS)
    monkeypatch.setattr(jobs, "progress", lambda *said: found.append(said))
    return found


def test_a_setup_counts_its_migrations(told: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    done = migrations.read()[:1]
    monkeypatch.setattr(migrations, "existing_roles", lambda *_: set())
    for each in ("execute", "query"):
        monkeypatch.setattr(data_api, each, lambda *_, **__: [])
    monkeypatch.setattr(data_api, "run", lambda *_, **__: done.append(migrations.read()[len(done)]))
    monkeypatch.setattr(
        migrations,
        "applied",
        lambda _: [migrations.Applied(m.version, m.name, m.checksum, datetime.now(UTC)) for m in done],
    )
    setup.run({}, SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000), "job")
    every = len(migrations.read())
    assert told == [("migrations applied", number, every) for number in range(1, every)]


def test_an_evaluation_counts_the_answers_of_endpoints(
    told: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()

    def answer(text: str, arn: str, deadline: float) -> str:
        if text == "the last":
            goes_on.wait(10)
        return "flood"

    def tell(*said: Any) -> None:
        told.append(said)
        if said[1] == 2:  # all but the one that waits
            goes_on.set()

    monkeypatch.setattr(jobs, "PROGRESS_EVERY", 0.01)
    monkeypatch.setattr(jobs, "progress", tell)
    monkeypatch.setattr(evaluation, "hosted_label", answer)
    hosts = {"mine": {"EndpointArn": "arn", "DesiredInferenceUnits": 1}, "bundled-1": None}
    found = evaluation.ask(hosts, "kind", ["a", "b", "the last"], 60)
    assert found["mine"] == ["flood"] * 3
    assert ("texts classified by endpoints", 2, 3) in told


def test_a_reconciliation_counts_the_files_that_it_repairs(
    told: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = [
        (
            repair.LATE,
            [repair_batches.TweetFile(f"key-{n}", 1, repair_batches.MOST_BYTES, datetime.now(UTC)) for n in range(2)],
        )
    ]
    monkeypatch.setattr(repair, "to_repair", lambda job: pages)
    monkeypatch.setattr(repair._Work, "_load", lambda self, batch: {})
    repair.repair(mock.Mock(), lambda gives_way: "", 2)
    assert told == [("files loaded again", 0, 2), ("files loaded again", 1, 2)]
