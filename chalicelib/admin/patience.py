"""Limit how long a request waits for the warehouse, and answer with 503 where it did not answer."""

from __future__ import annotations

from chalicelib.admin.http import Answer
from chalicelib.warehouse.data_api import StillRunningError, WarehouseError

PATIENCE = 20.0  # seconds: API Gateway stops at 29


def failed(error: WarehouseError) -> Answer:
    """Return the answer to a request if the warehouse did not answer."""
    if isinstance(error, StillRunningError):
        message = "The warehouse is waking up or busy. Ask again in a minute: repeating this call does no harm"
        return Answer({"Code": "ServiceUnavailable", "Message": message}, status=503)
    if "does not exist" in str(error):
        return Answer({"Code": "ConflictError", "Message": f"POST /warehouse/setup first: {error}"}, status=409)
    return Answer({"Code": "WarehouseError", "Message": str(error)}, status=502)
