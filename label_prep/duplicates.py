"""Near-duplicates: texts that say the same in nearly the same words, found by MinHash."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence

import numpy as np

HASHES, BAND = 32, 4
"""Eight bands of four hashes: two texts whose words overlap by 80 % meet in a band with a probability of 99 %, by 30 %
of 6 % (Leskovec, Rajaraman & Ullman, Mining of Massive Datasets, 3.4)."""
PRIME = (1 << 32) - 5


def groups(texts: Iterable[Sequence[str]], seed: int = 0) -> np.ndarray:
    """For each tokenised text the number of its group: that of its first member. Numbers in texts don't count."""
    random = np.random.default_rng(seed)
    factors = random.integers(1, 1 << 31, HASHES, dtype=np.uint64) | np.uint64(1)
    shifts = random.integers(0, 1 << 31, HASHES, dtype=np.uint64)
    parents: list[int] = []
    bands: list[dict[bytes, int]] = [{} for _ in range(HASHES // BAND)]
    for at, tokens in enumerate(texts):
        parents.append(at)
        words = {token for token in tokens if not token.isdigit()}
        if len(words) < 3:
            words = {" ".join(tokens)}  # too little to be like another: the same or not
        crcs = np.array([zlib.crc32(word.encode()) for word in words], dtype=np.uint64)
        least = ((crcs[:, None] * factors + shifts) % np.uint64(PRIME)).min(axis=0)
        for number, band in enumerate(bands):
            other = band.setdefault(least[number * BAND : (number + 1) * BAND].tobytes(), at)
            if other != at:
                join(parents, at, other)
    return np.array([root(parents, at) for at in range(len(parents))])


def root(parents: list[int], at: int) -> int:
    while parents[at] != at:
        parents[at] = parents[parents[at]]
        at = parents[at]
    return at


def join(parents: list[int], one: int, other: int) -> None:
    first, second = sorted((root(parents, one), root(parents, other)))
    parents[second] = first
