"""Send ten tweets through the deployed flow, and wait for their rows in the warehouse."""

from __future__ import annotations

import json
import secrets
import time

import boto3
from rich.console import Console

from infra.admin import Admin
from infra.stages import InfraError, Stage
from infra.warehouse import Administrator

TWEETS = 10
POLL = 10.0  # seconds between looks into the warehouse


def test(of: Stage, stream: str, administrator: Administrator, admin: Admin, patience: float, console: Console) -> None:
    """Send ten tweets and wait up to `patience` seconds for their rows. Raises InfraError saying where to look.

    The rows stay, told apart by `source_keyword`: a row that is deleted the reconciler would put back.
    """
    run = secrets.token_hex(4)
    send(of, stream, run)
    deadline = time.monotonic() + patience
    arrived = 0
    with console.status("") as shown:
        while arrived < TWEETS:
            left = deadline - time.monotonic()
            shown.update(
                f"Smoke test: {arrived} of {TWEETS} tweets are rows; waiting up to {left / 60:.0f} more minutes ..."
            )
            if left < 0:
                raise InfraError(
                    f"Smoke test: {arrived} of {TWEETS} tweets became rows within {patience / 60:.0f} minutes. Look"
                    f" at the logs /aws/lambda/{of.prefix}-transform and /aws/kinesisfirehose/{of.prefix}, and at"
                    ' docs/operations.md, "When the smoke test fails"'
                )
            time.sleep(min(POLL, patience / 10))
            if of.delivery == "reconcile":
                admin.job("/reconciliations", {"repair": True, "grace_seconds": 0})
            arrived = int(administrator.column(counted(run))[0])
    console.print(
        f"Smoke test: {TWEETS} tweets are rows, {patience - left:.0f} s after they were sent", highlight=False
    )


def tweets(run: str) -> list[bytes]:
    """Their ids begin with the run's, which is hexadecimal."""
    return [
        json.dumps(
            {
                "tweet_id": f"smoke-{run}-{number}",
                "text": f"Smoke test {run}: wildfire number {number} near La Ronge, evacuation ordered",
                "source_keyword": "smoke-test",
            }
        ).encode()
        for number in range(TWEETS)
    ]


def counted(run: str) -> str:
    return f"SELECT COUNT(DISTINCT tweet_id) FROM disaster.disaster_tweets WHERE tweet_id LIKE 'smoke-{run}-%'"  # noqa: S608


def send(of: Stage, stream: str, run: str) -> None:
    """Into the data stream where there is one, else into Firehose. Raises InfraError."""
    if of.parameters.get("Source") == "Kinesis":
        records = [{"Data": data, "PartitionKey": str(number)} for number, data in enumerate(tweets(run))]
        failed = boto3.client("kinesis").put_records(StreamName=of.prefix, Records=records)["FailedRecordCount"]  # type: ignore[arg-type]
    else:
        sent = boto3.client("firehose").put_record_batch(
            DeliveryStreamName=stream, Records=[{"Data": data} for data in tweets(run)]
        )
        failed = sent["FailedPutCount"]
    if failed:
        raise InfraError(f"Smoke test: {stream} refused {failed} of {TWEETS} tweets")
