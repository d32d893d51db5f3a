"""Find the gazetteer's names in a text and its hashtags.

Most texts have none of the words that names begin or are anchored with: two look-ups in a set find that out.
Time is in proportion to the text: a name has at most 15 words, and only the first MOST_WORDS words are read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from chalicelib.classifier.text import fold
from chalicelib.places import context, hashtags
from chalicelib.places.gazetteer import Gazetteer

MOST_WORDS = 400
MOST_MENTIONS = 16
TEXT, HASHTAG = "text", "hashtag"
OF_HASHTAG = 2.0
_LINK = re.compile(r"http\S*")  # a literal first: ten times as fast as any case
_TAG = re.compile(r"#([A-Za-z0-9_]+)")
_WORD = re.compile(r"[A-Za-z0-9_]+")
_SPACED = bytes(ord(c) if c.isalnum() or c == "_" else 32 for c in map(chr, range(128))) + bytes([32]) * 128


class Mention(NamedTuple):
    """A name of the gazetteer in a text: the places that have it, the likeliest first."""

    places: Sequence[int]
    strength: float
    basis: str


def mentions(text: str, known: Gazetteer) -> list[Mention]:
    """Return what the text names, hashtags last."""
    if not text.isascii():
        text = fold(text.replace("à ", "dans "))  # folded it were the English article, which leads to no place
    if "http" in text:
        text = _LINK.sub(" ", text)
    plain = text.encode("ascii", "replace").translate(_SPACED).decode()
    words, lower = plain.split(), plain.lower().split()
    mentioned = []
    if not (known.anchors.keys().isdisjoint(lower) and known.capitals.isdisjoint(words)):
        mentioned = _named(text, words[:MOST_WORDS], lower[:MOST_WORDS], known)
    if "#" in text:
        for tag in _TAG.findall(text)[:MOST_MENTIONS]:
            if places := hashtags.places(tag):
                mentioned.append(Mention(places, OF_HASHTAG, HASHTAG))
    return mentioned if any(mention.strength > context.FAINT for mention in mentioned) else []


def _named(text: str, words: Sequence[str], lower: Sequence[str], known: Gazetteer) -> list[Mention]:
    """Return the mentions but for hashtags: at each word the longest name that begins there."""
    anchors, names = known.anchors, known.names
    mentioned: list[Mention] = []
    around = None
    free, ended = 0, -1  # where the next name may begin, where the last mention ended
    for at in [at for at, word in enumerate(lower) if word in anchors or word in names]:
        if at < free:
            continue
        number = anchors.get(lower[at]) or names.get(lower[at], 0)
        size = max(1, min(number & 15, len(lower) - at))
        while size > 1:
            if longer := names.get(" ".join(lower[at : at + size])):
                number = longer
                break
            size -= 1
        free = at + size
        if not number >> 8 & 15:
            continue
        if around is None:
            of_sport, of_event = not known.sports.isdisjoint(lower), not known.events.isdisjoint(lower)
            around = context.Context(words, lower, [*_WORD.split(text), ""], context.case(words), of_sport, of_event)
        if around.gaps[at][-1:] in ("#", "@"):
            continue
        if strength := context.strength(number >> 4 & 15, at, free, ended == at, around, known):
            mentioned.append(Mention(known.places(number), strength, TEXT))
            ended = free
            if len(mentioned) == MOST_MENTIONS:
                break
    return mentioned
