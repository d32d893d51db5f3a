"""Where a text speaks of."""

from __future__ import annotations

from typing import NamedTuple

from chalicelib.transform.unpack import Tweet


class Place(NamedTuple):
    """A place that a tweet is about. Its strings fit their columns, and JSON takes them as they are."""

    place: str  # its name, as people write it
    country_code: str | None  # ISO 3166-1 alpha-2
    latitude: float
    longitude: float
    basis: str  # what tells it: text, hashtag, location (the author's) or coordinates


def find(tweet: Tweet, cleaned: str) -> Place | None:  # noqa: ARG001
    """Return the place that the tweet speaks of. `cleaned`: its cleaned text."""
    return None
