"""A run that is repeated, loses its lock, has no time for all hours or looks at the present one does no harm."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import pytest

from chalicelib.reconcile import listing, run
from chalicelib.reconcile.hours import floor
from chalicelib.reconcile.lock import Lock
from chalicelib.warehouse import data_api
from tests.support import tweet_files as files

pytestmark = pytest.mark.usefixtures("stack")


def test_a_run_that_lambda_repeats_is_one_run_with_one_set_of_findings() -> None:
    hour = files.an_hour()
    key, job_id = files.put(hour), files.an_id()
    for _ in range(2):
        files.reconcile(hour, job_id=job_id)
    for table, where in (("reconciliation", ""), ("reconciliation_finding", f" AND s3_key = '{key}'")):
        counted = f"SELECT COUNT(*) AS n FROM disaster.{table} WHERE reconciliation_id = :id{where}"
        assert data_api.query(counted, {"id": job_id}) == [{"n": 1}]
    files.reconcile(hour, repair=True)


def test_a_run_that_lost_its_lock_repairs_nothing_more() -> None:
    class Taken(Lock):
        def __enter__(self) -> Lock:
            super().__enter__()
            self.lost = True
            return self

    hour = files.an_hour()
    key = files.put(hour)
    with mock.patch.object(run, "Lock", Taken), mock.patch("chalicelib.reconcile.lock.LEASE", -1.0):
        report = files.reconcile(hour, repair=True)
        assert files.rows_of(key) == []
        assert "Another run took over" in report["repairs"]["stopped"]
        assert files.reconcile(hour)["findings"]
    with mock.patch("chalicelib.reconcile.lock.LEASE", -1.0):  # what Taken left is over
        files.reconcile(hour, repair=True)
    assert files.rows_of(key) == [1, 2, 3, 4, 5]


def test_rows_of_hours_that_time_ran_out_for_are_not_taken_for_strays() -> None:
    """Hours that were not listed look as if they had no files."""
    hour = files.an_hour()
    key = files.loaded(hour)
    files.execute(
        "DELETE FROM disaster.tweet_hour WHERE hour = CAST(:hour AS TIMESTAMP)", hour=f"{hour:%Y-%m-%d %H:%M:%S}"
    )
    files.execute("UPDATE disaster.reconciliation SET swept = FALSE WHERE swept")
    write = listing.write

    def hurried(*arguments: Any) -> listing.Listing:
        found = write(*arguments)
        return replace(found, hours=[each for each in found.hours if each != hour], complete=False)

    with mock.patch.object(listing, "write", hurried):
        report = files.reconcile(grace=900)
    assert key not in files.states(report)
    assert not report["complete"]
    assert not report["looked_at"]["swept"]


def test_the_present_hour_is_looked_at_again_in_the_next_run_though_all_of_it_is_there() -> None:
    hour = floor(datetime.now(UTC))
    files.put(hour)
    files.reconcile(hour, repair=True)
    (found,) = data_api.query(
        "SELECT settled_checks, next_check_at <= checked_at AS due FROM disaster.tweet_hour"
        " WHERE hour = CAST(:hour AS TIMESTAMP)",
        {"hour": f"{hour:%Y-%m-%d %H:%M:%S}"},
    )
    assert found == {"settled_checks": 0, "due": True}
