"""Classify what a relevant post tells, by the information types of CrisisLexT26.

The types: Olteanu et al. 2015, https://doi.org/10.1145/2675133.2675242. A linear model: each distinct word of a text
adds one weight to each type. A word that training did not keep counts as the longest beginning that it did keep. The
weights of a word are packed into one integer, so that one sum adds up all types at once.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Collection, Mapping
from math import exp, sqrt
from typing import Any

TYPES = (
    "affected_individuals",
    "infrastructure_and_utilities",
    "caution_and_advice",
    "donations_and_volunteering",
    "sympathy_and_support",
    "other_useful_information",
)
LONGEST = 30  # characters of a word that has weights; longer ones are no words
MOST_REMEMBERED = 30_000  # words, whose weights are looked up once
_DIGIT = re.compile(r"\d")
_SUMS = struct.Struct(f"<{len(TYPES)}I")
_ZERO = sum(1 << (32 * at + 31) for at in range(len(TYPES)))  # added to the sums, so that none is negative


def shape(token: str) -> str:
    """Return a token with its digits as zeros: `232` says as much as `231`."""
    return token if token.isalpha() else _DIGIT.sub("0", token)


class WordWeights(dict[str, int]):
    """The packed weights of each token met so far."""

    def __init__(self, names: Mapping[str, int], weights: bytes) -> None:
        super().__init__()
        self._names, self._weights = names, weights

    def __missing__(self, token: str) -> int:
        if len(token) > LONGEST:
            return 0
        if len(self) >= MOST_REMEMBERED:
            self.clear()
        self[token] = row = self._look_up(shape(token))
        return row

    def _look_up(self, word: str) -> int:
        at = self._names.get(word)
        for length in range(len(word), 0, -1):
            if at is not None:
                break
            at = self._names.get(f"{word[:length]}*")
        if at is None:
            return 0
        weights = struct.unpack_from(f"{len(TYPES)}b", self._weights, at * len(TYPES))
        return sum(weight << (32 * place) for place, weight in enumerate(weights))


class Information:
    """The model, read: words and beginnings (`word*`), a line each, then a row of int8 for each, in TYPES' order."""

    def __init__(self, header: Mapping[str, Any], content: bytes) -> None:
        """Raise ValueError where `content` isn't of the length that `header` and its names announce."""
        size: int = header["names"]
        names = content[:size].decode().split("\n")
        if len(content) != size + len(names) * len(TYPES):
            raise ValueError(f"not a model file: {len(content):,} bytes tell the types of {len(names):,} words")
        self._row = WordWeights({name: at for at, name in enumerate(names)}, content[size:]).__getitem__
        self._scale: float = header["scale"]
        self._bias: list[float] = header["bias"]
        self._slope: float = header["slope"]

    def logits(self, tokens: Collection[str]) -> list[float]:
        """Return the logit of each type, in TYPES' order."""
        distinct = set(tokens)
        sums = _SUMS.unpack((sum(map(self._row, distinct)) + _ZERO).to_bytes(_SUMS.size, "little"))
        factor = self._scale / sqrt(len(distinct) or 1)
        return [bias + factor * (each - (1 << 31)) for bias, each in zip(self._bias, sums, strict=True)]

    def tell(self, tokens: Collection[str]) -> tuple[str, float]:
        """Return what a relevant text of these tokens tells, and how probable that is."""
        logits = self.logits(tokens)
        most = max(logits)
        return TYPES[logits.index(most)], 1 / sum(exp(self._slope * (each - most)) for each in logits)
