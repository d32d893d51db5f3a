"""Write the made-up network's past hours, and other tweets with times in them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.network.generated import Generated

HOURS = 6
RATE = 0.5  # posts a second
CRISES_EVERY = 3600  # seconds: long enough for a crisis to rise and to die down on the overview's curves


def write(path: Path, until: float) -> None:
    """Write the network's posts of the hours before a time (in seconds since 1970), for producer.py to read."""
    path.write_text("".join(map(_line, _posts(Generated(RATE, crises_every=CRISES_EVERY), until))))


def spread(path: Path, tweets: Iterable[bytes], until: float) -> None:
    """Write tweets, JSON objects, as if they had been written evenly over these hours."""
    known = [json.loads(tweet) for tweet in tweets]
    began, apart = until - HOURS * 3600, HOURS * 3600 / max(1, len(known))
    times = (datetime.fromtimestamp(began + apart * nth, UTC).isoformat() for nth in range(len(known)))
    lines = (json.dumps({**tweet, "created_at": at}) + "\n" for tweet, at in zip(known, times, strict=True))
    path.write_text("".join(lines))


def _posts(network: Generated, until: float) -> Iterator[dict[str, Any]]:
    first, last = (network.first(int((until - hours * 3600) * 1e6)) for hours in (HOURS, 0))
    events = (network.event(number) for number in range(first, last))
    yield from (event for event in events if event and "text" in event.get("commit", {}).get("record", {}))


def _line(event: dict[str, Any]) -> str:
    record, commit = event["commit"]["record"], event["commit"]
    post = {"id": commit["rkey"], "user_id": event["did"], "lang": record["langs"][0]}
    return json.dumps({**post, "text": record["text"], "created_at": record["createdAt"]}) + "\n"
