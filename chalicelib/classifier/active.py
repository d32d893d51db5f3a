"""Read which classifier is active: an SSM parameter, read again every minute, so that a switch needs no deployment."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import dataclass, field
from typing import Any

from chalicelib import clients

TIME_TO_LIVE = 60.0  # seconds
VERSION = re.compile(r"[\w.:/-]{1,63}", re.ASCII)  # 63: the longest name of a Comprehend model
BACKENDS = ("bundled", "comprehend")


def parameter_name(stage: str) -> str:
    """Return the name of the SSM parameter (a String holding JSON with the fields of `Active`)."""
    return f"/disaster-tweets/{stage}/classifier/active"


@dataclass(frozen=True)
class Active:
    """The classifier that labels tweets now."""

    version: str
    backend: str = "bundled"  # one of BACKENDS
    endpoint_arn: str | None = None  # Comprehend: tells the kind of disaster
    inference_units: int = 1  # of that endpoint: 100 characters a second each
    relevance_endpoint_arn: str | None = None  # Comprehend: tells relevance; None leaves it to the bundled classifier
    since: str = ""  # ISO 8601, UTC; empty for the default
    by: str = ""  # ARN of who activated it


def default() -> Active:
    """Return the classifier that is active before any activation."""
    from chalicelib.classifier import bundled

    return Active(version=bundled.version())


def from_json(value: str) -> Active:
    """Raise ValueError naming what is wrong with the parameter's value."""
    fields = json.loads(value)
    if not isinstance(fields, dict):
        raise ValueError(f"not a JSON object: {value[:80]!r}")
    version, backend, arn = fields.get("version"), fields.get("backend"), fields.get("endpoint_arn")
    units, relevance = fields.get("inference_units", 1), fields.get("relevance_endpoint_arn")
    if not isinstance(version, str) or not VERSION.fullmatch(version):
        raise ValueError(f"version must be up to 63 letters, digits and any of ._:/- but not {version!r}")
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {', '.join(BACKENDS)}, not {backend!r}")
    if not (arn is None or isinstance(arn, str)) or (backend == "comprehend" and not arn):
        raise ValueError(f"endpoint_arn must be the ARN of an endpoint, not {arn!r}")
    if not (relevance is None or isinstance(relevance, str)):
        raise ValueError(f"relevance_endpoint_arn must be the ARN of an endpoint or null, not {relevance!r}")
    if units is None or backend == "bundled":
        units = 1
    if type(units) is not int or units < 1:
        raise ValueError(f"inference_units must be a whole number from 1, not {units!r}")
    since, by = str(fields.get("since") or ""), str(fields.get("by") or "")
    return Active(version, backend, arn or None, units, relevance or None, since, by)


@dataclass
class _Cache:
    value: Active | None = None
    expires: float = field(default=float("-inf"))  # time.monotonic()


_cache = _Cache()


def forget() -> None:
    """Make the next `active()` ask SSM. Used after the parameter was written, and in tests."""
    global _cache
    _cache = _Cache()


def active() -> Active:
    """Return the active classifier, at most `TIME_TO_LIVE` old; the bundled one where no parameter is.

    Never raises: while SSM can't be reached or the value is broken, the last good one stays (the bundled one if
    there was none), each attempt is logged, and counted in the metric `ActiveClassifierUnreadable`.
    """
    if _cache.value is None or time.monotonic() >= _cache.expires:
        name = parameter_name(os.environ["STAGE"])
        try:
            _cache.value = _read(name)
        except Exception as error:  # whatever is wrong there, tweets still get labelled
            _cache.value = _cache.value or default()
            _report(name, error, _cache.value)
        _cache.expires = time.monotonic() + TIME_TO_LIVE
    return _cache.value


def _read(name: str) -> Active:
    ssm: Any = clients.ssm()
    try:
        return from_json(ssm.get_parameter(Name=name)["Parameter"]["Value"])
    except ssm.exceptions.ParameterNotFound:
        return default()


def _report(name: str, error: Exception, kept: Active) -> None:
    from aws_lambda_powertools import single_metric

    from chalicelib.telemetry import NAMESPACE, SERVICE, logger

    logger.error(
        "The active classifier can't be read; the last good one stays. PUT /classifier/active writes it again",
        extra={"parameter": name, "error": repr(error), "classifier_version": kept.version},
    )
    with single_metric(name="ActiveClassifierUnreadable", unit="Count", value=1, namespace=NAMESPACE) as metric:  # type: ignore[arg-type]
        metric.add_dimension(name="service", value=SERVICE)
