"""Endpoints of Comprehend versions: made, resized, deleted, and found idle. One a version, paid by the second."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import clients, times
from chalicelib.classifier import activation, labelled, versions
from chalicelib.classifier.active import Active
from chalicelib.settings import settings
from chalicelib.telemetry import logger

MAX_UNITS = 10
"""An endpoint: https://docs.aws.amazon.com/comprehend/latest/dg/guidelines-and-limits.html"""
IDLE_SECONDS = 3600
PROBE = "Flood water is rising in the streets"


class RefusedError(Exception):
    """Not possible in the present state; says what to do first."""


def name_for(stage: str, version: str) -> str:
    """Return the endpoint's name: from the version, within Comprehend's 40 characters for stages of up to 15."""
    return f"{versions.classifier_name(stage)}-{hashlib.sha256(version.encode()).hexdigest()[:8]}"


def provide(properties: Mapping[str, Any], units: int, by: str) -> bool:
    """Create a version's endpoint or gives it other units; whether anything was started. Raises RefusedError."""
    version, model = properties["VersionName"], properties["DocumentClassifierArn"]
    if properties["Status"] not in versions.TRAINED:
        raise RefusedError(f"{version} is {properties['Status']}: only a trained version can have an endpoint")
    comprehend, endpoint = clients.comprehend(), versions.endpoints().get(model)
    if not endpoint:
        comprehend.create_endpoint(
            EndpointName=name_for(settings().stage, version), ModelArn=model, DesiredInferenceUnits=units
        )
        return True
    if endpoint["DesiredInferenceUnits"] == units and endpoint["Status"] in ("CREATING", "UPDATING", "IN_SERVICE"):
        return bool(endpoint["Status"] != "IN_SERVICE")
    if endpoint["Status"] != "IN_SERVICE":
        raise RefusedError(
            f"The endpoint of {version} is {endpoint['Status']}: wait until it is IN_SERVICE, or delete it"
        )
    comprehend.update_endpoint(EndpointArn=endpoint["EndpointArn"], DesiredInferenceUnits=units)
    active = activation.current()
    if active.endpoint_arn == endpoint["EndpointArn"]:
        activation.activate(replace(active, inference_units=units), by)
    return True


def remove(endpoint: Mapping[str, Any], by: str) -> bool:
    """Delete an endpoint; whether it was active, in which case the bundled classifier takes over first.

    Looks again afterwards, for who activates it meanwhile: that one looks for the endpoint after it has written what is
    active. So whichever order the two calls come in, one of them finds what the other has done.
    """
    arn = endpoint["EndpointArn"]
    used = leave(arn, by)
    if endpoint["Status"] != "DELETING":
        clients.comprehend().delete_endpoint(EndpointArn=arn)
    return leave(arn, by) or used


def leave(arn: str, by: str) -> bool:
    """Have no tweet labelled by an endpoint, if one is: the bundled classifier takes over. Returns whether one was."""
    active = activation.current()
    if arn not in (active.endpoint_arn, active.relevance_endpoint_arn):
        return False
    if arn == active.endpoint_arn:
        activation.activate_bundled(by)
    else:
        activation.activate(replace(active, relevance_endpoint_arn=None), by)
    return True


def leave_deleted(active: Active, by: str) -> list[str]:
    """Leave the endpoints of what has just become active that are no longer there or go away; return their ARNs."""
    serving = {e["EndpointArn"] for e in versions.endpoints().values() if e["Status"] in versions.SERVING}
    used = (active.endpoint_arn, active.relevance_endpoint_arn)
    gone = [arn for arn in used if arn and arn not in serving]
    for arn in gone:
        leave(arn, by)
    return gone


def probe(endpoint: Mapping[str, Any], head: str) -> str:
    """Return the endpoint's label for a sample text.

    Raises RefusedError unless the endpoint answers with a label of its head.
    """
    try:
        answer = clients.comprehend().classify_document(Text=PROBE, EndpointArn=endpoint["EndpointArn"])
    except ClientError as error:
        raise RefusedError(f"The endpoint does not answer: {error}") from error
    label = max(answer["Classes"], key=lambda c: c["Score"])["Name"]
    if label not in labelled.LABELS[head]:
        raise RefusedError(f"The endpoint answers {label!r}, which is no {head} label the warehouse knows")
    return label


LAST_USE = """
SELECT EXTRACT(EPOCH FROM MAX(arrived_at)) AS last_use
FROM disaster.disaster_tweets
WHERE classifier_version = :version AND arrived_at >= CAST(:since AS TIMESTAMP)
"""


def idle() -> list[dict[str, Any]]:
    """Return the endpoints that labelled no tweet for an hour: `{"version", "endpoint_arn", "idle_seconds",
    "cost_usd"}`.

    Use is read off the warehouse: the arrival of the latest tweet that the endpoint's version labelled, else the
    endpoint's creation. (CloudWatch counts calls, but also probes and evaluations, and wants another permission.)
    Asks the warehouse nothing when there is no endpoint. `cost_usd` is what it has cost since it was last of use.
    """
    hosted = [e for e in versions.endpoints().values() if e["Status"] == "IN_SERVICE"]
    active = activation.current() if hosted else None
    return [found for e in hosted if active and (found := idleness(e, last_use(e, active), datetime.now(UTC)))]


def idle_or_unknown() -> list[dict[str, Any]] | None:
    """Return what `idle` returns; None where it could not be found out. What asks for it goes on without."""
    from chalicelib.warehouse import data_api

    try:
        return idle()
    except (ClientError, BotoCoreError, data_api.WarehouseError):
        logger.exception("idle endpoints unknown")
        return None


def idleness(endpoint: Mapping[str, Any], used: datetime, now: datetime) -> dict[str, Any] | None:
    """Return what `idle` says of one endpoint that was last used at `used`; None within the hour."""
    seconds = int((now - used).total_seconds())
    if seconds < IDLE_SECONDS:
        return None
    units = endpoint.get("CurrentInferenceUnits") or endpoint["DesiredInferenceUnits"]
    return {
        "version": version_of(endpoint),
        "endpoint_arn": endpoint["EndpointArn"],
        "idle_seconds": seconds,
        "cost_usd": round(seconds * units * versions.USD_A_UNIT_SECOND, 2),
    }


def last_use(endpoint: Mapping[str, Any], active: Active) -> datetime:
    """Return the arrival of the latest tweet that an endpoint labelled. (Rows name the version that told the kind;
    where the endpoint tells relevance beside it, it was of use with that.)"""
    from chalicelib.warehouse import data_api

    arn = endpoint["EndpointArn"]
    created: datetime = endpoint["CreationTime"].astimezone(UTC)
    version = active.version if arn == active.relevance_endpoint_arn else version_of(endpoint)
    rows = data_api.query(LAST_USE, {"version": version, "since": times.sql(created)})
    seconds = rows[0]["last_use"] if rows else None
    return created if seconds is None else max(created, datetime.fromtimestamp(float(seconds), UTC))


def version_of(endpoint: Mapping[str, Any]) -> str:
    """Return the version that an endpoint hosts, from its model's ARN (`…/version/<version>`)."""
    return str(endpoint["ModelArn"]).rsplit("/", 1)[-1]
