"""Score answers against true labels, and say whether two versions differ by more than chance. Nothing here asks AWS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from math import comb, sqrt
from typing import Any

Labels = list[str | None]
"""A version's answers, in the order of the texts; None where there was none in time."""


def compare(true: Sequence[str], answers: Mapping[str, Labels]) -> dict[str, Any]:
    """Score each version, and say for each pair whether their difference could be chance."""
    common = [i for i in range(len(true)) if all(labels[i] is not None for labels in answers.values())]
    expected = [true[i] for i in common]
    given = {version: [str(labels[i]) for i in common] for version, labels in answers.items()}
    scored = [
        {"version": version, "answered": sum(a is not None for a in answers[version]), **scores(expected, labels)}
        for version, labels in given.items()
    ]
    pairs = [paired(expected, given, a, b) for a, b in combinations(given, 2)]
    return {"scored": len(common), "versions": scored, "comparisons": pairs}


def scores(true: Sequence[str], predicted: Sequence[str]) -> dict[str, Any]:
    """Accuracy with its 95 % interval, macro averages over the labels of the file, and the scores of each label.

    A label that a version answers and the file hasn't got costs the labels that it took the tweets from. Averaged in as
    another 0, it would count twice against a version that knows more labels than the file.
    """
    labels = sorted(set(true) | set(predicted))
    count = Counter(zip(true, predicted, strict=True))
    matrix = [[count[actual, guess] for guess in labels] for actual in labels]
    each = per_label(labels, matrix)
    right, n = sum(matrix[i][i] for i in range(len(labels))), len(true)
    of_file = [each[label] for label in sorted(set(true))]
    macro = {
        f"{m}_macro": sum(s[m] for s in of_file) / len(of_file) if of_file else 0.0
        for m in ("precision", "recall", "f1")
    }
    return {
        "right": right,
        "accuracy": right / n if n else 0.0,
        "accuracy_interval": wilson(right, n),
        **macro,
        "labels": each,
        "confusion_matrix": {"labels": labels, "matrix": matrix},
    }


def wilson(right: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Return the 95 % interval of a proportion (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
    if not n:
        return 0.0, 1.0
    p, spread = right / n, z * sqrt(right / n * (1 - right / n) / n + z * z / (4 * n * n))
    middle, scale = p + z * z / (2 * n), 1 + z * z / n
    return (middle - spread) / scale, (middle + spread) / scale


def paired(true: Sequence[str], given: Mapping[str, Sequence[str]], a: str, b: str) -> dict[str, Any]:
    """McNemar's exact test on the tweets that only one of two versions gets right (two-sided binomial, p = 1/2)."""
    only_a = sum(x == t != y for t, x, y in zip(true, given[a], given[b], strict=True))
    only_b = sum(y == t != x for t, x, y in zip(true, given[a], given[b], strict=True))
    n = only_a + only_b
    chance = min(1.0, 2 * sum(comb(n, k) for k in range(min(only_a, only_b) + 1)) / 2**n)
    return {"a": a, "b": b, "only_a_right": only_a, "only_b_right": only_b, "p": chance}


def per_label(labels: Sequence[str], matrix: Sequence[Sequence[int]]) -> dict[str, dict[str, float]]:
    """Precision, recall, F1 and support of each label; 0 where there is nothing to divide by."""
    scores = {}
    for i, label in enumerate(labels):
        hits, support, predicted = matrix[i][i], sum(matrix[i]), sum(row[i] for row in matrix)
        precision, recall = hits / predicted if predicted else 0.0, hits / support if support else 0.0
        f1 = 2 * hits / (predicted + support) if predicted + support else 0.0
        scores[label] = {"precision": precision, "recall": recall, "f1": f1, "support": support}
    return scores
