"""Count refusals by reason, from `rejected/dt=…/hh=…/`.

How many refusals there are is in the files' names.
"""

from __future__ import annotations

import json
import re
import time
import zlib
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import bodies, clients, layout
from chalicelib.reconcile import listing
from chalicelib.reconcile.hours import Range

NAME = re.compile(r"-(\d{1,9})\.ndjson\.gz$")
MOST_READ = 5000
"""Files read for their reasons; about 20 seconds. Of those before them, the newest being read first, only the number of
tweets is known."""
READERS = 16
MOST_BYTES = 64 << 20
"""Of one file, unpacked. A batch of 6 MB with as many refusals as its records may have makes some 25 MB."""
REASON = re.compile(rb'\{\s*"reason"\s*:\s*"(\w{1,64})"')  # first in its line: see transform.files.refusal_line
MESSAGE = re.compile(rb'"message"\s*:\s*("(?:[^"\\]|\\.)*")')  # the second
SAMPLES = 3  # of each reason
HEAD = 256  # bytes of a line that are read for it; the rest, the source in base64, is passed over


class Sample(NamedTuple):
    """One refusal, with its file and line (from 1), which has the source."""

    reason: str
    message: str
    s3_key: str
    line: int


@dataclass
class Refusals:
    """Refused tweets of the hours looked at. `unread` are among `tweets`, but their reasons aren't known."""

    tweets: int = 0
    files: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    unread: int = 0
    samples: list[Sample] = field(default_factory=list)
    """Of each reason up to SAMPLES, one a file, of the newest files."""


def count(bucket: str, spans: Sequence[Range], deadline: float) -> Refusals:
    """Count the refused tweets of some ranges; reasons are read until `deadline` (monotonic)."""
    refusals = Refusals()
    newest: deque[str] = deque(maxlen=MOST_READ)
    for span in reversed(spans):
        for each in listing.objects(bucket, layout.REJECTED, span):
            if named := NAME.search(each.key):
                refusals.files += 1
                refusals.tweets += int(named[1])
                newest.append(each.key)
    with ThreadPoolExecutor(READERS) as pool:
        for reasons, samples in pool.map(lambda key: _reasons(bucket, key, deadline), reversed(newest)):
            refusals.reasons.update(reasons)
            known = Counter(sample.reason for sample in refusals.samples)
            refusals.samples += (sample for sample in samples if known[sample.reason] < SAMPLES)
    refusals.unread = max(0, refusals.tweets - refusals.reasons.total())
    return refusals


def _reasons(bucket: str, key: str, deadline: float) -> tuple[Counter[str], list[Sample]]:
    """Return the reasons in one file and a sample of each; none where there is no time left, or it can't be read.

    Of a file of more than MOST_BYTES the reasons up to there.
    """
    reasons: Counter[str] = Counter()
    samples: list[Sample] = []
    if time.monotonic() > deadline:
        return reasons, samples
    try:
        heads = bodies.heads(clients.s3().get_object(Bucket=bucket, Key=key)["Body"], MOST_BYTES, HEAD)
        for line, head in enumerate(heads, 1):
            if not (matched := REASON.match(head)):
                return Counter(), []
            reason = matched[1].decode()
            if not reasons[reason]:
                samples.append(Sample(reason, _message(head), key, line))
            reasons[reason] += 1
    except bodies.TooLargeError:
        return reasons, samples
    except (ClientError, BotoCoreError, OSError, EOFError, zlib.error):
        return Counter(), []
    return reasons, samples


def _message(head: bytes) -> str:
    """Return the message in a line's head; empty if it is longer than the head."""
    matched = MESSAGE.search(head)
    try:
        return str(json.loads(matched[1])) if matched else ""
    except ValueError:
        return ""
