"""List the classifiers: the bundled one, and every version that this stage had Comprehend train."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import IO, Any, cast

from botocore.exceptions import ClientError

from chalicelib import clients, times
from chalicelib.classifier import activation, bundled
from chalicelib.classifier.active import Active
from chalicelib.comprehend import client
from chalicelib.comprehend.client import FAILED, SERVING, TRAINED
from chalicelib.comprehend.scores import per_label
from chalicelib.telemetry import logger

USD_A_UNIT_SECOND = 0.0005  # of an endpoint, idle or not; a minute at least
USD_A_TRAINING_HOUR = 3.0
USD_A_MODEL_MONTH = 0.5
"""Of custom classification in us-east-1: https://aws.amazon.com/comprehend/pricing/"""

MOST_MATRIX_BYTES = 16 * 1024**2  # 1,000 classes, the most there can be, make some 4 MB

METRICS = {
    "accuracy": "Accuracy",
    "precision_macro": "Precision",
    "recall_macro": "Recall",
    "f1_macro": "F1Score",
    "precision_micro": "MicroPrecision",
    "recall_micro": "MicroRecall",
    "f1_micro": "MicroF1Score",
}
"""Ours to Comprehend's, whose Precision, Recall and F1Score are macro averages:
https://docs.aws.amazon.com/comprehend/latest/dg/cer-doc-class.html"""

CARD_METRICS = {"precision": "precision_macro", "recall": "recall_macro"}
"""The bundled classifier's model card to ours, where they differ."""


def head(version: str) -> str:
    """`kind` or `relevance`; the bundled classifier is both."""
    if version == bundled.version():
        return "both"
    return "relevance" if version.rsplit("-", 2)[-2:-1] == ["relevance"] else "kind"


def all_versions() -> list[dict[str, Any]]:
    """Return summaries of all versions, the bundled one first, then the newest."""
    hosted, active = client.endpoints(), activation.current()
    trained = [summary(p, hosted.get(p["DocumentClassifierArn"]), active) for p in client.trained_here()]
    return [bundled_summary(active), *trained]


def describe(version: str) -> dict[str, Any] | None:
    """Return a version's summary and its confusion matrix; None when there is no such version."""
    active = activation.current()
    if version == bundled.version():
        return bundled_summary(active)
    properties = client.find(version)
    if not properties:
        return None
    description = summary(properties, client.endpoints().get(properties["DocumentClassifierArn"]), active)
    matrix = confusion_matrix(properties) if properties["Status"] in TRAINED else None
    return description | {"confusion_matrix": matrix, "labels": per_label(**matrix) if matrix else None}


def bundled_summary(active: Active) -> dict[str, Any]:
    """Return the bundled classifier as a version like any other: ready, free, with the scores of its model card."""
    version = bundled.version()
    return {
        "version": version,
        "backend": "bundled",
        "head": "both",
        "status": "succeeded",
        "aws_status": None,
        "ready": True,
        "active": active.version == version,
        "metrics": {CARD_METRICS.get(name, name): score for name, score in bundled.metrics().items()},
        "cost": {"training_usd": 0.0, "model_usd_a_month": 0.0, "endpoint_usd_a_day": 0.0, "endpoint_usd_so_far": 0.0},
        "endpoint": None,
    }


