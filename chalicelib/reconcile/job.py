"""Define what every step of a run is given: its job, its folder, and its deadlines."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from chalicelib.reconcile import listing
from chalicelib.warehouse import copy


class Job(NamedTuple):
    """What a run is to do. `asked_for`: on hours that somebody named; there, files that were found unreadable are tried
    again though they haven't changed. `sweep`: whether to look for rows of hours that nobody lists. `begun`: Lambda
    starts it a second time. `surge`: files written since then are loaded first."""

    id: str
    now: datetime
    grace: timedelta
    repair: bool
    asked_for: bool
    sweep: bool
    begun: bool = False
    surge: datetime | None = None


class Deadlines(NamedTuple):
    """When repairs stop, and when the report has to be ready: on the clock of time.monotonic()."""

    repairs: float
    report: float


class Run(NamedTuple):
    """A job under way: `folder` of the bucket is its own to write to, and `role` is what COPY reads the bucket with."""

    job: Job
    bucket: str
    folder: str
    role: str
    deadlines: Deadlines

    def load(self, name: str, rows: Iterable[dict[str, Any]], table: str, columns: Sequence[str]) -> str:
        """Write a few rows into the folder; return the COPY that loads them into a table."""
        url = listing.write_lines(self.bucket, f"{self.folder}{name}.ndjson.gz", rows)
        return copy.statement(url, self.role, table, columns, manifest=False)

    @property
    def until_repairs_stop(self) -> float:
        """Return the seconds left for repairs, at least one."""
        return max(1.0, self.deadlines.repairs - time.monotonic())

    @property
    def until_report(self) -> float:
        """Return the seconds in which the warehouse has to have answered, at least one."""
        return max(1.0, self.deadlines.report - time.monotonic())
