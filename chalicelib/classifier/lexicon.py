"""Finds a lexicon's words and phrases in a text's tokens. Labelling rules and bundled classifier share it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

SHORTEST_STEM = 2  # characters
MOST_SEEN = 200_000  # tokens remembered at a time
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


class Starts(NamedTuple):
    """The terms that may start with a token."""

    words: tuple[Term, ...]  # that are this one word
    phrases: dict[str, list[tuple[list[str], Term]]]  # (further words, term) by their second word
    stems: list[tuple[list[str], Term]]  # (second and further words, term) where the second is part of a word
    tells: bool  # whether any of them speaks for a kind


class Seen(dict[str, Starts | None]):
    """What `look_up` said of each token met so far."""

    def __init__(self, look_up: Callable[[str], Starts | None]) -> None:
        super().__init__()
        self._look_up = look_up

    def __missing__(self, token: str) -> Starts | None:
        if len(self) >= MOST_SEEN:
            self.clear()
        found = self[token] = self._look_up(token)
        return found


class Lexicon:
    """Terms, indexed by their first word."""

    def __init__(self, terms: Iterable[Term]) -> None:
        self._whole: dict[str, list[Term]] = {}
        self._begin: dict[str, list[Term]] = {}
        self._end: dict[str, list[Term]] = {}
        self._part: dict[str, list[Term]] = {}
        self._seen = Seen(self._starts)
        for term in terms:
            first = term.words.split(" ", 1)[0]
            index = (self._part if first[-1:] == "*" else self._end) if first[:1] == "*" else self._whole
            if first[-1:] == "*" and first[:1] != "*":
                index = self._begin
            index.setdefault(first.strip("*"), []).append(term)
        self._longest = max(map(len, (*self._begin, *self._end)), default=0)

    def starts(self, token: str) -> Starts | None:
        """The terms that may start with a token, None where none does; remembered, for the same words come again.

        A token that is a term as a whole is none of the terms it happens to begin or end like.
        """
        return self._seen[token]

    def _starts(self, token: str) -> Starts | None:
        terms = self._whole.get(token, [])
        whole = any(" " not in term.words for term in terms)
        lengths = range(SHORTEST_STEM, min(len(token), self._longest) + 1)
        parts = [term for n in lengths for term in self._begin.get(token[:n], ())]
        parts += [term for n in reversed(lengths) for term in self._end.get(token[-n:], ())]
        parts += [term for part, some in self._part.items() if part in token for term in some]
        terms = terms + [term for term in parts if " " in term.words or not whole]
        if not terms:
            return None
        starts = Starts(tuple(term for term in terms if " " not in term.words), {}, [], any(t.kinds for t in terms))
        for term in sorted((term for term in terms if " " in term.words), key=lambda term: -term.words.count(" ")):
            _, second, *rest = term.words.split(" ")
            if "*" in second:
                starts.stems.append(([second, *rest], term))
            else:
                starts.phrases.setdefault(second, []).append((rest, term))
        return starts

    def find(self, tokens: Sequence[str]) -> list[Match]:
        """Terms in order, nothing where no word tells a kind. A longer term wins over those inside it, so that a phrase
        can overrule its words."""
        every = list(map(self._seen.__getitem__, tokens))
        for starts in every:
            if starts is not None and starts.tells:
                break
        else:
            return []
        found: list[Match] = []
        at, count = 0, len(tokens)
        while at < count:
            starts = every[at]
            if starts is None:
                at += 1
                continue
            stop = at + 1
            if stop < count and (starts.stems or tokens[stop] in starts.phrases):
                phrases = self._phrases(starts, tokens, at)
                stop = max((match.stop for match in phrases), default=stop)
                found += [match for match in phrases if match.stop == stop]
            if stop == at + 1:
                found += [Match(at, stop, term) for term in starts.words]
            at = stop
        return found

    @staticmethod
    def _phrases(starts: Starts, tokens: Sequence[str], at: int) -> list[Match]:
        """The phrases that stand at a place."""
        found = []
        for rest, term in starts.phrases.get(tokens[at + 1], ()):
            stop = at + 2 + len(rest)
            if stop <= len(tokens) and all(map(fits, rest, tokens[at + 2 : stop])):
                found.append(Match(at, stop, term))
        for rest, term in starts.stems:
            stop = at + 1 + len(rest)
            if stop <= len(tokens) and all(map(fits, rest, tokens[at + 1 : stop])):
                found.append(Match(at, stop, term))
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
