"""Take requests to erase, and say how far they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from chalice.app import BadRequestError, NotFoundError

from chalicelib import clients, times
from chalicelib.admin.http import Answer, Request, accepted
from chalicelib.admin.validation import validate
from chalicelib.erasures import requests
from chalicelib.settings import settings

SHOWN = 100  # of the requests that are not done, and of those that are
IDS = {
    "type": "array",
    "minItems": 1,
    "maxItems": 10_000,
    "items": {
        "type": "string",
        "pattern": "^[!-~]{1,256}$",
        "description": "an ID as its source writes it: 1 to 256 characters of ASCII without spaces",
    },
}
START = {
    "type": "object",
    "additionalProperties": False,
    "minProperties": 1,
    "properties": {"tweet_ids": IDS, "user_ids": IDS},
}


def start(request: Request) -> Answer:
    """Put tweets, or all tweets of users, on the list of what has to be erased, and begin."""
    body = request.body()
    if not body:
        raise BadRequestError("Name what is to be erased: tweet_ids, user_ids or both")
    body = validate(body, START)
    now = datetime.now(UTC)
    request_id = requests.put(body.get("tweet_ids", ()), body.get("user_ids", ()), "api", now)
    requests.begin(request_id, now)
    asked_at = requests.asked_at(request_id)
    return accepted(request, _placed(request_id, "running"), due_at=times.milliseconds(asked_at + requests.DUE))


def list_all(request: Request) -> Answer:
    """Return requests that are not done, the oldest first, and those done of the last two days, the newest first."""
    bucket, now = settings().bucket, datetime.now(UTC)
    waiting = list(requests.pending(bucket))
    state = requests.stored(bucket, requests.STATE) or {}
    pending = [_waiting(request_id, now) for request_id in waiting[:SHOWN]]
    done = [outcome for each in islice(_done(bucket, now), SHOWN) if (outcome := requests.outcome(bucket, each))]
    return Answer(
        {
            "pending": [request.placed(each) for each in pending],
            "pending_count": len(waiting),
            "late_count": sum(_late(request_id, now) for request_id in waiting),
            "trouble": state.get("trouble", {}),
            "done": [request.placed({**each, **_placed(each["id"], each["status"])}) for each in done],
        }
    )


def show(request: Request, job_id: str) -> Answer:
    """Return the status of a request: `running` until nothing that it names is stored, then with its proof."""
    bucket, now = settings().bucket, datetime.now(UTC)
    if not requests.ID.fullmatch(job_id):
        raise NotFoundError(f"There is no erasure {job_id}")
    outcome = requests.outcome(bucket, job_id)
    if outcome:
        return Answer(request.placed({**outcome, **_placed(job_id, outcome["status"])}))
    try:
        asked = requests.read(bucket, job_id)
    except requests.UnreadableRequestError as error:
        return Answer(request.placed({**_waiting(job_id, now), "status": "failed", "error": str(error)}))
    if not asked:
        raise NotFoundError(f"There is no erasure {job_id}")
    state = requests.stored(bucket, requests.STATE) or {}
    counts = {"source": asked.source, "tweet_ids": len(asked.tweet_ids), "user_ids": len(asked.user_ids)}
    return Answer(request.placed({**_waiting(job_id, now), **counts, "trouble": state.get("trouble", {})}))


def _waiting(request_id: str, now: datetime) -> dict[str, Any]:
    asked_at = requests.asked_at(request_id)
    due = {
        "asked_at": times.milliseconds(asked_at),
        "due_at": times.milliseconds(asked_at + requests.DUE),
        "late": _late(request_id, now),
    }
    return {**_placed(request_id, "running"), **due}


def _late(request_id: str, now: datetime) -> bool:
    return now > requests.asked_at(request_id) + requests.DUE


def _placed(request_id: str, status: str) -> Mapping[str, Any]:
    return {"id": request_id, "status": status, "status_url": f"/erasures/{request_id}"}


def _done(bucket: str, now: datetime) -> Iterator[str]:
    """Yield the ids of requests of the last two days that are done, the newest first."""
    start = f"{requests.DONE}{now - timedelta(days=2):%Y%m%d}"
    pages = (
        clients.s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=requests.DONE, StartAfter=start)
    )
    keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
    yield from (key.removeprefix(requests.DONE).removesuffix(".json") for key in reversed(keys))
