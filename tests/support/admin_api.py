"""The admin API and the stream as tests use them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import boto3
import requests

from chalicelib.warehouse import data_api

BUCKET = "disaster-tweets-local"


class Api:
    """The admin API, with its errors as assertions."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __call__(self, method: str, path: str, body: Any = None, expect: int = 200, **headers: str) -> Any:
        began = time.perf_counter()
        answer = requests.request(method, self.url + path, json=body, headers=headers, timeout=30)
        self.seconds = time.perf_counter() - began
        assert answer.status_code == expect, answer.text
        self.headers = answer.headers
        return answer.json() if "json" in answer.headers["Content-Type"] else answer.text

    def until(self, path: str, done: Callable[[Any], bool] = lambda body: body["status"] != "running") -> Any:
        deadline = time.monotonic() + 60
        while not done(body := self("GET", path)):
            assert time.monotonic() < deadline, body
            time.sleep(0.1)
        return body


def sent(stack: Any, *texts: str) -> list[dict[str, Any]]:
    """The rows that these tweets became, in the order of their texts."""
    firehose = boto3.client("firehose", endpoint_url=stack.endpoint_url)
    lines: Any = [{"Data": json.dumps({"text": text}).encode()} for text in texts]
    firehose.put_record_batch(DeliveryStreamName=stack.stream, Records=lines)
    stack.flush()
    listed = ", ".join(f":t{n}" for n in range(len(texts)))
    rows = data_api.query(
        f"SELECT * FROM disaster.disaster_tweets WHERE original_text IN ({listed})",
        {f"t{n}": text for n, text in enumerate(texts)},
    )
    return sorted(rows, key=lambda row: texts.index(row["original_text"]))


def finished(admin_url: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Starts a job of the admin API and waits for its end: the job, succeeded."""
    started = requests.post(admin_url + path, json=body or {}, timeout=30)
    assert started.status_code == 202, started.text
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        job: dict[str, Any] = requests.get(admin_url + started.json()["status_url"], timeout=30).json()
        if job["status"] != "running":
            assert job["status"] == "succeeded", job
            return job
        time.sleep(0.05)
    raise AssertionError(f"{path} did not end within a minute")
