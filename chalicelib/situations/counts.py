"""Sum up counts of posts by kind, place and time, as the planner asks for them. Nothing here touches AWS."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from chalicelib.situations.usual import Usual, limit, usual

STEP = 300
"""Seconds. Times are counted in steps since 1970."""

HOUR = 3600 // STEP
RECENT = 24 * HOUR
"""What is decided anew each time."""

PAST = 8 * 24 * HOUR
"""What is looked at in all."""

ANYWHERE = "*"
ANY_KIND = "*"


class Count(NamedTuple):
    """What a step has of a kind somewhere: in a country, `US`, at a place in it, `US/Boston`, or ANYWHERE; at a place
    also of ANY_KIND. Kind and `where` are empty for all posts of the stream. Before the recent time a step stands for
    its whole hour.

    `texts`: those that nobody has written before. `located`: of them, with a country.
    """

    kind: str
    where: str
    at: int
    posts: int
    texts: int
    located: int


NOTHING = Count("", "", 0, 0, 0, 0)


class Hour(NamedTuple):
    """The texts of a kind in an hour, in a country or anywhere.

    `is_far`: there, or at some place in it, are far more texts than usual, or at a place of all kinds of which this is
    the one most told: enough to open a situation. `is_more`: half of that, enough for one to go on.
    """

    posts: int
    texts: int
    expected: float
    is_far: bool
    is_more: bool


class Cell:
    """A kind somewhere: its counts by step in the recent time, and by hour in all of it."""

    def __init__(self, counts: Iterable[Count], since: int) -> None:
        self._steps: dict[int, Count] = {}
        self._sums: dict[int, Count] = {}
        self.hours: dict[int, Count] = {}
        for count in counts:
            if count.at >= since:
                self._steps[count.at] = count
            hour = count.at // HOUR
            self.hours[hour] = _sum(hour, [self.hours[hour], count]) if hour in self.hours else count

    def until(self, end: int) -> Count:
        """Return the sum of the twelve steps of which `end` is the last."""
        if end not in self._sums:
            self._sums[end] = _sum(end, [self._steps[at] for at in range(end - HOUR + 1, end + 1) if at in self._steps])
        return self._sums[end]

    def told(self) -> set[int]:
        """Return the steps that end an hour with a text."""
        return {at + n for at, count in self._steps.items() if count.texts for n in range(HOUR)}

    def first(self, end: int) -> int:
        """Return the first of these twelve steps that has a post."""
        return min((at for at in range(end - HOUR + 1, end + 1) if at in self._steps), default=end)


class Counts:
    """All cells, beside all posts of the stream."""

    def __init__(self, counts: Iterable[Count], now: int) -> None:
        self.start = (now - RECENT) // HOUR * HOUR
        by_cell: dict[tuple[str, str], list[Count]] = defaultdict(list)
        for count in counts:
            by_cell[count.kind, count.where].append(count)
        self.cells = {cell: Cell(its, self.start - HOUR) for cell, its in by_cell.items()}
        self._stream = self.cells.pop(("", ""), Cell((), self.start))
        self._usual: dict[tuple[str, str, int], Usual | None] = {}
        self._places: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._kinds: dict[str, list[str]] = defaultdict(list)
        self._told: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for (kind, where), cell in self.cells.items():
            if "/" not in where:
                for end in cell.told():
                    self._told[end][kind] += [where] if where != ANYWHERE else []
            elif kind != ANY_KIND:
                self._places[kind, where.partition("/")[0]].append(where)
                self._kinds[where].append(kind)

    def told(self, end: int) -> Mapping[str, Sequence[str]]:
        """Return each kind that has a text in the hour that ends with a step, with the countries that have one."""
        return self._told.get(end, {})

    def texts(self, kind: str, country: str, end: int) -> int:
        """Return the texts of the hour that ends with a step."""
        return self._until(kind, country, end).texts

    def located(self, kind: str, end: int) -> int:
        """Return how many texts of a kind speak of a country, in the hour that ends with a step."""
        return self._until(kind, ANYWHERE, end).located

    def first(self, kind: str, country: str, end: int) -> int:
        """Return the first step with a post of the hour that ends with a step."""
        return self.cells[kind, country].first(end)

    def _until(self, kind: str, where: str, end: int) -> Count:
        cell = self.cells.get((kind, where))
        return cell.until(end) if cell else NOTHING

    def look(self, kind: str, country: str, end: int, before: int, share: float = 1.0) -> Hour | None:
        """Return what the hour that ends with step `end` has of a cell, compared with the past before a step.

        `share`: of its texts, those not accounted for elsewhere. None without a past, or where nothing was counted.
        """
        if (kind, country) not in self.cells:
            return None
        own = self._until(kind, country, end)
        known = self._past(kind, country, end, before)
        if known is None:
            return None
        stream = self._stream.until(end).posts
        texts, far = round(own.texts * share), limit(known, stream - own.posts)
        places = self._places[kind, country]
        near = [(kind, place) for place in places]
        near += [(ANY_KIND, place) for place in places if self._is_most_told(kind, place, end)]
        best = max([texts / far, *(self._part(*cell, end, before, stream) for cell in near)])
        return Hour(own.posts, texts, known.expected(stream - own.posts), best >= 1, 2 * best >= 1)

    def _is_most_told(self, kind: str, place: str, end: int) -> bool:
        """Return whether no kind has more texts at a place, in the hour that ends with a step."""
        return max(self._kinds[place], key=lambda of: (self._until(of, place, end).texts, of)) == kind

    def _part(self, kind: str, place: str, end: int, before: int, stream: int) -> float:
        """Return the texts of an hour at a place, as a part of those that would be far more than usual."""
        own = self._until(kind, place, end)
        known = self._past(kind, place, end, before) if own.texts else None
        return own.texts / limit(known, stream - own.posts) if known else 0.0

    def _past(self, kind: str, where: str, end: int, before: int) -> Usual | None:
        """Return what is usual by the whole hours before a step, or, without any, by those before the hour itself."""
        own = (end - HOUR + 1) // HOUR
        return self._before(kind, where, min(own, before // HOUR)) or self._before(kind, where, own)

    def _before(self, kind: str, where: str, end: int) -> Usual | None:
        if (kind, where, end) not in self._usual:
            mine = self.cells[kind, where].hours
            watched = {hour: count.posts for hour, count in self._stream.hours.items() if hour < end}
            texts = [mine[hour].texts if hour in mine else 0 for hour in watched]
            others = [posts - (mine[hour].posts if hour in mine else 0) for hour, posts in watched.items()]
            self._usual[kind, where, end] = usual(texts, others)
        return self._usual[kind, where, end]


def _sum(at: int, counts: Iterable[Count]) -> Count:
    posts = texts = located = 0
    for count in counts:
        posts, texts, located = posts + count.posts, texts + count.texts, located + count.located
    return Count("", "", at, posts, texts, located)
