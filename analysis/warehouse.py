"""Answers of the warehouse as pandas and Arrow, through the Data API: no driver, no port, IAM alone.

Needs boto3, pandas and pyarrow. An answer may have 500 MB; `table` reads the tweet files instead, which have no limit.
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
    given = {"Parameters": [{"name": k, "value": v} for k, v in parameters.items()]} if parameters else {}
    statement = api.execute_statement(WorkgroupName=WORKGROUP, Database=DATABASE, Sql=sql, **given)["Id"]
    while (state := api.describe_statement(Id=statement))["Status"] not in ("FINISHED", "FAILED", "ABORTED"):
        time.sleep(PAUSE)
    if state["Status"] != "FINISHED":
        raise RuntimeError(state.get("Error", state["Status"]))
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


def _value(field: Mapping[str, Any]) -> Any:
    return None if field.get("isNull") else next(iter(field.values()))


def _typed(values: Any, dtype: str) -> Any:
    return pd.to_numeric(values).astype(dtype) if dtype in ("Int64", "Float64") else values.astype(dtype)


def arrow(sql: str, parameters: Mapping[str, str] | None = None) -> pa.Table:
    """Return the answer as an Arrow table."""
    return pa.Table.from_pandas(frame(sql, parameters), preserve_index=False)


def table(hour: str) -> pa.Table:
    """Return the tweet files of an hour as one Arrow table: `dt=2026-01-31/hh=12`. Wakes no warehouse.

    A tweet that came twice has two rows there: `disaster.tweet` has it once.
    """
    return pa.concat_tables(_files(hour), promote_options="permissive")


def _files(hour: str) -> Iterator[pa.Table]:
    s3 = boto3.client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"tweets/{hour}/"):
        for item in page.get("Contents", []):
            body = s3.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read()
            yield pj.read_json(pa.CompressedInputStream(pa.BufferReader(body), "gzip"))
