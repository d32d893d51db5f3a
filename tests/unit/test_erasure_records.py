"""Which posts a stored line holds, and what is left of it."""

from __future__ import annotations

import base64
import gzip
import io
import json

import orjson
import pytest

from chalicelib import bodies
from chalicelib.columns import NAMES
from chalicelib.erasures import records, stores

POST = {"tweet_id": "1", "user_id": "9", "text": "river over its banks"}
AT = "2026-01-31 12:00:00"
ONE, NINE = records.of_tweet("1"), records.of_user("9")


def line(document: object) -> bytes:
    return orjson.dumps(document) + b"\n"


def refused(raw: bytes) -> bytes:
    return line({"reason": "no_text", "message": "m", "arrived_at": AT, "raw": base64.b64encode(raw).decode()})


V1 = {"id_str": "1", "id": 1, "full_text": "x", "user": {"id_str": "9", "location": "y"}}
V2 = {
    "data": [{"id": "1", "text": "x", "author_id": "9"}, {"id": "2", "text": "other", "author_id": "8"}],
    "includes": {"users": [{"id": "9", "location": "y"}, {"id": "8"}], "tweets": [{"id": "3", "text": "quoted"}]},
}


@pytest.mark.parametrize(
    "data",
    [
        orjson.dumps(POST),
        orjson.dumps({**POST, "tweet_id": 1, "user_id": 9}),
        json.dumps(POST, indent=2).encode(),
        orjson.dumps(V1),
        orjson.dumps(V2),
        orjson.dumps([POST]),
        line(POST) + b"no json\n" + line({"tweet_id": "5", "text": "z"}),
        b'{"tweet_id":"5","text":"z"}' + orjson.dumps(POST),
        b'{"tweet_id": "1", "user_id": "9", "text": "cut o',
        b"\xff" + orjson.dumps(POST),
    ],
)
def test_a_record_names_its_posts_and_their_authors_however_it_is_written(data: bytes) -> None:
    assert {ONE, NINE} <= set(records.of_record(data))
    left = records.record_without(data, {ONE})
    assert ONE not in set(records.of_record(left))
    assert b"river over" not in left and b'"x"' not in left


@pytest.mark.parametrize(
    "document",
    [
        {"tweet_id": "2", "user_id": "8", "text": "an answer", "in_reply_to_status_id_str": "1"},
        {
            "tweet_id": "2",
            "text": "names her",
            "entities": {"user_mentions": [{"id_str": "9"}], "hashtags": [{"text": "1"}]},
        },
        {"id": "2", "text": "an answer", "referenced_tweets": [{"type": "replied_to", "id": "1"}]},
        {"tweet_id": "11", "user_id": "99", "text": "other IDs"},
    ],
)
def test_a_post_that_only_mentions_another_stays(document: object) -> None:
    data = orjson.dumps(document)
    assert records.record_without(data, {ONE, NINE}) is data


def test_an_id_that_is_a_float_is_that_of_its_source() -> None:
    assert records.of_tweet("6.29005e+17") in set(records.of_record(b'{"tweet_id": 6.29005e+17, "text": "x"}'))


def test_a_repeated_post_goes_with_what_repeats_it() -> None:
    repeat = {"id_str": "2", "full_text": "RT x", "user": {"id_str": "8"}, "retweeted_status": V1}
    assert records.record_without(orjson.dumps(repeat), {ONE}) == b""


def test_of_a_payload_only_what_is_erased_goes() -> None:
    left = records.record_without(orjson.dumps(V2), {NINE})
    assert [orjson.loads(each)["data"]["id"] for each in left.splitlines()] == ["2"]
    assert b"location" not in left
    quoted = records.record_without(orjson.dumps(V2), {records.of_tweet("3")})
    assert [orjson.loads(each)["data"]["id"] for each in quoted.splitlines()] == ["1", "2"]
    assert b"quoted" not in quoted


def test_a_row_that_is_erased_keeps_its_link_and_its_labels_alone() -> None:
    row = {**dict.fromkeys(NAMES, "x"), "tweet_id": "1", "user_id": "9", "keywords": [{"word": "river"}]}
    left = orjson.loads(records.row_without(line(row), {ONE}, AT))
    assert left.pop("erased_at") == AT
    assert set(left) == records.KEPT & set(NAMES)
    assert records.row_without(line(row), {records.of_tweet("2")}, AT) == line(row)
    assert list(records.of_row(line(left | {"erased_at": AT}))) == []


def test_a_refusal_keeps_its_line_and_its_reason() -> None:
    for raw in (orjson.dumps(POST), b'{"tweet_id":"1","text":"cut o'):
        left = orjson.loads(records.refusal_without(refused(raw), {ONE}, AT))
        assert (left["reason"], left["raw"], left["erased_at"]) == ("no_text", "", AT)
    assert records.refusal_without(refused(b"{}"), {ONE}, AT) == refused(b"{}")


def test_a_failed_record_keeps_the_other_posts() -> None:
    data = line(POST) + line({"tweet_id": "2", "text": "z"})
    failed = line({"errorCode": "Lambda.FunctionError", "rawData": base64.b64encode(data).decode()})
    left = orjson.loads(records.failure_without(failed, {NINE}, AT))
    assert base64.b64decode(left["rawData"]) == line({"tweet_id": "2", "text": "z"})
    assert records.failure_without(failed, set(), AT) == failed


@pytest.mark.parametrize("end", [b"\n", b"", b"\r\n", b"  "])
def test_a_backup_is_read_whatever_ends_its_records(end: bytes) -> None:
    """Firehose writes records one after the other, with nothing between them."""
    many = [orjson.dumps({"tweet_id": str(n), "text": f"t {n}"}) for n in range(50)]
    many.insert(
        20, json.dumps({"tweet_id": "x", "text": "pretty"}, indent=1).encode() + (b"" if end.strip() else b"\n")
    )
    packed = gzip.compress(b"".join(each + end for each in many))
    read = list(stores.SOURCE.split(bodies.lines(io.BytesIO(packed), 1 << 20, 1 << 20)))
    assert b"".join(read) == gzip.decompress(packed)
    erased = {records.of_tweet("7"), records.of_tweet("x")}
    left = b"".join(records.source_without(piece, erased, AT) for piece in read)
    assert b"t 7" not in left and b"pretty" not in left
    assert all(f"t {n}".encode() in left for n in range(50) if n != 7)


def test_one_broken_record_among_many_takes_no_other_with_it() -> None:
    many = [orjson.dumps({"tweet_id": str(n), "text": f"t {n}"}) for n in range(9)]
    many[4] = b'{"tweet_id": "4", "user": {"id": "9"}, "text": "cut o'
    backup = b"".join(many[:4]) + b" " + many[4] + b"}" + b"".join(many[5:])
    read = list(records.pieces([backup]))
    assert b"".join(read) == backup
    left = b"".join(records.source_without(piece, {records.of_tweet("4")}, AT) for piece in read)
    assert b"cut o" not in left
    assert all(f"t {n}".encode() in left for n in (0, 1, 2, 3, 6, 7, 8))


def test_a_backup_without_ends_is_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "WINDOW", 1000)
    many = [orjson.dumps({"tweet_id": str(n), "text": f"é {n} " + "x" * (n % 40)}) for n in range(400)]
    backup = b"".join(many)
    read = list(records.pieces([backup]))
    assert read == many
    left = b"".join(records.source_without(piece, {records.of_tweet("77")}, AT) for piece in read)
    assert left == backup.replace(many[77], b"")
