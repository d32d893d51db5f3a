"""How good the classifier is, on near-duplicates and whole events that it was not trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
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

from chalicelib.classifier.bundled import kind_told
from label_prep import features as feats
from label_prep import train

FOLDS = 5
EVENT_SETS = 4  # unseen events at a time: a quarter of them
SEVEN = ("attack", "earthquake", "explosion", "flood", "storm", "transport_accident", "wildfire")
"""The kinds that more than one crisis of CrisisLex is of, those kept elsewhere included."""
RESAMPLES = 300


class Fold(NamedTuple):
    """What is held out at a time."""

    name: str
    choice: int  # which choice of unseen events; 0 for CrowdFlower
    test: np.ndarray  # rows


def folds(frame: pd.DataFrame, choices: int, seed: int) -> list[Fold]:
    """CrowdFlower in FOLDS parts by near-duplicates; then, `choices` times, all events in EVENT_SETS sets at random."""
    everyday = np.flatnonzero(frame["source"] == "crowdflower")
    shuffled = np.random.default_rng(seed).permutation(int(frame["group"].max()) + 1)[
        frame["group"].to_numpy()[everyday]
    ]
    parts = GroupKFold(min(FOLDS, len(np.unique(shuffled)))).split(everyday, groups=shuffled)
    found = [Fold(f"CrowdFlower {n}", 0, everyday[test]) for n, (_, test) in enumerate(parts, 1)]
    events = np.sort(frame.loc[frame["source"] != "crowdflower", "event"].unique().astype(str))
    for choice in range(choices):
        order = np.random.default_rng([seed, choice]).permutation(events)
        for n, some in enumerate(np.array_split(order, min(EVENT_SETS, len(order))), 1):
            found.append(Fold(f"events {choice + 1}.{n}", choice, np.flatnonzero(frame["event"].isin(some))))
    return found


def apart(frame: pd.DataFrame, fold: Fold) -> np.ndarray:
    """The rows that may be trained on: neither held out nor a near-duplicate of one that is."""
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
        found.append(pd.DataFrame({"at": fold.test, "choice": fold.choice, "logit": linear.logits(matrix)}))
    progress("done", len(plan), len(plan))
    return pd.concat(found, ignore_index=True)


@dataclass(frozen=True)
class Scores:
    """What was measured, and what the calibration was fitted on."""

    rows: pd.DataFrame  # a row each held-out prediction: source, event, choice, relevant, probability, kind, told, …
    calibration: dict[str, Any]
    measured: dict[str, Any]


def score(frame: pd.DataFrame, read: train.Read, logits: pd.DataFrame, seed: int) -> Scores:
    """Calibrates on the held-out logits and measures both heads, against what each row itself was voted."""
    kept = ["source", "event", "group", "voted", "weight", "informative", "gold_kind"]
    rows = frame[kept].rename(columns={"voted": "relevant"}).iloc[logits["at"]].reset_index(drop=True).assign(**logits)
    everyday = rows["source"] == "crowdflower"
    some = rows[everyday]
    slope, shift = train.fit_platt(some["logit"].to_numpy(), some["relevant"].to_numpy(), some["weight"].to_numpy())
    rows["probability"] = 1 / (1 + np.exp(-(slope * rows["logit"] + shift)))
    evidence = [read.evidence[at] for at in rows["at"]]
    rows["told"] = [kind_told(each.weights, p) for each, p in zip(evidence, rows["probability"], strict=True)]
    gold = np.flatnonzero(rows["gold_kind"].notna() & (rows["relevant"] == 1))
    kind = train.fit_kind(
        [evidence[at] for at in gold], rows["probability"].to_numpy()[gold], rows["gold_kind"].iloc[gold].tolist()
    )
    return Scores(rows, {"relevance": [slope, shift], "kind": kind}, measure(rows, seed))


def measure(rows: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Each score as {"value", "low", "high"}: the mean over the choices of events, the bootstrap's 95 % interval."""
    everyday = rows[rows["source"] == "crowdflower"]
    t26 = rows[(rows["source"] == "t26")]
    crisis = t26[t26["relevant"] == 1]
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
            crisis[~crisis["told"].isin(["unspecified", "not_disaster"])],
            lambda r: f1(r, SEVEN, "macro"),
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
    found["calibration_error"] = calibration_error(everyday) if len(everyday) else None
    return found


def estimate(rows: pd.DataFrame, function: Callable[[pd.DataFrame], float], unit: str, seed: int) -> dict[str, float]:
    """A score and its 95 % interval when whole near-duplicate groups, or whole events, are drawn again (Efron 1979)."""
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


def reliability(rows: pd.DataFrame, bins: int = 10) -> Iterator[tuple[float, float, float]]:
    """(mean probability, share relevant, share of the rows) in bins of equal width, were train.RELEVANT_SHARE
    relevant."""
    positive = rows["relevant"] == 1
    balanced = train.as_shared(rows["relevant"].to_numpy(), np.ones(len(rows)))
    which = np.minimum((rows["probability"] * bins).astype(int), bins - 1)
    for each in range(bins):
        chosen = (which == each).to_numpy()
        total = balanced[chosen].sum()
        if total:
            yield (
                float(np.average(rows["probability"][chosen], weights=balanced[chosen])),
                float(balanced[chosen & positive.to_numpy()].sum() / total),
                float(total),
            )


def calibration_error(rows: pd.DataFrame) -> float:
    """Expected calibration error over ten bins (Guo et al. 2017, https://arxiv.org/abs/1706.04599)."""
    return sum(abs(probability - share) * weight for probability, share, weight in reliability(rows))


def confusions(rows: pd.DataFrame) -> tuple[list[str], np.ndarray]:
    """(labels, counts): gold kinds in rows, told ones in columns."""
    labels = [*sorted(set(rows["gold_kind"])), "other kinds", "unspecified", "not_disaster"]
    told = rows["told"].where(rows["told"].isin(labels), "other kinds")
    return labels, confusion_matrix(rows["gold_kind"], told, labels=labels)
