"""The list of what has to be erased: one object for each request, `erasures/requests/<id>.ndjson`.

Whoever learns of a deletion writes it here: the admin API, and each source for its own markers. A request stays until
all it names is erased; the job that erases then writes down the outcome and removes it, with the IDs that it holds.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import orjson

from chalicelib import clients
from chalicelib.settings import settings

FOLDER = "erasures/requests/"
ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{32}")


def put(tweet_ids: Iterable[str], user_ids: Iterable[str], source: str, at: datetime) -> str:
    """Ask for the erasure of some tweets, and of all tweets of some users; return the request's id.

    `source`: who asks (`api`, `bluesky`, `x`, `mastodon`). `at`: when that was learned, with its time zone; the erasure
    is due 24 hours later. The same markers at the same time make the same request, so the call can be repeated. Without
    IDs there is nothing to ask for, and nothing is written. Raises what boto3 raises.
    """
    lines = list(_lines(tweet_ids, user_ids, source, at))
    body = b"".join(orjson.dumps(line) + b"\n" for line in lines)
    request_id = f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{hashlib.sha256(body).hexdigest()[:32]}"
    if lines:
        clients.s3().put_object(Bucket=settings().bucket, Key=key(request_id), Body=body)
    return request_id


def key(request_id: str) -> str:
    return f"{FOLDER}{request_id}.ndjson"


def _lines(tweet_ids: Iterable[str], user_ids: Iterable[str], source: str, at: datetime) -> Iterator[dict[str, Any]]:
    common = {"source": source, "at": at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")}
    for name, ids in (("tweet_id", tweet_ids), ("user_id", user_ids)):
        for each in sorted(set(ids)):
            yield {name: each, **common}
