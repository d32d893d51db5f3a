"""Find the posts in a stored line, and remove erased ones from it. Nothing here touches AWS.

Posts and users are known by the digests of their IDs, so that the list of what was erased names nobody.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Iterable, Iterator, Mapping, Set
from datetime import UTC, datetime
from typing import Any

import orjson

from chalicelib.transform.unpack import OWN_ID, TWEET_ID, USER_ID, InexactIdError, unpack

Digests = Set[str]

KEPT = frozenset(
    {
        "disaster_label",
        "classifier_score",
        "arrived_datetime_from_kinesis",
        "processing_time",
        "relevance_label",
        "relevance_score",
        "tweet_key",  # a hash of the whole source: who hasn't the source can't come to it
        "classifier_version",
        "s3_key",
        "s3_line",
        "truncated",
        "arrived_at",
        "source",
        "information_type",
        "information_score",
    }
)
"""What a row keeps when it is erased. All else goes; in the warehouse, what sql/erasures/rows.sql names."""

MOST_BLOCK = 1 << 20
"""Bytes of lines that are no JSON on their own and are taken together: a record has 1,000 KB at most.
docs.aws.amazon.com/firehose/latest/dev/limits.html"""
USERS = frozenset({"user", "users", "author"})  # what payloads call the objects that are users
TOKEN = re.compile(rb"[\w:/.%-]{1,1024}")
_CONTAINER = (dict, list)


def of_tweet(tweet_id: str) -> str:
    """Return the digest by which the list knows a tweet: 64 hex digits, `SHA2('tweet:' || tweet_id, 256)` in the
    warehouse.
    """
    return hashlib.sha256(b"tweet:" + tweet_id.encode("utf-8", "surrogatepass")).hexdigest()


def of_user(user_id: str) -> str:
    """Return the digest of a user's ID: `SHA2('user:' || user_id, 256)` in the warehouse."""
    return hashlib.sha256(b"user:" + user_id.encode("utf-8", "surrogatepass")).hexdigest()


# ------------------------------------------------------------------ rows: lines of tweets/ and delivery/


def of_row(line: bytes) -> Iterator[str]:
    """Yield the digests of a row's tweet and user; of a line that is no row those of all that could be an ID."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        row = None
    if not isinstance(row, dict):
        yield from _tokens(line)
        return
    if (tweet_id := row.get("tweet_id")) is not None:
        yield of_tweet(str(tweet_id))
    if (user_id := row.get("user_id")) is not None:
        yield of_user(str(user_id))


def row_without(line: bytes, erased: Digests, at: str) -> bytes:
    """Return the line; for an erased row its tombstone, with link, labels and `erased_at`."""
    if erased.isdisjoint(of_row(line)):
        return line
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return b"{}\n"
    return orjson.dumps(tombstone(row, at)) + b"\n"


def tombstone(row: Mapping[str, Any], at: str) -> dict[str, Any]:
    """Return the tombstone of a row. `at`: the time of the erasure, written as a TIMESTAMP."""
    return {**{name: value for name, value in row.items() if name in KEPT}, "erased_at": at}


# ------------------------------------------------------------------ records: source/, rejected/, processing-failed/


def of_record(data: bytes) -> Iterator[str]:
    """Yield the digests of all posts that a record's data holds and of their authors, quoted and repeated ones too."""
    for piece in pieces(_lines(data)):
        yield from _named(piece)


def record_without(data: bytes, erased: Digests) -> bytes:
    """Return the data without the posts that are erased, as JSON Lines; the data itself where none is."""
    left, changed = [], False
    for piece in pieces(_lines(data)):
        kept = _piece_without(piece, erased)
        changed = changed or kept is not piece
        left.append(kept)
    return b"".join(left) if changed else data


def of_refusal(line: bytes) -> Iterator[str]:
    """Yield the digests of the posts in a line of a rejected file."""
    return of_record(_decoded(line, "raw"))


def refusal_without(line: bytes, erased: Digests, at: str) -> bytes:
    """Return the line, without its source if that is erased. Its reason and its count of refusals stay."""
    if erased.isdisjoint(of_refusal(line)):
        return line
    return orjson.dumps({**_object(line), "raw": "", "erased_at": at}) + b"\n"


def of_failure(line: bytes) -> Iterator[str]:
    """Yield the digests of the posts in a line of failed records."""
    return of_record(_decoded(line, "rawData"))


def failure_without(line: bytes, erased: Digests, at: str) -> bytes:
    """Return the line, without the erased posts of its data."""
    data = _decoded(line, "rawData")
    left = record_without(data, erased)
    if left is data:
        return line
    return orjson.dumps({**_object(line), "rawData": b64encode(left).decode(), "erased_at": at}) + b"\n"


def of_source(piece: bytes) -> Iterator[str]:
    """Yield the digests of a piece of the source backup."""
    return _named(piece)


def source_without(piece: bytes, erased: Digests, at: str) -> bytes:  # noqa: ARG001 - as the others
    """Return a piece of the source backup without erased posts; empty if all of it is erased."""
    return _piece_without(piece, erased)


def arrival_of_refusal(line: bytes) -> datetime | None:
    """Return when the record of a rejected line arrived, UTC; None where it doesn't say."""
    try:
        return datetime.fromisoformat(_object(line)["arrived_at"]).replace(tzinfo=UTC)
    except (KeyError, ValueError, TypeError):
        return None


def arrival_of_failure(line: bytes) -> datetime | None:
    """Return when a failed record arrived, UTC; None where it doesn't say."""
    try:
        return datetime.fromtimestamp(int(_object(line)["arrivalTimestamp"]) / 1000, UTC)
    except (KeyError, ValueError, TypeError, OverflowError, OSError):
        return None


