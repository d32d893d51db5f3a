"""Run the reconciler's transactions. Each can be repeated, so a statement that the Data API loses is run again.

A transaction sees the warehouse as it was at its first statement that reads or writes, CREATE TABLE included. A write
that then waits for another transaction still works on that old snapshot. LOCK takes no snapshot, so a transaction that
begins with it sees all that was committed before it got the lock.
docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html, docs.aws.amazon.com/redshift/latest/dg/r_LOCK.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chalicelib.settings import settings
from chalicelib.warehouse import data_api
from chalicelib.warehouse.data_api import PATIENCE, Row
from chalicelib.warehouse.statements import sections

SQL = sections("reconcile/transaction")
ATTEMPTS = 3


def lock() -> str:
    """Return the statement that comes first where rows of tweets are changed. Firehose, if it loads, is locked out."""
    return SQL["lock"] if settings().delivery == "reconcile" else SQL["lock_tweets"]


def run(
    asked: Sequence[str], parameters: Mapping[str, str] | None = None, *, answers: int, patience: float = PATIENCE
) -> list[list[Row]]:
    """Run statements as one transaction: the rows of the last `answers` of them.

    Raises WarehouseError when nothing was committed (StillRunningError and StatementLostError: it may be).
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            done = data_api.run(asked, parameters, patience=patience)
            last = len(asked)
            return [data_api.rows_of(f"{done}:{number}") for number in range(last - answers + 1, last + 1)]
        except data_api.StatementLostError:  # it ran or it didn't
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")
