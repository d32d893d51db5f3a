"""Let a surge of relevant tweets go before the files that a run has still to load.

A look at a surge that finds a run under way asks it to end early: it writes an object that the run reads before each
transaction. The object is only a hint: if it is lost, the surge waits until the run has ended.
"""

from __future__ import annotations

from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import clients, conditional, layout, times

KEY = layout.report("reconciliations", "surge")


def ask(bucket: str) -> None:
    """Ask the run under way to end early. Raise what boto3 raises."""
    body = f'{{"asked_at": "{times.milliseconds(datetime.now(UTC))}"}}'
    clients.s3().put_object(Bucket=bucket, Key=KEY, Body=body.encode())


def asked(bucket: str, seconds: float) -> bool:
    """Return whether somebody has asked within some seconds; False if S3 can't be asked."""
    try:
        stored = conditional.read(bucket, KEY)
    except (ClientError, BotoCoreError):
        return False
    return stored is not None and stored.age < seconds
