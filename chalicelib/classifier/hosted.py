"""Classify many texts at once with a real-time endpoint of Amazon Comprehend, within a deadline. Never raises."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Event, Lock
from typing import NamedTuple

from chalicelib.comprehend import client

UNDETERMINED = frozenset({"", "und", "zxx", "qam", "qct", "qht", "qme", "qst"})
"""What X calls a post of mentions, hashtags, links or media alone, or one too short to tell."""

MOST_BYTES = 5_000  # of a text; the quota is 10 KB: docs.aws.amazon.com/comprehend/latest/dg/idp-inputs-sync.html
DOCUMENTS_A_UNIT = 2  # a second (docs.aws.amazon.com/comprehend/latest/dg/manage-endpoints.html), each taking up to one
MOST_IN_FLIGHT = 50  # connections in the client's pool
GIVE_UP_AFTER = 5  # failures in a row, each of them already retried by the client
HOPELESS = frozenset({"ResourceNotFoundException", "AccessDeniedException"})


class Scored(NamedTuple):
    """The endpoint's classes with their scores, and the seconds it took."""

    scores: Mapping[str, float]
    seconds: float


class _Endpoint:
    """One endpoint during one batch: stops being asked once it is clear that it won't answer."""

    def __init__(self, arn: str, deadline: float) -> None:
        self.arn, self.deadline = arn, deadline
        self.reasons: Counter[str] = Counter()
        self._failures = 0  # in a row
        self._stopped = Event()
        self._lock = Lock()

    def ask(self, text: str) -> Scored | None:
        if self._stopped.is_set() or time.monotonic() >= self.deadline:
            return None
        began = time.monotonic()
        try:
            scores = client.classify(text.encode()[:MOST_BYTES].decode(errors="ignore"), self.arn)
        except Exception as error:  # whatever it is, the bundled classifier has an answer
            self._failed(getattr(error, "response", {}).get("Error", {}).get("Code") or type(error).__name__)
            return None
        with self._lock:
            self._failures = 0
        return Scored(scores, time.monotonic() - began)

    def _failed(self, code: str) -> None:
        with self._lock:
            self.reasons[code] += 1
            self._failures += 1
            if code in HOPELESS or self._failures >= GIVE_UP_AFTER:
                self._stopped.set()

    def stop(self) -> None:
        self._stopped.set()


def classify(
    texts: Sequence[str], endpoint_arn: str, inference_units: int, deadline: float
) -> tuple[list[Scored | None], Counter[str]]:
    """(each text's answer in order, None where there was none in time; how many failures of which kind).

    `deadline` on the clock of time.monotonic(). Requests then under way are left to themselves.
    """
    if not texts:
        return [], Counter()
    endpoint = _Endpoint(endpoint_arn, deadline)
    in_flight = min(len(texts), DOCUMENTS_A_UNIT * inference_units, MOST_IN_FLIGHT)
    pool = ThreadPoolExecutor(in_flight, thread_name_prefix="comprehend")
    futures = [pool.submit(endpoint.ask, text) for text in texts]
    wait(futures, timeout=max(0.0, deadline - time.monotonic()))
    endpoint.stop()
    pool.shutdown(wait=False, cancel_futures=True)
    return [f.result() if f.done() and not f.cancelled() else None for f in futures], endpoint.reasons
