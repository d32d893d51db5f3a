"""Score the bundled classifier on any CSV with text and labels."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
from rich.table import Table
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score

import producer
from chalicelib.classifier import bundled
from chalicelib.classifier.information import TYPES
from chalicelib.classifier.taxonomy import CODES
from chalicelib.classifier.text import clean
from label_prep import evaluate
from label_prep.clean import INFORMATION_TYPES, KINDS, RELEVANT

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
    "information_type",
)
AS_TYPES = INFORMATION_TYPES | {name: name for name in TYPES}
YES_NO = {**RELEVANT, "relevant": 1.0, "not_relevant": 0.0, "1": 1.0, "0": 0.0, "true": 1.0, "false": 0.0}


def survey(folder: Path) -> list[Table]:
    """Return a table of the folder's everyday sets, where no post is relevant, and one of the others, a line a CSV.

    Raise InputError where the folder has none, or one has no labels.
    """
    everyday = table("Everyday sets", "posts", "called relevant", "with a kind")
    crises = table(
        "Crisis sets",
        "posts",
        "relevant",
        "precision",
        "recall",
        "AUC",
        "with a kind",
        "kind right",
        "macro-F1 of kind",
        "macro-F1 of information type",
    )
    paths = sorted(folder.glob("*.csv"))
    if not paths:
        raise producer.InputError(f"{folder} holds no CSV")
    for path in paths:
        for name, rows in by_language(path.stem, judged(path)):
            told = ~rows["told"].isin(evaluate.NONE_TOLD)
            kind_share = f"{told.mean():.2%}"
            if (rows["relevant"] == 0).all():
                everyday.add_row(name, f"{len(rows):,}", f"{evaluate.called(rows):.2%}", kind_share)
                continue
            known = rows[rows["relevant"].notna()]
            gold = rows[rows["gold_kind"].notna() & (rows["relevant"] != 0)]
            typed = rows[rows["gold_type"].notna() & (rows["relevant"] != 0)]
            named = gold[~gold["told"].isin(evaluate.NONE_TOLD)]
            both = known["relevant"].nunique() == 2
            calls = known["probability"] >= 0.5
            crises.add_row(
                name,
                f"{len(rows):,}",
                f"{(known['relevant'] == 1).mean():.0%}" if len(known) else "",
                f"{precision_score(known['relevant'], calls, zero_division=0):.3f}" if both else "",
                f"{recall_score(known['relevant'], calls, zero_division=0):.3f}" if len(known) else "",
                f"{roc_auc_score(known['relevant'], known['probability']):.3f}" if both else "",
                kind_share,
                f"{(named['told'] == named['gold_kind']).mean():.3f}" if len(named) else "",
                f"{evaluate.f1(gold, None, 'macro'):.3f}" if len(gold) else "",
                f"{macro_f1(typed['gold_type'], typed['told_type']):.3f}" if len(typed) else "",
            )
    return [found for found in (everyday, crises) if found.row_count]


def by_language(name: str, rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return (name, rows) of a set: one, or one a language where its column `lang` has several."""
    spoken = sorted(set(rows["lang"]))
    return (
        [(f"{name} {each}".strip(), rows[rows["lang"] == each]) for each in spoken]
        if len(spoken) > 1
        else [(name, rows)]
    )


def judged(path: Path) -> pd.DataFrame:
    """Return what the classifier tells of a CSV's texts and what is true: source, choice, lang, told, probability,
    gold_kind, relevant (NaN where it is not known), told_type (if the text is relevant) and gold_type. Raise InputError
    where no label is known."""
    texts, labels, spoken = read(path)
    cleaned = [clean(text) for text in texts]
    predictions = bundled.classify(cleaned)
    rows = pd.DataFrame(
        {
            "source": path.stem,
            "choice": 0,
            "lang": spoken,
            "told": [prediction.label for prediction in predictions],
            "probability": [prediction.relevant for prediction in predictions],
            "told_type": [bundled.information(text)[0] for text in cleaned],
        }
    )
    kind, relevant = pd.Series([None] * len(rows), dtype=object), pd.Series([float("nan")] * len(rows))
    types = kind
    for values in labels:
        stripped = values.str.strip()
        types = types.where(types.notna(), stripped.map(AS_TYPES))
        relevant = relevant.fillna(stripped.map(YES_NO))
        kind = kind.where(kind.notna(), stripped.map(lambda value: KINDS.get(value, value if value in CODES else None)))
    if relevant.isna().all() and kind.notna().any():
        relevant = kind.map({name: float(name != "not_disaster") for name in CODES})
    if relevant.isna().all() and types.isna().all():
        raise producer.InputError(
            f"{path}: no label is known. Kinds: {', '.join(CODES)}. Relevance: {', '.join(YES_NO)}. "
            f"Information types: {', '.join(TYPES)}"
        )
    return rows.assign(gold_kind=kind, relevant=relevant, gold_type=types)


