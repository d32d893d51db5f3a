"""Define the warehouse's errors, with Redshift's messages where they are known."""

from __future__ import annotations

import re

import duckdb


class WarehouseError(Exception):
    """A statement failed; nothing of its transaction was kept. The message is the one the Data API reports."""


class UnsupportedError(WarehouseError):
    """Redshift could do this, the local warehouse can't, and says so by name."""


CONFLICT = "ERROR: could not complete because of conflict with concurrent transaction"
"""Under snapshot isolation; error 1023 is of SERIALIZABLE. github.com/aws/amazon-redshift-jdbc-driver/issues/147"""

_SAID = (
    (
        re.compile(r"Conflict on (?:update|tuple deletion)|Transaction conflict:|write-write conflict", re.I),
        CONFLICT.removeprefix("ERROR: "),
    ),
    (re.compile(r"Table with name \"?([\w.]+)\"? does not exist"), 'relation "{}" does not exist'),
    (re.compile(r"Referenced column \"([^\"]+)\" (?:was )?not found"), 'column "{}" does not exist'),
    (re.compile(r"(?:Table|View) with name \"([^\"]+)\" already exists"), 'Relation "{}" already exists'),
    (
        re.compile(r"CHECK constraint failed.*?strlen.*?<= (\d+)", re.S | re.I),
        "value too long for type character varying({})",
    ),
    (re.compile(r"NOT NULL constraint failed: [\w.]*?(\w+)$", re.M), "Cannot insert a NULL value into column {}"),
    (re.compile(r"Division by zero", re.I), "Divide by zero"),
    (re.compile(r"Could not convert string '([^']*)' to U?INT"), 'invalid input syntax for integer: "{}"'),
    (re.compile(r"Scalar Function with name (\S+) does not exist"), "function {} does not exist"),
    (re.compile(r"Schema with name (\S+) does not exist"), 'schema "{}" does not exist'),
)


def in_words_of_redshift(error: duckdb.Error) -> str:
    """DuckDB's message as Redshift would put it where that matters, else its own first line."""
    text = str(error)
    for pattern, wording in _SAID:
        if match := pattern.search(text):
            return f"ERROR: {wording.format(*match.groups())}"
    return f"ERROR: {text.splitlines()[0]}"
