"""How the reconciler once fooled itself, each told as a story: what happened, what report, alarm and message said, how
it ended.

Runs without hours are the schedule's; runs on an hour are somebody's, by hand. Two transactions at once are in
test_reconcile_snapshots.py, how people resolve findings in test_findings.py.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
import requests
from botocore.exceptions import ClientError

from chalicelib import clients
from chalicelib.reconcile import hours, repair
from chalicelib.reconcile.hours import HOUR
from chalicelib.warehouse import data_api
from local.server import LocalAws
from tests.support import tweet_files as files

pytestmark = pytest.mark.usefixtures("stack")


def alarms(capsys: pytest.CaptureFixture[str], metric: str) -> list[bool]:
    """Whether the alarm on a metric goes off, run by run since this was last asked."""
    emitted = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    return [each[metric][0] > 0 for each in emitted if metric in each]


def known(hour: datetime) -> dict[str, Any]:
    """What the warehouse keeps of an hour."""
    asked = "SELECT * FROM disaster.tweet_hour WHERE hour = CAST(:hour AS TIMESTAMP)"
    (row,) = data_api.query(asked, {"hour": f"{hour:%Y-%m-%d %H:%M:%S}"})
    return row


def passes(hour: datetime, **time: float) -> None:
    """So much time passes for an hour: what was done about it lies further back."""
    seconds = int(timedelta(**time).total_seconds())
    columns = ("checked_at", "next_check_at")
    files.execute(
        f"UPDATE disaster.tweet_hour SET {', '.join(f'{c} = DATEADD(SECOND, -{seconds}, {c})' for c in columns)} "
        "WHERE hour = CAST(:hour AS TIMESTAMP)",
        hour=f"{hour:%Y-%m-%d %H:%M:%S}",
    )


def test_eight_looks_by_hand_do_not_put_the_next_check_off() -> None:
    hour = files.an_hour()
    key = files.loaded(hour)
    for _ in range(8):
        assert files.reconcile(hour)["verdict"] == "well"
    row = known(hour)
    assert row["settled_checks"] == 1  # it was due once
    assert row["next_check_at"] - row["checked_at"] <= HOUR
    files.load(key)  # Firehose's own COPY comes late: each row is there twice
    passes(hour, minutes=61)
    report = files.reconcile(repair=True)
    assert (files.states(report)[key], files.actions(report)[key]) == ("excess", "repaired")
    assert files.rows_of(key) == [1, 2, 3, 4, 5]


def test_a_file_that_is_written_late_into_a_settled_hour_is_loaded_by_the_next_run() -> None:
    hour = hours.floor(datetime.now(UTC)) - 20 * HOUR  # Firehose tries for a day
    files.loaded(hour)
    files.reconcile(repair=True)
    passes(hour, minutes=10)
    row = known(hour)
    assert row["state"] == "settled" and row["next_check_at"] > datetime.now(UTC)
    late = files.put(hour)
    report = files.reconcile(repair=True)
    assert files.actions(report)[late] == "repaired" and files.rows_of(late) == [1, 2, 3, 4, 5]
    files.reconcile(repair=True)
    assert known(hour)["state"] == "settled"


def test_nobody_reconciles_the_future(stack: LocalAws) -> None:
    answer = requests.post(f"{stack.admin_url}/reconciliations", json={"from": "2090-07-15"}, timeout=30)
    assert answer.status_code == 400
    assert "from must not be in the future" in answer.json()["Message"]
    future = datetime(2090, 7, 15, tzinfo=UTC)
    files.put(future)  # a clock that went wrong
    assert files.reconcile(future)["looked_at"]["hours"] == 0  # nor when asked for behind the API's back
    files.reconcile(repair=True)
    (last,) = data_api.query("SELECT MAX(hour) AS hour FROM disaster.tweet_hour")
    assert last["hour"] <= datetime.now(UTC)


def test_a_loss_stays_a_loss_until_the_file_is_mended(
    topic: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere, hour = files.an_hour(), files.an_hour()
    key = files.put(hour, body=b"broken")
    capsys.readouterr()
    reports = [files.reconcile(hour, repair=True)]
    passes(hour, days=3)  # the schedule comes by every 15 minutes, and looks at other hours
    reports += [files.reconcile(elsewhere, repair=True) for _ in range(3)]
    assert [(each["verdict"], each["tweets"]["lost"]) for each in reports] == [("trouble", 5)] * 4
    assert alarms(capsys, "Lost") == [True] * 4
    assert [finding["s3_key"] for finding in reports[-1]["outstanding"]["shown"]] == [key]
    assert len(topic) == 1 and key in topic[0]["Message"]

    files.put_object(key, files.body_of(files.lines(key, 5, hour)))
    report = files.reconcile(hour, repair=True)
    assert (report["verdict"], report["tweets"]["lost"], report["tweets"]["repaired"]) == ("repaired", 0, 5)
    assert files.reconcile(elsewhere)["verdict"] == "well"
    assert alarms(capsys, "Lost") == [False, False]


def test_an_hour_with_a_finding_is_looked_at_again_within_an_hour() -> None:
    hour = files.an_hour()
    key = files.put(hour, body=b"broken")
    files.reconcile(hour, repair=True)
    files.reconcile(repair=True)  # what can't be repaired is not tried again and again
    assert known(hour)["next_check_at"] - known(hour)["checked_at"] == HOUR
    files.execute(
        "UPDATE disaster.tweet_file SET written_at = DATEADD(HOUR, -1, written_at) WHERE s3_key = :key", key=key
    )
    files.put_object(key, files.body_of(files.lines(key, 5, hour)))  # S3 tells times to the second
    passes(hour, minutes=61)
    files.reconcile(repair=True)
    assert files.rows_of(key) == [1, 2, 3, 4, 5]


def test_trouble_that_was_first_looked_at_without_repair_is_told(topic: list[dict[str, Any]]) -> None:
    hour = files.an_hour()
    key = files.put(hour, body=b"broken")
    assert files.reconcile(hour)["verdict"] == "differs" and topic == []
    report = files.reconcile(hour, repair=True)
    assert (report["verdict"], report["tweets"]["lost"], report["alerted"]) == ("trouble", 5, True)
    assert len(topic) == 1 and key in topic[0]["Message"]


def refusing(*keys: str) -> Any:
    """The warehouse refuses to load these files, whatever they hold; all files where none is named."""
    load = repair._Work._load

    def refused(self: Any, batch: list[Any]) -> Any:
        if not keys or any(file.key in keys for file in batch):
            raise data_api.WarehouseError("ERROR: Load into table 'disaster_tweets' failed")
        return load(self, batch)

    return mock.patch.object(repair._Work, "_load", refused)


def test_trouble_with_a_file_that_was_once_repaired_is_told(topic: list[dict[str, Any]]) -> None:
    hour = files.an_hour()
    key = files.loaded(hour)  # by a repair: the state it was found in then is the one that it is found in now
    files.delete(key)
    with refusing(key):
        report = files.reconcile(hour, repair=True)
    assert (report["verdict"], report["tweets"]["lost"], report["alerted"]) == ("trouble", 5, True)
    assert key in topic[0]["Message"] and "1 files refused" in topic[0]["Subject"]
    assert files.reconcile(hour, repair=True)["verdict"] == "repaired"


def test_a_topic_that_fails_once_is_told_by_the_next_run(capsys: pytest.CaptureFixture[str]) -> None:
    hour = files.an_hour()
    files.put(hour, body=b"broken")
    client = mock.Mock()
    throttled = ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, "Publish")
    client.publish.side_effect = [throttled, {}, AssertionError("told twice")]
    capsys.readouterr()
    with mock.patch.object(clients, "sns", lambda: client):
        reports = [files.reconcile(hour, repair=True) for _ in range(3)]
    assert [report["alerted"] for report in reports] == [False, True, False]
    assert [report["outstanding"]["untold"] for report in reports] == [1, 1, 0]
    assert alarms(capsys, "Lost") == [True] * 3  # the run that could not tell emitted its metrics


def test_files_that_the_warehouse_refuses_keep_no_other_file_out(
    topic: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    older, hour = files.an_hour(), files.an_hour()
    files.loaded(older)  # there is a file that the warehouse is known to take
    good = [files.put(older) for _ in range(2)]
    bad = [files.put(hour) for _ in range(3)]
    for key in bad:  # nothing is wrong with them but a number that Redshift can't read
        lines = [
            line.replace(b'"processing_time":', b'"processing_time":"soon","":') for line in files.lines(key, 5, hour)
        ]
        files.put_object(key, files.body_of(lines))
    capsys.readouterr()
    report = files.reconcile(older, hour, repair=True)
    assert all(files.rows_of(key) == [1, 2, 3, 4, 5] for key in good)
    assert {**files.actions(report)} == {**dict.fromkeys(bad, "failed"), **dict.fromkeys(good, "repaired")}
    assert (report["complete"], report["repairs"]["stopped"], report["outstanding"]["refused"]) == (True, None, 3)
    assert (report["verdict"], report["tweets"]["lost"]) == ("trouble", 15)
    assert alarms(capsys, "Lost") == [True] and "3 files refused" in topic[0]["Subject"]

    late, order = files.put(older), []
    load = repair._Work._load
    with mock.patch.object(repair._Work, "_load", lambda self, batch: (order.append(batch), load(self, batch))[1]):
        files.reconcile(older, hour, repair=True)
    assert [file.key for file in order[0]] == [late]  # an older one, and yet before those that failed the last time
    assert files.rows_of(late) == [1, 2, 3, 4, 5]


def test_a_warehouse_that_refuses_every_file_makes_runs_incomplete(capsys: pytest.CaptureFixture[str]) -> None:
    hour = files.an_hour()
    files.loaded(hour)
    waiting = [files.put(hour) for _ in range(5)]
    capsys.readouterr()
    with refusing():
        report = files.reconcile(hour, repair=True)
    assert not report["complete"] and "refuses good files" in report["repairs"]["stopped"]
    assert alarms(capsys, "Incomplete") == [True]  # an alarm when it is so for an hour
    assert files.reconcile(hour, repair=True)["complete"]
    assert all(files.rows_of(key) == [1, 2, 3, 4, 5] for key in waiting)
    assert alarms(capsys, "Incomplete") == [False]
