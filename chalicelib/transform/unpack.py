"""Unpack a record's data: one tweet or several, flat or as the X API sends them (v1.1, v2), into one shape.

Time and memory are in proportion to the record's bytes, whatever it holds.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from chalicelib.columns import BYTES, SOURCES, cut

TEXT = ("full_text", "text")
TWEET_ID = ("tweet_id", "id_str", "id", "tweetid")
USER_ID = ("user_id", "userid", "author_id")
OWN_ID = ("id_str", "id")
KEYWORD = ("source_keyword", "keyword")
"""What sources call a field, the most exact first."""
NAMES = frozenset((*TEXT, *TWEET_ID, *USER_ID, *KEYWORD)) | {
    *("created_at", "lang", "location", "source"),
    *("data", "includes", "user", "extended_tweet", "note_tweet", "coordinates", "geo"),
}
"""Every key of a record's JSON object that means something. The accelerator leaves records with one that it doesn't
know to this module; `tests/integration/test_accelerator.py` compares it with the keys that are looked up."""

REFUSALS = 16
BYTES_A_REFUSAL = 64
"""A record may hold REFUSALS things that are no tweets, and one more for every BYTES_A_REFUSAL of its bytes; with more
of them it is refused whole. Each refusal takes some 250 bytes in the rejected file."""
MOST_REPEATED = 32
"""Times a payload's bytes that the sources of its tweets may have together: each repeats its author."""

_CONTAINER = (dict, list)  # made once: `dict | list` is a new object each time it is said


class Tweet(NamedTuple):
    """One usable tweet. Its strings can be stored: no NUL, no lone surrogate, within the bytes of their columns."""

    raw: bytes  # its own source
    text: str  # never blank
    truncated: bool
    tweet_id: str | None
    user_id: str | None
    created_at: str | None  # YYYY-MM-DD HH:MM:SS[.mmm], UTC
    location: str | None
    lang: str | None
    source_keyword: str | None
    source: str | None = None  # of SOURCES
    point: tuple[float, float] | None = None  # latitude and longitude at which it was written


class Refusal(NamedTuple):
    """A piece of a record that can't become a row."""

    # a code: not_json, not_an_object, no_text, bad_id, empty, not_base64, too_deep, too_large, too_many_refusals
    reason: str
    message: str
    raw: bytes


class _RefusalError(Exception):
    def __init__(self, reason: str, message: str) -> None:
        self.reason, self.message = reason, message


class InexactIdError(Exception):
    """An ID is a float, so its digits are lost; the source has them."""


def unpack(data: bytes) -> tuple[list[Tweet], list[Refusal]]:
    """Split a record into tweets and refusals, in order. Never raises; at least one of the two has items.

    A record holds a JSON document (one tweet, an X API v2 payload, or an array of them) or JSON Lines. Where a record
    holds several tweets, each has a source of one line, so that it can be sent again as JSON Lines.
    """
    payload = data.removeprefix(codecs.BOM_UTF8).strip()
    try:
        try:
            document = _parse(payload)
            if isinstance(document, dict) and "data" not in document:  # what nearly all records hold, by the short way
                return [_tweet(document, None, payload)], []
            return _unpack(document, payload, _parse)
        except InexactIdError:
            return _unpack(_parse_leniently(payload), payload, _parse_leniently)
    except _RefusalError as refused:
        return [], [Refusal(refused.reason, refused.message, data)]


def _most_refusals(data: bytes) -> int:
    return REFUSALS + len(data) // BYTES_A_REFUSAL


def _too_many(data: bytes) -> _RefusalError:
    message = f"more than {_most_refusals(data):,} things in it are no tweets, so it is refused whole"
    return _RefusalError("too_many_refusals", message)


