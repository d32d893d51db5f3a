"""Decide from the files in S3 and the ledger whether to wake the warehouse. Nothing here touches AWS.

A warehouse that wakes is billed for a minute at least, so it is woken only if there is something to load or to
check. Tweet files may wait for as long as `load_seconds` allows; a surge of relevant tweets may not. A check is due a
day after something was loaded, and within the hour if a finding is outstanding. So a stage without new tweets has one
check after its last tweet, and then sleeps.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from chalicelib.reconcile.hours import HOUR, HourFiles, Range, floor

LOOK = timedelta(minutes=1)
"""Between two looks: the schedule's rate, the shortest that EventBridge has."""

WIDE = timedelta(minutes=15)
"""Between two looks at all recent hours; the others list the present hour and the one before."""

UNDER_WAY = timedelta(seconds=180)
"""Of `load_seconds`, what a tweet spends elsewhere: up to 60 s in Firehose's buffer for the transform
(infra/data-plane.yaml), up to LOOK until it is seen, and LOAD for a warehouse to wake and a COPY to end."""

LOAD = 60.0
"""Seconds until a run is expected to have loaded the oldest file, which it loads first. Where the last one took longer,
the next one begins earlier."""

AGAIN = timedelta(minutes=5)
"""Until a run that ended before its time is followed by the next one."""

FAILED = timedelta(minutes=15)
"""Until a run that failed is tried again, or `load_seconds` where that is less: each try wakes the warehouse."""

CHECK = timedelta(days=1)
"""Until what was loaded is compared once more, with rows of all hours."""

LEAST = 30
"""Relevant tweets of one batch below which nothing is a surge: each one wakes the warehouse."""

TIMES = 3.0
"""How many times the usual a surge is: of relevant tweets a minute, or of the odds that a tweet is relevant."""

HINT = timedelta(seconds=10)
"""How long before a look begins the files of the surge were written that it was told of."""

LONG_AGO = datetime.min.replace(tzinfo=UTC)


class UsualStream(NamedTuple):
    """What a stream is like: tweets a minute over a day, and which share of them is relevant."""

    tweets: float
    share: float


class Surge(NamedTuple):
    """The figures of a batch of the transform: its relevant tweets, all its tweets, the seconds it spans."""

    relevant: int
    tweets: int
    seconds: float


class Ledger(NamedTuple):
    """What is known without the warehouse.

    `hours`: of recent hours, the tweet files that need nothing more. `days`: those that have files. `failed`: files of
    records that the transform didn't answer for, in recent hours. `check_at`: when the next check is due, if one is.
    `not_before`: after a run that failed. `looked_at`: when all recent hours were listed. `woken_at`: when a run last
    asked the warehouse. `report`: the job whose report says how it was then. `took`: seconds until it had
    loaded the oldest files.
    """

    hours: Mapping[datetime, HourFiles]
    days: Collection[date]
    failed: int
    usual: UsualStream
    looked_at: datetime
    check_at: datetime | None = None
    not_before: datetime | None = None
    woken_at: datetime | None = None
    report: str = ""
    took: float = 0.0


class Seen(NamedTuple):
    """The result of a look at S3.

    `written`: of each hour of `span`, when its files were written, in order. `days` and `failed` as in a ledger; None
    where a look didn't go for them.
    """

    span: Range
    written: Mapping[datetime, Sequence[datetime]]
    days: Collection[date] | None = None
    failed: int | None = None


class Decision(NamedTuple):
    """Whether to wake the warehouse, with the reason in words. `behind`: seconds that a file waits for too long."""

    wake: bool
    why: str
    behind: float = 0.0


def wait(delivery: str, load_seconds: float, grace_seconds: float) -> timedelta:
    """Return how old a tweet file may become before a run is due: what is left of `load_seconds`, or, where Firehose
    loads and a run only compares, the grace."""
    if delivery == "firehose":
        return timedelta(seconds=grace_seconds)
    return max(timedelta(seconds=load_seconds) - UNDER_WAY, timedelta())


