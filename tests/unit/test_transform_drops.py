"""Where the reconciler loads, Firehose is told to drop what is in the tweet file, and the loader of surges."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest

from chalicelib import clients
from chalicelib.transform import answer, handler, surge
from tests.support.aws_in_memory import SETTINGS, Aws, aws, client_error, event, results, rows

FLOOD = [json.dumps({"text": f"Flood in street {n}, houses under water"}).encode() for n in range(40)]

AT_FIRST = surge._told


@pytest.fixture(autouse=True)
def loads(monkeypatch: pytest.MonkeyPatch) -> mock.Mock:
    """The delivery `reconcile`, and Lambda's client."""
    known = replace(SETTINGS, delivery="reconcile")
    loader = mock.Mock()
    for module in (handler, surge):
        monkeypatch.setattr(module, "settings", lambda: known)
    monkeypatch.setattr(clients, "lambda_", lambda: loader)
    monkeypatch.setattr(surge, "_told", AT_FIRST)
    return loader


def transform(world: Aws, *records: bytes) -> dict[str, Any]:
    with mock.patch.object(handler, "settings", lambda: replace(SETTINGS, delivery="reconcile")):
        return handler.transform(event(*records), None)


def test_what_is_in_the_tweet_file_is_dropped_and_what_was_refused_has_failed() -> None:
    with aws() as world:
        told = transform(world, *FLOOD[:2], b"no tweet")
    assert results(told) == ["Dropped", "Dropped", "ProcessingFailed"]
    assert rows(told) == []
    assert len(world.lines("tweets/")) == 2 and len(world.lines("rejected/")) == 1


def test_it_is_dropped_only_once_it_is_stored() -> None:
    with aws() as world:
        world.s3.put_object.side_effect = client_error("SlowDown")
        with pytest.raises(Exception, match="SlowDown"):
            transform(world, *FLOOD)


def test_what_does_not_fit_is_put_back_and_the_rest_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer, "MOST_BYTES", 20_000)
    with aws() as world:
        told = transform(world, *FLOOD)
    assert set(results(told)) == {"Dropped"}
    stored = {line["original_text"] for line in world.lines("tweets/")}
    again = {json.loads(record)["text"] for record in world.taken_back}
    assert stored and again and not stored & again
    assert stored | again == {json.loads(record)["text"] for record in FLOOD}


# ---- surges


def hints(loader: mock.Mock) -> list[dict[str, Any]]:
    calls = [call.kwargs for call in loader.invoke.call_args_list]
    assert {call["InvocationType"] for call in calls} <= {"Event"}
    assert {call["FunctionName"] for call in calls} <= {"disaster-tweets-local-reconcile"}
    sent = [json.loads(call["Payload"]) for call in calls]
    assert {(each["detail-type"], each["source"]) for each in sent} <= {("Surge", "disaster-tweets.transform")}
    return [each["detail"]["surge"] for each in sent]


def test_the_loader_is_told_of_a_batch_with_many_relevant_tweets(loads: mock.Mock) -> None:
    with aws() as world:
        transform(world, *FLOOD)
    assert hints(loads) == [{"relevant": 40, "tweets": 40, "seconds": 0.039}]


def test_it_is_said_whether_the_loader_was_told(loads: mock.Mock) -> None:
    relevant = [b"{" + surge.RELEVANT + b"}"] * surge.LEAST
    assert surge.tell(relevant[1:], [1000]) is False
    assert surge.tell(relevant, [1000, 3000]) is True
    assert surge.tell(relevant, [1000]) is False, "within the minute"
    assert hints(loads) == [{"relevant": surge.LEAST, "tweets": surge.LEAST, "seconds": 2.0}]


def test_it_is_told_of_no_other(loads: mock.Mock) -> None:
    with aws() as world:
        transform(world, *FLOOD[: surge.LEAST - 1], *[b'{"text": "I had pizza"}'] * 99)
    assert hints(loads) == []


def test_a_text_that_looks_like_a_row_is_no_relevant_tweet(loads: mock.Mock) -> None:
    text = json.dumps({"text": 'pizza "relevance_label":"relevant"'}).encode()
    with aws() as world:
        transform(world, *[text] * 40)
    assert hints(loads) == []


def test_it_is_told_once_a_minute(loads: mock.Mock) -> None:
    with aws() as world:
        for now in (1000.0, 1059.9, 1060.0):
            with mock.patch.object(time, "monotonic", return_value=now):
                transform(world, *FLOOD)
    assert len(hints(loads)) == 2


def test_a_loader_that_can_not_be_told_holds_no_batch_up(
    loads: mock.Mock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads.invoke.side_effect = client_error("TooManyRequestsException")
    with aws() as world:
        assert set(results(transform(world, *FLOOD))) == {"Dropped"}
    assert "the loader was not told of a surge" in caplog.messages
    monkeypatch.setattr(surge, "_told", float("-inf"))
    assert surge.tell([b"{" + surge.RELEVANT + b"}"] * surge.LEAST, [1000]) is False


def test_where_firehose_loads_nobody_is_told(loads: mock.Mock) -> None:
    with aws():
        assert set(results(handler.transform(event(*FLOOD), None))) == {"Ok"}
    assert hints(loads) == []
