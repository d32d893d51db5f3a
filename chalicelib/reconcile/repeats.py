"""Find repeated tweets as they are loaded, and keep them in `disaster.repeated_tweet`.

A look takes the rows that were loaded since the last look, and finds other rows with their keys. After each load it
searches rows of the last two days, or since the earliest that was repaired, so its cost depends on what is new. Once a
day, with the sweep, it searches the whole table, for all rows loaded since the day before the last sweep and for all
tweets that are repeated already. So copies within two days are one tweet after a run, others after a day. The sweep
also sees rows that were deleted, and rows of hours that no run looked at.

A look depends only on the present rows, so it can be repeated. It changes no rows: a repair may delete and load them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chalicelib import times
from chalicelib.reconcile import hours, transaction
from chalicelib.reconcile.compare import Known
from chalicelib.reconcile.job import Job
from chalicelib.warehouse.statements import sections

SQL = sections("reconcile/repeats")

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
OVERLAP = timedelta(days=1)
"""By which a sweep looks back behind the last one: the longest that a COPY may be under way, for its rows say when it
began. A statement ends after 24 hours: docs.aws.amazon.com/redshift/latest/mgmt/data-api.html"""


def find(job: Job, known: Known, repaired_since: datetime | None, patience: float) -> None:
    """Update `disaster.repeated_tweet`, if anything may have changed.

    `repaired_since`: no row that this run has loaded arrived before; None where it loaded none. Raises WarehouseError.
    """
    if job.sweep:
        since = known.last_sweep - OVERLAP if known.last_sweep else ALWAYS
        given = {"since": times.sql(ALWAYS), "loaded_since": times.sql(since)}
        # Rows are wide: only where the last ones of what is found lie are they read.
        asked = [SQL["new_and_known"], SQL["repeats"], SQL["last_of_found"]]
        ((row,),) = transaction.run(asked, given, answers=1, patience=patience)
        last_since = times.sql(row["since"] or job.now)
        _write(job, SQL["new_and_known"], {**given, "last_since": last_since}, patience)
    elif repaired_since or known.new_rows:
        since = hours.recent(job.now).start
        since = min(since, repaired_since) if repaired_since else since
        _write(job, SQL["new"], {"since": times.sql(since), "last_since": times.sql(since)}, patience)


def _write(job: Job, new: str, given: dict[str, str], patience: float) -> None:
    transaction.run(statements(new), {**given, "id": job.id}, answers=0, patience=patience)


def statements(new: str) -> list[str]:
    """Return the transaction of a look; `new`: the statement `new`, or `new_and_known`.

    The lock comes first: no other look adds the same tweets, and no text comes back that is being erased.
    """
    return [transaction.SQL["lock"], new, SQL["repeats"], SQL["outdated"], SQL["found"], SQL["seen"]]
