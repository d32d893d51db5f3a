"""Read the events of Bluesky's Jetstream, and parse them.

Two protocols, told apart by the address (docs/README.md of github.com/bluesky-social/jetstream, sections 5.1 and 5.2):
`/subscribe`, and `…/network.bsky.jetstream.subscribeEvents` with other names for the same. Both send at least once, in
the order in which the server met the events; a cursor in microseconds begins with the first event of that time or
later. Events for accounts and identities come whatever collections are asked for.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

import orjson

from chalicelib.sources.posts import Deletion, Post, described

SOURCE = "bluesky"
COLLECTION = "app.bsky.feed.post"
OVERLAP_US = 10_000_000
"""Microseconds to go back where the server changes: each has its own times (section 2 of Jetstream's docs)."""
SECOND = "/network.bsky.jetstream.subscribeEvents"
GONE = frozenset({"deleted", "takendown"})
"""States of an account whose posts must go. The others (deactivated, suspended, desynchronized, throttled) may end:
atproto.com/specs/account"""
MOST_FRAME = 1_000_000
"""Bytes of an event that the server is asked to send; it leaves out larger ones, and a post has 3,000 bytes at most."""
OPEN_SECONDS = 5.0
POLL = 0.5  # seconds without an event after which the reader is told so


class SourceError(Exception):
    """The server can't be reached, or the connection to it has ended."""


class Event(NamedTuple):
    """The fields of an event that are used. `time_us`: the server's, in microseconds since 1970; 0 if absent."""

    time_us: int
    post: Post | None = None
    deletion: Deletion | None = None
    rubbish: bool = False  # neither an event nor a post as they are documented


def events(server: str, cursor: int) -> Generator[Event | None, None, None]:
    """Yield the server's events from a cursor on (microseconds), without end; None where none comes for POLL seconds.

    Raises SourceError.
    """
    from websockets.exceptions import WebSocketException
    from websockets.sync.client import connect

    try:
        # No compression: it is the server's dominant cost, and what comes in is free.
        with connect(
            url(server, cursor),
            compression=None,
            max_size=2 * MOST_FRAME,
            open_timeout=OPEN_SECONDS,
            close_timeout=0.1,  # nothing is lost by an end without ceremony
            user_agent_header="disaster-tweets",
        ) as socket:
            while True:
                try:
                    frame = socket.recv(timeout=POLL, decode=False)
                except TimeoutError:
                    yield None
                else:
                    yield parse(frame)
    except (OSError, WebSocketException) as error:
        raise SourceError(f"{server}: {type(error).__name__}: {error}") from error


def url(server: str, cursor: int) -> str:
    collections = "collections" if server.endswith(SECOND) else "wantedCollections"
    asked = {collections: COLLECTION, "maxMessageSizeBytes": MOST_FRAME, "cursor": cursor}
    return f"{server}?{urlencode(asked)}"


def parse(frame: bytes) -> Event:
    """Parse a frame. Never raises: a frame that is not an event or a post as documented counts as rubbish."""
    try:
        said = orjson.loads(frame)
        if "$type" in said:
            said = _first_form(said)
        time_us, did, kind = int(said["time_us"]), said["did"], said["kind"]
        if kind == "commit":
            return _commit(time_us, did, said["commit"])
        if kind == "account":
            account = said["account"]
            gone = not account["active"] and account.get("status") in GONE
            return Event(time_us, deletion=Deletion("", _id(did)) if gone else None)
        return Event(time_us)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Event(0, rubbish=True)


def _first_form(frame: dict[str, Any]) -> dict[str, Any]:
    """Convert a frame of the second protocol into that of the first. Raises KeyError for one without an event."""
    payload = frame["payload"]
    kind = payload["$type"].rpartition("#")[2]
    time_us = round(datetime.fromisoformat(payload["time"]).timestamp() * 1e6)
    return {"did": payload["did"], "time_us": time_us, "kind": kind, kind: payload.get(kind, payload)}


def _commit(time_us: int, did: str, commit: dict[str, Any]) -> Event:
    if commit["collection"] != COLLECTION:
        return Event(time_us)
    uri = f"at://{_id(did)}/{COLLECTION}/{_id(commit['rkey'])}"
    if commit["operation"] == "delete":
        return Event(time_us, deletion=Deletion(uri, ""))
    try:
        return Event(time_us, post(uri, did, commit["record"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Event(time_us, rubbish=True)


def post(uri: str, did: str, record: dict[str, Any]) -> Post | None:
    """Return the post of a record, None for one without words. Raises KeyError and the like for other records.

    docs.bsky.app: app.bsky.feed.post. A quoted post is named there by its URI alone, so its text is not to be had.
    """
    text = record["text"]
    if not isinstance(text, str):
        raise TypeError("a post's text is a string")
    embed = record.get("embed") or {}
    media = embed.get("media") or embed  # recordWithMedia holds one of the others
    pictures = [each.get("alt") for each in media.get("images") or ()]
    card = media.get("external") or {}
    said = described(text, [*pictures, media.get("alt"), card.get("title"), card.get("description")])
    if not said:
        return None
    created_at = record.get("createdAt")
    langs = tuple(lang for lang in record.get("langs") or () if isinstance(lang, str))
    return Post(SOURCE, uri, did, said, created_at if isinstance(created_at, str) else None, langs)


def _id(value: Any) -> str:
    if not isinstance(value, str) or not value or not value.isascii():
        raise ValueError("an ID is text in ASCII")
    return value
