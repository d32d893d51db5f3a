"""A record's bytes become tweets of one shape, whatever form, encoding and company they come in."""

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.transform.unpack import BYTES, Tweet, unpack

EVENTS = Path(__file__).parent / "events"
FLAT = {"tweet_id": "1", "text": "a flood", "user_id": "2", "location": "Rome", "lang": "it"}


def only(data: bytes | dict | list) -> Tweet:
    tweets, refusals = unpack(data if isinstance(data, bytes) else json.dumps(data).encode())
    assert refusals == []
    [tweet] = tweets
    return tweet


def reasons(data: bytes) -> list[str]:
    tweets, refusals = unpack(data)
    assert tweets == []
    return [refusal.reason for refusal in refusals]


@pytest.mark.parametrize("pretty", [True, False])
@pytest.mark.parametrize("form", ["flat", "x_api_v2", "x_api_v1_1"])
def test_flat_records_and_the_payloads_of_the_x_api_give_the_same_row(form: str, pretty: bool) -> None:
    source = (EVENTS / f"{form}.json").read_bytes()
    tweet = only(source if pretty else json.loads(source))
    assert tweet[1:] == (
        "Flood waters rising on Route 9 #flood",
        False,
        "1628000000000000001",
        "14502134",
        "2026-02-03 04:05:06",
        "Padang",
        "en",
        None,
    )


@pytest.mark.parametrize(
    ("alias", "column"),
    [
        ("full_text", "text"),
        ("id", "tweet_id"),
        ("id_str", "tweet_id"),
        ("tweetid", "tweet_id"),
        ("userid", "user_id"),
        ("author_id", "user_id"),
        ("keyword", "source_keyword"),
    ],
)
def test_fields_go_by_several_names(alias: str, column: str) -> None:
    record = {"text": "x", **FLAT}
    record.pop(column, None)
    assert getattr(only({**record, alias: "17"}), column) == "17"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (b'"629098231000000001"', "629098231000000001"),
        (b"629098231000000001", "629098231000000001"),
        (b"6.29098E+17", "6.29098E+17"),
        (b"629098231000000001234567", "629098231000000001234567"),
        (b"245002421.0", "245002421.0"),
        (b"null", None),
        (b'""', None),
        (b"true", None),
        (b"{}", None),
    ],
)
@pytest.mark.parametrize("place", [b"%b", b"[%b]", b'{"data":%b}', b'{"data":[%b]}', b'%b\n{"text":"y"}'])
def test_ids_stay_as_the_source_wrote_them(written: bytes, kept: str | None, place: bytes) -> None:
    tweets, refusals = unpack(place % (b'{"id":%b,"text":"x"}' % written))
    assert (tweets[0].tweet_id, refusals) == (kept, [])


@pytest.mark.parametrize("bad", ["1" * 65, "１２", "1\0"])
def test_an_id_that_its_column_cannot_hold_is_refused_and_never_cut(bad: str) -> None:
    for name in ("tweet_id", "user_id"):
        tweets, [refusal] = unpack(json.dumps({**FLAT, name: bad}).encode())
        assert (tweets, refusal.reason) == ([], "bad_id")
        assert name in refusal.message


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("una inundación".encode(), "una inundación"),
        ("una inundación".encode("cp1252"), "una inundación"),
        ("“smart” €5".encode("cp1252"), "“smart” €5"),
        ("caf\u00e9 ".encode() + b"caf\xe9", "café café"),
        (b"undefined \x81\x8d\x8f\x90\x9d bytes", "undefined " + "\ufffd" * 5 + " bytes"),
        ("🔥 fire".encode()[:4] + b"\xf0\x9f\x94", "🔥ðŸ”"),
        (rb"\ud83d\udd25", "🔥"),
        (rb"lone \ud83d surrogate", "lone \ufffd surrogate"),
        (rb"\udd25\ud83d", "\ufffd\ufffd"),
        (rb"a\u0000b", "ab"),
        (b"a\0b", "ab"),
        (b"tab\tand\x1fcontrol", "tab\tand\x1fcontrol"),
        (rb"not \\u0000 a NUL", r"not \u0000 a NUL"),
        (rb"\ufdd0\uffff", "\ufffd\ufffd"),
        ("\U0001fffe".encode(), "\ufffd"),
    ],
)
def test_texts_in_any_encoding_become_what_can_be_stored(data: bytes, text: str) -> None:
    assert only(b'{"text":"%b"}' % data).text == text


def test_the_other_strings_are_storable_and_fit_their_columns() -> None:
    tweet = only({"text": "x", "location": "é" * 600, "lang": "x" * 17, "keyword": "\0\ud800" + "k" * 300})
    assert tweet.location == "é" * 256
    assert tweet.lang == "x" * 16
    assert tweet.source_keyword == "\ufffd" + "k" * 253
    assert not tweet.truncated


