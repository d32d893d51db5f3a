"""Emulate Amazon Redshift: its Data API and SQL on a DuckDB file, with COPY and UNLOAD.

moto's Data API never finishes a statement. What the local warehouse can't do, it refuses by name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from local.aws.faults import Faults
from local.aws.warehouse.copy import ListKeys, Read
from local.aws.warehouse.database import Warehouse
from local.aws.warehouse.errors import UnsupportedError, WarehouseError
from local.aws.warehouse.unload import Put

__all__ = ["UnsupportedError", "Warehouse", "WarehouseError", "install", "query"]

FILE = "warehouse.duckdb"


def install(home: Path, read: Read, list_keys: ListKeys, put: Put, faults: Faults) -> Warehouse:
    """Put it into moto, with its file under `home`; before the server's first request.

    `read` gives an S3 object by bucket and key, `list_keys` the keys under a prefix; `put` stores one.
    """
    from moto.redshiftdata import urls

    from local.aws.warehouse.responses import LiveRedshiftData
    from local.aws.warehouse.statements import Statements

    warehouse = _Served(home / FILE, read, list_keys, put, faults)
    warehouse.statements = LiveRedshiftData.statements = Statements(warehouse, faults)
    # moto finds a service's handler through its url_paths, read when the server gets its first request.
    urls.url_paths["{0}/$"] = LiveRedshiftData.dispatch
    return warehouse


class _Served(Warehouse):
    statements: Any

    def close(self) -> None:
        self.statements.close()
        super().close()


def query(home: Path, sql: str) -> tuple[list[dict[str, Any]], list[list[dict[str, Any]]]]:
    """Run one statement on the file, where no server has it open: `ColumnMetadata` and `Records` as of the Data API.

    Both are empty where the statement has no result. Raises WarehouseError; duckdb.IOException while a server runs.
    """
    from local.aws.warehouse import values

    def no_s3(*_: str | bytes) -> Any:
        raise KeyError("COPY and UNLOAD need the server: make local")

    warehouse = Warehouse(home / FILE, no_s3, no_s3, no_s3, Faults())
    try:
        with warehouse.session() as session:
            result = session.run([sql])[-1]
    finally:
        warehouse.close()
    columns = result.columns or []
    return list(map(values.metadata, columns)), [values.record(row, columns) for row in result.rows or []]
