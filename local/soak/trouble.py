"""Schedule the faults of a soak: each once in the first round, then at random.

Every step of the first round goes on until what it is for has happened, so that a soak of any length shows all of it.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from typing import Any

import requests
from botocore.exceptions import ClientError

from local import provision
from local.aws import faults
from local.aws.firehose.deliveries import undelivered
from local.demo import DemoError, job
from local.soak.evidence import client, query
from local.soak.server import Server, SoakError, set_faults, struck

KINDS = tuple(kind for kind in faults.KINDS if not kind.startswith("comprehend"))
"""The faults of a soak. Comprehend is not active in it."""
GROUPS = (
    ("firehose_throttled", "firehose_partial"),
    ("transform_error", "transform_timeout"),
    ("s3_before", "s3_after"),
    ("copy_fails", "copy_fails_after_commit", "copy_twice"),
    ("statement_lost",),
)
"""KINDS, by what is under fault at the same time in the first round."""
RATE = 0.5  # of each fault of the first round
RATES = (0.1, 0.3, 0.6)  # of those after it
FAULT_SECONDS = 2.5  # that they last at least
STRIKE_SECONDS = 30.0  # until each must have struck
SETTLE_SECONDS = 180.0  # until everything must be delivered once the faults have stopped
AT_ONCE = 3  # reconciliations
LOCK = "reports/reconciliations/lock.json"

DAMAGE = {
    "missing": "DELETE FROM {table} WHERE s3_key = '{key}'",
    "partial": "DELETE FROM {table} WHERE s3_key = '{key}' AND s3_line = 1",
    "excess": "INSERT INTO {table} SELECT * FROM {table} WHERE s3_key = '{key}' AND s3_line = 1",
}
"""What somebody does to the rows of a file by mistake, by the state in which the reconciler must then find it."""
VICTIMS = f"SELECT s3_key FROM {provision.TABLE} GROUP BY s3_key HAVING COUNT(*) > 1 ORDER BY s3_key"  # noqa: S608


@dataclass
class Counts:
    """What was done so far."""

    kills: int = 0
    killed_runs: int = 0  # kills while a reconciliation held the lock
    at_once: int = 0  # times that a reconciliation was asked for while another one ran, and both succeeded
    failed_runs: int = 0  # reconciliations that failed, as they may under fault


class Trouble:
    """Makes trouble for a server that records are sent to meanwhile."""

    def __init__(self, aws: Server, seed: int) -> None:
        self.counts = Counts()
        self.began = datetime.now(UTC)
        self._aws = aws
        self._chance = random.Random(seed)  # noqa: S311 - no secret

    def first_round(self) -> list[Callable[[], None]]:
        """Return steps that together do everything once, in an order that depends on the seed.

        The server is killed during a reconciliation at the end: until that one's lock expires, no other can begin.
        """
        strikes: list[Callable[[], None]] = [partial(self.strike, kinds) for kinds in GROUPS]
        steps = [*strikes, self.damage, self.at_once, self.kill]
        self._chance.shuffle(steps)
        return [*steps, self.kill_while_reconciling]

    def any(self) -> None:
        """Do one thing at random."""
        does = (self.faults, self.reconcile, self.damage, self.at_once, self.kill, self.kill_while_reconciling)
        self._chance.choices(does, (5, 3, 1, 1, 1.5, 1))[0]()

    def pause(self) -> float:
        """Return how many seconds to wait before the next thing."""
        return self._chance.uniform(1, 4)

    def strike(self, kinds: Sequence[str]) -> None:
        """Set faults for a while and until each has struck, but not for ever; then lift them."""
        began, before = time.monotonic(), struck(self._aws.home)
        set_faults(self._aws.home, dict.fromkeys(kinds, RATE), self._chance.randrange(1 << 30))
        while (lasted := time.monotonic() - began) < FAULT_SECONDS or not self._struck_since(before, kinds):
            if lasted > STRIKE_SECONDS:
                break  # the demands tell which one hasn't
            if "statement_lost" in kinds:  # the Data API is asked by reconciliations alone
                self.reconcile()
            time.sleep(0.2)
        set_faults(self._aws.home, {})

    def _struck_since(self, before: Mapping[str, int], kinds: Sequence[str]) -> bool:
        now = struck(self._aws.home)
        return all(now[kind] > before[kind] for kind in kinds)

    def faults(self) -> None:
        """Set some faults at random, and leave them."""
        kinds = self._chance.sample(KINDS, self._chance.randint(1, 4))
        rates = {kind: self._chance.choice(RATES) for kind in kinds}
        set_faults(self._aws.home, rates, self._chance.randrange(1 << 30))

    def reconcile(self, grace_seconds: int | None = None, since: datetime | None = None) -> dict[str, Any] | None:
        """Return the report of a reconciliation with repair, of the hours since then if it is said; None: it failed."""
        grace = self._chance.choice((0, 5, 30)) if grace_seconds is None else grace_seconds
        hours = {"from": since.isoformat(timespec="seconds")} if since else {}
        asked = {"repair": True, "grace_seconds": grace, **hours}
        try:
            return job(self._aws.admin_url, "/reconciliations", asked)
        except (DemoError, requests.RequestException):
            self.counts.failed_runs += 1
            return None

    def at_once(self) -> None:
        """Start several reconciliations at once; each has to wait for the one before it."""
        set_faults(self._aws.home, {})
        reports: list[Mapping[str, Any] | None] = []
        threads = [threading.Thread(target=lambda: reports.append(self.reconcile(0))) for _ in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.counts.at_once += competed([report for report in reports if report])

    def damage(self) -> None:
        """Delete and double rows by hand, as somebody may by mistake, and have them repaired."""
        set_faults(self._aws.home, {})
        api = client("redshift-data", self._aws.endpoint_url)
        keys = [row["s3_key"] for row in query(api, VICTIMS)]
        for key, sql in zip(self._chance.sample(keys, min(len(keys), len(DAMAGE))), DAMAGE.values(), strict=False):
            query(api, sql.format(table=provision.TABLE, key=key))
        self.reconcile(0)

    def kill(self) -> None:
        """Kill the server and start it again."""
        self._aws.kill()
        self.counts.kills += 1
        self._aws.start()

    def kill_while_reconciling(self) -> None:
        """Kill the server once a reconciliation holds the lock, and start it again."""
        requests.post(self._aws.admin_url + "/reconciliations", json={"grace_seconds": 0, "repair": True}, timeout=30)
        s3 = client("s3", self._aws.endpoint_url)
        deadline = time.monotonic() + 1.0
        while not (held := _locked(s3)) and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(self._chance.random() / 4)
        held = held and _locked(s3)
        self.kill()
        self.counts.killed_runs += held


def competed(reports: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether one of these reconciliations was asked for before another one had ended."""
    spans = sorted((report["started_at"], report["finished_at"]) for report in reports)
    return any(started < ended for (_, ended), (started, _) in pairwise(spans))


def _locked(s3: Any) -> bool:
    try:
        return b'"holder": null' not in s3.get_object(Bucket=provision.NAME, Key=LOCK)["Body"].read()
    except ClientError:
        return False


def deliver(aws: Server, patience: float = SETTLE_SECONDS) -> None:
    """Wait until Firehose has delivered all it has. Raises SoakError."""
    deadline = time.monotonic() + patience
    while undelivered(aws.home):
        if time.monotonic() > deadline:
            raise SoakError(f"Firehose could not deliver everything in {patience:g} s")
        time.sleep(0.05)


def settle(aws: Server, trouble: Trouble, patience: float = SETTLE_SECONDS) -> None:
    """Stop the faults, let Firehose deliver what it has and the reconciler mend the rest. Raises SoakError.

    The reconciler is asked for all hours of the soak: one that has just ended may be settled, and not due again yet.
    """
    set_faults(aws.home, {})
    deadline = time.monotonic() + patience
    deliver(aws, patience)
    while trouble.reconcile(0, since=trouble.began) is None:  # one that was killed may still hold the lock
        if time.monotonic() > deadline:
            raise SoakError("The reconciliation fails although all faults have stopped")
        time.sleep(0.5)
