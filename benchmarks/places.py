"""Measure how often places are right on tweets that nothing was tuned on, and the CPU time.

The tweets of each collection are halved by a hash of their ID. What `place_prep/names.toml` and the rules were tuned on
is the first half; the second is shown.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks import REAL, ROOT, tweets
from chalicelib.classifier.text import fold
from chalicelib.places import Place, find
from chalicelib.places.gazetteer import COUNTRY, gazetteer

CRISES = {
    "2012_Colorado_wildfires": "US",
    "2012_Costa_Rica_earthquake": "CR",
    "2012_Italy_earthquakes": "IT",
    "2012_Philipinnes_floods": "PH",
    "2012_Typhoon_Pablo": "PH",
    "2012_Venezuela_refinery": "VE",
    "2013_Alberta_floods": "CA",
    "2013_Boston_bombings": "US",
    "2013_Brazil_nightclub_fire": "BR",
    "2013_Glasgow_helicopter_crash": "GB",
    "2013_Lac_Megantic_train_crash": "CA",
    "2013_Queensland_floods": "AU",
    "2013_Russia_meteor": "RU",
    "2013_Sardinia_floods": "IT",
    "2013_Savar_building_collapse": "BD",
    "2013_Singapore_haze": "SG",
    "2013_Spain_train_crash": "ES",
}
"""The country of each crisis of CrisisLexT26: the set's own column has many wrong."""
NEAR = 50.0  # km
ROUNDS = 5
LOADS = 7

KEY = """right: of tweets with one annotated country those that get it; precise: of those that get one. false: of tweets
without an annotated place those that get one. city: of annotated cities those within 50 km. crises: of informative
tweets of CrisisLexT26 those that get a country; their own: of these those that get the crisis's. plain names: the
largest place that a word of the text is the name of, whatever its context."""

Finder = Callable[[str, str | None], Place | None]


class Score(NamedTuple):
    """Shares, and of how many."""

    right: float  # of tweets with one country
    precise: float  # of those that got one
    false: float  # of tweets with no annotated place
    near: float  # of annotated cities
    given: float  # of informative tweets of crises
    crisis: float  # of these


def ours(text: str, location: str | None) -> Place | None:
    """Return what the product finds."""
    return find(text, location)


def without_context(text: str, _: str | None) -> Place | None:
    """Return the place with most inhabitants of those that a word of the text is a name of: a plain look-up."""
    known = gazetteer()
    found = [
        place
        for word in fold(text).lower().replace("#", " ").split()
        for place in known.places(known.anchors.get(word, 0))[:1]
    ]
    if not found:
        return None
    best = max(found, key=lambda place: (known.kind[place] == COUNTRY, known.people[place]))
    code = known.codes[known.country[best]]
    return Place(known.name(best), code, known.latitude[best] / 1e4, known.longitude[best] / 1e4, "text")


def half(path: Path, second: bool) -> Iterator[dict[str, str]]:
    """Yield the rows of one half of a CSV. Nothing was tuned on the second."""
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if hashlib.md5(row["tweet_id"].encode(), usedforsecurity=False).digest()[0] & 1 == second:
                yield row


