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
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto;
  max-width: 60rem; padding: 0 1rem; overflow-wrap: break-word; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
p.note { color: var(--soft); }
.long { overflow-wrap: anywhere; min-width: 7em; }
.bar { margin: .6rem 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .6rem .35rem 0; border-bottom: 1px solid var(--line); text-align: right;
  vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; }
svg { width: 100%; height: auto; display: block; }
@media (max-width: 40rem) {
  body { margin: 1rem auto; }
  thead { display: none; }
  tr { display: block; border-bottom: 1px solid var(--line); padding: .4rem 0; }
  td, td:first-child { display: flex; justify-content: space-between; gap: 1rem; border: 0; padding: .1rem 0;
    text-align: right; }
  td:not(:first-child) { overflow-wrap: anywhere; }
  table, tbody { display: block; }
  td::before { content: attr(data-name); color: var(--soft); font-size: .85rem; text-align: left; flex: 0 0 45%; }
}
@media print {
  :root { --paper: #fff; --ink: #000; --soft: #444; }
  body { margin: 0; max-width: none; font-size: 10pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  th, td { padding: .2rem .4rem .2rem 0; font-size: 9pt; } tr, .bar { break-inside: avoid; }
}
"""


def render(report: Mapping[str, Any], job_id: str) -> str:
    """Return the page of a report of `evaluation.run`."""
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
    """Return accuracy as bars from 0 to 1, whiskers for the 95 % interval, each below its version's name."""
    parts = []
    for version in versions:
        low, high = version["accuracy_interval"]
        said = f"{version['version']}: {version['accuracy']:.1%}"
        parts.append(
            f'<div class="bar">{escape(said)}<svg viewBox="0 0 400 8" role="img" aria-label="{escape(said)}">'
            f'<rect y="0.5" width="{400 * version["accuracy"]:.1f}" height="7" fill="var(--bar)"/>'
            f'<path d="M{400 * low:.1f} 4H{400 * high:.1f}" stroke="var(--ink)" stroke-width="1.2"/></svg></div>'
        )
    return "".join(parts)


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
    return "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences) or "<p>There was but one version.</p>"


def price(better: str, worse: str, usd: Mapping[str, float]) -> str:
    """Say in words what the better one costs beyond the worse."""
    more = usd[better] - usd[worse]
    if not more:
        return "Both cost the same."
    return f"{better} costs {abs(more):,.2f} USD a day {'more' if more > 0 else 'less'}."


def by_label(versions: list[dict[str, Any]]) -> str:
    """Return the labels of the file, the most frequent first; those that a version answers beyond them have no F1."""
    support = {label: s["support"] for version in versions for label, s in version["labels"].items() if s["support"]}
    rows = [
        [label, f"{support[label]:,}", *(f"{version['labels'][label]['f1']:.3f}" for version in versions)]
        for label in sorted(support, key=lambda label: (-support[label], label))
    ]
    return table(["Label", "Tweets", *(version["version"] for version in versions)], rows)


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table; on a phone each row stands as a block, its cells named. Long names may be broken anywhere."""
    names = "".join(f"<th{long(name)}>{escape(name)}</th>" for name in head)
    lines = "".join(
        "<tr>"
        + "".join(
            f'<td data-name="{escape(n)}"{long(cell)}>{escape(cell)}</td>' for n, cell in zip(head, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{names}</tr></thead><tbody>{lines}</tbody></table>"


def long(text: str) -> str:
    return ' class="long"' if len(text) > 20 else ""
