"""A situation from its first posts to its end: found by a run, told once over SNS, shown by the admin API, and over."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from unittest import mock

import pytest
import requests
from botocore.exceptions import EndpointConnectionError

from chalicelib import clients
from chalicelib.columns import NAMES
from chalicelib.reconcile import transaction
from chalicelib.settings import settings
from chalicelib.situations import run
from chalicelib.warehouse import copy, data_api
from local.server import LocalAws
from tests.support import tweet_files as files
from tests.support.warehouses import row

pytestmark = pytest.mark.usefixtures("stack")
_DAYS = count()


@pytest.fixture
def now() -> Iterator[datetime]:
    """A time that no other test uses, with a stream that has a past."""
    data_api.run(["DELETE FROM disaster.situation", "DELETE FROM disaster.situation_post"])
    moment = datetime(2024, 1, 1, 12, 30, tzinfo=UTC) + timedelta(days=20 * next(_DAYS))
    posts(moment, 60, hours=9.0, disaster_label="not_disaster", relevance_label="not_relevant", country_code=None)
    yield moment
    data_api.run(["DELETE FROM disaster.situation", "DELETE FROM disaster.situation_post"])


def posts(now: datetime, number: int, hours: float = 1.0, **more: Any) -> str:
    """Load posts that were written evenly over the hours before `now`; return their file."""
    key = f"tweets/dt={now:%Y-%m-%d}/hh=00/{files.an_id()}-{number}.ndjson.gz"
    rows = []
    for nth in range(number):
        at = now - timedelta(hours=hours) * (number - nth) / (number + 1)
        own = {
            "arrived_at": f"{at:%Y-%m-%d %H:%M:%S}",
            "tweet_key": f"{files.an_id()}{nth:08}".replace("-", "0").ljust(32, "0")[-32:],
            "tweet_id": f"{files.an_id()}-{nth}",
            "text_key": f"{files.an_id()[-6:]}{nth:010}",
            "original_text": f"The river is over its banks at kilometre {nth}",
            "place": "Piura" if nth % 3 else "Tumbes",
            "country_code": "PE",
            "latitude": -5.2,
            "longitude": -80.6,
            "information_type": "caution_and_advice",
        }
        rows.append(row(key, nth + 1, own | more))
    files.put_object(key, files.body_of([json.dumps(each).encode() + b"\n" for each in rows]))
    url = f"s3://{settings().bucket}/{key}"
    data_api.run([copy.statement(url, settings().copy_role_arn, files.TABLE, NAMES, manifest=False)])
    return key


def update(now: datetime) -> None:
    run.update(files.an_id(), now, time.monotonic() + 60)


def table() -> list[dict[str, Any]]:
    return data_api.query("SELECT * FROM disaster.situation ORDER BY opened_at, situation_id")


def test_a_situation_is_found_told_once_and_over(now: datetime, topic: list[dict[str, Any]]) -> None:
    posts(now, 40)
    update(now)
    (found,) = table()
    assert (found["kind"], found["country_code"], found["place"]) == ("flood", "PE", "Piura")
    assert (found["posts"], found["distinct_texts"], found["severity"]) == (40, 40, "minor")
    assert found["places"][0] | {"latitude": 0, "longitude": 0} == {
        "place": "Piura",
        "country_code": "PE",
        "latitude": 0,
        "longitude": 0,
        "posts": 26,
        "distinct_texts": 26,
    }
    assert found["information_types"] == [{"information_type": "caution_and_advice", "posts": 40, "distinct_texts": 40}]
    assert now - timedelta(minutes=65) <= found["began_at"] <= now < found["last_at"] <= now + timedelta(minutes=5)
    assert (found["opened_at"], found["told_at"], found["closed_at"]) == (now, now, None)

    (message,) = topic
    assert message["TopicArn"] == settings().situation_topic_arn
    assert message["Subject"] == "disaster-tweets-local: Flood in Piura (PE)"
    said = json.loads(message["Message"])
    assert "Flood in Piura (PE), since 2024" in said["email"] and "40 posts" in said["email"]
    assert json.loads(said["default"])["situation_id"] == found["situation_id"]
    values = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    known = {"kind": "flood", "country_code": "PE", "place": "Piura", "severity": "minor"}
    assert values == {**known, "distinct_texts": "40", "peak_texts": str(found["peak_texts"])}

    later = now + timedelta(minutes=20)
    posts(later, 5, hours=0.2)
    update(later)
    (grown,) = table()
    assert (grown["situation_id"], grown["posts"], grown["opened_at"]) == (found["situation_id"], 45, now)
    assert (grown["seen_at"], grown["told_at"]) == (later, now)
    after = now + timedelta(hours=9)
    posts(after, 3, disaster_label="not_disaster")
    update(after)
    (ended,) = table()
    assert (ended["closed_at"], ended["told_at"]) == (after, now)
    update(after + timedelta(minutes=5))
    assert len(topic) == 1 and len(table()) == 1


def test_a_run_that_is_repeated_changes_nothing(now: datetime, topic: list[dict[str, Any]]) -> None:
    posts(now, 40)
    update(now)
    before = table(), data_api.query("SELECT * FROM disaster.situation_post ORDER BY nth")
    update(now)
    assert (table(), data_api.query("SELECT * FROM disaster.situation_post ORDER BY nth")) == before
    assert len(topic) == 1


def test_what_could_not_be_published_the_next_run_tells(now: datetime, topic: list[dict[str, Any]]) -> None:
    posts(now, 40)
    failing = mock.Mock()
    failing.publish.side_effect = EndpointConnectionError(endpoint_url="sns")
    with mock.patch.object(clients, "sns", lambda: failing):
        update(now)
    assert table()[0]["told_at"] is None and not topic
    update(now)
    assert table()[0]["told_at"] == now and len(topic) == 1


def test_a_run_that_died_before_it_published_lets_no_other_tell_it_twice(
    now: datetime, topic: list[dict[str, Any]]
) -> None:
    posts(now, 40)
    dying = mock.Mock()
    dying.publish.side_effect = KeyboardInterrupt
    with mock.patch.object(clients, "sns", lambda: dying), pytest.raises(KeyboardInterrupt):
        update(now)
    update(now)
    assert not topic


def test_a_replay_an_hour_later_is_no_situation_of_that_hour(now: datetime, topic: list[dict[str, Any]]) -> None:
    long_ago = f"{now - timedelta(days=30):%Y-%m-%d %H:%M:%S}"
    posts(now, 60, created_at=long_ago)
    update(now)
    assert not table() and not topic


def test_a_failure_is_measured_and_fails_no_run(now: datetime, capsys: pytest.CaptureFixture[str]) -> None:
    with mock.patch.object(transaction, "run", side_effect=data_api.WarehouseError("ERROR: out of memory")):
        update(now)
    assert '"SituationsFailed":[1.0]' in capsys.readouterr().out.replace(" ", "")


def test_the_admin_api_lists_situations_with_the_posts_that_show_them(
    stack: LocalAws, topic: list[dict[str, Any]]
) -> None:
    moment = datetime.now(UTC) - timedelta(days=2)
    try:
        posts(moment, 60, hours=9.0, disaster_label="not_disaster", relevance_label="not_relevant")
        key = posts(moment, 40)
        update(moment)
        answer = requests.get(f"{stack.admin_url}/situations", timeout=30)
        assert answer.status_code == 200, answer.text
        (found,) = (each for each in answer.json()["situations"] if each["country_code"] == "PE")
        assert (found["kind"], found["name"], found["status"]) == ("flood", "Flood", "open")
        assert len(found["examples"]) == 10
        first = found["examples"][0]
        assert first["s3_key"] == key and first["text"].startswith("The river is over")
        data_api.run(
            [f"UPDATE {files.TABLE} SET erased_at = GETDATE() WHERE tweet_key = :key"], {"key": first["tweet_key"]}
        )
        answer = requests.get(f"{stack.admin_url}/situations", timeout=30)
        (found,) = (each for each in answer.json()["situations"] if each["country_code"] == "PE")
        assert first["tweet_key"] not in {each["tweet_key"] for each in found["examples"]}
    finally:
        data_api.run(["DELETE FROM disaster.situation", "DELETE FROM disaster.situation_post"])
        data_api.run(
            [f"DELETE FROM {files.TABLE} WHERE arrived_at >= :since"],
            {"since": f"{moment - timedelta(hours=10):%Y-%m-%d %H:%M:%S}"},
        )
    assert len(topic) == 1
