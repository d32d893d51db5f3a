"""A job without a report as a page for people: it is still running, or it failed. One file, nothing fetched or run."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --paper: #fff; --tone: #0969da; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9198a1; --paper: #0d1117; --tone: #79c0ff; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 0 auto;
  max-width: 48rem; padding: 1.5rem 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.55rem; margin: 0; } .note { color: var(--soft); font-size: .9rem; }
main { border-left: .4rem solid var(--tone); padding-left: 1rem; } .failed { --tone: #d1242f; }
code { font: .85em ui-monospace, monospace; }
"""
WHAT = {"reconciliations": "reconciliation", "evaluations": "evaluation"}
AGAIN = {
    "reconciliations": "Read the log of the function <code>reconcile</code>; mostly the warehouse can't be reached. "
    "What was done stays done, and it may run again at any time: <code>POST /reconciliations</code>.",
    "evaluations": "Put right what the error names, and start it again.",
}


def render(job: Mapping[str, Any]) -> str:
    """Return the page of a job that is `running` or `failed`, with its error and what to do."""
    what = WHAT.get(job["kind"], "job")
    failed = job["status"] == "failed"
    title = f"The {what} failed" if failed else f"The {what} is still running"
    said = [f"<h1>{escape(title)}</h1>"]
    if failed:
        said.append(f"<p>{escape(str(job.get('error') or 'It left no error.'))}</p>")
        said.append(f"<p><b>Do:</b> {AGAIN.get(job['kind'], AGAIN['evaluations'])}</p>")
    else:
        said.append(f"<p>{escape(progress(job))}Load this page again in a while.</p>")
    when = " to ".join(str(job[name])[:19].replace("T", " ") for name in ("started_at", "finished_at") if job.get(name))
    said.append(f'<p class="note">{escape(job["id"])}, {escape(when)} UTC</p>')
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style>"
    )
    body = f'<main class="{escape(job["status"])}">{"".join(said)}</main>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>'


def progress(job: Mapping[str, Any]) -> str:
    """Return how far the job is as a sentence, nothing where it doesn't say."""
    told = job.get("progress")
    if not told:
        return ""
    count = f" ({told['done']:,}{' of ' + format(told['of'], ',') if 'of' in told else ''})" if "done" in told else ""
    return f"So far: {told['step']}{count}. "
