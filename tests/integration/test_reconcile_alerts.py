"""A message when something is lost or can't be repaired, once; never when all is well. Metrics always."""

import json
from typing import Any

import pytest

from chalicelib import clients
from chalicelib.reconcile import alert
from chalicelib.settings import settings
from tests.support import tweet_files as files

pytestmark = pytest.mark.usefixtures("stack")


def test_no_message_when_all_is_well(topic: list[dict[str, Any]]) -> None:
    hour = files.an_hour()
    files.loaded(hour)
    assert not files.reconcile(hour)["alerted"]
    assert topic == []


def test_no_message_when_all_was_repaired(topic: list[dict[str, Any]]) -> None:
    hour = files.an_hour()
    files.put(hour)
    assert files.reconcile(hour, repair=True)["verdict"] == "repaired"
    assert topic == []


def test_a_file_that_can_t_be_read_is_told_once(topic: list[dict[str, Any]]) -> None:
    hour = files.an_hour()
    key = files.put(hour, body=b"broken")
    assert files.reconcile(hour, repair=True)["alerted"]
    (message,) = topic
    assert message["TopicArn"] == settings().alert_topic_arn
    assert message["Subject"] == "disaster-tweets-local: 5 tweets lost, 1 files unreadable"
    assert key in message["Message"] and "not valid gzip" in message["Message"]
    again = files.reconcile(hour, repair=True)
    assert again["verdict"] == "trouble" and not again["alerted"] and len(topic) == 1


def test_an_orphan_is_told_once(topic: list[dict[str, Any]]) -> None:
    hour = files.an_hour()
    key = files.loaded(hour)
    clients.s3().delete_object(Bucket=settings().bucket, Key=key)
    assert [files.reconcile(hour)["alerted"] for _ in range(2)] == [True, False]
    assert key in topic[0]["Message"]


def test_a_subject_fits_sns_whatever_is_lost() -> None:
    counts = dict.fromkeys(("tweets", "unreadable", "orphaned", "refused"), 10**18)
    report = {"outstanding": {**counts, "shown": []}}
    subject, text = alert.message(report, files.an_id(), "a" * 12)
    assert len(subject) <= 100 and "operations.md" in text


def test_metrics_are_emitted_for_the_alarm(capsys: pytest.CaptureFixture[str]) -> None:
    hour = files.an_hour()
    files.put(hour)
    files.put(hour, body=b"broken")
    capsys.readouterr()
    files.reconcile(hour, repair=True)
    emitted = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    (metrics,) = emitted
    assert metrics["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "DisasterTweets"
    assert metrics["service"] == "disaster-tweets-local"
    assert (metrics["Lost"], metrics["Late"], metrics["Repaired"]) == ([5.0], [10.0], [5.0])
