"""Make the soak's records, each with its expected result.

Each tweet says what its row must hold and each piece of junk why it must be refused. Both are known from writing them:
nothing here asks the application how it reads a record.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import count
from typing import Any, NamedTuple

JUNK_EVERY = 40  # one record of so many is junk as a whole
DENSE = 10_000  # tweets of a dense record: as rows of 512 bytes or more they exceed the 6 MB of an answer
DENSE_EVERY = 30_000  # so many records hold two dense ones
DENSE_AT = (7, 57)  # in batches of 50: one for the Firehose stream, one for the Kinesis stream
LONGEST_TEXT = 65_535  # bytes of `original_text`
WORDS = ("flood", "wildfire", "earthquake", "storm", "crash", "pizza", "landslide", "song")


class Tweet:
    """A tweet as it was sent: `raw` is its own source, `columns` what its row must hold of what the source decides."""

    def __init__(self, raw: bytes, **columns: Any) -> None:
        absent = dict.fromkeys(("tweet_id", "user_id", "created_at", "location", "lang", "source_keyword"))
        self.raw = raw
        self.columns: Mapping[str, Any] = {**absent, "truncated": False, **columns}

    @cached_property
    def key(self) -> str:
        """Return the `tweet_key` that its row must have: 32 hex digits of BLAKE2b over its source."""
        return hashlib.blake2b(self.raw, digest_size=16).hexdigest()


class Junk(NamedTuple):
    """Something that can't become a row: its own source, and the reason for which it must be refused."""

    raw: bytes
    reason: str


class Record(NamedTuple):
    """One record, and the tweets and the junk in it."""

    data: bytes
    tweets: Sequence[Tweet] = ()
    junk: Sequence[Junk] = ()


def records(dense: int = DENSE, dense_every: int = DENSE_EVERY) -> Iterator[Record]:
    """Return records without end: one tweet or several in every form that a producer may send, dense ones, junk."""
    numbers = count()
    for n in count():
        if n % dense_every in DENSE_AT:
            yield lines([small(next(numbers)) for _ in range(dense)])
        elif n % JUNK_EVERY == 0:
            yield alone(junk(n))
        elif n % 10 == 5:
            yield lines([flat(next(numbers)) for _ in range(3)])
        elif n % 50 == 11:
            yield lines([flat(next(numbers)), junk(n), flat(next(numbers))])
        elif n % 50 == 21:
            yield array([flat(next(numbers)) for _ in range(2)])
        elif n % 50 == 31:
            yield alone(version_1(next(numbers)))
        elif n % 50 == 41:
            yield alone(version_2(next(numbers)))
        elif n % 500 == 17:
            yield alone(long(next(numbers)))
        else:
            yield alone(flat(next(numbers)))


# ------------------------------------------------------------------ records of parts


def alone(part: Tweet | Junk) -> Record:
    """Return a record of one part."""
    return lines([part])._replace(data=part.raw)


def lines(parts: Sequence[Tweet | Junk]) -> Record:
    """Return a record of JSON Lines, a part each."""
    data = b"".join(part.raw + b"\n" for part in parts)
    return Record(
        data, [part for part in parts if isinstance(part, Tweet)], [part for part in parts if isinstance(part, Junk)]
    )


def array(tweets: Sequence[Tweet]) -> Record:
    """Return a record of one JSON array. Its elements' sources are compact JSON, as each would be on its own."""
    return Record(b"[" + b",".join(tweet.raw for tweet in tweets) + b"]", tweets)


# ------------------------------------------------------------------ parts


def text_of(number: int) -> str:
    """Return a text that no other tweet has, with characters that JSON and COPY have to escape."""
    word = WORDS[number % len(WORDS)]
    return f'The {word} of {number} is all over #town{number % 7},\npeople say "\N{FIRE} & more" \\o/ \N{EURO SIGN}'


def compact(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def flat(number: int) -> Tweet:
    """Return a flat tweet; every third one has all fields."""
    columns: dict[str, Any] = {"tweet_id": f"t{number}", "lang": "en", "source_keyword": WORDS[number % len(WORDS)]}
    sent = {**columns, "text": text_of(number)}
    if number % 3 == 0:
        columns |= {"user_id": f"u{number % 100}", "location": "Zürich, \N{EURO SIGN}land"}
        sent |= {name: columns[name] for name in ("user_id", "location")} | {"created_at": "2026-01-02T03:04:05.678Z"}
        columns["created_at"] = "2026-01-02 03:04:05.678"
    return Tweet(compact(sent), original_text=text_of(number), **columns)


def small(number: int) -> Tweet:
    """Return a tweet of as few bytes as its row allows."""
    return Tweet(compact({"tweet_id": f"t{number}", "text": "fire"}), original_text="fire", tweet_id=f"t{number}")


def long(number: int) -> Tweet:
    """Return a tweet whose text exceeds its column: it must be cut there, between two characters, and marked."""
    text = text_of(number) + " " + "\N{EURO SIGN}" * 25_000
    kept = text.encode()[:LONGEST_TEXT].decode(errors="ignore")
    raw = compact({"tweet_id": f"t{number}", "text": text})
    return Tweet(raw, original_text=kept, truncated=True, tweet_id=f"t{number}")


def version_1(number: int) -> Tweet:
    """Return a tweet as version 1.1 of the X API sends it."""
    sent = {
        "created_at": "Wed Oct 10 20:19:24 +0000 2018",
        "id_str": f"t{number}",
        "full_text": text_of(number),
        "user": {"id_str": f"u{number}", "location": "Bern"},
        "lang": "en",
    }
    return Tweet(
        compact(sent),
        original_text=text_of(number),
        tweet_id=f"t{number}",
        user_id=f"u{number}",
        location="Bern",
        lang="en",
        created_at="2018-10-10 20:19:24",
    )


def version_2(number: int) -> Tweet:
    """Return a tweet as version 2 of the X API sends it, its author beside it."""
    sent = {
        "data": {"id": f"t{number}", "text": text_of(number), "author_id": f"u{number}"},
        "includes": {"users": [{"id": f"u{number}", "location": "Basel"}]},
    }
    raw = compact(sent)
    return Tweet(raw, original_text=text_of(number), tweet_id=f"t{number}", user_id=f"u{number}", location="Basel")


def junk(number: int) -> Junk:
    """Return junk that no other record has, of each kind in turn."""
    mark = f"junk-{number}"
    kinds = (
        Junk(mark.encode(), "not_json"),
        Junk(compact({"note": mark}), "no_text"),
        Junk(compact([mark]), "not_an_object"),
        Junk(compact(mark), "not_an_object"),
        Junk(compact({"text": "", "note": mark}), "no_text"),
        Junk(b"\xff\xfe" + mark.encode() + b"\xff", "not_json"),
        Junk(compact({"tweet_id": mark.rjust(257, "0"), "text": "an ID of 257 bytes"}), "bad_id"),
    )
    return kinds[number // 10 % len(kinds)]
