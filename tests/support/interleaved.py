"""Transactions of the warehouse run a statement at a time, in an order that a test chooses, by Redshift's rules.

The rules: a transaction's snapshot is taken at its first statement that is no LOCK; a table that is written, or locked,
is held until the end of the transaction, and others wait for it; a row that was changed since the snapshot can't be
changed (error 1023).
docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html, docs.aws.amazon.com/redshift/latest/dg/r_LOCK.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import duckdb

from local.aws.warehouse.dialect import is_copy, translate
from tests.support.warehouses import Scratch

WRITES = re.compile(r"\s*(?:COPY|INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+(disaster\.\w+)", re.IGNORECASE)
LOCK = re.compile(r"\s*LOCK\s+(.*)", re.IGNORECASE)


class Transaction:
    """One transaction under way: `step()` runs its next statement unless that has to wait."""

    def __init__(
        self,
        house: Scratch,
        held: dict[str, Transaction],
        statements: Sequence[str],
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        self.house, self.held = house, held
        self.statements, self.parameters = statements, parameters
        self.done, self.committed, self.undone = 0, False, 0
        self._open = house.warehouse.session()
        self._session = self._open.__enter__()
        self._begun = False

    def step(self) -> bool:
        """Run the next statement, or commit behind the last one; False where it has to wait, or has ended."""
        if self.committed:
            return False
        if self.done == len(self.statements):
            self._cursor.execute("COMMIT" if self._begun else "SELECT 1")
            self.committed = True
            self._release()
            return True
        sql = self.statements[self.done]
        if not self._take(tables(sql)):
            return False
        if not LOCK.match(sql):
            try:
                self._execute(sql)
            except duckdb.TransactionException:  # error 1023: undone, and the Data API's caller runs it again
                self._cursor.execute("ROLLBACK")
                self._release()
                self._begun, self.done = False, 0
                self.undone += 1
                return True
        self.done += 1
        return True

    def go_on(self, until: int | None = None) -> None:
        """Run as far as it can, or until so many statements are done."""
        while (until is None or self.done < until) and self.step():
            pass

    @property
    def began(self) -> bool:
        """Whether it holds what it writes first."""
        return self.done > 0

    def close(self) -> None:
        self._open.__exit__(None, None, None)

    @property
    def _cursor(self) -> duckdb.DuckDBPyConnection:
        return self._session._cursor

    def _execute(self, sql: str) -> None:
        if not self._begun:
            self._cursor.execute("BEGIN TRANSACTION")
            self._cursor.execute("SELECT COUNT(*) FROM disaster.migration").fetchall()  # the snapshot is of now
            self._begun = True
        self._session._one(self.done, sql, None if is_copy(sql) else translate(sql, self.parameters))

    def _take(self, names: set[str]) -> bool:
        if any(self.held.get(name, self) is not self for name in names):
            return False
        self.held.update(dict.fromkeys(names, self))
        return True

    def _release(self) -> None:
        for name in [name for name, holder in self.held.items() if holder is self]:
            del self.held[name]


def tables(sql: str) -> set[str]:
    """The tables of the schema that a statement holds on to."""
    if lock := LOCK.match(sql):
        return set(re.split(r"\s*,\s*", lock[1].strip()))
    written = WRITES.match(sql)
    return {written[1].lower()} if written else set()


@contextmanager
def interleaved(
    house: Scratch, *planned: tuple[Sequence[str], Mapping[str, str] | None]
) -> Iterator[list[Transaction]]:
    """Transactions that have not begun, side by side on one warehouse."""
    held: dict[str, Transaction] = {}
    made = [Transaction(house, held, statements, parameters) for statements, parameters in planned]
    try:
        yield made
    finally:
        for each in made:
            each.close()
