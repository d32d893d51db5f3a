"""Read Mastodon's streaming API: server-sent events of one server's public timeline.

docs.joinmastodon.org/methods/streaming
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import httpx
from httpx_sse import EventSource, SSEError

from chalicelib.sources.posts import Deletion, Post, described
from sources.connection import FatalError, Item, Rubbish, check

KEEP_ALIVE = 60.0
"""Seconds without a byte after which the connection counts as dead: a comment comes every 15 seconds."""
TIMELINES = ("public", "public/local", "public/remote")


@dataclass
class Stream:
    """A server's public timeline. `server`: its address, `https://mastodon.social`; most servers ask for a token."""

    server: str
    token: str = ""
    timeline: str = "public"
    keep_alive: float = KEEP_ALIVE

    @property
    def host(self) -> str:
        return urlsplit(self.server).netloc

    def connect(self) -> Iterator[Item]:
        """Yield what one connection says. Raises FatalError, RefusedError, and what httpx raises."""
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store", "User-Agent": "disaster-tweets"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        address = f"{self.server.rstrip('/')}/api/v1/streaming/{self.timeline}"
        timeout = httpx.Timeout(10, read=self.keep_alive)
        with httpx.Client(timeout=timeout) as client, client.stream("GET", address, headers=headers) as response:
            check(response, self.host, "MASTODON_TOKEN or --token-secret")
            try:
                for event in EventSource(response).iter_sse():
                    yield Item(parse(self.host, event.event, event.data))
            except SSEError as error:
                raise FatalError(f"{self.server} is no Mastodon server: {error}") from error


def parse(host: str, event: str, data: str) -> Post | Deletion | Rubbish | None:
    """Return what an event says; None where it is about no public post. Never raises.

    An edited post is deleted and written anew: `status.update` carries all of it, and its row has the same `tweet_id`.
    """
    try:
        if event == "delete":
            return Deletion(f"{host}/{_digits(data.strip())}", "")
        if event in ("update", "status.update"):
            return _post(host, json.loads(data))
        return None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Rubbish(data[:300])


def _post(host: str, status: dict[str, Any]) -> Post | None:
    account = status["account"]
    if status["visibility"] != "public" or status.get("reblog") or account.get("noindex"):
        return None
    media = [each.get("description") for each in status.get("media_attachments") or ()]
    quoted = ((status.get("quote") or {}).get("quoted_status") or {}).get("content")
    words = [status.get("spoiler_text"), plain(status["content"]), *media, plain(quoted) if quoted else ""]
    text = described("", words)
    if not text:
        return None
    acct, lang = account["acct"], status.get("language")
    return Post(
        "mastodon",
        f"{host}/{_digits(status['id'])}",
        acct if "@" in acct else f"{acct}@{host}",
        text,
        status.get("created_at"),
        (lang,) if isinstance(lang, str) else (),
    )


def _digits(status_id: Any) -> str:
    if not isinstance(status_id, str) or not status_id.isascii() or not status_id or len(status_id) > 64:
        raise ValueError("a status has an ID")
    return status_id


class _Text(HTMLParser):
    """The words of a post's HTML: paragraphs and breaks end lines, all other tags go."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        if tag == "br" or (tag == "p" and self.parts):
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def plain(html: str) -> str:
    """Return the text of a post's HTML. Raises TypeError for what is no text."""
    parser = _Text()
    parser.feed(html)
    parser.close()
    return "".join(parser.parts).strip()
