"""Evaluate the classifier on groups of near-duplicates and whole events that it was not trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    confusion_matrix,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)
from sklearn.model_selection import GroupKFold

from chalicelib.classifier import RELEVANT_SHARE
from chalicelib.classifier.bundled import kind_told
from label_prep import features as feats
from label_prep import languages, train
from label_prep.sources import EVERYDAY

FOLDS = 4  # each holds out a part of everything: of CrowdFlower's tweets, of the crises, of the everyday collections
HELD = (
    ("sentiment140", "film_xed_fr", "xlmt_es", "xlmt_it", "xlmt_ar"),
    ("te_emoji", "film_xed_es", "film_xed_pt", "xlmt_fr"),
    ("goemotions_reddit", "film_xed_it", "xlmt_pt", "xlmt_de"),
    ("davidson_hate", "film_xed_en", "xlmt_hi"),
)
"""The everyday collections that each fold holds out: no fold has two of one language, tweets of none, and so the rest
still holds that language."""
SHARES = (0.001, 0.01, 0.1, 0.5)  # of relevant posts, that the card has a line of
SEVEN = ("attack", "earthquake", "explosion", "flood", "storm", "transport_accident", "wildfire")
"""The kinds that more than one crisis of CrisisLex is of, those kept elsewhere included."""
RESAMPLES = 40


class Fold(NamedTuple):
    """What is held out at a time."""

    name: str
    choice: int  # which choice of unseen events and near-duplicates
    test: np.ndarray  # rows


def folds(frame: pd.DataFrame, choices: int, seed: int) -> list[Fold]:
    """Return `choices` times FOLDS folds. Each holds out a part of CrowdFlower by near-duplicates, whole crises drawn
    at random, and the everyday collections of HELD."""
    everyday = np.flatnonzero(frame["source"] == "crowdflower")
    events = np.sort(frame.loc[of_crises(frame), "event"].unique().astype(str))
    found = []
    for choice in range(choices):
        rng = np.random.default_rng([seed, choice])
        drawn = np.array_split(rng.permutation(events), FOLDS)
        shuffled = rng.permutation(int(frame["group"].max()) + 1)[frame["group"].to_numpy()[everyday]]
        parts = [everyday[:0]] * FOLDS
        if (groups := len(np.unique(shuffled))) > 1:
            tests = [test for _, test in GroupKFold(min(FOLDS, groups)).split(everyday, groups=shuffled)]
            parts = [*(everyday[test] for test in tests), *parts][:FOLDS]
        for n, (part, crises, collections) in enumerate(zip(parts, drawn, HELD, strict=True), 1):
            chosen = frame["event"].isin([*crises, *collections]).to_numpy() | np.isin(np.arange(len(frame)), part)
            if chosen.any():
                found.append(Fold(f"fold {choice + 1}.{n}", choice, np.flatnonzero(chosen)))
    return found


def of_crises(frame: pd.DataFrame) -> pd.Series:
    """Return which rows are tweets of crises."""
    return ~frame["source"].isin(list(train.OWN_SERVED))


def apart(frame: pd.DataFrame, fold: Fold) -> np.ndarray:
    """Return the rows that may be trained on: neither held out nor a near-duplicate of one that is."""
    alike = frame["group"].isin(set(frame["group"].to_numpy()[fold.test])).to_numpy()
    return np.flatnonzero(~alike & ~np.isin(np.arange(len(frame)), fold.test))


def held_out(
    frame: pd.DataFrame, read: train.Read, choices: int, seed: int, progress: Callable[[str, int, int], None]
) -> pd.DataFrame:
    """Relevance logits of rows by models that saw neither them nor a near-duplicate: columns row (of the frame),
    choice, logit. Everything, unlabelled statistics too, is learnt anew from the rest."""
    found = []
    plan = folds(frame, choices, seed)
    for done, fold in enumerate(plan):
        progress(fold.name, done, len(plan))
        rest = apart(frame, fold)
        features, linear = train.fit(
            frame.iloc[rest], [read.tokens[at] for at in rest], [read.evidence[at] for at in rest], seed
        )
        matrix = feats.matrix(features, [read.tokens[at] for at in fold.test], [read.evidence[at] for at in fold.test])
        found.append(pd.DataFrame({"at": fold.test, "choice": fold.choice, "logit": linear.logits(features, matrix)}))
    progress("done", len(plan), len(plan))
    return pd.concat(found, ignore_index=True)


@dataclass(frozen=True)
class Scores:
    """What was measured, and what the calibration was fitted on."""

    rows: pd.DataFrame  # a row each held-out prediction: source, event, choice, relevant, probability, kind, told, …
    calibration: dict[str, Any]
    measured: dict[str, Any]


def score(frame: pd.DataFrame, read: train.Read, logits: pd.DataFrame, seed: int) -> Scores:
    """Calibrate on the held-out logits and measure both heads, against what each row itself was voted."""
    kept = ["source", "event", "group", "lang", "voted", "weight", "informative", "gold_kind"]
    rows = frame[kept].rename(columns={"voted": "relevant"}).iloc[logits["at"]].reset_index(drop=True).assign(**logits)
    stream = rows[in_stream(rows) & (rows["lang"] == "en")]
    slope, shift = train.fit_platt(stream["logit"].to_numpy(), stream["relevant"].to_numpy())
    rows["log_ratio"] = slope * rows["logit"] + shift
    rows["probability"] = expit(rows["log_ratio"] + logit(RELEVANT_SHARE))
    evidence = [read.evidence[at] for at in rows["at"]]
    rows["told"] = [kind_told(each.weights, p) for each, p in zip(evidence, rows["probability"], strict=True)]
    gold = np.flatnonzero(rows["gold_kind"].notna() & (rows["relevant"] == 1) & ~rows["told"].isin(NONE_TOLD))
    kind = train.fit_kind([evidence[at] for at in gold], rows["gold_kind"].iloc[gold].tolist())
    right = train.right_of(kind, evidence)
    rows["kind_score"] = np.where(rows["told"].isin(NONE_TOLD), np.nan, rows["probability"] * right)
    return Scores(rows, {"relevance": [slope, shift], "kind": kind}, measure(rows, seed))


NONE_TOLD = ("unspecified", "not_disaster")


def in_stream(rows: pd.DataFrame) -> pd.Series:
    """Return the rows that are as in a stream of everything: everyday posts, and the crises' relevant tweets."""
    return (rows["source"] == EVERYDAY) | (of_crises(rows) & (rows["relevant"] == 1))


