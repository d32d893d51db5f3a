"""Remove rows that are older than the stage keeps them. Objects expire by the bucket's own rules."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from chalicelib import layout, times
from chalicelib.erasures import rows
from chalicelib.reconcile import transaction
from chalicelib.settings import settings
from chalicelib.warehouse import data_api
from chalicelib.warehouse.statements import sections

DAY = timedelta(days=1)
MOST_DAYS = 31  # removed in one pass, a transaction each
LATEST = 2 * DAY  # after its file's hour a row may arrive: see chalicelib/reconcile/hours.py

SQL = sections("erasures/retention")
OLD = ("tweets", "repeated", "shown", "files", "hours", "findings", "reconciliations")
"""What is removed, in this order: the rows, and the books of them."""


def remove_old(now: datetime, deadline: float) -> int:
    """Remove rows of days before the last `row_days`, the oldest day first; return how many days that were.

    A transaction removes a day, so that what it costs is bounded, until `deadline` (monotonic). The IDs on the list of
    what was erased go likewise, after `erasure_days`.
    """
    rows.forget(now - timedelta(days=settings().erasure_days))
    limit = midnight(now - timedelta(days=settings().row_days))
    days, last = 0, None
    while days < MOST_DAYS and time.monotonic() < deadline:
        oldest = data_api.query(SQL["oldest"])[0]["arrived_at"]
        if oldest is None or oldest >= limit or oldest == last:
            remove(limit)
            break
        remove(min(limit, midnight(oldest) + DAY))
        days, last = days + 1, oldest
    return days


def remove(before: datetime) -> None:
    """Remove the rows of files of hours before a midnight, and the books of that time."""
    given = {
        "before": times.sql(before),
        "latest": times.sql(before + LATEST),
        "earliest": times.sql(before - LATEST),
        "key": layout.TWEETS + layout.day_folder(before),
    }
    lock = transaction.lock()
    transaction.run([lock, *(SQL[name] for name in OLD)], given, answers=0)


def midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
