"""Which tweets a batch is answered with, and in what pieces the rest goes back, is decided by sizes alone."""

from __future__ import annotations

import json

import pytest

from chalicelib.transform import answer
from chalicelib.transform.batch import Record
from chalicelib.transform.plan import MOST_RECORD_BYTES, Share, fitting, leftovers, shares
from chalicelib.transform.rows import CLASSIFICATION_BYTES, LINK_BYTES, Draft
from chalicelib.transform.unpack import Refusal, Tweet

OTHER_PARTS = CLASSIFICATION_BYTES + LINK_BYTES


def tweet(raw: bytes) -> Tweet:
    return Tweet(raw, "text", False, None, None, None, None, None, None)


def record(tweets: int, refusals: int = 0, size: int = 10) -> Record:
    many = [tweet(b"%05d" % n + b"x" * (size - 5)) for n in range(tweets)]
    return Record("id", 1, b"as it came", "key", many, [Refusal("no_text", "", b"r%d" % n) for n in range(refusals)])


def whole_tweets(record: Record) -> list[Tweet]:
    return [each for each in record.tweets if isinstance(each, Tweet)]


def test_a_record_whose_rows_are_drafted_already_still_knows_the_source_of_each_tweet() -> None:
    sources = [b'{"text":"a"}', b'{"text":"b"}']
    data = b"\n".join([sources[0], b"junk", sources[1]])
    drafted = Draft(b"{", 1, "flood", 0.1, "v")
    assert Record("id", 1, data, None, [drafted, drafted], []).sources() == sources
    assert record(2).sources() == [b"00000xxxxx", b"00001xxxxx"]


def test_rows_fit_up_to_the_last_byte() -> None:
    facts = [100] * 3
    each = 100 + OTHER_PARTS
    assert [fitting(facts, capacity) for capacity in (0, each - 1, each, 2 * each, 3 * each - 1, 10 * each)] == [
        0, 0, 1, 2, 2, 3,
    ]  # fmt: skip


def test_a_row_that_does_not_fit_lets_none_behind_it_in() -> None:
    assert fitting([10, 1000, 1], 10 + 3 * OTHER_PARTS) == 1


def test_each_record_is_told_what_became_of_its_tweets() -> None:
    records = [record(2), record(0, refusals=1), record(3), record(1)]
    found = [(share.start, share.stop, share.result) for share in shares(records, 4)]
    assert found == [(0, 2, "Ok"), (2, 2, "ProcessingFailed"), (2, 4, "Ok"), (4, 4, "Dropped")]


def test_a_record_without_rows_goes_back_as_it_came_and_is_judged_when_it_comes_again() -> None:
    [back], refusals = leftovers(Share(record(2, refusals=1), 5, 5, "Dropped"))
    assert (back.data, back.partition_key) == (b"as it came", "key")
    assert refusals == []


def test_a_record_with_all_its_rows_leaves_only_what_was_refused() -> None:
    whole = record(2, refusals=2)
    assert leftovers(Share(whole, 0, 2, "Ok")) == ([], whole.refusals)
    junk = record(0, refusals=2)
    assert leftovers(Share(junk, 0, 0, "ProcessingFailed")) == ([], junk.refusals)


def test_a_record_that_is_cut_leaves_its_last_tweets_a_line_each_and_what_was_refused() -> None:
    cut = record(5, refusals=2)
    [back], refusals = leftovers(Share(cut, 10, 12, "Ok"))
    assert back.data == b"".join(each.raw + b"\n" for each in whole_tweets(cut)[2:])
    assert back.partition_key == "key"
    assert refusals == cut.refusals


