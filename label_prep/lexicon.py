"""Read `lexicon.toml`, the terms for each kind of disaster, written by people."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from functools import lru_cache
from pathlib import Path

from chalicelib.classifier.lexicon import NAME, Lexicon, Term
from chalicelib.classifier.taxonomy import CODES

SOURCE = Path(__file__).with_name("lexicon.toml")
HINT = 3
"""The weight of a hint beside a name's: three hints don't outweigh the name of another kind."""
FIGURATIVE = "figurative"
ELISIONS = ("l'", "d'", "dell'", "all'", "dall'", "nell'", "sull'", "un'")
"""What French and Italian put before a vowel; with the word behind it, it is one token."""


def terms(source: Path = SOURCE) -> list[Term]:
    """Return the lexicon's terms in order, each with the kinds it speaks for.

    Raises ValueError for a kind there is not.
    """
    kinds: dict[str, dict[str, int]] = defaultdict(dict)
    for kind, lists in tomllib.loads(source.read_text()).items():
        if kind not in CODES and kind != FIGURATIVE:
            raise ValueError(f"{source.name}: [{kind}] is none of {', '.join(CODES)}, {FIGURATIVE}")
        for name, weight in (("hints", HINT), ("names", NAME)):
            for words in lists.get(name, ()):
                kinds[words].update({} if kind == FIGURATIVE else {kind: weight})
        for words in lists.get("elided", ()):
            for elision in ELISIONS:
                kinds[elision + words].update({kind: NAME})
    return [Term(words, tuple(sorted(kinds[words].items()))) for words in sorted(kinds)]


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    return Lexicon(terms())
