"""Run the function `collect`: read Bluesky from where the last run stopped up to the moment at which this one began.

It runs once a minute, for some seconds, so a post waits for little more than a minute. The cursor moves only after the
stream has accepted the posts and the deletions are stored. So a run that is killed at any step loses nothing, and a
post that is read twice has the same `tweet_key`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from chalicelib.conditional import HeldError
from chalicelib.erasures import requests
from chalicelib.settings import settings
from chalicelib.sources import choice, jetstream
from chalicelib.sources.cursor import Cursor, Lease, LostError
from chalicelib.sources.posts import line, packed
from chalicelib.telemetry import logger, metrics
from chalicelib.transform.plan import PutBack
from chalicelib.transform.put_back import put_back

FIRST_US = 60_000_000
"""Microseconds that the very first run reads back: as much as any other."""
GAP_US = 60_000_000
"""Microseconds between the cursor and the first event from which on events are taken to be missing. The server keeps
36 hours, and begins with the oldest where it is asked for more, without a word; the network never rests so long."""
CHUNK_SECONDS = 5.0
CHUNK_POSTS = 5_000
CHUNK_BYTES = 2_000_000
"""What is read before it is put into the stream and the cursor moves, whichever comes first."""
QUIET = 3.0  # seconds without any event: there are no more
RESERVE = 30.0
"""Seconds that are left for the last chunk when a run stops for its own limit: put_back tries for some 20."""
SECONDS_WITHOUT_CONTEXT = 60.0


@dataclass
class Chunk:
    """Posts and deletions read since the cursor last moved."""

    began: float  # of time.monotonic()
    lines: list[bytes] = field(default_factory=list)
    bytes: int = 0
    seen: int = 0
    tweet_ids: list[str] = field(default_factory=list)  # deleted
    user_ids: list[str] = field(default_factory=list)  # deleted
    rubbish: int = 0
    time_us: int = 0  # of the newest event
    deleted_us: int = 0  # of the first deletion

    def add(self, event: jetstream.Event, forwards: choice.Choice) -> None:
        self.time_us = max(self.time_us, event.time_us)
        self.rubbish += event.rubbish
        if event.post:
            self.seen += 1
            if forwards(event.post):
                self.lines.append(line(event.post))
                self.bytes += len(self.lines[-1])
        if event.deletion:
            tweet_id, user_id = event.deletion
            self.deleted_us = self.deleted_us or event.time_us
            self.tweet_ids += [tweet_id] if tweet_id else []
            self.user_ids += [user_id] if user_id else []

    def full(self) -> bool:
        return (
            self.seen >= CHUNK_POSTS
            or self.bytes >= CHUNK_BYTES
            or len(self.tweet_ids) >= CHUNK_POSTS
            or time.monotonic() - self.began >= CHUNK_SECONDS
        )


@dataclass
class Collected:
    """What a run read and sent.

    `status`: caught_up, quiet, out_of_time, dropped, unreachable, taken_over, held, off, failed.
    """

    status: str = "unreachable"
    server: str = ""
    seen: int = 0
    forwarded: int = 0
    deletions: int = 0
    rubbish: int = 0
    gap_seconds: float = 0.0  # of time that no server could tell
    lag_seconds: float | None = None  # of the newest event that is safe, at the end

    def count(self, chunk: Chunk) -> None:
        self.seen += chunk.seen
        self.forwarded += len(chunk.lines)
        self.deletions += len(chunk.tweet_ids) + len(chunk.user_ids)
        self.rubbish += chunk.rubbish


def collect(context: Any, clock: Callable[[], float] = time.time) -> dict[str, Any]:
    """Read what is new, put it into the stream, and return what was done. `clock`: seconds since the epoch.

    Nothing is lost by an end at any step; what could not be read or put waits for the next run. Raises what S3 and the
    stream raise.
    """
    forwards = choice.of(settings().bluesky)
    collected = Collected("off")
    if forwards is None:
        return vars(collected)
    left = context.get_remaining_time_in_millis() / 1000 if context else SECONDS_WITHOUT_CONTEXT
    deadline = time.monotonic() + left - RESERVE
    collected.status = "failed"
    lease = Lease(settings().bucket, jetstream.SOURCE, getattr(context, "aws_request_id", "") or "collect")
    try:
        with lease:
            _read(lease, forwards, deadline, clock, collected)
    except HeldError as error:
        collected.status = "held"
        logger.info("not collected", extra={"reason": str(error)})
        return vars(collected)
    except LostError as error:
        collected.status = "taken_over"
        logger.warning("stopped collecting", extra={"reason": str(error)})
    finally:
        if collected.status != "held":
            if lease.cursor.time_us:
                collected.lag_seconds = max(0.0, round(clock() - lease.cursor.time_us / 1e6, 3))
            _report(collected)
    return vars(collected)


def _read(
    lease: Lease, forwards: choice.Choice, deadline: float, clock: Callable[[], float], collected: Collected
) -> None:
    """Read from the first server that sends events, the cursor's own first."""
    target = int(clock() * 1e6)
    for server in servers(lease.cursor.server):
        collected.status, collected.server = "unreachable", server
        try:
            _read_from(server, target, lease, forwards, deadline, collected)
            return
        except jetstream.SourceError as error:
            logger.warning("source failed", extra={"reason": str(error)})
            if collected.status == "dropped":
                return  # it told something; the next run goes on
            lease.advance(lease.cursor)  # a sign of life: it may have taken its time to fail


