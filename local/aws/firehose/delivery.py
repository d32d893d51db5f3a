"""Write a stream's data objects and error records, and run its COPY. Each is tried again.

`pause(attempt)` waits before the next attempt and says whether there is to be one; if not, the answer is False and
nothing is known to be done: the stream is closing, and its next run does it again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from isal import igzip

from local.aws.firehose import errors, objects
from local.aws.firehose.journal import Batch
from local.aws.firehose.settings import Copy, Login, Place, Settings
from local.aws.firehose.transform import Outcome

log = logging.getLogger(__name__)

GZIP_LEVEL = 1  # fast: these objects are read once, by COPY

Pause = Callable[[int], bool]


class Outside(NamedTuple):
    """What a stream does to the world around it. Each raises when it fails."""

    invoke: Callable[[str, dict[str, Any]], Any]  # function's ARN, event
    put: Callable[[str, str, bytes], None]  # bucket, key, bytes
    login: Callable[[Copy], Login]  # with which a COPY is run
    run_sql: Callable[[str, Login], int]  # one transaction


def put(outside: Outside, bucket: str, key: str, data: bytes, pause: Pause) -> bool:
    """Write an object, however long it takes."""
    attempt = 1
    while True:
        try:
            outside.put(bucket, key, data)
            return True
        except Exception as error:
            log.warning("s3://%s/%s, attempt %d: %s", bucket, key, attempt, error)
        if not pause(attempt):
            return False
        attempt += 1


def put_data(outside: Outside, settings: Settings, place: Place, data: bytes, pause: Pause) -> str | None:
    """Write data to the destination or the backup; return the object's key."""
    key = objects.key(settings, place.prefix, now(), gzip=place.gzip)
    body = igzip.compress(data, GZIP_LEVEL) if place.gzip else data
    return key if put(outside, place.bucket, key, body, pause) else None


def put_failures(
    outside: Outside, settings: Settings, stream_id: str, batch: Batch, outcome: Outcome, pause: Pause
) -> bool:
    """Write the error records of a batch, under the same key each time it is done: so they are there once."""
    if not outcome.failures:
        return True
    assert settings.processor
    name = f"{stream_id} {batch.first}"
    key = objects.key(settings, settings.place.error_prefix + "processing-failed/", batch.cut_at, name=name)
    lines = errors.lines(outcome.failures, outcome.attempts, now(), settings.processor.arn)
    return put(outside, settings.place.bucket, key, lines, pause)


def load(
    outside: Outside, settings: Settings, copy: Copy, keys: Sequence[str], copying: threading.Lock, pause: Pause
) -> bool:
    """Copy the objects with one COPY, tried again for as long as the settings say; then leave the manifest under
    errors/. `copying` is held by whoever runs a COPY.
    """
    place, at = settings.place, now()
    manifest = objects.manifest(place.bucket, keys)
    key = objects.key(settings, place.prefix + "manifests/", at)
    if not put(outside, place.bucket, key, manifest, pause):
        return False
    sql = objects.copy_statement(copy, place.bucket, key)
    deadline = time.monotonic() + copy.retry_seconds
    attempt = 1
    while True:
        try:
            with copying:
                outside.run_sql(sql, outside.login(copy))
            return True
        except Exception as error:
            log.warning("COPY into %s, attempt %d: %s", copy.table, attempt, error)
        if time.monotonic() >= deadline:
            failed = objects.key(settings, place.prefix + "errors/manifests/", at)
            return put(outside, place.bucket, failed, manifest, pause)
        if not pause(attempt):
            return False
        attempt += 1


def now() -> int:
    """ms since the epoch."""
    return int(time.time() * 1000)
