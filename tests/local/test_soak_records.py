"""What the soak sends is what it says: the application reads each record as its writer meant it."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from chalicelib.transform import answer, rows
from chalicelib.transform.unpack import unpack
from local.soak.records import DENSE, DENSE_AT, records
from local.soak.sender import BATCH

MOST_RECORD_BYTES = 1000 * 1024  # docs.aws.amazon.com/firehose/latest/dev/limits.html


def test_each_record_is_read_as_it_was_meant() -> None:
    reasons: Counter[str] = Counter()
    ids: list[str] = []
    for record in islice(records(dense=3), 1000):
        tweets, refusals = unpack(record.data)
        assert [(each.reason, each.raw) for each in refusals] == [(each.reason, each.raw) for each in record.junk]
        for found, meant in zip(tweets, record.tweets, strict=True):
            columns = {name: value for name, value in found._asdict().items() if name in meant.columns}
            assert {**columns, "original_text": found.text} == meant.columns
            assert rows.tweet_key(found.raw) == meant.key
            ids.append(meant.columns["tweet_id"])
        reasons.update(each.reason for each in record.junk)
    assert len(ids) == len(set(ids)) > 1000
    assert set(reasons) == {"not_json", "not_an_object", "no_text", "bad_id"}


def test_records_come_alone_and_several_and_mixed() -> None:
    sent = list(islice(records(dense=3), 1000))
    assert len({record.data for record in sent}) == 1000
    for tweets, junk in ((0, 1), (1, 0), (2, 0), (2, 1), (3, 0)):
        assert any((len(record.tweets), len(record.junk)) == (tweets, junk) for record in sent)
    assert any(record.data.startswith(b"[{") for record in sent)
    assert any(tweet.columns["truncated"] for record in sent for tweet in record.tweets)


def test_each_stream_begins_with_a_dense_record_that_fits_into_a_put_and_not_into_an_answer() -> None:
    sent = list(islice(records(), 2 * BATCH))
    dense = [n for n, record in enumerate(sent) if len(record.tweets) == DENSE]
    assert dense == list(DENSE_AT)
    assert [n // BATCH for n in dense] == [0, 1]
    assert all(len(sent[n].data) < MOST_RECORD_BYTES and not sent[n].junk for n in dense)
    assert answer.capacity([]) < DENSE * rows.SMALLEST_ROW