def score(path: Path) -> tuple[pd.DataFrame, list[Table]]:
    """Return (rows as the pictures want them, tables to print) of a CSV.

    A header must name a text and one or more labels, of kind, relevance or information type; without a header, the
    columns are label and text, as in Comprehend's files. Raise InputError naming what is missing.
    """
    rows = judged(path)
    tables = []
    if rows["gold_kind"].notna().any():
        gold = rows[rows["gold_kind"].notna() & (rows["relevant"] != 0)]
        tables.append(of_labels("Kind", gold["gold_kind"], gold["told"]))
    if rows["gold_type"].notna().any():
        gold = rows[rows["gold_type"].notna() & (rows["relevant"] != 0)]
        tables.append(of_labels("Information type", gold["gold_type"], gold["told_type"]))
    if rows["relevant"].nunique() == 2:
        tables.append(of_relevance(rows[rows["relevant"].notna()]))
    return rows, tables or survey_of(rows)


def survey_of(rows: pd.DataFrame) -> list[Table]:
    """Return a table of a set whose posts are all relevant, or none."""
    found = table(
        "All posts are relevant" if (rows["relevant"] == 1).any() else "No post is relevant", "posts", "called relevant"
    )
    found.add_row("", f"{len(rows):,}", f"{evaluate.called(rows):.2%}")
    return [found]


def table(title: str, *columns: str) -> Table:
    found = Table(title=title, title_justify="left")
    found.add_column("")
    for column in columns:
        found.add_column(column, justify="right")
    return found


def read(path: Path) -> tuple[list[str], list[pd.Series], list[str]]:
    """Return (texts, columns of labels, languages) of a CSV in any of the producer's encodings.

    The languages are those of the column `lang`, and '' where there is none.
    """
    csv.field_size_limit(1 << 30)
    with path.open(encoding=producer.encoding_of(path), newline="") as file:
        rows = [row for row in csv.reader(file) if row]
    header = [name.strip().lower() for name in rows[0]] if rows else []
    text = next((name for name in TEXTS if name in header), None)
    labels = [name for name in LABELS if name in header]
    if text and labels:
        frame = pd.DataFrame([row for row in rows[1:] if len(row) == len(header)], columns=header, dtype=object)
        spoken = frame["lang"].tolist() if "lang" in header else [""] * len(frame)
        return frame[text].tolist(), [frame[name] for name in labels], spoken
    if rows and all(len(row) == 2 for row in rows[:100]):  # Comprehend's
        pairs = [row for row in rows if len(row) == 2]
        return [row[1] for row in pairs], [pd.Series([row[0] for row in pairs], dtype=object)], [""] * len(pairs)
    raise producer.InputError(
        f"{path} must have a column for the text ({', '.join(TEXTS)}) and one for labels ({', '.join(LABELS)}); "
        f"or no header, and label and text in each row. Found: {', '.join(header) or 'nothing'}"
    )


def of_labels(what: str, gold: pd.Series, told: pd.Series) -> Table:
    """Return how often each label is told and right."""
    table = Table(title=f"{what}, {len(gold):,} tweets", title_justify="left")
    for column in ("", "tweets", "precision", "recall", "F1"):
        table.add_column(column, justify="right" if column else "left")
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


def macro_f1(gold: pd.Series, told: pd.Series) -> float:
    """Return the macro-F1 over the labels that occur."""
    return float(f1_score(gold, told, labels=sorted(set(gold)), average="macro", zero_division=0))


def of_relevance(rows: pd.DataFrame) -> Table:
    table = Table(title=f"Relevance, {len(rows):,} tweets", title_justify="left")
    for column in ("precision", "recall", "F1", "AUC"):
        table.add_column(column, justify="right")
    truth, told = rows["relevant"], rows["probability"] >= 0.5
    scores = [function(truth, told, zero_division=0) for function in (precision_score, recall_score, f1_score)]
    table.add_row(*(f"{value:.3f}" for value in (*scores, roc_auc_score(truth, rows["probability"]))))
    return table
