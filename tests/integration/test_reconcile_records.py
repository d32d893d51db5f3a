"""What a run writes down of itself and of the hours it looked at."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import pytest

from chalicelib.reconcile import hours, listing
from chalicelib.reconcile.hours import HOUR
from chalicelib.reconcile.listing import Listing
from chalicelib.warehouse import data_api
from tests.support import tweet_files as files

pytestmark = pytest.mark.usefixtures("stack")
OF_A_RUN = "SELECT * FROM disaster.{} WHERE reconciliation_id = :id"


def test_as_many_hours_are_counted_as_were_asked_for() -> None:
    first, job_id = files.an_hour(), files.an_id()
    last = first
    for _ in range(2):
        last = files.an_hour()
    report = files.reconcile(first, last, job_id=job_id)
    (run,) = data_api.query(OF_A_RUN.format("reconciliation"), {"id": job_id})
    assert (report["looked_at"]["hours"], run["hours"]) == (3, 3)
    assert (report["looked_at"]["from"], report["looked_at"]["to"]) == (
        f"{first:%Y-%m-%dT%H}:00:00Z",
        f"{last:%Y-%m-%dT%H}:00:00Z",
    )


def test_a_run_that_lambda_starts_again_stands_there_once() -> None:
    hour, job_id = files.an_hour(), files.an_id()
    files.put(hour, body=b"broken")
    for _ in range(2):
        files.reconcile(hour, repair=True, job_id=job_id)
    assert len(data_api.query(OF_A_RUN.format("reconciliation"), {"id": job_id})) == 1
    assert len(data_api.query(OF_A_RUN.format("reconciliation_finding"), {"id": job_id})) == 1


def test_the_present_hour_never_settles() -> None:
    files.an_hour()
    hour = hours.floor(datetime.now(UTC))
    files.load(files.put(hour))
    files.reconcile(hour, grace=3600)  # longer than the hour, should it end meanwhile
    asked = "SELECT * FROM disaster.tweet_hour WHERE hour = CAST(:hour AS TIMESTAMP)"
    (row,) = data_api.query(asked, {"hour": f"{hour:%Y-%m-%d %H:%M:%S}"})
    assert (row["state"], row["settled_checks"]) == ("open", 0)
    assert row["next_check_at"] == row["checked_at"]


def test_a_listing_that_is_not_complete_takes_no_rows_for_strays() -> None:
    """Hours that it had no time for look as if they had no files."""
    files.an_hour()
    files.execute("UPDATE disaster.reconciliation SET swept = FALSE WHERE swept")
    with mock.patch.object(listing, "write", lambda *_: Listing(complete=False)):
        report = files.reconcile()
    assert not report["complete"] and not report["looked_at"]["swept"]
    assert files.reconcile(grace=900)["looked_at"]["swept"]  # the next one makes up for it


def test_a_quiet_run_takes_20_statements_and_a_repair_32_more() -> None:
    """Each costs 0.1 to 0.3 s on AWS: what is about findings and repairs is asked only where there are some."""
    hour, counted = files.an_hour(), []
    run = data_api.run

    def counting(statements: Sequence[str], *arguments: Any, **more: Any) -> str:
        counted.append(len(statements))
        return run(statements, *arguments, **more)

    with mock.patch.object(data_api, "run", counting):
        files.put(hour)
        files.reconcile(hour, repair=True)
        damaged = sum(counted)
        counted.clear()
        files.reconcile(hour, repair=True)
    assert (sum(counted), len(counted), damaged) == (20, 3, 52)


def test_hours_after_the_present_one_are_not_written_down() -> None:
    files.an_hour()
    files.reconcile(grace=900)
    (last,) = data_api.query("SELECT MAX(hour) AS hour FROM disaster.tweet_hour")
    assert last["hour"] <= hours.floor(datetime.now(UTC)) + HOUR
