"""Compute what is usual for a kind at a place, and how many texts are far more. Nothing here touches AWS.

The usual is the mean of the past hours without those that stand out. A count is far more if chance reaches it less than
once in a million hours. Chance is a negative binomial distribution: the counts of a Poisson process whose rate is known
from few hours, and varies by a fifth.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import sqrt
from statistics import median
from typing import NamedTuple

CHANCE = 1e-6
"""Of an hour to be taken for a situation where there is none: some 100,000 are looked at in a
week, so that is one in ten weeks."""

STEADY = 25.0
"""Shape of the distribution of rates, at most: 1 / the square of a fifth."""

LEAST = 8
"""Distinct texts of an hour below which nothing is a situation."""


class Usual(NamedTuple):
    """What is usual: texts an hour, how well that is known (the texts that tell it), and all other posts an hour."""

    texts: float
    known: float
    others: float

    def expected(self, others: float) -> float:
        """Return how many texts are to be expected in an hour that has so many other posts.

        More posts of every kind are a backfill, or a backlog after an outage: then more is expected of each kind.
        """
        return self.texts * max(1.0, (others + self.texts) / (self.others + self.texts))


def usual(texts: Sequence[int], others: Sequence[int]) -> Usual | None:
    """Return what is usual, by past hours: their texts, and all other posts in the same hours. None without any hour.

    It is as if one more text had been seen, so nothing is taken to be impossible.
    """
    if not texts:
        return None
    middle = median(texts)
    most = middle + 4 * sqrt(middle) + 4
    kept = [count for count in texts if count <= most]
    seen = sum(kept) + 1
    return Usual(seen / len(kept), seen, median(others))


def limit(of: Usual, others: float) -> int:
    """Return the least count of texts that is far more than usual in an hour with so many other posts."""
    return max(LEAST, _limit(round(of.expected(others), 1), round(min(of.known, STEADY), 1)))


@lru_cache(maxsize=4096)
def _limit(expected: float, shape: float) -> int:
    """Return the smallest count that a negative binomial distribution reaches by a chance below CHANCE."""
    share = expected / (expected + shape)
    chance = (1 - share) ** shape  # of a count of 0
    count, below = 0, 0.0
    while 1 - below >= CHANCE:
        below += chance
        chance *= (count + shape) / (count + 1) * share
        count += 1
    return count
