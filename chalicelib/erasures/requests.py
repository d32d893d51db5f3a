"""Store requests to erase: one object each, `erasures/requests/<id>.ndjson.gz`.

The admin API and each source store requests here. A request stays until everything that it names is erased. Then the
outcome is written to `erasures/done/<id>.json`, and the request is removed with its IDs.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import orjson
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import bodies, clients, layout, times
from chalicelib.events import event
from chalicelib.settings import settings
from chalicelib.telemetry import logger

FOLDER = f"{layout.ERASURES}requests/"
DONE = f"{layout.ERASURES}done/"
STATE = f"{layout.ERASURES}state.json"  # what the last pass left
ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{32}")
DUE = timedelta(hours=24)
"""From the marker to the erasure: developer.x.com/en/developer-terms/policy asks for 24 hours."""
MOST_BYTES = 64 << 20  # of one request, unpacked: 400,000 IDs and more


class ErasureRequest(NamedTuple):
    """One request. IDs as their sources write them."""

    id: str
    asked_at: datetime
    source: str
    tweet_ids: list[str]
    user_ids: list[str]

    @property
    def due_at(self) -> datetime:
        return self.asked_at + DUE


class UnreadableRequestError(ValueError):
    """The request's object is not one that `put` has written."""


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
        clients.s3().put_object(Bucket=settings().bucket, Key=key(request_id), Body=gzip.compress(body, mtime=0))
    return request_id


def begin(request_id: str, now: datetime) -> None:
    """Invoke the function that erases. If that fails, its schedule invokes it within the hour.

    It is invoked by EventBridge as well, and expects its events.
    """
    payload = orjson.dumps(event("Erasure Requested", "disaster-tweets.admin", {}, request_id, times.milliseconds(now)))
    function = settings().function_name("erase")
    try:
        clients.lambda_().invoke(FunctionName=function, InvocationType="Event", Payload=payload)
    except (ClientError, BotoCoreError):
        logger.exception("not begun; the schedule will")


def key(request_id: str) -> str:
    return f"{FOLDER}{request_id}.ndjson.gz"


def done_key(request_id: str) -> str:
    return f"{DONE}{request_id}.json"


def asked_at(request_id: str) -> datetime:
    return datetime.strptime(request_id[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def pending(bucket: str) -> Iterator[str]:
    """Yield the ids of the requests that are not done, the oldest first."""
    for page in clients.s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=FOLDER):
        for item in page.get("Contents", ()):
            name = item["Key"].removeprefix(FOLDER).removesuffix(".ndjson.gz")
            if ID.fullmatch(name):
                yield name


def read(bucket: str, request_id: str) -> ErasureRequest | None:
    """Return a request; None where there is none. Raises UnreadableRequestError."""
    try:
        body = clients.s3().get_object(Bucket=bucket, Key=key(request_id))["Body"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return None
        raise
    request = ErasureRequest(request_id, asked_at(request_id), "", [], [])
    try:
        for line in bodies.lines(body, MOST_BYTES, MOST_BYTES):
            said = orjson.loads(line)
            request = request._replace(source=str(said["source"]))
            for name, ids in (("tweet_id", request.tweet_ids), ("user_id", request.user_ids)):
                if name in said:
                    ids.append(str(said[name]))
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        raise UnreadableRequestError(f"{key(request_id)} can't be read: {type(error).__name__}: {error}") from error
    return request


def outcome(bucket: str, request_id: str) -> dict[str, Any] | None:
    """Return the outcome of a request that is done; None if there is none."""
    return stored(bucket, done_key(request_id))


def stored(bucket: str, name: str) -> dict[str, Any] | None:
    """Return the JSON object under a key, None where there is none."""
    try:
        value: dict[str, Any] = orjson.loads(clients.s3().get_object(Bucket=bucket, Key=name)["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return None
        raise
    return value


def _lines(tweet_ids: Iterable[str], user_ids: Iterable[str], source: str, at: datetime) -> Iterator[dict[str, Any]]:
    for name, ids in (("tweet_id", tweet_ids), ("user_id", user_ids)):
        for each in sorted(set(ids)):
            yield {name: each, "source": source, "at": times.milliseconds(at)}
