"""Draws what was measured: confusion matrix, precision and recall, reliability."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve

from label_prep import evaluate, train

mpl.use("Agg")

from matplotlib import pyplot as plt

NAMES = {"crowdflower": "CrowdFlower", "t6": "CrisisLexT6, unseen events", "t26": "CrisisLexT26, unseen events"}


def draw(rows: pd.DataFrame, folder: Path) -> list[Path]:
    """Writes the pictures of held-out rows (as in evaluate.Scores) into a folder; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    crisis = rows[rows["gold_kind"].notna() & (rows["relevant"] == 1)]
    if len(crisis):
        paths.append(confusion(crisis, folder / "confusion.png"))
    known = rows[rows["relevant"].notna()]
    if known["relevant"].nunique() == 2:
        paths += [
            precision_recall(known, folder / "precision-recall.png"),
            reliability(known, folder / "reliability.png"),
        ]
    return paths


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


def reliability(rows: pd.DataFrame, path: Path) -> Path:
    figure, axes = plt.subplots(figsize=(6, 6))
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    for source, some in rows.groupby("source"):
        found = list(evaluate.reliability(some))
        axes.plot(
            [p for p, _, _ in found], [share for _, share, _ in found], marker="o", label=NAMES.get(str(source), source)
        )
    axes.set(
        xlabel="probability told",
        ylabel=f"share relevant, were {train.RELEVANT_SHARE:.0%} of all",
        xlim=(0, 1),
        ylim=(0, 1),
        title="Reliability",
    )
    axes.legend(loc="upper left")
    return _save(figure, path)


def _save(figure: Figure, path: Path) -> Path:
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)
    return path
