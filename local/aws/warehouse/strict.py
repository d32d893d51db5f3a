"""Refuse statements that Redshift refuses although DuckDB accepts them.

docs.aws.amazon.com/redshift/latest/dg/c_unsupported-postgresql-features.html and the pages of the functions.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from functools import lru_cache

from sqlglot import exp, tokenize

from local.aws.warehouse.errors import WarehouseError

ON_THE_LEADER = "Specified types or functions (one per INFO message) not supported on Redshift tables."
FRAMED = (exp.Sum, exp.Count, exp.Avg, exp.Min, exp.Max, exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.Variance)
FRAMED_TOO = (exp.FirstValue, exp.LastValue, exp.NthValue)

ALONE = (
    (re.compile(r"VACUUM\b", re.I), "VACUUM"),
    (re.compile(r"(?:CREATE|DROP)\s+DATABASE\b", re.I), "CREATE DATABASE"),
    (re.compile(r"ALTER\s+TABLE\s+\S+\s+APPEND\b", re.I), "ALTER TABLE APPEND"),
    (
        re.compile(r"ALTER\s+TABLE\s+\S+\s+ALTER\s+(?:COLUMN\s+)?\S+\s+(?:TYPE|ENCODE)\b", re.I),
        "ALTER TABLE ALTER COLUMN",
    ),
    (re.compile(r"COPY\b.*\bJOB\s+CREATE\b", re.I | re.S), "COPY JOB"),
)
"""What cannot run inside a transaction block: docs.aws.amazon.com/redshift/latest/dg/r_VACUUM_command.html,
r_CREATE_DATABASE.html, r_ALTER_TABLE_APPEND.html, r_ALTER_TABLE.html (ALTER COLUMN … TYPE, … ENCODE), r_COPY-JOB.html.
The wording is the one that is reported for ALTER COLUMN: github.com/flyway/flyway/issues/2438"""

TRUNCATE = re.compile(r"TRUNCATE\b", re.I)
"""It commits the transaction that it is in: docs.aws.amazon.com/redshift/latest/dg/r_TRUNCATE.html"""

_WHOLE = {"SMALLINT", "INT2", "INTEGER", "INT", "INT4", "BIGINT", "INT8", "DECIMAL", "NUMERIC"}
_WIDE = _WHOLE - {"SMALLINT", "INT2"}
_LONG = {"BIGINT", "INT8", "DECIMAL", "NUMERIC"}
_MOMENTS = {"DATE", "TIMESTAMP", "TIMESTAMPTZ", "TIME", "TIMETZ"}
_FLOATS = {"REAL", "FLOAT4", "FLOAT", "FLOAT8", "DOUBLE"}
_TEXTS = {"CHAR", "CHARACTER", "BPCHAR", "VARCHAR", "TEXT", "NVARCHAR"}
_BOOLEANS = {"BOOLEAN", "BOOL"}
TYPES_BY_ENCODING = {
    "AZ64": _WHOLE | _MOMENTS,
    "BYTEDICT": _WHOLE | _FLOATS | _TEXTS | _MOMENTS,
    "DELTA": _WHOLE | _MOMENTS,
    "DELTA32K": _WIDE | _MOMENTS,
    "LZO": _WHOLE | _TEXTS | _MOMENTS | {"SUPER"},
    "MOSTLY8": _WHOLE,
    "MOSTLY16": _WIDE,
    "MOSTLY32": _LONG,
    "RUNLENGTH": _WHOLE | _FLOATS | _BOOLEANS | _TEXTS | _MOMENTS,
    "TEXT255": {"VARCHAR", "TEXT", "NVARCHAR"},
    "TEXT32K": {"VARCHAR", "TEXT", "NVARCHAR"},
    "ZSTD": _WHOLE | _FLOATS | _BOOLEANS | _TEXTS | _MOMENTS | {"SUPER"},
}
"""docs.aws.amazon.com/redshift/latest/dg/c_Compression_encodings.html; RAW fits every type."""


def check_transaction(statement: str) -> None:
    """Raise WarehouseError for a statement that cannot run inside a transaction. `statement` has no leading comment."""
    for pattern, name in ALONE:
        if pattern.match(statement):
            raise WarehouseError(f"ERROR: {name} cannot run inside a transaction block")


def check_design(statement: str) -> None:
    """Raise WarehouseError for an encoding that does not fit its column's type, and for SUPER as a key.

    `statement` is a CREATE TABLE, or an ALTER TABLE that adds a column (one that alters an encoding is not checked).
    """
    words = _words(statement)
    types: dict[str, str] = {}
    for at, word in enumerate(words):
        if word == "ENCODE" and at + 1 < len(words) and words[at + 1] in TYPES_BY_ENCODING:
            name, kind = _column_of(words, at)
            if kind not in {"", "ENCODE"} and kind not in TYPES_BY_ENCODING[words[at + 1]]:
                raise WarehouseError(f'ERROR: invalid encoding type specified for column "{name.lower()}"')
        if word == "SUPER" and at:
            types[words[at - 1]] = word
    for at, word in enumerate(words):
        if word not in {"SORTKEY", "DISTKEY"}:
            continue
        if words[at + 1 : at + 2] == ("(",):
            keys = [key for key in words[at + 2 : words.index(")", at)] if types.get(key) == "SUPER"]
        else:  # of one column
            name, kind = _column_of(words, at)
            keys = [name] if kind == "SUPER" else []
        for key in keys:
            raise WarehouseError(f'ERROR: column "{key.lower()}" of type super cannot be a {word.lower()}')


def encodings(statement: str) -> dict[str, str]:
    """Return the encodings that a CREATE TABLE or ALTER TABLE gives to columns, in lower case."""
    words = _words(statement)
    given = [at for at, word in enumerate(words) if word == "ENCODE" and words[at + 1 : at + 2]]
    return {name.lower(): words[at + 1].lower() for at in given if (name := _column_of(words, at)[0])}


@lru_cache(1024)
def _words(statement: str) -> tuple[str, ...]:
    return tuple(token.text.upper() for token in tokenize(statement, read="redshift"))


def _column_of(words: Sequence[str], at: int) -> tuple[str, str]:
    """Return the name and the type of the column definition that holds the word `at`; empty if there is none."""
    depth, start = 0, at
    while start > 0:
        word = words[start - 1]
        depth += {")": 1, "(": -1}.get(word, 0)
        if depth < 0 or (depth == 0 and word in {",", "COLUMN"}):
            return words[start], words[start + 1].split()[0]  # DOUBLE PRECISION is one token
        start -= 1
    return "", ""


def check(tree: exp.Expr) -> None:
    """Raise WarehouseError in Redshift's words. `tree` is as it was parsed."""
    if isinstance(tree, exp.Create) and tree.kind == "INDEX":
        raise WarehouseError('ERROR: SQL command "CREATE INDEX" not supported on Redshift tables.')
    for kind, words in ((exp.Filter, "FILTER"), (exp.OnConflict, "ON CONFLICT"), (exp.Returning, "RETURNING")):
        if tree.find(kind):
            raise WarehouseError(f'ERROR: syntax error at or near "{words}": Redshift has no such clause')
    if any(each.args.get("on") for each in tree.find_all(exp.Distinct)):
        raise WarehouseError("ERROR: SELECT DISTINCT ON is not supported")
    if tree.find(exp.GenerateSeries) and any(
        isinstance(each.this, exp.Identifier) for each in tree.find_all(exp.Table)
    ):
        raise WarehouseError(f"ERROR: {ON_THE_LEADER} generate_series runs on the leader node alone")
    for select in tree.find_all(exp.Select):
        _one_order(select)
        _correlation(select)
    for window in tree.find_all(exp.Window):
        if isinstance(window.this, FRAMED + FRAMED_TOO) and window.args.get("order") and not window.args.get("spec"):
            raise WarehouseError("ERROR: Aggregate window functions with an ORDER BY clause require a frame clause")


