"""Find a lexicon's words and phrases in a text's tokens. Labelling rules and bundled classifier share it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

SHORTEST_STEM = 2  # characters
NAME = 10
"""Weight of a term that names a kind; what weighs less only goes with it."""
UNSPECIFIED = "unspecified"
MOST_COMBINATIONS = 8192
"""Sets of terms in one place whose sense is remembered: a text made for it can have a new one in every token."""
PREFERRED = frozenset(
    {
        ("attack", "explosion"),
        ("attack", "fire"),
        ("earthquake", "building_collapse"),
        ("earthquake", "tsunami"),
        ("explosion", "fire"),
        ("flood", "building_collapse"),
        ("flood", "landslide"),
        ("flood", "storm"),
        ("meteorite", "explosion"),
        ("storm", "building_collapse"),
        ("transport_accident", "explosion"),
        ("transport_accident", "fire"),
        ("wildfire", "fire"),
    }
)
"""Where a text names both equally, it is the first's: the cause's, not the effect's; but the flood's that a storm
brought, for whoever writes of a flood names the weather too."""


class Term(NamedTuple):
    """Words that are evidence for some kinds; or a figure of speech, whose words are evidence for none.

    `word` is a whole token, `word*` how one begins, `*word` how one ends, `*word*` a part; a space joins a phrase.
    """

    words: str
    kinds: tuple[tuple[str, int], ...]  # (kind, weight)


class Evidence(NamedTuple):
    """The combined evidence of terms."""

    weights: dict[str, int]  # by kind
    figurative: bool  # whether a figure of speech was found


@dataclass(frozen=True, eq=False, slots=True)
class Sense:
    """The evidence of the terms in one place. The same terms share one object, which serves as a key."""

    terms: tuple[Term, ...]
    words: tuple[str, ...]  # theirs
    evidence: Evidence  # the greatest weight of each kind
    figurative: bool  # whether they speak for no kind at all
    named: str | None  # the kind that is named, if one is

    @classmethod
    def of(cls, terms: tuple[Term, ...]) -> Sense:
        weights: dict[str, int] = {}
        for term in terms:
            for kind, weight in term.kinds:
                weights[kind] = max(weight, weights.get(kind, 0))
        evidence = Evidence(weights, not all(term.kinds for term in terms))
        most = max((kind for kind in weights if kind != UNSPECIFIED), key=weights.__getitem__, default=None)
        words = tuple(term.words for term in terms)
        return cls(terms, words, evidence, not weights, most if most and weights[most] >= NAME else None)


class Match(NamedTuple):
    """Where terms were found, in tokens."""

    start: int
    stop: int
    sense: Sense


class Phrase(NamedTuple):
    """A term of several words."""

    words: list[str]
    anchor: int  # the word it is looked up by
    sense: Sense


class Anchored(NamedTuple):
    """The terms that are looked up by a token."""

    sense: Sense | None  # of those that are this one word
    before: dict[str, list[Phrase]]  # the phrases by the word before it
    after: dict[str, list[Phrase]]  # or by the word after it
    loose: list[Phrase]  # or those whose word beside it is part of a word

    def at(self, tokens: Sequence[str], at: int) -> list[Match]:
        """Find the phrases around a place."""
        near = [*self.loose]
        if at:
            near += self.before.get(tokens[at - 1], ())
        if at + 1 < len(tokens):
            near += self.after.get(tokens[at + 1], ())
        matches = []
        for words, anchor, sense in near:
            start, stop = at - anchor, at - anchor + len(words)
            if start >= 0 and stop <= len(tokens) and all(map(fits, words, tokens[start:stop])):
                matches.append(Match(start, stop, sense))
        return matches


class Lexicon:
    """Terms, each looked up by its rarest word."""

    def __init__(self, terms: Iterable[Term]) -> None:
        self.whole: dict[str, list[Term]] = {}
        self.begin: dict[str, list[Term]] = {}
        self.end: dict[str, list[Term]] = {}
        self.part: dict[str, list[Term]] = {}
        self._sense = lru_cache(MOST_COMBINATIONS)(Sense.of)
        self._anchored_by = lru_cache(MOST_COMBINATIONS)(self._anchor_terms)
        self._met: set[str] = set()
        self._anchored: dict[str, Anchored] = {}  # few, so that looking for any in a text takes little
        for term in terms:
            words = term.words.split(" ")
            word = words[anchor(words)]
            index = (self.part if word[-1:] == "*" else self.end) if word[:1] == "*" else self.whole
            if word[-1:] == "*" and word[:1] != "*":
                index = self.begin
            index.setdefault(word.strip("*"), []).append(term)
        self.longest = max(map(len, (*self.begin, *self.end)), default=0)

    def _look_up(self, token: str) -> Anchored | None:
        """Return the terms that are looked up by a token; None if there are none.

        An exact match suppresses prefix and suffix matches.
        """
        terms = self.whole.get(token, [])
        whole = any(" " not in term.words for term in terms)
        lengths = range(SHORTEST_STEM, min(len(token), self.longest) + 1)
        parts = [term for n in lengths for term in self.begin.get(token[:n], ())]
        parts += [term for n in reversed(lengths) for term in self.end.get(token[-n:], ())]
        parts += [term for part, some in self.part.items() if part in token for term in some]
        terms = terms + [term for term in parts if " " in term.words or not whole]
        return self._anchored_by(tuple(terms)) if terms else None

    def _anchor_terms(self, terms: tuple[Term, ...]) -> Anchored:
        words = tuple(term for term in terms if " " not in term.words)
        anchored = Anchored(self._sense(words) if words else None, {}, {}, [])
        for term in terms:
            if " " in term.words:
                self._add(anchored, term)
        return anchored

    def _add(self, anchored: Anchored, term: Term) -> None:
        words = term.words.split(" ")
        at, by = anchor(words), beside(words)
        phrase = Phrase(words, at, self._sense((term,)))
        if by == at:
            anchored.loose.append(phrase)
        else:
            (anchored.after if by > at else anchored.before).setdefault(words[by], []).append(phrase)

    def find(self, tokens: Sequence[str]) -> list[Match]:
        """Return the terms in order. A longer term wins over those inside it, so that a phrase can overrule its
        words.
        """
        for token in tokens:
            if token not in self._met:
                self._met.add(token)
                self.meet(token)
        return self.find_met(tokens)

    def meet(self, token: str) -> bool:
        """Look a token up, so that `find_met` knows it; return whether any term is looked up by it."""
        anchored = self._look_up(token)
        if anchored:
            self._anchored[token] = anchored
        return anchored is not None

    def forget(self) -> None:
        """Free the memory of the tokens that were met."""
        self._met.clear()
        self._anchored.clear()

    def find_met(self, tokens: Sequence[str]) -> list[Match]:
        """Return what `find` says of tokens that have all been met since the last `forget`."""
        every = self._anchored
        matches: list[Match] = []
        phrases: list[Match] = []
        last = len(tokens) - 1
        for at in [at for at, token in enumerate(tokens) if token in every]:
            anchored = every[tokens[at]]
            sense, before, after, loose = anchored
            if sense:
                matches.append(Match(at, at + 1, sense))
            if (
                (before and at and tokens[at - 1] in before)
                or (after and at < last and tokens[at + 1] in after)
                or loose
            ):
                phrases += anchored.at(tokens, at)
        return self._overrule(matches, phrases) if phrases else matches

    def _overrule(self, words: list[Match], phrases: list[Match]) -> list[Match]:
        """Return the matches in order, with phrases in place of the words in them. Where phrases overlap, the first
        counts, and then the longest; two of the same words are one."""
        kept = phrases[:1]
        if len(phrases) > 1:
            kept = []
            for match in sorted(phrases, key=lambda match: (match.start, -match.stop)):
                if not kept or match.start >= kept[-1].stop:
                    kept.append(match)
                elif match[:2] == kept[-1][:2]:
                    kept[-1] = match._replace(sense=self._sense(kept[-1].sense.terms + match.sense.terms))
        inside = {at for start, stop, _ in kept for at in range(start, stop)}
        return sorted(kept + [word for word in words if word.start not in inside])


def anchor(words: Sequence[str]) -> int:
    """Find the place of a term's rarest word: the first of the longest, but one that is part of a word if there is any,
    so that the word beside it may be looked up whole."""
    return max(range(len(words)), key=lambda at: ("*" in words[at], len(words[at]), -at))


def beside(words: Sequence[str]) -> int:
    """Find the whole word next to the anchor that also looks the phrase up; without one, the anchor itself."""
    at = anchor(words)
    whole = [by for by in (at + 1, at - 1) if 0 <= by < len(words) and "*" not in words[by]]
    return whole[0] if whole else at


def fits(pattern: str, token: str) -> bool:
    """Return whether a token matches a word of a term."""
    bare = pattern.strip("*")
    if pattern[:1] == "*":
        return bare in token if pattern[-1:] == "*" else token.endswith(bare)
    return token.startswith(bare) if pattern[-1:] == "*" else token == bare


def literal(tokens: Sequence[str], matches: Iterable[Match]) -> list[str]:
    """Return the tokens that are in no figure of speech."""
    figures = {at for start, stop, sense in matches if sense.figurative for at in range(start, stop)}
    return [token for at, token in enumerate(tokens) if at not in figures]


def weigh(matches: Sequence[Match]) -> Evidence:
    """Return the sum of the terms' evidence. A repeated term counts once."""
    if len(matches) == 1:
        return matches[0].sense.evidence
    weights: dict[str, int] = {}
    figurative = False
    seen: set[str] = set()
    for sense in dict.fromkeys(match.sense for match in matches):
        figurative |= sense.evidence.figurative
        if not seen.isdisjoint(sense.words):
            sense = Sense.of(tuple(term for term in sense.terms if term.words not in seen))
        seen.update(sense.words)
        for kind, weight in sense.evidence.weights.items():
            weights[kind] = weights.get(kind, 0) + weight
    return Evidence(weights, figurative)


def foremost(weights: Mapping[str, int]) -> tuple[str, int, int]:
    """Return the kind with most evidence, its weight, and the next kind's weight; ('', 0, 0) without evidence."""
    kind, most, second = "", 0, 0
    for each, weight in weights.items():
        if each == UNSPECIFIED:
            continue
        if weight > most or (weight == most and (each, kind) in PREFERRED):
            kind, most, second = each, weight, most
        elif weight > second:
            second = weight
    return kind, most, second
