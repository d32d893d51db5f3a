"""The warehouse is gone: setting it up anew and one reconciliation bring back every row that a tweet file has."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime

import boto3
import pytest

from chalicelib.warehouse import data_api
from infra import smoke
from infra.stages import Stage
from local.server import LocalAws
from tests.support.admin_api import finished

COUNTED = (
    "SELECT COUNT(*) AS rows, COUNT(DISTINCT tweet_id) AS tweets FROM disaster.disaster_tweets WHERE tweet_id LIKE "
)


@pytest.fixture
def sent(stack: LocalAws) -> Iterator[str]:
    """Tweets that are rows: their run."""
    smoke.send(Stage("local", {}), stack.stream, "g0ne")
    stack.flush()
    yield "'smoke-g0ne-%'"


def lines(stack: LocalAws, since: datetime) -> int:
    """Return how many lines the tweet files of the hours since then have."""
    s3 = boto3.client("s3")
    found = 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=stack.stream, Prefix="tweets/"):
        for each in page.get("Contents", ()):
            day, hour = each["Key"].split("/")[1:3]
            if f"{day[3:]} {hour[3:]}" >= f"{since:%Y-%m-%d %H}":
                found += gzip.decompress(s3.get_object(Bucket=stack.stream, Key=each["Key"])["Body"].read()).count(
                    b"\n"
                )
    return found


def test_what_the_tweet_files_have_is_there_again(stack: LocalAws, sent: str) -> None:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    before = data_api.query(COUNTED + sent)
    assert before == [{"rows": smoke.TWEETS, "tweets": smoke.TWEETS}]
    data_api.run(["DROP SCHEMA disaster CASCADE"])
    with pytest.raises(data_api.WarehouseError, match="does not exist"):
        data_api.query(COUNTED + sent)

    finished(stack.admin_url, "/warehouse/setup")
    assert data_api.query(COUNTED + sent) == [{"rows": 0, "tweets": 0}]
    asked = {"from": f"{hour:%Y-%m-%dT%H:%M:%SZ}", "repair": True, "grace_seconds": 0}
    report = finished(stack.admin_url, "/reconciliations", asked)
    assert data_api.query(COUNTED + sent) == before
    (row,) = data_api.query(
        "SELECT COUNT(*) AS n FROM disaster.disaster_tweets WHERE arrived_at >= CAST(:hour AS TIMESTAMP)",
        {"hour": f"{hour:%Y-%m-%d %H:%M:%S}"},
    )
    assert row["n"] >= smoke.TWEETS and row["n"] <= lines(stack, hour)
    assert report["status"] == "succeeded"
