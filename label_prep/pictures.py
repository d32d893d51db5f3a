"""Draw the results: confusion matrix, precision and recall, reliability."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve

from chalicelib.classifier import RELEVANT_SHARE
from label_prep import evaluate, languages

mpl.use("Agg")

from matplotlib import pyplot as plt

NAMES = {"crowdflower": "CrowdFlower", "t6": "CrisisLexT6, unseen events", "t26": "CrisisLexT26, unseen events"}

LEAST = 200  # tweets that a kind must be told of to have a line of its own


def draw(rows: pd.DataFrame, folder: Path) -> list[Path]:
    """Write the pictures of held-out rows (as in evaluate.Scores) into a folder; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    crisis = rows[rows["gold_kind"].notna() & (rows["relevant"] == 1)]
    if len(crisis):
        paths.append(confusion(crisis, folder / "confusion.png"))
    known = rows[rows["relevant"].notna()]
    if "log_ratio" in rows:
        stream = rows[evaluate.in_stream(rows)]
        paths += [
            precision_recall(known[known["source"].isin(list(NAMES))], folder / "precision-recall.png"),
            reliability(_by_language(stream), folder / "reliability.png", "Relevance"),
            reliability(_by_kind(stream), folder / "reliability-kind.png", "Kind: `classifier_score`"),
        ]
    elif known["relevant"].nunique() == 2:
        curves = {
            str(name): (some["probability"].to_numpy(), some["relevant"].to_numpy() == 1, np.ones(len(some)))
            for name, some in known.groupby("source")
        }
        paths += [
            precision_recall(known, folder / "precision-recall.png"),
            reliability(curves, folder / "reliability.png", "Relevance"),
        ]
    return paths


Curve = tuple[np.ndarray, np.ndarray, np.ndarray]
"""What was told, whether it was right, what each row weighs."""


def _by_language(stream: pd.DataFrame) -> dict[str, Curve]:
    """Return the relevance of each language's posts, as if RELEVANT_SHARE were relevant."""
    return {
        language: (some["probability"].to_numpy(), some["relevant"].to_numpy() == 1, _weight(some))
        for language in languages.SPOKEN
        if (some := stream[stream["lang"] == language])["relevant"].nunique() == 2
    }


def _by_kind(stream: pd.DataFrame) -> dict[str, Curve]:
    """Return the score of each kind that was told at least LEAST times, as if RELEVANT_SHARE of posts were relevant."""
    some = stream.assign(weight_of=_weight(stream))
    some = some[some["kind_score"].notna()]
    right = (some["relevant"] == 1) & (some["told"] == some["gold_kind"])
    curves: dict[str, Curve] = {
        "all kinds": (some["kind_score"].to_numpy(), right.to_numpy(), some["weight_of"].to_numpy())
    }
    for kind, rows in some.groupby("told"):
        if len(rows) >= LEAST and right[rows.index].any():
            curves[str(kind)] = (
                rows["kind_score"].to_numpy(),
                right[rows.index].to_numpy(),
                rows["weight_of"].to_numpy(),
            )
    return curves


def _weight(rows: pd.DataFrame) -> np.ndarray:
    yes = rows["relevant"].to_numpy() == 1
    weight: np.ndarray = np.where(yes, RELEVANT_SHARE / max(1, yes.sum()), (1 - RELEVANT_SHARE) / max(1, (~yes).sum()))
    return weight


def confusion(rows: pd.DataFrame, path: Path) -> Path:
    labels, counts = evaluate.confusions(rows)
    gold = counts.sum(axis=1) > 0
    share = counts[gold] / counts[gold].sum(axis=1, keepdims=True)
    figure, axes = plt.subplots(figsize=(10, 7.5))
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    axes.set_yticks(range(int(gold.sum())), [label for label, there in zip(labels, gold, strict=True) if there])
    for y, row in enumerate(share):
        for x, value in enumerate(row):
            if value >= 0.005:
                axes.text(
                    x,
                    y,
                    f"{value:.2f}",
                    ha="center",
                    va="center",
                    fontsize=8,
                    color="white" if value > 0.5 else "black",
                )
    axes.set_xlabel("told")
    axes.set_ylabel("kind of the event")
    axes.set_title("Kind of disaster, relevant tweets: share of each row")
    return _save(figure, path)


def precision_recall(rows: pd.DataFrame, path: Path) -> Path:
    figure, axes = plt.subplots(figsize=(7, 5.5))
    for source, some in rows.groupby("source"):
        precision, recall, _ = precision_recall_curve(some["relevant"], some["probability"])
        axes.plot(recall, precision, label=f"{NAMES.get(str(source), source)} ({some['relevant'].mean():.0%} relevant)")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02), title="Relevance")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")
    return _save(figure, path)


def reliability(curves: dict[str, Curve], path: Path, title: str) -> Path:
    """Draw how often what was told with a probability is right, a line a curve."""
    figure, axes = plt.subplots(figsize=(6.5, 6))
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    for name, curve in curves.items():
        found = list(evaluate.reliability(*curve))
        wide = 2.5 if name == "all kinds" else 1.2
        axes.plot([p for p, _, _ in found], [share for _, share, _ in found], marker="o", linewidth=wide, label=name)
    axes.set(xlabel="probability told", ylabel="share right", xlim=(0, 1), ylim=(0, 1), title=f"Reliability. {title}")
    axes.legend(loc="upper left", fontsize=8)
    return _save(figure, path)


def _save(figure: Figure, path: Path) -> Path:
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)
    return path
