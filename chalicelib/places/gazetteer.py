"""Read and write the gazetteer's file: names and their places, in tables of numbers that need no parsing.

A name's number holds, from its lowest bits: how many words the longest name has that begins with this word (4 bits),
the kind of the name (4), how many places have it (4), and where in `candidates` they begin.
"""

from __future__ import annotations

import itertools
import json
import struct
import sys
from array import array
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

FILE = Path(__file__).parent / "places.bin"
NOTHING, NAME, WORD, PERSON, INITIALS, DEMONYM, SMALL, TAG, CODE, LARGE = range(10)
"""Kinds of names: of no place; of one that needs no context; a word too; a person's too; initials, in capitals; of a
people; of a small place; in hashtags only; of a region, only behind a city's; of a large city."""
COUNTRY, REGION, COUNTY, CITY = range(4)


class Gazetteer(NamedTuple):
    """All of it. Each sequence from `country` on has one item for each place."""

    anchors: Mapping[str, int]  # words: a text without any of them has no name, hashtags aside
    names: Mapping[str, int]  # the others
    capitals: frozenset[str]  # and without any of these, as they are written
    tags: frozenset[str]  # words that are written together with a name in a hashtag
    leading: frozenset[str]  # the next are words around a name: they lead to a place
    linking: frozenset[str]  # to a city
    hazards: frozenset[str]
    events: frozenset[str]  # hazards and more that happens at a place
    teams: frozenset[str]
    sports: frozenset[str]  # words of a game, in which a place is a team
    no_initials: frozenset[str]  # initials that are words
    titles: frozenset[str]
    candidates: Sequence[int]  # places of the names
    codes: Sequence[str]  # of countries
    called: bytes  # their names, a byte for the end of each
    start: Sequence[int]  # of its name in `called`
    country: Sequence[int]  # which of `codes`
    kind: Sequence[int]
    region: Sequence[int]  # the place that is its region; itself for a region, 0 if unknown
    people: Sequence[int]  # logarithm of its inhabitants, times 20
    latitude: Sequence[int]  # degrees times 10,000
    longitude: Sequence[int]

    def name(self, place: int) -> str:
        """Return a place's name."""
        start = self.start[place]
        return self.called[start : self.called.find(b"\n", start)].decode()

    def places(self, number: int) -> Sequence[int]:
        """Return the places that have a name, by the name's number, the likeliest first."""
        start = number >> 12
        return self.candidates[start : start + (number >> 8 & 15)]


@lru_cache(maxsize=1)
def gazetteer() -> Gazetteer:
    """Return the gazetteer, read when it is first asked for."""
    return read(FILE.read_bytes())


ARRAYS = "IIIBBHBii"  # of numbers, candidates, start, country, kind, region, people, latitude, longitude
WORDS = ("capitals", "tags", "leading", "linking", "hazards", "events", "teams", "sports", "no_initials", "titles")


class Table(NamedTuple):
    """The places, a sequence for each column."""

    called: Sequence[str]
    country: Sequence[int]
    kind: Sequence[int]
    region: Sequence[int]
    people: Sequence[int]
    latitude: Sequence[int]
    longitude: Sequence[int]


def write(
    names: Mapping[str, int],
    anchors: int,
    candidates: Sequence[int],
    words: Mapping[str, Sequence[str]],
    codes: Sequence[str],
    places: Table,
    inputs: str,
) -> bytes:
    """Return the file. `words` has WORDS, `inputs` is the hash of what it was made from. The first `anchors` of the
    names are anchors."""
    texts = [list(names), *(words[name] for name in WORDS), codes, [*places.called, ""]]
    encoded = ["\n".join(lines).encode() for lines in texts]
    starts = [0, *itertools.accumulate(len(name.encode()) + 1 for name in places.called)][:-1]
    numbers = [list(names.values()), candidates, starts, *places[1:]]
    arrays = [_little(array(code, values)) for code, values in zip(ARRAYS, numbers, strict=True)]
    parts = [*encoded, *arrays]
    sizes = [len(part) for part in parts]
    head = json.dumps({"anchors": anchors, "inputs": inputs, "sizes": sizes}, sort_keys=True).encode()
    return struct.pack("<I", len(head)) + b"".join([head, *parts])


def header(data: bytes) -> dict[str, Any]:
    """Return the header of a file."""
    values: dict[str, Any] = json.loads(data[4 : 4 + struct.unpack_from("<I", data)[0]])
    return values


def parts(data: bytes) -> tuple[int, Sequence[bytes], bytes, Sequence[bytes]]:
    """Return a file's parts as they lie in it: how many names are anchors; names, WORDS and codes, a line each; the
    places' names; numbers as ARRAYS says."""
    head = header(data)
    at = 4 + struct.unpack_from("<I", data)[0]
    pieces = []
    for size in head["sizes"]:
        pieces.append(data[at : at + size])
        at += size
    texts = len(WORDS) + 2
    return head["anchors"], pieces[:texts], pieces[texts], pieces[texts + 1 :]


def read(data: bytes) -> Gazetteer:
    """Return the gazetteer of a file."""
    split, texts, called, arrays = parts(data)
    names, *words, codes = (part.decode().split("\n") for part in texts)
    values, candidates, *numbers = (_native(code, part) for code, part in zip(ARRAYS, arrays, strict=True))
    anchors = dict(zip(names[:split], values[:split], strict=True))
    others = dict(zip(names[split:], values[split:], strict=True))
    return Gazetteer._make((anchors, others, *map(frozenset, words), candidates, codes, called, *numbers))


def _little(values: array[int]) -> bytes:
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def _native(code: str, data: bytes) -> array[int]:
    values = array(code)
    values.frombytes(data)
    if sys.byteorder == "big":
        values.byteswap()
    return values
