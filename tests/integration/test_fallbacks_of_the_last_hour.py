"""`GET /classifier/active` shows that Comprehend fails: how often the bundled classifier stood in for it."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
import requests
from botocore.exceptions import EndpointConnectionError

from chalicelib import clients
from chalicelib.comprehend import fallbacks
from chalicelib.telemetry import SERVICE
from local.aws.metrics import extract
from local.server import LocalAws

STAGE = "disaster-tweets-local"


def emf(fallbacks: int, at: float) -> str:
    """Return a line as Powertools logs it."""
    metrics = [{"Name": "Fallbacks", "Unit": "Count"}, {"Name": "Tweets", "Unit": "Count"}]
    directive = {"Namespace": "DisasterTweets", "Dimensions": [["service"]], "Metrics": metrics}
    about = {"Timestamp": int(at * 1000), "CloudWatchMetrics": [directive]}
    return json.dumps(
        {"_aws": about, "service": SERVICE, "Fallbacks": [fallbacks], "Tweets": [9.0]}, separators=(",", ":")
    )


def test_a_line_of_a_log_is_the_metrics_that_it_embeds() -> None:
    at = 1_767_322_800.0
    (namespace, values), *others = extract(emf(3, at)).items()
    assert (namespace, others) == ("DisasterTweets", [])
    dimensions = [{"Name": "service", "Value": SERVICE}]
    stamp = datetime.fromtimestamp(at, UTC)
    assert values == [
        {"MetricName": "Fallbacks", "Value": 3, "Dimensions": dimensions, "Timestamp": stamp},
        {"MetricName": "Tweets", "Value": 9.0, "Dimensions": dimensions, "Timestamp": stamp},
    ]


@pytest.mark.parametrize("line", ["", '{"level":"INFO"}', '{"_aws": broken', "Traceback"])
def test_any_other_line_is_none(line: str) -> None:
    assert extract(line) == {}


def shown(stack: LocalAws) -> Any:
    return requests.get(f"{stack.admin_url}/classifier/active", timeout=30).json()["fallbacks_last_hour"]


def test_the_fallbacks_of_the_last_hour_are_counted_and_no_others(stack: LocalAws) -> None:
    before = shown(stack)
    put = boto3.client("cloudwatch").put_metric_data
    now = time.time()
    for seconds, value in ((10, 3), (3000, 4), (4000, 100)):  # ago
        datum: Any = extract(emf(value, now - seconds))["DisasterTweets"][0]
        put(Namespace="DisasterTweets", MetricData=[{**datum, "Dimensions": [{"Name": "service", "Value": STAGE}]}])
    assert shown(stack) - before == 7


def test_what_the_functions_log_becomes_metrics(stack: LocalAws) -> None:
    """Each admin call that fails with 5xx logs a metric; a batch of the transform logs some fifteen."""
    name = f"{STAGE}-transform"
    data = "eyJ0ZXh0IjogImZsb29kIn0="
    event = {"deliveryStreamArn": "arn:aws:firehose:::deliverystream/x", "records": [{"recordId": "1", "data": data}]}
    boto3.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
    metrics = boto3.client("cloudwatch").list_metrics(Namespace="DisasterTweets", MetricName="Fallbacks")["Metrics"]
    assert [{"Name": "service", "Value": STAGE}] in [each["Dimensions"] for each in metrics]
    assert shown(stack) is not None


def test_a_cloudwatch_that_does_not_answer_hides_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        def get_metric_statistics(self, **_: Any) -> Any:
            raise EndpointConnectionError(endpoint_url="https://monitoring")

    monkeypatch.setattr(clients, "cloudwatch", Silent)
    assert fallbacks.of_last_hour() is None
