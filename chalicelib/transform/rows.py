"""Write classified tweets as lines of JSON, in the columns of `disaster.disaster_tweets`.

A line has three parts: what depends only on source and text (`facts` and `told.py`, the same in a retry), the
classification, and the link to the tweet file. The last two have bounded sizes, so it is known before classification
how many rows fit into an answer. The accelerator gets the form of `facts` and `said` from Python (`recipe.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

import orjson

from chalicelib.classifier import Keyword, Prediction
from chalicelib.classifier.backends import Classification
from chalicelib.columns import REPLAYED
from chalicelib.transform.unpack import Tweet

MOST_VERSION_CHARACTERS = 96  # a version of 63 and what the fallback adds to it
CLASSIFICATION_BYTES = 384  # at most, with its column names: see `classification`
LINK_BYTES = 112
SMALLEST_ROW = 512  # no row has fewer bytes
SAID = b',"disaster_label":"%b","classifier_score":%.6f,"relevance_label":"%b","relevance_score":%.6f'
INFORMATION = b',"information_type":"%b","information_score":%.6f'
SAID_BY = b',"processing_time":%.6f,"classifier_version":"%b"'
RELEVANCE = (b"not_relevant", b"relevant")
EPOCH = 1_288_834_974_657
"""The time of ID 0, in ms since 1970; an ID's lower 22 bits are the machine and a sequence. Both are from Twitter's own
generator of IDs: `twepoch` and `timestampLeftShift` in IdWorker.scala, github.com/twitter-archive/snowflake, tag
snowflake-2010."""
FIRST = 1_288_915_200_000
"""2010-11-05. Before, IDs were counted; taken for an ID that holds a time, such a one says 2010-11-04, EPOCH's day."""
_DIGEST = hashlib.blake2b(digest_size=16)  # copied: three times as fast as made anew


class Draft(NamedTuple):
    """A tweet's row as far as it is known before the active classifier is asked."""

    row: bytes  # the first part, then what the bundled classifier said
    size: int  # of the first part
    label: str
    seconds: float  # spent on the tweet
    version: str  # of the bundled classifier
    # The same as an object, the cleaned text and its language: for another classifier.
    classification: Classification | None = None
    text: str = ""
    lang: str | None = None

    @classmethod
    def of(cls, first: bytes, classification: Classification, text: str, lang: str | None) -> Draft:
        prediction, seconds = classification
        row = first + said(prediction)
        return cls(row, len(first), prediction.label, seconds, prediction.version, classification, text, lang)

    def judged(self, classification: Classification) -> Draft:
        """Return the draft with another classification."""
        return Draft.of(self.row[: self.size], classification, self.text, self.lang)


def facts(tweet: Tweet, arrived: int, cleaned: str, keywords: Sequence[Keyword]) -> bytes:
    """Return the first part up to `told`: all that doesn't depend on which classifier is active.

    `arrived` in ms since the epoch.
    """
    raw, text, truncated, tweet_id, user_id, created_at, location, lang, source_keyword, source, _ = tweet
    return orjson.dumps(
        {
            "original_text": text,
            "cleaning_text": cleaned,
            "arrived_datetime_from_kinesis": arrived,
            "tweet_key": tweet_key(raw),
            "tweet_id": tweet_id,
            "user_id": user_id,
            "created_at": created_at or (written(tweet_id, arrived) if tweet_id else None),
            "location": location,
            "lang": lang,
            "source_keyword": source_keyword,
            "keywords": keywords,
            "truncated": truncated,
            "arrived_at": timestamp(arrived),
            "source": source,
        }
    )[:-1]


def tweet_key(raw: bytes) -> str:
    """Return the hash of the source record: 32 hex digits."""
    digest = _DIGEST.copy()
    digest.update(raw[: -len(REPLAYED)] + b"}" if raw.endswith(REPLAYED) else raw)
    return digest.hexdigest()


def written(tweet_id: str, arrived: int) -> str | None:
    """Return the time that a tweet's ID holds, as `timestamp` does; None where it can hold none.

    An ID made since 2010-11-05 (a "Snowflake") begins with the ms since EPOCH. A time after the arrival (ms since 1970)
    shows that it is no such ID. IDs that a spreadsheet has rounded are not used: `6.29587E+17`, or ten zeros at the
    end, which leave more than a second unknown.
    """
    if not 15 <= len(tweet_id) <= 19 or not tweet_id.isdecimal() or tweet_id.endswith("0000000000"):
        return None
    ms = (int(tweet_id) >> 22) + EPOCH
    return timestamp(ms) if FIRST <= ms <= arrived else None


def timestamp(ms: int) -> str:
    """Write milliseconds since the epoch as `YYYY-MM-DD HH:MM:SS.mmm`, UTC."""
    return f"{_second(ms // 1000)}.{ms % 1000:03}"


@lru_cache(maxsize=1024)  # the arrivals of a batch share their seconds, and mostly the tweets' own times do
def _second(seconds: int) -> str:
    day, second = divmod(seconds, 86_400)
    return f"{_day(day)} {second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"


@lru_cache(maxsize=1024)  # old tweets share days, and strftime takes as long as all the rest
def _day(day: int) -> str:
    return datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m-%d")


def classification(prediction: Prediction, seconds: float) -> bytes:
    """Return the second part, at most CLASSIFICATION_BYTES. `seconds` spent classifying the tweet."""
    return said(prediction) + said_by(seconds, prediction.version)


def said(prediction: Prediction) -> bytes:
    label, score, relevant, _, _, information = prediction
    fields = SAID % (label.encode(), score, RELEVANCE[relevant >= 0.5], relevant)
    return fields + INFORMATION % (information[0].encode(), information[1]) if information else fields


def said_by(seconds: float, version: str) -> bytes:
    return SAID_BY % (seconds, version[:MOST_VERSION_CHARACTERS].encode())


def link(key: str) -> bytes:
    """Return the third part as a template for the line number, at most LINK_BYTES once filled in.

    `key` of the tweet file.
    """
    return b',"s3_key":"%b","s3_line":%%d}\n' % key.encode()


def file_lines(drafts: Sequence[Draft], key: str) -> list[bytes]:
    """Return the drafts as lines of the tweet file with this key."""
    template = link(key)
    ends: dict[tuple[float, str], bytes] = {}  # all after what was said; a batch has one or two
    complete = []
    for number, (row, _, _, seconds, version, _, _, _) in enumerate(drafts, 1):
        end = ends.get((seconds, version))
        if end is None:
            end = ends[seconds, version] = said_by(seconds, version).replace(b"%", b"%%") + template
        complete.append(row + end % number)
    return complete
