"""Train the bundled classifier and write its model file. The same rows and seed give the same file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from chalicelib.classifier import lexicon as lex
from chalicelib.classifier.bundled import MOST_WEIGHT, STEPS
from chalicelib.classifier.text import tokens
from label_prep import features as feats
from label_prep.lexicon import lexicon, terms
from label_prep.sources import EVERYDAY

SHARPNESS = 1.0  # C of the logistic regression: the inverse of its L2 penalty
CRISES_WEIGHT = 0.5  # of a tweet of CrisisLex beside one that all of CrowdFlower's voters agreed on
EVERYDAY_WEIGHT = 0.5  # of an everyday post beside the same
OWN_SHARE = 0.7  # of what a domain alone teaches, beside what all do, while training
OWN_SERVED = {"crowdflower": 0.75, EVERYDAY: 0.3}
"""The domains, and how much of what each alone teaches is served. More of CrowdFlower's says more about figures of
speech, less about crises; more of the everyday posts' says more against languages with few crises."""
GATE = 1.5  # logit taken from a text that holds no term of the lexicon: whoever speaks of a disaster mostly names one
ITERATIONS = 300


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

    def logits(self, features: feats.Features, matrix: feats.Matrix) -> np.ndarray:
        of_tokens = features.of_tokens(self.weights[:, None], matrix.by_part)[:, 0]
        of_lexicon = features.split(self.weights)[3]
        return np.asarray(matrix.share @ of_tokens + matrix.of_lexicon @ of_lexicon) + self.bias


def fit(
    frame: pd.DataFrame, texts: Sequence[list[str]], evidence: Sequence[lex.Evidence], seed: int
) -> tuple[feats.Features, Linear]:
    """Return features and relevance head from labelled rows (source, event, relevant, weight, group) and their texts,
    read."""
    domains = {name: (frame["source"] == name).to_numpy() for name in OWN_SERVED}
    speech = np.logical_or.reduce(list(domains.values()))
    events = frame["event"].where(~speech, feats.EVERYDAY)
    first = np.flatnonzero(~frame["group"].duplicated().to_numpy())
    relevant = frame["relevant"].to_numpy()
    features = feats.learn(
        [texts[at] for at in first.tolist()], events.iloc[first].tolist(), relevant[first].tolist(), seed
    )
    alike = frame.groupby("group")["group"].transform("size").to_numpy()
    weight = frame["weight"].to_numpy() / np.where(domains["crowdflower"], 1.0, np.sqrt(alike))
    weight = weight * np.where(domains[EVERYDAY], EVERYDAY_WEIGHT, np.where(speech, 1.0, CRISES_WEIGHT))
    weight = weight * ~(domains[EVERYDAY] & np.array([doubtful(each) for each in evidence]))
    matrix = feats.matrix(features, texts, evidence)
    return features, fit_relevance(features, matrix, relevant, weight, domains)


def doubtful(evidence: lex.Evidence) -> bool:
    """Return whether an everyday post may well speak of a real disaster: it names a kind and its consequences, or two
    names.

    Nobody has judged such a post, so that nothing is learnt from it.
    """
    weights = evidence.weights
    told = sum(weight for kind, weight in weights.items() if kind != lex.UNSPECIFIED)
    named = lex.foremost(weights)[1] >= lex.NAME
    return told >= 2 * lex.NAME or (named and weights.get(lex.UNSPECIFIED, 0) >= lex.NAME)


def fit_relevance(
    features: feats.Features,
    matrix: feats.Matrix,
    relevant: np.ndarray,
    weight: np.ndarray,
    domains: Mapping[str, np.ndarray],
) -> Linear:
    """Fit a logistic regression over features that all rows share, and their copies for each domain's rows alone, which
    give back what a domain teaches that holds nowhere else (Daumé III 2007, https://aclanthology.org/P07-1033).

    `domains`: which rows are of each domain of OWN_SERVED; the others are tweets of crises.
    """
    chosen = np.flatnonzero(weight > 0)
    some, part_rows = matrix.rows(chosen), matrix.by_part.T.tocsr()
    text_rows = some.share.T.tocsr()
    sign, weights = np.where(relevant[chosen] == 1, 1.0, -1.0), weight[chosen]
    scale = np.array([np.ones(len(chosen)), *(OWN_SHARE * domains[name][chosen] for name in OWN_SERVED)]).T
    of_bias = np.where(scale > 0, 1.0, 0.0)  # a domain's own bias is learnt whole
    width, copies = features.width, scale.shape[1]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        found = flat.reshape(width + 1, copies)
        of_texts = some.share @ features.of_tokens(found[:-1], some.by_part)
        of_texts += some.of_lexicon @ features.split(found[:-1])[3]
        margin = sign * ((scale * of_texts).sum(1) + of_bias @ found[-1])
        value = SHARPNESS * float(weights @ np.logaddexp(0, -margin)) + 0.5 * float(flat @ flat)
        slope = -sign * weights * expit(-margin)
        by_copy = scale * slope[:, None]
        of_features = features.of_features(text_rows @ by_copy, part_rows)
        gradient = np.vstack([of_features, some.of_lexicon.T @ by_copy, slope @ of_bias])
        return value, SHARPNESS * gradient.ravel() + flat

    start = np.zeros((width + 1) * copies)
    options = {"maxiter": ITERATIONS, "maxcor": 20, "ftol": 2e-7, "gtol": 1e-4}
    result = minimize(loss, start, jac=True, method="L-BFGS-B", options=options).x.reshape(width + 1, copies)
    served = np.array([1.0, *OWN_SERVED.values()])
    weights_served = result[:-1] @ (served * np.array([1.0, *[OWN_SHARE] * len(OWN_SERVED)]))
    weights_served[-1] -= GATE  # the last of the lexicon's features: that there is none
    return Linear(weights_served, float(result[-1] @ served))


