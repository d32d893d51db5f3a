"""Choose the place of a tweet: the smallest that its text names, in the country that it names most."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from chalicelib.places.gazetteer import COUNTRY, REGION, Gazetteer, gazetteer
from chalicelib.places.mentions import Mention, mentions

AUTHOR_LOCATION = "author_location"
LIKELY = 26
"""What a place at the author's own location is given over others of its name, as `people` counts: 20 times as many."""
LONGEST_LOCATION = 200  # characters


class Place(NamedTuple):
    """A place that a tweet is about. Its strings fit their columns, and JSON takes them as they are."""

    place: str  # its name in GeoNames
    country_code: str | None  # ISO 3166-1 alpha-2
    latitude: float
    longitude: float
    basis: str  # what tells it: text, hashtag, author_location


class Home(NamedTuple):
    """The regions and countries that an author's location names."""

    regions: frozenset[int]
    countries: frozenset[int]


def find(text: str, location: str | None) -> Place | None:
    """Return the place that a tweet speaks of; None if its text names none.

    `text`: as it was written, because cleaning changes hashtags and links. `location`: the author's own. It gives no
    place by itself: it only decides which of the places that share a name is meant.
    """
    known = gazetteer()
    mentioned = mentions(text, known)
    return _chosen(mentioned, location, known) if mentioned else None


def _chosen(mentioned: Sequence[Mention], location: str | None, known: Gazetteer) -> Place:
    if len(mentioned) == 1:  # most have one
        return _place(*_meant(mentioned[0], frozenset(), frozenset(), location, known), known)
    best = [mention.places[0] for mention in mentioned]
    countries = frozenset(known.country[place] for place in best if known.kind[place] == COUNTRY)
    regions = frozenset(place for place in best if known.kind[place] == REGION)
    votes: dict[int, float] = {}
    settled = []
    for mention in mentioned:
        place, basis = _meant(mention, countries, regions, location, known)
        settled.append((known.kind[place], place, basis))
        country = known.country[place]
        votes[country] = votes.get(country, 0.0) + mention.strength
    most = max(votes, key=lambda country: votes[country])
    there = [each for each in settled if known.country[each[1]] == most]
    _, place, basis = max(there, key=lambda each: each[0])  # the first of the smallest kind
    return _place(place, basis, known)


def _place(place: int, basis: str, known: Gazetteer) -> Place:
    code = known.codes[known.country[place]]
    return Place(known.name(place), code, known.latitude[place] / 10_000, known.longitude[place] / 10_000, basis)


def _meant(
    mention: Mention, countries: frozenset[int], regions: frozenset[int], location: str | None, known: Gazetteer
) -> tuple[int, str]:
    """Return (place, basis): which of the places of a name is meant."""
    places = mention.places
    best = places[0]
    if len(places) == 1 or known.kind[best] == COUNTRY:
        return best, mention.basis
    for place in places:
        if known.region[place] in regions and place not in regions:
            return place, mention.basis
    if countries and known.country[best] not in countries:
        for place in places:
            if known.country[place] in countries:
                return place, mention.basis
    if location:
        home = _home(location[:LONGEST_LOCATION])
        likely = [place for place in places if known.people[place] + LIKELY > known.people[best]]
        for place in (*_in(likely, known.region, home.regions), *_in(likely, known.country, home.countries)):
            return place, mention.basis if place == best else AUTHOR_LOCATION
    return best, mention.basis


def _in(places: Iterable[int], of: Sequence[int], wanted: frozenset[int]) -> list[int]:
    return [place for place in places if of[place] in wanted]


@lru_cache(maxsize=1024)
def _home(location: str) -> Home:
    known = gazetteer()
    places = [mention.places[0] for mention in mentions(location, known)]
    regions = (known.region[place] for place in places if known.kind[place] != COUNTRY)
    return Home(frozenset(regions), frozenset(known.country[place] for place in places))
