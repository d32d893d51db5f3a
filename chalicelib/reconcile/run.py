"""Run one reconciliation: list, compare, repair, report. This module has the order of the steps."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from chalicelib import clients, jobs, layout, times
from chalicelib.comprehend import idle
from chalicelib.overview import stored as overview
from chalicelib.reconcile import (
    alert,
    books,
    compare,
    firehose_failures,
    gate,
    hours,
    ledger,
    listing,
    precedence,
    refusals,
    repeats,
)
from chalicelib.reconcile.compare import Compared, Known, Questions
from chalicelib.reconcile.job import Deadlines, Job, Run
from chalicelib.reconcile.listing import Listing
from chalicelib.reconcile.lock import Lock
from chalicelib.reconcile.repair import Repairs, repair
from chalicelib.reconcile.report import Results, build
from chalicelib.settings import settings
from chalicelib.situations import run as situations
from chalicelib.telemetry import logger

SECONDS = 840.0  # where the Lambda's own limit isn't known
LOCKED = 0.8  # of the time, at most, to wait for another run, which stops earlier than that itself
LISTING = 0.4  # of what is then left before repairs stop
REPAIRS = 0.85  # of the time: then repairs stop, and the rest is for the report
REPORT = 0.97  # of the time: then the warehouse has to have answered
SWEEP = timedelta(days=1)
ENOUGH = 500  # tweets that tell which share is relevant


def run(arguments: Mapping[str, Any], context: Any, job_id: str) -> dict[str, Any]:
    """Reconcile and return the report of `{"from"?, "to"?, "repair"?, "grace_seconds"?}` (`from` and `to` ISO 8601);
    its page beside it.

    Ends before the Lambda's time is up; what is left then, the next run does. Raises lock.HeldError when another run is
    under way all the time, data_api.WarehouseError and boto3's errors: a run that failed can be started again.
    """
    began = time.monotonic()
    seconds = context.get_remaining_time_in_millis() / 1000 if context else SECONDS
    deadlines = Deadlines(began + seconds * REPAIRS, began + seconds * REPORT)
    with Lock(settings().bucket, job_id, seconds * LOCKED) as lock:
        results = reconcile(arguments, job_id, deadlines, lock)
        report = build(results)
        why = arguments.get("why") or "asked for"
        report["warehouse"] = {"woken": True, "why": why, "last_woken_at": report["as_of"]}
        alert.measure(report, time.monotonic() - began)  # first: the alarm doesn't depend on what may fail below
        report["alerted"] = alert.tell(report, job_id)
        books.close(results.job, report, datetime.now(UTC))
        if not lock.lost:
            keep(results, report)
        key = layout.report("reconciliations", job_id, "html")
        from chalicelib.pages import reconciliation as page  # here, for a page alone needs Jinja2

        body = page.render(report, job_id).encode()
        clients.s3().put_object(Bucket=settings().bucket, Key=key, Body=body, ContentType="text/html; charset=utf-8")
        overview.keep(asked_for=not {"why", "from", "to"} & set(arguments))
    logger.info("reconciled", extra={"verdict": report["verdict"], **report["tweets"]})
    return report


def reconcile(arguments: Mapping[str, Any], job_id: str, deadlines: Deadlines, lock: Lock) -> Results:
    """Compare the warehouse with the tweet files, and repair it."""
    now, began = datetime.now(UTC), time.monotonic()
    known = compare.known(now, job_id)
    job = plan(arguments, job_id, now, known)
    folder = f"{layout.WORK}{job_id}/{secrets.token_hex(4)}/"  # its own, should Lambda invoke a job twice
    run = Run(job, settings().bucket, folder, settings().copy_role_arn, deadlines)
    jobs.progress("listing tweet files")
    seen = Listing()
    spans = hours.ranges(which(arguments, job, known, seen))
    listed = listing.write(
        run.bucket, folder, spans, time.monotonic() + run.until_repairs_stop * LISTING, seen.requests
    )
    if not listed.complete:
        job = job._replace(sweep=False)  # hours that it had no time for would look as if nobody listed them
        run = run._replace(job=job)
    jobs.progress("tweet files listed, now compared with rows", listed.files)
    questions = books.questions(job, listed) if calm(job, known, listed) else compare.NO_QUESTIONS
    compared = compared_with(run, listed, questions)
    repairs = Repairs()
    damaged = sum(int(compared.totals[state]["files"]) for state in compare.LOADABLE if state in compared.totals)
    if job.repair and damaged:
        repairs = repair(run, partial(hindrance, lock, began), damaged)
    jobs.progress("looking for tweets that came more than once")
    repeats.find(job, known, repairs.since, run.until_report)

    loaded = repairs.since or (settings().delivery == "firehose" and known.new_rows)
    if loaded or job.sweep:
        jobs.progress("looking for situations")
        situations.update(job_id, datetime.now(UTC), deadlines.repairs)

    jobs.progress("looking for records that the transform did not answer, and for refused ones")
    failures = firehose_failures.find(run, spans)
    refused = refusals.count(run.bucket, spans, deadlines.repairs)
    given_up = firehose_failures.given_up(run.bucket, spans)
    answers = books.settle(run, listed, compared, known.findings, repairs.not_loaded, failures)
    listed.hour_files, listed.days = {**seen.hour_files, **listed.hour_files}, seen.days
    return Results(job, listed, compared, repairs, answers, refused, failures, given_up, idle.endpoints_or_none())


def hindrance(lock: Lock, began: float, gives_way: bool) -> str:
    """Return why no more files may be loaded, empty if they may.

    `gives_way`: this run has loaded enough to end for a surge that was reported after it `began`. Without this rule,
    many surges would leave no time for other files.
    """
    if lock.lost:
        return "Another run took over"
    if gives_way and precedence.asked(settings().bucket, time.monotonic() - began):
        return "A surge of relevant tweets goes first; the next run continues"
    return ""


def keep(results: Results, report: Mapping[str, Any]) -> None:
    """Write to the ledger what this run has found out.

    A run on hours that somebody named tells of those hours alone; one that was only to look, and found something to
    load, of nothing.
    """
    job, listed, bucket = results.job, results.listing, settings().bucket
    left = any(row["action"] == "none" and row["state"] in compare.LOADABLE for row in results.answers.actions)
    before = ledger.read(bucket)
    if left or (job.asked_for and before is None):
        return
    took = before.took if before else 0.0
    recent = hours.recent(job.now)
    known = dict(before.hours) if before and job.asked_for else {}
    known = {hour: each for hour, each in known.items() if hour not in set(listed.hours)} | listed.hour_files
    waiting = {row["hour"]: int(row["waiting_files"]) for row in results.answers.hours}
    known = {
        hour: each._replace(files=each.files - waiting.get(hour, 0))
        for hour, each in known.items()
        if recent.start <= hour < recent.stop
    }
    days, failed = listed.days, 0
    if before and job.asked_for:
        days, failed = {*before.days}, before.failed
    else:
        failed = firehose_failures.failed(bucket, recent)
    now = gate.after(
        job.now,
        before,
        known,
        days,
        failed,
        share(results.answers.kinds, before.usual.share if before else settings().relevant_share),
        complete=report["complete"],
        outstanding=bool(report["outstanding"]["findings"]),
        loaded=bool(results.repairs.files),
        swept=job.sweep,
        took=(results.repairs.oldest_at - job.now).total_seconds() if results.repairs.oldest_at else took,
        report=job.id,
    )
    ledger.write(bucket, now)


def share(kinds: Sequence[Mapping[str, Any]], otherwise: float) -> float:
    """Return which share of the tweets is relevant, by the report's kinds; `otherwise` where they are too few."""
    tweets = sum(int(row["tweets"]) for row in kinds)
    return sum(int(row["relevant"]) for row in kinds) / tweets if tweets >= ENOUGH else otherwise


