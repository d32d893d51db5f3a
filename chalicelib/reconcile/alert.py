"""Publish a run's metrics, and a message when a finding is outstanding that no message was about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import clients
from chalicelib.settings import settings
from chalicelib.telemetry import logger, metrics

SUBJECT = 100  # characters, SNS's limit: docs.aws.amazon.com/sns/latest/api/API_Publish.html
SHOWN = 20


def measure(report: Mapping[str, Any], seconds: float) -> None:
    """EMF metrics of a run. The alarm lost-tweets watches `Lost`."""
    tweets, files, outstanding = report["tweets"], report["files"], report["outstanding"]
    emf = metrics()
    for name, count in {
        "Lost": tweets["lost"],
        "Late": tweets["late"],
        "Repaired": tweets["repaired"],
        "Waiting": tweets["waiting"],
        "New": report["new"]["loaded"],
        "FilesListed": files["listed"],
        "FilesRepaired": report["repairs"]["files"],
        "FilesOrphaned": outstanding["orphaned"],
        "FilesUnreadable": outstanding["unreadable"],
        "Incomplete": int(not report["complete"]),
    }.items():
        emf.add_metric(name, "Count", count)
    emf.add_metric("ReconcileSeconds", "Seconds", seconds)
    emf.flush_metrics()


def tell(report: Mapping[str, Any], job_id: str) -> bool:
    """Publish an alert if a finding is outstanding that no message was about; return whether it was published.

    If the topic can't be reached, the run does not fail, and the next run publishes the alert.
    """
    if not report["outstanding"]["untold"]:
        return False
    topic = settings().alert_topic_arn
    if not topic:
        logger.warning("findings are outstanding, but there is no alert topic", extra={"report": job_id})
        return False
    subject, text = message(report, job_id, settings().stage)
    try:
        clients.sns().publish(TopicArn=topic, Subject=subject, Message=text)
    except (ClientError, BotoCoreError):
        logger.exception("message not published", extra={"report": job_id})
        return False
    return True


def message(report: Mapping[str, Any], job_id: str, stage: str) -> tuple[str, str]:
    """Return (subject, text) for a person who will act on it."""
    outstanding = report["outstanding"]
    what = [
        f"{outstanding['tweets']:,} tweets lost" if outstanding["tweets"] else "",
        f"{outstanding['unreadable']:,} files unreadable" if outstanding["unreadable"] else "",
        f"{outstanding['orphaned']:,} files orphaned" if outstanding["orphaned"] else "",
        f"{outstanding['refused']:,} files refused" if outstanding["refused"] else "",
    ]
    summary = ", ".join(filter(None, what)) or "records without an answer"
    lines = [
        f"Reconciliation {job_id} of disaster-tweets-{stage}: {summary}.",
        "",
        *map(line, outstanding["shown"][:SHOWN]),
        "",
        f"Report: s3://{settings().bucket}/reports/reconciliations/{job_id}.html, or GET /reconciliations/{job_id}",
        "What to do: GET /findings, and docs/operations.md",
    ]
    return f"disaster-tweets-{stage}: {summary}"[:SUBJECT], "\n".join(lines)


def line(finding: Mapping[str, Any]) -> str:
    """Return one outstanding finding in a line."""
    detail = f": {finding['detail']}" if finding["detail"] else ""
    rows = f"{finding['found_rows']:,} rows of {finding['expected_rows']:,}"
    return f"{finding['finding_id']} {finding['kind']} {finding['s3_key']} ({rows}){detail}"
