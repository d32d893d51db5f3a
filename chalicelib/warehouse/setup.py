"""Run the job of `POST /warehouse/setup`: apply the pending migrations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.telemetry import logger
from chalicelib.warehouse import migrations

RESERVE = 10.0  # seconds of the Lambda's time kept for saying how it went


def run(arguments: Mapping[str, Any], context: Any, job_id: str) -> dict[str, Any]:  # noqa: ARG001 - as every job
    """`{"applied": [...], "already_applied": n}`: what this run did, and how much there was to begin with.

    Safe at any time, twice and at once. Raises MigrationError, StillRunningError.
    """
    known = migrations.read()
    patience = context.get_remaining_time_in_millis() / 1000 - RESERVE
    done = migrations.apply(known, patience)
    logger.info("warehouse set up", extra={"applied": [str(migration) for migration in done]})
    return {"applied": [str(migration) for migration in done], "already_applied": len(known) - len(done)}
