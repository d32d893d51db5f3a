"""List databases, schemas, tables and columns for the Data API."""

from __future__ import annotations

from typing import Any

from local.aws.warehouse.database import Column, Warehouse

SCHEMAS = """
SELECT DISTINCT schema_name FROM duckdb_schemas()
WHERE database_name = current_database() AND NOT internal AND schema_name <> 'main' AND schema_name LIKE $schema
ORDER BY schema_name
"""
TABLES = """
SELECT table_schema, table_name, table_type FROM information_schema.tables
WHERE table_catalog = current_database() AND table_schema <> 'main'
    AND table_schema LIKE $schema AND table_name LIKE $table
ORDER BY table_schema, table_name
"""
COLUMNS = """
SELECT column_name, data_type, is_nullable, COALESCE(column_default, '') FROM duckdb_columns()
WHERE database_name = current_database() AND schema_name = $schema AND table_name = $table
ORDER BY column_index
"""


def schemas(warehouse: Warehouse, pattern: str = "%") -> list[str]:
    """Return names that match a LIKE pattern."""
    return [name for (name,) in warehouse.ask(SCHEMAS, {"schema": pattern})]


def tables(warehouse: Warehouse, schema: str = "%", table: str = "%") -> list[dict[str, str]]:
    """`{"schema", "name", "type"}` of those whose schema and name match LIKE patterns; type is TABLE or VIEW."""
    found = warehouse.ask(TABLES, {"schema": schema, "table": table})
    return [
        {"schema": owner, "name": name, "type": "VIEW" if kind == "VIEW" else "TABLE"} for owner, name, kind in found
    ]


def columns(warehouse: Warehouse, schema: str, table: str) -> list[tuple[Column, dict[str, Any]]]:
    """Return the columns of a table in order, none if there is no such table; with what the column's type doesn't
    say.
    """
    found = warehouse.ask(COLUMNS, {"schema": schema, "table": table})
    limits = warehouse.limits(schema, table)
    return [
        (Column(name, kind), {"nullable": int(nullable), "columnDefault": default, "length": limits.get(name, 0)})
        for name, kind, nullable, default in found
    ]