@pytest.mark.parametrize("character", ["a", "é", "€", "🔥"])
def test_a_text_over_its_column_is_cut_at_a_character_and_marked(character: str) -> None:
    fits = character * (BYTES["original_text"] // len(character.encode()))
    assert only({"text": fits})[1:3] == (fits, False)
    assert only({"text": fits + character})[1:3] == (fits, True)
    assert only({"text": character * 900_000}).truncated


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("2026-02-03T04:05:06.789Z", "2026-02-03 04:05:06.789"),
        ("2026-02-03T04:05:06+02:00", "2026-02-03 02:05:06"),
        ("2026-02-03 04:05:06", "2026-02-03 04:05:06"),
        ("Tue Feb 03 23:05:06 -0200 2026", "2026-02-04 01:05:06"),
        ("8/27/15 16:52", None),
        ("Tue Foo 03 23:05:06 -0200 2026", None),
        ("Tue", None),
        ("0001-01-01T00:00:00+02:00", None),
        ("", None),
        (1770091506, None),
    ],
)
def test_times_become_timestamps_in_utc_or_nothing(written: object, stored: str | None) -> None:
    assert only({"text": "x", "created_at": written}).created_at == stored


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", ["empty"]),
        (b" \r\n", ["empty"]),
        (b"\0\0\0", ["not_json"]),
        (b"\x1f\x8b\x08 binary\n\xff\n\xfe", ["not_json"]),
        (b"just words\nin lines", ["not_json"]),
        (b'{"text":"broken', ["not_json"]),
        (b"[" * 100_000, ["not_json"]),
        (b"17", ["not_an_object"]),
        (b'"text"', ["not_an_object"]),
        (b"[1,2,3]", ["not_an_object"]),
        (b"[[]]", ["not_an_object"]),
        (b"{}", ["no_text"]),
        (b'{"text":7}', ["no_text"]),
        (b'{"text":" \\n "}', ["no_text"]),
        (b'{"text":"\\u0000"}', ["no_text"]),
        (b'{"data":[]}', ["no_text"]),
        (b'{"data":{"id":"1"},"includes":7}', ["no_text"]),
        (b'{"data":{"id":"1","author_id":[]},"includes":{"users":[7,{"id":[]}]}}', ["no_text"]),
        (b'{"errors":[{"title":"Not Found Error"}]}', ["no_text"]),
    ],
)
def test_what_holds_no_tweet_is_refused_once_with_its_reason(data: bytes, expected: list[str]) -> None:
    assert reasons(data) == expected


@pytest.mark.parametrize(
    "record",
    [
        b'{"text":"one"}\n\nbroken\r\n17\n{"text":""}\n{"text":"two"}\n',
        b'[{"text":"one"},"broken",17,{"text":""},{"text":"two"}]',
        b'{"data":[{"text":"one"},"broken",17,{"text":""},{"text":"two"}]}',
        b'[\n {"data":{"text":"one"}},\n "broken", 17, {"text":""},\n {"data":[{"text":"two"}]}\n]',
        '\ufeff{"text":"one"}\nbroken\n17\n{"text":""}\n{"text":"two"}'.encode(),
    ],
)
def test_several_tweets_share_a_record_and_a_bad_one_harms_no_other(record: bytes) -> None:
    tweets, refusals = unpack(record)
    assert [tweet.text for tweet in tweets] == ["one", "two"]
    assert len(refusals) == 3


def test_a_tweet_nested_too_deep_harms_no_other() -> None:
    deep = b"[" * 1010 + b"]" * 1010
    tweets, [refusal] = unpack(b'[{"text":"one"},%b,{"text":"two"}]' % deep)
    assert [tweet.text for tweet in tweets] == ["one", "two"]
    # From Python 3.12 on json can write that list, and it is seen to be no tweet.
    assert refusal.reason == ("too_deep" if sys.version_info < (3, 12) else "not_an_object")


def test_each_tweet_of_an_x_payload_keeps_its_author_when_taken_out() -> None:
    payload = {
        "data": [{"id": "1", "text": "one", "author_id": "8"}, {"id": "2", "text": "two", "author_id": "9"}],
        "includes": {"users": [{"id": "9", "location": "Rome"}, {"id": "8", "location": "Lima"}]},
    }
    tweets, _ = unpack(json.dumps(payload).encode())
    assert [tweet.location for tweet in tweets] == ["Lima", "Rome"]
    assert [only(tweet.raw) for tweet in tweets] == tweets


FIELDS = ["text", "full_text", "id", "user", "data", "includes", "users", "author_id", "x"]

json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(exclude_categories=()))),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5)),
    max_leaves=20,
)


@given(st.binary(max_size=300) | json_values.map(lambda value: json.dumps(value).encode()))
def test_anything_becomes_tweets_or_refusals_and_tweets_taken_out_read_the_same(data: bytes) -> None:
    tweets, refusals = unpack(data)
    assert tweets or refusals
    for tweet in tweets:
        assert only(tweet.raw) == tweet
        for value in tweet[1:]:
            assert not isinstance(value, str) or ("\0" not in value and value.encode())
    if len(tweets) > 1:
        assert not any(b"\n" in tweet.raw for tweet in tweets)