def _one_order(select: exp.Select) -> None:
    """Raise WarehouseError where LISTAGG, PERCENTILE_CONT and MEDIAN of one SELECT are ordered by different values.

    docs.aws.amazon.com/redshift/latest/dg/r_PERCENTILE_CONT.html, r_MEDIAN.html: several calls in a statement must use
    the same ORDER BY values; MEDIAN is ordered by its argument.
    """
    orders: set[str] = set()
    for each in select.expressions:
        for found in each.find_all(exp.WithinGroup, exp.Median):
            if found.find_ancestor(exp.Select) is not select or isinstance(found.parent, exp.Window):
                continue
            if isinstance(found, exp.Median):
                orders.add(found.this.sql())
            else:
                orders.add(", ".join(item.this.sql() for item in found.expression.expressions))
    if len(orders) > 1:
        raise WarehouseError("ERROR: within group ORDER BY clauses for aggregate functions must be the same")


SUPPORTED_NOT = "ERROR: This type of correlated subquery pattern is not supported yet"
OUTER = ("LEFT", "RIGHT", "FULL")


def _correlation(select: exp.Select) -> None:
    """Raise WarehouseError for a correlated subquery that Redshift can't decorrelate.

    Of docs.aws.amazon.com/redshift/latest/dg/r_correlated_subqueries.html: a reference that skips a query block, one
    from the ON clause of an outer join, one from a subquery with a window function. Only qualified names are looked at.
    """
    outer = list(_enclosing(select))
    if not outer:
        return
    own = _named(select)
    correlated = False
    for column in select.find_all(exp.Column):
        if column.find_ancestor(exp.Select) is not select or not column.table or column.table.lower() in own:
            continue
        level = next((n for n, each in enumerate(outer, 1) if column.table.lower() in _named(each)), 0)
        correlated = correlated or level == 1
        if level > 1:
            raise WarehouseError(SUPPORTED_NOT)
    if not correlated:
        return
    join = select.find_ancestor(exp.Join, exp.Select)
    if isinstance(join, exp.Join) and join.side in OUTER:
        raise WarehouseError(SUPPORTED_NOT)
    if any(window.find_ancestor(exp.Select) is select for window in select.find_all(exp.Window)):
        raise WarehouseError(SUPPORTED_NOT)


