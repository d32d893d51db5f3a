"""Read the warehouse's migrations and counts of rows, in two round trips."""

from __future__ import annotations

import time
from typing import Any

from chalicelib.warehouse import data_api, migrations
from chalicelib.warehouse.statements import sections

ROWS = sections("warehouse/rows")
"""The count of each table's rows, by its name."""


def overview(patience: float) -> dict[str, Any]:
    """Return the migrations and the rows of each table, within `patience` seconds.

    `status` is `ready`, `not_set_up`, `behind` (migrations are pending) or `waking_up` (then nothing else is known).
    Raises MigrationError if an applied migration was changed; WarehouseError.
    """
    deadline = time.monotonic() + patience
    known = migrations.read()
    try:
        tables = migrations.tables(patience)
        applied, rows = _contents(tables, deadline - time.monotonic()) if "migration" in tables else ([], {})
    except data_api.StillRunningError:
        message = "The warehouse is waking up or busy; this call has woken it: ask again in a minute"
        return {"status": "waking_up", "message": message}
    pending = migrations.plan(known, applied)
    status = "not_set_up" if not applied else "behind" if pending else "ready"
    return {
        "status": status,
        "migrations": {
            "applied": [{"migration": str(row), "applied_at": row.applied_at.isoformat()} for row in applied],
            "pending": [str(migration) for migration in pending],
        },
        "rows": rows,
        **({"message": "POST /warehouse/setup applies what is pending"} if pending else {}),
    }


def _contents(tables: list[str], patience: float) -> tuple[list[migrations.Applied], dict[str, int]]:
    """(applied migrations, rows by table), of one moment."""
    counted = [name for name in ROWS if name in tables]
    counts = "\nUNION ALL\n".join(ROWS[name] for name in counted)
    batch = data_api.run([migrations.SQL["applied"], counts], patience=patience)
    applied = [migrations.Applied(**row) for row in data_api.rows_of(f"{batch}:1")]
    rows = {row["name"]: row["n"] for row in data_api.rows_of(f"{batch}:2")}
    return applied, {name: rows[name] for name in counted}
