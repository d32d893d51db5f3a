"""Trains the bundled classifier and writes its model file. The same rows and seed give the same file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression

from chalicelib.classifier import lexicon as lex
from chalicelib.classifier.bundled import MOST_WEIGHT, STEPS, told_from
from chalicelib.classifier.text import tokens
from label_prep import features as feats
from label_prep.lexicon import lexicon, terms

SEED = 2015
SHARPNESS = 1.0  # C of the logistic regression: the inverse of its L2 penalty
CRISES_WEIGHT = 0.5  # of a tweet of CrisisLex beside one that all of CrowdFlower's voters agreed on
OWN_SHARE = 0.7  # of what only CrowdFlower's tweets may teach, beside what all do, while training
RELEVANT_SHARE = 0.56  # of the tweets in a stream: CrisisLexT6 sampled the streams of crises, and so many were
OWN_SERVED = 0.75  # of it that is served: less says more about crises, more about the figurative speech of everyday


@dataclass(frozen=True)
class Read:
    """Texts as the classifier reads them."""

    tokens: list[list[str]]  # but for those in figures of speech
    evidence: list[lex.Evidence]


def read(texts: Sequence[str]) -> Read:
    """Cleaned texts, tokenised and searched with the lexicon."""
    found = [tokens(text) for text in texts]
    matches = [lexicon().find(each) for each in found]
    return Read(list(map(lex.literal, found, matches)), list(map(lex.weigh, matches)))


@dataclass(frozen=True)
class Linear:
    """The relevance head before it is made small: one weight a feature."""

    weights: np.ndarray
    bias: float

    def logits(self, matrix: sp.csr_matrix) -> np.ndarray:
        return np.asarray(matrix @ self.weights) + self.bias


def fit(
    frame: pd.DataFrame, texts: Sequence[list[str]], evidence: Sequence[lex.Evidence], seed: int
) -> tuple[feats.Features, Linear]:
    """Features and relevance head from labelled rows (event, relevant, weight, group) and their texts, read."""
    first = np.flatnonzero(~frame["group"].duplicated().to_numpy())
    features = feats.learn([texts[at] for at in first.tolist()], frame["event"].iloc[first].tolist(), seed)
    everyday = (frame["event"] == feats.EVERYDAY).to_numpy()
    alike = frame.groupby("group")["group"].transform("size").to_numpy()
    weight = frame["weight"].to_numpy() / np.where(everyday, 1.0, np.sqrt(alike))
    matrix = feats.matrix(features, texts, evidence)
    return features, fit_relevance(matrix, frame["relevant"].to_numpy(), weight, everyday)


def fit_relevance(matrix: sp.csr_matrix, relevant: np.ndarray, weight: np.ndarray, everyday: np.ndarray) -> Linear:
    """Logistic regression over features that all rows share, and their copies for rows of everyday speech alone, which
    give back what figures of speech teach (Daumé III 2007, https://aclanthology.org/P07-1033).

    `everyday`: rows of CrowdFlower; the others are tweets of crises.
    """
    own = everyday.astype(np.float64)
    doubled = sp.hstack([matrix, sp.diags(own * OWN_SHARE) @ matrix, sp.csr_matrix(own[:, None])]).tocsr()
    model = LogisticRegression(C=SHARPNESS, solver="liblinear", random_state=SEED, max_iter=1000)
    model.fit(doubled, relevant, sample_weight=weight * np.where(everyday, 1.0, CRISES_WEIGHT))
    found, width = model.coef_[0], matrix.shape[1]
    weights = found[:width] + OWN_SERVED * OWN_SHARE * found[width : 2 * width]
    return Linear(weights, float(model.intercept_[0] + found[-1]))


def fit_platt(logits: np.ndarray, relevant: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """(slope, shift) that turn logits of rows not trained on into probabilities where RELEVANT_SHARE of all tweets are
    relevant (Platt 1999)."""
    balanced = weight * as_shared(relevant, weight)
    model = LogisticRegression(C=1e6, solver="lbfgs").fit(
        logits[:, None], relevant, sample_weight=balanced * len(weight)
    )
    return float(model.coef_[0][0]), float(model.intercept_[0])


def as_shared(relevant: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """What each row's weight is to be multiplied by for the relevant ones to be RELEVANT_SHARE of all."""
    yes = relevant == 1
    return np.where(yes, RELEVANT_SHARE / (weight[yes].sum() or 1), (1 - RELEVANT_SHARE) / (weight[~yes].sum() or 1))


def fit_kind(evidence: Sequence[lex.Evidence], relevant: np.ndarray, kinds: Sequence[str]) -> list[float]:
    """(constant, of the foremost kind's weight, of the next one's, of relevance): the probability that the foremost
    kind is the true one, from rows whose kind is known and which the lexicon says something of."""
    told = [lex.foremost(each.weights) for each in evidence]
    chosen = [at for at, (_, most, _) in enumerate(told) if relevant[at] >= told_from(most)]
    columns = np.array([[min(told[at][1], MOST_WEIGHT), min(told[at][2], MOST_WEIGHT), relevant[at]] for at in chosen])
    right = np.array([told[at][0] == kinds[at] for at in chosen])
    model = LogisticRegression(C=1.0).fit(columns, right)
    return [float(model.intercept_[0]), *map(float, model.coef_[0])]


def pack(
    features: feats.Features,
    linear: Linear,
    calibration: dict[str, Any],
    metrics: dict[str, Any],
    about: dict[str, Any],
) -> bytes:
    """The model file: a line of JSON; the tokens, a line each; little-endian arrays of each token's weight (int16) and
    norm (uint16), and each part's weight (int8)."""
    of_token, of_part = features.token_weights(linear.weights)
    of_lexicon = features.split(linear.weights)[3]
    unknown = of_part * features.idf[-1]
    parts_step = np.abs(unknown).max() / 127
    parts_scale = max(1, round(parts_step / (np.abs(of_token).max() / 32_000)))
    step = parts_step / parts_scale  # one step of a token's weight; a part's are parts_scale as coarse
    weights = np.clip(np.round(of_token / step), -32_767, 32_767)
    names = "\n".join(features.tokens).encode()
    header = {
        **about,
        "bias": linear.bias,
        "calibration": calibration,
        "lexicon": [[term.words, term.kinds] for term in terms()],
        "metrics": metrics,
        "names": len(names),
        "of_lexicon": of_lexicon.tolist(),
        "parts_scale": parts_scale,
        "scale": float(step),
        "unknown_norm": round(features.idf[-1] ** 2 * STEPS),
    }
    text = json.dumps(_rounded(header), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    norms = np.round(features.idf[:-1] ** 2 * STEPS)
    arrays = (weights.astype("<i2"), norms.astype("<u2"), np.round(unknown / parts_step).astype("i1"))
    return b"".join([text, b"\n", names, *(array.tobytes() for array in arrays)])


def _rounded(value: Any) -> Any:
    """Floats to 9 significant digits, so that the last bits of a sum, which differ by machine, don't show."""
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return value
