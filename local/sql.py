"""Run `python -m local sql`: execute one statement in the local warehouse and print its result."""

from __future__ import annotations

import argparse
import csv
import os
import re
import sys
import unicodedata
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

import orjson
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from local import server

Rows = Sequence[Sequence[Any]]

NARROWEST = 24  # cells that a text needs to be read in a table; what has no spaces is never broken
EPILOG = """\
A table that is too wide for the terminal is printed expanded: one column a line. Times are UTC, always
YYYY-MM-DD HH:MM:SS.mmm, with microseconds where there are any. In json and jsonl the second of two columns named
`count` is `count_2`. Without --write a statement that would change something is refused.
"""


class ReadOnlyError(Exception):
    """The statement would change the warehouse, and --write was not given."""


def main(argv: Sequence[str], home: Path) -> int:
    """Run `python -m local sql` and return its exit status; `home` where --home doesn't say."""
    parser = argparse.ArgumentParser(
        prog="python -m local sql",
        description="Prints what a query finds in the warehouse, of the running server or of the one that ran last.",
        epilog=EPILOG,
    )
    parser.add_argument("statement", help='one statement, for example "select count(*) from disaster.tweet"')
    parser.add_argument("--home", type=Path, default=home, help=f"where the server's state lives ({home})")
    parser.add_argument("--format", choices=("table", "csv", "json", "jsonl"), default="table", help="(table)")
    parser.add_argument("--expanded", action="store_true", help="a table with one column a line")
    parser.add_argument("--write", action="store_true", help="let the statement change the warehouse")
    arguments = parser.parse_args(argv)
    try:
        if not arguments.write:
            check_reads(arguments.statement)
        names, rows = ask(arguments.home, arguments.statement)
    except Exception as error:
        complain(error, arguments.home)
        return 1
    try:
        if arguments.format == "table":
            print_table(names, rows, arguments.expanded, Console(soft_wrap=True))
        else:
            {"csv": write_csv, "json": write_json, "jsonl": write_jsonl}[arguments.format](names, rows, sys.stdout)
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def complain(error: Exception, home: Path) -> None:
    """Print what went wrong, in one line, and what to do where the warehouse is not set up."""
    from chalicelib.warehouse import data_api
    from local.aws.warehouse.errors import WarehouseError

    known = isinstance(error, data_api.WarehouseError | WarehouseError | ReadOnlyError | FileNotFoundError)
    said = str(error) if known else f"{type(error).__name__}: {error}"
    if re.search(r'(schema|relation) "disaster\b\S*" does not exist', said) and not _is_set_up(home):
        announced = server.running(home)
        where = f"curl --json '{{}}' {announced['admin_url']}/warehouse/setup" if announced else "make local"
        said += f"\nThe warehouse is not set up yet. POST /warehouse/setup does that: {where}"
    Console(stderr=True, soft_wrap=True).print(said, style="red", markup=False, highlight=False)


def _is_set_up(home: Path) -> bool:
    try:
        ask(home, "SELECT COUNT(*) FROM disaster.migration")
    except Exception:
        return False
    return True


def check_reads(statement: str) -> None:
    """Raise ReadOnlyError unless the statement only reads; WarehouseError for invalid SQL."""
    from local.aws.warehouse import dialect

    if dialect.is_copy(statement) or not dialect.translate(statement).reads:
        verb = " ".join(dialect.bare(statement).split()[:1]).upper()
        raise ReadOnlyError(f"{verb} is no query: it may change the warehouse. Add --write if that is what you want")


def ask(home: Path, statement: str) -> tuple[list[str], Rows]:
    """Return column names and rows: over the Data API while a server runs, else from the warehouse's file.

    Both are empty where the statement has no result. Raises FileNotFoundError where there is no warehouse.
    """
    from chalicelib.warehouse import data_api

    announced = server.running(home)
    if announced is None:
        if not (home / "warehouse.duckdb").exists():
            raise FileNotFoundError(f"There is no warehouse in {home}: serve one (make local), or name another --home")
        from local.aws import warehouse

        columns, records = warehouse.query(home, statement)
        return [column["name"] for column in columns], data_api.decoded(columns, records)
    os.environ |= {
        "AWS_ENDPOINT_URL": announced["endpoint_url"],
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": server.REGION,
        "STAGE": server.STAGE,
    }
    from chalicelib import clients

    ran = data_api.execute(statement)
    if not clients.redshift_data().describe_statement(Id=ran).get("HasResultSet"):
        return [], []
    return data_api.table_of(ran)


# ------------------------------------------------------------------ values


def moment(value: datetime) -> str:
    """Return a time as `YYYY-MM-DD HH:MM:SS.mmm`, UTC, with microseconds where it has any."""
    return value.replace(tzinfo=None).isoformat(" ", "microseconds" if value.microsecond % 1000 else "milliseconds")


