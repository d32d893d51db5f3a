"""A record's bytes become tweets of one shape, whatever form, encoding and company they come in."""

import json
import sys
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.columns import BYTES
from chalicelib.transform.unpack import BYTES_A_REFUSAL, REFUSALS, Tweet, unpack
from tests.support import EVENTS

FLAT = {"tweet_id": "1", "text": "a flood", "user_id": "2", "location": "Rome", "lang": "it"}


def only(data: bytes | dict[str, Any] | list[Any]) -> Tweet:
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
        None,
        None,
    )


POINT = {"type": "Point", "coordinates": [85.3, 27.7]}
AT_A_POINT = {
    "flat or v1.1": {"text": "a", "coordinates": POINT},
    "v1.1, which has both": {"text": "a", "coordinates": POINT, "geo": {"type": "Point", "coordinates": [27.7, 85.3]}},
    "v1.1, geo alone": {"text": "a", "coordinates": None, "geo": {"type": "Point", "coordinates": [27.7, 85.3]}},
    "v2": {"data": {"id": "1", "text": "a", "geo": {"place_id": "x", "coordinates": POINT}}},
    "v2, several": {"data": [{"id": "1", "text": "a", "geo": {"coordinates": POINT}}]},
    "parsed leniently": {"text": "a\ud800", "coordinates": POINT},
}


@pytest.mark.parametrize("source", AT_A_POINT.values(), ids=AT_A_POINT)
def test_a_tweet_was_written_at_its_coordinates(source: dict[str, object]) -> None:
    assert only(source).point == (27.7, 85.3)


@pytest.mark.parametrize(
    "coordinates",
    [
        *("null", "[85.3,27.7]", '"here"', '{"coordinates":null}', '{"coordinates":[85.3]}'),
        *('{"coordinates":["85","27"]}', '{"coordinates":[true,27.7]}', '{"coordinates":[90.1,90.1]}'),
        *('{"coordinates":[180.1,180.1]}', '{"coordinates":[1e999,27.7]}', '{"coordinates":[NaN,27.7]}'),
        '{"coordinates":[123456789012345678901,27.7]}',
    ],
)
def test_what_are_no_coordinates_is_no_point(coordinates: str) -> None:
    assert only(f'{{"text":"a","coordinates":{coordinates}}}'.encode()).point is None
    assert only(f'{{"text":"a","geo":{coordinates}}}'.encode()).point is None


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


@pytest.mark.parametrize("bad", ["1" * 257, "１２", "1\0"])
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


def test_other_strings_lose_what_cannot_be_stored_and_are_null_if_nothing_is_left() -> None:
    tweet = only({"text": "x", "location": "a\0b\uffff", "lang": "\0", "keyword": "\ufdd0"})
    assert (tweet.location, tweet.lang, tweet.source_keyword) == ("ab\ufffd", None, "\ufffd")


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


def test_times_do_not_depend_on_the_time_zone_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        for written in ("2026-02-03 04:05:06", "2026-02-03T06:05:06+02:00", "Tue Feb 03 04:05:06 +0000 2026"):
            assert only({"text": "x", "created_at": written}).created_at == "2026-02-03 04:05:06"
    finally:
        monkeypatch.undo()
        time.tzset()


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


@pytest.mark.parametrize("number", [b"1.5", b"NaN", b"Infinity", b"-Infinity", b"17", b"1e5", b"12345678901234567890"])
@pytest.mark.parametrize("beside", [b"1", b"NaN", b"1.5", b'"\xff"'])
@pytest.mark.parametrize("place", [b"%b", b"[%b]", b'{"data":%b}', b'{"data":[%b]}', b'%b\n{"text":"y"}'])
def test_a_number_is_no_text_whatever_stands_beside_it(number: bytes, beside: bytes, place: bytes) -> None:
    _, [refusal] = unpack(place % (b'{"text":%b,"x":%b}' % (number, beside)))
    assert refusal.reason == "no_text"
    tweets, _ = unpack(place % (b'{"text":"x","location":%b,"lang":%b,"x":%b}' % (number, number, beside)))
    assert (tweets[0].location, tweets[0].lang) == (None, None)
    assert only(tweets[0].raw) == tweets[0]


def test_an_id_that_is_no_number_is_none() -> None:
    assert only(b'{"text":"x","id":NaN}').tweet_id is None


def test_an_element_keeps_its_numbers_as_they_were_written() -> None:
    [tweet], _ = unpack(b'[{"text":"x","id":12345678901234567890,"at":[1.50,1E2,NaN]}]')
    assert tweet.raw == b'{"text":"x","id":12345678901234567890,"at":[1.50,1E2,null]}'


def test_an_element_that_orjson_takes_for_too_deep_is_written_as_the_others_are() -> None:
    deep = f'{{"text":"é","n":{"[" * 300}1.5{"]" * 300}}}'
    [tweet], refusals = unpack(f"[{deep}]".encode())
    assert (tweet.raw.decode(), refusals) == (deep, [])


def test_an_author_that_the_payload_does_not_have_is_none() -> None:
    without: tuple[dict[str, Any], ...] = (
        {},
        {"includes": {}},
        {"includes": {"users": {}}},
        {"includes": {"users": [{"id": "9"}]}},
    )
    for beside in without:
        assert only({"data": [{"text": "x", "author_id": "8"}], **beside}).location is None


