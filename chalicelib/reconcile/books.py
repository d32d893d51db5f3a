"""Record the result of a run (files that were not loaded, hours, findings), and read the report's numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from chalicelib import times
from chalicelib.reconcile import compare, findings, hours, transaction
from chalicelib.reconcile.compare import Compared, Questions
from chalicelib.reconcile.findings import Kept
from chalicelib.reconcile.firehose_failures import FailedFile
from chalicelib.reconcile.hours import HOUR, Window, floor
from chalicelib.reconcile.job import Job, Run
from chalicelib.reconcile.listing import Listing
from chalicelib.reconcile.repair import NotLoaded
from chalicelib.warehouse.statements import for_windows, sections

SQL = sections("reconcile/books")
STRIP = timedelta(days=7)
FINDING = (
    "reconciliation_id",
    "found_at",
    "s3_key",
    "hour",
    "state",
    "expected_rows",
    "found_rows",
    "found_lines",
    "action",
    "detail",
)


OF_FINDINGS = {"actions": SQL["actions"], "worst": SQL["worst"]}
"""Of a run that found a file in trouble."""

OF_KEPT = {"kept": findings.SQL["kept"], "kept_worst": findings.SQL["worst"]}
"""Of a run that found something for a person, or where such a finding is open."""


class Answers(NamedTuple):
    """The rows of the report: the answers to the questions, by their names. `kept`: what is open, of all hours."""

    actions: Sequence[Mapping[str, Any]]
    worst: Sequence[Mapping[str, Any]]
    twice: Mapping[str, int]
    kinds: Sequence[Mapping[str, Any]]
    hours: Sequence[Mapping[str, Any]]
    kept: Kept = Kept((), ())


def questions(job: Job, listed: Listing) -> Questions:
    """Return the queries for the report's figures of the hours looked at."""
    windows = hours.windows(listed.hours, listed.newest) or [Window(job.now, job.now, job.now)]
    stop = strip_stop(job, listed.hours)
    return Questions(
        {"twice": SQL["twice"], "kinds": for_windows(SQL["kinds"], len(windows)), "hours": SQL["hours"]},
        {
            **compare.bounds(windows),
            "strip_start": times.sql(stop - STRIP),
            "strip_stop": times.sql(stop),
        },
    )


def settle(
    run: Run,
    listed: Listing,
    compared: Compared,
    open_findings: int,
    not_loaded: Sequence[NotLoaded],
    failures: Sequence[FailedFile],
) -> Answers:
    """Record the result of the repairs, update the findings, and read the report's numbers.

    `listed`: what was looked at. `open_findings`: how many there were before. A quiet run, where nothing was found and
    nothing is open, does without the statements about findings; and asks nothing where the comparison has asked all.
    """
    job = run.job
    in_trouble = [file for file in failures if file.lost or file.trouble]
    differs = bool(set(compared.totals) - {"loaded", "waiting"} or compared.orphans or in_trouble)
    kept = bool(open_findings or {"orphaned", "unreadable"} & set(compared.totals) or compared.orphans)
    kept = kept or bool(not_loaded or in_trouble)
    if compared.answers and not differs and not kept:
        return Answers((), (), compared.answers["twice"][0], compared.answers["kinds"], compared.answers["hours"])
    shown = questions(job, listed)
    asked = [transaction.SQL["lock"], compare.SQL["listed_hour"]]
    if listed.hours:
        asked.append(compare.load_hours(run, listed.hours))
    if not_loaded:
        asked.append(SQL["not_loaded"])
        asked.append(run.load("not_loaded", map(_not_loaded, not_loaded), "not_loaded", ("s3_key", "state", "detail")))
        asked += [SQL["files_judged"], SQL["findings_judged"]]
    if in_trouble:
        rows = (_finding(job, each) for each in in_trouble)
        asked += [SQL["former_unanswered"], run.load("unanswered", rows, "disaster.reconciliation_finding", FINDING)]
    if kept:
        answered = [{"s3_key": file.key} for file in failures if not file.lost and not file.trouble]
        loaded = run.load("answered", answered, "answered_file", ("s3_key",)) if answered and open_findings else ""
        asked += findings.statements(loaded)
    told = {**shown.asked, **(OF_FINDINGS if differs else {}), **(OF_KEPT if kept else {})}
    asked += [*([SQL["hours_mended"]] if differs else []), *told.values()]
    given = {
        "id": job.id,
        **shown.given,
        "now": times.sql(job.now),
        "in_an_hour": times.sql(job.now + HOUR),
        "swept": str(job.sweep).lower(),
    }
    given = {name: value for name, value in given.items() if any(f":{name}" in sql for sql in asked)}
    done = transaction.run(asked, given, answers=len(told), patience=run.until_report)
    answers = dict(zip(told, done, strict=True))
    return Answers(
        answers.get("actions", ()),
        answers.get("worst", ()),
        answers["twice"][0],
        answers["kinds"],
        answers["hours"],
        Kept(answers.get("kept", ()), answers.get("kept_worst", ())),
    )


def strip_stop(job: Job, listed: Sequence[datetime]) -> datetime:
    """Return where the report's strip of hours ends: with the present, or with the hours that were asked for."""
    present = floor(job.now) + HOUR
    return min(listed[-1] + HOUR, present) if job.asked_for and listed else present


def close(job: Job, report: Mapping[str, Any], finished: datetime) -> None:
    """Write the run's numbers to its row, and to the findings that a message about them was published, if it was."""
    tweets = report["tweets"]
    numbers = {name: str(tweets[name]) for name in ("loaded", "waiting", "late", "repaired", "lost")}
    given = {
        "id": job.id,
        "finished": times.sql(finished),
        "complete": str(report["complete"]).lower(),
        "files": str(report["files"]["listed"]),
        "tweets": str(tweets["expected"]),
        **numbers,
    }
    asked = [SQL["closed"], *([SQL["ordinary"]] if report["new"]["loaded"] else [])]
    if report["alerted"]:
        transaction.run([*asked, findings.SQL["told"]], {**given, "now": times.sql(job.now)}, answers=0)
    else:
        transaction.run(asked, given, answers=0)


def _not_loaded(file: NotLoaded) -> dict[str, str]:
    return {"s3_key": file.key, "state": file.state, "detail": file.detail}


def _finding(job: Job, file: FailedFile) -> dict[str, Any]:
    loaded = file.tweets - file.lost
    return {
        "reconciliation_id": job.id,
        "found_at": times.sql(job.now),
        "s3_key": file.key,
        "hour": _hour(file.key),
        "state": "unanswered",
        "expected_rows": file.tweets,
        "found_rows": loaded,
        "found_lines": loaded,
        "action": "none",
        "detail": file.trouble or None,
    }


def _hour(key: str) -> str | None:
    """Return the hour in which Firehose gave the records up, off its key: `…/YYYY/MM/DD/HH/…`."""
    match = re.search(r"/(\d{4})/(\d{2})/(\d{2})/(\d{2})/", key)
    return "{}-{}-{} {}:00:00".format(*match.groups()) if match else None
