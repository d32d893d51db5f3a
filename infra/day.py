"""A simulated day of a stage, with a clock of its own: the loader's decisions are the real ones (reconcile/gate.py).

What stands around them is a model: the transform writes a tweet file when its buffer is full or a minute old, S3 lists
what was written, Firehose delivers every `BufferSeconds`, and the warehouse takes the time that `Assumed` says.
`infra/costs.py` prices it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from chalicelib.reconcile import gate
from chalicelib.reconcile.gate import Ledger, Seen, Surge
from chalicelib.reconcile.hours import HOUR, RECENT, Found, Range, floor, recent, within

START = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)
LOOKS_AT = timedelta(seconds=17)  # of each minute: EventBridge's choice
LIST_PAGE = 1000  # keys a LIST request names
LEAST_BILLED = 60.0
"""Seconds, each time the warehouse wakes: docs.aws.amazon.com/redshift/latest/mgmt/serverless-billing-on-demand.html"""
SHARE = 0.1  # of the tweets is relevant
SURGE = 600  # relevant tweets in one batch, at noon


@dataclass(frozen=True)
class Assumed:
    """How long the warehouse takes. Not measured on Redshift: it is slow on purpose, for a warehouse of 4 RPU."""

    record_bytes: int = 300  # of a tweet's JSON
    run_seconds: float = 20.0  # of a run of the reconciler, a warehouse that wakes included, without its COPY
    copy_seconds: float = 5.0  # of a COPY of Firehose's, without its rows
    rows_a_second: float = 25_000.0  # that COPY loads


ASSUMED = Assumed()


class Simulated(NamedTuple):
    """What a day came to. `slowest` and `surge`: seconds from the arrival of a tweet, and of one of a surge at noon,
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
    loaded: dict[datetime, Found] = field(default_factory=dict)
    awake: list[tuple[datetime, datetime]] = field(default_factory=list)
    slowest: float = 0.0
    next: datetime = START  # when a file is written

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
            self.loaded[hour] = Found(files, hour + HOUR, int(files * self.rows))
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

    def load(self, now: datetime, seconds: float) -> datetime:
        """Load all files that are there; return when that is done."""
        done = now + timedelta(seconds=seconds + len(self.waiting) * self.rows / ASSUMED.rows_a_second)
        if self.waiting:
            self.slowest = max(self.slowest, (done - self.waiting[0] + self.buffer).total_seconds())
        for hour in {floor(at - self.buffer) for at in self.waiting}:
            times = self.written[hour]
            self.loaded[hour] = Found(len(times), times[-1], int(len(times) * self.rows))
        self.waiting = []
        self.awake.append((now, done))
        return done

    def pages(self, span: Range) -> int:
        """LIST requests for the hours of a range."""
        return max(1, math.ceil(sum(len(self.written.get(hour, ())) for hour in within(span)) / LIST_PAGE))


def simulate(
    rate: float, delivery: str = "reconcile", load_seconds: float = 900, buffer_seconds: float = 300
) -> Simulated:
    """Return the day of a stage that gets `rate` tweets a second, as it got them the days before."""
    world = World(rate, delivery)
    world.begin()
    days = {hour.date() for hour in world.written}
    how = {"complete": True, "outstanding": False, "loaded": bool(days), "swept": True, "took": ASSUMED.run_seconds}
    ledger = gate.after(START, None, dict(world.loaded), days, 0, SHARE, **how, report="")  # type: ignore[arg-type]
    before = sum(map(len, world.written.values()))
    patience = gate.wait(delivery, load_seconds, 900)
    looks = lists = runs = reports = 0
    busy, swept, delivered, surge = START, START, START, None
    for minute in range(int(DAY / gate.LOOK)):
        now = START + minute * gate.LOOK + LOOKS_AT
        while delivery == "firehose" and now - delivered >= timedelta(seconds=buffer_seconds):
            delivered += timedelta(seconds=buffer_seconds)
            world.write_until(delivered)
            if world.waiting:
                world.load(delivered, ASSUMED.copy_seconds)
        world.write_until(now)
        if now < busy:
            continue  # a run is under way
        hint = None
        if surge is None and rate and delivery == "reconcile" and now - START >= DAY / 2:
            hint = Surge(SURGE, SURGE, 60.0)
            world.write(now)
        looks += 1
        found, requests, wide = _look(world, ledger, now)
        lists += requests
        if gate.decide(now, found, ledger, patience, hint).wake:
            runs += 1
            if runs == 2:
                world.slowest = 0.0  # the first run couldn't know how long one takes
            listed = recent(now)
            lists += world.pages(listed) + world.pages(found.span) + 4
            loaded = bool(world.waiting) and delivery == "reconcile"
            if delivery == "reconcile":
                busy = world.load(now, ASSUMED.run_seconds)
            else:
                busy = now + timedelta(seconds=ASSUMED.run_seconds)
                world.awake.append((now, busy))
            if hint:
                surge = (busy - now + world.buffer).total_seconds()
            sweeps = now - swept >= DAY
            swept = now if sweeps else swept
            known = {hour: each for hour, each in world.loaded.items() if listed.start <= hour < listed.stop}
            days = {hour.date() for hour in world.written}
            how = {"complete": True, "outstanding": False, "loaded": loaded, "swept": sweeps}
            how["took"] = (busy - now).total_seconds()
            ledger = gate.after(now, ledger, known, days, 0, SHARE, **how, report="")  # type: ignore[arg-type]
        elif wide:
            reports += 1
            ledger = ledger._replace(looked_at=now)
    wakes, billed = bill(world.awake)
    made = sum(map(len, world.written.values())) - before
    tweets = round(rate * DAY.total_seconds())
    slowest = world.slowest or None
    return Simulated(rate, delivery, tweets, made, looks, lists, runs, reports, wakes, billed, slowest, surge)


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
