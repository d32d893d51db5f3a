"""Classify texts with the bundled model: kind and relevance from one pass over a text, in pure Python.

Relevance is a linear model with one number a token: the weights of the word, of its parts and of its word vector,
summed beforehand. A token that training has not seen gets its number from its parts. The lexicon (`lexicon.py`) decides
the kind. `label_prep` trains both, with the functions of this package.
"""

from __future__ import annotations

import hashlib
import json
import sys
from array import array
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import exp, inf, log, sqrt
from pathlib import Path
from typing import Any, NamedTuple

from chalicelib.classifier import RELEVANT_SHARE, Keyword, Prediction
from chalicelib.classifier.information import Information
from chalicelib.classifier.lexicon import (
    MOST_COMBINATIONS,
    NAME,
    UNSPECIFIED,
    Evidence,
    Lexicon,
    Match,
    Term,
    foremost,
    literal,
    weigh,
)
from chalicelib.classifier.taxonomy import CODES
from chalicelib.classifier.text import PARTS, parts, tokens

GENERATION = "bundled-2"  # of the file's format and of what its numbers mean
MODEL = Path(__file__).with_name("model.bin")
CONTEXT = 3  # words either side of a keyword
MOST_CHARACTERS = 64  # of a keyword, and of its context on either side
STEPS = 256  # in which the norm of a token is stored
NAMED, HINTED = 0.45, 0.5
"""Relevance from which a name tells the kind, and hints alone do: below, both are mostly everyday words."""
MOST_WEIGHT = 20  # of a kind in the lexicon's evidence; more says no more
MOST_KEYWORDS = 20  # a text: the rest of a 25,000-character post repeats them
MOST_REMEMBERED = 40_000_000
"""Bytes, about, of the tokens remembered from one text to the next: some 180,000 usual ones."""
ROW_BYTES = 150  # that a remembered token takes besides its own characters
ANCHORED_BYTES = 2500  # more, where it is in the lexicon: at most, for most of them share what is kept
NOT_DISASTER = "not_disaster"


@lru_cache(maxsize=1)
def version() -> str:
    """Return the name of the model: its generation and 8 hex digits of the SHA-256 of its file."""
    return version_of(MODEL.read_bytes())


def contents() -> tuple[dict[str, Any], bytes]:
    """Return the header and the body of the bundled model's file."""
    return split(MODEL.read_bytes())


