"""Simulate a day of a stage, with the loader's own decisions (reconcile/gate.py) and a simulated clock.

What stands around them is a model: the transform writes a tweet file when its buffer is full or a minute old, S3 lists
what was written, Firehose delivers every `BufferSeconds`, and the warehouse takes the time that `Assumed` says.
`infra/costs.py` prices it.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from chalicelib.reconcile import gate, repair_batches
from chalicelib.reconcile.gate import Ledger, Seen, Surge
from chalicelib.reconcile.hours import HOUR, RECENT, HourFiles, Range, floor, recent, within

START = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)
LOOKS_AT = timedelta(seconds=17)  # of each minute: EventBridge's choice
LIST_PAGE = 1000  # keys a LIST request names
LEAST_BILLED = 60.0
"""Seconds, each time the warehouse wakes: docs.aws.amazon.com/redshift/latest/mgmt/serverless-billing-on-demand.html"""
SHARE = 0.1  # of the tweets is relevant
SURGE = 600  # relevant tweets in one batch
NOON = DAY / 2
WAITS = timedelta(seconds=1)  # a look that waits for a run's end asks so often


@dataclass(frozen=True)
class Assumed:
    """Assumed times of the warehouse. Not measured on Redshift: pessimistic, for a warehouse of 4 RPU."""

    record_bytes: int = 300  # of a tweet's JSON
    compare_seconds: float = 15.0  # of a run of the reconciler until it loads, a warehouse that wakes included
    report_seconds: float = 5.0  # of a run when it has loaded
    copy_seconds: float = 5.0  # of a COPY of Firehose's and of a transaction of the reconciler's, without its rows
    rows_a_second: float = 25_000.0  # that COPY loads


ASSUMED = Assumed()


class Simulated(NamedTuple):
    """The result of a day. `slowest` and `surge`: seconds from the arrival of a tweet, and of one of a surge at noon,
    until its row is there, at most; None where no tweet came or nobody looks for surges."""

    rate: float
    delivery: str
    tweets: int
    files: int
    looks: int
    lists: int
    runs: int
    reports: int
    wakes: int
    billed_seconds: float
    slowest: float | None
    surge: float | None


@dataclass
class World:
    """S3 and the warehouse at some moment of the day."""

    rate: float
    delivery: str
    written: dict[datetime, list[datetime]] = field(default_factory=dict)
    waiting: list[datetime] = field(default_factory=list)  # when files without rows were written
    awake: list[tuple[datetime, datetime]] = field(default_factory=list)
    slowest: float = 0.0
    next: datetime = START  # when a file is written

    surge_at: datetime | None = None  # when the file of a surge is written
    surge_seconds: float | None = None  # until its rows are there
    buffer: timedelta = field(init=False)  # how long the transform gathers: 60 s, or 0.6 MB (infra/data-plane.yaml)
    rows: float = field(init=False)  # of a file

    def __post_init__(self) -> None:
        full = 0.6 * 1_048_576 / ASSUMED.record_bytes / self.rate if self.rate else math.inf
        self.buffer = timedelta(seconds=min(60.0, full))
        self.rows = self.rate * self.buffer.total_seconds()

    def begin(self) -> None:
        """Store the hours before the day, as far back as a look goes: all is loaded, and of their files the number
        counts.
        """
        files = int(HOUR / self.buffer) if self.rate else 0
        for number in range(1, int(RECENT / HOUR) + 1 if files else 0):
            hour = START - number * HOUR
            self.written[hour] = [hour + HOUR] * files
        self.next = START + self.buffer

    def write_until(self, stop: datetime) -> None:
        """Write all files up to a moment."""
        while self.rate and self.next <= stop:
            hour = floor(self.next - self.buffer)
            times, until = self.written.setdefault(hour, []), min(stop, hour + HOUR + self.buffer)
            while self.next <= until:
                times.append(self.next)
                self.waiting.append(self.next)
                self.next += self.buffer
            if self.next <= stop:
                self.write(self.next)
                self.next += self.buffer

    def write(self, at: datetime) -> None:
        """Write a file into the folder of the hour in which its first tweet arrived."""
        self.written.setdefault(floor(at - self.buffer), []).append(at)
        self.waiting.append(at)

    def copy(self, now: datetime) -> None:
        """Run Firehose's COPY: all files that are there get their rows."""
        self.awake.append((now, self.transaction(now, self.waiting)))

    def run(self, now: datetime, since: datetime | None) -> tuple[datetime, float]:
        """Run the reconciler: files get their rows in the order of reconcile/repair.py. Return when it is done, and the
        seconds until the oldest file was loaded.

        `since`: the files of a surge were written; None where none woke the warehouse."""
        at = now + timedelta(seconds=ASSUMED.compare_seconds)
        most = max(1, min(repair_batches.MOST_FILES, int(repair_batches.MOST_ROWS / max(1.0, self.rows))))
        first = bisect_left(self.waiting, since) if since else len(self.waiting)
        while first < len(self.waiting):
            at = self.transaction(at, self.waiting[first : first + most])
        took = 0.0
        while self.waiting and not (took and self.surge_asks(now, at)):
            at = self.transaction(at, self.waiting[:most])
            took = took or (at - now).total_seconds()
        done = at + timedelta(seconds=ASSUMED.report_seconds)
        self.awake.append((now, done))
        return done, took

    def surge_asks(self, began: datetime, now: datetime) -> bool:
        """Return whether a surge has come since a run began."""
        return self.surge_at is not None and began < self.surge_at <= now

    def transaction(self, at: datetime, batch: list[datetime]) -> datetime:
        """Load some files; return when that is done."""
        done = at + timedelta(seconds=ASSUMED.copy_seconds + len(batch) * self.rows / ASSUMED.rows_a_second)
        self.slowest = max(self.slowest, (done - batch[0] + self.buffer).total_seconds())
        if self.surge_at and batch[0] <= self.surge_at <= batch[-1]:
            self.surge_seconds = (done - self.surge_at + self.buffer).total_seconds()
        first = bisect_left(self.waiting, batch[0])
        del self.waiting[first : first + len(batch)]
        return done

    def known(self, listed: Range) -> dict[datetime, HourFiles]:
        """Return what a run's ledger says of the files that have been written.

        Where Firehose loads, those that wait for it are none of them (run.keep)."""
        waiting = Counter(floor(at - self.buffer) for at in self.waiting) if self.delivery == "firehose" else Counter()
        return {
            hour: HourFiles(len(times) - waiting[hour], times[-1], int(len(times) * self.rows))
            for hour in within(listed)
            if (times := self.written.get(hour))
        }

    def pages(self, span: Range) -> int:
        """LIST requests for the hours of a range."""
        return max(1, math.ceil(sum(len(self.written.get(hour, ())) for hour in within(span)) / LIST_PAGE))


