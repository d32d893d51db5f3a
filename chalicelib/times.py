"""Read and write times: all are UTC, and a time without an offset is UTC.

The transform writes a row's times itself (`transform/rows.py`): a million a minute, from milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def parsed(text: str) -> datetime:
    """Read ISO 8601. Raises ValueError."""
    return utc(datetime.fromisoformat(text))


def seconds(moment: datetime) -> str:
    """Return `2026-01-31T12:00:00Z`."""
    return utc(moment).strftime("%Y-%m-%dT%H:%M:%SZ")


def milliseconds(moment: datetime) -> str:
    """Return `2026-01-31T12:00:00.123Z`."""
    return utc(moment).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def sql(moment: datetime) -> str:
    """Return `2026-01-31 12:00:00`, as COPY and CAST read a TIMESTAMP."""
    return utc(moment).strftime("%Y-%m-%d %H:%M:%S")


def sql_exact(moment: datetime) -> str:
    """Return `2026-01-31 12:00:00.123456`, for what is told apart by less than a second."""
    return utc(moment).strftime("%Y-%m-%d %H:%M:%S.%f")


def written(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of the warehouse with its times as `seconds` writes them."""
    return {name: seconds(value) if isinstance(value, datetime) else value for name, value in row.items()}
