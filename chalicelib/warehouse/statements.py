"""Read the app's own SQL from `sql/`. Its values are parameters, `:value`; none is ever pasted into it. Only
COPY, which takes no parameters, is built in Python (copy.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "sql"
"""At the root of the repository, and of the bundle."""
COMMENT = re.compile(r"^ *--(?! (?:for each|end of) window$).*\n", re.MULTILINE)
WINDOW, END = "-- for each window\n", "-- end of window\n"
PARAMETER = re.compile(r"(?<![:\w]):([a-z]\w*)")


@cache
def named(name: str) -> str:
    """Return the one statement of `sql/<name>.sql`, without its comments."""
    (statement,) = plain((FOLDER / f"{name}.sql").read_text()).split(";")
    return statement


@cache
def sections(name: str) -> Mapping[str, str]:
    """Return the statements of `sql/<name>.sql` by their names, without comments: the Data API takes `:value` there for
    a parameter, too. Each follows a line `-- name: its_name` and ends with a semicolon.
    """
    statements = {}
    for section in (FOLDER / f"{name}.sql").read_text().split("-- name: ")[1:]:
        named, _, body = section.partition("\n")
        statements[named] = plain(body)
    return statements


def plain(body: str) -> str:
    """Return a statement without its comments, which have lines of their own, and without its semicolon."""
    return COMMENT.sub("", body).strip().removesuffix(";")


def for_windows(sql: str, windows: int) -> str:
    """Return a statement that reads so many windows of a table, the first with the parameters `:since_1` and so on.

    The text between `-- for each window` and `-- end of window` reads one window. It is repeated, for each SELECT
    of its own reads its own blocks only.
    """
    before, marked, rest = sql.partition(WINDOW)
    parts = [before]
    while marked:
        read, _, after = rest.partition(END)
        parts.append("UNION ALL\n".join(PARAMETER.sub(rf":\1_{n}", read) for n in range(1, windows + 1)))
        before, marked, rest = after.partition(WINDOW)
        parts.append(before)
    return "".join(parts)
