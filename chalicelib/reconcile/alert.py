"""Says what a run found: metrics always, a message only when something is lost or can't be repaired, and is new."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib import clients
from chalicelib.settings import settings
from chalicelib.telemetry import logger, metrics

SUBJECT = 100  # characters, SNS's limit: docs.aws.amazon.com/sns/latest/api/API_Publish.html
SHOWN = 20


def measure(report: Mapping[str, Any], seconds: float) -> None:
    """EMF metrics of a run. The alarm lost-tweets watches `Lost`."""
    tweets, files = report["tweets"], report["files"]
    emf = metrics()
    for name, count in {
        "Lost": tweets["lost"],
        "Late": tweets["late"],
        "Repaired": tweets["repaired"],
        "Waiting": tweets["waiting"],
        "FilesListed": files["listed"],
        "FilesRepaired": report["repairs"]["files"],
        "FilesOrphaned": files["orphaned"],
        "FilesUnreadable": files["unreadable"],
        "Incomplete": int(not report["complete"]),
    }.items():
        emf.add_metric(name, "Count", count)
    emf.add_metric("ReconcileSeconds", "Seconds", seconds)
    emf.flush_metrics()


def tell(report: Mapping[str, Any], job_id: str, new_trouble: int) -> bool:
    """Publishes a message if there is trouble that no run of the last month has told of; whether it did."""
    if report["verdict"] != "trouble" or not new_trouble:
        return False
    topic = settings().alert_topic_arn
    if not topic:
        logger.warning("trouble, and no topic to tell", extra={"report": job_id})
        return False
    subject, text = message(report, job_id, settings().stage)
    clients.sns().publish(TopicArn=topic, Subject=subject, Message=text)
    return True


def message(report: Mapping[str, Any], job_id: str, stage: str) -> tuple[str, str]:
    """(subject, text) for a person who will act on it."""
    tweets, files = report["tweets"], report["files"]
    what = [
        f"{tweets['lost']:,} tweets lost" if tweets["lost"] else "",
        f"{files['unreadable']:,} files unreadable" if files["unreadable"] else "",
        f"{files['orphaned']:,} files orphaned" if files["orphaned"] else "",
    ]
    summary = ", ".join(filter(None, what)) or "files that can't be repaired"
    lines = [
        f"Reconciliation {job_id} of disaster-tweets-{stage}: {summary}.",
        "",
        *(each for each in map(line, report["findings"]) if each),
        "",
        f"Report: s3://{settings().bucket}/reports/reconciliations/{job_id}.html, or GET /reconciliations/{job_id}",
        "What to do: docs/operations.md",
    ]
    return f"disaster-tweets-{stage}: {summary}"[:SUBJECT], "\n".join(lines[: SHOWN + 6])


def line(finding: Mapping[str, Any]) -> str:
    """One finding that nobody but a person can mend; empty for others."""
    if finding["action"] != "failed" and finding["state"] not in {"orphaned", "unreadable", "unanswered"}:
        return ""
    detail = f": {finding['detail']}" if finding["detail"] else ""
    rows = f"{finding['found_rows']:,} rows of {finding['expected_rows']:,}"
    return f"{finding['state']} {finding['s3_key']} ({rows}){detail}"
