"""Convert a result's values and columns to the Data API's `Field` and `ColumnMetadata`."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import orjson

from local.aws.warehouse.database import Column

_TYPES = {
    "VARCHAR": "varchar",
    "TINYINT": "int2",
    "SMALLINT": "int2",
    "INTEGER": "int4",
    "BIGINT": "int8",
    "HUGEINT": "numeric",
    "UBIGINT": "numeric",
    "FLOAT": "float4",
    "DOUBLE": "float8",
    "BOOLEAN": "bool",
    "DATE": "date",
    "TIME": "time",
    "JSON": "super",
    "BLOB": "varbyte",
    "INTERVAL": "interval",
}
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")


def metadata(column: Column) -> dict[str, Any]:
    """Return the `ColumnMetadata` of a column."""
    precision, scale = 0, 0
    if match := _DECIMAL.fullmatch(column.type):
        kind, precision, scale = "numeric", int(match[1]), int(match[2])
    elif column.type.startswith("TIMESTAMP"):
        kind = "timestamptz" if "ZONE" in column.type else "timestamp"
    else:
        kind = _TYPES.get(column.type, "varchar")
        precision = 38 if kind == "numeric" else 0
    return {
        "name": column.name,
        "label": column.name,
        "typeName": kind,
        "nullable": 1,
        "precision": precision,
        "scale": scale,
        "length": 0,
        "isCaseSensitive": kind == "varchar",
        "isCurrency": False,
        "isSigned": kind.startswith(("int", "float", "numeric")),
        "schemaName": "",
        "tableName": "",
    }


def record(row: Sequence[Any], columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Return a row as a list of `Field`s, one a column."""
    return [_field(value, column.type) for value, column in zip(row, columns, strict=True)]


def _field(value: Any, kind: str) -> dict[str, Any]:
    if value is None:
        return {"isNull": True}
    if isinstance(value, bool):
        return {"booleanValue": value}
    if isinstance(value, int):
        return {"stringValue": str(value)} if kind in ("HUGEINT", "UBIGINT") else {"longValue": value}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, bytes):
        return {"blobValue": base64.b64encode(value).decode()}
    if isinstance(value, datetime):
        return {"stringValue": _timestamp(value)}
    if isinstance(value, date | time | Decimal | str):
        return {"stringValue": str(value)}
    return {"stringValue": orjson.dumps(value, default=str).decode()}


def _timestamp(moment: datetime) -> str:
    """Write a timestamp as Redshift does: no zeros at the end of its fraction, `+00` where it has a zone."""
    text = moment.replace(tzinfo=None).isoformat(" ")
    if "." in text:
        text = text.rstrip("0")
    return text + ("+00" if moment.tzinfo else "")
