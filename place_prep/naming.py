"""List a place's names, and those that need context because they are also words, people's names or initials."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from wordfreq import zipf_frequency

from chalicelib.classifier.text import fold
from place_prep import sources
from place_prep.sources import CITY, COUNTRY, COUNTY, REGION, Source

FOLDER = Path(__file__).parent
_WORD = re.compile(r"[a-z0-9_]+")
_BRACES = re.compile(r"^(.*?)\{([^}]*)\}(.*)$")
_FOREIGN = re.compile(r"[A-ZÀ-Ý][a-zß-ÿ]{3,}(?:[ '-][A-Za-zÀ-ÿ]{2,}){0,3}")
KNOWN_ABROAD = 300_000
"""Inhabitants from which on a city has names in other languages."""
USED = 2.5
"""How often, as the logarithm per billion words, a name must be used in one of the languages to be one of its words."""
_GENERIC = re.compile(
    r"\b(Sheng|Shi|Oblast|Oblast'|Krai|Kray|Province|Provincia|Prefecture|Governorate|Division|State|Region|Department|"
    r"Departamento|Muhafazat|Respublika|Republic|Autonomous|Avtonomnyy|Okrug|Zizhiqu|Provinsi|of|de|del|du|the|The|"
    r"District|County|Borough|Metropolitan|City|and|Regional|Municipality)\b"
)


def words_of(name: str) -> list[str]:
    """Return the words of a name as a text has them: small, without accents."""
    return _WORD.findall(fold(name).lower())


def curated() -> dict[str, Any]:
    """Return names.toml."""
    return tomllib.loads((FOLDER / "names.toml").read_text(encoding="utf-8"))


def expand(pattern: str) -> Iterator[str]:
    """Yield the names of a pattern: `nepal{i,ese},pinoy`."""
    for name in re.split(r",(?![^{]*\})", pattern):
        if match := _BRACES.match(name.strip()):
            for middle in match[2].split(","):
                yield from expand(match[1] + middle + match[3])
        elif name.strip():
            yield name.strip()


def of_place(place: Source, abroad: Mapping[str, set[str]]) -> set[str]:
    """Return the folded names of a place."""
    found = {place.name, *abroad.get(place.name, ())} if place.kind == CITY else {place.name}
    if place.kind == COUNTRY:
        found.update(place.others)
    elif place.kind == REGION:
        found.add(_GENERIC.sub(" ", place.name))
    elif place.kind == COUNTY:
        if place.country != "US":
            found.add(_GENERIC.sub(" ", place.name))
        if place.name.endswith(" County"):
            found.add(place.name[:-7] + " Co")
    elif place.people >= KNOWN_ABROAD:
        found.update(name for name in place.others if _FOREIGN.fullmatch(name) and use(name.lower()) >= USED)
    folded = {" ".join(words_of(name)) for name in found}
    return {name for name in folded if 2 < len(name) < 40 and name.count(" ") < 5 and not name.isdigit()}


@cache
def use(word: str) -> float:
    """Return how often a word is used in one of the languages: the logarithm per billion words."""
    return float(max(zipf_frequency(word, language) for language in sources.LANGUAGES))
