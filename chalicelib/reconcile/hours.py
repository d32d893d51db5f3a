"""Decide which hours of tweet files a run looks at. Nothing here touches AWS.

An hour is due until it is settled: it is over, its files have had their grace, and all of them are in the warehouse.
A settled hour is checked again at lengthening intervals, to find later damage, and at once when its files have changed:
every run lists the hours of the last two days. So the cost of a run depends on what is new, not on what is stored.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

HOUR = timedelta(hours=1)
INTERVALS = tuple(timedelta(hours=4**n) for n in range(8))
"""After the n-th check in a row that found an hour settled, the next one is this much later: an hour, 4, 16, … to two
years. So an hour is looked at some 10 times in its first two years, however many hours there are."""

DAILY = 4
"""From so many such checks on, an hour waits for the day's sweep: old rows are read once a day, not at every run."""

RECENT = timedelta(hours=48)
"""How far back every run lists files, to see what was written late: S3 can't list by time of writing. Firehose tries
for 24 hours to deliver, and the Kinesis stream keeps a record for 24 (`RetentionPeriodHours` in
infra/data-plane.yaml), so a file may be written up to a day after the hour that it is of, two if both happen.
A LIST request names 1,000 files: at 1,440 files a day that is 3 requests a run, 0.0014 USD a day; at 100,000 a day it
is 200 requests, some 10 s of a run and 0.10 USD a day. A marker that the transform writes beside each late file was the
alternative: a PUT for each batch that ends an hour, which costs as much, and a second thing that could get lost.
docs.aws.amazon.com/firehose/latest/dev/basic-deliver.html, aws.amazon.com/s3/pricing
"""

CLOCKS = timedelta(minutes=1)
"""How far S3's clock, which says when a file was written, and ours, which says when an hour was checked, may differ."""

SPREAD = timedelta(days=1)
"""A row arrives before its file is written, so no row of an hour is later than the newest write of its files. This is
added for clocks that differ, and for rows whose file is gone; a day is cheap to read."""

MOST_WINDOWS = 6
"""Parts of the table that a comparison reads: each is a SELECT of one statement."""

EPOCH = date(1970, 1, 1)
DAY = re.compile(r"dt=(\d{4}-\d{2}-\d{2})/")


class Range(NamedTuple):
    """Hours one after the other: `start` belongs to it, `stop` doesn't. Both are whole hours, UTC."""

    start: datetime
    stop: datetime


class Window(NamedTuple):
    """Hours one after the other, and when their rows arrived: from `start` up to, not including, `until`."""

    start: datetime
    stop: datetime
    until: datetime


class HourFiles(NamedTuple):
    """An hour's tweet files: how many, the time up to which they are known (of the last check, or of the last write),
    and the rows that their names promise, where that is known."""

    files: int
    at: datetime
    rows: int = 0


def recent(now: datetime) -> Range:
    """Return the hours that every run lists, the present one included."""
    return Range(floor(now - RECENT), floor(now) + HOUR)


def changed(listed: Mapping[datetime, HourFiles], known: Mapping[datetime, HourFiles]) -> set[datetime]:
    """Return the hours whose files changed since the last check: in number, or written since."""
    return {hour for hour, checked in known.items() if _differs(listed.get(hour), checked)}


def _differs(files: HourFiles | None, checked: HourFiles) -> bool:
    if not files:
        return checked.files > 0
    return files.files != checked.files or files.at + CLOCKS > checked.at


def floor(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def of(days: Iterable[date]) -> set[datetime]:
    """Return all hours of some days; none of days before 1970 or without a next one, when nothing can arrive."""
    return {
        datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
        for day in days
        if EPOCH <= day < date.max
        for hour in range(24)
    }


def days(prefixes: Iterable[str]) -> set[date]:
    """Return the days of common prefixes like `tweets/dt=2026-01-31/`; skip other prefixes."""
    dates = set()
    for prefix in prefixes:
        if match := DAY.search(prefix):
            try:
                dates.add(date.fromisoformat(match[1]))
            except ValueError:  # the 31st of February
                continue
    return dates


def due(
    stored: Iterable[date],
    known: Iterable[date],
    recent: Collection[datetime],
    again: Iterable[tuple[datetime, int]],
    now: datetime,
    sweep: bool,
) -> set[datetime]:
    """Return the hours to look at, none after `now`: those that were never looked at on days that have files and on
    today, and those `again` (with how often in a row they were found settled).

    A day is `known` once all its hours were looked at; so none is forgotten, though it may be empty. Of a day that
    isn't, the `recent` hours that were looked at are spared.
    """
    new = {hour for hour in of({*stored, now.date()} - set(known)) if hour not in recent}
    return {hour for hour in new | {hour for hour, checks in again if sweep or checks < DAILY} if hour <= now}


def asked(stored: Iterable[date], start: datetime | None, stop: datetime | None, now: datetime) -> set[datetime]:
    """Return the hours from `start` to `stop` (each may be open), none after `now`, on days that have files and on the
    days of both bounds."""
    bounds = {bound.date() for bound in (start, stop) if bound}
    first = floor(start) if start else datetime.min.replace(tzinfo=UTC)
    last = min(stop, now) if stop else now
    return {hour for hour in of({*stored, *bounds}) if first <= hour < last}


def kept(hours: Iterable[datetime], now: datetime, days: int) -> set[datetime]:
    """Return the hours whose rows are still kept. Older rows were removed, and must not be loaded again."""
    first = floor(now - timedelta(days=days)).replace(hour=0)
    return {hour for hour in hours if hour >= first}


def ranges(hours: Iterable[datetime]) -> list[Range]:
    """Return the same hours as few ranges, the newest first: they matter most when time runs out."""
    spans: list[Range] = []
    for hour in sorted(hours):
        if spans and spans[-1].stop == hour:
            spans[-1] = Range(spans[-1].start, hour + HOUR)
        else:
            spans.append(Range(hour, hour + HOUR))
    return spans[::-1]


def within(span: Range) -> Sequence[datetime]:
    """Return the hours of a range, in order."""
    return [span.start + HOUR * n for n in range(int((span.stop - span.start) / HOUR))]


def windows(listed: Iterable[datetime], written: Mapping[datetime, datetime], most: int = MOST_WINDOWS) -> list[Window]:
    """Return the windows that the rows of some hours are in, at most so many: the nearest are joined.

    `written`: when the newest file of an hour was written, for those that have files.
    """
    merged = [Window(*span, _until(span, written)) for span in reversed(ranges(listed))]
    while len(merged) > most:
        at = min(range(1, len(merged)), key=lambda n: merged[n].start - merged[n - 1].stop)
        first, second = merged[at - 1 : at + 1]
        merged[at - 1 : at + 1] = [Window(first.start, second.stop, max(first.until, second.until))]
    return merged


def _until(span: Range, written: Mapping[datetime, datetime]) -> datetime:
    return max([span.stop, *(written[hour] for hour in within(span) if hour in written)]) + SPREAD
