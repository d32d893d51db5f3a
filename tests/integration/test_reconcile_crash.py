"""Killed with SIGKILL anywhere in a repair, run again: the right end. The same when time runs out."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from chalicelib import layout
from chalicelib.reconcile import listing, lock, repair, repair_batches
from chalicelib.reconcile.hours import HOUR, Range
from chalicelib.reconcile.listing import Object
from chalicelib.settings import settings
from chalicelib.warehouse import data_api
from infra.stages import ROOT
from tests.support import tweet_files as files

pytestmark = pytest.mark.usefixtures("stack")

KILLED = """
import os, signal, sys
from botocore.client import BaseClient
from tests.support import tweet_files
from datetime import datetime
from types import SimpleNamespace

operation, number, when, hour = sys.argv[1], int(sys.argv[2]), sys.argv[3], datetime.fromisoformat(sys.argv[4])
calls, call = 0, BaseClient._make_api_call

def counted(self, name, given):
    global calls
    calls += name == operation
    now = name == operation and calls == number
    if now and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    answer = call(self, name, given)
    if now:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer

BaseClient._make_api_call = counted
tweet_files.reconcile(hour, repair=True)
"""
COMPARISON, REPAIR, SETTLED, CLOSED = 2, 4, 6, 7  # transactions of a run; 3 and 5 ask what is to be repaired


def killed(operation: str, number: int, when: str, hour: datetime) -> None:
    """A reconciliation in a process of its own that dies at the n-th call of an operation."""
    arguments = [sys.executable, "-c", KILLED, operation, str(number), when, hour.isoformat()]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    ended = subprocess.run(arguments, env=environment, cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


@pytest.mark.parametrize(
    ("number", "when"),
    [(COMPARISON, "after"), (REPAIR, "before"), (REPAIR, "after"), (SETTLED, "before"), (CLOSED, "before")],
)
def test_killed_in_a_repair_and_run_again_it_ends_right(number: int, when: str) -> None:
    hour = files.an_hour()
    missing, whole, doubled = files.put(hour), files.loaded(hour), files.loaded(hour)
    files.delete(missing)
    files.double(doubled, 1)
    killed("BatchExecuteStatement", number, when, hour)
    with mock.patch.object(lock, "LEASE", 0.5):
        files.reconcile(hour, repair=True)
    assert all(files.rows_of(key) == [1, 2, 3, 4, 5] for key in (missing, whole, doubled))
    assert files.reconcile(hour)["verdict"] == "well"


def test_time_runs_out_and_the_next_run_goes_on() -> None:
    hour = files.an_hour()
    keys = [files.put(hour) for _ in range(8)]
    transaction, passed = repair._Work._transaction, [0.0]

    def slow(self: Any, *arguments: Any) -> Any:
        passed[0] += 25
        return transaction(self, *arguments)

    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + passed[0])
    with (
        mock.patch.object(repair, "time", clock),
        mock.patch.object(repair._Work, "_transaction", slow),
        mock.patch.object(repair_batches, "batches", lambda files: [[file] for file in files]),
    ):
        report = files.reconcile(hour, repair=True, seconds=120)
    assert not report["complete"] and "next run" in report["repairs"]["stopped"]
    assert report["verdict"] == "differs"
    done = report["repairs"]["files"]
    assert 0 < done < 8 and report["repairs"]["left_files"] == 8 - done
    assert sum(files.rows_of(key) == [1, 2, 3, 4, 5] for key in keys) == done
    assert files.reconcile(repair=True)["complete"]  # the hour is due, nobody has to name it
    assert all(files.rows_of(key) == [1, 2, 3, 4, 5] for key in keys)


def test_an_hour_that_could_not_be_listed_whole_is_left_to_the_next_run() -> None:
    start = files.an_hour()
    span = Range(start, start + HOUR * 3)
    names = [f"tweets/{start + HOUR * (n // 1000):dt=%Y-%m-%d/hh=%H}/{n:032}-5.ndjson.gz" for n in range(3000)]
    objects = [Object(name, 100, start) for name in names]
    ticks = iter([0.0, 0.0, 10.0])
    with (
        mock.patch.object(listing, "objects", lambda *_: iter(objects)),
        mock.patch.object(listing, "time", SimpleNamespace(monotonic=lambda: next(ticks))),
    ):
        listed = listing.write(settings().bucket, "reports/work/test/", [span], 5.0)
    assert listed.hours == [start, start + HOUR] and not listed.complete


def test_lost_statements_are_repeated_wherever_they_are_lost() -> None:
    """Each transaction of a run is done, and then lost, so that it is done twice."""
    hour = files.an_hour()
    key, whole, broken = files.put(hour), files.loaded(hour), files.put(hour, body=b"broken")
    files.put_object(f"{layout.FAILED}{hour:%Y/%m/%d/%H}/failed", b"not what Firehose writes")
    files.delete(key)
    run, seen = data_api.run, []

    def losing(statements: Sequence[str], *arguments: Any, **more: Any) -> str:
        done = run(statements, *arguments, **more)
        if statements not in seen:
            seen.append(statements)
            raise data_api.StatementLostError("The Data API knows no such statement, or no longer", done)
        return done

    with mock.patch.object(data_api, "run", losing):
        report = files.reconcile(hour, repair=True)
    assert len(seen) > 5
    assert (report["tweets"]["lost"], report["tweets"]["repaired"], len(report["findings"])) == (5, 5, 3)
    (row,) = data_api.query("SELECT * FROM disaster.tweet_hour WHERE hour_key = :key", {"key": key[:27]})
    assert (row["tweets"], row["loaded"], row["troubled_files"], row["state"]) == (15, 10, 1, "troubled")
    assert [files.rows_of(each) for each in (key, whole, broken)] == [[1, 2, 3, 4, 5], [1, 2, 3, 4, 5], []]


def test_a_warehouse_that_refuses_good_files_is_not_asked_a_thousand_times() -> None:
    hour = files.an_hour()
    for _ in range(40):
        files.put(hour)
    run, asked = data_api.run, []

    def refusing(statements: Any, *arguments: Any, **more: Any) -> str:
        if repair.SQL["delete"] in statements:
            asked.append(1)
            raise data_api.WarehouseError("permission denied for relation disaster_tweets")
        return run(statements, *arguments, **more)

    with mock.patch.object(data_api, "run", refusing):
        report = files.reconcile(hour, repair=True)
    assert len(asked) < 20
    assert "permission denied" in report["repairs"]["stopped"] and not report["complete"]
    assert report["verdict"] == "trouble" and report["files"]["unreadable"] == 0
    assert files.reconcile(hour, repair=True)["verdict"] == "repaired"


def test_a_copy_that_was_applied_twice_is_undone() -> None:
    hour = files.an_hour()
    key = files.put(hour)
    statements = repair.statements
    twice: list[str] = []

    def doubling(*arguments: Any) -> list[str]:
        asked = statements(*arguments)
        copies = [n for n, sql in enumerate(asked) if sql.startswith("COPY disaster.disaster_tweets")]
        if not twice:
            twice.append(asked[copies[0]])
            asked.insert(copies[0], asked[copies[0]])
        return asked

    with mock.patch.object(repair, "statements", doubling):
        report = files.reconcile(hour, repair=True)
    assert files.actions(report) == {key: "repaired"} and report["repairs"]["transactions"] == 2
    assert files.rows_of(key) == [1, 2, 3, 4, 5]


def test_a_file_that_is_written_after_the_listing_is_no_orphan() -> None:
    hour = files.an_hour()
    files.loaded(hour)
    write, late = listing.write, []

    def writing(*arguments: Any) -> Any:
        listed = write(*arguments)
        late.append(files.put(hour))
        files.load(late[0])
        return listed

    with mock.patch.object(listing, "write", writing):
        report = files.reconcile(hour)
    assert report["findings"] == []
    assert files.rows_of(late[0]) == [1, 2, 3, 4, 5]
    assert files.reconcile(hour)["verdict"] == "well"