def fit_platt(logits: np.ndarray, relevant: np.ndarray) -> tuple[float, float]:
    """Return (slope, shift) that turn logits of rows not trained on into the log of how much likelier a relevant post
    is to have such a logit than another (Platt 1999): the log-odds of relevance where both are as frequent."""
    yes = relevant == 1
    even = np.where(yes, 0.5 / max(1, yes.sum()), 0.5 / max(1, (~yes).sum())) * len(yes)
    model = LogisticRegression(C=1e6, solver="lbfgs").fit(logits[:, None], relevant, sample_weight=even)
    return float(model.coef_[0][0]), float(model.intercept_[0])


def fit_kind(evidence: Sequence[lex.Evidence], kinds: Sequence[str]) -> dict[str, Any]:
    """Return what the probability depends on that the foremost kind is the true one, from relevant rows whose kind is
    known and told: `of_weights`, of the foremost kind's weight and of the next one's; `constants`, each kind's, and,
    under '', that of kinds which no crisis here was of: nothing tells how often these are right."""
    names = sorted(set(kinds))
    every = zip(map(lex.foremost, (each.weights for each in evidence)), kinds, strict=True)
    known = [(told, gold) for told, gold in every if told[0] in names]
    columns = [
        [min(most, MOST_WEIGHT), min(second, MOST_WEIGHT), *(float(kind == name) for name in names)]
        for (kind, most, second), _ in known
    ]
    right = np.array([told[0] == gold for told, gold in known])
    model = LogisticRegression(C=1.0, max_iter=1000).fit(np.array(columns), right)
    constant, of_most, of_second, *of_kinds = map(float, (model.intercept_[0], *model.coef_[0]))
    constants = {"": constant, **{name: constant + each for name, each in zip(names, of_kinds, strict=True)}}
    return {"of_weights": [of_most, of_second], "constants": constants}


def right_of(kind: Mapping[str, Any], evidence: Sequence[lex.Evidence]) -> np.ndarray:
    """Return the probability that each text's foremost kind is the true one, if it is relevant: as served."""
    of_most, of_second = kind["of_weights"]
    constants = kind["constants"]
    told = [lex.foremost(each.weights) for each in evidence]
    found: np.ndarray = expit(
        np.array(
            [
                constants.get(name, constants[""])
                + of_most * min(most, MOST_WEIGHT)
                + of_second * min(second, MOST_WEIGHT)
                for name, most, second in told
            ]
        )
    )
    return found


def pack(
    features: feats.Features,
    linear: Linear,
    calibration: dict[str, Any],
    metrics: dict[str, Any],
    about: dict[str, Any],
    information: tuple[dict[str, Any], bytes],
) -> bytes:
    """Return the model file: a line of JSON; the tokens, a line each; little-endian arrays of each token's weight
    (int16) and norm (uint16), and each part's weight (int8); what tells information types, as `Information` reads it.
    """
    of_token, of_part = features.token_weights(linear.weights)
    of_lexicon = features.split(linear.weights)[3]
    unknown = of_part * features.idf[-1]
    parts_step = np.abs(unknown).max() / 127
    parts_scale = max(1, round(parts_step / (np.abs(of_token).max() / 32_000)))
    step = parts_step / parts_scale  # one step of a token's weight; a part's are parts_scale as coarse
    weights = np.clip(np.round(of_token / step), -32_767, 32_767)
    names = "\n".join(features.tokens).encode()
    norms = np.round(features.idf[:-1] ** 2 * STEPS)
    arrays = (weights.astype("<i2"), norms.astype("<u2"), np.round(unknown / parts_step).astype("i1"))
    relevance = b"".join([names, *(array.tobytes() for array in arrays)])
    header = {
        **about,
        "bias": linear.bias,
        "calibration": calibration,
        "information": {**information[0], "at": len(relevance)},
        "lexicon": [[term.words, term.kinds] for term in terms()],
        "metrics": metrics,
        "names": len(names),
        "of_lexicon": of_lexicon.tolist(),
        "parts_scale": parts_scale,
        "scale": float(step),
        "unknown_norm": round(features.idf[-1] ** 2 * STEPS),
    }
    text = json.dumps(_rounded(header), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return b"".join([text, b"\n", relevance, information[1]])


def _rounded(value: Any) -> Any:
    """Round floats to 9 significant digits, so that the last bits of a sum, which differ by machine, don't show."""
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return value
