"""Run jobs, which take longer than a request: each runs in a Lambda of its own and stores its result in S3.

A job is one JSON file, `reports/<kind>/<id>.json`, written when it starts, while it runs (its `progress`) and when it
ends. A page for people, if the job makes one, stands beside it as `.html`.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import clients, layout, times
from chalicelib.events import event
from chalicelib.settings import settings
from chalicelib.telemetry import logger

JobState = dict[str, Any]
"""A job as its file has it."""

STATUS_URLS = {
    "setup": "/warehouse/setup/{id}",
    "reconciliations": "/reconciliations/{id}",
    "evaluations": "/classifier/evaluations/{id}",
}

LONGEST = timedelta(minutes=15)
"""No Lambda runs longer: docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")

PROGRESS_EVERY = 2.0
"""Seconds between two writes of a job's progress: a short job writes none."""


@dataclass
class _Running:
    """The job that this thread runs, and when its progress was last written, on the clock of time.monotonic()."""

    job: JobState
    written: float


_running: ContextVar[_Running | None] = ContextVar("running job", default=None)


def start(kind: str, arguments: Mapping[str, Any]) -> JobState:
    """Store the job and invoke its Lambda; return the job, `running`, with its `id` and `status_url`."""
    job = _new(kind, arguments)
    _store(job)
    if kind == "reconciliations":
        # That function is invoked by EventBridge, and expects its events.
        function = "reconcile"
        payload = event("Reconciliation Requested", "disaster-tweets.admin", job, job["id"], job["started_at"])
    else:
        function, payload = "jobs", job
    try:
        clients.lambda_().invoke(
            FunctionName=settings().function_name(function),
            InvocationType="Event",
            Payload=json.dumps(payload, default=_plain).encode(),
        )
    except Exception as error:
        _store(_ended(job, {}, f"The function {function} could not be invoked: {error}"))
        raise
    return job


def run(job: Mapping[str, Any], context: Any) -> JobState:
    """Run a job to its end and store its result; return the job, `succeeded` or `failed` with `error`.

    Lambda may hand over the same event twice; a job that has ended is not run again. A job that nobody asked for (the
    schedule's) raises after it was stored as failed, so that Lambda's own error count, which the alarm watches, tells.
    """
    asked_for = "id" in job
    if asked_for and (known := get(job["kind"], job["id"])) and known["status"] != "running":
        return known
    mine = {**_new(job["kind"], job["arguments"]), **job}
    with logger.append_context_keys(job=mine["id"], kind=mine["kind"]):
        return _run(mine, context, asked_for)


def _result(kind: str, arguments: Mapping[str, Any], context: Any, job_id: str) -> dict[str, Any]:
    """Do a job, and return its result. The Lambda that runs it imports the code of this kind alone."""
    if kind == "setup":
        from chalicelib.warehouse import setup

        return setup.run(arguments, context, job_id)
    if kind == "reconciliations":
        from chalicelib.reconcile import run as reconciliation

        return reconciliation.run(arguments, context, job_id)
    from chalicelib.comprehend import evaluation

    return evaluation.run(arguments, context, job_id)


def progress(step: str, done: int | None = None, of: int | None = None) -> None:
    """Store the progress of the running job: `{"step", "done", "of"}`, counts of what the step names.

    Writes every `PROGRESS_EVERY` seconds at most, so it may be called in a loop. Does nothing outside a job, and on a
    thread that the job's code has started. A write that fails is logged: no job fails for it.
    """
    running = _running.get()
    if running is None or time.monotonic() - running.written < PROGRESS_EVERY:
        return
    running.written = time.monotonic()
    counts = {name: count for name, count in (("done", done), ("of", of)) if count is not None}
    try:
        _store({**running.job, "progress": {"step": step, **counts}})
    except (ClientError, BotoCoreError):
        logger.exception("progress not written")


def _run(mine: JobState, context: Any, asked_for: bool) -> JobState:
    if not asked_for:
        _store(mine)
    token = _running.set(_Running(mine, time.monotonic()))
    try:
        result = _result(mine["kind"], mine["arguments"], context, mine["id"])
    except Exception as error:
        logger.exception("job failed")
        ended = _ended(mine, {}, f"{type(error).__name__}: {error}")
        _store(ended)
        if not asked_for:
            raise
        return ended
    finally:
        _running.reset(token)
    ended = _ended(mine, result)
    _store(ended)
    return ended


