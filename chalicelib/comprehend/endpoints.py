"""Make, resize, probe and delete the endpoints of Comprehend versions: one a version, paid by the second."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.classifier import activation
from chalicelib.classifier.active import Active
from chalicelib.comprehend import RefusedError, client, labelled
from chalicelib.settings import settings

PROBE = "Flood water is rising in the streets"


def name_for(stage: str, version: str) -> str:
    """Return the endpoint's name: from the version, within Comprehend's 40 characters for stages of up to 15."""
    return f"{client.classifier_name(stage)}-{hashlib.sha256(version.encode()).hexdigest()[:8]}"


def provide(properties: Mapping[str, Any], units: int, by: str) -> bool:
    """Create or resize a version's endpoint; return whether a change was started. Raises RefusedError."""
    version, model = properties["VersionName"], properties["DocumentClassifierArn"]
    if properties["Status"] not in client.TRAINED:
        raise RefusedError(f"{version} is {properties['Status']}: only a trained version can have an endpoint")
    endpoint = client.endpoints().get(model)
    if not endpoint:
        client.create_endpoint(name_for(settings().stage, version), model, units)
        return True
    if endpoint["DesiredInferenceUnits"] == units and endpoint["Status"] in ("CREATING", "UPDATING", "IN_SERVICE"):
        return bool(endpoint["Status"] != "IN_SERVICE")
    if endpoint["Status"] != "IN_SERVICE":
        raise RefusedError(
            f"The endpoint of {version} is {endpoint['Status']}: wait until it is IN_SERVICE, or delete it"
        )
    client.resize_endpoint(endpoint["EndpointArn"], units)
    active = activation.current()
    if active.endpoint_arn == endpoint["EndpointArn"]:
        activation.activate(replace(active, inference_units=units), by)
    return True


def remove(endpoint: Mapping[str, Any], by: str) -> bool:
    """Delete an endpoint; return whether it was active. Then the bundled classifier takes over first.

    Looks again afterwards, for who activates it meanwhile: that one looks for the endpoint after it has written what is
    active. So in either order of the two calls, one of them finds the other's change.
    """
    arn = endpoint["EndpointArn"]
    used = leave(arn, by)
    if endpoint["Status"] != "DELETING":
        client.delete_endpoint(arn)
    return leave(arn, by) or used


def leave(arn: str, by: str) -> bool:
    """Make the bundled classifier active if an endpoint is; return whether one was."""
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
    serving = {e["EndpointArn"] for e in client.endpoints().values() if e["Status"] in client.SERVING}
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
        scores = client.classify(PROBE, endpoint["EndpointArn"])
    except ClientError as error:
        raise RefusedError(f"The endpoint does not answer: {error}") from error
    label = client.label(scores)
    if label not in labelled.LABELS[head]:
        raise RefusedError(f"The endpoint answers {label!r}, which is not a {head} label of the warehouse")
    return label
