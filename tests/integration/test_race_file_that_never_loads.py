"""A file whose COPY fails in every run, though nothing is wrong with it: its neighbours get in, and people are told.

Firehose's COPY of the same rows fails as long. Once the cause is put right, both come to their end, in either order.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from unittest import mock

import pytest

from chalicelib import clients
from chalicelib.settings import settings
from chalicelib.warehouse import data_api
from tests.support import tweet_files as files
from tests.support.stepped import before_a_call, nth_transaction

pytestmark = pytest.mark.usefixtures("stack")

WHOLE = [1, 2, 3, 4, 5]
MANIFEST = re.compile(r"COPY disaster\.disaster_tweets.*?'s3://[^/]+/([^']+\.manifest)'", re.DOTALL)


@contextmanager
def refused(key: str) -> Iterator[None]:
    """The warehouse refuses each transaction with a COPY of this file."""
    run = data_api.run

    def refusing(statements: Any, *arguments: Any, **more: Any) -> str:
        for sql in statements:
            if (named := MANIFEST.match(sql)) and key in body(named[1]).decode():
                raise data_api.WarehouseError("ERROR: Disk Full")
        return run(statements, *arguments, **more)

    with mock.patch.object(data_api, "run", refusing):
        yield


def body(key: str) -> bytes:
    return clients.s3().get_object(Bucket=settings().bucket, Key=key)["Body"].read()


def five(hour: datetime) -> list[str]:
    """Five files that are not loaded, in the order of their keys."""
    return sorted(files.put(hour) for _ in range(5))


@pytest.mark.parametrize("place", [0, 2, 4], ids=["the oldest", "in the middle", "the newest"])
def test_its_neighbours_get_in_wherever_it_lies(place: int) -> None:
    hour = files.an_hour()
    keys = five(hour)
    with refused(keys[place]):
        report = files.reconcile(hour, repair=True)
    assert [files.rows_of(key) for key in keys] == [[] if key == keys[place] else WHOLE for key in keys]
    assert files.actions(report) == {key: "failed" if key == keys[place] else "repaired" for key in keys}
    assert (report["verdict"], report["tweets"]["lost"], report["tweets"]["repaired"]) == ("trouble", 5, 20)
    (finding,) = (each for each in report["findings"] if each["s3_key"] == keys[place])
    assert "Disk Full" in finding["detail"]


def test_every_next_run_tries_again_tells_again_and_leaves_the_others_alone() -> None:
    files.forget_all()  # a run on all hours would try what other tests have left, and load a good file to compare
    hour = files.an_hour()
    keys = five(hour)
    with refused(keys[2]):
        files.reconcile(hour, repair=True)
        for _ in range(2):
            report = files.reconcile(repair=True)  # nobody names the hour: it stays due
            assert files.actions(report)[keys[2]] == "failed"
            assert report["verdict"] == "trouble"
    repairs = data_api.query(
        "SELECT SUM(repairs) AS n FROM disaster.tweet_file WHERE SUBSTRING(s3_key, 1, 27) = :hour AND s3_key <> :key",
        {"hour": keys[2][:27], "key": keys[2]},
    )
    assert repairs == [{"n": 4}]
    assert files.actions(files.reconcile(repair=True))[keys[2]] == "repaired"
    assert [files.rows_of(key) for key in keys] == [WHOLE] * 5


@pytest.mark.parametrize("before", [1, 2, 3, 4, 5], ids=["known", "comparison", "repair", "settled", "closed"])
def test_firehose_s_copy_succeeds_at_last_before_each_transaction_of_the_run(before: int) -> None:
    """What it delivered holds the rows of all five files; four are loaded from their tweet files by then."""
    hour = files.an_hour()
    keys = five(hour)
    delivered = f"delivery/never-loads-{hour:%d%H}.gz"
    files.put_object(delivered, gzip.compress(b"".join(gzip.decompress(body(key)) for key in keys)))
    with refused(keys[2]):
        files.reconcile(hour, repair=True)
    with before_a_call(nth_transaction(before), lambda: files.load(delivered)):
        files.reconcile(hour, repair=True)
    files.reconcile(hour, repair=True)
    assert [files.rows_of(key) for key in keys] == [WHOLE] * 5
