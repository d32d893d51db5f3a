"""Write structured logs and EMF metrics. Never log a tweet's text above debug."""

from __future__ import annotations

import os

from aws_lambda_powertools import Logger, Metrics

SERVICE = f"disaster-tweets-{os.environ.get('STAGE', 'local')}"  # so that two stages in one account alarm apart
NAMESPACE = "DisasterTweets"

logger = Logger(service=SERVICE)


def metrics() -> Metrics:
    """Return a fresh, empty set of metrics: one per invocation, flushed by its maker."""
    return Metrics(namespace=NAMESPACE, service=SERVICE)
