"""The default delivery: Firehose delivers nothing, the loader loads, and an idle stage lets the warehouse sleep."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.homes import copied
from tests.support.plain_client import NAME, TABLE, keys, put, query, until
from tests.support.served import Served, served

BATCH = [
    json.dumps({"tweet_id": f"default-{n}", "text": f"flood in street {n}"}).encode() for n in range(20)
]  # too few for a surge


@pytest.fixture(scope="module")
def aws(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The local AWS as `make local` starts it."""
    with served(copied(prepared, tmp_path_factory.mktemp("home"))) as made:
        yield made


def rows(aws: Served) -> int:
    return int(query(aws, f"SELECT COUNT(*) FROM {TABLE}")[0][0])


def latest(aws: Served) -> dict[str, Any]:
    found: dict[str, Any] = requests.get(f"{aws.admin_url}/reconciliations/latest", timeout=30).json()
    return found


def test_rows_can_be_queried_within_ten_seconds_and_nothing_is_stored_a_second_time(aws: Served) -> None:
    began = time.monotonic()
    put(aws.client("firehose"), BATCH)
    until(lambda: rows(aws) == len(BATCH), seconds=10)
    assert time.monotonic() - began < 10
    s3 = aws.client("s3")
    assert keys(s3, "tweets/") and keys(s3, "source/")
    assert keys(s3, "delivery/") == set()
    until(lambda: latest(aws)["status"] == "succeeded" and latest(aws)["new"]["loaded"] > 0)
    report = latest(aws)
    assert report["verdict"] == "well"  # the ordinary way in is no repair
    why = {"tweet files to load", "no run has left a ledger"}  # the first run of a new home, or the next one
    assert report["warehouse"]["woken"] and report["warehouse"]["why"] in why
    assert (report["tweets"]["late"], report["tweets"]["repaired"], report["findings"]) == (0, 0, [])


def test_an_idle_stage_asks_the_warehouse_nothing(aws: Served) -> None:
    until(lambda: rows(aws) == len(BATCH))
    until(lambda: not held(aws))
    before = statements(aws)
    time.sleep(6)  # three looks
    assert statements(aws) == before


def held(aws: Served) -> bool:
    body = aws.client("s3").get_object(Bucket=NAME, Key="reports/reconciliations/lock.json")["Body"].read()
    return json.loads(body)["holder"] is not None


def statements(aws: Served) -> int:
    pages = aws.client("redshift-data").get_paginator("list_statements").paginate()
    return sum(1 for page in pages for _ in page["Statements"])
