"""Start reconciliations, and read their reports."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from chalice.app import BadRequestError, NotFoundError

from chalicelib import jobs
from chalicelib.admin.http import Answer, Request, accepted, report
from chalicelib.admin.validation import validate

TIME = {
    "type": "string",
    "pattern": r"^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|\+00:00)?)?$",
    "description": "a time in UTC as ISO 8601, like 2026-01-31T12:00:00Z",
}
START = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "from": TIME,
        "to": TIME,
        "repair": {"type": "boolean", "default": False},
        "grace_seconds": {"type": "integer", "minimum": 0, "maximum": 86_400, "description": "seconds, up to a day"},
    },
}
LISTED = (
    "id",
    "status",
    "status_url",
    "error",
    "progress",
    "arguments",
    "started_at",
    "finished_at",
    "verdict",
    "complete",
    "tweets",
)


def start(request: Request) -> Answer:
    """Starts a run on the hours that are due, or on those from `from` to `to`."""
    body = validate(request.body(), START)
    start, stop = (time(body, name) for name in ("from", "to"))
    if start and stop and start >= stop:
        raise BadRequestError(f"from must be before to, but is {body['from']}, and to is {body['to']}")
    return accepted(jobs.start("reconciliations", body))


def list_all(request: Request) -> Answer:  # noqa: ARG001 - every view takes it
    """The newest runs with their numbers; each one's report is at its `status_url`."""
    runs = [{key: job[key] for key in LISTED if key in job} for job in jobs.list_all("reconciliations")]
    return Answer({"reconciliations": runs})


def show(request: Request, job_id: str) -> Answer:
    """Status and report in one; a page for Accept: text/html once it has succeeded. `latest`: the newest that ended."""
    job = jobs.latest("reconciliations") if job_id == "latest" else jobs.get("reconciliations", job_id)
    if not job:
        what = "no reconciliation yet: POST /reconciliations" if job_id == "latest" else f"no reconciliation {job_id}"
        raise NotFoundError(f"There is {what}")
    return report(request, job)


def time(body: dict[str, Any], name: str) -> datetime | None:
    """A time of the body, None where it has none. Raises BadRequestError for one that no calendar has."""
    if name not in body:
        return None
    try:
        found = datetime.fromisoformat(body[name])
    except ValueError as error:
        raise BadRequestError(f"{name} must be {TIME['description']}, but is {body[name]}: {error}") from error
    return found.replace(tzinfo=UTC)
