"""Query the warehouse into pandas and Arrow, through the Data API: no driver, no port, only IAM.

Needs boto3, pandas and pyarrow. An answer may have 500 MB; `unload` has it written to S3, and `table` reads the tweet
files: these have no limit.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pandas as pd
import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq

STAGE = os.environ.get("STAGE", "local")
WORKGROUP = BUCKET = f"disaster-tweets-{STAGE}"
DATABASE = "tweets"
DTYPES = {
    **dict.fromkeys(("int2", "int4", "int8"), "Int64"),
    **dict.fromkeys(("float4", "float8", "numeric"), "Float64"),
    "bool": "boolean",
}
"""pandas' type for a type of Redshift; what isn't here is text. Each takes nulls."""
PAUSE = 0.2  # seconds between two looks at a statement


def frame(sql: str, parameters: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Return the answer as a DataFrame. `parameters` fill `:name` in the text: values never become part of it.

    Raises RuntimeError with what Redshift said.
    """
    api: Any = boto3.client("redshift-data")
    statement = _run(api, sql, parameters or {})
    columns: list[dict[str, Any]] = []
    records: list[list[Any]] = []
    for page in api.get_paginator("get_statement_result").paginate(Id=statement):
        columns = page["ColumnMetadata"]
        records += [[_value(field) for field in record] for record in page["Records"]]
    found = pd.DataFrame(records, columns=[column["name"] for column in columns], dtype=object)
    for column in columns:
        name, kind = column["name"], column["typeName"]
        if kind.startswith("timestamp"):
            found[name] = pd.to_datetime(found[name], format="ISO8601")
        else:
            found[name] = _typed(found[name], DTYPES.get(kind, "string"))
    return found


def _run(api: Any, sql: str, parameters: Mapping[str, str]) -> str:
    """Run a statement to its end; return its id. Raises RuntimeError with what Redshift said."""
    given = {"Parameters": [{"name": k, "value": v} for k, v in parameters.items()]} if parameters else {}
    statement: str = api.execute_statement(WorkgroupName=WORKGROUP, Database=DATABASE, Sql=sql, **given)["Id"]
    while (state := api.describe_statement(Id=statement))["Status"] not in ("FINISHED", "FAILED", "ABORTED"):
        time.sleep(PAUSE)
    if state["Status"] != "FINISHED":
        raise RuntimeError(state.get("Error", state["Status"]))
    return statement


def _value(field: Mapping[str, Any]) -> Any:
    return None if field.get("isNull") else next(iter(field.values()))


def _typed(values: Any, dtype: str) -> Any:
    return pd.to_numeric(values).astype(dtype) if dtype in ("Int64", "Float64") else values.astype(dtype)


def arrow(sql: str, parameters: Mapping[str, str] | None = None) -> pa.Table:
    """Return the answer as an Arrow table."""
    return pa.Table.from_pandas(frame(sql, parameters), preserve_index=False)


def unload(select: str, url: str, role: str) -> pa.Table:
    """Have the answer written to S3 as Parquet, and return it. `url`: a folder without anything in it, s3://bucket/folder/

    `role`: the ARN of one that may write there, and that the warehouse's namespace has. Raises RuntimeError.
    """
    query, to, by = (text.replace("'", "''") for text in (select, url, role))
    _run(boto3.client("redshift-data"), f"UNLOAD ('{query}') TO '{to}' IAM_ROLE '{by}' FORMAT PARQUET", {})
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    return pa.concat_tables(_parquet(body) for body in _bodies(bucket, prefix))


def _parquet(body: bytes) -> pa.Table:
    """Return a Parquet file as a table; SUPER, which is JSON there, as text."""
    return pq.read_table(pa.BufferReader(body), arrow_extensions_enabled=False)


def table(hour: str) -> pa.Table:
    """Return the tweet files of an hour as one Arrow table: `dt=2026-01-31/hh=12`. Wakes no warehouse.

    A tweet that came twice has two rows there: `disaster.tweet` has it once.
    """
    return pa.concat_tables(_files(hour), promote_options="permissive")


def _files(hour: str) -> Iterator[pa.Table]:
    for body in _bodies(BUCKET, f"tweets/{hour}/"):
        yield pj.read_json(pa.CompressedInputStream(pa.BufferReader(body), "gzip"))


def _bodies(bucket: str, prefix: str) -> Iterator[bytes]:
    """Yield what the objects under a prefix hold."""
    s3 = boto3.client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            yield s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
