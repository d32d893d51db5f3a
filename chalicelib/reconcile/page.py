"""The report as a page for people: one file, no scripts, nothing from the network, light and dark, good to print."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from chalicelib.reconcile import charts

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --line: #d8dee4; --paper: #fff;
  --card: #f6f8fa; --bar: #0969da; --weak: #a9cdf5; --good: #2da44e; --calm: #afb8c1;
  --warn: #9a6700; --amber: #d4a72c; --bad: #d1242f; --on: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9198a1; --line: #30363d; --paper: #0d1117; --card: #161b22; --bar: #79c0ff;
    --weak: #1f4b80; --good: #238636; --calm: #57606a; --warn: #d29922; --amber: #bb8009; --bad: #f85149;
    --on: #0d1117; }
}
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 0 auto;
  max-width: 66rem; padding: 1.5rem 1rem 3rem; font-variant-numeric: tabular-nums; }
h1 { font-size: 1.55rem; line-height: 1.25; margin: 0 0 .25rem; text-wrap: balance; }
h2 { font-size: 1.05rem; margin: 0 0 .6rem; }
p { margin: .3rem 0; } .note { color: var(--soft); font-size: .9rem; }
header { border-left: .4rem solid var(--tone); padding-left: 1rem; }
.well, .repaired { --tone: var(--good); } .differs { --tone: var(--warn); } .trouble { --tone: var(--bad); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .6rem; margin: 1.4rem 0; }
.tiles div { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .8rem; }
.tiles b { display: block; font-size: 1.45rem; line-height: 1.2; font-weight: 650; }
.tiles span { color: var(--soft); font-size: .85rem; }
.tiles .alarm b { color: var(--bad); } .tiles .mended b { color: var(--warn); }
.charts { columns: 2 20rem; column-gap: 2.5rem; margin-bottom: 2rem; }
.charts section { break-inside: avoid; }
section { margin: 0 0 2rem; }
main { margin-top: 2rem; }
svg { width: 100%; height: auto; display: block; } svg.key { width: .7rem; height: .7rem; display: inline-block; }
svg text { fill: var(--soft); font: 12px system-ui, sans-serif; }
.settled { fill: var(--good); } .open { fill: var(--calm); } rect.repaired { fill: var(--amber); }
.troubled, .absent { fill: var(--bad); } .empty { fill: none; stroke: var(--line); }
.bar, .point { fill: var(--bar); } .weak, .range { fill: var(--weak); } .track { fill: var(--card); }
.grid { stroke: var(--line); } .line { stroke: var(--bar); stroke-width: 1.5; fill: none; }
.mark { stroke: var(--on); stroke-width: 1.8; stroke-linecap: round; } .dot { fill: var(--paper); }
.needs { margin-top: 1.4rem; } .needs ul { margin: 0; padding: 0; list-style: none; }
.needs li { border: 1px solid var(--line); border-left: .4rem solid var(--bad); border-radius: .4rem;
  background: var(--card); margin: 0 0 .6rem; padding: .5rem .8rem; break-inside: avoid; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .85rem; color: var(--soft); }
.legend span { display: inline-flex; align-items: center; gap: .35rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th { color: var(--soft); font-weight: 600; font-size: .82rem; }
th, td { padding: .4rem .8rem .4rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
.n { text-align: right; white-space: nowrap; }
code { font: .85em ui-monospace, monospace; overflow-wrap: anywhere; }
.tag { display: inline-block; border-radius: 1rem; padding: 0 .6rem; font-size: .82rem; color: var(--on);
  background: var(--soft); }
.tag.bad { background: var(--bad); } .tag.warn { background: var(--warn); } .tag.good { background: var(--good); }
footer { border-top: 1px solid var(--line); padding-top: .8rem; }
@media (max-width: 40rem) {
  body { padding-top: 1rem; }
  .tiles { grid-template-columns: 1fr 1fr; }
  .wide thead { display: none; }
  .wide tr { display: block; border-bottom: 1px solid var(--line); padding: .5rem 0; }
  .n { white-space: normal; }
  .wide td { display: flex; gap: .8rem; border: 0; padding: .1rem 0; text-align: left; white-space: normal; }
  .wide td::before { content: attr(data-name); color: var(--soft); font-size: .82rem; flex: 0 0 5.5rem; }
}
@media print {
  :root { --paper: #fff; --ink: #000; --card: #fff; }
  body { max-width: none; padding: 0; font-size: 11pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  section, .tiles div { break-inside: avoid; } .long { break-inside: auto; } tr { break-inside: avoid; }
}
"""

