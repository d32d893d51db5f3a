"""A local AWS that is killed while it erases, and gets a replay: afterwards no file of its home holds the text."""

from __future__ import annotations

import gzip
import json
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import requests

from tests.support.served import Served, served

WORDS = ("uxqzvfloodword", "uxqzvplaceword", "uxqzvsearchword")
POSTS = [
    {"tweet_id": str(n), "user_id": str(n % 3), "text": f"flood {WORDS[0]}", "location": WORDS[1], "keyword": WORDS[2]}
    for n in range(60)
]
OTHER = {"tweet_id": "600", "user_id": "7", "text": "flood kept", "location": "kept"}


def until(done: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := done()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.1)
    return found


def send(aws: Served, posts: list[dict[str, Any]]) -> None:
    records = [{"Data": json.dumps(post).encode() + b"\n"} for post in posts]
    records.append({"Data": json.dumps({**posts[0], "text": "", "full_text": None}).encode() + b"\n"})  # is refused
    answer = aws.client("firehose").put_record_batch(DeliveryStreamName="disaster-tweets-local", Records=records)
    assert not answer["FailedPutCount"]


def rows(aws: Served) -> int:
    answer = requests.get(f"{aws.admin_url}/warehouse", timeout=30).json()
    return int(answer.get("rows", {}).get("disaster_tweets", 0))


def erase(aws: Served) -> None:
    while True:
        answer = aws.client("lambda").invoke(
            FunctionName="disaster-tweets-local-erase", Payload=json.dumps(EVENT).encode()
        )
        assert "FunctionError" not in answer, answer["Payload"].read()
        if not json.loads(answer["Payload"].read()).get("held"):
            return
        time.sleep(0.2)


EVENT = {
    **dict.fromkeys(("version", "id", "detail-type", "source", "account", "time", "region"), ""),
    "resources": [],
    "detail": {},
}


def stored(home: Path) -> Iterator[tuple[str, bytes]]:
    """All that a home keeps: objects, what streams still hold, rows, and every file as it is."""
    for path in sorted(home.rglob("*.sqlite")):
        with sqlite3.connect(path) as kept:
            for (table,) in kept.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                for row in kept.execute(f"SELECT * FROM {table}"):
                    for value in row:
                        body = value if isinstance(value, bytes) else str(value).encode()
                        yield f"{path.name}: {table} {row[:2]}", body
                        if body[:2] == b"\x1f\x8b":
                            yield f"{path.name}: {table} {row[:2]}", gzip.decompress(body)
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as house:
        tables = house.execute("SELECT table_schema, table_name FROM information_schema.tables").fetchall()
        for schema, table in tables:
            yield f"warehouse: {table}", repr(house.execute(f'SELECT * FROM "{schema}"."{table}"').fetchall()).encode()
    for path in sorted(home.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(home)), path.read_bytes()


def test_after_kill_9_and_a_replay_nothing_is_found(tmp_path: Path) -> None:
    with served(tmp_path) as aws:
        requests.post(f"{aws.admin_url}/warehouse/setup", timeout=30)
        until(lambda: requests.get(f"{aws.admin_url}/warehouse", timeout=30).json().get("status") == "ready", "set-up")
        send(aws, [*POSTS, OTHER])
        until(lambda: rows(aws) == len(POSTS) + 1, "rows")
        asked = requests.post(f"{aws.admin_url}/erasures", json={"user_ids": ["0", "1", "2"]}, timeout=30).json()
        time.sleep(0.15)
        aws.kill()
    with served(tmp_path) as aws:
        erase(aws)
        status = requests.get(aws.admin_url + asked["status_url"], timeout=30).json()
        assert status["status"] == "succeeded", status
        send(aws, POSTS[:20])
        until(lambda: rows(aws) == len(POSTS) + 21, "rows of the replay")
        until(lambda: not left(aws), "delivery")
        erase(aws)
        aws.process.send_signal(signal.SIGINT)  # its databases write down what they have put off
        aws.process.wait()
    words = [word.encode() for word in WORDS]
    found = sorted({name for name, body in stored(tmp_path) if any(word in body for word in words)})
    assert found == []


def left(aws: Served) -> int:
    """How many records Firehose still has: what it is delivering is on its disk until then."""
    from local.aws.firehose.deliveries import undelivered

    return undelivered(aws.home)
