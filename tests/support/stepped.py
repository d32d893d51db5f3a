"""Runs functions side by side, a step at a time, in an order that a test chooses: the same order, the same result.

A function stops before each call that announces itself with `Steps.pause()`, and goes on when its turn comes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

from botocore.client import BaseClient

PATIENCE = 30.0  # seconds for one step


class _Worker:
    """One function in a thread of its own, which runs only while the test waits for it."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._go, self._stopped = threading.Semaphore(0), threading.Semaphore(0)
        self.pauses, self.ended = 0, False
        self.result: Any = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def step(self) -> None:
        """Let it run to its next pause, or to its end."""
        if not self.ended:
            self._go.release()
            assert self._stopped.acquire(timeout=PATIENCE), "a step did not end"

    def pause(self) -> None:
        """Stop until the next step. Called from its own thread."""
        self.pauses += 1
        self._stopped.release()
        self._go.acquire()

    def is_me(self) -> bool:
        return threading.current_thread() is self._thread

    def _run(self) -> None:
        self._go.acquire()
        try:
            self.result = self._work()
        except BaseException as error:
            self.error = error
        finally:
            self.ended = True
            self._stopped.release()


class Steps:
    """Functions side by side. `order` names whose turn it is, by number; at its end each runs to its own end."""

    def __init__(self) -> None:
        self._workers: list[_Worker] = []

    def pause(self) -> None:
        """Stop the function that calls this, if it is one of these; whoever else calls goes on."""
        for worker in self._workers:
            if worker.is_me():
                worker.pause()

    def run(self, order: Sequence[int], *works: Callable[[], Any]) -> list[_Worker]:
        """Run the functions in this order: each one's `result`, or the `error` it raised, and how often it paused."""
        self._workers = [_Worker(work) for work in works]
        for worker in self._workers:
            worker.step()  # to its first pause, before it has done anything
        for number in order:
            self._workers[number].step()
        for worker in self._workers:
            while not worker.ended:
                worker.step()
        return self._workers


def orders(*counts: int) -> Iterator[list[int]]:
    """Yield every order in which functions of so many steps each can take turns."""
    if not any(counts):
        yield []
    for number, count in enumerate(counts):
        if count:
            rest = [left - (other == number) for other, left in enumerate(counts)]
            for order in orders(*rest):
                yield [number, *order]


# ------------------------------------------------------------------ all of one thing before a call of another

Matches = Callable[[str, dict[str, Any]], bool]
"""Whether it is this call: the operation's name and what is given to it."""


@contextmanager
def before_a_call(matches: Matches, meanwhile: Callable[[], object]) -> Iterator[None]:
    """Before the first call of boto3's that matches, all of `meanwhile` happens. It must come to that."""
    call: Any = BaseClient._make_api_call  # type: ignore[attr-defined]
    met: list[str] = []

    def calling(self: BaseClient, name: str, given: dict[str, Any]) -> Any:
        if not met and matches(name, given):
            met.append(name)
            meanwhile()
        return call(self, name, given)

    with mock.patch.object(BaseClient, "_make_api_call", calling):
        yield
    assert met, "it never got there"


def nth_transaction(number: int) -> Matches:
    """Match the n-th transaction, from 1."""
    seen: list[str] = []

    def matches(name: str, _: dict[str, Any]) -> bool:
        if name == "BatchExecuteStatement":
            seen.append(name)
        return len(seen) == number

    return matches
