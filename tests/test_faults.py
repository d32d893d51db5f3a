"""Whatever goes wrong: once it has stopped and the reconciler has run, everything is there exactly once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from local import soak
from local.audit import audit
from local.demo import job


@dataclass
class World:
    """A local AWS in a process of its own, and what was sent to it so far."""

    aws: soak.Server
    sender: soak.Sender
    items: Iterator[soak.Item]
    reconciliations: soak.Reconciliations = field(default_factory=soak.Reconciliations)

    def send(self, count: int, stream: int) -> None:
        deadline = time.monotonic() + 60
        self.sender.send(list(islice(self.items, count)), stream, give_up=lambda: time.monotonic() > deadline)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with soak.Server(tmp_path_factory.mktemp("faults")) as aws:
        job(aws.admin_url, "/warehouse/setup")
        yield World(aws, soak.Sender(aws.endpoint_url), soak.items())


# ------------------------------------------------------------------ what may happen


@dataclass(frozen=True)
class Send:
    count: int
    stream: int  # 0: Firehose's, 1: Kinesis'

    def to(self, world: World) -> None:
        world.send(self.count, self.stream)


@dataclass(frozen=True)
class Break:
    rates: tuple[tuple[str, float], ...]
    seed: int

    def to(self, world: World) -> None:
        soak.set_faults(world.aws.home, dict(self.rates), self.seed)


@dataclass(frozen=True)
class Reconcile:
    def to(self, world: World) -> None:
        world.reconciliations.run(world.aws.admin_url, grace_seconds=0)


@dataclass(frozen=True)
class Kill:
    """While tweets are being sent, or what was sent before is on its way."""

    after: float  # seconds

    def to(self, world: World) -> None:
        sending = threading.Thread(target=world.send, args=(80, 0))
        sending.start()
        time.sleep(self.after)
        world.aws.kill()
        world.aws.start()
        sending.join()


Step = Send | Break | Reconcile | Kill
steps = st.one_of(
    st.builds(Send, st.integers(1, 200), st.integers(0, 1)),
    st.builds(
        Break,
        st.lists(
            st.tuples(st.sampled_from(soak.KINDS), st.sampled_from([0.2, 0.5, 0.9])),
            min_size=1,
            max_size=4,
            unique_by=lambda each: each[0],
        ).map(tuple),
        st.integers(0, 1000),
    ),
    st.builds(Reconcile),
    st.builds(Kill, st.sampled_from([0.0, 0.1, 0.5, 1.2])),
)

EVERYTHING = tuple((kind, 0.3) for kind in soak.KINDS)
NO_TRANSFORM = (("transform_error", 1.0),)
ANSWERS_LOST = (("transform_timeout", 0.9), ("s3_after", 0.3))
LOADED_TWICE = (("copy_twice", 0.5), ("copy_fails_after_commit", 0.5))


@example([Break(EVERYTHING, 1), Send(150, 0), Send(50, 1), Reconcile(), Kill(1.2), Reconcile()])
@example([Break(NO_TRANSFORM, 2), Send(60, 0), Break(ANSWERS_LOST, 2), Send(60, 1), Kill(0.5)])
@example([Break(LOADED_TWICE, 3), Send(100, 0), Reconcile(), Send(100, 1), Reconcile()])
@settings(max_examples=3, deadline=None, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate])
@given(st.lists(steps, min_size=3, max_size=6))
def test_everything_is_there_exactly_once(world: World, schedule: list[Step]) -> None:
    for step in schedule:
        step.to(world)
    soak.settle(world.aws, world.reconciliations, patience=60)
    found = audit(world.sender.tweets, world.sender.junk, world.aws.endpoint_url)
    assert not found.problems


def test_the_faults_did_strike(world: World) -> None:
    struck = soak.struck(world.aws.home)
    assert world.aws.kills >= 2
    assert {"transform_error", "transform_timeout", "copy_twice", "copy_fails_after_commit"} <= struck.keys(), struck
