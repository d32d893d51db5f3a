"""Whatever an event holds, each record is answered once, within Lambda's limit, and no tweet is lost or doubled."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from functools import partial
from typing import Any
from unittest import mock

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.transform import handler, put_back
from chalicelib.transform.put_back import PutBackError
from chalicelib.transform.unpack import unpack
from tests.support import attack_corpus
from tests.support.aws_in_memory import SOURCE, Aws, aws, event, results, rows

LIMIT = 6 * 1000 * 1000  # bytes of a Lambda's answer, counted the stricter way
FIRST_ARRIVAL = 1_770_091_506_789

names = st.sampled_from(["text", "full_text", "id", "user_id", "lang", "location", "data", "includes", "users", "x"])
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(exclude_categories=()))),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=4)),
    max_leaves=12,
)
tweets = st.fixed_dictionaries({"text": st.text(min_size=1)}, optional={"id": st.integers() | st.text(max_size=80)})
lines = st.lists(tweets | values, min_size=1, max_size=5).map(
    lambda many: b"\n".join(json.dumps(e).encode() for e in many)
)
arrays = st.lists(tweets | values, max_size=5).map(lambda many: json.dumps(many).encode())
records = st.one_of(st.binary(max_size=200), lines, arrays, tweets.map(lambda tweet: json.dumps(tweet).encode()))


def wanted(sent: list[bytes]) -> tuple[Counter[str], int]:
    """(texts of the tweets in these records, how many refusals)."""
    found = [unpack(data) for data in sent]
    texts = Counter(tweet.text for tweets, _ in found for tweet in tweets)
    return texts, sum(len(refusals) for _, refusals in found)


def check_answer(sent: dict[str, Any], response: dict[str, Any]) -> None:
    assert [r["recordId"] for r in response["records"]] == [r["recordId"] for r in sent["records"]]
    assert set(results(response)) <= {"Ok", "Dropped", "ProcessingFailed"}
    assert len(json.dumps(response).encode()) <= LIMIT
    for record in response["records"]:
        data = base64.b64decode(record["data"], validate=True)
        assert bool(data) == (record["result"] == "Ok")
        assert data.endswith(b"\n") or not data


def deliver(world: Aws, sent: list[bytes], **options: Any) -> list[dict[str, Any]]:
    """Invokes until nothing is put back any more, as Firehose would: all rows that were answered."""
    answered: list[dict[str, Any]] = []
    for turn in range(200):
        if not sent:
            return answered
        given_event = event(*sent, arrived=FIRST_ARRIVAL + turn * 100_000, **options)
        world.taken_back = []
        response = handler.transform(given_event, None)
        check_answer(given_event, response)
        answered += rows(response)
        sent = world.taken_back
    raise AssertionError("it never ends")


@given(st.lists(records, max_size=12))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_records_end_as_rows_of_one_file_or_as_refusals(sent: list[bytes]) -> None:
    texts, refusals = wanted(sent)
    with aws() as world:
        answered = deliver(world, sent)
        filed = world.lines("tweets/")
        refused = world.lines("rejected/")
    assert Counter(row["original_text"] for row in answered) == texts
    assert sorted(filed, key=orjson.dumps) == sorted(answered, key=orjson.dumps)
    assert len({(row["s3_key"], row["s3_line"]) for row in filed}) == len(filed)
    assert len(refused) == refusals
    assert all(line["reason"] and line["message"] and base64.b64decode(line["raw"]) is not None for line in refused)


def test_thousands_of_records_good_and_bad() -> None:
    sent = [b'{"text": "flood %d"}' % n if n % 3 else b"\xff\x00junk %d" % n for n in range(6000)]
    with aws() as world:
        answered = deliver(world, sent)
        assert len(world.lines("rejected/")) == 2000
    assert len({row["original_text"] for row in answered}) == len(answered) == 4000


@pytest.mark.parametrize(
    "text",
    ["x" * 900, "é" * 900, "日" * 900, '"\\' * 450, "\u0001" * 900, "&amp;" * 200, "flood " * 200, "𝕏" * 900],
    ids=["ascii", "two-bytes", "three-bytes", "escapes", "controls", "entities", "keywords", "four-bytes"],
)
def test_what_exceeds_an_answer_is_put_back_and_comes_again(text: str) -> None:
    line = json.dumps({"text": text}, ensure_ascii=False).encode()
    sent = [line[:-1] + b', "n": %d}' % n for n in range(3_000_000 // len(line))]
    with aws() as world:
        answered = deliver(world, sent)
        assert len(world.lines("tweets/")) == len(sent)
    assert len(answered) == len(sent) == len({row["tweet_key"] for row in answered})


def test_one_record_of_many_tweets_is_cut_and_its_rest_put_back() -> None:
    many = b"\n".join(json.dumps({"text": "storm " * 120, "n": n}).encode() for n in range(1200))
    with aws() as world:
        first = handler.transform(event(many, many), None)
        assert results(first)[0] == "Ok"
        assert world.taken_back, "two of these records are more than an answer holds"
        world.objects.clear()
        answered = deliver(world, [many, many])
    assert len(answered) == 2400


@given(st.integers(1, 9_000), st.integers(0, 400), st.integers(1, 64))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_answer_is_within_the_limit_whatever_the_sizes(records: int, characters: int, id_length: int) -> None:
    record = json.dumps({"text": "é" * (characters + 1), "id": "7" * id_length}).encode()
    records = min(records, 3_000_000 // len(record))
    with aws():
        sent = event(*[record] * records)
        check_answer(sent, handler.transform(sent, None))


def big() -> list[bytes]:
    """What doesn't fit into one answer."""
    return [json.dumps({"text": "日" * 3000, "n": n}).encode() for n in range(300)]


