"""Build the report of a run as JSON. docs/reconciliation-report.schema.json describes each field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from chalicelib import times
from chalicelib.reconcile import findings
from chalicelib.reconcile.books import Answers
from chalicelib.reconcile.compare import LOADABLE, Compared
from chalicelib.reconcile.firehose_failures import FailedFile, GivenUp
from chalicelib.reconcile.job import Job
from chalicelib.reconcile.listing import Listing
from chalicelib.reconcile.refusals import Refusals
from chalicelib.reconcile.repair import Repairs

VERSION = 1
STATES = ("loaded", "waiting", *LOADABLE, "orphaned", "unreadable")
SHOWN = 100  # of each kind of file but findings


class Results(NamedTuple):
    """All that a run found and did."""

    job: Job
    listing: Listing
    compared: Compared
    repairs: Repairs
    answers: Answers
    refusals: Refusals
    failures: Sequence[FailedFile]
    given_up: GivenUp
    idle_endpoints: Sequence[Mapping[str, Any]] | None  # None where nobody could be asked


def build(results: Results) -> dict[str, Any]:
    """Build the report; everything in it is plain JSON."""
    job, listing, kept = results.job, results.listing, results.answers.kept
    tweets = counts(results)
    return {
        "schema_version": VERSION,
        "verdict": verdict(results),
        "complete": listing.complete and not results.repairs.stopped and not unrepaired(results.answers.actions),
        "as_of": times.seconds(job.now),
        "repair": job.repair,
        "grace_seconds": int(job.grace.total_seconds()),
        "looked_at": {
            "from": times.seconds(listing.hours[0]) if listing.hours else None,
            "to": times.seconds(listing.hours[-1]) if listing.hours else None,
            "hours": len(listing.hours),
            "list_requests": listing.requests,
            "swept": job.sweep,
        },
        "tweets": tweets,
        "new": new(results.answers.actions),
        "files": {
            "listed": listing.files,
            **{state: int(results.compared.totals.get(state, {}).get("files", 0)) for state in STATES},
            **_files_after(results),
        },
        "repairs": {
            "transactions": results.repairs.transactions,
            "files": repaired(results),
            "left_files": unrepaired(results.answers.actions),
            "stopped": results.repairs.stopped or None,
        },
        "findings": [finding(row) for row in results.answers.worst],
        "outstanding": {
            "findings": kept.total("outstanding"),
            "untold": kept.total("outstanding", "untold"),
            "tweets": kept.total("outstanding", "tweets"),
            **{which: kept.total("outstanding", kind=which) for which in findings.TO_DO},
            "shown": [outstanding(row) for row in kept.worst],
        },
        "resolved": {"findings": kept.total("resolved"), "tweets": kept.total("resolved", "tweets")},
        "rejected": {
            "tweets": results.refusals.tweets,
            "files": results.refusals.files,
            "reasons": [{"reason": name, "tweets": n} for name, n in results.refusals.reasons.most_common()],
            "unread_tweets": results.refusals.unread,
            "samples": [sample._asdict() for sample in results.refusals.samples],
        },
        "unanswered": {
            "files": len(results.failures),
            "records": sum(file.records for file in results.failures),
            "tweets": sum(file.tweets for file in results.failures),
            "lost": sum(file.lost for file in results.failures),
            "shown": [unanswered(file) for file in results.failures[:SHOWN]],
        },
        "given_up": {"manifests": results.given_up.manifests, "shown": list(results.given_up.newest)},
        "foreign_objects": results.listing.foreign,
        "twice": {"tweets": int(results.answers.twice["tweets"]), "extra_rows": int(results.answers.twice["extra"])},
        "hours": [hour(row) for row in results.answers.hours],
        "kinds": [kind(row) for row in results.answers.kinds],
        "idle_endpoints": None if results.idle_endpoints is None else [dict(each) for each in results.idle_endpoints],
    }


def counts(results: Results) -> dict[str, int]:
    """Count the tweets of the hours looked at by their state; `loaded` as it was when the run looked.

    `lost` is of all outstanding findings, whichever run found them.
    """
    totals, actions = results.compared.totals, results.answers.actions
    expected = sum(int(row["tweets"]) for row in totals.values())
    waiting = totals.get("waiting", {})
    of_files = [row for row in actions if row["state"] not in {"unanswered", "new"}]
    late = sum(int(row["absent"]) for row in of_files)
    after = sum(int(row["absent_after"]) for row in of_files)
    return {
        "expected": expected,
        "loaded": sum(int(row["loaded"]) for row in totals.values()),
        "waiting": int(waiting.get("tweets", 0)) - int(waiting.get("loaded", 0)),
        "late": late,
        "repaired": late - after,
        "lost": results.answers.kept.total("outstanding", "tweets"),
        "surplus_rows_removed": sum(int(row["doubled"]) for row in actions if row["action"] == "repaired"),
        "orphaned_rows": sum(int(row["found"]) for row in actions if row["state"] == "orphaned"),
    }


def new(actions: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return the files that no run had seen before, their tweets, and how many of these the run loaded."""
    rows = [row for row in actions if row["state"] == "new"]
    tweets = sum(int(row["absent"]) for row in rows)
    left = sum(int(row["absent_after"]) for row in rows)
    return {"files": sum(int(row["files"]) for row in rows), "tweets": tweets, "loaded": tweets - left}


