"""Render the page of a reconciliation report: a summary in words, files and charts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chalicelib.pages import charts, templating
from chalicelib.pages.words import counted, plural

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
    "failed": "Fix the cause that the reason names; each run tries again.",
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
MOST_ROWS = 100  # of a table


def render(report: Mapping[str, Any], job_id: str) -> str:
    """Return the page of a report of `report.build`."""
    return templating.render("reconciliation.html", **context(report, job_id))


def context(report: Mapping[str, Any], job_id: str) -> dict[str, Any]:
    """Return the template's variables: the report, and the functions that put it into words."""
    return {
        "report": report,
        "job_id": job_id,
        "title": VERDICTS[report["verdict"]] if "verdict" in report else "",
        "states": [*charts.STATES.items(), ("empty", "no tweets")],
        "tones": TONES,
        "most_rows": MOST_ROWS,
        **{each.__name__: each for each in (summary, looked_at, tiles, urgent, loaded_lines, done, to_do, why, effort)},
        "counted": counted,
    }


def looked_at(report: Mapping[str, Any]) -> str:
    """Say which hours the run looked at, and when."""
    where = report["looked_at"]
    looked = "No hour was due" if report["warehouse"]["woken"] else "Looked only at S3"
    if where["from"]:
        start = where["from"][:13].replace("T", " ")
        stop = min(where["to"][:13] + ":59", report["as_of"][:16]).replace("T", " ")  # no hour is over before it is
        looked = f"Looked at {plural(where['hours'], 'hour')} of tweet files, {start}:00 to {stop} UTC"
    as_of = report["as_of"].replace("T", " ").rstrip("Z")
    return f"{looked}; as of {as_of} UTC."


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
        "" if report["repair"] else "This run compared only; it did not repair.",
        counted(tweets["waiting"], "{} on the way.", "tweet", verb=True),
        f"Repairs stopped: {repairs['stopped']}." if repairs["stopped"] else "",
    ]
    if not report["warehouse"]["woken"]:
        said.append(f"The warehouse was not woken: {report['warehouse']['why']}.")
    return " ".join(filter(None, said)) or f"{plural(files['listed'], 'tweet file')} compared, nothing had to be done."


def tiles(tweets: Mapping[str, int]) -> list[tuple[str, int, str]]:
    """Return the numbers at the top: how each stands out, the number, what it counts."""
    return [
        ("", tweets["expected"], "tweets in files"),
        ("", tweets["loaded"], "found loaded"),
        ("", tweets["waiting"], "on the way"),
        ("mended" if tweets["late"] else "", tweets["late"], "late"),
        ("", tweets["repaired"], "repaired"),
        ("alarm" if tweets["lost"] else "", tweets["lost"], "lost"),
    ]


def urgent(findings: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the files in trouble, the most urgent first."""
    shown = (finding for finding in findings if finding["state"] != "unanswered")
    return sorted(shown, key=lambda each: URGENT.index(each["action"]))


def loaded_lines(finding: Mapping[str, Any]) -> str:
    """Return what of the file is in the warehouse, in words."""
    rows, distinct, expected = (finding[name] for name in ("found_rows", "found_lines", "expected_rows"))
    if finding["state"] == "orphaned" or not expected:
        return f"{plural(rows, 'row')} of no file"
    return f"{distinct:,} of {plural(expected, 'line')}" + (
        f", {plural(rows - distinct, 'row')} too many" if rows > distinct else ""
    )


def to_do(finding: Mapping[str, Any]) -> str:
    """Return what a person should do about a file."""
    if finding["action"] == "none" and finding["state"] in TO_DO:
        return TO_DO[finding["state"]]
    return TO_DO["unreadable" if finding["state"] == "unreadable" else finding["action"]]


def done(finding: Mapping[str, Any]) -> tuple[str, str]:
    """Return what was done about a file: the tone of a tag, or none, and the words."""
    tone, words = ACTIONS[finding["action"]]
    if finding["state"] == "unreadable" and finding["action"] == "none":
        words = "unchanged since it was found unreadable"
    if finding["state"] == "orphaned":
        words = "reported; orphans are never deleted"
    return tone, words


def why(unanswered: Mapping[str, Any]) -> str:
    """Return why records got no answer: Firehose's error codes, or what is wrong with the file."""
    codes = ", ".join(f"{code} ({count:,})" for code, count in unanswered["error_codes"].items())
    return codes or unanswered["trouble"] or ""


def effort(report: Mapping[str, Any], job_id: str) -> str:
    """Say what the run took."""
    return (
        f"Reconciliation {job_id}: {plural(report['files']['listed'], 'file')} listed with "
        f"{plural(report['looked_at']['list_requests'], 'request')}, "
        f"{plural(report['repairs']['transactions'], 'repair transaction')}, "
        f"grace period {charts.duration(report['grace_seconds'])}."
    )
