"""Made-up tweets that speak of places: names of every kind, the words around them, hashtags, and what divides them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence

from chalicelib.places.gazetteer import COUNTRY, WORDS, Gazetteer, gazetteer

GAPS = (
    *(" ", " ", " ", " ", ", ", ", ", ",", "-", " - ", " (", " [", "/", ". ", " #", " @", "\u00a0", "\u2026 ", "\x85"),
    *("'s ", " \u00e0 ", "\u00e0 ", " http://t.co/x ", "http", "\u210ettp", "\U0001f525", " \u2019"),
)
OTHERS = (
    "the",
    "Mr",
    "McKay",
    "A1b",
    "U_S",
    "7",
    "of",
    "I",
    "x" * 45,
    "\u00c9",
    "caf\u00e9",
    "\u2122",
    "\u00df",
    "la",
    "",
)
CASES: Sequence[Callable[[str], str]] = (str, str.lower, str.title, str.title, str.upper, str.capitalize)
MOST_OF_A_KIND = 60


class Words:
    """What a tweet is made of."""

    def __init__(self, dice: random.Random) -> None:
        known = gazetteer()
        self._dice = dice
        self._names = list(_by_kind(known, dice).values())
        self._around = [sorted(getattr(known, name)) for name in WORDS]
        self._known = known
        self._shared = sorted(name for name, number in known.anchors.items() if number >> 8 & 15 > 1)
        self._country = {known.country[place]: place for place, kind in enumerate(known.kind) if kind == COUNTRY}

    def name(self) -> str:
        return self._dice.choice(self._dice.choice(self._names))

    def word(self) -> str:
        dice = self._dice
        found = dice.choice(
            (self.name, self.name, lambda: dice.choice(dice.choice(self._around)), lambda: dice.choice(OTHERS))
        )()
        return dice.choice(CASES)(found)

    def hashtag(self) -> str:
        parts = [self.word() for _ in range(self._dice.choice((1, 1, 2, 2, 3, 5)))]
        return "#" + self._dice.choice(("", "", "", "_", "7")).join(parts).replace(" ", "")

    def text(self) -> str:
        dice = self._dice
        found = ""
        for _ in range(dice.choice((1, 2, 3, 4, 6, 9))):
            found += self.hashtag() + " " if dice.random() < 0.15 else self.word() + dice.choice(GAPS)
        return dice.choice((str, str, str, str.upper, str.lower))(found)

    def record(self) -> bytes:
        location = self._dice.choice((None, None, self.word(), f"{self.word()}, {self.word()}", self.text()))
        text, location = self.shared() if self._dice.random() < 0.2 else (self.text(), location)
        return json.dumps({"text": f"fire {text}", "location": location}).encode()

    def shared(self) -> tuple[str, str]:
        """Return a text with a name that several places have, and an author who lives near one of them."""
        known, dice = self._known, self._dice
        name = dice.choice(self._shared)
        place = dice.choice(known.places(known.anchors[name]))
        near = dice.choice((known.region[place], self._country.get(known.country[place], place), place))
        return f"{self.word()} in {name.title()} {self.word()}", f"{known.name(near)} {self.word()}"


def _by_kind(known: Gazetteer, dice: random.Random) -> dict[tuple[int, bool, bool], list[str]]:
    """Return some names of each kind: of one word and of more, of one place and of more."""
    found: dict[tuple[int, bool, bool], list[str]] = {}
    for name, number in (*known.anchors.items(), *known.names.items()):
        found.setdefault((number >> 4 & 15, number >> 8 & 15 > 1, " " in name), []).append(name)
    return {kind: dice.sample(names, min(MOST_OF_A_KIND, len(names))) for kind, names in sorted(found.items())}
