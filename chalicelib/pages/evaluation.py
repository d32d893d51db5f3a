"""Render the page of an evaluation, which compares classifiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.pages import templating

SUMMARY = ("Version", "Accuracy", "95 % interval", "Precision", "Recall", "F1 (macro)", "Answered", "USD a day")


def render(report: Mapping[str, Any], job_id: str) -> str:
    """Return the page of a report of `evaluation.run`."""
    functions = {each.__name__: each for each in (summary, comparisons, label_names, by_label)}
    values = {"report": report, "job_id": job_id, "title": "Classifiers side by side", "summary_names": SUMMARY}
    return templating.render("evaluation.html", **values, **functions)


def summary(versions: Sequence[Mapping[str, Any]]) -> list[list[tuple[str, str]]]:
    """Return a row for each version: its cells, each with the column's name."""
    rows = [
        [
            version["version"],
            f"{version['accuracy']:.1%}",
            "–".join(f"{bound:.1%}" for bound in version["accuracy_interval"]),
            *(f"{version[name]:.3f}" for name in ("precision_macro", "recall_macro", "f1_macro")),
            f"{version['answered']:,}",
            f"{version['usd_a_day']:.2f}",
        ]
        for version in versions
    ]
    return [list(zip(SUMMARY, row, strict=True)) for row in rows]


def comparisons(report: Mapping[str, Any]) -> list[str]:
    """Compare each pair of versions in a sentence (at 5 %), with what the better one costs beyond the other."""
    usd = {version["version"]: version["usd_a_day"] for version in report["versions"]}
    sentences = []
    for pair in report["comparisons"]:
        a, b = (pair["a"], pair["only_a_right"]), (pair["b"], pair["only_b_right"])
        better, worse = (a, b) if a[1] >= b[1] else (b, a)
        conclusion = "more than chance" if pair["p"] < 0.05 else "which may be chance"
        sentences.append(
            f"{better[0]} alone is right on {better[1]:,} tweets, {worse[0]} alone on {worse[1]:,}: "
            f"{conclusion} (McNemar, p = {pair['p']:.3g}). {price(better[0], worse[0], usd)}"
        )
    return sentences


def price(better: str, worse: str, usd: Mapping[str, float]) -> str:
    """Say in words what the better one costs beyond the worse."""
    more = usd[better] - usd[worse]
    if not more:
        return "Both cost the same."
    return f"{better} costs {abs(more):,.2f} USD a day {'more' if more > 0 else 'less'}."


def label_names(versions: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of the columns of `by_label`."""
    return ["Label", "Tweets", *(version["version"] for version in versions)]


def by_label(versions: Sequence[Mapping[str, Any]]) -> list[list[tuple[str, str]]]:
    """Return the labels of the file, the most frequent first; those that a version answers beyond them have no F1."""
    support = {label: s["support"] for version in versions for label, s in version["labels"].items() if s["support"]}
    rows = [
        [label, f"{support[label]:,}", *(f"{version['labels'][label]['f1']:.3f}" for version in versions)]
        for label in sorted(support, key=lambda label: (-support[label], label))
    ]
    names = label_names(versions)
    return [list(zip(names, row, strict=True)) for row in rows]
