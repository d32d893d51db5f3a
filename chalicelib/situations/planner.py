"""Decide from counts which situations are new, which go on and which are over. Nothing here touches AWS.

The planner goes through the last day in steps of five minutes. Each step decides by the posts written before it, so
the result does not depend on when posts arrive, in which order, or how often the planner runs.

Each kind is counted in each country, and anywhere. Posts of a country that has a situation are not counted again
anywhere. Posts without a place are assumed to be distributed over countries like the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from chalicelib.situations.counts import ANYWHERE, HOUR, Count, Counts, Hour
from chalicelib.situations.usual import LEAST

QUIET = 6 * HOUR
"""After so long without more posts than usual a situation is over."""

UNTOLD = {"unspecified", "other_disaster"}
"""Kinds that say no more than that there is a disaster."""

KINDRED = (
    {"attack", "explosion", "fire", "building_collapse", "industrial_accident", "transport_accident"},
    {"storm", "flood", "landslide", "cold_wave"},
    {"earthquake", "tsunami", "landslide", "building_collapse", "volcano"},
    {"wildfire", "fire", "haze", "heat_wave", "drought"},
    {"meteorite", "explosion"},
)
"""Kinds of which one may be what another one does, or what people call it."""


class Situation(NamedTuple):
    """A situation; times are steps, as in `Count`. `country`: empty where no one country stands out.

    `last`: the last step whose hour had more than usual. `peak`: the first step of the hour with the most texts, or
    that in which it began within this hour; `expected`: how many were to be expected in it. `opened`: the step at which
    it could be told. `over`: it is closed.
    """

    id: str
    kind: str
    country: str
    began: int
    last: int
    peak: int
    peak_posts: int
    peak_texts: int
    expected: float
    opened: int
    over: bool = False

    def with_hour(self, end: int, hour: Hour) -> Situation:
        """Return the situation with the hour that ends with a step, and has more than usual."""
        grown = self._replace(began=min(self.began, end), last=max(self.last, end))
        if hour.texts <= self.peak_texts:
            return grown
        return grown._replace(
            peak=max(grown.began, end - HOUR + 1), peak_posts=hour.posts, peak_texts=hour.texts, expected=hour.expected
        )


class Plan(NamedTuple):
    """What a run has to write: situations that are new, that go on, and that are over since the last run."""

    opened: Sequence[Situation]
    going_on: Sequence[Situation]
    closed: Sequence[Situation]


def plan(counts: Iterable[Count], known: Iterable[Situation], now: int) -> Plan:
    """Return the plan. `known`: situations of the recent time, also those that are over; `now`: the present step,
    of which there may be more to come.
    """
    every, before = Counts(counts, now), {each.id: each for each in known}
    scan = _Scan(every, before.values())
    for end in range(every.start, now + 1):
        told = every.told(end)
        for kind in sorted(told, key=lambda of: (-every.texts(of, ANYWHERE, end), of)):
            scan.step(kind, told[kind], end)
    situations = [each._replace(over=each.last + QUIET < now) for each in scan.situations.values()]
    return Plan(
        [each for each in situations if each.id not in before],
        [each for each in situations if each.id in before and not each.over],
        [each for each in situations if each.id in before and each.over and not before[each.id].over],
    )


class _Scan:
    """Counts, gone through step by step, and the situations so far."""

    def __init__(self, counts: Counts, known: Iterable[Situation]) -> None:
        self.counts = counts
        self.situations = {each.id: each for each in known}

    def step(self, kind: str, told: Iterable[str], end: int) -> None:
        """Bring the situations of a kind up to a step. `told`: the countries with a text in the hour that it ends."""
        texts = {country: self.counts.texts(kind, country, end) for country in told}
        countries = sorted(texts, key=lambda of: (-texts[of], of))
        for country in countries:
            self._look(kind, country, end)
        accounted = sum(texts[country] for country in countries if self._of({kind}, country, end))
        located = self.counts.located(kind, end)
        share = max(0.0, 1 - accounted / located) if located else 1.0
        first = next((country for country in countries if not self._of({kind}, country, end)), "")
        leads = bool(first) and texts[first] >= max(LEAST / 2, located * share / 2)
        self._look(kind, "", end, share, first if leads else "")

    def _look(self, kind: str, country: str, end: int, share: float = 1.0, leading: str = "") -> None:
        """Open, continue or specify a situation by the hour that ends with a step. `leading`: the country that most
        posts speak of, where it isn't known of all.
        """
        there = self._of({kind}, country, end)
        vague = there or self._of({kind}, "", end) or self._of(UNTOLD, country, end) or self._of(UNTOLD, "", end)
        hour = self.counts.look(kind, country or ANYWHERE, end, vague.began if vague else end, share)
        if hour is None:
            return
        if there and hour.is_more:
            self._keep(there.with_hour(end, hour))
        elif not there and hour.is_far:
            if vague and (vague.kind == kind or kind not in UNTOLD):
                told = vague._replace(kind=kind, country=country or vague.country, peak_texts=0)  # of other posts
                self._keep(told.with_hour(end, hour))
            elif not self._part(kind, country or leading, end, hour.texts):
                self._open(kind, country, leading, end, hour)

    def _of(self, kinds: set[str], country: str, end: int) -> Situation | None:
        """Return the latest situation of some kinds in exactly this country that goes on or ended recently."""
        near = [
            each
            for each in self.situations.values()
            if each.kind in kinds and each.country == country and each.began - QUIET <= end <= each.last + QUIET
        ]
        return max(near, default=None, key=lambda each: (each.last, each.id))

    def _part(self, kind: str, country: str, end: int, texts: int) -> bool:
        """Return whether so many texts of a kind are part of a larger situation, of a kindred kind in the country."""
        kindred = {other for kinds in KINDRED if kind in kinds for other in kinds} | UNTOLD
        for each in self.situations.values():
            same = each.country == country or not each.country or not country
            goes_on = each.began <= end <= each.last + QUIET
            larger = self.counts.texts(each.kind, each.country or ANYWHERE, end) > texts
            if same and goes_on and (kind in UNTOLD or (each.kind in kindred and larger)):
                return True
        return False

    def _open(self, kind: str, country: str, leading: str, end: int, hour: Hour) -> None:
        began = self.counts.first(kind, country or ANYWHERE, end)
        country = country or leading
        id = hashlib.sha256(f"{kind} {country} {began}".encode()).hexdigest()[:16]
        own = self.counts.look(kind, country, end, end) or hour  # what leads is told with the posts that name it
        self._keep(Situation(id, kind, country, began, end, began, own.posts, own.texts, own.expected, end))

    def _keep(self, situation: Situation) -> None:
        self.situations[situation.id] = situation
