"""Turn texts into numbers for training.

Each feature depends on one token, or on the lexicon's evidence. So the trained weights can be summed beforehand into
one number a token, which `bundled` looks up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.utils.extmath import randomized_svd

from chalicelib.classifier import lexicon as lex
from chalicelib.classifier.bundled import lexicon_features
from chalicelib.classifier.taxonomy import CODES
from chalicelib.classifier.text import PARTS, parts
from label_prep import vectors

RAREST = 2  # texts a token must be in to have a weight of its own
EVERYDAY = "everyday speech"  # the event of texts of none
SEVERAL = 2
MOSTLY = 0.9  # of the relevant texts that a token is in: of one crisis, it is likely a name of that crisis
RAREST_WITH_MEANING = 4  # texts it must be in to have a place among its like
MEANINGS = 150  # dimensions of that place
PARTS_SHARE, MEANING_SHARE, LENT_SHARE = 1.0, 0.7, 0.8  # of each block beside the words'
LEXICON_FEATURES = len(CODES) + 5


@dataclass(frozen=True)
class Features:
    """What is known of the tokens of a corpus."""

    tokens: list[str]  # sorted; those of the corpus and those whose meaning is lent
    own: np.ndarray  # (tokens,) whether it has a weight of its own
    idf: np.ndarray  # of each token, and of a token unknown at the end
    by_part: sp.csr_matrix  # (tokens, PARTS), rows of norm PARTS_SHARE
    by_meaning: np.ndarray  # (tokens, MEANINGS and those lent), rows of norm MEANING_SHARE and LENT_SHARE, or 0

    @property
    def width(self) -> int:
        return len(self.tokens) + PARTS + int(self.by_meaning.shape[1]) + LEXICON_FEATURES

    def token_weights(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (each token's weight, idf included; each part's weight) from those of all features."""
        of_tokens = self.of_tokens(weights[:, None], self.by_part)[:, 0]
        return self.idf[:-1] * of_tokens, self.split(weights)[1] * PARTS_SHARE

    def of_tokens(self, weights: np.ndarray, by_part: sp.csr_matrix) -> np.ndarray:
        """Return the weights of tokens without their idf, a row a row of `by_part`, which begins with the known ones.

        `weights`: (width, any number of models).
        """
        words, of_parts, meaning, _ = self.split(weights)
        found: np.ndarray = by_part @ of_parts
        found[: len(self.tokens)] += self.own[:, None] * words + self.by_meaning @ meaning
        return found

    def of_features(self, of_tokens: np.ndarray, part_rows: sp.csr_matrix) -> np.ndarray:
        """Return a gradient by features, but for the lexicon's, from one by tokens: `of_tokens` transposed.

        `part_rows`: its `by_part`, transposed.
        """
        known = of_tokens[: len(self.tokens)]
        return np.vstack([self.own[:, None] * known, part_rows @ of_tokens, self.by_meaning.T @ known])

    def split(self, weights: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return weights of words, parts, meanings and lexicon."""
        n = len(self.tokens)
        return tuple(np.split(weights, [n, n + PARTS, n + PARTS + self.by_meaning.shape[1]]))


def learn(corpus: Sequence[Sequence[str]], events: Sequence[str], relevant: Sequence[float], seed: int) -> Features:
    """Learn what tokens there are, and which stand in the same texts, from tokenised texts.

    A token has a weight of its own only if it comes from everyday speech (EVERYDAY) or from SEVERAL `events`, of which
    each text has one, and if not MOSTLY one crisis alone speaks for it: else a crisis would teach the names of its
    places.
    """
    totals: dict[str, int] = {}
    within: dict[str, set[str]] = {}
    speaking: dict[str, Counter[str]] = {}
    for tokens, event, is_relevant in zip(corpus, events, relevant, strict=True):
        for token in set(tokens):
            totals[token] = totals.get(token, 0) + 1
            within.setdefault(token, set()).add(event)
            if is_relevant:
                speaking.setdefault(token, Counter())[event] += 1
    own = {
        token
        for token, count in totals.items()
        if count >= RAREST
        and len(token) <= 30
        and (EVERYDAY in within[token] or len(within[token]) >= SEVERAL)
        and not (token in speaking and _of_one_crisis(speaking[token]))
    }
    kept = sorted(own | vectors.load().keys())
    often = np.array([max(1, totals.get(token, 0)) for token in kept] + [1.0])
    idf = np.log((1 + len(corpus)) / (1 + often)) + 1
    by_meaning = np.hstack([_meanings(corpus, kept, often[:-1], seed), _lent(kept)])
    return Features(kept, np.isin(kept, sorted(own)), idf, _parts(kept), by_meaning)


def _of_one_crisis(speaking: Counter[str]) -> bool:
    """Return whether MOSTLY one crisis speaks for a token, from how many relevant texts of each event it is in."""
    (event, most), total = speaking.most_common(1)[0], speaking.total()
    return event != EVERYDAY and total >= RAREST and most >= MOSTLY * total


def _parts(tokens: Sequence[str]) -> sp.csr_matrix:
    rows = [parts(token) for token in tokens]
    lengths = np.array([len(row) for row in rows])
    values = np.repeat(PARTS_SHARE / np.sqrt(np.maximum(lengths, 1)), lengths)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    columns = np.array([part for row in rows for part in row], dtype=np.int32)
    return sp.csr_matrix((values, columns, starts), shape=(len(tokens), PARTS))


def _meanings(corpus: Sequence[Sequence[str]], tokens: Sequence[str], often: np.ndarray, seed: int) -> np.ndarray:
    """Place tokens by the company they keep: SVD of the positive pointwise mutual information of standing in
    the same text (Levy & Goldberg 2014, https://papers.nips.cc/paper/5477).
    """
    chosen = np.flatnonzero(often >= RAREST_WITH_MEANING)
    dimensions = min(MEANINGS, max(0, len(chosen) - 1))
    places = np.zeros((len(tokens), dimensions))
    if not dimensions:
        return places
    together = counts(corpus, {tokens[row]: at for at, row in enumerate(chosen.tolist())}).sign()
    pairs = (together.T @ together).tocoo()
    apart = pairs.row != pairs.col
    row, column, count = pairs.row[apart], pairs.col[apart], pairs.data[apart]
    of_token = np.bincount(row, count, len(chosen))
    information = np.log(count * count.sum() / (of_token[row] * of_token[column]))
    positive = information > 0
    matrix = sp.csr_matrix((information[positive], (row[positive], column[positive])), shape=(len(chosen),) * 2)
    left, strength, _ = randomized_svd(matrix, dimensions, random_state=seed)
    found = left * np.sqrt(strength)
    places[chosen] = found * MEANING_SHARE / (np.linalg.norm(found, axis=1, keepdims=True) + 1e-9)
    return places


def _lent(tokens: Sequence[str]) -> np.ndarray:
    """Place tokens by the company they keep elsewhere, their `'s` aside; 0 where that is not known."""
    known = vectors.load()
    unknown = np.zeros(vectors.DIMENSIONS)
    found = np.array([known.get(token.removesuffix("'s"), unknown) for token in tokens], dtype=np.float64)
    lent: np.ndarray = found * (LENT_SHARE / (np.linalg.norm(found, axis=1, keepdims=True) + 1e-9))
    return lent


def counts(texts: Sequence[Sequence[str]], vocabulary: dict[str, int]) -> sp.csr_matrix:
    """(texts, vocabulary): how often a token stands in a text."""
    rows = [sorted(vocabulary[token] for token in tokens if token in vocabulary) for tokens in texts]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    columns = np.array([column for row in rows for column in row], dtype=np.int32)
    found = sp.csr_matrix((np.ones(len(columns)), columns, starts), shape=(len(texts), len(vocabulary)))
    found.sum_duplicates()
    return found


class Matrix(NamedTuple):
    """Texts as features, in factors: what a text's tokens are times what each token consists of is never written out,
    for it would be a hundred times as large."""

    share: sp.csr_matrix  # (texts, tokens and then those not known): of each token in a text's sum
    by_part: sp.csr_matrix  # (the same tokens, PARTS)
    of_lexicon: np.ndarray  # (texts, LEXICON_FEATURES)

    def rows(self, chosen: np.ndarray) -> Matrix:
        return Matrix(self.share[chosen], self.by_part, self.of_lexicon[chosen])


def matrix(features: Features, texts: Sequence[Sequence[str]], evidence: Sequence[lex.Evidence]) -> Matrix:
    """Return texts as features. A text's tokens are summed by idf and divided by the root of their summed idf²."""
    known = {token: at for at, token in enumerate(features.tokens)}
    unknown = sorted({token for tokens in texts for token in tokens if token not in known})
    every = counts(texts, known | {token: len(known) + at for at, token in enumerate(unknown)})
    idf = np.concatenate([features.idf[:-1], np.full(len(unknown), features.idf[-1])])
    norm = np.sqrt(every @ idf**2)
    share = (sp.diags(1 / np.maximum(norm, 1e-9)) @ every @ sp.diags(idf)).tocsr()
    by_part = sp.vstack([features.by_part, _parts(unknown)]).tocsr() if unknown else features.by_part
    of_lexicon = np.array([lexicon_features(each) for each in evidence], dtype=np.float64).reshape(len(texts), -1)
    return Matrix(share, by_part, of_lexicon)
