"""Read statements from the files under `sql/`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from chalicelib.warehouse import migrations

FOLDER = Path(__file__).parents[2] / "sql"
"""At the root of the repository, and of the bundle."""


@cache
def named(name: str) -> str:
    """Return the one statement of `sql/<name>.sql`, without its comments."""
    (statement,) = migrations.statements((FOLDER / f"{name}.sql").read_text())
    return statement
