"""Read and write the ledger in S3: what is known without waking the warehouse. If it is lost, the next run makes it."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

from botocore.exceptions import ClientError

from chalicelib import clients, layout
from chalicelib.conditional import MISSING, code
from chalicelib.reconcile.gate import Ledger, UsualStream
from chalicelib.reconcile.hours import HourFiles

KEY = layout.report("reconciliations", "ledger")
VERSION = 1
MAYBE = ("check_at", "not_before", "woken_at")


def read(bucket: str) -> Ledger | None:
    """Return the ledger; None where there is none, or one that this version doesn't read."""
    try:
        body = clients.s3().get_object(Bucket=bucket, Key=KEY)["Body"].read()
    except ClientError as error:
        if code(error) in MISSING:
            return None
        raise
    try:
        return loaded(json.loads(body))
    except (ValueError, KeyError, TypeError):
        return None


def write(bucket: str, ledger: Ledger) -> None:
    """Overwrite the ledger. Raise what boto3 raises."""
    clients.s3().put_object(Bucket=bucket, Key=KEY, Body=json.dumps(dumped(ledger)).encode())


def dumped(ledger: Ledger) -> dict[str, Any]:
    """Return a ledger as JSON has it."""
    moments = {name: getattr(ledger, name) for name in ("looked_at", *MAYBE)}
    hours = {hour.isoformat(): (each.files, each.at.isoformat(), each.rows) for hour, each in ledger.hours.items()}
    return {
        "version": VERSION,
        "hours": hours,
        "days": sorted(day.isoformat() for day in ledger.days),
        "failed": ledger.failed,
        "usual": list(ledger.usual),
        **{name: moment.isoformat() if moment else None for name, moment in moments.items()},
        "report": ledger.report,
        "took": ledger.took,
    }


def loaded(said: Any) -> Ledger:
    """Return the ledger of `dumped`. Raise ValueError, KeyError or TypeError for anything else."""
    if said["version"] != VERSION:
        raise ValueError(f"a ledger of version {said['version']}")
    moments = {name: said[name] and datetime.fromisoformat(said[name]) for name in MAYBE}
    return Ledger(
        {
            datetime.fromisoformat(hour): HourFiles(files, datetime.fromisoformat(at), rows)
            for hour, (files, at, rows) in said["hours"].items()
        },
        {date.fromisoformat(day) for day in said["days"]},
        said["failed"],
        UsualStream(*said["usual"]),
        datetime.fromisoformat(said["looked_at"]),
        **moments,
        report=said["report"],
        took=said["took"],
    )
