"""A full buffer of ordinary tweets fits into one answer: what doesn't is put back, sent again and billed again."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

import producer
from benchmarks import SAMPLE
from chalicelib.classifier.active import default
from chalicelib.transform import handler
from chalicelib.transform.batch import read
from infra import template
from local import provision
from tests.support.aws_in_memory import event


def hints(tree: Any) -> list[float]:
    """Return every BufferSizeInMBs of a template, in MB."""
    if isinstance(tree, dict):
        own = [float(tree["ParameterValue"])] if tree.get("ParameterName") == "BufferSizeInMBs" else []
        return own + [hint for each in tree.values() for hint in hints(each)]
    return [hint for each in tree for hint in hints(each)] if isinstance(tree, list) else []


ON_AWS = hints(template.read())


def buffer(packed: bool, size: float) -> list[bytes]:
    """Return records of sample tweets that fill a buffer of `size` MB."""
    lines = itertools.cycle(producer.read(SAMPLE))
    records = (record.data for record in producer.pack(lines)) if packed else lines
    found: list[bytes] = []
    taken = 0
    while taken < size * 1024 * 1024:
        found.append(next(records))
        taken += len(found[-1])
    return found


def put_back(packed: bool, size: float) -> int:
    outcome = handler.decide(read(event(*buffer(packed, size))), default(), 0.0)
    return len(outcome.put_back)


def test_the_buffer_is_the_same_here_and_on_aws() -> None:
    assert set(ON_AWS) == {provision.BUFFER_MB}


@pytest.mark.parametrize("packed", [False, True], ids=["unpacked", "packed"])
def test_a_full_buffer_fits_into_an_answer(packed: bool) -> None:
    assert put_back(packed, provision.BUFFER_MB) == 0


def test_a_larger_buffer_would_not_fit() -> None:
    assert put_back(packed=False, size=1.2) > 0
