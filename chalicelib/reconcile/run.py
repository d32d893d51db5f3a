"""One reconciliation, end to end: list, compare, repair, report. All steps are elsewhere; here is their order."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import clients
from chalicelib.classifier import endpoints
from chalicelib.reconcile import alert, compare, hours, listing, outcome, page, rejected, unanswered
from chalicelib.reconcile.compare import Compared, Job, Known
from chalicelib.reconcile.lock import Lock
from chalicelib.reconcile.repair import Repairs, repair
from chalicelib.reconcile.report import Found, build
from chalicelib.settings import settings
from chalicelib.telemetry import logger
from chalicelib.warehouse import data_api

SECONDS = 840.0  # where the Lambda's own limit isn't known
RESERVE = 0.15  # of the time, for what comes after the repairs
LISTING = 0.4  # of the time, at most
SWEEP = timedelta(days=1)
GRACE_WHERE_IT_LOADS = 60
"""Seconds, in the delivery where nobody else loads: a file is whole when it is there. A minute leaves the transform's
own retry of a batch its time to say so."""


def run(arguments: Mapping[str, Any], context: Any, job_id: str) -> dict[str, Any]:
    """The report of `{"from"?, "to"?, "repair"?, "grace_seconds"?}` (`from` and `to` ISO 8601); its page beside it.

    Ends before the Lambda's time is up; what is left then, the next run does. Raises lock.HeldError when another run is
    under way all the time, data_api.WarehouseError and boto3's errors: a run that failed can be started again.
    """
    began = time.monotonic()
    seconds = context.get_remaining_time_in_millis() / 1000 if context else SECONDS
    end = began + seconds * (1 - RESERVE)
    with Lock(settings().bucket, job_id, seconds * LISTING) as lock:
        found = reconcile(arguments, job_id, end, lock)
        report = build(found)
        key = f"reports/reconciliations/{job_id}.html"
        clients.s3().put_object(
            Bucket=settings().bucket,
            Key=key,
            Body=page.render(report, job_id).encode(),
            ContentType="text/html; charset=utf-8",
        )
        report["alerted"] = alert.tell(report, job_id, found.outcome.new_trouble)
        outcome.close(found.job, report, datetime.now(UTC))
    alert.measure(report, time.monotonic() - began)
    logger.info("reconciled", extra={"verdict": report["verdict"], **report["tweets"]})
    return report


def reconcile(arguments: Mapping[str, Any], job_id: str, end: float, lock: Lock) -> Found:
    """Looks, and repairs. `end` on the clock of time.monotonic()."""
    bucket, folder = settings().bucket, f"reports/work/{job_id}/"
    now = datetime.now(UTC)
    known = compare.known(now)
    job = plan(arguments, job_id, now, known)
    asked_for = bool(arguments.get("from") or arguments.get("to"))
    spans = hours.ranges(which(arguments, job, known))

    now_left = end - time.monotonic()
    listed = listing.write(bucket, folder, spans, time.monotonic() + now_left * LISTING)
    compared = compared_with(job, listed, folder, end)
    repairs = Repairs()
    if job.repair and any(state in compared.totals for state in compare.REPAIRABLE):
        repairs = repair(job, folder, end, lambda: not lock.lost)

    lost = unanswered.find(folder, spans, end)
    refused = rejected.count(bucket, spans, end)
    stop = outcome.strip_stop(job, listed.hours, asked_for)
    patience = max(10.0, end - time.monotonic())
    settled = outcome.settle(job, folder, listed.hours, repairs.verdicts, lost, stop, patience)
    given_up = unanswered.given_up(bucket, spans)
    return Found(job, listed, compared, repairs, settled, refused, lost, given_up, idle_endpoints())


def plan(arguments: Mapping[str, Any], job_id: str, now: datetime, known: Known) -> Job:
    """What to do, with what wasn't said filled in."""
    grace = arguments.get("grace_seconds")
    if grace is None:
        usual = settings().grace_seconds
        grace = min(usual, GRACE_WHERE_IT_LOADS) if settings().delivery == "reconcile" else usual
    asked_for = bool(arguments.get("from") or arguments.get("to"))
    sweep = known.last_sweep is None or now - known.last_sweep >= SWEEP
    return Job(job_id, now, timedelta(seconds=grace), bool(arguments.get("repair")), asked_for, sweep)


def which(arguments: Mapping[str, Any], job: Job, known: Known) -> set[datetime]:
    """The hours to look at: those asked for, else those that are due."""
    stored = listing.stored_days(settings().bucket)
    if arguments.get("from") or arguments.get("to"):
        start, stop = (moment(arguments[name]) if arguments.get(name) else None for name in ("from", "to"))
        return hours.asked([*stored, *known.days], start, stop)
    return hours.due(stored, known.days, known.again, job.now.date(), job.sweep)


def moment(text: str) -> datetime:
    """ISO 8601 as UTC; without an offset it is UTC already."""
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def compared_with(job: Job, listed: listing.Listing, folder: str, end: float) -> Compared:
    """The comparison of what was listed. An orphan whose file is there after all was written since the listing."""
    if not listed.hours:
        return Compared({}, [])
    compared = compare.compare(job, listed, folder, end - time.monotonic())
    with ThreadPoolExecutor(16) as pool:
        there = [
            key for key, exists in zip(compared.orphans, pool.map(exists_now, compared.orphans), strict=True) if exists
        ]
    if there:
        compare.no_orphans(job, folder, there)
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


def idle_endpoints() -> list[dict[str, Any]] | None:
    """What idles and costs; None where that could not be found out, which is no reason to go without a report."""
    try:
        return endpoints.idle()
    except (ClientError, BotoCoreError, data_api.WarehouseError):
        logger.exception("idle endpoints unknown")
        return None
