"""Decide from the words around a name whether it means a place.

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
SURE, LIKELY, WEAK, FAINT, NONE = 2.0, 1.5, 1.0, 0.25, 0.0  # a faint one counts beside others only
LED = 1.0  # more, if a word leads to it
SHORTEST_SHOUTED = 6


class Context(NamedTuple):
    """A text's words, what is before each (and behind the last), and what their capital letters say."""

    words: Sequence[str]
    lower: Sequence[str]
    gaps: Sequence[str]
    case: int
    of_sport: bool
    of_event: bool


def case(words: Sequence[str]) -> int:
    """Return whether a capital letter says anything in a text."""
    upper, capital = sum(map(str.isupper, words)), sum(map(str.istitle, words))
    if upper * 2 > len(words):
        return SHOUTED
    if (upper + capital) * 3 > len(words) * 2 and len(words) > 3:
        return TITLED
    return MIXED if upper + capital else SMALL_LETTERS


def strength(kind: int, start: int, end: int, follows: bool, around: Context, known: Gazetteer) -> float:
    """Return the strength of the evidence that the name from word `start` to `end` means a place; 0 if it doesn't.

    `follows`: the word before is the end of another name, as in "Austin, TX".
    """
    words, lower, gaps, letters, of_sport, _ = around
    word = words[start]
    before = lower[start - 1] if start else ""
    after = lower[end] if end < len(words) else ""
    led, many = before in known.leading, end - start > 1
    listed = follows and "," in gaps[start]
    happens = not known.events.isdisjoint(lower[end : end + 2])  # the London beer flood
    happened = not known.hazards.isdisjoint(lower[max(start - 2, 0) : start])  # enchente no Recife
    if gaps[start][-1:] == "-" and kind != CODE:  # pro-Gaza
        return NONE
    if of_sport and not led and kind in (NAME, LARGE, INITIALS):  # England vs Ghana
        return NONE
    if kind in (NAME, LARGE):
        if after in known.teams or (letters == SHOUTED and not (many or led) and len(word) < SHORTEST_SHOUTED):
            return NONE
        if after == "s" and not (many or led or happens):  # Egypt's politics
            return NONE
        told = led or listed or happens or happened or before in known.linking
        if kind == LARGE and not (told or _is_of_event(start, end, around) or _is_region(end, around, known)):
            return NONE if word[:1].islower() else FAINT
        if many or led or letters == SMALL_LETTERS or not word[:1].islower():
            return SURE + led * LED
        return WEAK if kind == NAME else NONE
    if kind == INITIALS:
        written = words[end - 1].isupper() and (many or letters != SHOUTED)
        told = many or led or happens or happened or before == "the"
        return SURE + led * LED if written and told else NONE
    if kind == CODE:
        of_city = start and gaps[start][:1] == "," and words[start - 1][:1].isupper()  # one that isn't known
        alone = lower[start] not in known.no_initials and (
            led or of_city or gaps[start][-1:] in ("-", "[", "(") or after in known.events
        )
        return SURE if word.isupper() and (listed or (alone and letters != SHOUTED)) else NONE
    if kind == DEMONYM:
        second = lower[end + 1] if end + 1 < len(words) else ""
        return WEAK if {before, after, second} & known.hazards else NONE
    if word[:1].islower():
        return NONE
    sure = led or listed or _is_region(end, around, known)
    if kind == WORD:
        initials = word.isupper() and letters != SHOUTED
        return LIKELY if sure and not listed and not initials and letters == MIXED and start else NONE
    if kind == PERSON:
        if after in known.teams:
            return NONE
        if sure:
            return SURE
        named = start and words[start - 1][:1].isupper() and gaps[start] == " "
        told = happens or _is_of_event(start, end, around)
        return WEAK if told and not named and before not in known.titles else NONE
    if kind == SMALL:
        told = sure or after in known.events or before in known.linking
        return LIKELY if told or (many and letters != TITLED) else NONE
    return NONE


def _is_of_event(start: int, end: int, around: Context) -> bool:
    """Return whether the text speaks of an event and the name is no part of a longer one: "Paris Jackson"."""
    if not around.of_event or around.case != MIXED:
        return False
    last = start > 0 and around.gaps[start] == " " and around.words[start - 1][:1].isupper()
    first = end < len(around.words) and around.gaps[end] == " " and around.words[end][:1].isupper()
    return not (last or first)


def _is_region(at: int, around: Context, known: Gazetteer) -> bool:
    """Return whether the word behind a name names the region or country that it is in: "Paris, Texas", "Austin TX"."""
    if at == len(around.words) or not around.words[at][:1].isupper():
        return False
    after = around.lower[at]
    number = known.anchors.get(after) or known.names.get(after, 0)
    return bool(number >> 8 & 15) and ("," in around.gaps[at] or number >> 4 & 15 == CODE)
