"""Which hours of tweet files a run looks at. Nothing here touches AWS.

An hour is due until it is settled: it is over, its files have had their grace, and all of them are in the warehouse.
A settled hour is looked at again at lengthening intervals, for what came late or was damaged since. So the cost of a
run follows what is new, not what is stored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

HOUR = timedelta(hours=1)
INTERVALS = tuple(timedelta(hours=4**n) for n in range(8))
"""After the n-th check in a row that found an hour settled, the next one is this much later: an hour, 4, 16, … to two
years. So an hour is looked at some 10 times in its first two years, however many hours there are."""

DAILY = 4
"""From so many such checks on, an hour waits for the day's sweep: old rows are read once a day, not at every run."""

EPOCH = date(1970, 1, 1)
DAY = re.compile(r"dt=(\d{4}-\d{2}-\d{2})/")


class Range(NamedTuple):
    """Hours one after the other: `start` belongs to it, `stop` doesn't. Both are whole hours, UTC."""

    start: datetime
    stop: datetime


def key(hour: datetime) -> str:
    """What the keys of an hour's files have behind their first folder: `dt=YYYY-MM-DD/hh=HH/`."""
    return hour.strftime(f"dt={hour:%Y-%m-%d}/hh=%H/")


def floor(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def of(days: Iterable[date]) -> set[datetime]:
    """All hours of some days; none of days before 1970 or without a next one, on which nothing can have arrived."""
    return {
        datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
        for day in days
        if EPOCH <= day < date.max
        for hour in range(24)
    }


def days(prefixes: Iterable[str]) -> set[date]:
    """The days in common prefixes like `tweets/dt=2026-01-31/`; others are none."""
    found = set()
    for prefix in prefixes:
        if match := DAY.search(prefix):
            try:
                found.add(date.fromisoformat(match[1]))
            except ValueError:  # the 31st of February
                continue
    return found


def due(
    stored: Iterable[date], known: Iterable[date], again: Iterable[tuple[datetime, int]], today: date, sweep: bool
) -> set[datetime]:
    """The hours to look at: of days that have files but were never looked at, today's the first time, and those `again`
    (with how often in a row they were found settled).

    A day is `known` once all its hours were looked at; so none is forgotten, though it may be empty or yet to come.
    """
    return of({*stored, today} - set(known)) | {hour for hour, checks in again if sweep or checks < DAILY}


def asked(stored: Iterable[date], start: datetime | None, stop: datetime | None) -> set[datetime]:
    """The hours from `start` to `stop` (each may be open) on days that have files, and on the days of both bounds."""
    bounds = {bound.date() for bound in (start, stop) if bound}
    first = floor(start) if start else datetime.min.replace(tzinfo=UTC)
    last = stop or datetime.max.replace(tzinfo=UTC)
    return {hour for hour in of({*stored, *bounds}) if first <= hour < last}


def ranges(hours: Iterable[datetime]) -> list[Range]:
    """The same hours as few ranges, the newest first: what is new matters most when time runs out."""
    found: list[Range] = []
    for hour in sorted(hours):
        if found and found[-1].stop == hour:
            found[-1] = Range(found[-1].start, hour + HOUR)
        else:
            found.append(Range(hour, hour + HOUR))
    return found[::-1]


def within(span: Range) -> Sequence[datetime]:
    """The hours of a range, in order."""
    return [span.start + HOUR * n for n in range(int((span.stop - span.start) / HOUR))]
