"""Find the place of a tweet with coordinates: the point itself, with the name of the nearest city."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache

from chalicelib.places.find import Place
from chalicelib.places.gazetteer import CITY, COUNTRY, Gazetteer, gazetteer

COORDINATES = "coordinates"
NEAR = 50.0
"""Kilometres within which a city gives a point its name and country, and a point is at a place that a text names."""
DEGREE = 111.2  # kilometres, of latitude
CELL = 0.5  # degrees
ROUND = 720  # cells round the Earth
NORTHERNMOST = 80.0  # degrees from the equator, on either side, beyond which there is no city


def settled(named: Place | None, latitude: float, longitude: float) -> Place | None:
    """Return the place of a tweet that was written at a point and whose text names a place, or none.

    The point is where the text speaks of, more exactly, unless the text names a place that the point isn't in.
    """
    known = gazetteer()
    city = nearest(latitude, longitude, known)
    if city is None or not (named is None or _is_in(named, city, latitude, longitude, known)):
        return named
    return Place(known.name(city), known.codes[known.country[city]], latitude, longitude, COORDINATES)


def nearest(latitude: float, longitude: float, known: Gazetteer) -> int | None:
    """Return the city that a point is in or near; None if no city is NEAR.

    The nearest tells the country. There it is the city whose edge is nearest, so that a borough of London is London.
    """
    if abs(latitude) > NORTHERNMOST:
        return None
    cells = _cells()
    row, column = math.floor(latitude / CELL), math.floor(longitude / CELL)
    rows = math.ceil(NEAR / DEGREE / CELL)
    columns = math.ceil(rows / math.cos(math.radians(abs(latitude) + NEAR / DEGREE)))
    near = [
        (apart, city)
        for y in range(row - rows, row + rows + 1)
        for x in range(column - columns, column + columns + 1)
        for city in cells.get((y, x % ROUND), ())
        if (apart := _apart(city, latitude, longitude, known)) < NEAR
    ]
    if not near:
        return None
    country = known.country[min(near)[1]]
    return min((apart - _radius(city, known), city) for apart, city in near if known.country[city] == country)[1]


def _radius(city: int, known: Gazetteer) -> float:
    """Return the kilometres from a city's middle to its edge: of a million inhabitants 10."""
    return math.sqrt(10 ** (known.people[city] / 20)) / 100


def _is_in(named: Place, city: int, latitude: float, longitude: float, known: Gazetteer) -> bool:
    """Return whether a point, whose nearest city is given, is in a country or region that is named, or at the city."""
    code = known.codes[known.country[city]]
    if named.country_code != code:
        return False
    if named.place in (_countries()[code], known.name(known.region[city])):
        return True
    return kilometres(named.latitude, named.longitude, latitude, longitude) < NEAR


def _apart(city: int, latitude: float, longitude: float, known: Gazetteer) -> float:
    return kilometres(known.latitude[city] / 10_000, known.longitude[city] / 10_000, latitude, longitude)


def kilometres(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Return the distance of two points that are near each other; of others, that it is long."""
    north = other_latitude - latitude
    east = (other_longitude - longitude + 180) % 360 - 180
    return DEGREE * math.hypot(north, east * math.cos(math.radians((latitude + other_latitude) / 2)))


@lru_cache(maxsize=1)
def _cells() -> Mapping[tuple[int, int], Sequence[int]]:
    """Return the cities of each cell of the Earth's grid, which has any: made when a tweet first has coordinates."""
    known = gazetteer()
    cells: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place, kind in enumerate(known.kind):
        if kind == CITY:
            row = math.floor(known.latitude[place] / 10_000 / CELL)
            column = math.floor(known.longitude[place] / 10_000 / CELL)
            cells[row, column % ROUND].append(place)
    return dict(cells)


@lru_cache(maxsize=1)
def _countries() -> Mapping[str, str]:
    """Return the countries' names by their codes."""
    known = gazetteer()
    of_countries = (place for place, kind in enumerate(known.kind) if kind == COUNTRY)
    return {known.codes[known.country[place]]: known.name(place) for place in of_countries}
