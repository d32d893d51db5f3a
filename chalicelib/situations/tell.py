"""Publish a message about each new situation, once.

A run records that it will publish before it does so, in a transaction that two runs can't both commit. If publishing
fails, it withdraws the record. So no message is published twice. If the function dies between record and message, the
message is lost; the log of the run then lacks it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import clients, times
from chalicelib.reconcile import transaction
from chalicelib.settings import settings
from chalicelib.telemetry import logger
from chalicelib.warehouse.statements import named

SUBJECT = 100  # characters, SNS's limit: docs.aws.amazon.com/sns/latest/api/API_Publish.html
NAMED = 3  # places in a message's words


def tell(run_id: str, now: datetime, patience: float) -> int:
    """Publish a message about each new situation; return how many were published. Raises WarehouseError."""
    topic = settings().situation_topic_arn
    if not topic:
        return 0
    statements = [transaction.SQL["lock"], named("situations/claim"), named("situations/claimed")]
    claim = f"{run_id[:20]}-{secrets.token_hex(4)}"  # its own, should Lambda invoke a job twice
    given = {"run": claim, "now": times.sql(now)}
    (claimed,) = transaction.run(statements, given, answers=1, patience=patience)
    return sum(_publish(row, claim, topic, patience) for row in claimed)


def _publish(row: Mapping[str, Any], claim: str, topic: str, patience: float) -> bool:
    stage = settings().stage
    try:
        clients.sns().publish(
            TopicArn=topic,
            Subject=subject(row, stage),
            Message=message(row, stage),
            MessageStructure="json",
            MessageAttributes=attributes(row),
        )
    except (ClientError, BotoCoreError):
        logger.exception("a situation was not told", extra={"situation": row["situation_id"]})
        given = {"situation": row["situation_id"], "run": claim}
        transaction.run([transaction.SQL["lock"], named("situations/give_back")], given, answers=0, patience=patience)
        return False
    logger.info("a situation was told", extra={"situation": row["situation_id"], "claim": claim})
    return True


def message(row: Mapping[str, Any], stage: str) -> str:
    """Return a message for each kind of subscriber: words for people, JSON for programs.

    docs.aws.amazon.com/sns/latest/dg/sns-send-custom-platform-specific-payloads-mobile-devices.html
    """
    return json.dumps(
        {
            "default": json.dumps(times.written(row), ensure_ascii=False),
            "email": words(row, stage),
            "sms": subject(row, stage),
        },
        ensure_ascii=False,
    )


def attributes(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the message attributes for a subscription's filter policy."""
    texts = {name: row[name] for name in ("kind", "country_code", "place", "severity") if row[name]}
    numbers = {name: str(row[name]) for name in ("distinct_texts", "peak_texts")}
    return {
        **{name: {"DataType": "String", "StringValue": value} for name, value in texts.items()},
        **{name: {"DataType": "Number", "StringValue": value} for name, value in numbers.items()},
    }


def subject(row: Mapping[str, Any], stage: str) -> str:
    """Return the subject, with kind and place: in ASCII, as SNS requires."""
    text = f"disaster-tweets-{stage}: {row['name']} {where(row)}"
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text)[:SUBJECT]


def where(row: Mapping[str, Any]) -> str:
    """Return the place of a situation, in words."""
    if row["place"] and row["country_code"]:
        return f"in {row['place']} ({row['country_code']})"
    return f"in {row['country_code']}" if row["country_code"] else "in no one country"


def words(row: Mapping[str, Any], stage: str) -> str:
    """Return the message for a person."""
    places = ", ".join(str(each["place"]) for each in (row["places"] or [])[:NAMED])
    types = ", ".join(
        f"{each['information_type'].replace('_', ' ')} {each['posts']:,}" for each in row["information_types"] or []
    )
    lines = [
        f"{row['name']} {where(row)}, since {row['began_at']:%Y-%m-%d %H:%M} UTC.",
        f"{row['posts']:,} posts with {row['distinct_texts']:,} distinct texts until {row['last_at']:%H:%M}."
        f" In the hour from {row['peak_at']:%H:%M} there were {row['peak_texts']:,} texts;"
        f" {row['expected_texts']:.1f} were to be expected.",
        f"Places: {places}" if places else "",
        f"They tell: {types}" if types else "",
        "",
        f"Situation {row['situation_id']} of disaster-tweets-{stage}, {row['severity']}."
        " GET /situations has the posts that show it, each with its file and line.",
    ]
    return "\n".join(lines)
