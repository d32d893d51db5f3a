"""Invoke the loader after a batch with many relevant tweets, so that it looks at S3 at once.

A hint, not a record: the tweet file is what counts, and without the hint it is loaded in its turn. Whether it is a
surge is decided there (reconcile/gate.py), where it is known what is usual. So this tells of each batch with some
relevant tweets, but at most once a minute from each copy of the function.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import clients
from chalicelib.events import event
from chalicelib.settings import settings
from chalicelib.telemetry import logger

LEAST = 30  # relevant tweets of a batch, as gate.LEAST, which takes longer to import: a smaller number is no surge
PAUSE = 60.0  # seconds between two hints
RELEVANT = b'"relevance_label":"relevant"'
"""What a relevant tweet's row has. No text can hold it: in a JSON string each quote has a backslash before it."""

_told = float("-inf")  # on the clock of time.monotonic()


def tell(lines: Sequence[bytes], arrivals: Sequence[int]) -> bool:
    """Invoke the loader if the batch has enough relevant tweets; return whether it was.

    `lines`: of its tweet file. `arrivals`: ms since the epoch, of the batch's records. An invocation that fails is
    logged and holds nothing up.
    """
    global _told
    relevant = sum(RELEVANT in line for line in lines)
    now = time.monotonic()
    if relevant < LEAST or now - _told < PAUSE:
        return False
    _told = now
    batch = {
        "relevant": relevant,
        "tweets": len(lines),
        "seconds": (max(arrivals) - min(arrivals)) / 1000,
    }
    try:
        clients.lambda_().invoke(
            FunctionName=settings().function_name("reconcile"),
            InvocationType="Event",
            Payload=json.dumps(event("Surge", "disaster-tweets.transform", {"surge": batch})).encode(),
        )
    except (ClientError, BotoCoreError):
        logger.exception("the loader was not told of a surge")
        return False
    return True
