"""Finds a lexicon's words and phrases in a text's tokens. Labelling rules and bundled classifier share it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

SHORTEST_STEM = 2  # characters
NAME = 10
"""Weight of a term that names a kind; what weighs less only goes with it."""
UNSPECIFIED = "unspecified"
CAUSES = (("earthquake", "tsunami"), ("storm", "flood"), ("wildfire", "fire"), ("transport_accident", "explosion"))
"""Cause and effect: where a text names both equally, it is the cause's."""


class Term(NamedTuple):
    """Words that speak for some kinds, or for none: a figure of speech, whose words then speak for nothing.

    `word` is a whole token, `word*` how one begins, `*word` how one ends, `*word*` a part; a space joins a phrase.
    """

    words: str
    kinds: tuple[tuple[str, int], ...]  # (kind, weight)


class Match(NamedTuple):
    """Where a term was found, in tokens."""

    start: int
    stop: int
    term: Term


class Lexicon:
    """Terms, indexed by their first word."""

    def __init__(self, terms: Iterable[Term]) -> None:
        self._whole: dict[str, list[Term]] = {}
        self._begin: dict[str, list[Term]] = {}
        self._end: dict[str, list[Term]] = {}
        self._part: dict[str, list[Term]] = {}
        self._seen: dict[str, tuple[tuple[tuple[str, ...], Term], ...]] = {}
        for term in sorted(terms, key=lambda term: (-term.words.count(" "), term)):
            first = term.words.split(" ", 1)[0]
            index = (
                self._part
                if first[:1] == "*" == first[-1:]
                else self._end
                if first[:1] == "*"
                else self._begin
                if first[-1:] == "*"
                else self._whole
            )
            index.setdefault(first.strip("*"), []).append(term)

    def starting(self, token: str) -> tuple[tuple[tuple[str, ...], Term], ...]:
        """(further words, term) of each term that may start with a token; the longest first, whole words before parts.

        A token that is a term as a whole is none of the terms it happens to begin or end like.
        """
        whole = self._whole.get(token, [])
        found = list(whole)
        parts = [token[:n] for n in range(SHORTEST_STEM, len(token) + 1)]
        others = [term for part in parts for term in self._begin.get(part, ())]
        others += [term for n in range(len(token) - SHORTEST_STEM + 1) for term in self._end.get(token[n:], ())]
        others += [term for part, terms in self._part.items() if part in token for term in terms]
        single = any(" " not in term.words for term in whole)
        found += [term for term in others if not single or " " in term.words]
        found.sort(key=lambda term: -term.words.count(" "))
        return tuple((tuple(term.words.split(" ")[1:]), term) for term in dict.fromkeys(found))

    def find(self, tokens: Sequence[str]) -> list[Match]:
        """Terms in order. A longer one wins over those inside it, so that a phrase can overrule its words."""
        found: list[Match] = []
        seen, at = self._seen, 0
        while at < len(tokens):
            token = tokens[at]
            candidates = seen.get(token)
            if candidates is None:
                candidates = seen[token] = self.starting(token)
            length = 0
            for rest, term in candidates:
                if len(rest) + 1 < length:
                    break
                if not rest or (
                    all(map(fits, rest, tokens[at + 1 : at + 1 + len(rest)])) and at + len(rest) < len(tokens)
                ):
                    length = len(rest) + 1
                    found.append(Match(at, at + length, term))
            at += length or 1
        return found


def fits(pattern: str, token: str) -> bool:
    """Whether a token is of a term's word."""
    bare = pattern.strip("*")
    if pattern[:1] == "*":
        return bare in token if pattern[-1:] == "*" else token.endswith(bare)
    return token.startswith(bare) if pattern[-1:] == "*" else token == bare


class Evidence(NamedTuple):
    """What the terms of a text say in all."""

    weights: dict[str, int]  # by kind: the sum over the distinct terms that speak for it
    figurative: bool  # whether a figure of speech was found


def weigh(matches: Iterable[Match]) -> Evidence:
    """Each term counts once, however often it stands there; a word that is several terms counts once a kind."""
    best: dict[tuple[int, str], int] = {}
    seen: set[str] = set()
    figurative = False
    for start, _, term in matches:
        if not term.kinds:
            figurative = True
        elif term.words not in seen:
            seen.add(term.words)
            for kind, weight in term.kinds:
                if weight > best.get((start, kind), 0):
                    best[start, kind] = weight
    weights: dict[str, int] = {}
    for (_, kind), weight in best.items():
        weights[kind] = weights.get(kind, 0) + weight
    return Evidence(weights, figurative)


def foremost(weights: Mapping[str, int]) -> tuple[str, int, int]:
    """(kind, its weight, the next kind's weight) of the kind that most speaks for; ('', 0, 0) where nothing does."""
    kind, most, second = "", 0, 0
    for each, weight in weights.items():
        if each == UNSPECIFIED:
            continue
        if weight > most or (weight == most and (each, kind) in CAUSES):
            kind, most, second = each, weight, most
        elif weight > second:
            second = weight
    return kind, most, second
