"""Scores the bundled classifier on any CSV with text and labels."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
from rich.table import Table
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score

import producer
from chalicelib.classifier import bundled
from chalicelib.classifier.taxonomy import CODES
from chalicelib.classifier.text import clean
from label_prep.clean import KINDS, RELEVANT

TEXTS = ("cleaning_text", *producer.FIELDS["text"])
LABELS = (
    "label",
    "kind",
    "disaster_label",
    "event_type",
    "choose_one",
    "informativeness",
    "relevance_label",
    "relevant",
)
YES_NO = {**RELEVANT, "relevant": 1.0, "not_relevant": 0.0, "1": 1.0, "0": 0.0, "true": 1.0, "false": 0.0}


def score(path: Path) -> tuple[pd.DataFrame, list[Table]]:
    """(rows as the pictures want them, tables to print) of a CSV.

    A header must name a text and one or more labels, of kind or of relevance; without a header, the columns are label
    and text, as in Comprehend's files. Raises InputError naming what is missing.
    """
    texts, labels = read(path)
    predictions = bundled.classify([clean(text) for text in texts])
    rows = pd.DataFrame(
        {
            "source": path.stem,
            "choice": 0,
            "told": [prediction.label for prediction in predictions],
            "probability": [prediction.relevant for prediction in predictions],
        }
    )
    kind, relevant = pd.Series([None] * len(rows), dtype=object), pd.Series([float("nan")] * len(rows))
    for values in labels:
        stripped = values.str.strip()
        relevant = relevant.fillna(stripped.map(YES_NO))
        kind = kind.where(kind.notna(), stripped.map(lambda value: KINDS.get(value, value if value in CODES else None)))
    rows = rows.assign(gold_kind=kind, relevant=relevant)
    tables = []
    if rows["gold_kind"].notna().any():
        tables.append(of_kind(rows[rows["gold_kind"].notna() & (rows["relevant"] != 0)]))
        rows["relevant"] = rows["relevant"].fillna(1.0) if rows["relevant"].isna().all() else rows["relevant"]
    if rows["relevant"].nunique() == 2:
        tables.append(of_relevance(rows[rows["relevant"].notna()]))
    if not tables:
        raise producer.InputError(
            f"{path}: no label is known. Kinds: {', '.join(CODES)}. Relevance: {', '.join(YES_NO)}"
        )
    return rows, tables


def read(path: Path) -> tuple[list[str], list[pd.Series]]:
    """(texts, columns of labels) of a CSV in any of the producer's encodings."""
    csv.field_size_limit(1 << 30)
    with path.open(encoding=producer.encoding_of(path), newline="") as file:
        rows = [row for row in csv.reader(file) if row]
    header = [name.strip().lower() for name in rows[0]] if rows else []
    text = next((name for name in TEXTS if name in header), None)
    labels = [name for name in LABELS if name in header]
    if text and labels:
        frame = pd.DataFrame([row for row in rows[1:] if len(row) == len(header)], columns=header, dtype=object)
        return frame[text].tolist(), [frame[name] for name in labels]
    if rows and all(len(row) == 2 for row in rows[:100]):  # Comprehend's
        pairs = [row for row in rows if len(row) == 2]
        return [row[1] for row in pairs], [pd.Series([row[0] for row in pairs], dtype=object)]
    raise producer.InputError(
        f"{path} must have a column for the text ({', '.join(TEXTS)}) and one for labels ({', '.join(LABELS)}); "
        f"or no header, and label and text in each row. Found: {', '.join(header) or 'nothing'}"
    )


def of_kind(rows: pd.DataFrame) -> Table:
    table = Table(title=f"Kind, {len(rows):,} tweets", title_justify="left")
    for column in ("", "tweets", "precision", "recall", "F1"):
        table.add_column(column, justify="right" if column else "left")
    gold, told = rows["gold_kind"], rows["told"]
    labels = sorted(set(gold))
    for name in labels:
        scores = [
            function(gold == name, told == name, zero_division=0)
            for function in (precision_score, recall_score, f1_score)
        ]
        table.add_row(name, f"{(gold == name).sum():,}", *(f"{value:.3f}" for value in scores))
    table.add_row(
        "macro",
        "",
        *(
            f"{function(gold, told, labels=labels, average='macro', zero_division=0):.3f}"
            for function in (precision_score, recall_score, f1_score)
        ),
    )
    return table


def of_relevance(rows: pd.DataFrame) -> Table:
    table = Table(title=f"Relevance, {len(rows):,} tweets", title_justify="left")
    for column in ("precision", "recall", "F1", "AUC"):
        table.add_column(column, justify="right")
    truth, told = rows["relevant"], rows["probability"] >= 0.5
    scores = [function(truth, told, zero_division=0) for function in (precision_score, recall_score, f1_score)]
    table.add_row(*(f"{value:.3f}" for value in (*scores, roc_auc_score(truth, rows["probability"]))))
    return table
