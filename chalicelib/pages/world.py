"""Draw the map as SVG: dots on the outlines of all countries, in an equirectangular projection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from html import escape
from math import sqrt
from pathlib import Path
from typing import Any

from chalicelib.pages.words import plural

UNITS = 5  # a degree, as data/world_outline.py drew the outlines
WEST, NORTH, SOUTH = -180, 84, -58  # what is shown
SMALLEST, LARGEST = 7, 40  # radius of a dot


@cache
def outlines() -> str:
    """Return the countries' outlines, the `d` of a path: Natural Earth's, made by data/world_outline.py."""
    return (Path(__file__).parent / "world.txt").read_text().strip()


def draw(places: Iterable[Mapping[str, Any]]) -> str:
    """Return the map, with a dot for each place whose area grows with its posts; the largest lie below."""
    shown = sorted(places, key=lambda place: -place["posts"])
    most = shown[0]["posts"] if shown else 1
    dots = "".join(_dot(place, LARGEST * sqrt(place["posts"] / most)) for place in shown)
    box = f"{WEST * UNITS} {-NORTH * UNITS} {-2 * WEST * UNITS} {(NORTH - SOUTH) * UNITS}"
    return (
        f'<svg class="world" viewBox="{box}" role="img" aria-label="Places that posts speak of">'
        f'<path class="land" d="{outlines()}"/>{dots}</svg>'
    )


def _dot(place: Mapping[str, Any], radius: float) -> str:
    x, y = place["longitude"] * UNITS, -place["latitude"] * UNITS
    title = f"{place['place']}: {plural(place['posts'], 'post')}, {plural(place['distinct_texts'], 'text')}"
    circle = f'<circle class="place" cx="{x:.0f}" cy="{y:.0f}" r="{max(SMALLEST, radius):.0f}"/>'
    return f"<g><title>{escape(title)}</title>{circle}</g>"
