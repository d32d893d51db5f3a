"""Write which classifier is active. Every running Lambda reads it, with `active`, within a minute."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from chalicelib import clients, times
from chalicelib.classifier import active as reading
from chalicelib.classifier import bundled
from chalicelib.classifier.active import Active
from chalicelib.settings import settings


def current() -> Active:
    """Return what is active now, without a cache; the bundled classifier if the parameter is missing or broken.

    (A broken value keeps the last good one in running Lambdas; a fresh one starts with the bundled classifier.)
    """
    ssm: Any = clients.ssm()
    try:
        name = reading.parameter_name(settings().stage)
        active = reading.from_json(ssm.get_parameter(Name=name)["Parameter"]["Value"])
    except (ssm.exceptions.ParameterNotFound, ValueError):
        return reading.default()
    # Whichever bundled model was activated, the one that labels is the one that was deployed since.
    return replace(active, version=bundled.version()) if active.backend == "bundled" else active


def activate(wanted: Active, by: str) -> Active:
    """Make `wanted` active. If it is active already, its `since` and `by` stay unchanged."""
    now = current()
    if now.since and replace(wanted, since=now.since, by=now.by) == now:
        return now
    new = replace(wanted, since=times.seconds(datetime.now(UTC)), by=by)
    name, value = reading.parameter_name(settings().stage), json.dumps(asdict(new))
    clients.ssm().put_parameter(Name=name, Value=value, Type="String", Overwrite=True)
    reading.forget()
    return new


def activate_bundled(by: str) -> Active:
    """Make the bundled classifier active, which needs no endpoint."""
    return activate(Active(version=bundled.version()), by)