def servers(known: str) -> Sequence[str]:
    """Return the addresses to try, in order."""
    every = [each.strip() for each in settings().jetstream.split(",")]
    return sorted(every, key=lambda each: each != known)


def _read_from(
    server: str, target: int, lease: Lease, forwards: choice.Choice, deadline: float, collected: Collected
) -> None:
    """Read up to an event of the time `target` (microseconds). Raises SourceError after it has saved what was read."""
    chunk = Chunk(time.monotonic())

    def save() -> Chunk:
        _save(chunk, server, lease, target)
        collected.count(chunk)
        return Chunk(time.monotonic())

    with closing(jetstream.events(server, start(lease.cursor, server, target))) as events:
        try:
            latest = time.monotonic()  # when an event came last
            for event in _until(events, deadline):
                if event is None:
                    if time.monotonic() - latest > QUIET:
                        collected.status = "quiet"
                        break
                    continue
                latest = time.monotonic()
                if event.time_us and collected.status == "unreachable":
                    collected.status = "dropped"  # unless it ends well
                    collected.gap_seconds = gap(lease.cursor, event.time_us)
                if event.time_us >= target:
                    collected.status = "caught_up"
                    break
                chunk.add(event, forwards)
                if chunk.full():
                    chunk = save()
            else:
                collected.status = "out_of_time"
        except jetstream.SourceError:
            save()
            raise
    save()


def _until(events: Iterator[jetstream.Event | None], deadline: float) -> Iterator[jetstream.Event | None]:
    """Yield the events until the deadline, on the clock of time.monotonic()."""
    while time.monotonic() < deadline:
        yield next(events)


def start(cursor: Cursor, server: str, target: int) -> int:
    """Return the time from which to read, in microseconds: the cursor; a little before where the server is another."""
    if not cursor.time_us:
        return target - FIRST_US
    return cursor.time_us if cursor.server == server else cursor.time_us - jetstream.OVERLAP_US


def gap(cursor: Cursor, first_us: int) -> float:
    """Return the seconds between the cursor and a first event; 0 if no events are missing."""
    if not cursor.time_us or first_us - cursor.time_us <= GAP_US:
        return 0.0
    return (first_us - cursor.time_us) / 1e6


def _save(chunk: Chunk, server: str, lease: Lease, target: int) -> None:
    """Put posts into the stream, store deletions, then move the cursor, in this order."""
    entries = [PutBack(b"".join(group), None) for group in packed(chunk.lines)]
    if entries:
        put_back(entries, settings().stream, settings().source_stream_arn or None)
    if chunk.deleted_us:
        at = datetime.fromtimestamp(chunk.deleted_us / 1e6, UTC)
        requests.put(chunk.tweet_ids, chunk.user_ids, jetstream.SOURCE, at)
    if chunk.time_us > lease.cursor.time_us or server != lease.cursor.server:
        # Never beyond the moment of the run: a server's clock that is ahead must not hide what comes.
        lease.advance(Cursor(server, max(lease.cursor.time_us, min(chunk.time_us, target))))


def _report(collected: Collected) -> None:
    """Write one line in the log, and one of metrics in CloudWatch's embedded format."""
    measured = metrics()
    counts = {
        "PostsSeen": collected.seen,
        "PostsForwarded": collected.forwarded,
        "PostsSkipped": collected.seen - collected.forwarded,
        "Deletions": collected.deletions,
        "Rubbish": collected.rubbish,
    }
    for name, count in counts.items():
        measured.add_metric(name, MetricUnit.Count, count)
    measured.add_metric("CollectGap", MetricUnit.Seconds, collected.gap_seconds)
    if collected.lag_seconds is not None:
        measured.add_metric("CollectLag", MetricUnit.Seconds, collected.lag_seconds)
    measured.flush_metrics()
    if collected.gap_seconds:
        logger.error("posts are missing: the server keeps none so old", extra={"gap_seconds": collected.gap_seconds})
    logger.info("collected", extra=vars(collected))