def kilometres(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Return the distance of two places, by the haversine formula."""
    (a, b), (c, d) = (tuple(map(math.radians, place)) for place in (one, other))
    half = math.sin((c - a) / 2) ** 2 + math.cos(a) * math.cos(c) * math.sin((d - b) / 2) ** 2
    return 12_742 * math.asin(math.sqrt(half))


def is_city(place: Mapping[str, Any]) -> bool:
    """Return whether an annotated place has a city's name and lies where the gazetteer has one of that name."""
    known = gazetteer()
    words = " ".join(fold(place["toponym"]).lower().replace("-", " ").split())
    numbers = known.anchors.get(words, 0) or known.names.get(words, 0)
    here = place["latitude"], place["longitude"]
    return place["latitude"] is not None and any(
        known.kind[n] > 1 and kilometres(here, (known.latitude[n] / 1e4, known.longitude[n] / 1e4)) < NEAR
        for n in known.places(numbers)
    )


def score(finder: Finder, second: bool = True) -> Score:
    """Return how good a finder is on one half of each collection."""
    one, right, given, nowhere, false, cities, near = [0] * 7
    for row in half(REAL / "geocorpora" / "dev.csv", second):
        annotated = json.loads(row["places"])
        found = finder(row["text"], row["user_location"])
        countries = {place["country_code"] for place in annotated} - {None}
        if not annotated:
            nowhere += 1
            false += found is not None
        if len(countries) == 1:
            one += 1
            given += found is not None
            right += found is not None and found.country_code in countries
            if where := [(p["latitude"], p["longitude"]) for p in annotated if is_city(p)]:
                cities += 1
                near += found is not None and min(kilometres(found[2:4], each) for each in where) <= NEAR
    of_crises = [
        (finder(row["text"], None), CRISES[row["event"]])
        for row in half(REAL / "crisislex" / "t26_dev.csv", second)
        if row["informativeness"] == "Related and informative"
    ]
    placed = [(found.country_code, country) for found, country in of_crises if found]
    same = sum(code == country for code, country in placed)
    return Score(
        right / one, right / given, false / nowhere, near / cities, len(placed) / len(of_crises), same / len(placed)
    )


def cost(texts: Sequence[str]) -> float:
    """Return the microseconds of CPU a tweet, in the best of ROUNDS rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for text in texts:
            find(text, None)
        best = min(best, time.process_time() - began)
    return best / len(texts) * 1e6


LOAD = """
import time, tracemalloc
from chalicelib.transform import handler
from chalicelib.places import gazetteer
began = time.process_time(); gazetteer.gazetteer(); took = time.process_time() - began
tracemalloc.start(); kept = gazetteer.read(gazetteer.FILE.read_bytes()); held = tracemalloc.get_traced_memory()[0]
print(took * 1e3, held / 1e6)
"""


def loading() -> tuple[float, float]:
    """Return (median milliseconds, megabytes) of loading, in fresh interpreters."""
    found = []
    for _ in range(LOADS):
        command = [sys.executable, "-c", LOAD]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        found.append(tuple(map(float, done.stdout.split())))
    milliseconds, megabytes = sorted(found)[LOADS // 2]
    return milliseconds, megabytes


def run(console: Console) -> None:
    """Print the tables."""
    if (REAL / "geocorpora").exists():
        table = Table(title="The half of each collection that nothing was tuned on, %")
        table.add_column("")
        columns = ("right", "precise", "false", "city", "crises", "their own")
        for column in columns:
            table.add_column(column, justify="right")
        table.add_row("goal", "≥ 75", "≥ 92", "≤ 4", "≥ 60", "≥ 65", "≥ 92")
        rows = {
            "places": score(ours),
            "the tuned half": score(ours, second=False),
            "plain names": score(without_context),
        }
        for name, shares in rows.items():
            table.add_row(name, *(f"{100 * share:.1f}" for share in shares))
        console.print(table)
        console.print(KEY, soft_wrap=True)
    table = Table(title=f"CPU time, µs a tweet, in the best of {ROUNDS} rounds")
    table.add_column("")
    table.add_column("tweets", justify="right")
    table.add_column("with a place, %", justify="right")
    table.add_column("µs", justify="right")
    for name, texts in samples():
        placed = sum(ours(text, None) is not None for text in texts)
        table.add_row(name, f"{len(texts):,}", f"{100 * placed / len(texts):.1f}", f"{cost(texts):.1f}")
    console.print(table)
    milliseconds, megabytes = loading()
    size = len(gazetteer().kind)
    console.print(f"The gazetteer ({size:,} places) takes {milliseconds:.0f} ms and {megabytes:.0f} MB to load.")


def samples() -> Iterator[tuple[str, list[str]]]:
    """Yield (what it is, texts)."""
    yield "about disasters", tweets()
    for name in ("sentiment140", "xlmt_es", "goemotions_reddit"):
        path = REAL / "everyday" / f"{name}.csv"
        if path.exists():
            with path.open(encoding="utf-8", newline="") as file:
                yield f"everyday, {name}", [row["text"] for row in islice(csv.DictReader(file), 5000)]
