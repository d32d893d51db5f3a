"""Lock tables until a transaction ends, as Redshift does under snapshot isolation.

INSERT and COPY share a table; UPDATE, DELETE, MERGE have it among writers alone; DDL and LOCK keep readers out too:
docs.aws.amazon.com/redshift/latest/dg/c_write_readwrite.html, docs.aws.amazon.com/redshift/latest/dg/r_LOCK.html,
repost.aws/knowledge-center/prevent-locks-blocking-queries-redshift.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import lru_cache

import duckdb
from sqlglot import exp, parse_one

from local.aws.warehouse import copy as copying
from local.aws.warehouse import rights
from local.aws.warehouse import unload as unloading
from local.aws.warehouse.dialect import APPEND, bare, is_copy, read
from local.aws.warehouse.errors import CONFLICT, WarehouseError


class Mode(IntEnum):
    """What a transaction does to a table; each keeps out what those before it keep out."""

    READ = 1
    ADD = 2
    CHANGE = 3
    ALONE = 4


KEPT_OUT = {
    Mode.READ: {Mode.ALONE},
    Mode.ADD: {Mode.CHANGE, Mode.ALONE},
    Mode.CHANGE: {Mode.ADD, Mode.CHANGE, Mode.ALONE},
    Mode.ALONE: set(Mode),
}
BOTH: set[type[exp.Expr]] = {exp.Update, exp.Delete}
CATALOG = "pg_catalog"
"""Locked by whatever changes names or rights: the local warehouse keeps them in tables of its own."""
SYSTEM = ("main.", "pg_catalog.", "information_schema.", "pg_internal.")

Wanted = Mapping[str, Mode]


class Turn:
    """What one transaction holds, when it took its snapshot, and which rows of which tables it changed."""

    def __init__(self) -> None:
        self.held: dict[str, Mode] = {}
        self.snapshot: int | None = None
        self.changed: set[tuple[str, type[exp.Expr]]] = set()


class Locks:
    """Who holds which table. A wait that would never end is refused: *deadlock detected*."""

    def __init__(self) -> None:
        self._freed = threading.Condition()
        self._turns: set[Turn] = set()
        self._waiting: dict[Turn, Wanted] = {}
        self._commits = 0
        self._changed: dict[tuple[str, type[exp.Expr]], int] = {}  # the last commit that did so to a table

    def take(self, turn: Turn, wanted: Wanted, given_up: Callable[[], bool] = lambda: False) -> None:
        """Wait for tables. Raise WarehouseError for a deadlock, duckdb.InterruptException once nobody wants them."""
        with self._freed:
            try:
                while not self._granted(turn, wanted):
                    self._waiting[turn] = wanted
                    if self._waits_for(turn, turn):
                        raise WarehouseError("ERROR: deadlock detected")  # of PostgreSQL 8.0, lmgr/deadlock.c
                    self._freed.wait(0.05)
                    if given_up():
                        raise duckdb.InterruptException("INTERRUPT Error: Interrupted!")
            finally:
                self._waiting.pop(turn, None)

    def taken(self, turn: Turn, wanted: Wanted) -> bool:
        """Take tables if nobody is in the way; return whether they were taken."""
        with self._freed:
            return self._granted(turn, wanted)

    def see(self, turn: Turn) -> None:
        """Note that the transaction takes its snapshot now."""
        with self._freed:
            turn.snapshot = self._commits

    def change(self, turn: Turn, table: str, kind: type[exp.Expr]) -> None:
        """Note an UPDATE, DELETE or MERGE. Raise WarehouseError where it meets rows that others changed meanwhile.

        DuckDB finds two UPDATEs and two DELETEs of a row, but not one of each: those conflict by table here.
        """
        with self._freed:
            last = max((self._changed.get((table, other), 0) for other in BOTH - {kind}), default=0)
        if turn.snapshot is not None and last > turn.snapshot:
            raise WarehouseError(CONFLICT)
        turn.changed |= {(table, each) for each in ({kind} & BOTH or BOTH)}  # MERGE does both

    def end(self, turn: Turn, *, committed: bool) -> None:
        """Give everything back."""
        with self._freed:
            if committed and turn.changed:
                self._commits += 1
                self._changed.update(dict.fromkeys(turn.changed, self._commits))
            self._turns.discard(turn)
            turn.held, turn.snapshot, turn.changed = {}, None, set()
            self._freed.notify_all()

    def wait_for_all(self) -> None:
        """Wait until no transaction holds a table."""
        with self._freed:
            self._freed.wait_for(lambda: not self._turns)

    def _granted(self, turn: Turn, wanted: Wanted) -> bool:
        if self._in_the_way(turn, wanted):
            return False
        for table, mode in wanted.items():
            turn.held[table] = max(mode, turn.held.get(table, mode))
        if turn.held:
            self._turns.add(turn)
        return True

    def _in_the_way(self, turn: Turn, wanted: Wanted) -> set[Turn]:
        return {
            other
            for other in self._turns - {turn}
            if any(other.held.get(table) in KEPT_OUT[mode] for table, mode in wanted.items())
        }

    def _waits_for(self, turn: Turn, goal: Turn, seen: frozenset[Turn] = frozenset()) -> bool:
        if turn not in self._waiting:
            return False
        ahead = self._in_the_way(turn, self._waiting[turn]) - seen
        return goal in ahead or any(self._waits_for(each, goal, seen | ahead) for each in ahead)


def wanted(sql: str, views: Mapping[str, frozenset[str]]) -> dict[str, Mode]:
    """Return what a statement locks; a temporary table that is there already too. `views`: the tables that each reads.

    Raises WarehouseError for what can't be read.
    """
    text = bare(sql)
    found: dict[str, Mode] = {}
    if unloading.is_unload(sql):
        return wanted(unloading.parse(sql).query, views)
    if is_copy(sql):
        found[rights.normal(copying.parse(sql).table)] = Mode.ADD
    elif lock := rights.LOCK.match(text):
        found |= dict.fromkeys(map(rights.normal, lock["tables"].split(",")), Mode.ALONE)
    elif rights.UNREAD.match(text):
        append = APPEND.match(text)
        altered = append.groups() if append else [match["table"]] if (match := rights.ALTERED.match(text)) else []
        if text[:5].upper() == "ALTER":
            found |= dict.fromkeys(map(rights.normal, altered), Mode.ALONE)
        if rights.MEANT.match(text):
            found[CATALOG] = Mode.CHANGE
    else:
        found |= _by_tree(text, views)
    return {name: mode for name, mode in found.items() if not name.startswith(SYSTEM)}


def views(cursor: duckdb.DuckDBPyConnection) -> dict[str, frozenset[str]]:
    """Return the tables and views that each view reads, at any depth."""
    query = "SELECT schema_name || '.' || view_name, sql FROM duckdb_views() WHERE NOT internal"
    direct = {name: _read_by(sql) for name, sql in cursor.execute(query).fetchall() if not name.startswith(SYSTEM)}
    return {name: frozenset(_reached(name, direct) - {name}) for name in direct}


@lru_cache(256)
def _read_by(view: str) -> frozenset[str]:
    # Not by get_table_names() of DuckDB 2.0.0: the views that it meets have columns of the type "NULL" afterwards.
    return frozenset(map(rights.name_of, parse_one(view, read="duckdb").find_all(exp.Table)))


def _reached(name: str, direct: Mapping[str, frozenset[str]]) -> set[str]:
    found, todo = {name}, [name]
    while todo:
        new = direct.get(todo.pop(), frozenset()) - found
        found |= new
        todo += new
    return found


@lru_cache(1024)
def _named(sql: str) -> frozenset[str]:
    return frozenset(map(rights.name_of, read(sql).find_all(exp.Table)))


def _by_tree(sql: str, views: Mapping[str, frozenset[str]]) -> dict[str, Mode]:
    tree, found = read(sql), dict[str, Mode]()
    for name in _named(sql):
        found |= dict.fromkeys({name, *views.get(name, ())}, Mode.READ)
    if isinstance(tree, exp.Create | exp.Drop | exp.Alter):
        if tree.find(exp.TemporaryProperty):
            return found
        found[CATALOG] = Mode.CHANGE
        made = rights.written(tree)
        targets = tree.args.get("tables") or [] if isinstance(tree, exp.Drop) else [made or tree.this]
        found |= {rights.name_of(each): Mode.ALONE for each in targets if isinstance(each, exp.Table) and each.name}
    elif isinstance(tree, exp.TruncateTable):
        found |= {rights.name_of(each): Mode.ALONE for each in tree.expressions}
    elif target := rights.written(tree):
        found[rights.name_of(target)] = Mode.ADD if isinstance(tree, exp.Insert) else Mode.CHANGE
    return found
