"""Compare the files' names with rows and lines by file, in the warehouse. Only differences stay.

Equal counts can hide a lost line and a doubled one; so a file is `loaded` only if it has as many rows as its name says,
as many distinct lines, and these are 1 to that number.

States of a file:
    loaded      every line once
    new         no rows, and no run has seen it before: the usual state of a new file where the reconciler loads
    missing     no rows
    partial     some line has no row
    excess      every line has its row, some more than one
    orphaned    rows whose file is gone
    waiting     not loaded, but younger than the grace period
    unreadable  can't be loaded as it is, and hasn't changed since a run found this
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from chalicelib import layout, times
from chalicelib.reconcile import hours, transaction
from chalicelib.reconcile.hours import HourFiles, Window
from chalicelib.reconcile.job import Job, Run
from chalicelib.reconcile.listing import Listing
from chalicelib.settings import settings
from chalicelib.warehouse import copy
from chalicelib.warehouse.statements import for_windows, sections

SQL = sections("reconcile/compare")
REPAIRABLE = ("missing", "partial", "excess")
LOADABLE = ("new", *REPAIRABLE)


class Known(NamedTuple):
    """What former runs left: days they know all hours of, hours they want looked at again, recent hours as they were
    found, when they last swept, how many findings are open, and how many recent rows were loaded since a run last
    looked for tweets that came more than once. `begun`: whether this run was begun before."""

    days: list[date]
    again: list[tuple[datetime, int]]  # with how often in a row it was found settled
    recent: dict[datetime, HourFiles]
    last_sweep: datetime | None
    findings: int = 0
    new_rows: int = 0
    begun: bool = False


def known(now: datetime, job_id: str) -> Known:
    """Return the state that former runs left in the warehouse. Raises WarehouseError."""
    recent = hours.recent(now)
    given = {"id": job_id, "now": times.sql(now), "recent": times.sql(recent.start)}
    (rows,) = transaction.run([SQL["known"]], given, answers=1)
    of_hours = [row for row in rows if row["hour"]]
    return Known(
        [row["hour"].date() for row in of_hours if row["ends_day"]],
        [(row["hour"], row["settled_checks"]) for row in of_hours if row["due"]],
        {
            row["hour"]: hours.HourFiles(row["files"], row["checked_at"])
            for row in of_hours
            if row["hour"] >= recent.start
        },
        rows[0]["last_sweep"],
        rows[0]["findings"],
        rows[0]["new_rows"],
        rows[0]["begun"] > 0,
    )


def bounds(windows: Sequence[Window]) -> dict[str, str]:
    """Return the parameters of windows. No row of a file arrived before the hour of its key: that of its earliest."""
    return {
        f"{name}_{n}": times.sql(moment)
        for n, window in enumerate(windows, 1)
        for name, moment in zip(("since", "stop", "until"), window, strict=True)
    }


def statements(job: Job, listed: Listing, hours_in: str, bucket: str, role: str, windows: int = 1) -> list[str]:
    """Return the transaction of a comparison; its last one is `totals`, or `orphans` after it where the run sweeps.

    `hours_in`: the COPY of its hours.
    """
    names = []
    if listed.manifest:
        columns = ("s3_key", "hour_key", "expected_rows", "bytes", "written_at")
        names = [copy.statement(f"s3://{bucket}/{listed.manifest}", role, "listed_file", columns)]
    return [
        transaction.SQL["lock"],
        SQL["listed_hour"],
        hours_in,
        SQL["listed_file"],
        *names,
        for_windows(SQL["found_file"], windows),
        for_windows(SQL["compared_file"], windows),
        SQL["files_seen_again"],
        SQL["files_seen_first"],
        SQL["judged_hour"],
        SQL["hours_out"],
        SQL["hours_in"],
        *([SQL["former_findings"], SQL["former_run"]] if job.begun else []),
        SQL["run"],
        SQL["findings"],
        *([SQL["sweep"]] if job.sweep else []),
        SQL["totals"],
        *([SQL["orphans"]] if job.sweep else []),
    ]


def parameters(job: Job, windows: Sequence[Window]) -> dict[str, str]:
    """Return the values of the statements' parameters, as text.

    An hour is over at `closed` where its last file has had its grace.
    """
    later = {f"next_{n}": times.sql(job.now + wait) for n, wait in enumerate(hours.INTERVALS, 1)}
    return {
        "id": job.id,
        "now": times.sql(job.now),
        "cutoff": times.sql(job.now - job.grace),
        "closed": times.sql(job.now - job.grace - hours.HOUR),
        **bounds(windows),
        "again": str(job.asked_for).lower(),
        "loads": str(settings().delivery == "reconcile").lower(),
        "repair": str(job.repair).lower(),
        "grace": str(int(job.grace.total_seconds())),
        "sweep": str(job.sweep).lower(),
        **later,
    }


class Questions(NamedTuple):
    """Questions that a transaction asks at its end, by their names, and their parameters."""

    asked: Mapping[str, str]
    given: Mapping[str, str]


class Compared(NamedTuple):
    """By state: `files`, `tweets`, `loaded`, `doubled`; and the keys of up to 1,000 orphans, the newest hours first.
    `answers`: to the questions that were asked with it, by their names."""

    totals: Mapping[str, Mapping[str, Any]]
    orphans: Sequence[str]
    answers: Mapping[str, Sequence[Mapping[str, Any]]] = {}


NO_QUESTIONS = Questions({}, {})


def compare(run: Run, listed: Listing, questions: Questions = NO_QUESTIONS) -> Compared:
    """Compare the hours that were listed and record what was found.

    `questions` are asked of the warehouse as it is then, in the same transaction; `listed_hour` has the hours.
    """
    job, patience = run.job, run.until_repairs_stop
    windows = hours.windows(listed.hours, listed.newest)
    asked = statements(job, listed, load_hours(run, listed.hours), run.bucket, run.role, len(windows))
    told = ["totals", *(["orphans"] if job.sweep else []), *questions.asked]
    given = {**parameters(job, windows), **questions.given}
    done = transaction.run([*asked, *questions.asked.values()], given, answers=len(told), patience=patience)
    answers = dict(zip(told, done, strict=True))
    totals = {row["state"]: row for row in answers.pop("totals")}
    orphans = answers.pop("orphans", [])
    if not job.sweep and "orphaned" in totals:
        (orphans,) = transaction.run([SQL["orphans"]], {"id": job.id}, answers=1, patience=patience)
    return Compared(totals, [row["s3_key"] for row in orphans], answers)


def load_hours(run: Run, listed: Sequence[datetime]) -> str:
    """Return the COPY of some hours into `listed_hour`."""
    rows = ({"hour": times.sql(hour), "hour_key": layout.TWEETS + layout.hour_folder(hour)} for hour in listed)
    return run.load("hours", rows, "listed_hour", ("hour", "hour_key"))


def no_orphans(run: Run, keys: Sequence[str]) -> None:
    """Withdraw findings of orphans whose files were written after the listing. The next run looks at them."""
    rows = ({"s3_key": key, "hour_key": key[: layout.HOUR_KEY]} for key in keys)
    load = run.load("late", rows, "late_file", ("s3_key", "hour_key"))
    given = {"id": run.job.id, "now": times.sql(run.job.now)}
    transaction.run([SQL["late_file"], load, SQL["no_findings"], SQL["hours_open"]], given, answers=0)