def get(kind: str, job_id: str) -> JobState | None:
    """Return the job with its result, None if there is none. A job that never ended in its time is `failed`."""
    if not ID.fullmatch(job_id):
        return None
    try:
        stored = clients.s3().get_object(Bucket=settings().bucket, Key=_key(kind, job_id))
    except ClientError as error:
        code = error.response["Error"]["Code"]
        # S3 may deny that an object is missing to who may list a part of the bucket only: then a listing tells
        if code == "NoSuchKey" or (code == "AccessDenied" and not _listed(_key(kind, job_id))):
            return None
        raise
    return judged(json.loads(stored["Body"].read()), datetime.now(UTC))


def _listed(key: str) -> bool:
    listing = clients.s3().list_objects_v2(Bucket=settings().bucket, Prefix=key, MaxKeys=1)
    return listing["KeyCount"] > 0


def page(job: JobState) -> str:
    """Return the page that stands beside a job's report. Raises what boto3 raises where there is none."""
    key = _key(job["kind"], job["id"]).removesuffix(".json") + ".html"
    return clients.s3().get_object(Bucket=settings().bucket, Key=key)["Body"].read().decode()


def judged(job: JobState, now: datetime) -> JobState:
    """Return the job with its status at a time: `failed` if it has been `running` for longer than a Lambda may."""
    if job["status"] != "running" or now - datetime.fromisoformat(job["started_at"]) <= LONGEST:
        return job
    minutes = LONGEST.seconds // 60
    error = f"It did not end within {minutes} minutes: its Lambda was stopped. Its log says why; start another"
    return {**job, "status": "failed", "error": error}


def list_all(kind: str, most: int = 50) -> list[JobState]:
    """Return the newest jobs of a kind with their results, newest first."""
    ids = _newest(kind, most)
    with ThreadPoolExecutor(8) as pool:
        return [job for job in pool.map(lambda job_id: get(kind, job_id), ids) if job]


def latest(kind: str) -> JobState | None:
    """Return the newest job that has ended, or else the newest; None when there was none yet."""
    jobs = [job for job_id in _newest(kind, 5) if (job := get(kind, job_id))]
    return next((job for job in jobs if job["status"] != "running"), jobs[0] if jobs else None)


def _newest(kind: str, most: int) -> list[str]:
    """Return the newest ids. They begin with their time, so that a day, then a month, is listed before years of
    them.
    """
    today, ids = datetime.now(UTC).date(), []
    for since in (today - timedelta(days=1), today - timedelta(days=31), date.min):
        ids = sorted(_ids(kind, since), reverse=True)
        if len(ids) >= most:
            break
    return ids[:most]


def _ids(kind: str, since: date) -> Iterator[str]:
    folder = f"{layout.REPORTS}{kind}/"
    pages = clients.s3().get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket=settings().bucket, Prefix=folder, StartAfter=f"{folder}{since:%Y%m%d}"):
        for item in page.get("Contents", ()):
            name = item["Key"].removeprefix(folder)
            if name.endswith(".json") and ID.fullmatch(name.removesuffix(".json")):
                yield name.removesuffix(".json")


def new_id() -> str:
    """Return an id for a job that begins now: ids sort by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def store_done(kind: str, job_id: str, arguments: Mapping[str, Any], result: Mapping[str, Any]) -> None:
    """Store a job that was done without `run`, as succeeded with this result."""
    _store(_ended({**_new(kind, arguments), "id": job_id, "status_url": STATUS_URLS[kind].format(id=job_id)}, result))


def _new(kind: str, arguments: Mapping[str, Any]) -> JobState:
    if kind not in STATUS_URLS:
        raise ValueError(f"There is no kind of job {kind!r}; there are {', '.join(STATUS_URLS)}")
    now, job_id = datetime.now(UTC), new_id()
    return {
        "id": job_id,
        "kind": kind,
        "status": "running",
        "status_url": STATUS_URLS[kind].format(id=job_id),
        "arguments": dict(arguments),
        "started_at": _plain(now),
    }


def _ended(job: JobState, result: Mapping[str, Any], error: str = "") -> JobState:
    status = {"status": "failed", "error": error} if error else {"status": "succeeded"}
    return {**result, **job, **status, "finished_at": _plain(datetime.now(UTC))}


def _key(kind: str, job_id: str) -> str:
    return layout.report(kind, job_id)


def _store(job: JobState) -> None:
    clients.s3().put_object(
        Bucket=settings().bucket,
        Key=_key(job["kind"], job["id"]),
        Body=json.dumps(job, default=_plain).encode(),
        ContentType="application/json",
    )


def _plain(value: Any) -> Any:
    """Convert what JSON has no type for: times and decimals of warehouse rows."""
    if isinstance(value, datetime):
        return times.milliseconds(value)
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} can't go into a job's JSON")