VERDICTS = {
    "well": "Every tweet is in the warehouse",
    "repaired": "Every tweet is in the warehouse again",
    "differs": "Some tweets are still to be loaded",
    "trouble": "Something needs a person",
}
ACTIONS = {
    "none": ("", "reported"),
    "to_repair": ("warn", "the next run loads it"),
    "repaired": ("good", "loaded again"),
    "failed": ("bad", "could not be loaded"),
    "resolved": ("", "accepted as it is"),
}
URGENT = ("failed", "none", "to_repair", "repaired", "resolved")
TO_DO = {
    "orphaned": "Restore the file (the bucket keeps earlier versions), or replay its hour.",
    "unreadable": "Restore an earlier version of the file, or replay its hour.",
    "none": 'Let a run repair it: POST /reconciliations with {"repair": true}.',
    "to_repair": "Nothing.",
    "repaired": "Nothing.",
    "resolved": "Nothing.",
    "failed": "Put right what the reason names; each run tries again.",
}
TONES = {
    "new": "warn",
    "missing": "warn",
    "partial": "warn",
    "excess": "warn",
    "orphaned": "bad",
    "unreadable": "bad",
    "unanswered": "bad",
}
SHOWN = 100  # rows of a table


def render(report: Mapping[str, Any], job_id: str) -> str:
    """Return the page of a report of `report.build`."""
    title = VERDICTS[report["verdict"]]
    body = [
        header(report, title),
        needs(report),
        tiles(report["tweets"]),
        "<main>",
        *(part(report) for part in (findings, unanswered)),
        '<div class="charts">',
        *(part(report) for part in (strip, arrivals, lag, kinds, refused)),
        "</div>",
        *(part(report) for part in (idle, remarks)),
        "</main>",
        footer(report, job_id),
    ]
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>{escape(title)}</title><style>{STYLE}</style>'
    )
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(body)}</body></html>'


def header(report: Mapping[str, Any], title: str) -> str:
    where = report["looked_at"]
    looked = "No hour was due" if report["warehouse"]["woken"] else "Looked at S3 alone"
    if where["from"]:
        start = where["from"][:13].replace("T", " ")
        stop = min(where["to"][:13] + ":59", report["as_of"][:16]).replace("T", " ")  # no hour is over before it is
        looked = f"Looked at {plural(where['hours'], 'hour')} of tweet files, {start}:00 to {stop} UTC"
    as_of = report["as_of"].replace("T", " ").rstrip("Z")
    return (
        f'<header class="{escape(report["verdict"])}"><h1>{escape(title)}</h1><p>{escape(summary(report))}</p>'
        f'<p class="note">{escape(looked)}; as of {escape(as_of)} UTC.</p></header>'
    )


def summary(report: Mapping[str, Any]) -> str:
    """Say what happened, in a sentence or two."""
    tweets, files, repairs = report["tweets"], report["files"], report["repairs"]
    said = [
        counted(tweets["lost"], "{} can't be put back.", "tweet"),
        counted(files["unreadable"], "{} can't be read.", "file"),
        counted(files["orphaned"], "{} gone whose rows are in the warehouse.", "file", verb=True),
        counted(report["new"]["loaded"], "{} loaded for the first time.", "tweet", verb=True),
        counted(repairs["files"], "{} had to be loaded again.", "file"),
        counted(repairs["left_files"], "{} left to the next run.", "file", verb=True),
        "" if report["repair"] else "This run was to look only, not to repair.",
        counted(tweets["waiting"], "{} on the way.", "tweet", verb=True),
        f"Repairs stopped: {repairs['stopped']}." if repairs["stopped"] else "",
    ]
    if not report["warehouse"]["woken"]:
        said.append(f"The warehouse was not woken: {report['warehouse']['why']}.")
    return " ".join(filter(None, said)) or f"{plural(files['listed'], 'tweet file')} compared, nothing had to be done."


def counted(count: int, sentence: str, noun: str, verb: bool = False) -> str:
    """Put a number and its noun (and is or are) into a sentence at {}; return nothing for none."""
    what = plural(count, noun) + (f" {'is' if count == 1 else 'are'}" if verb else "")
    return sentence.format(what) if count else ""


def tiles(tweets: Mapping[str, int]) -> str:
    shown = [
        ("", tweets["expected"], "tweets in files"),
        ("", tweets["loaded"], "found loaded"),
        ("", tweets["waiting"], "on the way"),
        ("mended" if tweets["late"] else "", tweets["late"], "late"),
        ("", tweets["repaired"], "repaired"),
        ("alarm" if tweets["lost"] else "", tweets["lost"], "lost"),
    ]
    boxes = (f'<div class="{tone}"><b>{number:,}</b><span>{escape(what)}</span></div>' for tone, number, what in shown)
    return f'<div class="tiles">{"".join(boxes)}</div>'


