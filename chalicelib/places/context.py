"""What the words around a name say: whether it means a place.

"in Nice", "Nice, France" and "a Nice quake" mean one; "nice", "Have a Nice day" and "Mr Nice" mean none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from chalicelib.places.gazetteer import (
    CODE,
    DEMONYM,
    INITIALS,
    LARGE,
    NAME,
    PERSON,
    SMALL,
    WORD,
    Gazetteer,
)

SHOUTED, TITLED, MIXED, SMALL_LETTERS = range(4)
SURE, LIKELY, WEAK, NONE = 2.0, 1.5, 1.0, 0.0
LED = 1.0  # more, if a word leads to it
SHORTEST_SHOUTED = 6


class Context(NamedTuple):
    """A text's words, what is before each (and behind the last), and what their capital letters say."""

    words: Sequence[str]
    lower: Sequence[str]
    gaps: Sequence[str]
    case: int


def case(words: Sequence[str]) -> int:
    """Return whether a capital letter says anything in a text."""
    upper, capital = sum(map(str.isupper, words)), sum(map(str.istitle, words))
    if upper * 2 > len(words):
        return SHOUTED
    if (upper + capital) * 3 > len(words) * 2 and len(words) > 3:
        return TITLED
    return MIXED if upper + capital else SMALL_LETTERS


def strength(kind: int, start: int, end: int, follows: bool, around: Context, known: Gazetteer) -> float:
    """Return how sure it is that the name from word `start` to `end` means a place; 0 if it doesn't.

    `follows`: the word before is the end of another name, as in "Austin, TX".
    """
    words, lower, gaps, letters = around
    word = words[start]
    before = lower[start - 1] if start else ""
    after = lower[end] if end < len(words) else ""
    led, many = before in known.leading, end - start > 1
    listed = follows and "," in gaps[start]
    if gaps[start][-1:] == "-" and kind != CODE:  # pro-Gaza
        return NONE
    if kind in (NAME, LARGE):
        if after in known.teams or (letters == SHOUTED and not (many or led) and len(word) < SHORTEST_SHOUTED):
            return NONE
        if many or led or letters == SMALL_LETTERS or not word[:1].islower():
            return SURE + led * LED
        return WEAK if kind == NAME else NONE
    if kind == INITIALS:
        written = words[end - 1].isupper() and (many or letters != SHOUTED)
        return SURE + led * LED if written else NONE
    if kind == CODE:
        alone = lower[start] not in known.no_initials and (
            led or gaps[start][-1:] in ("-", "[", "(") or after in known.events
        )
        return SURE if word.isupper() and (listed or (alone and letters != SHOUTED)) else NONE
    if kind == DEMONYM:
        second = lower[end + 1] if end + 1 < len(words) else ""
        return WEAK if {before, after, second} & known.hazards else NONE
    if word[:1].islower():
        return NONE
    sure = led or listed or _is_region(end, around, known)
    if kind == WORD:
        return LIKELY if sure and not listed and letters == MIXED and start else NONE
    if kind == PERSON:
        if sure:
            return NONE if after in known.teams else SURE
        named = start and words[start - 1][:1].isupper() and gaps[start] == " "
        return WEAK if after in known.events and not named and before not in known.titles else NONE
    if kind == SMALL:
        return LIKELY if sure or after in known.events or (many and letters != TITLED) else NONE
    return NONE


def _is_region(at: int, around: Context, known: Gazetteer) -> bool:
    """Return whether the word behind a name names the region or country that it is in: "Paris, Texas", "Austin TX"."""
    if at == len(around.words) or not around.words[at][:1].isupper():
        return False
    after = around.lower[at]
    number = known.anchors.get(after) or known.names.get(after, 0)
    return bool(number >> 8 & 15) and ("," in around.gaps[at] or number >> 4 & 15 == CODE)
