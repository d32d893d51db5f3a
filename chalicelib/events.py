"""Build events in EventBridge's form, to invoke functions that EventBridge also invokes."""

from __future__ import annotations

from typing import Any


def event(detail_type: str, source: str, detail: dict[str, Any], event_id: str = "", at: str = "") -> dict[str, Any]:
    """Return an event. `at`: its time, ISO 8601 in UTC.

    docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
    """
    return {
        "version": "0",
        "id": event_id,
        "detail-type": detail_type,
        "source": source,
        "account": "",
        "time": at,
        "region": "",
        "resources": [],
        "detail": detail,
    }