def split(content: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the header and the body of a model file. Raise ValueError for other content."""
    head, _, body = content.partition(b"\n")
    header: dict[str, Any] = json.loads(head)
    return header, body


def resolve(name: str) -> str:
    """Return the version that a name stands for: `bundled` for the model that comes with the app."""
    return version() if name == "bundled" else name


def version_of(content: bytes) -> str:
    """Return the name of a model file with this content."""
    return f"{GENERATION}-{hashlib.sha256(content).hexdigest()[:8]}"


def metrics() -> dict[str, Any]:
    """Return scores measured on tweets and events never trained on, as in the model card."""
    measured: dict[str, Any] = _model().header["metrics"]
    return measured


def classify(texts: Sequence[str], share: float = RELEVANT_SHARE) -> list[Prediction]:
    """Return a prediction for each text that `text.clean` has cleaned.

    `share`: of the posts in the stream that are about a disaster, above 0 and below 1. It shifts the log-odds of
    relevance; where it is not RELEVANT_SHARE, the predictions' version names it.
    """
    return _model().classify(texts, share)


def information(text: str) -> tuple[str, float]:
    """Return what a cleaned text tells if it is relevant, one of `information.TYPES`, and how probable that is."""
    return _model().information.tell(tokens(text))


def names_a_kind(text: str) -> bool:
    """Return whether a cleaned text has a term of the lexicon for a kind. Figures of speech don't count."""
    return _model().names_a_kind(text)


def lexicon_features(evidence: Evidence) -> list[float]:
    """Return what the relevance head sees of the lexicon's evidence: each kind's weight in CODES' order, 0 to 1;
    whether any kind is named, whether much speaks for one, whether anything does, whether figuratively, whether nothing
    does."""
    weights, figurative = evidence
    features = [min(weights.get(code, 0), MOST_WEIGHT) / MOST_WEIGHT for code in CODES]
    told = [weight for kind, weight in weights.items() if kind != UNSPECIFIED]
    return [*features, max(told, default=0) >= NAME, sum(told) > NAME + 2, bool(told), figurative, not weights]


class TokenWeights(dict[str, complex]):
    """The weight and the norm of each token met so far. The lexicon meets them here.

    A pair is a complex number: 32 bytes, where a tuple of two floats takes 104, and hundreds of thousands are kept.
    """

    def __init__(self, known: dict[str, complex], unknown: int, of_parts: Sequence[int], terms: Lexicon) -> None:
        super().__init__()
        self._known, self._unknown, self._of_parts, self._terms = known, unknown, of_parts, terms
        self.bytes = 0  # about what the remembered tokens take

    def __missing__(self, token: str) -> complex:
        row = self._known.get(token)
        if row is None:
            pieces = parts(token)
            weight = round(sum(map(self._of_parts.__getitem__, pieces)) / sqrt(len(pieces))) if pieces else 0
            row = complex(weight, self._unknown)
        self.bytes += sys.getsizeof(token) + ROW_BYTES
        if self._terms.meet(token):
            self.bytes += ANCHORED_BYTES
        self[token] = row
        return row

    def forget(self) -> None:
        """Free the memory of the tokens that were met."""
        self.clear()
        self.bytes = 0
        self._terms.forget()


class Judgement(NamedTuple):
    """The kind that evidence decides on."""

    logit: float  # what it adds to that of relevance
    kind: str  # the foremost one, '' for none
    told: float  # relevance from which on the kind is told
    right: float  # probability that it is the right one, if the text is relevant


class Model:
    """A model file, read."""

    def __init__(self, content: bytes) -> None:
        """Raise ValueError for what is no model file."""
        self.header, body = split(content)
        names = body[: self.header["names"]].decode().split("\n")
        weights, norms, of_parts = array("h"), array("H"), array("b")
        at = self.header["names"]
        for numbers, length in ((weights, len(names)), (norms, len(names)), (of_parts, PARTS)):
            numbers.frombytes(body[at : at + length * numbers.itemsize])
            at += length * numbers.itemsize
            if sys.byteorder == "big":
                numbers.byteswap()
        if at != self.header["information"]["at"] or len(of_parts) != PARTS:
            raise ValueError(f"not a model file: the relevance weights end at {at:,}, not where its header says")
        self.information = Information(self.header["information"], body[at:])
        self.lexicon = Lexicon(terms_of(self.header))
        known = dict(zip(names, map(complex, weights, norms), strict=True))
        scale: int = self.header["parts_scale"]
        of_parts_scaled = [scale * part for part in of_parts]
        self._rows = TokenWeights(known, self.header["unknown_norm"], of_parts_scaled, self.lexicon)
        self._row = self._rows.__getitem__
        self._scale = scale_of(self.header)
        self._bias: float = self.header["bias"]
        of_lexicon: list[float] = self.header["of_lexicon"]
        self._of_kind = {code: weight / MOST_WEIGHT for code, weight in zip(CODES, of_lexicon, strict=False)}
        self._of_all = of_lexicon[len(CODES) :]
        self._slope, _ = self.header["calibration"]["relevance"]
        self._of_most, self._of_second = self.header["calibration"]["kind"]["of_weights"]
        self._constants: dict[str, float] = self.header["calibration"]["kind"]["constants"]
        self._version = version_of(content)
        self._alone = lru_cache(MOST_COMBINATIONS)(lambda sense: self._judge(sense.evidence))

    def classify(self, texts: Sequence[str], share: float = RELEVANT_SHARE) -> list[Prediction]:
        """Return a prediction for each text. Raise ValueError for a share that is not between 0 and 1."""
        shift, version = shift_of(self.header, share), named_with(self._version, share)
        return [self._classify(text, shift, version) for text in texts]

    def names_a_kind(self, text: str) -> bool:
        """Return whether a term of the lexicon in the text speaks for a kind."""
        if self._rows.bytes > MOST_REMEMBERED:
            self._rows.forget()
        words = tokens(text)
        for token in words:
            self._row(token)  # the lexicon meets it
        return any(not sense.figurative for _, _, sense in self.lexicon.find_met(words))

    def _classify(self, text: str, shift: float, version: str) -> Prediction:
        words = tokens(text)
        prediction = self._judged(words, shift, version)
        return (
            prediction._replace(information=self.information.tell(words)) if prediction.relevant >= 0.5 else prediction
        )

    def _judged(self, words: Sequence[str], shift: float, version: str) -> Prediction:
        if self._rows.bytes > MOST_REMEMBERED:
            self._rows.forget()
        total = sum(map(self._row, words), 0j)
        matches = self.lexicon.find_met(words)
        if not matches:
            return _without_kind(logistic(self._slope * (self._logit(total) + self._of_all[-1]) + shift), (), version)
        added, kind, told, right = self._alone(matches[0].sense) if len(matches) == 1 else self._judge(weigh(matches))
        if any(sense.figurative for _, _, sense in matches):
            total = sum(map(self._row, literal(words, matches)), 0j)
        relevant = logistic(self._slope * (self._logit(total) + added) + shift)
        if relevant < told:
            return _without_kind(relevant, _keywords(words, matches), version)
        return Prediction(kind, relevant * right, relevant, _keywords(words, matches, kind), version)

    def _logit(self, total: complex) -> float:
        """Return the logit of relevance, from the sum over a text's rows."""
        return self._bias + (total.real * self._scale / sqrt(total.imag) if total.imag else 0.0)

    def _judge(self, evidence: Evidence) -> Judgement:
        kind, most, second = foremost(evidence.weights)
        of_kind = self._constants.get(kind, self._constants[""])
        of_kind += self._of_most * min(most, MOST_WEIGHT) + self._of_second * min(second, MOST_WEIGHT)
        return Judgement(self._spoken(evidence, most), kind, told_from(most), logistic(of_kind))

    def _spoken(self, evidence: Evidence, most: int) -> float:
        """Return the relevance head's weights times `lexicon_features`, without writing these out."""
        logit, total = 0.0, 0
        for kind, weight in evidence.weights.items():
            logit += self._of_kind[kind] * min(weight, MOST_WEIGHT)
            if kind != UNSPECIFIED:
                total += weight
        named, much, any_, figurative, nothing = self._of_all
        if not evidence.weights:
            logit += nothing
        if total:
            logit += any_ + (named if most >= NAME else 0.0) + (much if total > NAME + 2 else 0.0)
        return logit + figurative if evidence.figurative else logit


def terms_of(header: Mapping[str, Any]) -> list[Term]:
    """Return the lexicon in a model file's header."""
    return [Term(words, tuple(map(tuple, kinds))) for words, kinds in header["lexicon"]]


def scale_of(header: Mapping[str, Any]) -> float:
    """Return what the sum of weights is multiplied by, before it is divided by the root of the sum of norms."""
    scale: float = header["scale"] * sqrt(STEPS)
    return scale


def shift_of(header: Mapping[str, Any], share: float) -> float:
    """Return the shift of the log-odds of relevance for a share. Raise ValueError for one not between 0 and 1."""
    if not 0 < share < 1:
        raise ValueError(f"the share of relevant posts must be above 0 and below 1, not {share!r}")
    shift: float = header["calibration"]["relevance"][1]
    return shift + log(share / (1 - share))


def named_with(model: str, share: float) -> str:
    """Return the version of predictions: the model's name, and the share if it isn't RELEVANT_SHARE."""
    return model if share == RELEVANT_SHARE else f"{model} (share {share:g})"


def told_from(most: int) -> float:
    """Return the least relevance at which evidence of weight `most` decides the kind."""
    return NAMED if most >= NAME else HINTED if most else inf


def kind_told(weights: Mapping[str, int], relevant: float) -> str:
    """Return the label of a text with this evidence and this probability of being relevant."""
    kind, most, _ = foremost(weights)
    return kind if relevant >= told_from(most) else _without_kind(relevant, (), "").label


def _without_kind(relevant: float, keywords: tuple[Keyword, ...], version: str) -> Prediction:
    if relevant >= 0.5:
        return Prediction(UNSPECIFIED, relevant, relevant, keywords, version)
    return Prediction(NOT_DISASTER, 1 - relevant, relevant, keywords, version)


@lru_cache(maxsize=1)
def _model() -> Model:
    return Model(MODEL.read_bytes())


def logistic(x: float) -> float:
    return 1 / (1 + exp(-x)) if x > -700 else 0.0


def _keywords(words: Sequence[str], matches: Sequence[Match], told: str = "") -> tuple[Keyword, ...]:
    """Return the first MOST_KEYWORDS words that name a kind or speak for the one `told`, each with its context, all cut
    to MOST_CHARACTERS."""
    keywords: list[Keyword] = []
    for start, stop, sense in matches:
        if len(keywords) == MOST_KEYWORDS:
            break
        theme = sense.named or (told if told in sense.evidence.weights else None)
        if theme:
            before = " ".join(words[max(0, start - CONTEXT) : start])
            word = " ".join(words[start:stop])
            after = " ".join(words[stop : stop + CONTEXT])
            keywords.append(
                Keyword(
                    prefix=before[:MOST_CHARACTERS],
                    word=word[:MOST_CHARACTERS],
                    suffix=after[:MOST_CHARACTERS],
                    theme=theme,
                )
            )
    return tuple(keywords)
