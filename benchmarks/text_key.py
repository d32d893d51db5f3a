"""Measure how well `text_key` finds near-repeats, compared with other keys, on the CrisisLex tweets.

What says the same is told by something slower, which compares texts of a crisis two by two: their pairs of neighbouring
words, links, mentions and numbers left out, have a Jaccard similarity of .8 or more.
"""

from __future__ import annotations

import csv
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import combinations, pairwise
from math import ceil
from typing import NamedTuple
from zlib import crc32

from rich.console import Console
from rich.table import Table

from benchmarks import REAL
from chalicelib.classifier.text import clean, fold, tokens
from chalicelib.transform.text_key import text_key

SAME = 0.8
_NOISE = re.compile(r"https?:\S*|www\.\S+|@\w+|\brt\b|\bvia\b|\d+")
_WORD = re.compile(r"\w+")

Pairs = frozenset[tuple[str, ...]]
Key = Callable[[str], Hashable]


def pairs_of(text: str) -> Pairs:
    """Return the pairs of neighbouring words of a text as it was written; a single word alone."""
    words = _WORD.findall(_NOISE.sub(" ", fold(text).lower()))
    return frozenset(pairwise(words)) if len(words) > 1 else frozenset([tuple(words)])


def alike(texts: Sequence[Pairs]) -> set[tuple[int, int]]:
    """Return all that are alike, found by the rare pairs of words that two such texts have to share."""
    frequency = Counter(pair for text in texts for pair in text)
    having: dict[tuple[str, ...], list[int]] = defaultdict(list)
    found = set()
    for at, text in enumerate(texts):
        rare = sorted(text, key=lambda pair: (frequency[pair], pair))[: len(text) - ceil(SAME * len(text)) + 1]
        others = {other for pair in rare for other in having[pair]}
        found |= {(other, at) for other in others if similarity(texts[other], text) >= SAME}
        for pair in rare:
            having[pair].append(at)
    return found


def similarity(one: Pairs, other: Pairs) -> float:
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)


def close(one: Pairs, other: Pairs) -> bool:
    """Return whether half of what the two say is the same, or most of the shorter one is in the longer one."""
    return similarity(one, other) >= 0.5 or len(one & other) >= SAME * min(len(one), len(other))


class Crisis(NamedTuple):
    cleaned: list[str]
    pairs: list[Pairs]
    alike: set[tuple[int, int]]


def crises() -> Iterator[Crisis]:
    texts = defaultdict(list)
    for path in sorted((REAL / "crisislex").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                texts[path, row["event"]].append(row["text"])
    for some in texts.values():
        pairs = [pairs_of(text) for text in some]
        yield Crisis([clean(text) for text in some], pairs, alike(pairs))


def exact(text: str) -> Hashable:
    return tuple(word for word in tokens(text) if not word.isdecimal())


def least(words: int, hashes: int) -> Key:
    """Return MinHash: the least hashes of the runs of so many words."""

    def key(text: str) -> Hashable:
        found = tokens(text)
        runs = zip(*(found[at:] for at in range(words)), strict=False) if len(found) >= words else [found]
        return tuple(sorted({crc32(" ".join(run).encode()) for run in runs})[:hashes])

    return key


def first(words: int) -> Key:
    return lambda text: tuple(tokens(text)[:words])


KEYS: dict[str, Key] = {
    "all words": exact,
    "the first 8 words": first(8),
    "MinHash, 1 run of 3 words": least(3, 1),
    "MinHash, 2 runs of 3 words": least(3, 2),
    "MinHash, 1 run of 4 words": least(4, 1),
    "`text_key`: 5 longest of 16 words": text_key,
}


def measured(key: Key, all_crises: Sequence[Crisis]) -> tuple[float, ...]:
    """Return recall, precision, precision of what is close, distinct keys a text, and µs a text."""
    found = wanted = right = nearly = together = distinct = texts = 0
    seconds = 0.0
    for cleaned, pairs, same in all_crises:
        began = time.process_time()
        keys = [key(text) for text in cleaned]
        seconds += time.process_time() - began
        groups = defaultdict(list)
        for at, each in enumerate(keys):
            groups[each].append(at)
        texts, distinct = texts + len(keys), distinct + len(groups)
        wanted += len(same)
        found += sum(keys[one] == keys[other] for one, other in same)
        for group in groups.values():
            for one, other in combinations(group, 2):
                together += 1
                right += similarity(pairs[one], pairs[other]) >= SAME
                nearly += close(pairs[one], pairs[other])
    return found / wanted, right / together, nearly / together, distinct / texts, seconds / texts * 1e6


def run(console: Console) -> None:
    if not (REAL / "crisislex").exists():
        console.print("the CrisisLex tweets are not beside the repository")
        return
    all_crises = list(crises())
    texts, same = sum(len(each.cleaned) for each in all_crises), sum(len(each.alike) for each in all_crises)
    table = Table(title=f"{texts:,} tweets of {len(all_crises)} crises, {same:,} pairs that say the same")
    for name in ("key", "recall of the pairs", "precision", "of close texts", "distinct keys", "µs a tweet"):
        table.add_column(name, justify="left" if name == "key" else "right")
    for name, key in KEYS.items():
        *shares, micros = measured(key, all_crises)
        table.add_row(name, *(f"{share:.3f}" for share in shares), f"{micros:.1f}")
    console.print(table)
