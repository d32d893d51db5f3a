"""The classifier that comes with the app: kind and relevance from one pass over a text, in pure Python.

Relevance is a linear model whose weights depend on the token alone: those of the word, of its parts and of the words it
keeps company with are summed beforehand into one number a token. A token never seen gets its number from its parts.
The kind is told by the lexicon (`lexicon.py`). `label_prep` trains both, with the functions of this package.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import exp, sqrt
from pathlib import Path
from typing import Any

from chalicelib.classifier import Keyword, Prediction
from chalicelib.classifier.lexicon import NAME, UNSPECIFIED, Evidence, Lexicon, Match, Term, foremost, weigh
from chalicelib.classifier.taxonomy import CODES
from chalicelib.classifier.text import PARTS, parts, tokens

VERSION = "bundled-1"
MODEL = Path(__file__).with_name("model.bin")
CONTEXT = 3  # words either side of a keyword
STEPS = 256  # in which the norm of a token is stored
HINTED = 0.3  # relevance from which hints alone tell the kind: below, they are mostly everyday words
MOST_WEIGHT = 20  # of a kind in the lexicon's evidence; more says no more
MOST_ROWS = 200_000  # tokens remembered at a time: some 40 MB
NOT_DISASTER = "not_disaster"


def version() -> str:
    """What rows name as their `classifier_version`."""
    return VERSION


def metrics() -> dict[str, Any]:
    """Scores measured on tweets and events never trained on, as in the model card."""
    found: dict[str, Any] = _model().header["metrics"]
    return found


def classify(texts: Sequence[str]) -> list[Prediction]:
    """A prediction for each text that `text.clean` has cleaned."""
    model = _model()
    return [model.classify(text) for text in texts]


def lexicon_features(evidence: Evidence) -> list[float]:
    """What the relevance head sees of the lexicon's evidence: each kind's weight in CODES' order, 0 to 1; whether any
    kind is named, whether much speaks for one, whether anything does, whether figuratively."""
    weights, figurative = evidence
    features = [min(weights.get(code, 0), MOST_WEIGHT) / MOST_WEIGHT for code in CODES]
    told = [weight for kind, weight in weights.items() if kind != UNSPECIFIED]
    return [*features, max(told, default=0) >= NAME, sum(told) > NAME + 2, bool(told), figurative]


class Rows(dict[str, tuple[int, int, bool]]):
    """(weight, norm, whether it may begin a term that tells a kind) of each token met so far."""

    def __init__(
        self, known: dict[str, tuple[int, int]], unknown: int, of_parts: Sequence[int], terms: Lexicon
    ) -> None:
        super().__init__()
        self._known, self._unknown, self._of_parts, self._terms = known, unknown, of_parts, terms

    def __missing__(self, token: str) -> tuple[int, int, bool]:
        row = self._known.get(token)
        if row is None:
            found = parts(token)
            weight = round(sum(map(self._of_parts.__getitem__, found)) / sqrt(len(found))) if found else 0
            row = weight, self._unknown
        if len(self) >= MOST_ROWS:
            self.clear()
        starts = self._terms.starts(token)
        entry = self[token] = (*row, starts is not None and starts.tells)
        return entry


class Model:
    """A model file, read."""

    def __init__(self, content: bytes) -> None:
        """Raises ValueError for what is no model file."""
        head, _, body = content.partition(b"\n")
        self.header: dict[str, Any] = json.loads(head)
        names = body[: self.header["names"]].decode().split("\n")
        weights, norms, of_parts = array("h"), array("H"), array("b")
        at = self.header["names"]
        for numbers, length in ((weights, len(names)), (norms, len(names)), (of_parts, PARTS)):
            numbers.frombytes(body[at : at + length * numbers.itemsize])
            at += length * numbers.itemsize
            if sys.byteorder == "big":
                numbers.byteswap()
        if at != len(body) or len(of_parts) != PARTS:
            raise ValueError(f"not a model file: {len(body):,} bytes where {at:,} are announced")
        self.lexicon = Lexicon(Term(words, tuple(map(tuple, kinds))) for words, kinds in self.header["lexicon"])
        known = dict(zip(names, zip(weights, norms, strict=True), strict=True))
        scale: int = self.header["parts_scale"]
        self.rows = Rows(known, self.header["unknown_norm"], [scale * part for part in of_parts], self.lexicon)
        self._scale: float = self.header["scale"] * sqrt(STEPS)
        self._bias: float = self.header["bias"]
        of_lexicon: list[float] = self.header["of_lexicon"]
        self._of_kind = {code: weight / MOST_WEIGHT for code, weight in zip(CODES, of_lexicon, strict=False)}
        self._of_all = of_lexicon[len(CODES) :]
        self._slope, self._shift = self.header["calibration"]["relevance"]
        self._sure = self.header["calibration"]["kind"]

    def classify(self, text: str) -> Prediction:
        found = tokens(text)
        rows, total, norm, speaks = self.rows, 0, 0, False
        for token in set(found):
            weight, square, starts = rows[token]
            total += weight
            norm += square
            if starts:
                speaks = True
        logit = self._bias + (total * self._scale / sqrt(norm) if norm else 0.0)
        if not speaks:
            relevant = _sigmoid(self._slope * logit + self._shift)
            return _without_kind(relevant, ())
        matches = self.lexicon.find(found)
        evidence = weigh(matches)
        relevant = _sigmoid(self._slope * (logit + self._spoken(evidence)) + self._shift)
        kind, most, second = foremost(evidence.weights)
        if not is_told(most, relevant):
            return _without_kind(relevant, _keywords(found, matches))
        constant, first, other, real = self._sure
        score = _sigmoid(constant + first * min(most, MOST_WEIGHT) + other * min(second, MOST_WEIGHT) + real * relevant)
        return Prediction(kind, score, relevant, _keywords(found, matches), VERSION)

    def _spoken(self, evidence: Evidence) -> float:
        """The relevance head's weights times `lexicon_features`, without writing these out."""
        logit, most, total = 0.0, 0, 0
        for kind, weight in evidence.weights.items():
            logit += self._of_kind[kind] * min(weight, MOST_WEIGHT)
            if kind != UNSPECIFIED:
                total += weight
                most = max(most, weight)
        named, much, any_, figurative = self._of_all
        if total:
            logit += any_ + (named if most >= NAME else 0.0) + (much if total > NAME + 2 else 0.0)
        return logit + figurative if evidence.figurative else logit


