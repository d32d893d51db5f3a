"""List what needs a person, and resolve it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalice.app import ConflictError, NotFoundError

from chalicelib import times
from chalicelib.admin.http import Answer, Request
from chalicelib.admin.patience import PATIENCE, failed
from chalicelib.admin.validation import validate
from chalicelib.reconcile import findings
from chalicelib.warehouse.data_api import WarehouseError

LINE = {
    "type": "string",
    "pattern": r"^ *[!-~\u00a1-\ud7ff\ue000-\ufffd][ -~\u00a0-\ud7ff\ue000-\ufffd]*$",
}
"""One line, without emoji."""
RESOLVE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["reason"],
    "properties": {
        "reason": {
            **LINE,
            "maxLength": 1000,
            "description": "one line of up to 1,000 characters, without emoji, that says why it may stay as it is",
        }
    },
}


def list_all(request: Request) -> Answer:  # noqa: ARG001 - every view takes it
    """Return outstanding findings, each with what to do, and findings that were resolved or closed."""
    try:
        outstanding, settled = findings.read(PATIENCE)
    except WarehouseError as error:
        return failed(error)
    return Answer({"outstanding": [_shown(row) for row in outstanding], "settled": [_shown(row) for row in settled]})


def resolve(request: Request, finding_id: str) -> Answer:
    """Record who resolves a finding, and why. Runs then count it under resolved, unless it changes."""
    body = validate(request.body(), RESOLVE)
    try:
        finding = findings.resolve(finding_id, request.caller, body["reason"], request.request_id, PATIENCE)
    except WarehouseError as error:
        return failed(error)
    if not finding:
        raise NotFoundError(f"There is no finding {finding_id}: GET /findings lists what is outstanding")
    if finding["status"] == "closed":
        raise ConflictError(f"Finding {finding_id} is closed already, as {finding['closed_as']}")
    return Answer(_shown(finding))


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    plain = times.written(row)
    return {**plain, "to_do": findings.TO_DO[row["kind"]] if row["status"] == "outstanding" else None}
