"""Define the common form of posts of all sources, and pack them into records for the stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import orjson

from chalicelib.columns import cut

BILLED_UNIT = 5 * 1024
"""Bytes. Direct PUT bills each record rounded up to 5 KB (aws.amazon.com/firehose/pricing)."""
MOST_TEXT = 70_000
"""Bytes of a text that are forwarded: a few more than its column holds, so that a longer one counts as truncated."""


class Post(NamedTuple):
    """One post. IDs are the source's own."""

    source: str  # of columns.SOURCES
    tweet_id: str
    user_id: str
    text: str  # never blank
    created_at: str | None  # ISO 8601
    langs: tuple[str, ...]  # BCP 47, the foremost first
    location: str | None = None
    keyword: str | None = None  # the search that found it


class Deletion(NamedTuple):
    """A deletion: of a post, or of a user with all posts; the other field is empty."""

    tweet_id: str
    user_id: str


def line(post: Post) -> bytes:
    """Return a post as a line of JSON. The same post always gives the same bytes, and so the same `tweet_key`."""
    fields = {
        "tweet_id": post.tweet_id,
        "user_id": post.user_id,
        "created_at": post.created_at,
        "lang": post.langs[0] if post.langs else None,
        "location": post.location,
        "source_keyword": post.keyword,
        "text": cut(post.text, MOST_TEXT),
        "source": post.source,
    }
    return orjson.dumps({name: value for name, value in fields.items() if value}) + b"\n"


def described(text: str, descriptions: Iterable[object]) -> str:
    """Return a post's text and, each on a line of its own, what its author wrote of its pictures and links.

    A picture of a flood is often all that a post says, and its description names it. Other fields are left out.
    """
    said = [text, *(each for each in descriptions if isinstance(each, str))]
    return "\n".join(each for each in said if each and not each.isspace())


def packed(lines: Iterable[bytes], limit: int = BILLED_UNIT) -> Iterator[Sequence[bytes]]:
    """Group lines so that each group has up to `limit` bytes, which are billed anyway; a longer line goes alone."""
    group: list[bytes] = []
    size = 0
    for each in lines:
        if group and size + len(each) > limit:
            yield group
            group, size = [], 0
        group.append(each)
        size += len(each)
    if group:
        yield group
