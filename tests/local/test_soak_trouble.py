"""The soak's trouble: everything happens once in any of them, and what too little happened of makes it fail."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from rich.console import Console

from local.aws import faults
from local.soak import trouble
from local.soak.command import DEMANDS, told
from local.soak.oracle import Verdict
from local.soak.server import Server, set_faults, struck
from local.soak.trouble import GROUPS, KINDS, Trouble, competed, settle


@pytest.mark.parametrize("seed", range(5))
def test_the_first_round_has_everything_and_ends_with_a_kill(tmp_path: Path, seed: int) -> None:
    done: list[str] = []
    made = Trouble(Server(tmp_path), seed)
    steps = ("damage", "at_once", "kill", "kill_while_reconciling")
    with mock.patch.multiple(made, strike=done.extend, **{name: _noting(done, name) for name in steps}):
        for step in made.first_round():
            step()
    assert sorted(done) == sorted([*KINDS, *steps])
    assert done[-1] == "kill_while_reconciling"


def _noting(done: list[str], name: str) -> Any:
    return lambda: done.append(name)


def test_every_kind_of_fault_has_its_turn_and_is_demanded() -> None:
    kinds = {kind for kind in faults.KINDS if not kind.startswith("comprehend")}
    assert {kind for group in GROUPS for kind in group} == kinds
    assert {name.removeprefix("fault ") for name in DEMANDS if name.startswith("fault ")} == kinds


def test_a_fault_without_an_occasion_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    with mock.patch.multiple(trouble, FAULT_SECONDS=0.0, STRIKE_SECONDS=0.3):
        Trouble(Server(tmp_path), 0).strike(["copy_twice"])
    assert struck(tmp_path) == {}
    assert not (tmp_path / "faults.json").exists()


def test_faults_are_set_counted_and_lifted_over_restarts(tmp_path: Path) -> None:
    set_faults(tmp_path, {"copy_fails": 1.0}, seed=3)
    for _ in range(2):
        assert faults.of(tmp_path).strikes("copy_fails")
    assert struck(tmp_path) == {"copy_fails": 2}
    set_faults(tmp_path, {})
    assert not faults.of(tmp_path).strikes("copy_fails")


@pytest.mark.parametrize(
    ("spans", "expected"),
    [([], False), ([(1, 3)], False), ([(1, 3), (2, 5)], True), ([(1, 3), (4, 5)], False), ([(4, 5), (1, 9)], True)],
)
def test_reconciliations_competed_if_one_was_asked_for_before_another_had_ended(
    spans: list[tuple[int, int]], expected: bool
) -> None:
    reports = [{"started_at": f"2026-01-02T03:00:0{a}", "finished_at": f"2026-01-02T03:00:0{b}"} for a, b in spans]
    assert competed(reports) is expected


def test_in_the_end_all_hours_of_the_soak_are_looked_at(tmp_path: Path) -> None:
    """The hour in which it began may be over and settled by then."""
    aws = Server(tmp_path)
    aws.admin_url = "http://127.0.0.1:1"
    made = Trouble(aws, 0)
    made.began = datetime(2026, 1, 2, 3, 59, 50, tzinfo=UTC)
    asked: list[Any] = []
    with (
        mock.patch.object(trouble, "undelivered", lambda _: 0),
        mock.patch.object(trouble, "job", lambda _, __, arguments: asked.append(arguments) or {}),
    ):
        settle(aws, made)
    assert asked == [{"repair": True, "grace_seconds": 0, "from": "2026-01-02T03:59:50+00:00"}]


ENOUGH = dict(DEMANDS)


@pytest.mark.parametrize(
    ("verdict", "passes", "says"),
    [
        (Verdict([], ENOUGH), True, "Nothing is lost, nothing is there twice."),
        (Verdict(["1 tweets lost: t7"], ENOUGH), False, "1 tweets lost: t7"),
        (Verdict([], {**ENOUGH, "kills (SIGKILL)": 1}), False, "kills (SIGKILL): 1, at least 2"),
        (Verdict([], {}), False, "fault copy_twice: 0, at least 1"),
    ],
)
def test_what_is_wrong_and_what_too_little_happened_of_is_told(verdict: Verdict, passes: bool, says: str) -> None:
    console = Console(width=200)
    with console.capture() as captured:
        assert told(console, verdict, DEMANDS) is passes
    assert says in captured.get()
    assert ("Nothing was proved" in captured.get()) is (verdict.measures != ENOUGH)
    assert ("Nothing is lost" in captured.get()) is passes
