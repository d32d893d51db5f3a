"""The reconciler's transactions: each can be repeated, so a statement that the Data API loses is simply run again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chalicelib.warehouse import data_api
from chalicelib.warehouse.data_api import PATIENCE, Row

ATTEMPTS = 3


def run(
    statements: Sequence[str], parameters: Mapping[str, str] | None = None, *, answers: int, patience: float = PATIENCE
) -> list[list[Row]]:
    """Runs statements as one transaction: the rows of the last `answers` of them.

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
