"""Check the whole flow: tweets become rows with the right link, and refusals are where they should be."""

from __future__ import annotations

import base64
import gzip
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from infra import smoke
from infra.conformance.asking import DiffersError, NotAskedError, Place, check, sql


def junk(place: Place) -> bytes:
    return f"conformance {place.run}: no tweet".encode()


def until(place: Place, done: Callable[[], bool], what: str) -> str:
    """Wait for it, up to the stage's patience. Raise DiffersError."""
    began = time.monotonic()
    while not done():
        if time.monotonic() - began > place.patience:
            raise DiffersError(f"{what} after {place.patience:.0f} s")
        time.sleep(min(10.0, place.patience / 100))
    return f"after {time.monotonic() - began:.0f} s"


def rows(place: Place) -> list[list[Any]]:
    """Return tweet_id, s3_key and s3_line of this run's rows."""
    mine = f"tweet_id LIKE 'smoke-{place.run}-%'"
    query = f"SELECT DISTINCT tweet_id, s3_key, s3_line FROM disaster.disaster_tweets WHERE {mine} ORDER BY 1"  # noqa: S608
    found = sql(place, query)
    if found.error:
        raise DiffersError(found.error)
    return found.rows


def objects(place: Place, prefix: str) -> Iterator[bytes]:
    """Yield the bytes of the objects under a prefix, unpacked."""
    s3 = place.client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=place.bucket, Prefix=prefix):
        for each in page.get("Contents", ()):
            body = s3.get_object(Bucket=place.bucket, Key=each["Key"])["Body"].read()
            yield gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body


def hours() -> list[datetime]:
    """Return the hour now and the one before: a run may begin in the one and end in the other."""
    now = datetime.now(UTC)
    return [now, now - timedelta(hours=1)]


@check
def the_admin_api_answers(place: Place) -> str:
    """The warehouse is set up, and the admin API says so."""
    if place.api is None:
        raise NotAskedError("the URL of the admin API is not given (--api)")
    found = place.api.call("GET", "/warehouse")
    if found["status"] not in {"ready", "waking_up"}:
        raise DiffersError(f"the warehouse is {found['status']}")
    return str(found["status"])


@check
def tweets_become_rows(place: Place) -> str:
    """Ten tweets become ten rows."""
    smoke.send(place.of, place.stream, place.run)
    send(place, junk(place))
    loads = place.client("ssm").get_parameter(Name=f"/disaster-tweets/{place.of.name}/delivery")["Parameter"]

    def done() -> bool:
        if loads.get("Value") == "reconcile" and place.api:
            place.api.job("/reconciliations", {"repair": True, "grace_seconds": 0})
        return len(rows(place)) >= smoke.TWEETS

    return until(place, done, "fewer than ten rows")


def send(place: Place, record: bytes) -> None:
    if place.of.parameters.get("Source") == "Kinesis":
        place.client("kinesis").put_record(StreamName=place.of.prefix, Data=record, PartitionKey="1")
    else:
        place.client("firehose").put_record(DeliveryStreamName=place.stream, Record={"Data": record})


@check
def each_row_is_where_it_says(place: Place) -> str:
    """Each row is the line of the tweet file that it names, and no tweet is a row twice."""
    found = rows(place)
    s3 = place.client("s3")
    if len({row[0] for row in found}) != len(found) or not found:
        raise DiffersError(f"{len(found)} rows of {len({row[0] for row in found})} tweets")
    for tweet_id, key, line in found:
        body = gzip.decompress(s3.get_object(Bucket=place.bucket, Key=key)["Body"].read())
        tweet = json.loads(body.splitlines()[line - 1])
        if tweet["tweet_id"] != tweet_id:
            raise DiffersError(f"line {line} of {key} is {tweet['tweet_id']}, not {tweet_id}")
    return f"{len(found)} rows"


@check
def what_is_refused_says_why(place: Place) -> str:
    """A record that is no tweet lies under `rejected/` with its reason."""

    def done() -> bool:
        for hour in hours():
            for body in objects(place, f"rejected/dt={hour:%Y-%m-%d}/hh={hour:%H}/"):
                for line in body.splitlines():
                    refusal = json.loads(line)
                    if base64.b64decode(refusal["raw"]) == junk(place):
                        return bool(refusal["reason"])
        return False

    return until(place, done, "no line under rejected/")


@check
def what_failed_lies_under_processing_failed(place: Place) -> str:
    """Records that could not be processed lie under `<prefix>processing-failed/YYYY/MM/DD/HH/`, in base64."""

    def done() -> bool:
        for hour in hours():
            for body in objects(place, f"delivery/processing-failed/{hour:%Y/%m/%d/%H}/"):
                if any(base64.b64decode(json.loads(line)["rawData"]) == junk(place) for line in body.splitlines()):
                    return True
        return False

    return until(place, done, "no line under delivery/processing-failed/")


@check
def a_reconciliation_ends(place: Place) -> str:
    """A reconciliation by hand succeeds."""
    if place.api is None:
        raise NotAskedError("the URL of the admin API is not given (--api)")
    hour = hours()[0].replace(minute=0, second=0, microsecond=0)
    found = place.api.job("/reconciliations", {"from": f"{hour:%Y-%m-%dT%H:%M:%SZ}"})
    return str(found.get("verdict", found["status"]))


@check
def a_wrong_request_is_refused(place: Place) -> None:
    """The admin API refuses who sends what it does not take, with 400."""
    if place.api is None:
        raise NotAskedError("the URL of the admin API is not given (--api)")
    answer = place.api._send("POST", "/reconciliations", '{"from": 7}')
    if answer.status_code != 400:
        raise DiffersError(f"answered {answer.status_code}: {answer.text[:200]}")
