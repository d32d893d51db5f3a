"""List the columns of `disaster.disaster_tweets` that a tweet file has, in order. Rows, COPY and DDL use this list."""

from __future__ import annotations

from typing import NamedTuple


class Column(NamedTuple):
    """One column: its Redshift type and, for VARCHAR and CHAR, how many bytes (not characters) it holds."""

    name: str
    type: str
    bytes: int | None = None


def _varchar(name: str, size: int) -> Column:
    return Column(name, f"VARCHAR({size})", size)


COLUMNS = (
    _varchar("original_text", 65535),
    _varchar("cleaning_text", 65535),
    _varchar("disaster_label", 32),
    Column("classifier_score", "DOUBLE PRECISION"),
    Column("arrived_datetime_from_kinesis", "BIGINT"),
    Column("processing_time", "DOUBLE PRECISION"),
    _varchar("relevance_label", 16),
    Column("relevance_score", "DOUBLE PRECISION"),
    Column("tweet_key", "CHAR(32)", 32),
    _varchar("tweet_id", 256),
    _varchar("user_id", 128),
    Column("created_at", "TIMESTAMP"),
    _varchar("location", 512),
    _varchar("lang", 16),
    _varchar("source_keyword", 256),
    Column("keywords", "SUPER"),
    _varchar("classifier_version", 128),
    _varchar("s3_key", 256),
    Column("s3_line", "INTEGER"),
    Column("truncated", "BOOLEAN"),
    Column("arrived_at", "TIMESTAMP"),
    _varchar("source", 16),
    Column("erased_at", "TIMESTAMP"),
    _varchar("place", 256),
    Column("country_code", "CHAR(2)", 2),
    Column("latitude", "DOUBLE PRECISION"),
    Column("longitude", "DOUBLE PRECISION"),
    _varchar("place_basis", 16),
    _varchar("information_type", 32),
    Column("information_score", "DOUBLE PRECISION"),
    Column("text_key", "CHAR(16)", 16),
)
"""65,535 is the most a VARCHAR holds; the longest post on X is 25,000 characters, up to 100,000 bytes."""

SOURCES = frozenset({"x", "bluesky", "mastodon", "replay"})
"""What the column `source` holds, and a record's field of that name; any other value says nothing: null."""
REPLAYED = b',"source":"replay"}'
"""What the producer ends a replayed record with. It is no part of the tweet: `tweet_key` is that of the record without
it, so a tweet that is sent again has the key that it had."""

BYTES = {column.name: column.bytes or 0 for column in COLUMNS}

NAMES = tuple(column.name for column in COLUMNS)


def cut(text: str, size: int) -> str:
    """Return the text's first characters that fit into `size` bytes of UTF-8."""
    if len(text) * 4 <= size:
        return text
    return text.encode()[:size].decode(errors="ignore")
