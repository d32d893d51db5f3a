"""Run one pass of erasing, from requests to proofs.

A pass removes from objects and rows what is on the list of erased digests. It may run at any time, twice, or after a
crash in the middle, with the same result. For this it keeps an order: an ID is first added to the list, then objects
are rewritten, and their rows are erased last. Until all objects are rewritten, the next pass still finds the row. A
request is done when a pass finds nothing that it names.

A pass looks at
* the objects that Firehose and the transform have written since the last pass;
* if there are requests: all of `rejected/` and `delivery/processing-failed/`, because no row names these objects;
* rows that the requests name, and listed rows that were loaded since the last pass; their tweet files, and the objects
  in `source/` and `delivery/` of the hours in which they arrived.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice
from typing import Any, NamedTuple

import orjson

from chalicelib import clients, layout, times
from chalicelib.conditional import HeldError
from chalicelib.erasures import records, requests, retention, rows, stores
from chalicelib.erasures.requests import ErasureRequest
from chalicelib.erasures.stores import Store, Version, Work
from chalicelib.reconcile import listing
from chalicelib.reconcile.hours import HOUR, floor
from chalicelib.reconcile.lock import Lock
from chalicelib.settings import settings
from chalicelib.telemetry import logger, metrics
from chalicelib.transform.rows import EPOCH, written

LOCK = f"{layout.ERASURES}lock.json"
WORK = f"{layout.ERASURES}work/"
LIST = f"{layout.ERASURES}list/"
SECONDS = 840.0  # where the Lambda's own limit isn't known
WORKING = 0.85  # of the time: then no new work is begun
LOCKED = 2.0  # seconds to wait for another pass, which looks again for requests before it ends
MOST_IDS = 100_000  # of the requests of one pass: 20 MB of digests
MOST_KEYS = 1000  # of a message
PAGE = 1000  # objects taken up at a time
THREADS = 16  # S3 answers in tens of milliseconds
THREADS_OF_REFUSED = 4  # at objects that are small, unless somebody means harm
LAST_KEY = "~"  # behind all of ours
THREADS_OF_LARGE = 2  # at objects of up to 128 MB, unpacked: one that is rewritten is in memory, packed, twice
LAST_HOUR = 23  # UTC, of a day
CLOCKS = timedelta(minutes=5)  # by how much S3's, the warehouse's and our clocks may differ
LATE = timedelta(hours=48)
"""How long after its hour an object may be written: Firehose tries for 24 hours, and a Kinesis stream keeps a record
for 24. So long may something come back after nothing was written any more."""


class _TimeUpError(Exception):
    """The next pass goes on."""


@dataclass
class Pass:
    """One pass: its requests, and what it has done. `erased`: the digests of its requests."""

    id: str
    now: datetime
    deadline: float  # of time.monotonic()
    since: datetime  # when the last pass began that came to its end
    requests: list[ErasureRequest] = field(default_factory=list)
    erased: set[str] = field(default_factory=set)
    work: Work = field(default_factory=Work)
    rows: int = 0
    complete: bool = False
    parts: int = 0  # objects written for COPY
    reached: str = ""  # the key up to which it is known what no row leads to

    @property
    def at(self) -> str:
        return times.sql(self.now)

    @property
    def left(self) -> float:
        return max(1.0, self.deadline - time.monotonic())

    def go_on(self) -> None:
        """Raise _TimeUpError where there is no time for more."""
        if time.monotonic() > self.deadline:
            raise _TimeUpError

    def part(self) -> str:
        """Return a new key for a file for COPY."""
        self.parts += 1
        return f"{WORK}{self.id}/{self.parts:05}"


class State(NamedTuple):
    """State between passes: see `Pass.since`; when anything was last written or requested; unreadable keys."""

    since: datetime
    busy: datetime
    trouble: Mapping[str, str]
    retained: str = ""  # the day on which old rows were last removed
    begun: Sequence[str] = ()  # the requests that the last pass had no time to end
    reached: str = ""  # see `Pass.reached`, of these


def run(context: Any = None) -> dict[str, Any]:
    """Erase what is requested, and what came back; remove old rows once a day. Return what was done.

    Ends before the Lambda's time is up; what is left then, the next pass does. While another pass is under way it does
    nothing: that one looks again for requests before it ends. Raises WarehouseError and boto3's errors.
    """
    began = time.monotonic()
    seconds = context.get_remaining_time_in_millis() / 1000 if context else SECONDS
    bucket = settings().bucket
    began_at = datetime.now(UTC)
    try:
        with Lock(bucket, f"{began_at:%Y%m%dT%H%M%SZ}", LOCKED, LOCK):
            return _passes(bucket, began + seconds * WORKING)
    except HeldError:
        return {"held": True}
    finally:
        measure(bucket, datetime.now(UTC))


def _passes(bucket: str, deadline: float) -> dict[str, Any]:
    """Run pass after pass, until no request came meanwhile."""
    tried: set[str] = set()
    while True:
        report, handled = _pass(bucket, deadline)
        tried |= handled
        more = set(requests.pending(bucket)) - tried
        if not more or not report["complete"] or time.monotonic() > deadline:
            return report


def _pass(bucket: str, deadline: float) -> tuple[dict[str, Any], set[str]]:
    now = datetime.now(UTC)
    state = read_state(bucket, now)
    this = Pass(f"{now:%Y%m%dT%H%M%S%f}Z", now, deadline, state.since)
    this.requests, looked_at = batch(bucket, state.begun or requests.pending(bucket))
    this.reached = state.reached if {each.id for each in this.requests} == set(state.begun) else ""
    this.erased = {digest for request in this.requests for digest in digests(request)}
    new = list(written_since(bucket, this, state.trouble)) if this.requests or anything_listed(bucket) else []
    busy = now if this.requests or new else state.busy
    if now - busy < LATE:  # else nothing can have come back, and a warehouse that sleeps goes on sleeping
        try:
            _erase(bucket, this, new)
            this.complete = True
        except _TimeUpError:
            logger.warning("time is up; the next pass goes on")
        if this.complete and not this.work.trouble:
            for request in this.requests:
                close(bucket, this, request)
    else:
        this.complete = True
    since, trouble = (now, {}) if this.complete else (state.since, state.trouble)
    retained = tidied(this, state, bool(this.requests or new))
    begun = () if this.complete else tuple(each.id for each in this.requests)
    write_state(bucket, State(since, busy, {**trouble, **this.work.trouble}, retained, begun, this.reached))
    report = reported(this)
    logger.info("erased", extra=report)
    return report, looked_at


def tidied(this: Pass, state: State, awake: bool) -> str:
    """Remove old rows where that was not done today; return the day on which it was done last.

    Where the warehouse has not been asked in this pass, that waits for the evening: the day's other passes may ask it.
    """
    today = f"{this.now:%Y-%m-%d}"
    if state.retained == today or not (awake or this.now.hour == LAST_HOUR) or time.monotonic() > this.deadline:
        return state.retained
    retention.remove_old(this.now, this.deadline)
    return today


def _erase(bucket: str, this: Pass, new: Sequence[Version]) -> None:
    """Run one pass. Raises _TimeUpError."""
    remember(bucket, this)
    came_back(bucket, this, new)
    manifest = ""
    if this.requests:
        without_rows(bucket, this)
        manifest = rows.manifest(bucket, f"{this.part()}.manifest", [requests.key(each.id) for each in this.requests])
    while True:
        this.go_on()
        due = rows.find(manifest, earliest(this.requests), this.since - CLOCKS, this.left)
        if not due:
            return
        erase_rows(bucket, this, due)


# ------------------------------------------------------------------ what is asked for


def batch(bucket: str, asked: Iterable[str]) -> tuple[list[ErasureRequest], set[str]]:
    """Return the first of some requests, up to MOST_IDS IDs, one at least; and the ids of all that were looked at.

    A request that can't be read stays, and in time is late.
    """
    taken: list[ErasureRequest] = []
    looked_at: set[str] = set()
    ids = 0
    for request_id in asked:
        looked_at.add(request_id)
        try:
            request = requests.read(bucket, request_id)
        except requests.UnreadableRequestError as error:
            logger.error("request not readable", extra={"request": request_id, "error": str(error)})
            continue
        if request:
            taken.append(request)
            ids += len(request.tweet_ids) + len(request.user_ids)
        if ids >= MOST_IDS:
            break
    return taken, looked_at


def digests(request: ErasureRequest) -> Iterator[str]:
    yield from map(records.of_tweet, request.tweet_ids)
    yield from map(records.of_user, request.user_ids)


def earliest(asked: Iterable[ErasureRequest]) -> datetime | None:
    """Return a time before which none of the tweets can have arrived, as far as their IDs tell; else None.

    Taken for an ID of Twitter's, one of another service says an earlier time than its own, or none.
    """
    first: datetime | None = None
    for request in asked:
        if request.user_ids:
            return None
        for tweet_id in request.tweet_ids:
            if request.source != "x" or not written(tweet_id, int(request.asked_at.timestamp() * 1000)):
                return None
            at = datetime.fromtimestamp(((int(tweet_id) >> 22) + EPOCH) / 1000, UTC)
            first = min(first or at, at)
    return first


def remember(bucket: str, this: Pass) -> None:
    """Add the requested digests to the list: as objects, and in the warehouse; all of them there if it has none."""
    keys = []
    for request in this.requests:
        key = f"{LIST}{request.id}.ndjson.gz"
        listed_at = times.sql(request.asked_at)
        listing.write_lines(bucket, key, ({"digest": each, "listed_at": listed_at} for each in digests(request)))
        keys.append(key)
    if not rows.listed():
        pages = clients.s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=LIST)
        keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
    if keys:
        rows.remember(rows.manifest(bucket, f"{this.part()}.manifest", keys))


def anything_listed(bucket: str) -> bool:
    """Return whether there was ever a request. Without one, nothing can come back."""
    return clients.s3().list_objects_v2(Bucket=bucket, Prefix=LIST, MaxKeys=1)["KeyCount"] > 0


def close(bucket: str, this: Pass, request: ErasureRequest) -> None:
    """Record that a request is done, and remove it with its IDs."""
    outcome = {
        "id": request.id,
        "status": "succeeded",
        "source": request.source,
        "tweet_ids": len(request.tweet_ids),
        "user_ids": len(request.user_ids),
        "asked_at": times.milliseconds(request.asked_at),
        "due_at": times.milliseconds(request.due_at),
        "finished_at": times.milliseconds(datetime.now(UTC)),
        "proof": {name: value for name, value in reported(this).items() if name not in {"requests", "trouble"}},
    }
    clients.s3().put_object(
        Bucket=bucket, Key=requests.done_key(request.id), Body=orjson.dumps(outcome), ContentType="application/json"
    )
    stores.remove_all(bucket, requests.key(request.id), Work())


# ------------------------------------------------------------------ objects


def written_since(bucket: str, this: Pass, trouble: Iterable[str]) -> Iterator[Version]:
    """Yield the objects that were written since the last pass, and those that it could not read."""
    first, last = (this.since - LATE).date(), this.now.date()
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    for store in (stores.SOURCE, stores.DELIVERY, stores.FAILED, stores.REJECTED):
        for day in days:
            for each in stores.versions(bucket, store, of_day(store, day)):
                if each.written_at >= this.since - CLOCKS:
                    yield each
    for key in trouble:
        if of := stores.store_of(key):
            yield from (each for each in stores.versions(bucket, of, key) if each.key == key)


def of_day(store: Store, day: Any) -> str:
    """Return the prefixes of the objects of a day. `day`: a date; or an hour, for that hour only."""
    hour = isinstance(day, datetime)
    if store in (stores.REJECTED, stores.TWEETS):
        return store.prefix + (layout.hour_folder(day) if hour else layout.day_folder(day))
    folder = layout.DELIVERY if store is stores.DELIVERY else store.prefix
    return folder + (layout.firehose_folder(day) if hour else f"{day:%Y/%m/%d}/")


def came_back(bucket: str, this: Pass, new: Sequence[Version]) -> None:
    """Erase from new objects what is on the list. The warehouse compares, for the list may be long."""
    lines = listing.LineWriter(bucket, f"{this.part()}-seen-")
    for number, version in enumerate(new):
        this.go_on()
        for line in stores.version_lines(bucket, version, this.work):
            for digest in version.store.of(line):
                lines.add({"object": number, "digest": digest})
    lines.end()
    if not lines.parts:
        return
    seen = rows.seen(rows.manifest(bucket, f"{this.part()}.manifest", lines.parts), this.left)
    for number, known in seen.items():
        this.go_on()
        stores.clean(bucket, new[number], known, this.at, this.work)


def without_rows(bucket: str, this: Pass) -> None:
    """Erase from objects that no row names, and from the hours of these posts. The next pass continues there."""
    looked_at: set[datetime] = set()
    for store, threads in ((stores.FAILED, THREADS_OF_LARGE), (stores.REJECTED, THREADS_OF_REFUSED)):
        within = this.reached.startswith(store.prefix)
        if this.reached > store.prefix and not within:
            continue  # a former pass has
        each = stores.versions(bucket, store, store.prefix, this.reached if within else "")
        while page := list(islice(each, PAGE)):
            this.go_on()
            arrivals = each_version(bucket, this, this.erased, page, threads)
            hours = {floor(arrival) for arrived in arrivals for arrival in arrived}
            erase_hours(bucket, this, hours, this.erased, looked_at)
            # Of the last key there may be more versions.
            this.reached = max((version.key for version in page if version.key < page[-1].key), default=this.reached)
    this.reached = LAST_KEY


def each_version(
    bucket: str, this: Pass, erased: set[str], versions: Iterable[Version], threads: int = THREADS_OF_LARGE
) -> Iterator[Sequence[datetime]]:
    """Erase from versions of objects, several at a time; yield when what was erased had arrived."""

    def one(version: Version) -> Sequence[datetime]:
        this.go_on()
        return stores.clean(bucket, version, erased, this.at, this.work)

    each = iter(versions)
    with ThreadPoolExecutor(threads) as pool:
        while some := list(islice(each, PAGE)):
            yield from pool.map(one, some)


def erase_hours(bucket: str, this: Pass, hours: Iterable[datetime], erased: set[str], looked_at: set[datetime]) -> None:
    """Erase from what Firehose wrote of some hours, unless that is among `looked_at`; these are added to it.

    Its keys say when the oldest record of an object arrived, up to 15 minutes (the longest buffer) before the others; a
    record that was put back into the stream had arrived before as well.
    docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
    """
    for hour in sorted({hour + n * HOUR for hour in hours for n in (-1, 0, 1)} - looked_at):
        this.go_on()
        for store in (stores.SOURCE, stores.DELIVERY):
            for _ in each_version(bucket, this, erased, stores.versions(bucket, store, of_day(store, hour))):
                pass
        looked_at.add(hour)


# ------------------------------------------------------------------ rows


def erase_rows(bucket: str, this: Pass, due: Sequence[rows.RowToErase]) -> None:
    """Erase the rows that were found, after all that they lead to: hour by hour, so that each pass gets on."""
    erased = this.erased | {row.digest for row in due if row.digest}
    looked_at: set[datetime] = set()
    done: list[tuple[str, int]] = []
    up = False
    for hour, of_hour in groupby(due, key=lambda row: floor(row.arrived_at)):
        lines = sorted({(row.s3_key, row.s3_line) for row in of_hour})
        try:
            this.go_on()
            tweet_files(bucket, this, {key for key, _ in lines}, erased)
            erase_hours(bucket, this, [hour], erased, looked_at)
        except _TimeUpError:
            up = True
            break
        done += lines
    if done:
        rows.erase(done, f"{this.part()}.ndjson.gz", this.now, this.left + SECONDS * (1 - WORKING) / 2)
        this.rows += len(done)
    if up:
        raise _TimeUpError


def tweet_files(bucket: str, this: Pass, keys: Iterable[str], erased: set[str]) -> None:
    def one(key: str) -> None:
        this.go_on()
        stores.rewrite(bucket, stores.TWEETS, key, erased, this.at, this.work)
        stores.remove_old(bucket, stores.TWEETS, key, this.work)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(one, sorted(keys)))


# ------------------------------------------------------------------ what is told


def read_state(bucket: str, now: datetime) -> State:
    """Return the state of the last pass. The first pass of all looks back only to records that are on their way."""
    said = requests.stored(bucket, requests.STATE) or {}
    moments = [datetime.fromisoformat(said[name]) if name in said else now - LATE for name in ("since", "busy")]
    trouble, begun = said.get("trouble", {}), tuple(said.get("begun", ()))
    return State(moments[0], moments[1], trouble, said.get("retained", ""), begun, said.get("reached", ""))


def write_state(bucket: str, state: State) -> None:
    body = {
        **state._asdict(),
        "since": times.milliseconds(state.since),
        "busy": times.milliseconds(state.busy),
        "trouble": dict(state.trouble),
    }
    clients.s3().put_object(Bucket=bucket, Key=requests.STATE, Body=orjson.dumps(body))


def reported(this: Pass) -> dict[str, Any]:
    """Return what a pass did, as JSON."""
    return {
        "pass": this.id,
        "complete": this.complete,
        "requests": len(this.requests),
        "rows_erased": this.rows,
        "objects_read": this.work.read,
        "bytes_read": this.work.bytes,
        "objects_rewritten": this.work.rewritten,
        "versions_removed": this.work.versions,
        "trouble": dict(list(this.work.trouble.items())[:MOST_KEYS]),
    }


def measure(bucket: str, now: datetime) -> None:
    """EMF metrics: how many requests are not done, and the age of the oldest. The alarm erasures-late watches that."""
    count, oldest = 0, now
    for request_id in requests.pending(bucket):
        count += 1
        oldest = min(oldest, requests.asked_at(request_id))
    emf = metrics()
    emf.add_metric("ErasuresPending", "Count", count)
    emf.add_metric("ErasureAge", "Seconds", (now - oldest).total_seconds())
    emf.flush_metrics()