def decide(now: datetime, seen: Seen, ledger: Ledger, patience: timedelta, surge: Surge | None = None) -> Decision:
    """Return whether the warehouse has to wake. `patience`: as `wait` returns it. `surge`: of a batch that says so."""
    patience = max(patience - timedelta(seconds=max(0.0, ledger.took - LOAD)), timedelta())
    oldest = pending(seen, ledger.hours)
    age = now - oldest if oldest else timedelta()
    behind = min(max(0.0, (age - patience).total_seconds()), 86_400.0) if oldest else 0.0
    if ledger.not_before and now < ledger.not_before:
        return Decision(False, "the last run failed a short time ago", behind)
    if oldest and age >= patience:
        return Decision(True, "tweet files to load", behind)
    if oldest and surge and surges(surge, ledger.usual):
        return Decision(True, "a surge of relevant tweets", behind)
    if seen.days is not None and set(seen.days) - set(ledger.days) - days_of(seen.span):
        return Decision(True, "tweet files of a day that no run has seen", behind)
    if seen.failed is not None and seen.failed != ledger.failed:
        return Decision(True, "records that the transform did not answer for", behind)
    if ledger.check_at and now >= ledger.check_at:
        return Decision(True, "a check is due", behind)
    return Decision(False, "nothing to load, no check due" if oldest is None else "nothing to load yet", behind)


def pending(seen: Seen, known: Mapping[datetime, HourFiles]) -> datetime | None:
    """Return when the oldest file was written that the ledger doesn't know; None where it knows all.

    A ledger counts: of an hour with so many more files than it knows, the so many newest are new. A file that is gone
    or was written over counts as waiting for a long time.
    """
    waiting = []
    for hour in {*seen.written, *(hour for hour in known if seen.span.start <= hour < seen.span.stop)}:
        times, before = seen.written.get(hour, ()), known.get(hour)
        more = len(times) - (before.files if before else 0)
        if more > 0:
            waiting.append(times[-more])
        elif more < 0 or (times and before and times[-1] != before.at):
            waiting.append(LONG_AGO)
    return min(waiting, default=None)


def surges(batch: Surge, usual: UsualStream) -> bool:
    """Return whether a batch has so many relevant tweets that they should not wait."""
    if batch.relevant < LEAST:
        return False
    a_minute = batch.relevant * 60 / max(60.0, batch.seconds)
    return a_minute >= TIMES * usual.tweets * usual.share or odds(batch.relevant / batch.tweets) >= TIMES * odds(
        usual.share
    )


def odds(share: float) -> float:
    return share / (1 - share) if share < 1 else float("inf")


def after(
    now: datetime,
    known: Ledger | None,
    hours: Mapping[datetime, HourFiles],
    days: Collection[date],
    failed: int,
    share: float,
    *,
    complete: bool,
    outstanding: bool,
    loaded: bool,
    swept: bool,
    took: float,
    report: str,
) -> Ledger:
    """Return the ledger that a run leaves. `hours`: as a ledger has them; `share` of the tweets is relevant.

    `complete`: all that was due was done. `outstanding`: a finding needs a person. `loaded`: rows were added.
    `swept`: rows of all hours were compared. `took`: seconds until the oldest
    files were loaded.
    """
    wanted = []
    if loaded or not swept:
        due = known.check_at if known else None
        wanted.append(due if due and due > now and not swept else now + CHECK)
    if outstanding:
        wanted.append(now + HOUR)
    if not complete:
        wanted.append(now + AGAIN)
    usual = UsualStream(tweets_a_minute(hours, now), share)
    return Ledger(hours, days, failed, usual, now, min(wanted, default=None), woken_at=now, report=report, took=took)


def fresh(now: datetime, share: float) -> Ledger:
    """Return the ledger of a stage without tweets. `share`: of tweets that are expected to be relevant."""
    return Ledger({}, (), 0, UsualStream(0.0, share), now - WIDE)


def after_failure(now: datetime, known: Ledger | None, load_seconds: float, share: float) -> Ledger:
    """Return the ledger after a failed run: nothing new is known, and the warehouse is not woken for a while."""
    pause = min(FAILED, timedelta(seconds=max(5.0, load_seconds)))
    before = known or fresh(now, share)._replace(check_at=now)
    return before._replace(not_before=now + pause)


def tweets_a_minute(hours: Mapping[datetime, HourFiles], now: datetime) -> float:
    """Return the mean of the last 24 whole hours."""
    stop = floor(now)
    return sum(files.rows for hour, files in hours.items() if stop - 24 * HOUR <= hour < stop) / (24 * 60)


def days_of(span: Range) -> set[date]:
    """Return the days that the hours of a range are of."""
    return {(span.start + HOUR * n).date() for n in range(int((span.stop - span.start) / HOUR))}
