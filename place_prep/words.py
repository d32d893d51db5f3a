"""Count in everyday posts which names are also words: written in lower case more often than with a capital."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Set
from pathlib import Path

from chalicelib.classifier.text import fold

FILE = Path(__file__).parent / "words.txt"
_TOKEN = re.compile(r"(?<![\w@#'/.])[^\W\d_]+")
LEAST = 3
"""Posts that must write it small: fewer may be slips."""


def common(names: Set[str], folder: Path) -> list[str]:
    """Return the names of one word that everyday posts use as a word, sorted."""
    small, capital = Counter[str](), Counter[str]()
    for post in _posts(folder):
        if post.isupper():
            continue
        for token in set(_TOKEN.findall(fold(post))):
            lower = token.lower()
            if lower in names:
                (small if token == lower else capital)[lower] += 1
    return sorted(name for name, count in small.items() if count >= LEAST and count > capital[name])


def _posts(folder: Path) -> Iterable[str]:
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                yield row["text"]
