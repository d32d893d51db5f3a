"""What a plain client of AWS does with the local one: send, list, read, and query over the Data API."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3

NAME = "disaster-tweets-local"
TABLE = "disaster.disaster_tweets"
KEYS = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}


def query(aws: Any, sql: str) -> list[list[Any]]:
    """Rows over the Data API, as a plain client gets them."""
    client: Any = boto3.client  # its overloads take no keyword arguments from a dict
    api = client("redshift-data", endpoint_url=aws.endpoint_url, region_name="us-east-1", **KEYS)
    started = api.execute_statement(WorkgroupName=NAME, Database="tweets", Sql=sql)["Id"]
    while (statement := api.describe_statement(Id=started))["Status"] not in ("FINISHED", "FAILED", "ABORTED"):
        time.sleep(0.02)
    assert statement["Status"] == "FINISHED", statement
    pages = api.get_paginator("get_statement_result").paginate(Id=started)
    records = [record for page in pages for record in page["Records"]]
    return [[None if "isNull" in value else next(iter(value.values())) for value in record] for record in records]


def files(s3: Any, prefix: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Keys and lines of the gzipped NDJSON files under a prefix."""
    for key in keys(s3, prefix):
        body = gzip.decompress(s3.get_object(Bucket=NAME, Key=key)["Body"].read())
        yield key, [json.loads(line) for line in body.splitlines()]


def keys(s3: Any, prefix: str) -> set[str]:
    """Return the keys under a prefix."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=NAME, Prefix=prefix)
    return {each["Key"] for page in pages for each in page.get("Contents", ())}


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def put(firehose: Any, lines: list[bytes]) -> None:
    """Send records into the stream."""
    for start in range(0, len(lines), 100):
        batch = [{"Data": line} for line in lines[start : start + 100]]
        assert firehose.put_record_batch(DeliveryStreamName=NAME, Records=batch)["FailedPutCount"] == 0
