"""Start reconciliations, and read their reports."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chalice.app import BadRequestError, NotFoundError

from chalicelib import jobs, times
from chalicelib.admin.http import Answer, Request, accepted, report
from chalicelib.admin.validation import validate

DAY = (  # of the Gregorian calendar, years 0001 to 9999, so that what fits is a day
    r"(?!0000)\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)"
    r"|02-(?:0[1-9]|1\d|2[0-8]))"
    r"|(?!0000)(?:\d\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29"
)
CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?(?:Z|\+00:00)?"
TIME = {
    "type": "string",
    "pattern": f"^(?:{DAY})(?:T{CLOCK})?$",
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
    """Start a run on the hours that are due, or on those from `from` to `to`."""
    body = validate(request.body(), START)
    start, stop = (times.parsed(body[name]) if name in body else None for name in ("from", "to"))
    if start and stop and start >= stop:
        raise BadRequestError(f"from must be before to, but is {body['from']}, and to is {body['to']}")
    now = datetime.now(UTC)
    tomorrow = datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)
    for name, moment, last in (("from", start, now), ("to", stop, tomorrow)):
        if moment and moment > last:
            raise BadRequestError(f"{name} must not be in the future, after {times.seconds(last)}, but is {body[name]}")
    return accepted(request, jobs.start("reconciliations", body))


def list_all(request: Request) -> Answer:
    """Return the newest runs with their numbers; each one's report is at its `status_url`."""
    placed = map(request.placed, jobs.list_all("reconciliations"))
    runs = [{key: job[key] for key in LISTED if key in job} for job in placed]
    return Answer({"reconciliations": runs})


def show(request: Request, job_id: str) -> Answer:
    """Return status and report; for Accept: text/html its page, once it has succeeded.

    `latest`: the newest that ended.
    """
    job = jobs.latest("reconciliations") if job_id == "latest" else jobs.get("reconciliations", job_id)
    if not job:
        what = "no reconciliation yet: POST /reconciliations" if job_id == "latest" else f"no reconciliation {job_id}"
        raise NotFoundError(f"There is {what}")
    return report(request, job)
