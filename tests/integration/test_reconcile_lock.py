"""Two runs at once: one waits for the other; what a dead one held is taken over."""

import io
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from unittest import mock

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from chalicelib import clients, conditional
from chalicelib.conditional import HeldError
from chalicelib.reconcile import lock
from chalicelib.reconcile.lock import Lock
from chalicelib.settings import settings
from local.aws.faults import Faults
from local.server import LocalAws
from tests.support import tweet_files as files

pytestmark = pytest.mark.usefixtures("stack", "quick")


@pytest.fixture
def quick() -> Iterator[None]:
    with mock.patch.multiple(lock, LEASE=1.5, BEAT=0.2, POLL=0.05):
        yield


def held(holder: str = "a", patience: float = 0.0) -> Lock:
    return Lock(settings().bucket, holder, patience)


def test_a_second_run_gives_up_when_the_first_goes_on() -> None:
    with held("a"), pytest.raises(HeldError, match="under way"), held("b"):
        pass


def test_the_next_one_may_at_once_when_the_first_has_ended() -> None:
    with held("a"):
        pass
    with held("b"):
        pass


def test_a_run_that_fails_leaves_no_lock() -> None:
    with pytest.raises(ZeroDivisionError), held("a"):
        1 / 0  # noqa: B018
    with held("b"):
        pass


def test_a_living_run_keeps_its_lock_for_longer_than_the_lease() -> None:
    with held("a") as mine:
        time.sleep(2.2)
        with pytest.raises(HeldError), held("b"):
            pass
        assert not mine.lost


def test_a_dead_run_s_lock_expires() -> None:
    dead = held("a")
    with mock.patch.object(Lock, "_live", lambda _: None):
        dead.__enter__()
    began = time.monotonic()
    with held("b", patience=10):
        assert time.monotonic() - began > 0.4
    dead.__exit__(None, None, None)
    with held("c"):  # what the dead one wrote at its end changed nothing
        pass


def test_a_run_whose_lock_was_taken_knows() -> None:
    with held("a") as mine:
        body = b'{"holder": "b", "by": "b", "beat": 1}'
        clients.s3().put_object(Bucket=settings().bucket, Key=lock.KEY, Body=body)
        deadline = time.monotonic() + 5
        while not mine.lost and time.monotonic() < deadline:
            time.sleep(0.05)
        assert mine.lost
    clients.s3().delete_object(Bucket=settings().bucket, Key=lock.KEY)


def test_a_write_that_was_reported_as_failed_costs_no_lock(stack: LocalAws) -> None:
    faults: Faults = stack.faults
    with held("a") as mine:
        faults.set({"s3_after": 1.0})
        time.sleep(0.7)
        faults.set({})
        time.sleep(0.5)
        assert not mine.lost
    with held("b"):
        pass


def test_of_many_at_once_one_gets_it() -> None:
    inside, most, lines = [], [], threading.Lock()

    def enter(name: str) -> None:
        with held(name, patience=30):
            with lines:
                inside.append(name)
                most.append(len(inside))
            time.sleep(0.05)
            with lines:
                inside.remove(name)

    threads = [threading.Thread(target=enter, args=(str(n),)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 5


def test_two_reconciliations_at_once_end_right() -> None:
    hour = files.an_hour()
    keys = [files.put(hour) for _ in range(4)]
    reports = []
    threads = [threading.Thread(target=lambda: reports.append(files.reconcile(hour, repair=True))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(report["verdict"] for report in reports) == ["repaired", "well"]
    assert all(files.rows_of(key) == [1, 2, 3, 4, 5] for key in keys)


def test_the_age_of_a_lock_is_told_by_s3_s_clock_alone() -> None:
    """Whatever year this machine believes it is."""
    written = datetime(2001, 1, 1, 12, tzinfo=UTC)
    answer = {
        "Body": io.BytesIO(b'{"holder": "a"}'),
        "LastModified": written,
        "ETag": "1",
        "ResponseMetadata": {"HTTPHeaders": {"date": format_datetime(written + timedelta(seconds=5), usegmt=True)}},
    }
    with mock.patch.object(clients, "s3", lambda: mock.Mock(get_object=lambda **_: answer)):
        found = conditional.read("b", lock.KEY)
    assert found and found.age == 5


def test_signs_of_life_go_on_after_one_that_failed() -> None:
    write = Lock._write
    failed: list[object] = []

    def once(self: Lock, holder: str | None, **condition: str) -> None:
        if self._beats and not failed:
            failed.append(self._beats)
            raise EndpointConnectionError(endpoint_url="s3")
        write(self, holder, **condition)

    with mock.patch.object(Lock, "_write", once), held("a") as mine:
        time.sleep(2.2)  # longer than the lease
        assert failed and not mine.lost
        with pytest.raises(HeldError), held("b"):
            pass


def test_a_lock_that_was_written_though_the_answer_said_no_is_known_as_one_s_own() -> None:
    """botocore repeats a request whose answer was lost, and is then told that the object is there."""
    write = Lock._write
    refused: list[object] = []

    def repeated(self: Lock, holder: str | None, **condition: str) -> None:
        write(self, holder, **condition)
        if not refused:
            refused.append(holder)
            raise ClientError({"Error": {"Code": "PreconditionFailed", "Message": ""}}, "PutObject")

    with mock.patch.object(Lock, "_write", repeated), held("a", patience=1.0) as mine:  # shorter than the lease
        assert refused and not mine.lost
