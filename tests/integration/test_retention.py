"""Rows older than a stage keeps them go, a day at a time, and nothing loads them again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest

from chalicelib.erasures import retention
from chalicelib.reconcile import hours, run
from chalicelib.settings import from_parameters, settings
from chalicelib.warehouse import data_api
from local.server import LocalAws
from tests.support import tweet_files as files

LIMIT = datetime(2023, 2, 1, tzinfo=UTC)  # before all hours that other tests use
NOW = datetime(2023, 2, 11, 12, tzinfo=UTC)


@pytest.fixture
def kept(stack: LocalAws) -> Iterator[int]:
    """How many days rows are kept here; before them there is nothing yet."""
    files.execute("DELETE FROM disaster.disaster_tweets WHERE arrived_at < '2023-03-01'")
    days = (datetime.now(UTC) - LIMIT).days
    with (
        mock.patch.object(retention, "settings", lambda: replace(settings(), row_days=10)),
        mock.patch.object(run, "settings", lambda: replace(settings(), row_days=days)),
    ):
        yield days


def loaded(hour: datetime) -> str:
    """A tweet file with its rows: its key."""
    key = files.put(hour)
    files.load(key)
    return key


def test_old_rows_go_with_their_books_and_the_others_stay(kept: int) -> None:
    old = [LIMIT - timedelta(days=n, hours=5) for n in (20, 9, 0)]
    keys = [loaded(hour) for hour in old]
    young = loaded(LIMIT)
    with mock.patch.object(run, "settings", settings):
        files.reconcile(*old)  # its books of these hours
    assert retention.remove_old(NOW, time.monotonic() + 60) == 3
    assert [files.rows_of(key) for key in keys] == [[], [], []]
    assert files.rows_of(young) == [1, 2, 3, 4, 5]
    for table, column in (("tweet_hour", "hour"), ("tweet_file", "hour"), ("repeated_tweet", "arrived_at")):
        assert data_api.query(f"SELECT * FROM disaster.{table} WHERE {column} < '2023-02-01'") == []
    assert retention.remove_old(NOW, time.monotonic() + 60) == 0


def test_the_posts_that_show_a_situation_go_with_its_time_and_its_figures_stay(kept: int) -> None:
    for name, last in (("old", LIMIT - timedelta(minutes=5)), ("young", LIMIT)):
        at = f"'{last:%Y-%m-%d %H:%M:%S}'"
        files.execute(
            "INSERT INTO disaster.situation (situation_id, kind, began_at, peak_at, last_at, posts, distinct_texts,"
            " peak_posts, peak_texts, expected_texts, severity, opened_at, opened_by, seen_at)"
            f" VALUES ('{name}', 'flood', '2023-01-30 00:00:00', {at}, {at}, 9, 9, 9, 9, 1, 'minor', {at}, 'r', {at})"
        )
        files.execute(f"INSERT INTO disaster.situation_post VALUES ('{name}', 1, '{name:0>32}', 2)")
    retention.remove(LIMIT)
    shown = data_api.query(
        "SELECT situation_id AS id FROM disaster.situation_post WHERE situation_id IN ('old', 'young')"
    )
    kept_on = data_api.query("SELECT situation_id AS id FROM disaster.situation WHERE situation_id IN ('old', 'young')")
    assert ([row["id"] for row in shown], len(kept_on)) == (["young"], 2)
    for table in ("situation", "situation_post"):
        files.execute(f"DELETE FROM disaster.{table} WHERE situation_id IN ('old', 'young')")


def test_a_file_s_rows_go_together_though_they_arrived_on_two_days(kept: int) -> None:
    across = loaded(LIMIT - timedelta(hours=1))
    files.execute(
        "UPDATE disaster.disaster_tweets SET arrived_at = '2023-02-01 00:20:00' WHERE s3_key = :key AND s3_line = 5",
        key=across,
    )
    retention.remove_old(NOW, time.monotonic() + 60)
    assert files.rows_of(across) == []


def test_it_ends_in_time_and_goes_on_the_next_day(kept: int) -> None:
    keys = [loaded(LIMIT - timedelta(days=n)) for n in (5, 4)]
    assert retention.remove_old(NOW, time.monotonic() - 1) == 0
    assert all(map(files.rows_of, keys))
    with mock.patch.object(retention, "MOST_DAYS", 1):
        assert retention.remove_old(NOW, time.monotonic() + 60) == 1
    assert [files.rows_of(key) for key in keys] == [[], [1, 2, 3, 4, 5]]


def test_what_went_is_not_loaded_again_though_its_file_is_there(kept: int) -> None:
    old = LIMIT - timedelta(hours=3)
    key = loaded(old)
    retention.remove_old(NOW, time.monotonic() + 60)
    report = files.reconcile(old, repair=True)
    assert files.rows_of(key) == []
    assert (report["tweets"]["repaired"], report["files"]["listed"]) == (0, 0)


def test_hours_are_kept_by_whole_days() -> None:
    now = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)
    first = datetime(2026, 1, 29, tzinfo=UTC)
    found = {first - timedelta(hours=1), first, first + timedelta(days=1)}
    assert hours.kept(found, now, 2) == {first, first + timedelta(days=1)}


def test_the_days_are_settings_of_the_data_plane() -> None:
    plane = {"bucket": "b", "stream": "s", "database": "d", "copy_role_arn": "r"}
    found = from_parameters("dev", {**plane, "row_days": "730", "erasure_days": "760"})
    assert (found.row_days, found.erasure_days) == (730, 760)
