"""Find the endpoints that cost money and label no tweet."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import times
from chalicelib.classifier import activation
from chalicelib.classifier.active import Active
from chalicelib.comprehend import client, versions
from chalicelib.telemetry import logger
from chalicelib.warehouse import data_api, statements

IDLE_SECONDS = 3600


def endpoints() -> list[dict[str, Any]]:
    """Return the endpoints that labelled no tweet for an hour: `{"version", "endpoint_arn", "idle_seconds",
    "cost_usd"}`.

    Use is read off the warehouse: the arrival of the latest tweet that the endpoint's version labelled, else the
    endpoint's creation. (CloudWatch counts calls, but also probes and evaluations, and wants another permission.)
    Asks the warehouse nothing when there is no endpoint. `cost_usd` is its cost since it was last used.
    """
    hosted = [e for e in client.endpoints().values() if e["Status"] == "IN_SERVICE"]
    active = activation.current() if hosted else None
    return [idle for e in hosted if active and (idle := idleness(e, last_use(e, active), datetime.now(UTC)))]


def endpoints_or_none() -> list[dict[str, Any]] | None:
    """Return what `endpoints` returns, or None if AWS or the warehouse can't be asked."""
    try:
        return endpoints()
    except (ClientError, BotoCoreError, data_api.WarehouseError):
        logger.exception("idle endpoints unknown")
        return None


def idleness(endpoint: Mapping[str, Any], used: datetime, now: datetime) -> dict[str, Any] | None:
    """Return what `endpoints` says of one endpoint that was last used at `used`; None within the hour."""
    seconds = int((now - used).total_seconds())
    if seconds < IDLE_SECONDS:
        return None
    return {
        "version": version_of(endpoint),
        "endpoint_arn": endpoint["EndpointArn"],
        "idle_seconds": seconds,
        "cost_usd": round(seconds * client.inference_units(endpoint) * versions.USD_A_UNIT_SECOND, 2),
    }


def last_use(endpoint: Mapping[str, Any], active: Active) -> datetime:
    """Return the arrival of the latest tweet that an endpoint labelled. (Rows name the version that told the kind;
    where the endpoint tells relevance beside it, it was of use with that.)"""
    arn = endpoint["EndpointArn"]
    created: datetime = endpoint["CreationTime"].astimezone(UTC)
    version = active.version if arn == active.relevance_endpoint_arn else version_of(endpoint)
    rows = data_api.query(statements.named("comprehend/last_use"), {"version": version, "since": times.sql(created)})
    seconds = rows[0]["last_use"] if rows else None
    return created if seconds is None else max(created, datetime.fromtimestamp(float(seconds), UTC))


def version_of(endpoint: Mapping[str, Any]) -> str:
    """Return the version that an endpoint hosts, from its model's ARN (`…/version/<version>`)."""
    return str(endpoint["ModelArn"]).rsplit("/", 1)[-1]
