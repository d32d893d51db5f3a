"""The lock goes by S3's clock, knows its own writes whatever was said of them, and outlives a beat that fails."""

from __future__ import annotations

import io
import json
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from chalicelib import clients
from chalicelib.conditional import HeldError
from chalicelib.reconcile import lock
from chalicelib.reconcile.lock import Lock
from tests.support.aws_in_memory import client_error


class S3:
    """One object behind conditional writes, by a clock of its own. `after` is called once a write was done."""

    def __init__(self) -> None:
        self.now = datetime(2020, 1, 1, tzinfo=UTC)  # years behind this machine's
        self.body, self.etag, self.written = b"", "", self.now
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        assert (Bucket, Key) == ("b", "reports/reconciliations/lock.json")
        if not self.body:
            raise client_error("NoSuchKey")
        return {
            "Body": io.BytesIO(self.body),
            "ETag": self.etag,
            "LastModified": self.written,
            "ResponseMetadata": {"HTTPHeaders": {"date": format_datetime(self.now, usegmt=True)}},
        }

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, IfMatch: str = "", IfNoneMatch: str = "") -> Any:
        assert (Bucket, Key) == ("b", "reports/reconciliations/lock.json")
        assert isinstance(IfMatch, str) and isinstance(IfNoneMatch, str), "boto3 refuses it"
        self.before()
        if (IfMatch and IfMatch != self.etag) or (IfNoneMatch and self.body):
            raise client_error("PreconditionFailed")
        self.body, self.etag, self.written = Body, f'"{hash(Body)}"', self.now
        self.after()
        return {"ETag": self.etag}

    def held_by(self, holder: str) -> None:
        self.put_object(Bucket="b", Key=lock.KEY, Body=b'{"holder": "%b"}' % holder.encode())


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> S3:
    found = S3()
    monkeypatch.setattr(clients, "s3", lambda: found)
    monkeypatch.setattr(lock, "POLL", 0.001)
    return found


@pytest.mark.parametrize(("silent", "free"), [(19, False), (20, False), (21, True)])
def test_a_lease_is_over_when_s3_s_clock_says_so(s3: S3, silent: int, free: bool) -> None:
    s3.held_by("another")
    s3.now += timedelta(seconds=silent)
    if free:
        with Lock("b", "me", 0.0) as mine:
            assert not mine.lost
    else:
        with pytest.raises(HeldError), Lock("b", "me", 0.0):
            pass


def test_a_run_is_under_way_while_somebody_holds_the_lock_and_shows_signs_of_life(s3: S3) -> None:
    assert lock.held("b") is False
    with Lock("b", "me", 0.0):
        assert lock.held("b") is True
    assert lock.held("b") is False
    s3.held_by("another")
    s3.now += timedelta(seconds=20)
    assert lock.held("b") is True
    s3.now += timedelta(seconds=1)
    assert lock.held("b") is False


def test_who_waits_for_the_lock_asks_once_a_second_and_gives_up_when_patience_ends(
    s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(clients, "s3", lambda: s3)
    now, pauses = [1000.0], []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", sleep)
    s3.held_by("another")
    with pytest.raises(HeldError, match="is under way; it also does the work of this one"), Lock("b", "me", 3.0):
        pass
    assert pauses == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("code", ["PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"])
def test_who_is_beaten_to_the_lock_waits_for_it_and_any_other_error_is_itself(s3: S3, code: str) -> None:
    def refuse() -> None:
        raise client_error(code)

    s3.before = refuse
    with pytest.raises(HeldError), Lock("b", "me", 0.0):
        pass
    code = "InternalError"
    with pytest.raises(ClientError, match="InternalError"), Lock("b", "me", 0.0):
        pass


def test_a_lock_that_can_not_be_read_after_a_beat_that_failed_is_not_given_up(
    s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = Lock("b", "me", 0.0)
    for trouble in (client_error("SlowDown"), EndpointConnectionError(endpoint_url="http://s3")):
        monkeypatch.setattr(s3, "get_object", mock.Mock(side_effect=trouble))
        assert mine._still_mine() is True


def test_three_beats_may_fail_before_the_lease_is_over_and_a_dead_run_holds_nobody_up_for_long() -> None:
    assert lock.BEAT * 4 <= lock.LEASE <= 20.0


def test_a_lock_that_another_took_unnoticed_is_not_set_free(s3: S3) -> None:
    with Lock("b", "me", 0.0) as mine:
        s3.held_by("another")
        assert not mine.lost
    assert s3.body == b'{"holder": "another"}'


def test_the_lock_says_who_holds_it_or_who_held_it_last_and_no_two_writes_are_the_same(s3: S3) -> None:
    with Lock("b", "me", 0.0) as mine:
        held = json.loads(s3.body)
        assert mine._thread.daemon, "a process that ends does not wait for it"
    free = json.loads(s3.body)
    assert held == {"holder": held["by"], "by": held["by"], "beat": 1}
    assert free == {"holder": None, "by": held["by"], "beat": 2}
    assert re.fullmatch(r"me [0-9a-f]{8}", held["by"])


def test_a_lock_is_one_s_own_though_its_write_was_reported_as_failed(s3: S3) -> None:
    """boto3 tries again when an answer is lost, and the second try finds what the first one wrote."""

    def once() -> None:
        s3.after = lambda: None
        raise client_error("PreconditionFailed")

    s3.after = once
    with Lock("b", "me", 5.0) as mine:
        assert b'"holder": "me ' in s3.body
        assert not mine.lost
    assert b'"holder": null' in s3.body


@pytest.mark.parametrize(
    "trouble", [EndpointConnectionError(endpoint_url="http://s3"), client_error("InternalError")], ids=repr
)
def test_a_beat_that_fails_is_not_the_last_one(s3: S3, monkeypatch: pytest.MonkeyPatch, trouble: Exception) -> None:
    monkeypatch.setattr(lock, "BEAT", 0.001)
    failed, done = threading.Semaphore(0), threading.Semaphore(0)

    def refuse() -> None:
        failed.release()
        raise trouble

    with Lock("b", "me", 0.0) as mine:
        s3.before = refuse
        assert all(failed.acquire(timeout=10) for _ in range(3))
        s3.after = lambda: done.release()
        s3.before = lambda: None
        assert all(done.acquire(timeout=10) for _ in range(3)), "it beats again"
        assert not mine.lost


def test_a_beat_that_was_written_though_the_answer_said_no_is_not_the_last_one(
    s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "BEAT", 0.001)
    answers = iter([*[client_error("PreconditionFailed")] * 2, None])
    done = threading.Semaphore(0)

    def answer() -> None:
        if error := next(answers, None):
            raise error
        done.release()

    with Lock("b", "me", 0.0) as mine:
        s3.after = answer
        assert all(done.acquire(timeout=10) for _ in range(2)), "it beats again"
        assert not mine.lost
    assert b'"holder": null' in s3.body


def test_a_lock_that_is_gone_is_lost(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "BEAT", 0.001)
    with Lock("b", "me", 0.0) as mine:
        s3.body, s3.etag = b"", ""
        mine._thread.join(timeout=30)
        assert mine.lost


def test_a_lock_that_another_took_is_lost_and_left_to_them(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "BEAT", 0.001)
    with Lock("b", "me", 0.0) as mine:
        s3.held_by("another")
        mine._thread.join(timeout=30)
        assert mine.lost
    assert b'"another"' in s3.body
