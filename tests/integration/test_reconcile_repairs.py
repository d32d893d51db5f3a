"""What a repair loads, in which order, until when; and what it makes of what it has loaded."""

import dataclasses
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import orjson
import pytest

from chalicelib import clients, layout
from chalicelib.reconcile import listing, repair, repair_batches, transaction
from chalicelib.reconcile.job import Deadlines, Job, Run
from chalicelib.reconcile.lock import Lock
from chalicelib.reconcile.repair_batches import TweetFile
from chalicelib.settings import settings
from chalicelib.warehouse import data_api
from tests.support import ROOT
from tests.support import tweet_files as files
from tests.support.walk import Walk, followed

pytestmark = pytest.mark.usefixtures("stack")
WRITTEN = datetime(2026, 1, 2, 3, 10, tzinfo=UTC)
JOB = Job("20260102T080000Z-abcdef", datetime(2026, 1, 2, 8, tzinfo=UTC), timedelta(0), True, False, sweep=False)


def test_page_after_page_is_repaired_the_newest_hours_first() -> None:
    first, second = files.an_hour(), files.an_hour()
    keys = sorted(files.put(hour, 1) for hour in (first, first, second, second, second))
    order: list[str] = []
    load = repair._Work._load

    def noted(self: Any, batch: list[TweetFile]) -> Any:
        order.extend(file.key for file in batch)
        return load(self, batch)

    small = repair.SQL["to_repair"].replace(f"LIMIT {repair.PAGE}", "LIMIT 2")
    assert small != repair.SQL["to_repair"]
    smaller = mock.patch.multiple(repair, SQL={**repair.SQL, "to_repair": small}, PAGE=2)
    late = mock.patch.object(repair, "settings", return_value=dataclasses.replace(settings(), load_seconds=-60))
    with smaller, late, mock.patch.object(repair._Work, "_load", noted):
        report = files.reconcile(first, second, repair=True)
    assert order == [
        key for hour in (second, first) for key in keys if key.startswith(layout.TWEETS + layout.hour_folder(hour))
    ]
    assert report["repairs"]["files"] == 5 and report["complete"]


def test_a_run_whose_lock_was_taken_over_repairs_nothing_more() -> None:
    hour = files.an_hour()
    key = files.put(hour)
    enter = Lock.__enter__

    def lost(self: Lock) -> Lock:
        entered = enter(self)
        entered.lost = True
        return entered

    with mock.patch.object(Lock, "__enter__", lost):
        report = files.reconcile(hour, repair=True)
    clients.s3().delete_object(Bucket=settings().bucket, Key="reports/reconciliations/lock.json")
    assert report["repairs"]["stopped"] == "Another run took over" and not report["complete"]
    assert files.rows_of(key) == []


def test_a_repair_waits_for_the_warehouse_no_longer_than_its_deadline() -> None:
    patience: list[float] = []

    def asked(*_: Any, **given: Any) -> list[list[Any]]:
        patience.append(given["patience"])
        return [[]]

    deadlines, known = Deadlines(time.monotonic() + 30, 0.0), settings()
    run = Run(JOB, known.bucket, "reports/work/test/", known.copy_role_arn, deadlines)
    work = repair._Work(run, lambda gives_way: "")
    with mock.patch.object(transaction, "run", asked):
        work.mend([TweetFile("tweets/dt=2026-01-02/hh=03/a-1.ndjson.gz", 1, 1, WRITTEN)], 1)
    assert 0 < patience[0] <= 30


def test_as_many_rows_as_promised_are_not_whole_where_a_line_is_there_twice() -> None:
    hour = files.an_hour()
    key = files.put(hour)
    lines = files.lines(key, 5, hour)
    files.put_object(key, files.body_of([lines[0], lines[0], *lines[2:]]))  # first and last line are right, too
    report = files.reconcile(hour, repair=True)
    assert files.rows_of(key) == [1, 1, 3, 4, 5]
    assert files.states(report) == {key: "unreadable"} and report["tweets"]["lost"] == 1


def test_a_file_that_a_repair_has_loaded_says_when() -> None:
    hour = files.an_hour()
    key = files.put(hour)
    files.reconcile(hour, repair=True)
    (file,) = data_api.query("SELECT loaded_at FROM disaster.tweet_file WHERE s3_key = :key", {"key": key})
    assert abs(datetime.now(UTC) - file["loaded_at"]) < timedelta(minutes=10)


def test_a_file_that_has_gone_fails_a_load_and_is_not_passed_over() -> None:
    hour = files.an_hour()
    there, gone = files.put(hour), files.put(hour)
    clients.s3().delete_object(Bucket=settings().bucket, Key=gone)
    key = listing.manifest(settings().bucket, "reports/work/tests/mandatory.manifest", [there, gone])
    body = clients.s3().get_object(Bucket=settings().bucket, Key=key)["Body"].read()
    assert [entry["mandatory"] for entry in orjson.loads(body)["entries"]] == [True, True]
    with pytest.raises(data_api.WarehouseError):
        files.load(there, gone)
    assert files.rows_of(there) == []


def test_a_key_too_long_for_its_column_is_no_tweet_file_and_is_named() -> None:
    hour = files.an_hour()
    folder = f"tweets/{layout.hour_folder(hour)}"
    fits, longer = (f"{folder}{'a' * (size - len(folder) - 12)}-5.ndjson.gz" for size in (256, 257))
    assert [bool(listing.tweet_file(key)) for key in (fits, longer)] == [True, False]
    files.put_object(longer, b"")
    report = files.reconcile(hour)
    assert report["foreign_objects"] == [longer] and report["files"]["listed"] == 0


def test_batches_are_loaded_by_as_few_transactions_as_the_limits_allow() -> None:
    many = [TweetFile(f"tweets/{n}", 1, 1, WRITTEN) for n in range(repair_batches.MOST_FILES + 1)]
    assert [len(batch) for batch in repair_batches.batches(many)] == [repair_batches.MOST_FILES, 1]


MOST = {"entered": 6, "returns": 3, "renames": 13}
"""What docs/architecture.md says of a damaged file's walk. Whoever makes it shorter writes that there and here."""


def test_a_damaged_file_s_walk_to_its_repair_is_no_longer_than_the_page_says(monkeypatch: pytest.MonkeyPatch) -> None:
    hour = files.an_hour()
    key = files.loaded(hour)
    files.delete(key, 2)
    loaded: list[str] = []
    run = data_api.run

    def until_loaded(asked: Sequence[str], *given: Any, **named: Any) -> str:
        done = run(asked, *given, **named)
        loaded.extend(sql for sql in asked if sql.startswith("COPY disaster.disaster_tweets"))
        return done

    monkeypatch.setattr(data_api, "run", until_loaded)
    with followed(key, "chalicelib/reconcile", lambda: bool(loaded)) as stops:
        files.reconcile(hour, repair=True)
    assert files.rows_of(key) == [1, 2, 3, 4, 5]
    walk = Walk(stops)
    assert {"listing.py", "repair.py"} <= set(walk.modules)
    assert {name: getattr(walk, name) for name in MOST if getattr(walk, name) > MOST[name]} == {}, stops
    page = (ROOT / "docs" / "architecture.md").read_text()
    assert f"| now | {len(set(walk.modules))} | {walk.entered} | {walk.returns} | {walk.renames} |" in page
