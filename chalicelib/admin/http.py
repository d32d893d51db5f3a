"""What a view takes and gives. Views raise Chalice's own errors (BadRequestError, NotFoundError, ...)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalice.app import BadRequestError

from chalicelib import jobs


@dataclass(frozen=True)
class Request:
    """One call: who calls (an ARN), what they sent, what they accept."""

    caller: str
    request_id: str
    raw_body: bytes = b""
    query: Mapping[str, str] = field(default_factory=dict)
    accept: str = "application/json"

    def body(self) -> dict[str, Any]:
        """The body as a JSON object; an empty body is an empty object. Raises BadRequestError."""
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


def _not_json(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


@dataclass(frozen=True)
class Answer:
    """What goes back: a JSON-able body, or a page when `content_type` says so."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


def report(request: Request, job: jobs.Job) -> Answer:
    """Status and report of a job in one; its page for Accept: text/html once it has succeeded."""
    if request.wants_html and job["status"] == "succeeded":
        return Answer(jobs.page(job), content_type="text/html; charset=utf-8")
    return Answer(job)


def accepted(job: Mapping[str, Any]) -> Answer:
    """202 for a job that goes on: `{"id", "status", "status_url"}` and `Location`."""
    body = {key: job[key] for key in ("id", "status", "status_url")}
    return Answer(body, status=202, headers={"Location": job["status_url"]})
