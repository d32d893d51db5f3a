"""The evaluation report as a page: one file, no scripts, nothing from the network, light and dark."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --line: #d1d9e0; --paper: #fff; --bar: #0969da; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9198a1; --line: #3d444d; --paper: #0d1117; --bar: #4493f8; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto;
  max-width: 60rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
p.note { color: var(--soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th { white-space: normal; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; }
svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--ink); font: 13px system-ui, sans-serif; }
@media print { body { margin: 0; max-width: none; } }
"""


def render(report: Mapping[str, Any], job_id: str) -> str:
    """The page of a report of `evaluation.run`."""
    parts = [
        f"<h1>Classifiers side by side</h1><p class=note>Evaluation {escape(job_id)}: {report['scored']:,} tweets of "
        f"{escape(report['data'])} ({report['documents']:,} documents, {report['sampled']:,} drawn) that every version "
        f"answered; the labels are of <b>{escape(report['head'])}</b>.</p>",
        bars(report["versions"]),
        summary(report["versions"]),
        "<h2>Is the difference more than chance?</h2>" + verdicts(report),
        "<h2>F1 of each label</h2>" + by_label(report["versions"]),
    ]
    meta = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    head = f"{meta}<title>Classifiers side by side</title><style>{STYLE}</style>"
    return f"<!doctype html><html lang=en><head>{head}</head><body>{''.join(parts)}</body></html>"


def bars(versions: list[dict[str, Any]]) -> str:
    """Accuracy as bars from 0 to 1, whiskers for the 95 % interval."""
    rows = []
    for i, version in enumerate(versions):
        y, (low, high) = 10 + 46 * i, version["accuracy_interval"]
        rows.append(
            f'<text x="0" y="{y + 12}">{escape(version["version"])}: {version["accuracy"]:.1%}</text>'
            f'<rect x="0" y="{y + 18}" width="{800 * version["accuracy"]:.1f}" height="14" fill="var(--bar)"/>'
            f'<path d="M{800 * low:.1f} {y + 25}H{800 * high:.1f}" stroke="var(--ink)" stroke-width="2"/>'
        )
    size = f'viewBox="0 0 800 {20 + 46 * len(versions)}"'
    return f'<svg {size} role="img" aria-label="Accuracy of each version">{"".join(rows)}</svg>'


def summary(versions: list[dict[str, Any]]) -> str:
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
    head = ["Version", "Accuracy", "95 % interval", "Precision", "Recall", "F1 (macro)", "Answered", "USD a day"]
    return table(head, rows)


def verdicts(report: Mapping[str, Any]) -> str:
    """A sentence a pair, at the usual 5 %, and what the one costs beyond the other: is it worth it?"""
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
    return "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences) or "<p>There was but one version.</p>"


def price(better: str, worse: str, usd: Mapping[str, float]) -> str:
    """What the better costs beyond the worse, in words."""
    more = usd[better] - usd[worse]
    if not more:
        return "Both cost the same."
    return f"{better} costs {abs(more):,.2f} USD a day {'more' if more > 0 else 'less'}."


def by_label(versions: list[dict[str, Any]]) -> str:
    """The labels of the file, the most frequent first; those that a version answers beyond them have no F1."""
    support = {label: s["support"] for version in versions for label, s in version["labels"].items() if s["support"]}
    rows = [
        [label, f"{support[label]:,}", *(f"{version['labels'][label]['f1']:.3f}" for version in versions)]
        for label in sorted(support, key=lambda label: (-support[label], label))
    ]
    return table(["Label", "Tweets", *(version["version"] for version in versions)], rows)


def table(head: list[str], rows: list[list[str]]) -> str:
    def row(cells: list[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return f"<div class=wide><table>{row(head, 'th')}{''.join(row(cells, 'td') for cells in rows)}</table></div>"