def as_json(value: Any) -> Any:
    """Return what stands for a value in JSON: times and dates as text, NUMERIC as a number, SUPER as it is."""
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, date | time):
        return str(value)
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return value.hex()
    return value


def as_text(value: Any) -> str:
    """Return a value as text, None as nothing; SUPER is JSON."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    return str(value)


# ------------------------------------------------------------------ for programs


def write_csv(names: Sequence[str], rows: Rows, file: TextIO) -> None:
    """Write a header and a line a row; null is an empty field."""
    writer = csv.writer(file, lineterminator="\n")
    if names:
        writer.writerow(names)
    writer.writerows([as_text(value) for value in row] for row in rows)


def write_json(names: Sequence[str], rows: Rows, file: TextIO) -> None:
    """Write an array of objects."""
    lines = ",\n".join(map(_object(names), rows))
    file.write(f"[\n{lines}\n]\n" if lines else "[]\n")


def write_jsonl(names: Sequence[str], rows: Rows, file: TextIO) -> None:
    """Write an object a line."""
    file.writelines(f"{line}\n" for line in map(_object(names), rows))


def _object(names: Sequence[str]) -> Any:
    keys = distinct(names)

    def dumped(row: Sequence[Any]) -> str:
        return orjson.dumps(dict(zip(keys, map(as_json, row), strict=True)), option=orjson.OPT_NON_STR_KEYS).decode()

    return dumped


def distinct(names: Sequence[str]) -> list[str]:
    """Return the names, the second `count` as `count_2`, the third as `count_3`: an object has each name once."""
    found: list[str] = []
    for name in names:
        nth, key = 1, name
        while key in found:
            nth += 1
            key = f"{name}_{nth}"
        found.append(key)
    return found


# ------------------------------------------------------------------ for people


def print_table(names: Sequence[str], rows: Rows, expanded: bool, console: Console) -> None:
    """Print a table, or one column a line where that was asked for or the table doesn't fit the terminal."""
    cells = [[Text("null", "dim") if value is None else Text(visible(as_text(value))) for value in row] for row in rows]
    width = console.width if console.is_terminal else sys.maxsize  # a file has no edge
    if names and (expanded or _least_width(names, cells) > width):
        _print_expanded(names, cells, console)
    elif names:
        table = Table()
        for number, name in enumerate(names):
            texts = [row[number].plain for row in cells]
            right = bool(rows) and all(_is_number(row[number]) for row in rows)
            breaks = _breaks(name, texts)
            table.add_column(
                Text(name),
                justify="right" if right else "left",
                no_wrap=not breaks,
                min_width=min(NARROWEST, _widest(name, texts)) if breaks else _widest(name, texts),
                overflow="fold",
            )
        for row in cells:
            table.add_row(*row)
        natural = sum(_widest(name, [row[n].plain for row in cells]) + 3 for n, name in enumerate(names)) + 1
        console.width = min(width, natural)
        console.print(table, soft_wrap=False)
    said = f"{len(rows):,} row{'' if len(rows) == 1 else 's'}" if names else "Done; the statement has no result"
    console.print(said, style="dim", highlight=False)


def _print_expanded(names: Sequence[str], cells: Sequence[Sequence[Text]], console: Console) -> None:
    """Print each row under its number. The terminal breaks long lines, so that what is copied from it is whole."""
    widest = max(map(cell_len, names))
    for number, row in enumerate(cells, 1):
        console.print(Text(f"row {number:,} ".ljust(widest + 2, "-"), "dim"))
        for name, cell in zip(names, row, strict=True):
            console.print(Text.assemble((name + " " * (widest - cell_len(name)), "bold"), "  ", cell))


def _least_width(names: Sequence[str], cells: Sequence[Sequence[Text]]) -> int:
    """Return how many cells the table needs if no word without spaces is broken."""
    total = 3 * len(names) + 1  # lines and padding
    for number, name in enumerate(names):
        texts = [row[number].plain for row in cells]
        widest = _widest(name, texts)
        total += min(NARROWEST, widest) if _breaks(name, texts) else widest
    return total


def _breaks(name: str, texts: Sequence[str]) -> bool:
    """Return whether a column may be wrapped: it holds texts, no ids, keys, numbers or times."""
    longest = max(texts, key=cell_len, default="")
    return " " in longest and cell_len(longest) > NARROWEST + 2 and cell_len(name) <= NARROWEST


def _widest(name: str, texts: Sequence[str]) -> int:
    return max(map(cell_len, (name, *texts)))


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float | Decimal) and not isinstance(value, bool))


def visible(text: str) -> str:
    """Return the text with control characters escaped: a tweet must not steer the terminal or break the table."""
    if text.isprintable():
        return text
    return "".join(
        repr(character)[1:-1]
        if unicodedata.category(character) == "Cc" or unicodedata.bidirectional(character) in BIDIRECTIONAL
        else character
        for character in text
    )


BIDIRECTIONAL = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