def summary(properties: Mapping[str, Any], endpoint: Mapping[str, Any] | None, active: Active) -> dict[str, Any]:
    """Return what the API says of a version, from DocumentClassifierProperties and EndpointProperties."""
    version, metadata = properties["VersionName"], properties.get("ClassifierMetadata", {})
    hosted = endpoint_summary(endpoint) if endpoint else None
    measured = metadata.get("EvaluationMetrics", {})
    return {
        "version": version,
        "backend": "comprehend",
        "head": head(version),
        "status": status(properties["Status"], endpoint["Status"] if endpoint else None),
        "aws_status": properties["Status"],
        "error": properties.get("Message") or (endpoint or {}).get("Message"),
        "ready": properties["Status"] in TRAINED and endpoint is not None and endpoint["Status"] in SERVING,
        "active": endpoint is not None
        and endpoint["EndpointArn"] in (active.endpoint_arn, active.relevance_endpoint_arn),
        "language": properties.get("LanguageCode"),
        "data": properties["InputDataConfig"].get("S3Uri"),
        "test_data": properties["InputDataConfig"].get("TestS3Uri"),
        "submitted_at": _seconds(properties.get("SubmitTime")),
        "trained_at": _seconds(properties.get("TrainingEndTime")),
        "documents": {
            "trained": metadata.get("NumberOfTrainedDocuments"),
            "tested": metadata.get("NumberOfTestDocuments"),
        },
        "metrics": {ours: measured[theirs] for ours, theirs in METRICS.items() if theirs in measured},
        "cost": cost(properties, hosted),
        "endpoint": hosted,
    }


def status(classifier: str, endpoint: str | None) -> str:
    """AWS's two states as a job's: `running` while either changes, then `succeeded` or `failed`."""
    if classifier in FAILED or endpoint == "FAILED":
        return "failed"
    return "succeeded" if classifier in TRAINED and endpoint in (None, "IN_SERVICE") else "running"


def endpoint_summary(endpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Return an endpoint's state and price. Costs so far assume that its units never changed."""
    units = client.inference_units(endpoint)
    seconds = max(60.0, (datetime.now(UTC) - endpoint["CreationTime"]).total_seconds())
    return {
        "arn": endpoint["EndpointArn"],
        "aws_status": endpoint["Status"],
        "inference_units": units,
        "desired_inference_units": endpoint["DesiredInferenceUnits"],
        "created_at": times.seconds(endpoint["CreationTime"]),
        "usd_a_day": usd_a_day(units),
        "usd_so_far": round(seconds * units * USD_A_UNIT_SECOND, 2),
    }


def usd_a_day(units: int) -> float:
    """Return what an endpoint costs a day in USD, used or not."""
    return round(units * USD_A_UNIT_SECOND * 86_400, 2)


def cost(properties: Mapping[str, Any], endpoint: Mapping[str, Any] | None) -> dict[str, float]:
    """Return what a version has cost and costs, in USD."""
    began, ended = properties.get("TrainingStartTime"), properties.get("TrainingEndTime")
    hours = (ended - began).total_seconds() / 3600 if began and ended else 0.0
    return {
        "training_usd": round(hours * USD_A_TRAINING_HOUR, 2),
        "model_usd_a_month": USD_A_MODEL_MONTH,
        "endpoint_usd_a_day": endpoint["usd_a_day"] if endpoint else 0.0,
        "endpoint_usd_so_far": endpoint["usd_so_far"] if endpoint else 0.0,
        "inference_unit_usd_an_hour": round(USD_A_UNIT_SECOND * 3600, 2),
        "inference_unit_usd_a_day": usd_a_day(1),
    }


def confusion_matrix(properties: Mapping[str, Any]) -> dict[str, Any] | None:
    """`{"labels", "matrix"}` (rows are true labels, columns predicted) from the training's output.tar.gz, streamed."""
    bucket, _, key = properties.get("OutputDataConfig", {}).get("S3Uri", "").removeprefix("s3://").partition("/")
    try:
        body = clients.s3().get_object(Bucket=bucket, Key=key)["Body"]
        with tarfile.open(fileobj=cast("IO[bytes]", body), mode="r|gz") as tar:
            for entry in tar:
                if entry.name.endswith("confusion_matrix.json") and entry.size <= MOST_MATRIX_BYTES:
                    content = json.loads(cast("IO[bytes]", tar.extractfile(entry)).read())
                    return {"labels": content["labels"], "matrix": content["confusion_matrix"]}
    except (ClientError, tarfile.TarError, ValueError, KeyError) as error:
        logger.warning("no confusion matrix", extra={"bucket": bucket, "key": key, "error": repr(error)})
    return None


def _seconds(moment: datetime | None) -> str | None:
    return times.seconds(moment) if moment else None
