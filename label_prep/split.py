"""Split into train, validation and test, with near-duplicates and whole events in one part only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from chalicelib.comprehend.labelled import MIN_DOCUMENTS

PARTS = {"train": 0.8, "validation": 0.1, "test": 0.1}
LEAST = MIN_DOCUMENTS  # a class of a Comprehend training file
REST = "other_disaster"


def assign(frame: pd.DataFrame, seed: int) -> pd.Series:
    """Return the part of each row, or `left out` where a near-duplicate lies in a part of the lesser size.

    Whole events, and near-duplicates (`group`) of tweets of no event, are drawn at random.
    """
    units = frame["event"].where(frame["event"] != frame["source"], "group " + frame["group"].astype(str))
    part = pd.Series("", index=frame.index)
    is_event = frame["event"] != frame["source"]
    for chosen in (is_event, ~is_event):
        drawn = np.random.default_rng(seed).permutation(np.sort(units[chosen].unique().astype(str)))
        bounds = np.round(np.cumsum([0, *PARTS.values()]) * len(drawn)).astype(int)
        for name, start, stop in zip(PARTS, bounds, bounds[1:], strict=False):
            part[chosen & units.isin(drawn[start:stop])] = name
    rank = part.map({"train": 0, "validation": 1, "test": 2})
    return part.where(rank == rank.groupby(frame["group"]).transform("max"), "left out")


def fold(labels: pd.Series, train: pd.Series) -> tuple[pd.Series, list[str]]:
    """(labels, notes): classes with fewer than LEAST rows in `train` become REST, or None where that is too small."""
    counts = labels[train].value_counts()
    small = [name for name in labels.unique() if counts.get(name, 0) < LEAST and name != REST]
    folded = labels.where(~labels.isin(small), REST)
    notes = [
        f"{name}: {counts.get(name, 0)} documents, fewer than {LEAST}, folded into {REST}" for name in sorted(small)
    ]
    rest = int((folded[train] == REST).sum())
    if 0 < rest < LEAST:
        folded = folded.where(folded != REST, None)
        notes.append(f"{REST}: {rest} documents, dropped")
    return folded, notes


def write(frame: pd.DataFrame, out: Path) -> list[str]:
    """Write each part as Parquet, and for each head as Comprehend's CSV: UTF-8, no header, label then text.

    Returns notes on classes that were folded or dropped.
    """
    out.mkdir(parents=True, exist_ok=True)
    train = frame["part"] == "train"
    kind, notes = fold(frame["kind"], train)
    relevance = frame["relevant"].map({1.0: "relevant", 0.0: "not_relevant"})
    for name in PARTS:
        chosen = frame["part"] == name
        frame[chosen].to_parquet(out / f"{name}.parquet", index=False)
        for head, labels in (("kind", kind), ("relevance", relevance)):
            table = pd.DataFrame({"label": labels[chosen], "text": frame.loc[chosen, "cleaning_text"]}).dropna()
            table.to_csv(out / f"{name}-{head}.csv", header=False, index=False, encoding="utf-8", lineterminator="\n")
    return notes