def is_told(most: int, relevant: float) -> bool:
    """Whether evidence of weight `most` tells the kind: a name does, hints do only where a disaster is spoken of."""
    return most >= NAME or (most > 0 and relevant >= HINTED)


def kind_told(weights: Mapping[str, int], relevant: float) -> str:
    """The label of a text with this evidence and this probability of being relevant."""
    kind, most, _ = foremost(weights)
    return kind if is_told(most, relevant) else _without_kind(relevant, ()).label


def _without_kind(relevant: float, keywords: tuple[Keyword, ...]) -> Prediction:
    if relevant >= 0.5:
        return Prediction(UNSPECIFIED, relevant, relevant, keywords, VERSION)
    return Prediction(NOT_DISASTER, 1 - relevant, relevant, keywords, VERSION)


@lru_cache(maxsize=1)
def _model() -> Model:
    return Model(MODEL.read_bytes())


def _sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x)) if x > -700 else 0.0


def _keywords(found: Sequence[str], matches: Sequence[Match]) -> tuple[Keyword, ...]:
    """The words that name a kind, each with its context."""
    keywords = []
    last = -1
    for start, stop, term in matches:
        if start == last or not term.kinds:
            continue
        theme, weight = max(term.kinds, key=lambda kind: kind[1])
        if weight >= NAME and theme != UNSPECIFIED:
            last = start
            keywords.append(
                Keyword(
                    " ".join(found[max(0, start - CONTEXT) : start]),
                    " ".join(found[start:stop]),
                    " ".join(found[stop : stop + CONTEXT]),
                    theme,
                )
            )
    return tuple(keywords)
