"""Look at S3 every minute, and wake the warehouse only if there is something to do.

A look reads the ledger and lists the present hour and the one before. Every 15 minutes it lists all recent hours and
stores a report, which says whether the warehouse was woken. After a surge of relevant tweets, the transform invokes
this function at once. gate.py makes the decision; run.py compares and loads.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from chalicelib import clients, jobs, layout, times
from chalicelib.conditional import HeldError
from chalicelib.reconcile import alert, firehose_failures, gate, hours, ledger, listing, lock, precedence, refusals
from chalicelib.reconcile.books import Answers
from chalicelib.reconcile.compare import Compared
from chalicelib.reconcile.gate import Decision, Ledger, Seen, Surge
from chalicelib.reconcile.hours import HOUR, Range
from chalicelib.reconcile.job import Job
from chalicelib.reconcile.listing import Listing
from chalicelib.reconcile.repair import Repairs
from chalicelib.reconcile.report import Results, build
from chalicelib.settings import settings
from chalicelib.telemetry import logger, metrics

KIND = "reconciliations"
READING = 20.0  # seconds for the reasons of refusals
ENOUGH = 120.0  # seconds that have to be left to a look that waits for another run
NO_LEDGER = Decision(True, "no run has left a ledger")


class Look(NamedTuple):
    """A look and its result. `wide`: all recent hours were listed."""

    at: datetime
    known: Ledger | None
    decision: Decision
    wide: bool
    requests: int
    pending: bool


def look(context: Any, surge: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Look at S3, and start a run if there is something to do; return `{"woken", "why", "left"}`.

    `surge`: of a batch, as the transform sends it (gate.Surge). `left`: files still wait for a run. Raise what the run
    raises; after that the warehouse is left alone for a while.
    """
    batch = Surge(**surge) if surge else None
    since = datetime.now(UTC) - gate.HINT if batch else None
    while lock.held(settings().bucket):
        if not batch or _seconds_left(context) < ENOUGH:
            return {"woken": False, "why": "another run is under way", "left": True}
        if (before := ledger.read(settings().bucket)) and gate.surges(batch, before.usual):
            precedence.ask(settings().bucket)  # each time: another run may begin before this look
        time.sleep(lock.POLL)
    looked = _look(datetime.now(UTC), batch)
    if looked.wide or looked.decision.behind:
        _measure(looked.decision)
    if looked.decision.wake:
        logger.info("the warehouse is woken", extra={"why": looked.decision.why})
        _run(looked, context, since)
        return {"woken": True, "why": looked.decision.why, "left": True}
    if looked.wide and looked.known:
        _rest(looked, looked.known)
    return {"woken": False, "why": looked.decision.why, "left": looked.pending}


def _look(now: datetime, surge: Surge | None) -> Look:
    known, bucket, seen = settings(), settings().bucket, Listing()
    before = ledger.read(bucket)
    if before is None and listing.any_file(bucket):
        return Look(now, None, NO_LEDGER, False, 1, True)
    if before is None:  # nobody has sent anything yet
        before = gate.fresh(now, known.relevant_share)
    wide = now - before.looked_at >= gate.WIDE
    present = hours.floor(now)
    span = hours.recent(now) if wide else Range(present - HOUR, present + HOUR)
    shown = Seen(span, listing.written(bucket, span, seen))
    if wide:
        shown = shown._replace(days=listing.stored_days(bucket), failed=firehose_failures.failed(bucket, span))
    patience = gate.wait(known.delivery, known.load_seconds, known.grace_seconds)
    decision = gate.decide(now, shown, before, patience, surge)
    resting = bool(before.not_before and now < before.not_before)
    pending = gate.pending(shown, before.hours) is not None and not resting
    return Look(now, before, decision, wide, seen.requests, pending)


def _run(looked: Look, context: Any, surge_since: datetime | None) -> None:
    arguments = {"repair": True, "why": looked.decision.why}
    if surge_since:
        arguments["surge_since"] = surge_since.isoformat()
    try:
        jobs.run({"kind": KIND, "arguments": arguments}, context)
    except HeldError:
        raise
    except Exception:
        known = settings()
        now, share = datetime.now(UTC), known.relevant_share
        failed = gate.after_failure(now, ledger.read(known.bucket), known.load_seconds, share)
        ledger.write(known.bucket, failed)
        raise


def _rest(looked: Look, known: Ledger) -> None:
    """Store a report of a look without a run, and record when all recent hours were listed."""
    bucket, job_id = settings().bucket, jobs.new_id()
    began = time.monotonic()
    report = asleep(looked, known, job_id)
    alert.measure(report, time.monotonic() - began)
    from chalicelib.pages import reconciliation as page  # here, for a page alone needs Jinja2

    body = page.render(report, job_id).encode()
    key = layout.report(KIND, job_id, "html")
    clients.s3().put_object(Bucket=bucket, Key=key, Body=body, ContentType="text/html; charset=utf-8")
    jobs.store_done(KIND, job_id, {"repair": True, "why": looked.decision.why}, report)
    ledger.write(bucket, known._replace(looked_at=looked.at))


def asleep(looked: Look, known: Ledger, job_id: str) -> dict[str, Any]:
    """Return the report of a look without a run: nothing was compared, and findings stay outstanding."""
    bucket, present = settings().bucket, hours.floor(looked.at)
    refused = refusals.count(bucket, [Range(present - HOUR, present + HOUR)], time.monotonic() + READING)
    job = Job(job_id, looked.at, timedelta(), repair=True, asked_for=False, sweep=False)
    nothing = Answers((), (), {"tweets": 0, "extra": 0}, (), ())
    listed, nobody = Listing(requests=looked.requests), firehose_failures.GivenUp(0, ())
    report = build(Results(job, listed, Compared({}, []), Repairs(), nothing, refused, (), nobody, None))
    last = jobs.get(KIND, known.report) or {}
    report |= {name: last[name] for name in ("outstanding", "resolved", "hours") if name in last}
    report["verdict"] = "trouble" if report["outstanding"]["findings"] else "well"
    report["tweets"]["lost"] = report["outstanding"]["tweets"]
    woken_at = times.seconds(known.woken_at) if known.woken_at else None
    warehouse = {"woken": False, "why": looked.decision.why, "last_woken_at": woken_at}
    return {**report, "warehouse": warehouse, "alerted": False}


def _measure(decision: Decision) -> None:
    """Emit how much longer than `load_seconds` the oldest tweet file waits; the alarm load-behind watches it."""
    emf = metrics()
    emf.add_metric("BehindSeconds", "Seconds", decision.behind)
    emf.flush_metrics()


def _seconds_left(context: Any) -> float:
    return context.get_remaining_time_in_millis() / 1000 if context else ENOUGH
