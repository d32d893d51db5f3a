"""Know which temporary tables a connection has, without asking DuckDB for each statement."""

from __future__ import annotations

import re

import duckdb

KEEPS = re.compile(r"(?:DELETE|INSERT|LOCK|SET|UPDATE)\b", re.IGNORECASE)
"""Statements that make no table and drop none, besides COPY and those that only read."""


class TemporaryTables:
    """The names of a connection's temporary tables: read when they are needed, and again once they may differ."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor
        self._known: frozenset[str] | None = None

    @property
    def names(self) -> frozenset[str]:
        """Return their names, as DuckDB has them."""
        if self._known is None:
            found = self._cursor.execute("SELECT table_name FROM duckdb_tables() WHERE temporary").fetchall()
            self._known = frozenset(name for (name,) in found)
        return self._known

    def forget(self) -> None:
        """Read the names again at their next use."""
        self._known = None
