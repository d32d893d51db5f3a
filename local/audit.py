"""Whether everything that was sent is there exactly once. The soak and the test of the faults both ask this.

What is asked for is found by what the sender put into it: a tweet by its `tweet_id`, junk by `junk-<n>` in its bytes.
"""

from __future__ import annotations

import gzip
import re
import time
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
import orjson
from botocore.config import Config

from chalicelib.reconcile import unanswered
from local import provision, server

if TYPE_CHECKING:
    from mypy_boto3_redshift_data import RedshiftDataAPIServiceClient
    from mypy_boto3_s3 import S3Client

JUNK = re.compile(rb"junk-\d+")
SHOWN = 5  # examples of a problem

FILES = "SELECT s3_key, COUNT(*), COUNT(DISTINCT s3_line), MIN(s3_line), MAX(s3_line) FROM {table} GROUP BY s3_key"
KNOWN_TWICE = "SELECT s3_key FROM disaster.tweet_file GROUP BY s3_key HAVING COUNT(*) > 1"
REPAIRS = "SELECT COUNT(*), COALESCE(SUM(repairs), 0) FROM disaster.tweet_file WHERE repairs > 0"
VIEW = "SELECT tweet_id, COUNT(*) FROM disaster.tweet GROUP BY tweet_id"


@dataclass
class Audit:
    """What was found; no `problems`: nothing is lost and nothing is there twice."""

    tweets: int = 0  # in the view
    rows: int = 0  # in the table
    files: int = 0
    given_up: int = 0  # tweets in rejected/ alone: Firehose wrote them there when no transform answered
    refused: int = 0  # junk in rejected/
    repaired: int = 0  # files
    repairs: int = 0  # of all files together
    problems: list[str] = field(default_factory=list)

    def complain(self, what: str, which: Iterable[object]) -> None:
        found = list(which)
        if found:
            examples = ", ".join(map(str, sorted(found, key=str)[:SHOWN]))
            self.problems.append(f"{len(found):,} {what}: {examples}{' ...' if len(found) > SHOWN else ''}")


def audit(tweets: Iterable[str], junk: Iterable[str], endpoint_url: str) -> Audit:
    """Compares what was sent and acknowledged with the tweet files, the warehouse and the rejected records."""
    s3, api = client("s3", endpoint_url), client("redshift-data", endpoint_url)
    written = {key: tweet_ids(body) for key, body in objects(s3, "tweets/")}
    loaded = {row[0]: tuple(row[1:]) for row in query(api, FILES.format(table=provision.TABLE))}
    view = {row[0]: int(row[1]) for row in query(api, VIEW)}
    refused = (*objects(s3, "rejected/"), *objects(s3, unanswered.FOLDER))
    rejected = {marker for _, body in refused for marker in rejected_markers(body)}
    found = compare(set(tweets), set(junk), written, loaded, view, rejected)
    found.complain("files that disaster.tweet_file has twice", (key for (key,) in query(api, KNOWN_TWICE)))
    ((found.repaired, found.repairs),) = ((int(n) for n in row) for row in query(api, REPAIRS))
    return found


def client(service: str, endpoint_url: str, **config: Any) -> Any:
    """A client of a local AWS, whatever the environment says of others."""
    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=endpoint_url,
        region_name=server.REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 - not checked
        config=Config(**config),
    )


def compare(
    tweets: set[str],
    junk: set[str],
    written: Mapping[str, list[str]],
    loaded: Mapping[str, tuple[int, ...]],
    view: Mapping[str, int],
    rejected: set[str],
) -> Audit:
    """`written`: the tweets of each file; `loaded`: of each, its rows, their distinct lines, the first and the last."""
    found = Audit(
        len(view),
        sum(rows for rows, *_ in loaded.values()),
        len(written),
        len((rejected & tweets) - view.keys()),
        len(rejected & junk),
    )
    differing = (
        f"{key} ({len(ids)} lines, {loaded.get(key)} loaded)"
        for key, ids in written.items()
        if loaded.get(key) != (len(ids), len(ids), 1, len(ids))
    )
    found.complain("tweet files that are not loaded line by line", differing)
    found.complain("loaded files that don't exist", loaded.keys() - written.keys())
    found.complain("tweets more than once in the view", (f"{id} ({n})" for id, n in view.items() if n != 1))
    found.complain("tweets in the view that nobody sent", view.keys() - tweets)
    found.complain("accepted tweets that the view hasn't", {id for ids in written.values() for id in ids} - view.keys())
    found.complain("tweets lost", tweets - view.keys() - rejected)
    found.complain("junk records lost", junk - rejected)
    return found


def objects(s3: S3Client, prefix: str) -> Iterator[tuple[str, bytes]]:
    """All objects under the prefix, unpacked."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=provision.NAME, Prefix=prefix)
    keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
    with ThreadPoolExecutor(4) as pool:
        bodies = pool.map(lambda key: s3.get_object(Bucket=provision.NAME, Key=key)["Body"].read(), keys)
        for key, body in zip(keys, bodies, strict=True):
            yield key, gzip.decompress(body) if key.endswith(".gz") else body


def tweet_ids(body: bytes) -> list[str]:
    """Of the lines of a tweet file. Raises ValueError if they aren't numbered through from 1."""
    rows = [orjson.loads(line) for line in body.splitlines()]
    if [row["s3_line"] for row in rows] != list(range(1, len(rows) + 1)):
        raise ValueError(f"Lines are not numbered through: {rows[0]['s3_key']}")
    return [row["tweet_id"] for row in rows]


def rejected_markers(body: bytes) -> Iterator[str]:
    """Of the records in one object under rejected/: the transform's own, or Firehose's error records."""
    for line in body.splitlines():
        known: dict[str, Any] = orjson.loads(line)
        raw = b64decode(known["raw"] if "raw" in known else known["rawData"])
        if marks := JUNK.findall(raw):
            yield from (mark.decode() for mark in marks)
        else:
            yield from (str(orjson.loads(tweet)["tweet_id"]) for tweet in raw.splitlines())


def query(api: RedshiftDataAPIServiceClient, sql: str) -> list[list[Any]]:
    """The rows of one SELECT."""
    statement = api.execute_statement(WorkgroupName=provision.NAME, Database=provision.DATABASE, Sql=sql)["Id"]
    while (status := api.describe_statement(Id=statement))["Status"] not in ("FINISHED", "FAILED", "ABORTED"):
        time.sleep(0.02)
    if status["Status"] != "FINISHED":
        raise RuntimeError(f"{status.get('Error')}: {sql}")
    pages = api.get_paginator("get_statement_result").paginate(Id=statement)
    return [[next(iter(value.values())) for value in row] for page in pages for row in page["Records"]]
