"""Call Amazon Comprehend. No other module calls it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from chalicelib import clients
from chalicelib.settings import settings

LANGUAGES = ("en", "es", "de", "it", "fr", "pt")
"""Of custom classification, one a model: docs.aws.amazon.com/comprehend/latest/dg/supported-languages.html"""
MAX_UNITS = 10
"""Inference units of an endpoint: docs.aws.amazon.com/comprehend/latest/dg/guidelines-and-limits.html"""
TRAINED = ("TRAINED", "TRAINED_WITH_WARNING")
FAILED = ("IN_ERROR", "STOPPED")
SERVING = ("IN_SERVICE", "UPDATING")


def classifier_name(stage: str) -> str:
    """Return the DocumentClassifierName that all versions of a stage share."""
    return f"disaster-tweets-{stage}"


def train(request: Any) -> None:
    """Have a version trained. `request`: CreateDocumentClassifier's parameters."""
    clients.comprehend().create_document_classifier(**request)


def trained_here() -> list[dict[str, Any]]:
    """Return DocumentClassifierProperties of this stage's versions, newest first."""
    pages = (
        clients.comprehend()
        .get_paginator("list_document_classifiers")
        .paginate(Filter={"DocumentClassifierName": classifier_name(settings().stage)})
    )
    properties = [cast("dict[str, Any]", p) for page in pages for p in page["DocumentClassifierPropertiesList"]]
    return sorted(properties, key=lambda p: p["SubmitTime"], reverse=True)


def find(version: str) -> dict[str, Any] | None:
    """Return DocumentClassifierProperties of a version."""
    return next((p for p in trained_here() if p.get("VersionName") == version), None)


def endpoints() -> dict[str, dict[str, Any]]:
    """Return EndpointProperties of this stage's endpoints, by the ARN of their model; one a version."""
    pages = clients.comprehend().get_paginator("list_endpoints").paginate()
    ours = f"document-classifier-endpoint/{classifier_name(settings().stage)}-"
    properties = [cast("dict[str, Any]", p) for page in pages for p in page["EndpointPropertiesList"]]
    return {p["ModelArn"]: p for p in properties if ours in p["EndpointArn"]}


def create_endpoint(name: str, model_arn: str, units: int) -> None:
    """Have an endpoint made for a version."""
    clients.comprehend().create_endpoint(EndpointName=name, ModelArn=model_arn, DesiredInferenceUnits=units)


def resize_endpoint(arn: str, units: int) -> None:
    """Have an endpoint given so many inference units."""
    clients.comprehend().update_endpoint(EndpointArn=arn, DesiredInferenceUnits=units)


def delete_endpoint(arn: str) -> None:
    """Have an endpoint deleted."""
    clients.comprehend().delete_endpoint(EndpointArn=arn)


def inference_units(endpoint: Mapping[str, Any]) -> int:
    """Return an endpoint's inference units; those it will have, while it is made."""
    return int(endpoint.get("CurrentInferenceUnits") or endpoint["DesiredInferenceUnits"])


def classify(text: str, endpoint_arn: str) -> dict[str, float]:
    """Return an endpoint's classes for a text, with their scores. Raises what boto3 raises."""
    answer = clients.comprehend().classify_document(Text=text, EndpointArn=endpoint_arn)
    return {each["Name"]: each["Score"] for each in answer["Classes"]}


def label(scores: Mapping[str, float]) -> str:
    """Return the class with the highest score."""
    return max(scores, key=scores.__getitem__)
