"""From the put to the destination: nothing acknowledged is lost, whatever fails on the way and whenever it stops."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from moto.core.exceptions import ServiceException

from local.aws.firehose import stream as module
from local.aws.firehose.buffer import Hints
from local.aws.firehose.journal import Journal
from local.aws.firehose.logins import Logins
from local.aws.firehose.settings import Login, Processor
from tests.support.firehose_in_memory import (
    COPY,
    FUNCTION,
    REDSHIFT,
    S3,
    WITH_BACKUP,
    World,
    deliver,
    stream,
    until,
    upper,
)

NEVER = Hints(3 * 1024 * 1024, 900.0)
HOUR = r"\d{4}/\d\d/\d\d/\d\d"
NAME = r"tweets-1-\d{4}(-\d\d){5}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.Stream, "_pause", lambda self, attempt: not self._closing.wait(0.005))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def test_records_are_transformed_and_delivered_as_one_object(path: Path) -> None:
    world = World()
    with stream(path, world) as running:
        running.take([b"one\n", b"two\n"])
        running.take([b"three\n"])
        deliver(running)
    (key,) = world.keys("")
    assert re.fullmatch(rf"delivery/{HOUR}/{NAME}\.gz", key)
    assert world.content("delivery/") == b"ONE\nTWO\nTHREE\n"


def test_without_a_processor_they_are_delivered_as_they_came(path: Path) -> None:
    world = World()
    with stream(path, world, replace(S3, processor=None, place=replace(S3.place, gzip=False))) as running:
        running.take([b"one", b"two"])
        deliver(running)
    (key,) = world.keys("delivery/")
    assert world.buckets["bucket"][key] == b"onetwo"


def test_buffers_wait_for_their_interval(path: Path) -> None:
    world = World()
    with stream(path, world, replace(S3, processor=Processor(FUNCTION, Hints(1024**2, 0.3), 3))) as running:
        running.take([b"x"])
        time.sleep(0.1)
        running.take([b"y"])
        assert not world.events
        until(lambda: world.events)
        assert len(world.events[0]["records"]) == 2


def test_a_full_buffer_does_not_wait(path: Path) -> None:
    world = World()
    with stream(path, world, replace(S3, processor=Processor(FUNCTION, Hints(1000, 900.0), 3))) as running:
        running.take([b"x" * 400] * 5)
        until(lambda: len(world.events) == 2)
        assert [len(event["records"]) for event in world.events] == [2, 2]
        deliver(running)
    assert len(world.content("delivery/")) == 2000


def test_error_records_go_under_processing_failed(path: Path) -> None:
    def picky(event: dict[str, Any]) -> dict[str, Any]:
        answer = upper(event)
        answer["records"][1]["result"] = "ProcessingFailed"
        return answer

    world = World(picky)
    with stream(path, world) as running:
        running.take([b"good", b"bad"])
        deliver(running)
    assert world.content("delivery/") == b"GOOD"
    (key,) = world.keys("rejected/")
    assert re.fullmatch(rf"rejected/processing-failed/{HOUR}/{NAME}", key)
    line = json.loads(world.buckets["bucket"][key])
    assert (line["errorCode"], line["attemptsMade"], line["lambdaArn"]) == (
        "Lambda.ProcessingFailedStatus",
        1,
        FUNCTION,
    )


def test_a_batch_that_is_all_dropped_leaves_nothing(path: Path) -> None:
    world = World(lambda event: {"records": [{**r, "result": "Dropped"} for r in event["records"]]})
    with stream(path, world, REDSHIFT) as running:
        running.take([b"x"] * 3)
        deliver(running)
    assert world.keys("") == [] == world.statements


def test_the_backup_has_every_source_record_as_it_came(path: Path) -> None:
    world = World(lambda event: {"records": []})
    with stream(path, world, WITH_BACKUP) as running:
        running.take([b"one\n", b"two\n"])
        deliver(running)
    assert world.content("source/", "backup") == b"one\ntwo\n"


def test_s3_is_tried_until_it_works(path: Path) -> None:
    world = World()
    world.break_s3 = [OSError("full")] * 5
    with stream(path, world, WITH_BACKUP) as running:
        running.take([b"one"])
        deliver(running)
    assert world.content("delivery/") == b"ONE"
    assert world.content("source/", "backup") == b"one"


# ------------------------------------------------------------------ Redshift


def test_redshift_is_loaded_by_manifest_with_the_configured_copy(path: Path) -> None:
    world = World()
    with stream(path, world, REDSHIFT) as running:
        running.take([b"one"])
        deliver(running)
    (sql,) = world.statements
    match = re.fullmatch(
        r"COPY d\.tweets \(a,b\) FROM 's3://bucket/(delivery/manifests/\S+)' "
        r"CREDENTIALS 'aws_iam_role=arn:aws:iam::123456789012:role/r' MANIFEST GZIP JSON 'auto'",
        sql,
    )
    assert match
    manifest = json.loads(world.buckets["bucket"][match[1]])
    (data,) = [key for key in world.keys("delivery/") if key.endswith(".gz")]
    assert manifest == {"entries": [{"url": f"s3://bucket/{data}", "mandatory": True}]}


def test_a_failing_copy_is_tried_again_with_the_same_manifest(path: Path) -> None:
    world = World()
    world.break_copy = [RuntimeError("no")] * 3
    with stream(path, world, REDSHIFT) as running:
        running.take([b"one"])
        deliver(running)
    assert len(world.statements) == 4
    assert len(set(world.statements)) == 1
    assert not world.keys("delivery/errors/")


def test_when_time_is_up_the_manifest_goes_to_errors(path: Path) -> None:
    world = World()
    world.break_copy = [RuntimeError("no")]
    assert REDSHIFT.copy
    with stream(path, world, replace(REDSHIFT, copy=replace(REDSHIFT.copy, retry_seconds=0))) as running:
        running.take([b"one"])
        deliver(running)
        (error,) = world.keys("delivery/errors/manifests/")
        (tried,) = world.keys("delivery/manifests/")
        assert world.buckets["bucket"][error] == world.buckets["bucket"][tried]
        running.take([b"two"])  # and it goes on
        deliver(running)
    assert len(world.statements) == 2


def test_one_copy_at_a_time_takes_all_that_wait(path: Path) -> None:
    world, at_once, most = World(), 0, 0
    began, go_on = threading.Event(), threading.Event()

    def slow(sql: str, _: Login) -> int:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        world.statements.append(sql)
        began.set()
        go_on.wait(5)
        at_once -= 1
        return 1

    def are_there(objects: int) -> bool:
        return len([key for key in world.keys("delivery/2") if key.endswith(".gz")]) == objects

    world.outside = world.outside._replace(run_sql=slow)
    with stream(path, world, REDSHIFT) as running:
        running.take([b"one"])
        began.wait(5)
        for number in range(3):
            running.take([b"more"])
            until(partial(are_there, number + 2))
        go_on.set()
        deliver(running)
    assert most == 1
    assert len(world.statements) == 2
    entries = [len(json.loads(world.buckets["bucket"][key])["entries"]) for key in world.keys("delivery/manifests/")]
    assert sorted(entries) == [1, 3]


# ------------------------------------------------------------------ restarts


def test_what_waited_in_a_buffer_is_delivered_by_the_next_run(path: Path) -> None:
    world, lazy = World(), replace(WITH_BACKUP, processor=Processor(FUNCTION, NEVER, 3))
    with stream(path, world, lazy) as running:
        running.take([b"one", b"two"])
    assert not world.events
    with stream(path, world, WITH_BACKUP) as running:
        deliver(running)
    assert world.content("delivery/") == b"ONETWO"
    assert world.content("source/", "backup") == b"onetwo"


def test_a_batch_that_was_under_way_is_invoked_again_as_it_was(path: Path) -> None:
    world = World()
    world.break_function = [RuntimeError("killed")] * 2
    with stream(path, world, replace(S3, place=replace(S3.place, hints=NEVER))) as running:
        running.take([b"one", b"two"])
        until(lambda: len(world.events) >= 3)
        running.take([b"three"])
    with stream(path, world) as running:
        deliver(running)
    first, *again = [event for event in world.events if len(event["records"]) == 2]
    assert len(again) == 3  # two retries, and the next run's
    assert all(event["records"] == first["records"] for event in again)
    assert b"".join(sorted([b"ONE", b"TWO", b"THREE"])) == b"".join(
        sorted(re.findall(b"ONE|TWO|THREE", world.content("delivery/")))
    )


def test_what_was_stored_is_not_stored_again_only_copied(path: Path) -> None:
    world = World()
    world.break_copy = [RuntimeError("no")] * 1000
    with stream(path, world, REDSHIFT) as running:
        running.take([b"one"])
        until(lambda: world.statements)
    world.break_copy.clear()
    with stream(path, world, REDSHIFT) as running:
        deliver(running)
    assert world.content("delivery/2") == b"ONE"
    assert len(world.events) == 1


def test_error_records_of_a_batch_done_twice_are_there_once(path: Path) -> None:
    def picky(event: dict[str, Any]) -> dict[str, Any]:
        answer = upper(event)
        answer["records"][0]["result"] = "ProcessingFailed"
        return answer

    world = World(picky)
    with stream(path, world, replace(S3, place=replace(S3.place, hints=NEVER))) as running:
        running.take([b"bad", b"good"])
        until(lambda: world.keys("rejected/"))
    with stream(path, world) as running:
        deliver(running)
    assert len(world.events) == 2
    assert len(world.keys("rejected/")) == 1


def test_what_is_delivered_leaves_the_journal(path: Path) -> None:
    world = World()
    with stream(path, world, WITH_BACKUP) as running:
        for _ in range(20):
            running.take([b"x" * 100] * 50)
        deliver(running)
    journal = Journal(path)
    assert journal.next == 1000
    assert journal.read(0, 1000) == []


def test_a_producer_is_slowed_down_when_too_much_waits(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BACKLOG", 1000)
    world = World()
    with stream(path, world, replace(S3, processor=Processor(FUNCTION, NEVER, 3))) as running:
        running.take([b"x" * 600])
        with pytest.raises(ServiceException) as raised:
            running.take([b"x" * 600])
        assert raised.value.code == "ServiceUnavailableException"
        deliver(running)
        until(lambda: not running._backlog)  # what is delivered is taken off the backlog a moment later
        running.take([b"x" * 600])


def test_a_full_disk_stops_the_stream_and_loses_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Journal, *_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    world = World()
    with monkeypatch.context() as broken, stream(path, world) as running:
        broken.setattr(Journal, "cut", full)
        running.take([b"one"])
        until(lambda: running._closing.is_set())
        with pytest.raises(ServiceException):
            running.take([b"two"])
        assert not running.flush(time.monotonic() + 1)
    with stream(path, world) as running:
        deliver(running)
    assert world.content("delivery/") == b"ONE"


def test_many_producers_at_once(path: Path) -> None:
    world = World()
    with stream(path, world, REDSHIFT) as running:
        producers = [
            threading.Thread(target=lambda n=n: [running.take([b"%d-%d\n" % (n, i)] * 5) for i in range(30)])
            for n in range(6)
        ]
        for producer in producers:
            producer.start()
        for producer in producers:
            producer.join()
        deliver(running)
    lines = world.content("delivery/2").splitlines()
    assert sorted(lines) == sorted(b"%d-%d" % (n, i) for n in range(6) for i in range(30) for _ in range(5))
    ids = [record["recordId"] for event in world.events for record in event["records"]]
    assert len(ids) == len(set(ids)) == 900


def test_a_secret_is_read_again_after_ten_minutes(path: Path) -> None:
    """docs.aws.amazon.com/firehose/latest/dev/secrets-manager-how.html"""
    world, seconds = World(), 0.0
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:firehose-abcdef"
    world.outside = world.outside._replace(login=Logins(world.secrets.__getitem__, lambda: seconds))
    with stream(path, world, replace(REDSHIFT, copy=replace(COPY, login=arn))) as running:
        for at, password in (
            (0.0, "first"),
            (599.9, "second"),
            (600.0, "second"),
            (1199.9, "third"),
            (1200.0, "third"),
        ):
            seconds, world.secrets[arn] = at, json.dumps({"username": "firehose", "password": password})
            running.take([b"tweet"])
            deliver(running)
    assert [login.password for login in world.logins] == ["first", "first", "second", "second", "third"]


def test_a_copy_fails_until_the_secret_can_be_read(path: Path) -> None:
    world = World()
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:firehose-abcdef"
    with stream(path, world, replace(REDSHIFT, copy=replace(COPY, login=arn, retry_seconds=0.0))) as running:
        running.take([b"tweet"])
        deliver(running)
    assert world.statements == []
    assert len(world.keys("delivery/errors/manifests/")) == 1