def plan(arguments: Mapping[str, Any], job_id: str, now: datetime, known: Known) -> Job:
    """Return the job, with the defaults filled in."""
    grace = arguments.get("grace_seconds")
    if grace is None:
        # Where nobody else loads, a file is whole when it is there, and never written again.
        grace = settings().grace_seconds if settings().delivery == "firehose" else 0
    asked_for = bool(arguments.get("from") or arguments.get("to"))
    swept = known.last_sweep is not None and now - known.last_sweep < SWEEP
    repair, sweep = bool(arguments.get("repair")), not asked_for and not swept
    surge = times.parsed(arguments["surge_since"]) if arguments.get("surge_since") else None
    return Job(job_id, now, timedelta(seconds=grace), repair, asked_for, sweep, known.begun, surge)


def calm(job: Job, known: Known, listed: Listing) -> bool:
    """Return whether a run is likely to find nothing to do. Then the comparison itself asks what the report shows."""
    if known.findings or known.new_rows or job.sweep:
        return False
    since = hours.recent(job.now).start
    recent = {hour: known.recent.get(hour, hours.HourFiles(0, job.now)) for hour in listed.hours if hour >= since}
    return not hours.changed(listed.hour_files, recent)


def which(arguments: Mapping[str, Any], job: Job, known: Known, seen: Listing) -> set[datetime]:
    """Return the hours to look at: those asked for, else those that are due and those whose files have changed.

    Counts its LIST requests in `seen`.
    """
    bucket = settings().bucket
    stored = seen.days = listing.stored_days(bucket)
    if job.asked_for:
        start, stop = (times.parsed(arguments[name]) if arguments.get(name) else None for name in ("from", "to"))
        return hours.kept(hours.asked([*stored, *known.days], start, stop, job.now), job.now, settings().row_days)
    due = hours.due(stored, known.days, known.recent, known.again, job.now, job.sweep)
    seen.hour_files = listing.files_of(bucket, hours.recent(job.now), seen)
    return hours.kept(due | hours.changed(seen.hour_files, known.recent), job.now, settings().row_days)


def compared_with(run: Run, listed: Listing, questions: Questions) -> Compared:
    """Compare what was listed. An orphan whose file is there after all was written since the listing."""
    if not listed.hours:
        return Compared({}, [])
    compared = compare.compare(run, listed, questions)
    with ThreadPoolExecutor(16) as pool:
        exist = pool.map(exists_now, compared.orphans)
        there = [key for key, exists in zip(compared.orphans, exist, strict=True) if exists]
    if there:
        compare.no_orphans(run, there)
    return compared


def exists_now(key: str) -> bool:
    if not key:
        return False
    try:
        clients.s3().head_object(Bucket=settings().bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in {"404", "403", "400"}:  # 403: where we may not list; 400: no key of S3's
            return False
        raise
    return True
