"""Count fallbacks to the bundled classifier by the transform's metric."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import clients
from chalicelib.telemetry import NAMESPACE, SERVICE, logger

MINUTE = 60  # seconds


def of_last_hour() -> int | None:
    """Return the tweets of the last hour that the bundled classifier labelled in an endpoint's place.

    None if CloudWatch could not be asked; the caller still shows the active classifier.
    """
    now = datetime.now(UTC)
    try:
        statistics = clients.cloudwatch().get_metric_statistics(
            Namespace=NAMESPACE,
            MetricName="Fallbacks",
            Dimensions=[{"Name": "service", "Value": SERVICE}],
            StartTime=now - timedelta(hours=1),
            EndTime=now,
            Period=MINUTE,
            Statistics=["Sum"],
        )
    except (ClientError, BotoCoreError):
        logger.exception("fallbacks unknown")
        return None
    return int(sum(each["Sum"] for each in statistics["Datapoints"]))
