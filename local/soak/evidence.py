"""Collect the objects in S3 and rows of the warehouse that the oracle compares, as any client reads them."""

from __future__ import annotations

import gzip
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
from botocore.config import Config

from local import provision, server

if TYPE_CHECKING:
    from mypy_boto3_redshift_data import RedshiftDataAPIServiceClient
    from mypy_boto3_s3 import S3Client

Row = dict[str, Any]

TWEETS, REJECTED, ERRORS = "tweets/", "rejected/", "delivery/processing-failed/"

COLUMNS = f"SELECT * FROM {provision.TABLE} LIMIT 0"  # noqa: S608 - a name of our own
ROWS = "SELECT {columns} FROM {table} ORDER BY s3_key, s3_line, tweet_key, original_text"
WIDE = ("original_text", "cleaning_text", "keywords")
"""Columns that are read by themselves: the Data API gives out no row of more than 64 KB."""
VIEW = "SELECT tweet_key, s3_key, s3_line FROM disaster.tweet"
KNOWN = "SELECT s3_key, expected_rows, state, repairs FROM disaster.tweet_file"
RUNS = "SELECT reconciliation_id, started_at, finished_at FROM disaster.reconciliation"
REPAIRED = """
SELECT state, COUNT(*) AS files FROM disaster.reconciliation_finding WHERE action = 'repaired' GROUP BY state
"""


class Evidence(NamedTuple):
    """What is stored at one moment. Objects by their key, unpacked; one that can't be unpacked is as it is."""

    files: Mapping[str, bytes]  # tweet files
    rejected: Mapping[str, bytes]  # files of what the transform refused
    errors: Mapping[str, bytes]  # Firehose's error records
    rows: Sequence[Row]  # of the table
    view: Sequence[Row]  # of the view of tweets
    known: Sequence[Row]  # tweet files, as the reconciler knows them
    runs: Sequence[Row]  # reconciliations
    repaired: Mapping[str, int]  # files that the reconciler repaired, by the state in which it found them
    at: int  # when all of it was read, ms since the epoch


def collect(endpoint_url: str) -> Evidence:
    """Read everything. Raises RuntimeError when a query fails, and what boto3 raises."""
    s3, api = client("s3", endpoint_url), client("redshift-data", endpoint_url)
    return Evidence(
        files=dict(objects(s3, TWEETS)),
        rejected=dict(objects(s3, REJECTED)),
        errors=dict(objects(s3, ERRORS)),
        rows=rows(api),
        view=query(api, VIEW),
        known=query(api, KNOWN),
        runs=query(api, RUNS),
        repaired={row["state"]: row["files"] for row in query(api, REPAIRED)},
        at=int(time.time() * 1000),
    )


def client(service: str, endpoint_url: str, **config: Any) -> Any:
    """Return a client of a local AWS, whatever the environment says of others."""
    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=endpoint_url,
        region_name=server.REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 - not checked
        config=Config(**config),
    )


def objects(s3: S3Client, prefix: str) -> Iterator[tuple[str, bytes]]:
    """Yield all objects under the prefix, each as its key and its bytes, unpacked."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=provision.NAME, Prefix=prefix)
    keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
    with ThreadPoolExecutor(4) as pool:
        bodies = pool.map(lambda key: s3.get_object(Bucket=provision.NAME, Key=key)["Body"].read(), keys)
        for key, body in zip(keys, bodies, strict=True):
            yield key, unpacked(body) if key.endswith(".gz") else body


def unpacked(body: bytes) -> bytes:
    try:
        return gzip.decompress(body)
    except (OSError, EOFError, zlib.error):
        return body


def rows(api: RedshiftDataAPIServiceClient) -> list[Row]:
    """Return all rows of the table, however wide."""
    names = [column["name"] for column in api.get_statement_result(Id=done(api, COLUMNS))["ColumnMetadata"]]
    narrow = [name for name in names if name not in WIDE]
    parts = [query(api, ROWS.format(columns=", ".join(part), table=provision.TABLE)) for part in (narrow, *zip(WIDE))]
    return [{name: value for part in row for name, value in part.items()} for row in zip(*parts, strict=True)]


def query(api: RedshiftDataAPIServiceClient, sql: str) -> list[Row]:
    """Run one statement and return its rows, none if it has no result. Raises RuntimeError when it fails."""
    found: list[Row] = []
    statement = done(api, sql)
    if not api.describe_statement(Id=statement).get("HasResultSet"):
        return found
    for page in api.get_paginator("get_statement_result").paginate(Id=statement):
        names = [column["name"] for column in page["ColumnMetadata"]]
        found += (dict(zip(names, map(value, record), strict=True)) for record in page["Records"])
    return found


def done(api: RedshiftDataAPIServiceClient, sql: str) -> str:
    """Run one statement and return its ID once it has finished. Raises RuntimeError when it fails."""
    statement = api.execute_statement(WorkgroupName=provision.NAME, Database=provision.DATABASE, Sql=sql)["Id"]
    while (status := api.describe_statement(Id=statement))["Status"] not in ("FINISHED", "FAILED", "ABORTED"):
        time.sleep(0.02)
    if status["Status"] != "FINISHED":
        raise RuntimeError(f"{status.get('Error')}: {sql}")
    return statement


def value(field: Mapping[str, Any]) -> Any:
    """Return what a field of the Data API holds."""
    return None if field.get("isNull") else next(iter(field.values()))
