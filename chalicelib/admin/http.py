"""Define the requests and answers of views. Views raise Chalice's own errors (BadRequestError, NotFoundError, ...)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalice.app import BadRequestError

from chalicelib import jobs


@dataclass(frozen=True)
class Request:
    """One call: the caller's ARN, the body, the accepted content types.

    `base`: where the API begins on its host, "/api" behind API Gateway's stage of that name, empty on `make local`.
    """

    caller: str
    request_id: str
    base: str = ""
    raw_body: bytes = b""
    query: Mapping[str, str] = field(default_factory=dict)
    accept: str = "application/json"

    def body(self) -> dict[str, Any]:
        """Return the body as a JSON object; an empty body is an empty object. Raises BadRequestError."""
        if not self.raw_body.strip():
            return {}
        try:
            body = json.loads(self.raw_body, parse_constant=_not_json)
        except (ValueError, RecursionError) as error:
            raise BadRequestError(f"The body is not valid JSON: {error}") from error
        if not isinstance(body, dict):
            raise BadRequestError("The body must be a JSON object, for example {}")
        return body

    @property
    def wants_html(self) -> bool:
        return "text/html" in self.accept

    def placed(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Return the job with its `status_url` as a client finds it: a path on the API's host."""
        return {**job, "status_url": self.base + job["status_url"]}


def _not_json(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


@dataclass(frozen=True)
class Answer:
    """What goes back: a JSON-able body, or a page when `content_type` says so."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


def report(request: Request, job: jobs.JobState) -> Answer:
    """Return status and report of a job; for Accept: text/html its page, or one that says why there is none."""
    if request.wants_html:
        page = jobs.page(job) if job["status"] == "succeeded" else _without_report(job)
        return Answer(page, content_type="text/html; charset=utf-8")
    return Answer(request.placed(job))


def _without_report(job: jobs.JobState) -> str:
    from chalicelib.pages import job as page  # here: no answer in JSON needs Jinja2

    return page.render(job)


def accepted(request: Request, job: Mapping[str, Any], status: int = 202, **more: Any) -> Answer:
    """Return 202 for a job that runs: `{"id", "status", "status_url"}` with the fields of `more`, and `Location`."""
    body = request.placed({key: job[key] for key in ("id", "status", "status_url")})
    return Answer(body | more, status=status, headers={"Location": body["status_url"]})
