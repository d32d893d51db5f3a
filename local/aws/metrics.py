"""Extract CloudWatch metrics from logs in the embedded metric format, as CloudWatch Logs does.

docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from moto.cloudwatch.models import cloudwatch_backends

KEPT = timedelta(hours=3)
MOST = 100_000  # values kept, whatever their age: memory stays bounded


def extract(line: str) -> dict[str, list[dict[str, Any]]]:
    """Return the values in a line of a log, by namespace, as PutMetricData takes them; none for any other line."""
    if not line.startswith('{"_aws"'):
        return {}
    try:
        said = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    at = datetime.fromtimestamp(said["_aws"]["Timestamp"] / 1000, UTC)
    found: dict[str, list[dict[str, Any]]] = {}
    for directive in said["_aws"]["CloudWatchMetrics"]:
        for names in directive["Dimensions"]:
            dimensions = [{"Name": name, "Value": said[name]} for name in names]
            for metric in directive["Metrics"]:
                values = said[metric["Name"]]
                found.setdefault(directive["Namespace"], []).extend(
                    {"MetricName": metric["Name"], "Value": value, "Dimensions": dimensions, "Timestamp": at}
                    for value in (values if isinstance(values, list) else [values])
                )
    return found


def install(account: str, region: str) -> Callable[[str], None]:
    """Return what takes a line that a function logs, and puts the metrics in it into moto's CloudWatch."""
    cloudwatch = cloudwatch_backends[account][region]

    def take(line: str) -> None:
        for namespace, values in extract(line).items():
            # moto keeps times without their zone, and can't compare them with others.
            kept = [{**each, "Timestamp": each["Timestamp"].replace(tzinfo=None)} for each in values]
            cloudwatch.put_metric_data(namespace, kept)
            if len(cloudwatch.metric_data) > MOST:
                oldest = datetime.now(UTC).replace(tzinfo=None) - KEPT
                recent = [each for each in cloudwatch.metric_data[-MOST // 2 :] if each.timestamp >= oldest]
                cloudwatch.metric_data = recent

    return take
