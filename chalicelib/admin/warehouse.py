"""Set the warehouse up, and show its tables and migrations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from chalice.app import ConflictError, NotFoundError

from chalicelib import jobs
from chalicelib.admin.http import Answer, Request, accepted
from chalicelib.admin.validation import validate
from chalicelib.warehouse import status
from chalicelib.warehouse.data_api import WarehouseError
from chalicelib.warehouse.migrations import MigrationError

NOTHING: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": {}}

PATIENCE = 25.0
"""Seconds that a warehouse which slept is given to answer: as many as fit into the 29 that API Gateway waits
(docs.aws.amazon.com/apigateway/latest/developerguide/limits.html), less those that the function needs itself."""
SAME = timedelta(minutes=2)
"""A setup that began less than this ago and has not ended is the one to wait for. An older one may have died, and
another beside it does no harm: the warehouse itself lets but one apply a migration."""


def show(request: Request) -> Answer:  # noqa: ARG001 - every view takes it
    """Return migrations applied and pending, rows a table; or, after `PATIENCE`, that the warehouse is waking up."""
    try:
        return Answer(status.overview(PATIENCE))
    except MigrationError as error:
        raise ConflictError(str(error)) from error
    except WarehouseError as error:
        return Answer({"Code": "WarehouseError", "Message": str(error)}, status=502)


def set_up(request: Request) -> Answer:
    """Start a setup, or return the one that is under way: 202 in both cases."""
    validate(request.body(), NOTHING)
    under_way = [job for job in jobs.list_all("setup", 1) if _goes_on(job, datetime.now(UTC))]
    return accepted(request, under_way[0] if under_way else jobs.start("setup", {}))


def show_setup(request: Request, job_id: str) -> Answer:
    """Return the status of a setup and, once it is done, the migrations that it applied."""
    job = jobs.get("setup", job_id)
    if not job:
        raise NotFoundError(f"There is no setup {job_id}")
    return Answer(request.placed(job))


def _goes_on(job: jobs.JobState, now: datetime) -> bool:
    return job["status"] == "running" and now - datetime.fromisoformat(job["started_at"]) < SAME
