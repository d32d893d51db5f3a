"""Read Firehose's event as a batch of tweets, each with its record."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, NamedTuple, TypeGuard

from pybase64 import b64decode

from chalicelib import layout
from chalicelib.transform.rows import Draft
from chalicelib.transform.unpack import Refusal, Tweet, unpack

LATEST = 253_402_300_800_000  # ms: the year 10000, which no TIMESTAMP text of four digits can say


Drafter = Callable[[Sequence[bytes], Sequence[int]], Sequence[list[Draft] | None]]
"""Records' data and arrivals in; out the drafts of a record's tweets, or None where they are to be made in Python."""


def in_python(datas: Sequence[bytes], _: Sequence[int]) -> list[list[Draft] | None]:
    """Leave all records to Python."""
    return [None] * len(datas)


class Record(NamedTuple):
    """One record of the event, unpacked."""

    id: str
    arrived: int  # ms since the epoch
    data: bytes  # as the producer sent it
    partition_key: str | None  # from a Kinesis data stream
    tweets: Sequence[Tweet | Draft]
    refusals: list[Refusal]

    def sources(self) -> list[bytes]:
        """Return each tweet's own source."""
        drafted = any(isinstance(tweet, Draft) for tweet in self.tweets)
        return [tweet.raw for tweet in (unpack(self.data)[0] if drafted else self.tweets) if isinstance(tweet, Tweet)]


@dataclass(frozen=True)
class Batch:
    """The records and tweets of one invocation."""

    records: list[Record]
    name: str  # 32 hex digits: a retry of the same batch has the same
    stream: str  # name of the delivery stream
    source_arn: str | None  # of the Kinesis data stream, where that is the source
    bytes_in: int  # records' data, decoded

    @cached_property
    def folder(self) -> str:
        """Return the folder of its files: that of the hour of the earliest arrival."""
        earliest = min(record.arrived for record in self.records)
        return layout.hour_folder(datetime.fromtimestamp(earliest / 1000, UTC))


def read(event: dict[str, Any], draft: Drafter = in_python) -> Batch:
    """Read the batch in Firehose's event (docs.aws.amazon.com/firehose/latest/dev/data-transformation.html).

    Whatever a record's data is, it ends up as tweets or refusals. Where arrivals are missing the batch's earliest
    stands in, or the present if there is none.
    """
    # The event as it is, not as Powertools' KinesisFirehoseEvent: that takes 0.06 s to import, at each cold start, and
    # its records' properties half as long as decoding, parsing, serialising and encoding. The tests compare with it.
    entries = event["records"]
    ids = [entry["recordId"] for entry in entries]
    encoded = [entry["data"] for entry in entries]
    stamps = [entry.get("approximateArrivalTimestamp") for entry in entries]
    given = "\n".join(map(str, [*ids, *stamps, *encoded]))
    name = hashlib.sha256(given.encode("utf-8", "surrogatepass")).hexdigest()[:32]  # processors have it built in
    datas = list(map(_decoded, encoded))
    arrivals = _arrivals(entries, stamps)
    records = []
    bytes_in = 0
    drafted = draft([data or b"" for data in datas], arrivals)
    for entry, arrived, data, drafts in zip(entries, arrivals, datas, drafted, strict=True):
        tweets: Sequence[Tweet | Draft]
        if data is None:
            data = str(entry["data"]).encode("utf-8", "surrogatepass")
            tweets, refusals = [], [Refusal("not_base64", "the record's data is not base64", data)]
        else:
            tweets, refusals = (drafts, []) if drafts else unpack(data)
        bytes_in += len(data)
        metadata = entry.get("kinesisRecordMetadata")
        key = metadata and metadata.get("partitionKey")
        records.append(Record(entry["recordId"], arrived, data, key, tweets, refusals))
    stream = str(event.get("deliveryStreamArn", "")).rpartition("/")[2]  # only what is put back needs it
    return Batch(_drafted_singly(records, draft), name, stream, event.get("sourceKinesisStreamArn"), bytes_in)


def _drafted_singly(records: list[Record], draft: Drafter) -> list[Record]:
    """Draft the tweets of records that hold several and were left to Python: mostly for one of these tweets alone."""
    asked = [(tweet.raw, record.arrived) for record in records for tweet in _several(record)]
    if not asked:
        return records
    drafted = iter(draft([source for source, _ in asked], [arrived for _, arrived in asked]))
    return [
        record._replace(tweets=[_alone(tweet, next(drafted)) for tweet in tweets])
        if (tweets := _several(record))
        else record
        for record in records
    ]


def _several(record: Record) -> list[Tweet]:
    """Return the tweets of a record that holds several and was left to Python; nothing for any other record."""
    tweets = [tweet for tweet in record.tweets if isinstance(tweet, Tweet)]
    return tweets if len(tweets) > 1 else []


def _alone(tweet: Tweet, drafts: list[Draft] | None) -> Tweet | Draft:
    """Return the draft of a tweet's own source, where that source alone gives the same tweet; else the tweet."""
    return drafts[0] if drafts and unpack(tweet.raw) == ([tweet], []) else tweet


def _decoded(data64: Any) -> bytes | None:
    """Return a record's data; None if it isn't base64."""
    try:
        return b64decode(data64)
    except (ValueError, TypeError):
        return None


def _arrivals(entries: list[dict[str, Any]], stamps: list[Any]) -> list[int]:
    """Return when the records arrived, ms since the epoch, as far as known."""
    if all(map(_is_time, stamps)):
        return stamps
    arrivals = [_arrival(entry) for entry in entries]
    otherwise = min((arrival for arrival in arrivals if arrival is not None), default=int(time.time() * 1000))
    return [otherwise if arrival is None else arrival for arrival in arrivals]


def _arrival(entry: dict[str, Any]) -> int | None:
    arrived = entry.get("approximateArrivalTimestamp")
    if _is_time(arrived):
        return arrived
    metadata = entry.get("kinesisRecordMetadata")
    return _arrival(metadata) if metadata else None


def _is_time(stamp: Any) -> TypeGuard[int]:
    return isinstance(stamp, int) and 0 < stamp < LATEST