def measure(rows: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Return each score as {"value", "low", "high"}: the mean over the choices of events, the bootstrap's 95 %
    interval.
    """
    everyday = rows[rows["source"] == "crowdflower"]
    t26 = rows[(rows["source"] == "t26")]
    crisis = t26[t26["relevant"] == 1]
    posts = rows[rows["source"] == EVERYDAY]
    wanted: dict[str, tuple[pd.DataFrame, Callable[[pd.DataFrame], float], str]] = {
        "relevance_f1": (everyday, relevance_f1, "group"),
        "relevance_precision": (
            everyday,
            lambda r: float(precision_score(r["relevant"], r["probability"] >= 0.5, zero_division=0)),
            "group",
        ),
        "relevance_recall": (everyday, lambda r: float(recall_score(r["relevant"], r["probability"] >= 0.5)), "group"),
        "relevance_auc": (everyday, auc, "group"),
        "relevance_average_precision": (
            everyday,
            lambda r: float(average_precision_score(r["relevant"], r["probability"])),
            "group",
        ),
        "relevance_auc_t6": (rows[rows["source"] == "t6"], mean_auc, "event"),
        "relevance_auc_t26": (t26, mean_auc, "event"),
        "f1_macro": (crisis, lambda r: f1(r, SEVEN, "macro"), "event"),
        "f1_macro_informative": (crisis[crisis["informative"]], lambda r: f1(r, SEVEN, "macro"), "event"),
        "f1_macro_named": (
            crisis[~crisis["told"].isin(NONE_TOLD)],
            lambda r: f1(r, SEVEN, "macro"),
            "event",
        ),
        "kind_precision_told": (
            crisis[~crisis["told"].isin(NONE_TOLD)],
            lambda r: float(accuracy_score(r["gold_kind"], r["told"])),
            "event",
        ),
        "f1_micro": (crisis, lambda r: f1(r, None, "micro"), "event"),
        "accuracy": (crisis, lambda r: float(accuracy_score(r["gold_kind"], r["told"])), "event"),
        "precision": (
            crisis,
            lambda r: float(
                precision_score(
                    r["gold_kind"], r["told"], labels=sorted(set(r["gold_kind"])), average="macro", zero_division=0
                )
            ),
            "event",
        ),
        "recall": (
            crisis,
            lambda r: float(
                recall_score(
                    r["gold_kind"], r["told"], labels=sorted(set(r["gold_kind"])), average="macro", zero_division=0
                )
            ),
            "event",
        ),
    }
    found: dict[str, Any] = {
        name: estimate(some, function, unit, seed) for name, (some, function, unit) in wanted.items() if len(some)
    }
    found["kinds"] = per_kind(crisis) if len(crisis) else {}
    if len(posts):
        found["everyday"] = [per_language(rows, language) for language in languages.SPOKEN]
        found["collections"] = [
            {"collection": name, "posts": len(some), "relevant": called(some), "kind": kind_share(some)}
            for name, some in posts[posts["choice"] == 0].groupby("event")
        ]
        found["shares"] = [at_share(rows[rows["lang"] == "en"], share) for share in SHARES]
    return found


def called(rows: pd.DataFrame) -> float:
    """Return the share of rows called relevant."""
    return float((rows["probability"] >= 0.5).mean())


def kind_share(rows: pd.DataFrame) -> float:
    """Return the share of rows that a kind is told of."""
    return float((~rows["told"].isin(NONE_TOLD)).mean())


def per_language(rows: pd.DataFrame, language: str) -> dict[str, Any]:
    """Return what becomes of a language's everyday posts, and of the crises' relevant tweets beside them."""
    some = rows[(rows["lang"] == language) & in_stream(rows)]
    posts, tweets = some[some["source"] == EVERYDAY], some[some["source"] != EVERYDAY]
    return {
        "language": language,
        "posts": int((posts["choice"] == 0).sum()),
        "false_alarms": called(posts),
        "kind": kind_share(posts),
        "tweets": int((tweets["choice"] == 0).sum()),
        "recall": called(tweets),
        "auc": auc(some),
    }


def at_share(rows: pd.DataFrame, share: float) -> dict[str, float]:
    """Return precision, recall and calibration error in a stream with `share` of relevant posts, told so.

    `recall_at_90`: the recall where the threshold is set for a precision of .90.
    """
    some = rows[in_stream(rows)].sort_values("log_ratio", ascending=False)
    relevant = some["relevant"].to_numpy() == 1
    weight = np.where(relevant, share / max(1, relevant.sum()), (1 - share) / max(1, (~relevant).sum()))
    probability = expit(some["log_ratio"].to_numpy() + logit(share))
    told = probability >= 0.5
    right, all_told = weight[told & relevant].sum(), weight[told].sum()
    recall, precision = np.cumsum(weight * relevant) / share, np.cumsum(weight * relevant) / np.cumsum(weight)
    return {
        "share": share,
        "precision": float(right / all_told) if all_told else float("nan"),
        "recall": float(right / share),
        "recall_at_90": float(recall[precision >= 0.9].max(initial=0.0)),
        "calibration_error": calibration_error(probability, relevant, weight),
    }


def estimate(rows: pd.DataFrame, function: Callable[[pd.DataFrame], float], unit: str, seed: int) -> dict[str, float]:
    """Return a score and its 95 % interval when whole near-duplicate groups, or whole events, are drawn again (Efron
    1979).
    """
    choices = [some for _, some in rows.groupby("choice")]
    value = float(np.mean([function(some) for some in choices]))
    first = choices[0]
    members = [index for _, index in first.groupby(unit).indices.items()]
    rng = np.random.default_rng(seed)
    resamples = RESAMPLES if unit == "group" else RESAMPLES // 3
    again = [
        function(first.iloc[np.concatenate([members[at] for at in rng.integers(0, len(members), len(members))])])
        for _ in range(resamples)
    ]
    low, high = np.nanquantile(again, [0.025, 0.975])
    return {"value": value, "low": float(low), "high": float(high)}


def relevance_f1(rows: pd.DataFrame) -> float:
    return float(f1_score(rows["relevant"], rows["probability"] >= 0.5))


def auc(rows: pd.DataFrame) -> float:
    return (
        float(roc_auc_score(rows["relevant"], rows["probability"])) if rows["relevant"].nunique() == 2 else float("nan")
    )


def mean_auc(rows: pd.DataFrame) -> float:
    """Mean of the AUC within each event."""
    return float(np.nanmean([auc(some) for _, some in rows.groupby("event")]))


def f1(rows: pd.DataFrame, labels: tuple[str, ...] | None, average: str) -> float:
    """F1 of the kind over the labels that occur; None for all gold ones."""
    some = sorted(set(rows["gold_kind"]) & set(labels)) if labels else sorted(set(rows["gold_kind"]))
    return float(f1_score(rows["gold_kind"], rows["told"], labels=some, average=average, zero_division=0))


def per_kind(rows: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Precision, recall, F1 and number of tweets (of one choice of events) of each gold kind."""
    first = rows[rows["choice"] == rows["choice"].min()]
    return {
        kind: {
            "precision": float(precision_score(first["gold_kind"] == kind, first["told"] == kind, zero_division=0)),
            "recall": float(recall_score(first["gold_kind"] == kind, first["told"] == kind)),
            "f1": float(f1_score(first["gold_kind"] == kind, first["told"] == kind)),
            "tweets": int((first["gold_kind"] == kind).sum()),
        }
        for kind in sorted(set(first["gold_kind"]))
    }


def reliability(
    probability: np.ndarray, right: np.ndarray, weight: np.ndarray, bins: int = 10
) -> Iterator[tuple[float, float, float]]:
    """Yield (mean probability, share that is right, share of the weight) of bins of equal width."""
    which = np.minimum((probability * bins).astype(int), bins - 1)
    for each in range(bins):
        chosen = which == each
        total = weight[chosen].sum()
        if total:
            mean = float(np.average(probability[chosen], weights=weight[chosen]))
            yield mean, float(weight[chosen & right].sum() / total), float(total / weight.sum())


def calibration_error(probability: np.ndarray, right: np.ndarray, weight: np.ndarray) -> float:
    """Return the expected calibration error over ten bins (Guo et al. 2017, https://arxiv.org/abs/1706.04599)."""
    return sum(abs(mean - share) * total for mean, share, total in reliability(probability, right, weight))


def confusions(rows: pd.DataFrame) -> tuple[list[str], np.ndarray]:
    """(labels, counts): gold kinds in rows, told ones in columns."""
    labels = [*sorted(set(rows["gold_kind"])), "other kinds", "unspecified", "not_disaster"]
    told = rows["told"].where(rows["told"].isin(labels), "other kinds")
    return labels, confusion_matrix(rows["gold_kind"], told, labels=labels)