# ------------------------------------------------------------------ bytes to posts


def pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Split a stream of records into JSON documents and blocks that are not JSON.

    The source backup is records one after the other, with nothing between them but what producers end them with. So a
    line mostly is a document; a document may also have several lines, and a line several documents. No byte is lost:
    the pieces together are the lines.
    """
    block: list[bytes] = []
    size = 0
    for line in lines:
        if line[:1] in (b"{", b"[") and _is_json(line):
            yield from _documents(b"".join(block))
            block, size = [], 0
            yield line
            continue
        if size + len(line) > MOST_BLOCK:
            yield from _documents(b"".join(block))
            block, size = [], 0
        block.append(line)
        size += len(line)
    yield from _documents(b"".join(block))


def _lines(data: bytes) -> Iterable[bytes]:
    return (data,) if _is_json(data) else data.splitlines(keepends=True)


def _is_json(data: bytes) -> bool:
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return True


def _documents(block: bytes) -> Iterator[bytes]:
    """Yield a block as the JSON documents in it, each on its own, and what stands between them.

    A document begins where the block does, or behind another's end: `}{` stands nowhere within one but in its strings.
    """
    base = 0
    while base < len(block):
        last = base + WINDOW >= len(block)
        text = block[base : base + WINDOW].decode("utf-8", "surrogateescape")
        enough = len(text) if last else len(text) // 2  # behind it a document may be cut off by the window
        done = at = 0
        while at < enough:
            if end := _end(text, at):
                yield from (_bytes(part) for part in (text[done:at], text[at:end]) if part)
                done = at = end
            else:
                boundary = _BETWEEN.search(text, at + 1)
                at = boundary.end() if boundary else len(text)
        if done < at:
            yield _bytes(text[done:at])
        base += len(_bytes(text[:at]))


def _end(text: str, start: int) -> int:
    """Return where the document ends that begins at a place, with the space behind it; 0 where none does."""
    try:
        document, end = _DECODER.raw_decode(text, _space(text, start))
    except (ValueError, RecursionError):
        return 0
    return _space(text, end) if isinstance(document, _CONTAINER) else 0


def _space(text: str, at: int) -> int:
    """Return where the space ends that begins at a place."""
    spaces = _SPACE.match(text, at)
    return spaces.end() if spaces else at


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


WINDOW = 4 << 20  # bytes of a block that are looked at together: a record has a quarter of that
_SPACE = re.compile(r"\s*")
_BETWEEN = re.compile(r"\}\s*(?=[{\[])")
_DECODER = json.JSONDecoder(strict=False, parse_float=str)


def _named(piece: bytes) -> Iterator[str]:
    try:
        document = orjson.loads(piece)
    except orjson.JSONDecodeError:
        document = _leniently(piece)
    if not isinstance(document, _CONTAINER):
        yield from _tokens(piece)
        return
    try:
        yield from list(_of_document(document))
    except InexactIdError:
        yield from _of_document(_leniently(piece))


def _leniently(piece: bytes) -> Any:
    try:
        return _DECODER.decode(piece.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def _of_document(document: Any) -> Iterator[str]:
    """Yield the digests of a JSON document's posts and their authors, however deep they are.

    A post is the document itself, its elements, and every object within that has a text. An ID that a post only
    mentions (what it answers, whom it names) is not its own.
    """
    stack: list[tuple[Any, bool, bool]] = [(document, True, False)]  # a value, whether it is a post, or a user
    while stack:
        value, post, user = stack.pop()
        if isinstance(value, list):
            stack += [(each, post, user) for each in value if isinstance(each, _CONTAINER)]
            continue
        if user:
            if (own := _first(value, OWN_ID)) is not None:
                yield of_user(own)
        elif post or "text" in value or "full_text" in value:
            if (tweet_id := _first(value, TWEET_ID)) is not None:
                yield of_tweet(tweet_id)
            if (user_id := _first(value, USER_ID)) is not None:
                yield of_user(user_id)
        for name, inner in value.items():
            if isinstance(inner, _CONTAINER):
                stack.append((inner, post and name == "data", name in USERS))


def _first(source: Mapping[str, Any], names: Iterable[str]) -> str | None:
    for name in names:
        value = source.get(name)
        if isinstance(value, float):
            raise InexactIdError
        if isinstance(value, str | int) and not isinstance(value, bool):
            return str(value)
    return None


def _tokens(piece: bytes) -> Iterator[str]:
    """Yield the digests of everything that could be an ID in content that can't be parsed."""
    for match in TOKEN.finditer(piece):
        text = match[0].decode("ascii", "replace")
        for word in {text, *text.split("/")}:
            if ":" in word or any(each.isdigit() for each in word):
                yield of_tweet(word)
                yield of_user(word)


def _piece_without(piece: bytes, erased: Digests) -> bytes:
    if erased.isdisjoint(_named(piece)):
        return piece
    tweets, refusals = unpack(piece)
    raws = [tweet.raw for tweet in tweets] + [refusal.raw for refusal in refusals]
    whole = piece.strip()
    kept = [raw for raw in raws if raw and raw.strip() != whole and erased.isdisjoint(_named(raw))]
    return b"".join(raw + b"\n" for raw in kept)


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _decoded(line: bytes, field: str) -> bytes:
    """Decode the bytes in a field in base64; return the line itself where there are none, so that nothing is passed
    over.
    """
    try:
        return b64decode(_object(line)[field])
    except (KeyError, Error, ValueError, TypeError):
        return line
