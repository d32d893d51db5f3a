"""The audit of `make soak` fails when the code is broken: one test for each way in which it once passed."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest import mock

import orjson
import pytest

import producer
from chalicelib.reconcile import lock, run
from chalicelib.reconcile.repair import Repairs
from chalicelib.transform import answer, batch, files, handler
from chalicelib.transform.unpack import Refusal
from local.server import LocalAws
from local.soak import sender
from local.soak.oracle import missed
from local.soak.trouble import AT_ONCE, KINDS
from tests.support.soak_flow import DEMANDS, flow


def test_correct_code_passes(stack: LocalAws) -> None:
    verdict = flow(stack, KINDS, damage=True, at_once=True)
    assert verdict.problems == []
    assert missed(verdict.measures, DEMANDS) == []


# ------------------------------------------------------------------ too little happens: it proved nothing


def test_nothing_was_sent(stack: LocalAws) -> None:
    with mock.patch.object(sender.Sender, "send"):
        verdict = flow(stack)
    assert verdict.problems == []
    too_little = "\n".join(missed(verdict.measures, DEMANDS))
    assert "tweets sent: 0, at least" in too_little
    assert "junk sent: 0, at least" in too_little
    assert "% of the tweets in the view: 0, at least" in too_little


def test_no_fault_ever_struck(stack: LocalAws) -> None:
    verdict = flow(stack, damage=True, at_once=True)
    assert verdict.problems == []
    too_little = missed(verdict.measures, DEMANDS)
    assert {demand.partition(":")[0] for demand in too_little} == {
        "records sent again",
        *(name for name in DEMANDS if name.startswith("fault ")),
    }


# ------------------------------------------------------------------ broken code, and what is then complained of


def what_is_said_to_be_sent_is_not() -> AbstractContextManager[Any]:
    return mock.patch.object(producer, "put_with_retries", lambda *_, **__: ([], 0))


def the_transform_raises_always() -> AbstractContextManager[Any]:
    return mock.patch.object(handler, "decide", side_effect=RuntimeError("broken"))


def every_tweet_is_refused() -> AbstractContextManager[Any]:
    return mock.patch.object(batch, "unpack", lambda data: ([], [Refusal("no_text", "broken", data)]))


def repair_does_nothing() -> AbstractContextManager[Any]:
    return mock.patch.object(run, "repair", lambda *_, **__: Repairs())


@contextmanager
def the_lock_is_gone() -> Iterator[None]:
    reconcile, both = run.reconcile, threading.Barrier(AT_ONCE)

    def together(*arguments: Any) -> Any:
        both.wait(10)  # a run is short here: without this they might not meet
        return reconcile(*arguments)

    with (
        mock.patch.object(run, "reconcile", together),
        mock.patch.object(lock.Lock, "__enter__", lambda self: self),
        mock.patch.object(lock.Lock, "__exit__", lambda *_: None),
    ):
        yield


def texts_of_rows_differ_from_their_lines() -> AbstractContextManager[Any]:
    compose = answer.compose

    def changed(results: Any) -> Any:
        return compose(
            (name, result, [row.replace(b"people", b"nobody") for row in rows]) for name, result, rows in results
        )

    return mock.patch.object(answer, "compose", changed)


def with_lines(change: Callable[[list[dict[str, Any]]], None]) -> AbstractContextManager[Any]:
    """The decisions of the transform, with the lines of its tweet file changed."""
    decide = handler.decide

    def changed(*arguments: Any) -> handler.Outcome:
        outcome = decide(*arguments)
        lines = [orjson.loads(line) for line in outcome.lines]
        change(lines)
        return outcome._replace(lines=[orjson.dumps(line) + b"\n" for line in lines])

    return mock.patch.object(handler, "decide", changed)


def ids_are_moved_by_one_within_a_file() -> AbstractContextManager[Any]:
    def move(lines: list[dict[str, Any]]) -> None:
        ids = [line["tweet_id"] for line in lines]
        for line, moved in zip(lines, ids[1:] + ids[:1], strict=True):
            line["tweet_id"] = moved

    return with_lines(move)


def line_numbers_are_moved_by_one_within_a_file() -> AbstractContextManager[Any]:
    def move(lines: list[dict[str, Any]]) -> None:
        for line in lines:
            line["s3_line"] = line["s3_line"] % len(lines) + 1

    return with_lines(move)


def keys_are_of_something_else() -> AbstractContextManager[Any]:
    def other(lines: list[dict[str, Any]]) -> None:
        for line in lines:
            line["tweet_key"] = line["tweet_key"][::-1]

    return with_lines(other)


def labels_are_of_no_kind() -> AbstractContextManager[Any]:
    return with_lines(lambda lines: lines[0].update(disaster_label="pizza"))


def the_rejected_file_is_not_written() -> AbstractContextManager[Any]:
    return mock.patch.object(files, "write", lambda *_: None)


def the_rejected_file_has_other_bytes() -> AbstractContextManager[Any]:
    def write(s3: Any, bucket: str, key: str, lines: Sequence[bytes]) -> None:
        other = [line.replace(b'"raw":"', b'"raw":"AAAA') for line in lines]
        s3.put_object(Bucket=bucket, Key=key, Body=gzip.compress(b"".join(other)))

    return mock.patch.object(files, "write", write)


def the_producer_ignores_failed_put_count() -> AbstractContextManager[Any]:
    put = producer.Firehose.put

    def ignoring(self: Any, records: Any) -> list[Any]:
        put(self, records)
        return []

    return mock.patch.object(producer.Firehose, "put", ignoring)


def what_does_not_fit_is_not_put_back() -> AbstractContextManager[Any]:
    return mock.patch.object(handler, "put_back", lambda *_: None)


@pytest.mark.parametrize(
    ("broken", "how", "complaints"),
    [
        (what_is_said_to_be_sent_is_not, {}, ["tweets lost", "pieces of junk that no rejected file names"]),
        (the_transform_raises_always, {}, ["batches given up"]),
        (every_tweet_is_refused, {}, ["refusals of good tweets", "tweets lost"]),
        (repair_does_nothing, {"kinds": ("copy_twice",)}, ["lines with several rows"]),
        (repair_does_nothing, {"damage": True}, ["lines without a row", "lines with several rows"]),
        (the_lock_is_gone, {"at_once": True}, ["pairs of reconciliations at work at once"]),
        (texts_of_rows_differ_from_their_lines, {}, ["rows that differ from their lines"]),
        (ids_are_moved_by_one_within_a_file, {}, ["lines that differ from what was sent"]),
        (line_numbers_are_moved_by_one_within_a_file, {}, ["lines that don't say where they stand"]),
        (keys_are_of_something_else, {}, ["lines of tweets that nobody sent", "tweets lost"]),
        (labels_are_of_no_kind, {}, ["lines with a label or a score that can't be"]),
        (the_rejected_file_is_not_written, {}, ["pieces of junk that no rejected file names"]),
        (the_rejected_file_has_other_bytes, {}, ["refusals of what nobody sent"]),
        (the_producer_ignores_failed_put_count, {"kinds": ("firehose_partial",)}, ["tweets lost"]),
        (what_does_not_fit_is_not_put_back, {}, ["tweets lost"]),
    ],
)
def test_broken_code_is_seen(
    stack: LocalAws,
    broken: Callable[[], AbstractContextManager[Any]],
    how: dict[str, Any],
    complaints: Sequence[str],
) -> None:
    with broken():
        verdict = flow(stack, **how)
    for complaint in complaints:
        assert any(complaint in problem for problem in verdict.problems), verdict.problems


def test_what_was_put_back_is_demanded(stack: LocalAws) -> None:
    """Without a dense record everything is well, and yet nothing was proved of what doesn't fit into an answer."""
    verdict = flow(stack, dense=1)
    assert verdict.problems == []
    too_little = missed(verdict.measures, DEMANDS)
    assert any("records put back into Firehose: 0" in demand for demand in too_little)
    assert any("records put back into Kinesis: 0" in demand for demand in too_little)