def most(record: bytes) -> int:
    return REFUSALS + len(record) // BYTES_A_REFUSAL


@pytest.mark.parametrize(
    "record",
    [
        b"[" + b"1," * 511_980 + b'{"text":"flood"}]',
        b'{"text":"flood"}\n' + b"x\n" * 511_990,
        b'{"text":"flood"}\n' + b"{}\n" * 340_000,
        b'{"data":[' + b"1," * 500_000 + b'{"text":"flood"}]}',
        b"[" + b'{"id":1.0},' * 90_000 + b'{"text":"flood"}]',
        b"x\n" * 511_990,
    ],
    ids=["array", "lines that are no JSON", "lines that are no tweets", "payload", "inexact IDs", "nothing else"],
)
def test_a_record_of_too_many_things_that_are_no_tweets_is_refused_whole(record: bytes) -> None:
    tweets, [refusal] = unpack(record)
    assert (tweets, refusal.reason, refusal.raw) == ([], "too_many_refusals", record)
    assert f"{most(record.strip()):,}" in refusal.message


@pytest.mark.parametrize("junk", [b"x", b"{}", b"17"])
def test_a_record_may_hold_one_refusal_for_64_of_its_bytes_and_sixteen_more(junk: bytes) -> None:
    tweet = b'{"text":"%b"}\n' % (b"flood" * 200)
    fits = most(tweet + (junk + b"\n") * 16)
    tweets, refusals = unpack(tweet + (junk + b"\n") * fits)
    assert (len(tweets), len(refusals)) == (1, fits)
    assert [refusal.reason for refusal in unpack(tweet + (junk + b"\n") * (fits + 2))[1]] == ["too_many_refusals"]


def test_five_hundred_tweets_in_a_record_are_five_hundred_tweets() -> None:
    lines = [json.dumps({"text": f"flood {n}"}).encode() for n in range(500)]
    for record in (b"\n".join(lines), b"[" + b",".join(lines) + b"]", b'{"data":[' + b",".join(lines) + b"]}"):
        tweets, refusals = unpack(record)
        assert ([tweet.text for tweet in tweets], refusals) == ([f"flood {n}" for n in range(500)], [])


def test_an_author_may_not_be_repeated_beyond_a_multiple_of_the_record() -> None:
    def payload(tweets: int, description: int) -> bytes:
        author = {"id": "8", "location": "Rome", "description": "x" * description}
        data = [{"id": str(n), "text": "flood", "author_id": "8"} for n in range(tweets)]
        return json.dumps({"data": data, "includes": {"users": [author]}}).encode()

    tweets, refusals = unpack(payload(100, 2000))
    assert (len(tweets), refusals, tweets[-1].location) == (100, [], "Rome")
    record = payload(5_000, 600_000)
    tweets, [refusal] = unpack(record)
    assert (tweets, refusal.reason, refusal.raw) == ([], "too_large", record)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="json can write such lists")
@pytest.mark.parametrize("place", [b"[%b]", b'{"data":[%b]}'])
def test_elements_nested_too_deep_do_not_each_repeat_their_document(place: bytes) -> None:
    deep = b"[" * 1010 + b"]" * 1010
    record = place % (b'{"text":"one"},' + b",".join([deep] * 400))
    tweets, refusals = unpack(record)
    assert [tweet.text for tweet in tweets] == ["one"]
    assert [refusal.reason for refusal in refusals] == ["too_deep"] * 400
    assert [refusal.raw for refusal in refusals] == [record, *[b""] * 399]


def test_deep_json_on_one_line_harms_no_other_line() -> None:
    deep = b"[" * 400_000 + b"]" * 400_000
    tweets, [refusal] = unpack(b'{"text":"one"}\n%b\n{"text":"two"}' % deep)
    assert [tweet.text for tweet in tweets] == ["one", "two"]
    assert (refusal.reason, refusal.raw) == ("not_json", deep)


def test_users_are_found_by_id_whether_it_is_written_as_a_number_or_as_text() -> None:
    payload = {"data": [{"text": "x", "author_id": "8"}], "includes": {"users": [{"id": 8, "location": "Rome"}]}}
    assert only(payload).location == "Rome"


@pytest.mark.parametrize("source", ["x", "bluesky", "mastodon", "replay"])
@pytest.mark.parametrize("place", ["flat", "payload", "list"])
def test_where_a_record_comes_from_is_told_beside_the_tweet(source: str, place: str) -> None:
    tweet = {"id": "1", "text": "flood", "source": "Twitter Web App"}
    record = {"flat": {**tweet, "source": source}, "payload": {"data": tweet, "source": source}}
    data = json.dumps(record.get(place) or {"data": [tweet, tweet], "source": source}).encode()
    tweets, refusals = unpack(data)
    assert ({each.source for each in tweets}, refusals) == ({source}, [])
    assert all(unpack(each.raw)[0][0].source == source for each in tweets)  # put back and sent again


@pytest.mark.parametrize("source", ['"<a href=\\"x\\">Twitter</a>"', "5", "null", '["x"]', '{"x":1}', '""'])
def test_what_else_is_called_source_says_nothing(source: str) -> None:
    for place in ('{"text":"flood","source":%s}', '{"data":{"text":"flood"},"source":%s}'):
        [tweet], _ = unpack((place % source).encode())
        assert tweet.source is None