def simulate(
    rate: float,
    delivery: str = "reconcile",
    load_seconds: float = 900,
    buffer_seconds: float = 300,
    surge: timedelta = NOON,
) -> Simulated:
    """Return the day of a stage that gets `rate` tweets a second, as it got them the days before. `surge`: when a file
    of many relevant tweets is written."""
    world = World(rate, delivery)
    world.begin()
    days = {hour.date() for hour in world.written}
    how = {"complete": True, "outstanding": False, "loaded": bool(days), "swept": True, "took": 0.0, "report": ""}
    ledger = gate.after(START, None, world.known(recent(START)), days, 0, SHARE, **how)  # type: ignore[arg-type]
    before = sum(map(len, world.written.values()))
    patience = gate.wait(delivery, load_seconds, 900)
    looks = lists = runs = reports = 0
    busy, swept, delivered = START, START, START
    if rate and delivery == "reconcile":
        world.surge_at = START + surge
    for moment in moments(world.surge_at):
        hint = Surge(SURGE, SURGE, 60.0) if moment == world.surge_at else None
        now = max(moment, busy + WAITS) if hint else moment
        while delivery == "firehose" and now - delivered >= timedelta(seconds=buffer_seconds):
            delivered += timedelta(seconds=buffer_seconds)
            world.write_until(delivered)
            if world.waiting:
                world.copy(delivered)
        world.write_until(moment)
        if hint:
            world.write(moment)
        if now < busy:
            continue  # a run is under way
        world.write_until(now)
        looks += 1
        found, requests, wide = _look(world, ledger, now)
        lists += requests
        decision = gate.decide(now, found, ledger, patience, hint)
        if decision.wake:
            runs += 1
            if runs == 2:
                world.slowest = 0.0  # the first run couldn't know how long one takes
            listed = recent(now)
            lists += world.pages(listed) + world.pages(found.span) + 4
            known, days = world.known(listed), {hour.date() for hour in world.written}
            loaded = bool(world.waiting) and delivery == "reconcile"
            if delivery == "reconcile":
                busy, took = world.run(now, moment - gate.HINT if hint else None)
            else:
                busy = now + timedelta(seconds=ASSUMED.compare_seconds + ASSUMED.report_seconds)
                world.awake.append((now, busy))
                took = 0.0
            sweeps = now - swept >= DAY
            swept = now if sweeps else swept
            done = delivery == "firehose" or not world.waiting
            how = {"complete": done, "outstanding": False, "swept": sweeps, "took": took, "report": ""}
            ledger = gate.after(now, ledger, known, days, 0, SHARE, loaded=loaded, **how)  # type: ignore[arg-type]
        elif wide:
            reports += 1
            ledger = ledger._replace(looked_at=now)
    wakes, billed = bill(world.awake)
    made = sum(map(len, world.written.values())) - before
    tweets = round(rate * DAY.total_seconds())
    slowest = world.slowest or None
    return Simulated(
        rate, delivery, tweets, made, looks, lists, runs, reports, wakes, billed, slowest, world.surge_seconds
    )


def moments(surge_at: datetime | None) -> list[datetime]:
    """Return the times of looks: each minute, and when the transform reports a surge."""
    looks = [START + minute * gate.LOOK + LOOKS_AT for minute in range(int(DAY / gate.LOOK))]
    return sorted([*looks, surge_at] if surge_at else looks)


def bill(awake: list[tuple[datetime, datetime]]) -> tuple[int, float]:
    """Return how often the warehouse woke and the seconds that are billed: a minute at least each time, and once for
    what overlaps."""
    wakes, billed, until = 0, 0.0, START - DAY
    for start, stop in sorted(awake):
        end = max(stop, start + timedelta(seconds=LEAST_BILLED)) if start > until else stop
        if start > until:
            wakes += 1
            billed += (end - start).total_seconds()
        else:
            billed += max(0.0, (end - until).total_seconds())
        until = max(until, end)
    return wakes, billed


def _look(world: World, ledger: Ledger, now: datetime) -> tuple[Seen, int, bool]:
    wide = now - ledger.looked_at >= gate.WIDE
    present = floor(now)
    span = recent(now) if wide else Range(present - HOUR, present + HOUR)
    seen = Seen(span, {hour: world.written[hour] for hour in within(span) if hour in world.written})
    if wide:
        return seen._replace(days={hour.date() for hour in world.written}, failed=0), world.pages(span) + 2, True
    return seen, world.pages(span), False