def repaired(results: Results) -> int:
    """Return the files that are whole again; new ones that were loaded are not among them."""
    ordinary = (row for row in results.answers.actions if row["state"] == "new" and row["action"] == "repaired")
    return results.repairs.files - sum(int(row["files"]) for row in ordinary)


def unrepaired(actions: Sequence[Mapping[str, Any]]) -> int:
    """Return the files that are still to be repaired when the run ends."""
    return sum(int(row["files"]) for row in actions if row["action"] == "to_repair")


def verdict(results: Results) -> str:
    """Return `trouble` when a finding is outstanding, in whichever hour; `differs` when something could be repaired,
    but isn't yet; `repaired` when it was; `well` when there was nothing to do."""
    actions = results.answers.actions
    if results.answers.kept.total("outstanding"):
        return "trouble"
    if unrepaired(actions) or any(row["state"] in LOADABLE and row["action"] == "none" for row in actions):
        return "differs"
    return "repaired" if repaired(results) else "well"


def _files_after(results: Results) -> dict[str, int]:
    """Return states that the run corrected: files it found unreadable, orphans beyond the hours looked at."""
    by_state: dict[str, int] = {}
    for row in results.answers.actions:
        by_state[row["state"]] = by_state.get(row["state"], 0) + int(row["files"])
    return {state: by_state.get(state, 0) for state in (*LOADABLE, "orphaned", "unreadable")}


def finding(row: Mapping[str, Any]) -> dict[str, Any]:
    plain = {name: value for name, value in row.items() if name not in {"hour", "detail"}}
    return {**plain, "hour": times.seconds(row["hour"]) if row["hour"] else None, "detail": row["detail"]}


def outstanding(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return an outstanding finding as the report shows it, with what to do about it."""
    moments = {name: times.seconds(row[name]) if row[name] else None for name in ("hour", "opened_at", "told_at")}
    return {**row, **moments, "to_do": findings.TO_DO[row["kind"]]}


def unanswered(file: FailedFile) -> dict[str, Any]:
    return {
        "s3_key": file.key,
        "records": file.records,
        "tweets": file.tweets,
        "refused": file.refused,
        "lost": file.lost,
        "error_codes": dict(file.codes),
        "trouble": file.trouble or None,
    }


def hour(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "hour": times.seconds(row["hour"])}


def kind(row: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the tweets of one kind. A row that somebody else wrote may have no label, or one of no kind."""
    code = row["code"] or ""
    return {"code": code, "name": row["name"] or code or "(none)", "tweets": row["tweets"], "relevant": row["relevant"]}
