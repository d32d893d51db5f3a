"""Build the gazetteer's tables: names, their kinds, and the places that have them, best first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, NamedTuple

from chalicelib.places.gazetteer import (
    CODE,
    DEMONYM,
    INITIALS,
    LARGE,
    NAME,
    NOTHING,
    PERSON,
    SMALL,
    TAG,
    WORD,
)
from place_prep import naming, sources
from place_prep.sources import CITY, COUNTRY, COUNTY, REGION, Source

SMALLEST = 20_000
"""Inhabitants from which on a city is in the gazetteer."""
SMALLEST_OF_LANGUAGES = 5_000
"""The same where one of the five languages is spoken."""
WELL_KNOWN = 100_000
"""Inhabitants from which on a city is known by its name alone."""
FEW = 50_000
FREQUENT = 4.0
"""How often a word is used (log10, a billion words) that is no name of a place of fewer than FEW inhabitants."""
FREQUENT_IN_PHRASE = 4.2
"""The same of the rarest word of a phrase, for places that are not well known."""
TOO_FREQUENT = 5.4
"""The same for all."""
PEOPLE_OF_AN_AREA = 5_000_000
SURE = 1e12
MOST_PLACES = 6  # of one name
ROOM = {COUNTRY: 100.0, REGION: 0.15, COUNTY: 0.05, CITY: 1.0}
"""What an inhabitant of a place weighs: who says New York means the city, who says Georgia means the country."""


def weight(place: Source) -> float:
    """Return how likely a name means the place."""
    return max(place.people, 1000) * ROOM[place.kind]


def _is_kept(place: Source, spoken: Sequence[str]) -> bool:
    return (
        place.kind in (REGION, COUNTRY)
        or place.people >= (SMALLEST if place.kind == CITY else WELL_KNOWN)
        or (place.country in spoken and (place.kind == CITY or place.country == "US"))
    )


Names = dict[str, tuple[int, list[int]]]
"""A name → its kind and the numbers of its places, best first."""


def tables(common: Set[str]) -> tuple[list[Source], Names]:
    """Return (places, names). `common`: names that are ordinary words."""
    curated = naming.curated()
    places = _places(curated)
    number = {place.key: n for n, place in enumerate(places)}
    called = _called(places)
    sure = _sure(curated, number)
    for name, n in sure.items():
        called[name][n] = SURE
    for name in (*curated["drop"]["words"].split(), *curated["drop"]["phrases"].strip().split("\n")):
        called.pop(name, None)
    judge = Judge(curated["words"], common, frozenset(sources.people()), frozenset(sure))
    kinds = {}
    for name in list(called):
        best = places[max(called[name], key=lambda n: called[name][n])]
        if judge.is_needless(name, max(called[name].values())):
            del called[name]
        else:
            kinds[name] = judge.kind(name, best, max(called[name].values()))
    for name, n, kind in (*_demonyms(curated, number), *_codes(places), *_tags(curated, number)):
        if name not in called or (kind == DEMONYM and name in curated["words"]["demonyms"].split()):
            called[name], kinds[name] = {n: 1.0}, kind
    for name in list(called):
        joined = name.replace(" ", "")
        if joined not in called and len(joined) > 5 and max(called[name].values()) >= WELL_KNOWN / 2:
            called[joined], kinds[joined] = called[name], TAG
    for name in curated["words"]["nothing"].strip().split("\n"):
        called[name], kinds[name] = {}, NOTHING
    return _renumbered(
        places,
        {
            name: (kinds[name], sorted(found, key=lambda n: (-found[n], n))[:MOST_PLACES])
            for name, found in sorted(called.items())
        },
    )


def every_name() -> set[str]:
    """Return the names before any is dropped."""
    curated = naming.curated()
    places = _places(curated)
    return {*_called(places), *_sure(curated, {place.key: n for n, place in enumerate(places)})}


def _places(curated: Mapping[str, Any]) -> list[Source]:
    places = [
        place
        for place in sources.places(SMALLEST_OF_LANGUAGES)
        if _is_kept(place, curated["spoken"]["countries"].split())
    ]
    for name, (country, latitude, longitude, _) in curated["areas"].items():
        places.append(Source(name, name, REGION, country, name, latitude, longitude, PEOPLE_OF_AN_AREA))
    return sorted(places, key=lambda place: place.kind)


def _called(places: list[Source]) -> dict[str, dict[int, float]]:
    """Return name → its places' numbers, each with its weight; a tenth of it for other names than the place's own."""
    abroad = sources.exemplars()
    called: dict[str, dict[int, float]] = defaultdict(dict)
    for n, place in enumerate(places):
        main = " ".join(naming.words_of(place.name))
        for name in naming.of_place(place, abroad):
            called[name][n] = weight(place) if name == main or place.kind == COUNTRY else weight(place) / 10
    return called


def _sure(curated: Mapping[str, Any], number: Mapping[str, int]) -> dict[str, int]:
    """Return the names that mean one place, whatever others have them."""
    patterns = [*curated["countries"].items(), *curated["regions"].items(), *curated["cities"].items()]
    patterns += [(key, area[3]) for key, area in curated["areas"].items()]
    return {name: number[key] for key, pattern in patterns for name in naming.expand(pattern)}


def _demonyms(curated: Mapping[str, Any], number: Mapping[str, int]) -> Iterator[tuple[str, int, int]]:
    for key, pattern in curated["demonyms"].items():
        for name in naming.expand(pattern):
            yield name, number[key], DEMONYM


def _codes(places: list[Source]) -> Iterator[tuple[str, int, int]]:
    """Yield the states' initials that follow a city's name: Austin, TX."""
    for n, place in enumerate(places):
        if place.kind == REGION and place.country == "US" and place.key.startswith("US."):
            yield place.key[3:].lower(), n, CODE


def _tags(curated: Mapping[str, Any], number: Mapping[str, int]) -> Iterator[tuple[str, int, int]]:
    for key, pattern in curated["tags"].items():
        for name in naming.expand(pattern):
            yield name, number[key], TAG


def _renumbered(places: list[Source], names: Names) -> tuple[list[Source], Names]:
    """Return the same without places that no name is left of; countries and regions stay."""
    used = {n for _, found in names.values() for n in found}
    kept = [n for n, place in enumerate(places) if n in used or place.kind in (COUNTRY, REGION)]
    new = {n: at for at, n in enumerate(kept)}
    return [places[n] for n in kept], {name: (kind, [new[n] for n in found]) for name, (kind, found) in names.items()}


class Judge(NamedTuple):
    """What kind of name a name is."""

    said: Mapping[str, str]  # of names.toml
    common: Set[str]
    people: Set[str]
    sure: Set[str]

    def is_needless(self, name: str, weight: float) -> bool:
        """Return whether a name seldom means its place: a place that few know."""
        if name in self.sure:
            return False
        if len(name) < 4 or any(map(str.isdigit, name)):
            return True
        rarest = min(map(naming.use, name.split(" ")))
        if " " in name:
            return (
                (rarest >= FREQUENT_IN_PHRASE and weight < WELL_KNOWN) or rarest >= TOO_FREQUENT
            ) and not name.endswith(" county")
        return weight < FEW and (name in self.common or name in self.people or rarest >= FREQUENT)

    def kind(self, name: str, place: Source, weight: float) -> int:
        """Return the kind of a name whose best place this is."""
        if name in self.said["names"].split():
            return NAME
        if len(name.replace(" ", "")) < 4:
            return INITIALS
        if name in self.common or name in self.said["words"].split():
            return WORD
        if place.kind == COUNTRY or (name in self.sure and place.kind != CITY):
            return NAME
        small = weight < WELL_KNOWN and not name.endswith(" county") and name not in self.sure
        if name in self.people or name in self.said["people"].split():
            return SMALL if small else PERSON
        if small:
            return SMALL
        return LARGE if place.kind == CITY else NAME


def anchors(names: Names) -> set[str]:
    """Return words of which a text must have one to have a name: of each name the rarest.

    Hashtags are looked at anyway, and words that are names have their capital letter.
    """
    found = set()
    for name, (kind, which) in names.items():
        if which and kind not in (TAG, CODE, WORD) and not is_initials(name):
            found.add(min(name.split(" "), key=lambda word: (naming.use(word), word)))
    return found


def is_initials(name: str) -> bool:
    """Return whether a name is one in capital letters alone: `us` and `la` are words, `u s` letters."""
    return name in ("us", "la") or all(len(word) == 1 for word in name.split(" "))
