"""Describe the stage and list all routes."""

from __future__ import annotations

from chalicelib.admin import overview
from chalicelib.admin.http import Answer, Request
from chalicelib.classifier import activation
from chalicelib.settings import settings
from chalicelib.transform import accelerator

ROUTES = {
    "GET /": "this page; a browser is shown the overview",
    "GET /overview": "what is happening, where and since when, with the posts that show it; as JSON or as a page",
    "GET /warehouse": "migrations applied and pending, rows a table",
    "POST /warehouse/setup": "apply pending migrations",
    "GET /warehouse/setup/{id}": "how a setup is getting on",
    "POST /classifier/train": "train a Comprehend version from a CSV in S3",
    "GET /classifier/versions": "every version with its scores and costs",
    "GET /classifier/versions/{version}": "one version, with its confusion matrix",
    "POST /classifier/versions/{version}/endpoint": "host a version, or resize its endpoint; costs money until deleted",
    "DELETE /classifier/versions/{version}/endpoint": "delete its endpoint",
    "GET /classifier/active": "which version labels tweets now",
    "PUT /classifier/active": "switch to another version",
    "POST /classifier/evaluate": "several versions on the same labelled tweets",
    "GET /classifier/evaluations/{id}": "scores side by side, as JSON or as a page",
    "POST /erasures": "erase tweets, or all tweets of users, from every store",
    "GET /erasures": "which erasures are not done, and which were done of late",
    "GET /erasures/{id}": "how an erasure is getting on, with its proof once it is done",
    "GET /findings": "what needs a person, with what to do; and what was resolved, by whom and why",
    "POST /findings/{finding_id}/resolve": "accept a finding as it is, with a reason",
    "GET /labels": "posts from which most can be learnt, if somebody says what they are",
    "POST /labels": "say what a post is",
    "GET /situations": "what is happening, where and since when, with the posts that show it",
    "POST /reconciliations": "compare tweet files with rows, and repair",
    "GET /reconciliations": "past runs, the newest first",
    "GET /reconciliations/{id}": "status and report of a run, or of the latest, as JSON or as a page",
}
"""A test compares them with `app.py`."""


def show(request: Request) -> Answer:
    """Return the stage, its data plane, the active classifier, whether the bundle has the accelerator, and every route
    with what it is for. A browser gets the overview."""
    if request.wants_html:
        return overview.show(request)
    known = settings()
    return Answer(
        {
            "app": "disaster-tweets",
            "stage": known.stage,
            "caller": request.caller,
            "stream": known.stream,
            "bucket": known.bucket,
            "delivery": known.delivery,
            "classifier": activation.current().version,
            "accelerator": "present" if accelerator.present() else "absent",
            "routes": ROUTES,
        }
    )
