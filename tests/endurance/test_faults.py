"""Whatever goes wrong: once it has stopped and the reconciler has run, everything is there exactly once."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from local.aws.firehose.deliveries import undelivered
from local.demo import job
from local.soak.command import happened
from local.soak.evidence import collect
from local.soak.oracle import judge, missed
from local.soak.records import Record, records
from local.soak.sender import Sender
from local.soak.server import Server, set_faults, struck
from local.soak.trouble import KINDS, RATES, STRIKE_SECONDS, Trouble, settle

ON_THEIR_WAY = 3.0  # seconds: buffers hold them for two
DEMANDS = {
    "tweets sent": 500,
    "records of several tweets": 20,
    "junk sent": 5,
    "junk among tweets": 1,
    "records sent again": 1,
    **{f"fault {kind}": 1 for kind in KINDS},
    "kills (SIGKILL)": 2,
    "reconciliations": 3,
}
"""What must have happened once the test has ended, or it has proved nothing."""


@dataclass
class World:
    """A local AWS in a process of its own, and what was sent to it so far."""

    aws: Server
    sender: Sender
    trouble: Trouble
    records: Iterator[Record]

    def send(self, count: int, stream: int) -> None:
        deadline = time.monotonic() + 60
        self.sender.send(list(islice(self.records, count)), stream, give_up=lambda: time.monotonic() > deadline)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Server(tmp_path_factory.mktemp("faults")) as aws:
        job(aws.admin_url, "/warehouse/setup")
        yield World(aws, Sender(aws.endpoint_url), Trouble(aws, seed=0), records(dense=3))


# ------------------------------------------------------------------ what may happen


@dataclass(frozen=True)
class Round:
    """Faults, tweets that meet them on their way, and what is done meanwhile."""

    rates: tuple[tuple[str, float], ...]
    seed: int  # of the faults
    records: int
    stream: int  # 0: Firehose's, 1: Kinesis'
    then: str  # "reconcile", "kill", or nothing
    after: float  # seconds
    must_strike: tuple[str, ...] = ()  # faults that it waits for, on however busy a machine

    def to(self, world: World) -> None:
        before = struck(world.aws.home)
        set_faults(world.aws.home, dict(self.rates), self.seed)
        sending = threading.Thread(target=world.send, args=(self.records, self.stream))
        sending.start()
        if self.then:
            time.sleep(self.after)
        if self.then == "kill":
            world.trouble.kill()
        elif self.then == "reconcile":
            world.trouble.reconcile(0)
        sending.join()
        deadline = time.monotonic() + ON_THEIR_WAY
        while undelivered(world.aws.home) and time.monotonic() < deadline:
            time.sleep(0.05)
        deadline = time.monotonic() + STRIKE_SECONDS
        while any(struck(world.aws.home)[kind] == before[kind] for kind in self.must_strike):
            assert time.monotonic() < deadline, (self.must_strike, struck(world.aws.home))
            time.sleep(0.05)


def schedule(seed: int) -> list[Round]:
    chance = random.Random(seed)

    def rates() -> tuple[tuple[str, float], ...]:
        return tuple((kind, chance.choice(RATES)) for kind in chance.sample(KINDS, chance.randint(1, 4)))

    return [
        Round(
            rates(),
            chance.randrange(1000),
            chance.randint(1, 300),
            chance.randrange(2),
            chance.choice(["", "kill", "reconcile"]),
            chance.choice([0.0, 0.5, 1.2, 2.2]),
        )
        for _ in range(2)
    ]


EVERYTHING = tuple((kind, 0.3) for kind in KINDS)
NEVER_TRANSFORMED = (("transform_error", 1.0), ("firehose_partial", 0.9))
NEVER_ANSWERED = (("transform_timeout", 1.0), ("s3_after", 0.3), ("s3_before", 0.3))
LOADED_WRONG = (("copy_twice", 0.4), ("copy_fails_after_commit", 0.4), ("copy_fails", 0.4), ("statement_lost", 0.2))


# Seeds with which each fault that must strike does so at its first occasion.
@example(
    [
        Round(EVERYTHING, 1, 200, 0, "kill", 1.5, ("firehose_throttled",)),
        Round(LOADED_WRONG, 137, 150, 1, "reconcile", 2.2, tuple(kind for kind, _ in LOADED_WRONG)),
    ]
)
@example(
    [
        Round(NEVER_TRANSFORMED, 1, 60, 0, "", 0, ("transform_error", "firehose_partial")),
        Round(NEVER_ANSWERED, 10, 60, 1, "kill", 0.5, ("transform_timeout", "s3_after", "s3_before")),
    ]
)
@settings(max_examples=2, deadline=None, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate])
@given(st.integers(0, 1 << 20).map(schedule))
def test_everything_is_there_exactly_once(world: World, rounds: list[Round]) -> None:
    for each in rounds:
        each.to(world)
    settle(world.aws, world.trouble, patience=60)
    assert judge(happened(world.aws, world.sender, world.trouble), collect(world.aws.endpoint_url)).problems == []


def test_it_was_not_for_want_of_trouble(world: World) -> None:
    verdict = judge(happened(world.aws, world.sender, world.trouble), collect(world.aws.endpoint_url))
    assert missed(verdict.measures, DEMANDS) == []
