"""A small soak in this process: records through the whole local AWS, faults, damage, repairs, and the audit."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import islice
from unittest import mock

from chalicelib import clients
from chalicelib.reconcile import lock
from chalicelib.settings import settings
from chalicelib.transform import answer
from chalicelib.warehouse import data_api
from local.aws.faults import Faults
from local.server import LocalAws
from local.soak.evidence import ERRORS, REJECTED, TWEETS, collect
from local.soak.oracle import Happened, Verdict, judge
from local.soak.records import records
from local.soak.sender import STREAMS, Sender
from local.soak.trouble import DAMAGE, KINDS, Trouble

DENSE = 100  # tweets of a dense record
MOST_BYTES = 100_000  # of an answer of the transform: a dense record exceeds it
RECORDS = 50  # into each stream, a dense one among them
TABLES = ("disaster_tweets", "tweet_file", "tweet_hour", "reconciliation", "reconciliation_finding")

DEMANDS = {
    "tweets sent": 2 * DENSE,
    "records of several tweets": 10,
    "junk sent": 3,
    "junk among tweets": 1,
    "records sent again": 1,
    **{f"records put back into {stream}": 1 for stream in STREAMS},
    **{f"fault {kind}": 1 for kind in KINDS},
    "reconciliations": 3,
    "reconciliations at once": 1,
    **{f"files repaired, {state}": 1 for state in DAMAGE},
    "% of the tweets in the view": 100,
    "junk refused": 3,
}
"""As the command's, but for kills: this process goes on."""


def flow(
    aws: LocalAws, kinds: Collection[str] = (), *, damage: bool = False, at_once: bool = False, dense: int = DENSE
) -> Verdict:
    """Send, deliver and reconcile; return the oracle's verdict. Each of `kinds` of fault strikes once.

    `damage`: rows are deleted and doubled by hand before. `at_once`: two reconciliations are started at once.
    """
    empty(aws)
    sender, trouble = Sender(aws.endpoint_url), Trouble(aws, seed=0)  # type: ignore[arg-type]
    source, struck = islice(records(dense, dense_every=RECORDS), RECORDS, None), Counter[str]()
    with small_answers():
        with each_once(aws.faults, struck, set(kinds) - {"statement_lost"}):
            for stream in range(len(STREAMS)):
                sender.send(list(islice(source, RECORDS)), stream)
            aws.flush()
        if damage:
            trouble.damage()
        with each_once(aws.faults, struck, set(kinds) & {"statement_lost"}):
            trouble.at_once() if at_once else trouble.reconcile(0)
    happened = Happened(sender.sent, sender.resent, struck, at_once=trouble.counts.at_once)
    return judge(happened, collect(aws.endpoint_url))


def empty(aws: LocalAws) -> None:
    """Take away all that was sent before."""
    aws.flush()
    data_api.run([f"DELETE FROM disaster.{table}" for table in TABLES])
    for prefix in (TWEETS, REJECTED, ERRORS, "reports/reconciliations/"):
        pages = clients.s3().get_paginator("list_objects_v2").paginate(Bucket=settings().bucket, Prefix=prefix)
        for key in [each["Key"] for page in pages for each in page.get("Contents", [])]:
            clients.s3().delete_object(Bucket=settings().bucket, Key=key)


@contextmanager
def small_answers() -> Iterator[None]:
    with mock.patch.object(answer, "MOST_BYTES", MOST_BYTES), mock.patch.object(lock, "POLL", 0.05):
        yield


@contextmanager
def each_once(faults: Faults, struck: Counter[str], kinds: set[str]) -> Iterator[None]:
    """Let each of these kinds of fault strike at its first occasion, and never again; `struck` counts them."""
    guard = threading.Lock()

    def strikes(name: str) -> bool:
        with guard:
            if name in struck or name not in kinds:
                return False
            struck[name] += 1
            faults.struck[name] += 1
            return True

    with mock.patch.object(faults, "strikes", strikes):
        yield
