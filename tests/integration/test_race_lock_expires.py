"""A reconciliation's lock expires while it stands still, before any of its writes, and another run does all the work.

The first one then goes on without knowing. Every line is there once in the end, everything is written down once, and
the next run finds nothing to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from unittest import mock

import pytest

from chalicelib.conditional import HeldError
from chalicelib.reconcile import lock
from chalicelib.settings import settings
from chalicelib.warehouse import data_api
from tests.support import tweet_files as files
from tests.support.stepped import Matches, before_a_call, nth_transaction

pytestmark = pytest.mark.usefixtures("stack")

WHOLE = [1, 2, 3, 4, 5]
TRANSACTIONS = ["known", "comparison", "repair", "settled", "closed"]  # of a run, in order


@contextmanager
def standing_still(matches: Matches, meanwhile: Callable[[], object]) -> Iterator[None]:
    """Before the first call that matches, all of `meanwhile` happens; whoever makes the call gives no sign of life."""

    def expired() -> None:
        with mock.patch.object(lock, "LEASE", -1.0):
            meanwhile()

    with before_a_call(matches, expired), mock.patch.object(lock.Lock, "_live", lambda _: None):
        yield


def written_down(hour: datetime, key: str) -> tuple[int, int]:
    """How often the reconciler's books hold a file, and its hour."""
    counts = "SELECT COUNT(*) AS n FROM disaster.{} WHERE {} = :key"
    (file,) = data_api.query(counts.format("tweet_file", "s3_key"), {"key": key})
    (hours,) = data_api.query(counts.format("tweet_hour", "hour_key"), {"key": key[:27]})
    return file["n"], hours["n"]


@pytest.mark.parametrize(
    ("before", "same_job"),
    [*((write, False) for write in TRANSACTIONS), ("repair", True), ("settled", True)],
)
def test_another_run_before_each_write(before: str, same_job: bool) -> None:
    """`same_job`: Lambda invoked one job twice."""
    hour = files.an_hour()
    whole, partial, doubled, missing = (files.put(hour) for _ in range(4))
    files.load(whole, partial, doubled)
    files.delete(partial, 2)
    files.double(doubled, 3)
    mine = files.an_id()
    other = mine if same_job else files.an_id()

    with standing_still(
        nth_transaction(TRANSACTIONS.index(before) + 1), lambda: files.reconcile(hour, repair=True, job_id=other)
    ):
        report = files.reconcile(hour, repair=True, job_id=mine)

    assert report["verdict"] in {"well", "repaired"}
    for key in (whole, missing, partial, doubled):
        assert files.rows_of(key) == WHOLE
        assert written_down(hour, key) == (1, 1)
    assert files.reconcile(hour)["verdict"] == "well"


def test_a_job_invoked_twice_repairs_from_its_own_lists() -> None:
    """The other invocation finds other damage, and writes its lists of files while this one is between its own."""
    hour = files.an_hour()
    late, lost, job_id = files.put(hour), files.put(hour), files.an_id()
    files.load(lost)

    def meanwhile() -> None:
        files.load(late)  # Firehose's COPY
        files.delete(lost)
        files.reconcile(hour, repair=True, job_id=job_id)

    def matches(name: str, given: dict[str, Any]) -> bool:
        return name == "PutObject" and given["Key"].endswith("repair-00001.manifest")

    with standing_still(matches, meanwhile):
        files.reconcile(hour, repair=True, job_id=job_id)
    assert files.rows_of(late) == WHOLE
    assert files.rows_of(lost) == WHOLE


def test_a_run_that_notices_repairs_nothing_and_leaves_the_other_one_its_lock() -> None:
    hour = files.an_hour()
    key = files.put(hour)
    locks: list[lock.Lock] = []
    enter = lock.Lock.__enter__

    def entering(self: lock.Lock) -> lock.Lock:
        locks.append(self)
        return enter(self)

    def taken_over() -> None:
        lock.Lock(settings().bucket, "another job", 0.0).__enter__()
        locks[0].lost = not locks[0]._still_mine()  # as its next sign of life finds out

    with (
        mock.patch.object(lock.Lock, "__enter__", entering),
        standing_still(nth_transaction(TRANSACTIONS.index("comparison") + 1), taken_over),
    ):
        report = files.reconcile(hour, repair=True)
    assert report["repairs"]["stopped"] == "Another run took over"
    assert not report["complete"]
    assert files.rows_of(key) == []
    with pytest.raises(HeldError), lock.Lock(settings().bucket, "a third job", 0.0):
        pass

    locks[1].__exit__(None, None, None)
    assert files.reconcile(hour, repair=True)["verdict"] == "repaired"
    assert files.rows_of(key) == WHOLE