def _unpack(document: Any, payload: bytes, parse: Callable[[bytes], Any]) -> tuple[list[Tweet], list[Refusal]]:
    most = _most_refusals(payload)
    tweets: list[Tweet] = []
    refusals: list[Refusal] = []
    for part, raw in _documents(document, payload, parse):
        for source, author, own in _elements(part, raw):
            try:
                tweets.append(_tweet(source, author, own))
            except _RefusalError as refused:
                if len(refusals) == most:
                    raise _too_many(payload) from None
                refusals.append(Refusal(refused.reason, refused.message, own))
    return tweets, refusals


# ------------------------------------------------------------------ bytes to JSON documents

NOT_JSON = object()
TOO_DEEP = object()


def _documents(document: Any, payload: bytes, parse: Callable[[bytes], Any]) -> Sequence[tuple[Any, bytes]]:
    """Return each JSON document with its source; NOT_JSON for a broken line among good ones. Raises _RefusalError.

    `document`: the whole payload, parsed.
    """
    if not payload:
        raise _RefusalError("empty", "the record is empty")
    if document is not NOT_JSON:
        return ((document, payload),)
    documents = []
    bad, most = 0, _most_refusals(payload)
    for line in payload.split(b"\n"):
        if line := line.strip():
            document = parse(line)
            bad += not isinstance(document, _CONTAINER)
            if bad > most:
                raise _too_many(payload)
            documents.append((document, line))
    if bad == len(documents):
        raise _RefusalError("not_json", "neither JSON nor JSON Lines")
    return documents


def _parse(source: bytes) -> Any:
    try:
        return orjson.loads(source)
    except orjson.JSONDecodeError:
        return _parse_leniently(source)


def _parse_leniently(source: bytes) -> Any:
    """Parse what orjson refuses: cp1252, lone surrogates, control characters in strings; NaN and Infinity are null.

    Floats and integers of 19 digits or more become Fragments of the digits as written, for an ID must not lose any.
    """
    try:
        return _storable_throughout(_LENIENT.decode(source.decode("utf-8", "cp1252")))
    except (ValueError, RecursionError):
        return NOT_JSON


_LENIENT = json.JSONDecoder(
    strict=False,
    parse_float=orjson.Fragment,
    parse_constant=lambda _: None,
    parse_int=lambda digits: int(digits) if len(digits) < 19 else orjson.Fragment(digits),
)


