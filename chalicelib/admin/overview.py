"""Show the newest stored overview. The warehouse does not wake for it."""

from __future__ import annotations

from datetime import UTC, datetime

from chalice.app import NotFoundError

from chalicelib import times
from chalicelib.admin.http import Answer, Request
from chalicelib.overview import stored


def show(request: Request) -> Answer:
    """Return the newest overview with the texts of its posts, as JSON, or for Accept: text/html as a page."""
    latest = stored.latest()
    overview = stored.with_texts(latest) if latest else None
    if request.wants_html:
        from chalicelib.pages import overview as page  # here: no answer in JSON needs Jinja2

        body = page.render(overview, datetime.now(UTC))
        return Answer(body, status=200 if overview else 404, content_type="text/html; charset=utf-8")
    if not overview:
        raise NotFoundError("There is no overview yet: a reconciliation that reads the warehouse writes it")
    age = datetime.now(UTC) - times.parsed(overview["as_of"])
    return Answer({**overview, "age_seconds": int(age.total_seconds())})
