"""Keep findings in the warehouse, from the run that finds them until they are mended or somebody resolves them.

A finding has one of four kinds:
    orphaned    rows whose file is gone
    unreadable  a tweet file that can't be loaded as it is
    refused     a good tweet file that the warehouse refuses
    unanswered  failed records of which some tweets are in no row

It is outstanding until a run no longer finds it (closed: `mended`, `replaced` by rows of another file, or `changed`
into another finding), or until somebody resolves it (resolved: still so, and accepted). A resolved finding whose file
has changed since, or that has more tweets in no row than when it was resolved, is closed as `changed` and opened anew.
Each run reports all outstanding findings, also those of hours that it did not look at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from chalicelib.warehouse import data_api
from chalicelib.warehouse.statements import sections

SQL = sections("reconcile/findings")


TO_DO = {
    "orphaned": "Restore the file: the bucket keeps earlier versions. Or replay its hour: once each of its tweets is a "
    "row of another file, the next run that checks its hour closes this.",
    "unreadable": "Restore an earlier version of the file: the next run that checks its hour loads it. Or replay its "
    "hour, check that its tweets are there, and resolve this.",
    "refused": "Fix the cause that the detail names: each run tries the file again. If you can't fix it, replay its "
    "hour and resolve this.",
    "unanswered": "Send its records again: once each of their tweets is a row, the next run that checks its hour "
    "closes this.",
}
"""What to do about each kind; docs/operations.md has the commands."""

# ---- what a run does, within the transaction that ends it


class Kept(NamedTuple):
    """What is open when a run ends: the answers to KEPT and WORST."""

    counts: Sequence[Mapping[str, Any]]
    worst: Sequence[Mapping[str, Any]]

    def total(self, status: str, what: str = "findings", kind: str = "") -> int:
        """Return the sum of `findings`, `tweets` or `untold` of a status, of one kind if it is named."""
        return sum(int(row[what]) for row in self.counts if row["status"] == status and kind in {"", row["kind"]})


def statements(answered_copy: str) -> list[str]:
    """Return the statements that update `disaster.finding`.

    `answered_copy`: the COPY of the files of records of which nothing is lost any more; empty where there are none.
    """
    answered = [SQL["answered_file"], answered_copy, SQL["answered"]] if answered_copy else []
    return [
        *[SQL["trouble"], SQL["troubled"], SQL["mended"], SQL["no_orphans"], *answered],
        *[SQL["of_another_kind"], SQL["changed"], SQL["seen"], SQL["opened"], SQL["replaced"], SQL["accepted"]],
    ]


# ---- what people ask and do


def read(patience: float) -> tuple[list[data_api.Row], list[data_api.Row]]:
    """Return the outstanding findings, the newest first, and the settled ones, the latest first; up to LISTED each.

    Raises WarehouseError; StillRunningError after `patience` seconds.
    """
    done = data_api.run([SQL["outstanding"], SQL["settled"]], patience=patience)
    return data_api.rows_of(f"{done}:1"), data_api.rows_of(f"{done}:2")


def resolve(finding_id: str, caller: str, reason: str, request_id: str, patience: float) -> data_api.Row | None:
    """Record who resolved an outstanding finding, and why; return the finding, None if there is none.

    Resolving it again changes nothing. Raises as `read`.
    """
    given = {"finding": finding_id, "caller": caller, "reason": reason, "request": request_id or "none"}
    done = data_api.run([SQL["resolve"], SQL["one"]], given, patience=patience)
    rows = data_api.rows_of(f"{done}:2")
    return rows[0] if rows else None