def test_what_is_put_back_fills_records_to_the_last_byte_that_firehose_takes() -> None:
    cut = record(8, size=MOST_RECORD_BYTES // 4 - 1)  # with its line's end, four fill a record
    back, refusals = leftovers(Share(cut, 0, 1, "Ok"))
    assert [len(each.data) for each in back] == [MOST_RECORD_BYTES, 3 * MOST_RECORD_BYTES // 4]
    assert b"".join(each.data for each in back) == b"".join(each.raw + b"\n" for each in whole_tweets(cut)[1:])
    assert {each.partition_key for each in back} == {"key"}
    assert refusals == []


def test_each_piece_of_a_record_that_is_cut_is_filled_to_the_last_byte() -> None:
    cut = record(1 + 4 * 3, size=MOST_RECORD_BYTES // 4 - 1)
    back, _ = leftovers(Share(cut, 0, 1, "Ok"))
    assert [len(each.data) for each in back] == [MOST_RECORD_BYTES] * 3 == [1_024_000] * 3


def test_where_nothing_of_a_record_can_go_back_nothing_does() -> None:
    back, [refusal] = leftovers(Share(record(2, size=1_024_000), 0, 1, "Ok"))
    assert back == []
    says = "over 1024000 bytes on its own: no room in this answer, and too large to put back"
    assert (refusal.reason, refusal.message) == ("too_large", says)


@pytest.mark.parametrize("over", [0, 1])
def test_a_tweet_that_no_record_holds_is_refused_and_its_neighbours_go_back(over: int) -> None:
    cut = record(2, refusals=1)
    large = tweet(b"x" * (MOST_RECORD_BYTES - 1 + over))
    former, latter = cut.tweets
    back, refusals = leftovers(Share(cut._replace(tweets=[tweet(b"first"), former, large, latter]), 0, 1, "Ok"))
    assert (large.raw + b"\n" in [each.data for each in back]) == (not over)
    assert b"".join(each.data for each in back if len(each.data) < 100) == b"00000xxxxx\n00001xxxxx\n"
    assert [refusal.reason for refusal in refusals] == ["no_text"] + ["too_large"] * over
    if over:
        assert refusals[1].raw == large.raw
        assert "too large to put back" in refusals[1].message
    assert len(cut.refusals) == 1, "the record's own refusals are as they were"


@pytest.mark.parametrize("records", [1, 7, 3000])
def test_rows_of_the_capacity_make_an_answer_of_at_most_lambdas_limit(records: int) -> None:
    ids = [f"{n:056}" for n in range(records)]
    capacity = answer.capacity(ids)
    each = capacity // records
    response = answer.compose((record_id, "ProcessingFailed", [b"x" * each]) for record_id in ids)
    size = len(json.dumps(response))
    assert answer.MOST_BYTES - 40 * records < size <= answer.MOST_BYTES == 6_000_000


@pytest.mark.parametrize("records", [1, 3])
def test_the_capacity_is_what_an_answer_without_rows_leaves_less_four_bytes_a_record_that_base64_may_round_up(
    records: int,
) -> None:
    ids = [f"{n:056}" for n in range(records)]
    empty = len(json.dumps(answer.compose((each, "ProcessingFailed", []) for each in ids)))
    assert answer.capacity(ids) == (6_000_000 - empty - 2 - 4 * records) * 3 // 4


@pytest.mark.parametrize(
    ("one", "other", "answered"),
    [
        ("ProcessingFailed", "Dropped", "Dropped"),
        ("Dropped", "Ok", "Ok"),
        ("ProcessingFailed", "Ok", "Ok"),
        ("Dropped", "Dropped", "Dropped"),
    ],
)
def test_of_two_answers_to_one_id_the_better_one_counts(one: str, other: str, answered: str) -> None:
    for results in ((one, other), (other, one)):
        [record] = answer.compose(("id", result, [b"x\n"]) for result in results)["records"]
        assert record == {"recordId": "id", "result": answered, "data": "eAp4Cg=="}


def test_too_many_records_for_any_row_have_a_capacity_of_zero() -> None:
    assert answer.capacity("x" * 56 for _ in range(60_000)) == 0