def _decode_as_cp1252(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error("cp1252", _decode_as_cp1252)  # only the bytes that aren't UTF-8, so a mixture survives too

# Not characters: NUL, which ends a record of COPY; lone surrogates; what Unicode reserves for never
# (docs.aws.amazon.com/redshift/latest/dg/multi-byte-character-load-errors.html).
_PLANES = "".join(f"{chr(plane | 0xFFFE)}{chr(plane | 0xFFFF)}" for plane in range(0, 0x110000, 0x10000))
_UNSTORABLE = re.compile(f"[\ud800-\udfff\ufdd0-\ufdef{_PLANES}]")


def storable(text: str) -> str:
    """Return the text without NULs, and with U+FFFD for each other code point that Redshift takes for invalid."""
    return _UNSTORABLE.sub("\ufffd", text.replace("\0", ""))


def _storable_throughout(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [_storable_throughout(each) for each in value]
    if isinstance(value, dict):
        return {storable(key): _storable_throughout(each) for key, each in value.items()}
    return value


# ------------------------------------------------------------------ JSON documents to tweets


Element = tuple[Any, dict[str, Any] | None, bytes]
"""What should be a tweet, its author if the payload has one, its own source."""


def _elements(document: Any, raw: bytes) -> Iterable[Element]:
    """Return the elements of a document: itself, where it holds no others."""
    if isinstance(document, dict):
        data = document.get("data")
        if isinstance(data, _CONTAINER) and "text" not in document and "full_text" not in document:
            return _elements_of_payload(document, data, raw)
    elif isinstance(document, list) and any(isinstance(each, dict) for each in document):
        return _elements_of_array(document, raw)
    return ((document, None, raw),)


def _elements_of_payload(payload: dict[str, Any], data: dict[str, Any] | list[Any], raw: bytes) -> Iterator[Element]:
    origin = {"source": payload["source"]} if _origin(payload) else {}
    if isinstance(data, dict):
        yield {**data, **origin} if origin else data, _author(data, _authors(payload)), raw
    elif not any(isinstance(each, dict) for each in data):
        yield payload, None, raw
    else:
        authors, written, deep = _authors(payload), 0, raw
        for each in data:
            author = _author(each, authors)
            own = _dump({"data": each, **({"includes": {"users": [author]}} if author else {}), **origin})
            if own is None:
                yield TOO_DEEP, None, deep
                deep = b""
                continue
            written += len(own)
            if written > MOST_REPEATED * len(raw):
                raise _RefusalError(
                    "too_large", f"its tweets, each with its author, have over {MOST_REPEATED} times its bytes"
                )
            yield {**each, **origin} if origin and isinstance(each, dict) else each, author, own


def _elements_of_array(array: list[Any], raw: bytes) -> Iterator[Element]:
    deep = raw
    for each in array:
        own = _dump(each)
        if own is None:
            yield TOO_DEEP, None, deep
            deep = b""
        else:
            yield from _elements(each, own) if isinstance(each, dict) else ((each, None, own),)


def _origin(document: dict[str, Any]) -> str | None:
    """Return where the record says that it comes from, if it is one of SOURCES: v1.1 and v2 call the client so."""
    origin = document.get("source")
    return origin if isinstance(origin, str) and origin in SOURCES else None


def _authors(payload: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return a payload's users by ID. As text: whoever knows how Python hashes numbers can make them collide."""
    includes = payload.get("includes")
    users = includes.get("users") if isinstance(includes, dict) else None
    if not isinstance(users, list):
        return {}
    return {known: user for user in users if isinstance(user, dict) and (known := _digits(user.get("id"))) is not None}


def _author(tweet: Any, authors: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    author_id = _digits(tweet.get("author_id")) if isinstance(tweet, dict) else None
    return None if author_id is None else authors.get(author_id)


def _digits(value: Any) -> str | None:
    """Return an ID as the text that its source wrote; None for what can't be one."""
    if isinstance(value, str):
        return value
    if isinstance(value, orjson.Fragment):
        return orjson.dumps(value).decode()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _dump(document: Any) -> bytes | None:
    """Return an element on a line of its own; None if it is nested too deep for that."""
    try:
        return bytes(memoryview(orjson.dumps(document)))  # copied: orjson's result keeps 4 KB, however short it is
    except orjson.JSONEncodeError:  # 254 levels
        with suppress(RecursionError):
            return json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=_digits).encode()
    return None


def _tweet(source: Any, author: dict[str, Any] | None, raw: bytes) -> Tweet:
    """Return a tweet from its JSON object: flat, v1.1 (author under `user`) or v2 (author beside it).

    Raises _RefusalError, and InexactIdError where only the source knows an ID's digits.
    """
    if not isinstance(source, dict):
        if source is NOT_JSON:
            raise _RefusalError("not_json", "a line that is not JSON")
        if source is TOO_DEEP:
            message = "an element nested too deep to take out of its document, which the first such refusal holds"
            raise _RefusalError("too_deep", message)
        raise _RefusalError("not_an_object", "a tweet is a JSON object")
    get = source.get
    user = get("user") if author is None else author
    tweet_id, user_id, location = _first(source, TWEET_ID), _first(source, USER_ID), get("location")
    if isinstance(user, dict):
        user_id = _first(user, OWN_ID) if user_id is None else user_id
        location = user.get("location") if location is None else location
    if isinstance(tweet_id, float) or isinstance(user_id, float):
        raise InexactIdError

    long = get("extended_tweet") or get("note_tweet")  # v1.1 and v2 keep what exceeds 140 or 280 characters apart
    text = _first(long, TEXT) if isinstance(long, dict) else None
    if text is None:
        text = _first(source, TEXT)
    if not isinstance(text, str):
        raise _RefusalError("no_text", "a tweet needs a string called text or full_text")

    # In UTF-8 all that can't be stored has one of these two bytes; else it is escaped, for orjson refuses it bare.
    plain = b"\\" not in raw and (raw.isascii() or (b"\xef" not in raw and b"\xbf" not in raw))
    if not plain:
        text = storable(text)
    if not text or text.isspace():
        raise _RefusalError("no_text", "the text is blank")
    kept = cut(text, BYTES["original_text"])
    created_at, lang, keyword = get("created_at"), get("lang"), _first(source, KEYWORD)
    coordinates, geo = get("coordinates"), get("geo")
    return Tweet(
        raw,
        kept,
        len(kept) < len(text),
        None if tweet_id is None else _identifier("tweet_id", tweet_id),
        None if user_id is None else _identifier("user_id", user_id),
        _utc(created_at) if created_at else None,
        _optional(location, BYTES["location"], plain) if location else None,
        _optional(lang, BYTES["lang"], plain) if lang else None,
        _optional(keyword, BYTES["source_keyword"], plain) if keyword else None,
        _origin(source),
        _point(coordinates, geo) if coordinates or geo else None,
    )


def _point(coordinates: Any, geo: Any) -> tuple[float, float] | None:
    """Return a tweet's latitude and longitude. GeoJSON has the longitude first, and only v1.1's `geo` doesn't."""
    if isinstance(geo, dict) and isinstance(geo.get("coordinates"), dict):  # v2
        coordinates = geo["coordinates"]
    if isinstance(coordinates, dict):
        point = _numbers(coordinates.get("coordinates"))[::-1]
    else:
        point = _numbers(geo.get("coordinates")) if isinstance(geo, dict) else ()
    if len(point) != 2 or not (abs(point[0]) <= 90 and abs(point[1]) <= 180):
        return None
    return point[0], point[1]


def _numbers(values: Any) -> tuple[float, ...]:
    """Return the numbers of a list of two; what was parsed leniently is a Fragment of the digits."""
    if not isinstance(values, list) or len(values) != 2:
        return ()
    plain = [orjson.dumps(each) if isinstance(each, orjson.Fragment) else each for each in values]
    return tuple(float(each) for each in plain if isinstance(each, int | float | bytes) and not isinstance(each, bool))


def _first(source: dict[str, Any], names: tuple[str, ...]) -> Any:
    for name in names:
        if name in source and (value := source[name]) is not None:
            return value
    return None


def _identifier(name: str, value: Any) -> str | None:
    """Return an ID as text, never altered. Raises _RefusalError where its column can't hold it as it is."""
    text = _digits(value)
    if text is None:
        return None
    if len(text) > BYTES[name] or not text.isascii() or "\0" in text:
        raise _RefusalError("bad_id", f"{name} holds {BYTES[name]} bytes of ASCII; an ID is never cut or altered")
    return text or None


def _optional(value: Any, size: int, plain: bool) -> str | None:
    if not isinstance(value, str):
        return None
    return cut(value if plain else storable(value), size) or None


_MONTHS = {"JanFebMarAprMayJunJulAugSepOctNovDec"[3 * n : 3 * n + 3]: f"{n + 1:02}" for n in range(12)}


def _utc(value: Any) -> str | None:
    """`2018-10-10T20:19:24.000Z` (v2) or `Wed Oct 10 20:19:24 +0000 2018` (v1.1) as a TIMESTAMP; else None."""
    if not isinstance(value, str):
        return None
    try:
        if value[:3].isalpha():
            _, month, day, clock, zone, year = value.split()
            value = f"{year}-{_MONTHS[month]}-{day:0>2}T{clock}{zone}"
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC)
    except (ValueError, KeyError, OverflowError):
        return None
    text = moment.replace(tzinfo=None).isoformat(" ", "milliseconds")
    return text.removesuffix(".000")
