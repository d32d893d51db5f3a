"""The reconciler's transactions: each can be repeated, so a statement that the Data API loses is simply run again.

A transaction sees the warehouse as it was at its first statement that reads or writes, CREATE TABLE included. A write
that then waits for another transaction still works on that old snapshot. LOCK takes no snapshot, so a transaction that
begins with it sees all that was committed before it got the lock.
docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html, docs.aws.amazon.com/redshift/latest/dg/r_LOCK.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chalicelib.warehouse import data_api
from chalicelib.warehouse.data_api import PATIENCE, Row

ATTEMPTS = 3

LOCK = "LOCK disaster.reconciler_lock"
"""First in a transaction that adds rows to the reconciler's books after it has looked that they are not there: no key
is enforced, and of two runs at once both would find them absent. Nobody reads this table, so LOCK stops no analyst."""

LOCK_TWEETS = "LOCK disaster.reconciler_lock, disaster.disaster_tweets"
"""First in a repair where Firehose runs COPY too. Whoever reads the tweets waits until the repair is done."""


def run(
    statements: Sequence[str], parameters: Mapping[str, str] | None = None, *, answers: int, patience: float = PATIENCE
) -> list[list[Row]]:
    """Run statements as one transaction: the rows of the last `answers` of them.

    Raises WarehouseError when nothing was committed (StillRunningError and StatementLostError: it may be).
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            done = data_api.run(statements, parameters, patience=patience)
            last = len(statements)
            return [data_api.rows_of(f"{done}:{number}") for number in range(last - answers + 1, last + 1)]
        except data_api.StatementLostError:  # it ran or it didn't
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")