def test_records_the_stream_does_not_take_at_once_are_sent_again() -> None:
    refused_once: set[bytes] = set()

    def sometimes(*, DeliveryStreamName: str, Records: list[dict[str, bytes]]) -> dict[str, Any]:
        answers = []
        for record in Records:
            if record["Data"] in refused_once:
                world.taken_back.append(record["Data"])
                answers.append({"RecordId": "1"})
            else:
                refused_once.add(record["Data"])
                answers.append({"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."})
        return {"FailedPutCount": sum("ErrorCode" in a for a in answers), "RequestResponses": answers}

    with aws() as world, mock.patch.object(time, "sleep"):
        world.stream.put_record_batch.side_effect = sometimes
        response = handler.transform(event(*big()), None)
    kept = [record["result"] for record in response["records"]]
    assert kept.count("Dropped") == len(world.taken_back) == len(set(world.taken_back)) > 0


def test_a_stream_that_takes_nothing_back_fails_the_batch_so_that_firehose_tries_again() -> None:
    def never(*, DeliveryStreamName: str, Records: list[dict[str, bytes]]) -> dict[str, Any]:
        return {
            "FailedPutCount": len(Records),
            "RequestResponses": [{"ErrorCode": "ServiceUnavailable"} for _ in Records],
        }

    with aws() as world:
        world.stream.put_record_batch.side_effect = never
        with (
            mock.patch.object(handler, "put_back", partial(put_back.put_back, sleep=lambda _: None)),
            pytest.raises(PutBackError, match="were not taken back"),
        ):
            handler.transform(event(*big()), None)


def test_what_came_from_a_kinesis_data_stream_goes_back_there_with_its_partition_key() -> None:
    sent: list[dict[str, Any]] = []

    def put_records(*, StreamARN: str, Records: list[dict[str, Any]]) -> dict[str, Any]:
        assert StreamARN == SOURCE
        sent.extend(Records)
        return {"FailedRecordCount": 0, "Records": [{"SequenceNumber": "1", "ShardId": "1"} for _ in Records]}

    with aws() as world:
        world.stream.put_records.side_effect = put_records
        response = handler.transform(event(*big(), source=SOURCE), None)
    dropped = [n for n, result in enumerate(results(response)) if result == "Dropped"]
    assert [record["PartitionKey"] for record in sent] == [f"user-{n}" for n in dropped]
    assert dropped


def test_slow_texts_harm_no_other_record_and_are_stored_themselves() -> None:
    sent = event(*attack_corpus.five_slow_texts_among_good_ones())
    with aws():
        began = time.process_time()
        response = handler.transform(sent, None)
        seconds = time.process_time() - began
    check_answer(sent, response)
    found = rows(response)
    assert results(response) == ["Ok"] * 301
    assert [row["original_text"] for row in found[150:155]] == [
        text.encode()[:65_535].decode(errors="ignore") for text in attack_corpus.SLOW_TEXTS
    ]
    assert len(found) == 305
    assert seconds < 10, "it takes 0.1 s; with a quadratic step left it takes minutes"


@pytest.mark.parametrize(
    ("written", "cleaned"),
    [("#" + "aB" * 32_000, "a" + " Ba" * 32_000), ("&nGt;" * 13_000, "\u226b\u20d2" * 13_000)],
    ids=["hashtag", "entity"],
)
def test_a_cleaned_text_over_its_column_is_cut_and_marked(written: str, cleaned: str) -> None:
    with aws():
        [row] = rows(handler.transform(event(json.dumps({"text": written}).encode()), None))
    kept = row["cleaning_text"]
    assert (row["original_text"], row["truncated"]) == (written, True)
    assert len(kept.encode()) <= 65_535 and cleaned.startswith(kept) and len(kept.encode()) > 65_530


def test_a_cleaned_text_that_fits_is_not_marked() -> None:
    with aws():
        [row] = rows(handler.transform(event(json.dumps({"text": "x" * 65_535}).encode()), None))
    assert (len(row["cleaning_text"]), row["truncated"]) == (65_535, False)
