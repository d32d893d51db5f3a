"""Find the places that a hashtag names: #Nepal, #NewYork, #nepalquake, #PrayForParis, #abflood."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from chalicelib.places.gazetteer import (
    CODE,
    DEMONYM,
    INITIALS,
    LARGE,
    NAME,
    PERSON,
    SMALL,
    TAG,
    Gazetteer,
    gazetteer,
)

LONGEST_TAG = 40
LONGEST_NAME = 4  # words
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[0-9])(?=[A-Za-z])")
ALONE = frozenset((NAME, LARGE, INITIALS, TAG, PERSON))
PHRASE = frozenset((NAME, LARGE, PERSON, SMALL))
PART = frozenset((NAME, LARGE, PERSON))
ABBREVIATED = frozenset((TAG,))
BESIDE = frozenset((NAME, LARGE, INITIALS, TAG, PERSON, CODE, SMALL, DEMONYM))
"""Kinds of names that count: as the whole hashtag; as all its words; as one of them; as its last, in capitals; with a
word like `flood` written to it."""
A_WORD = "la"


@lru_cache(maxsize=4096)  # many posts share a few
def places(tag: str) -> Sequence[int]:
    """Return the places, the likeliest first; none for a tag that names none."""
    if len(tag) > LONGEST_TAG:
        return ()
    known = gazetteer()
    words = _HUMP.sub(" ", tag).lower().replace("_", " ").split()
    joined = "".join(words).strip("0123456789")
    if joined != A_WORD and (numbers := _of(joined, ALONE, known)):
        return numbers
    if len(words) > 1 and (numbers := _of_words(words, known)):
        return numbers
    if len(words) > 1 and tag[-2:].isupper() and (numbers := _of(words[-1], ABBREVIATED, known)):
        return numbers
    return _beside(joined, known)


def _of_words(words: Sequence[str], known: Gazetteer) -> Sequence[int]:
    for size in range(min(len(words), LONGEST_NAME), 0, -1):
        kinds = PHRASE if size == len(words) else PART
        for at in range(len(words) - size + 1):
            if numbers := _of(" ".join(words[at : at + size]), kinds, known):
                return numbers
    return ()


def _beside(joined: str, known: Gazetteer) -> Sequence[int]:
    for at in range(2, len(joined) - 1):
        if joined[at:] in known.tags and (numbers := _of(joined[:at], BESIDE, known)):
            return numbers
        if joined[:at] in known.tags and (numbers := _of(joined[at:], BESIDE, known)):
            return numbers
    return ()


def _of(name: str, kinds: frozenset[int], known: Gazetteer) -> Sequence[int]:
    number = known.anchors.get(name) or known.names.get(name, 0)
    return known.places(number) if number >> 4 & 15 in kinds else ()