def strip(report: Mapping[str, Any]) -> str:
    key = charts.legend([*charts.STATES.items(), ("empty", "no tweets")])
    return section("Hours and their state", charts.strip(report["hours"]) + key)


def arrivals(report: Mapping[str, Any]) -> str:
    key = charts.legend([("bar", "loaded"), ("open", "on the way"), ("absent", "not there")])
    return section("Tweets an hour", charts.arrivals(report["hours"]) + key)


def lag(report: Mapping[str, Any]) -> str:
    key = charts.legend([("bar", "mean"), ("range", "longest; a repair counts as a load")])
    return section("From arrival to load", charts.lag(report["hours"]) + key)


def kinds(report: Mapping[str, Any]) -> str:
    if not report["kinds"]:
        return section("Kinds of disaster", '<p class="note">No row in the hours looked at.</p>')
    key = charts.legend([("bar", "of a real disaster"), ("weak", "not")])
    return section("Kinds of disaster", charts.kinds(report["kinds"]) + key)


def findings(report: Mapping[str, Any]) -> str:
    """Show the files in trouble, and what was done."""
    found = [finding for finding in report["findings"] if finding["state"] != "unanswered"]
    if not found:
        return section("Files in trouble", '<p class="note">None.</p>')
    rows = [
        [
            tag(TONES.get(each["state"], ""), each["state"]),
            f"<code>{escape(each['s3_key'] or '(no key)')}</code>",
            escape(lines(each)),
            done(each),
            escape(to_do(each)),
        ]
        for each in sorted(found, key=lambda each: URGENT.index(each["action"]))[:SHOWN]
    ]
    more = f'<p class="note">{rest(len(found) - SHOWN)}</p>' if len(found) > SHOWN else ""
    head = ["state", "file", "found", "what was done", "what to do"]
    return section("Files in trouble", table(head, rows) + more, "long")


def lines(finding: Mapping[str, Any]) -> str:
    """Return what of the file is in the warehouse, in words."""
    rows, found, expected = (finding[name] for name in ("found_rows", "found_lines", "expected_rows"))
    if finding["state"] == "orphaned" or not expected:
        return f"{plural(rows, 'row')} of no file"
    return f"{found:,} of {plural(expected, 'line')}" + (
        f", {plural(rows - found, 'row')} too many" if rows > found else ""
    )


def to_do(finding: Mapping[str, Any]) -> str:
    """Return what a person should do about a file."""
    if finding["action"] == "none" and finding["state"] in TO_DO:
        return TO_DO[finding["state"]]
    return TO_DO["unreadable" if finding["state"] == "unreadable" else finding["action"]]


def needs(report: Mapping[str, Any]) -> str:
    """Return what needs a person, of all hours, each with what to do; nothing where there is none."""
    outstanding = report["outstanding"]
    if not outstanding["findings"]:
        return ""
    items = [
        f"<li>{tag('bad', each['kind'])} <code>{escape(each['s3_key'] or '(no key)')}</code>"
        + counted(each["tweets"], "<br>{} in no row.", "tweet", verb=True)
        + (f'<br><span class="note">{escape(each["detail"])}</span>' if each["detail"] else "")
        + f"<br><b>Do:</b> {escape(each['to_do'])}"
        + f'<br><span class="note">To accept it as it is: '
        f"<code>POST /findings/{escape(each['finding_id'])}/resolve</code></span></li>"
        for each in outstanding["shown"]
    ]
    left = outstanding["findings"] - len(items)
    more = f'<p class="note">{left:,} more: <code>GET /findings</code> has all.</p>' if left > 0 else ""
    return section("Needs a person", f"<ul>{''.join(items)}</ul>{more}", "needs")


def done(finding: Mapping[str, Any]) -> str:
    tone, words = ACTIONS[finding["action"]]
    if finding["state"] == "unreadable" and finding["action"] == "none":
        words = "unchanged since it was found unreadable"
    if finding["state"] == "orphaned":
        words = "reported; orphans are never deleted"
    detail = f'<br><span class="note">{escape(finding["detail"])}</span>' if finding["detail"] else ""
    return f"<span>{tag(tone, words) if tone else escape(words)}{detail}</span>"


def rest(count: int) -> str:
    return f"{count:,} more in the JSON and in disaster.reconciliation_finding."