def _enclosing(select: exp.Select) -> Iterator[exp.Select]:
    """Yield the query blocks around a subquery, from within; the body of a WITH can't refer to what is around it."""
    around = select.find_ancestor(exp.Select, exp.CTE)
    while isinstance(around, exp.Select):
        yield around
        around = around.find_ancestor(exp.Select, exp.CTE)


def _named(select: exp.Select) -> set[str]:
    """Return the names of what a query block selects from."""
    found = {join.this for join in select.args.get("joins") or []}
    if from_ := select.args.get("from_") or select.args.get("from"):
        found.add(from_.this)
    return {each.alias_or_name.lower() for each in found}


FULL = re.compile(r"\b(?:FULL|RIGHT)\s+(?:OUTER\s+)?JOIN\b", re.I)


def check_super(tree: exp.Expr, columns: Container[str]) -> None:
    """Raise WarehouseError where a SUPER value goes through a right or full join.

    docs.aws.amazon.com/redshift/latest/dg/limitations-super.html. `columns` are the names of the columns of that type.
    """
    for select in tree.find_all(exp.Select):
        if not any(join.side in {"RIGHT", "FULL"} for join in select.args.get("joins") or []):
            continue
        names = _named(select)
        for each in select.find_all(exp.Table, exp.Column):
            unnested = isinstance(each, exp.Table) and each.db.lower() in names
            if each.find_ancestor(exp.Select) is select and (
                unnested or (isinstance(each, exp.Column) and any(part.name.lower() in columns for part in each.parts))
            ):
                raise WarehouseError("ERROR: SUPER is not supported in right or full outer joins")
