"""Store people's reviews of posts, and offer posts to review."""

from __future__ import annotations

from datetime import UTC, datetime

from chalice.app import NotFoundError

from chalicelib import times
from chalicelib.admin.findings import LINE
from chalicelib.admin.http import Answer, Request
from chalicelib.admin.patience import PATIENCE, failed
from chalicelib.admin.validation import validate
from chalicelib.classifier.information import TYPES
from chalicelib.classifier.taxonomy import CODES
from chalicelib.warehouse import data_api
from chalicelib.warehouse.data_api import WarehouseError
from chalicelib.warehouse.statements import named

REVIEW = {
    "type": "object",
    "additionalProperties": False,
    "required": ["tweet_key", "disaster_label", "relevance_label"],
    "properties": {
        "tweet_key": {"type": "string", "pattern": "^[0-9a-f]{32}$", "description": "32 hexadecimal digits"},
        "disaster_label": {"type": "string", "enum": list(CODES)},
        "relevance_label": {"type": "string", "enum": ["relevant", "not_relevant"]},
        "information_type": {"type": "string", "enum": list(TYPES)},
        "note": {**LINE, "maxLength": 1000, "description": "one line of up to 1,000 characters, without emoji"},
    },
}
NONE = " "  # null: the Data API takes no empty parameter


def queue(request: Request) -> Answer:  # noqa: ARG001 - every view takes it
    """Return the posts to review, with their texts and why; and how many have been reviewed."""
    asked, now = [named("labels/queue"), named("labels/counts")], datetime.now(UTC)
    try:
        done = data_api.run(asked, {"now": times.sql(now)}, patience=PATIENCE)
        posts, (reviewed,) = data_api.rows_of(f"{done}:1"), data_api.rows_of(f"{done}:2")
    except WarehouseError as error:
        return failed(error)
    return Answer({"queue": [times.written(post) for post in posts], "reviewed": reviewed})


def review(request: Request) -> Answer:
    """Store the caller's review of a post, and return it.

    Saying the same again changes nothing; of different reviews the last one counts.
    """
    body = validate(request.body(), REVIEW)
    given = {
        "tweet": body["tweet_key"],
        "caller": request.caller,
        "label": body["disaster_label"],
        "relevance": body["relevance_label"],
        "information": body.get("information_type", NONE),
        "note": body.get("note", NONE),
        "now": times.sql_exact(datetime.now(UTC)),
        "request": request.request_id or "none",
    }
    try:
        done = data_api.run([named("labels/review"), named("labels/reviewed")], given, patience=PATIENCE)
        rows = data_api.rows_of(f"{done}:2")
    except WarehouseError as error:
        return failed(error)
    if not rows:
        raise NotFoundError(f"There is no post {body['tweet_key']}: GET /labels offers some")
    return Answer(times.written(rows[0]))