def unanswered(report: Mapping[str, Any]) -> str:
    shown = report["unanswered"]["shown"]
    if not shown:
        return ""
    rows = [
        [
            f"<code>{escape(each['s3_key'])}</code>",
            escape(", ".join(f"{code} ({n:,})" for code, n in each["error_codes"].items()) or each["trouble"] or ""),
            number(f"{each['tweets']:,}"),
            number(f"{each['lost']:,}"),
        ]
        for each in shown
    ]
    note = (
        '<p class="note">Firehose wrote these records away. To bring back what is in no row, send them again: '
        "docs/operations.md, “What Firehose gave up”.</p>"
    )
    return section("Records without an answer", note + table(["file", "why", "tweets", "in no row"], rows), "long")


def refused(report: Mapping[str, Any]) -> str:
    rejected = report["rejected"]
    if not rejected["tweets"]:
        return ""
    rows = [[f"<code>{escape(r['reason'])}</code>", number(f"{r['tweets']:,}")] for r in rejected["reasons"]]
    if rejected["unread_tweets"]:
        rows.append(["not read", number(f"{rejected['unread_tweets']:,}")])
    where = f"{plural(rejected['tweets'], 'tweet')} in {plural(rejected['files'], 'file')} under rejected/."
    note = f'<p class="note">{where}</p>'
    samples = "".join(
        f"<li><code>{escape(each['reason'])}</code> {escape(each['message'])}"
        f'<br><code class="note">{escape(each["s3_key"])}</code>, line {each["line"]:,}</li>'
        for each in rejected.get("samples", [])  # reports of earlier versions have none
    )
    shown = f"<p>For example:</p><ul>{samples}</ul>" if samples else ""
    return section("Refused, by reason", note + table(["reason", "tweets"], rows) + shown, "long")


def idle(report: Mapping[str, Any]) -> str:
    endpoints = report["idle_endpoints"]
    if endpoints is None:
        return section("Idle endpoints", '<p class="note">Could not be found out; the log says why.</p>')
    if not endpoints:
        return ""
    rows = [
        [
            f"<code>{escape(each['version'])}</code>",
            number(charts.duration(each["idle_seconds"])),
            number(f"{each['cost_usd']:,.2f} USD"),
            f"<code>DELETE /classifier/versions/{escape(each['version'])}/endpoint</code>",
        ]
        for each in endpoints
    ]
    return section("Comprehend endpoints that idle, and cost", table(["version", "idle for", "spent", "ends it"], rows))


def remarks(report: Mapping[str, Any]) -> str:
    twice, given_up, foreign = report["twice"]["tweets"], report["given_up"]["manifests"], report["foreign_objects"]
    said = [
        counted(twice, "{} came more than once; the view <code>disaster.tweet</code> shows each once.", "tweet"),
        counted(given_up, "Firehose gave up on {}; what they were to load is compared here all the same.", "manifest"),
        counted(len(foreign), "{} under tweets/ whose names are no tweet files': ", "object"),
    ]
    if foreign:
        said[-1] += f"<code>{escape(', '.join(foreign[:3]))}</code>"
    items = "".join(f"<li>{each}</li>" for each in said if each)
    return section("Also seen", f"<ul>{items}</ul>") if items else ""


def footer(report: Mapping[str, Any], job_id: str) -> str:
    grace = charts.duration(report["grace_seconds"])
    said = (
        f"Reconciliation {job_id}: {plural(report['files']['listed'], 'file')} listed with "
        f"{plural(report['looked_at']['list_requests'], 'request')}, "
        f"{plural(report['repairs']['transactions'], 'repair transaction')}, grace period {grace}."
    )
    return f'<footer class="note">{escape(said)}</footer>'


def section(title: str, content: str, kind: str = "") -> str:
    return f'<section class="{kind}"><h2>{escape(title)}</h2>{content}</section>'


def tag(tone: str, words: str) -> str:
    return f'<span class="tag {tone}">{escape(words)}</span>'


def number(text: str) -> str:
    return f'<span class="n">{escape(text)}</span>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are HTML already. On a phone each row stands as a block, its cells named."""
    names = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = "".join(
        "<tr>"
        + "".join(f'<td data-name="{escape(n)}">{cell}</td>' for n, cell in zip(head, row, strict=True))
        + "</tr>"
        for row in rows
    )
    kind = "wide" if len(head) > 2 else ""
    return f'<table class="{kind}"><thead><tr>{names}</tr></thead><tbody>{lines}</tbody></table>'


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
