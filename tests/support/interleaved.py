"""Transactions of the warehouse run a statement at a time, in an order that a test chooses, by Redshift's rules.

The rules are the local warehouse's: `local/aws/warehouse/locks.py`. Where a transaction would wait, the test goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import duckdb

from local.aws.warehouse.database import StatementError
from local.aws.warehouse.dialect import is_copy, translate
from local.aws.warehouse.errors import CONFLICT, in_words_of_redshift
from tests.support.warehouses import Scratch


class Transaction:
    """One transaction under way: `step()` runs its next statement unless that has to wait."""

    def __init__(self, house: Scratch, statements: Sequence[str], parameters: Mapping[str, str] | None = None) -> None:
        self.statements, self.parameters = statements, parameters
        self.done, self.committed, self.undone = 0, False, 0
        self._open = house.warehouse.session()
        self._session = self._open.__enter__()

    def step(self) -> bool:
        """Run the next statement, or commit behind the last one; False where it has to wait, or has ended."""
        if self.committed:
            return False
        if self.done == len(self.statements):
            self._session.commit()
            self.committed = True
            return True
        sql = self.statements[self.done]
        try:
            if not self._session.ready("BEGIN TRANSACTION", self.done, sql, wait=False):
                return False
            self._session.one(self.done, sql, None if is_copy(sql) else translate(sql, self.parameters))
        except (StatementError, duckdb.TransactionException) as error:
            said = in_words_of_redshift(error) if isinstance(error, duckdb.Error) else str(error)
            assert said == CONFLICT, said
            self._session.roll_back()  # undone, and the Data API's caller runs it again
            self.done = 0
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
        self._session.roll_back()
        self._open.__exit__(None, None, None)


@contextmanager
def interleaved(
    house: Scratch, *planned: tuple[Sequence[str], Mapping[str, str] | None]
) -> Iterator[list[Transaction]]:
    """Transactions that have not begun, side by side on one warehouse."""
    made = [Transaction(house, statements, parameters) for statements, parameters in planned]
    try:
        yield made
    finally:
        for each in made:
            each.close()
