"""Render the page of a job without a report: it is still running, or it failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.pages import templating

WHAT = {"reconciliations": "reconciliation", "evaluations": "evaluation"}


def render(job: Mapping[str, Any]) -> str:
    """Return the page of a job that is `running` or `failed`, with its error and what to do."""
    what = WHAT.get(job["kind"], "job")
    title = f"The {what} failed" if job["status"] == "failed" else f"The {what} is still running"
    return templating.render("job.html", job={"error": None, **job}, title=title, when=when, progress=progress)


def when(job: Mapping[str, Any]) -> str:
    """Return when the job began, and when it ended if it has."""
    return " to ".join(str(job[name])[:19].replace("T", " ") for name in ("started_at", "finished_at") if job.get(name))


def progress(job: Mapping[str, Any]) -> str:
    """Return how far the job is as a sentence, nothing where it doesn't say."""
    told = job.get("progress")
    if not told:
        return ""
    count = f" ({told['done']:,}{' of ' + format(told['of'], ',') if 'of' in told else ''})" if "done" in told else ""
    return f"So far: {told['step']}{count}. "
