"""Train a multi-class classifier from a Comprehend CSV, in a process of its own so that the server stays quick.

    python -m local.aws.comprehend.training DIRECTORY

reads `train.csv` and, where there is one, `test.csv` in DIRECTORY, and leaves `result.json` and, unless the training
failed, `model.joblib` and `output.tar.gz` (with the confusion matrix) beside them.
"""

from __future__ import annotations

import csv
import io
import json
import sys
import tarfile
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

MIN_PER_CLASS = 50
"""Documents a class needs: https://docs.aws.amazon.com/comprehend/latest/dg/guidelines-and-limits.html"""
MAX_CLASSES = 1_000
MAX_CLASS_NAME = 5_000
HELD_OUT = 0.1
"""Share of the training documents that the metrics are taken on when there is no test file."""


class TrainingError(Exception):
    """The training ends IN_ERROR, with this message."""


def read(data: bytes) -> tuple[list[str], list[str], int]:
    """Return labels, texts and how many rows were skipped (not two columns, no label, no text). Raises
    TrainingError.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise TrainingError(f"INVALID_INPUT: the training file is not UTF-8: byte {error.start}.") from error
    csv.field_size_limit(sys.maxsize)
    rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    usable = [row for row in rows if len(row) == 2 and row[0].strip() and row[1].strip()]
    return [row[0] for row in usable], [row[1] for row in usable], len(rows) - len(usable)


def check(labels: Sequence[str], least: int = MIN_PER_CLASS) -> None:
    """Raise TrainingError for what Comprehend refuses to train on."""
    count = Counter(labels)
    if not 2 <= len(count) <= MAX_CLASSES:
        raise TrainingError(f"INVALID_INPUT: from 2 to {MAX_CLASSES} classes are needed; the file has {len(count)}.")
    if few := [f"{label} ({n})" for label, n in sorted(count.items()) if n < least]:
        raise TrainingError(f"INVALID_INPUT: each class needs {least} documents; too few: {', '.join(few)}.")
    if long := [label[:40] for label in count if len(label) > MAX_CLASS_NAME]:
        raise TrainingError(f"INVALID_INPUT: class names have at most {MAX_CLASS_NAME} characters: {long}.")


def train(train_csv: bytes, test_csv: bytes | None) -> tuple[Any, dict[str, Any], dict[str, Any], int]:
    """Return the fitted pipeline, ClassifierMetadata, the confusion matrix as Comprehend writes it, rows skipped."""
    labels, texts, skipped = read(train_csv)
    check(labels)
    if find_spec("sklearn") is None:  # it is not among what make local installs
        raise TrainingError("INTERNAL_ERROR: training here needs scikit-learn: run `make setup`, then train again.")

    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline

    if test_csv is None:
        parts = train_test_split(texts, labels, test_size=HELD_OUT, random_state=0, stratify=labels)
        texts, test_texts, labels, test_labels = parts
    else:
        test_labels, test_texts, test_skipped = read(test_csv)
        skipped += test_skipped
        if unknown := sorted(set(test_labels) - set(labels)):
            raise TrainingError(f"INVALID_INPUT: the test file has classes that the training file hasn't: {unknown}.")
        if not test_labels:
            raise TrainingError("INVALID_INPUT: the test file has no usable document.")
    vectors = TfidfVectorizer(ngram_range=(1, 2), min_df=2, max_features=50_000, sublinear_tf=True)
    model = make_pipeline(vectors, LogisticRegression(C=10, max_iter=200)).fit(texts, labels)
    names = [str(name) for name in model.classes_]
    predicted = [str(label) for label in model.predict(test_texts)]
    metadata = {
        "NumberOfLabels": len(names),
        "NumberOfTrainedDocuments": len(texts),
        "NumberOfTestDocuments": len(test_texts),
        "EvaluationMetrics": metrics(test_labels, predicted),
    }
    return model, metadata, confusion(test_labels, predicted, names), skipped


def metrics(true: Sequence[str], predicted: Sequence[str]) -> dict[str, float]:
    """Comprehend's EvaluationMetrics: Precision, Recall and F1Score are macro averages, Micro… the micro averages."""
    from sklearn.metrics import accuracy_score, hamming_loss, precision_recall_fscore_support

    macro = precision_recall_fscore_support(true, predicted, average="macro", zero_division=0)[:3]
    micro = precision_recall_fscore_support(true, predicted, average="micro", zero_division=0)[:3]
    names = ("Precision", "Recall", "F1Score", "MicroPrecision", "MicroRecall", "MicroF1Score")
    found = dict(zip(names, map(float, (*macro, *micro)), strict=True))
    accuracy, loss = float(accuracy_score(true, predicted)), float(hamming_loss(true, predicted))
    return {"Accuracy": accuracy, **found, "HammingLoss": loss}


def confusion(true: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> dict[str, Any]:
    """Return the confusion matrix as in https://docs.aws.amazon.com/comprehend/latest/dg/conf-matrix.html: rows are
    actual, columns predicted.
    """
    count = Counter(zip(true, predicted, strict=True))
    matrix = [[count[actual, guess] for guess in labels] for actual in labels]
    return {"type": "multi_class", "confusion_matrix": matrix, "labels": list(labels), "all_labels": list(labels)}


def archive(matrix: dict[str, Any]) -> bytes:
    """`output.tar.gz` as Comprehend leaves it in the output location."""
    content, buffer = json.dumps(matrix).encode(), io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        entry = tarfile.TarInfo("output/confusion_matrix.json")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def main(directory: Path) -> None:
    """Train in `directory` (see the module's docstring)."""
    import joblib

    test = directory / "test.csv"
    try:
        train_csv, test_csv = (directory / "train.csv").read_bytes(), test.read_bytes() if test.exists() else None
        model, metadata, matrix, skipped = train(train_csv, test_csv)
    except TrainingError as error:
        result: dict[str, Any] = {"Status": "IN_ERROR", "Message": str(error)}
    else:
        joblib.dump(model, directory / "model.joblib")
        (directory / "output.tar.gz").write_bytes(archive(matrix))
        result = {"Status": "TRAINED", "ClassifierMetadata": metadata}
        if skipped:
            message = f"{skipped} documents were skipped: a row must have a class and a text."
            result |= {"Status": "TRAINED_WITH_WARNING", "Message": message}
    (directory / "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
