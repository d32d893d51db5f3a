"""The audit finds what is lost and what is there twice: a soak that can't fail would say nothing."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from local.audit import compare, rejected_markers, tweet_ids

WHOLE: dict[str, Any] = {
    "tweets": {"1", "2", "3"},
    "junk": {"junk-0"},
    "written": {"a": ["1", "2"], "b": ["2"]},  # 2 was sent again: its answer was lost
    "loaded": {"a": (2, 2, 1, 2), "b": (1, 1, 1, 1)},
    "view": {"1": 1, "2": 1},
    "rejected": {"3", "junk-0"},
}


def test_all_is_well() -> None:
    found = compare(**WHOLE)
    assert found.problems == []
    assert (found.tweets, found.rows, found.files, found.given_up, found.refused) == (2, 3, 2, 1, 1)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"loaded": {"a": (2, 2, 1, 2)}}, "tweet files that are not loaded line by line"),
        ({"loaded": {**WHOLE["loaded"], "a": (1, 1, 1, 1)}}, "tweet files that are not loaded line by line"),
        ({"loaded": {**WHOLE["loaded"], "a": (2, 1, 1, 1)}}, "tweet files that are not loaded line by line"),
        ({"loaded": {**WHOLE["loaded"], "a": (4, 2, 1, 2)}}, "tweet files that are not loaded line by line"),
        ({"loaded": {**WHOLE["loaded"], "c": (1, 1, 1, 1)}}, "loaded files that don't exist"),
        ({"view": {"1": 1, "2": 2}}, "tweets more than once in the view"),
        ({"view": {"1": 1, "2": 1, "9": 1}}, "tweets in the view that nobody sent"),
        ({"view": {"1": 1}}, "accepted tweets that the view hasn't"),
        ({"rejected": {"junk-0"}}, "tweets lost"),
        ({"rejected": {"3"}}, "junk records lost"),
    ],
)
def test_it_says_what_is_wrong(change: dict[str, Any], problem: str) -> None:
    assert any(problem in found for found in compare(**WHOLE | change).problems)


def test_rejected_records_are_known_in_the_transforms_form_and_in_firehoses() -> None:
    def encoded(raw: bytes) -> str:
        return base64.b64encode(raw).decode()

    lines = [
        {"reason": "not_json", "raw": encoded(b"\x00junk-7\xff")},
        {"errorCode": "Lambda.FunctionError", "rawData": encoded(b'{"tweet_id": "5", "text": "x"}\n')},
    ]
    assert list(rejected_markers(b"\n".join(json.dumps(line).encode() for line in lines))) == ["junk-7", "5"]


def test_a_tweet_files_lines_must_be_numbered_through() -> None:
    def line(number: int) -> bytes:
        return json.dumps({"tweet_id": str(number), "s3_line": number, "s3_key": "a"}).encode()

    assert tweet_ids(line(1) + b"\n" + line(2) + b"\n") == ["1", "2"]
    with pytest.raises(ValueError, match="numbered"):
        tweet_ids(line(1) + b"\n" + line(3) + b"\n")
