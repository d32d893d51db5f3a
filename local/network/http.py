"""Serve a network as X's filtered stream and Mastodon's streaming API, with the faults of such servers.

docs.x.com/x-api/posts/filtered-stream; docs.joinmastodon.org/methods/streaming.
"""

from __future__ import annotations

import json
import re
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from local.network.jetstream import Network

TOKEN = "local"  # noqa: S105 - not a secret: any client here may know it
TWITTER_EPOCH = 1_288_834_974_657
MOST_RULES = 1000


class Trouble(NamedTuple):
    """What happens to a connection: refused with a status, or after so many posts rubbish, silence or an end."""

    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    after: int = -1  # posts; -1: never
    then: str = "end"  # or rubbish (and on), silence, notice


class HttpSource:
    """A server from `with` to its end. `troubles` befall connections in their order, one each; then all is well.

    `clock`: seconds since 1970. `keep_alive`: seconds between two signs of life.
    """

    def __init__(
        self,
        network: Network,
        port: int = 0,
        clock: Callable[[], float] = time.time,
        keep_alive: float = 20.0,
        troubles: list[Trouble] | None = None,
    ) -> None:
        self.network, self.clock, self.keep_alive = network, clock, keep_alive
        self.troubles = troubles if troubles is not None else []
        self.rules: dict[str, dict[str, str]] = {}
        self.connections: list[dict[str, list[str]]] = []  # the query of each
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self.open: set[object] = set()  # connections that are being told
        source = self

        class Handler(_Handler):
            server_source = source

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> HttpSource:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def events(self, since_us: int) -> Iterator[dict[str, Any] | None]:
        """Yield the network's events from a moment on, as they happen; None where a sign of life is due."""
        number, latest = self.network.first(since_us), time.monotonic()
        while not self.closing.is_set():
            if self.network.time_us(number) > self.clock() * 1e6:
                if time.monotonic() - latest >= self.keep_alive:
                    latest = time.monotonic()
                    yield None
                time.sleep(0.01)
                continue
            if event := self.network.event(number):
                yield event
            number += 1


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_source: HttpSource

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        asked = parse_qs(address.query)
        if not self._authorised():
            return
        if address.path == "/2/tweets/search/stream/rules":
            self._rules()
        elif address.path == "/2/tweets/search/stream":
            self._stream(asked, self._tweets)
        elif re.fullmatch(r"/api/v1/streaming/public(/local|/remote)?", address.path):
            self._stream(asked, self._statuses)
        else:
            self._answer(404, {"error": "not found"})

    def do_POST(self) -> None:
        if not self._authorised():
            return
        if urlsplit(self.path).path == "/2/tweets/search/stream/rules":
            self._change_rules()
        else:
            self._answer(404, {"error": "not found"})

    def _authorised(self) -> bool:
        if self.headers.get("Authorization") == f"Bearer {TOKEN}":
            return True
        self._answer(401, {"title": "Unauthorized", "status": 401})
        return False

    def _answer(self, status: int, body: Any, headers: tuple[tuple[str, str], ...] = ()) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(text))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    # ---- rules

    def _rules(self) -> None:
        source = self.server_source
        found = [{"id": name, **rule} for name, rule in source.rules.items()]
        start = int(parse_qs(urlsplit(self.path).query).get("pagination_token", ["0"])[0])
        page = found[start : start + 100]
        meta = {"sent": "now", "result_count": len(page)}
        if start + 100 < len(found):
            meta["next_token"] = str(start + 100)
        self._answer(200, {**({"data": page} if page else {}), "meta": meta})

    def _change_rules(self) -> None:
        source = self.server_source
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with source.lock:
            for name in said.get("delete", {}).get("ids", []):
                source.rules.pop(name, None)
            wrong = [each for each in said.get("add", []) if each["value"].count('"') % 2 or not each["value"].strip()]
            if wrong or len(source.rules) + len(said.get("add", [])) > MOST_RULES:
                errors = [{"title": "Invalid Rule", "value": each["value"]} for each in wrong] or [
                    {"title": "RulesCapExceeded"}
                ]
                self._answer(400, {"errors": errors, "title": "Invalid Request"})
                return
            for each in said.get("add", []):
                name = str(1_000_000_000_000_000_000 + len(source.rules) + int(time.monotonic() * 1e6))
                source.rules[name] = {key: each[key] for key in ("value", "tag") if key in each}
        self._answer(201, {"meta": {"summary": {"created": len(said.get("add", []))}}})

    # ---- streams

    def _stream(self, asked: dict[str, list[str]], speak: Callable[[dict[str, Any] | None], list[bytes]]) -> None:
        source = self.server_source
        with source.lock:
            source.connections.append(asked)
            trouble = source.troubles.pop(0) if source.troubles else Trouble()
            busy = bool(source.open) and not trouble.status
            if not busy and not trouble.status:
                source.open.add(self)
        if trouble.status or busy:
            status = trouble.status or 429
            self._answer(status, {"title": "refused", "detail": "too many connections"}, trouble.headers)
            return
        try:
            self._speak(asked, speak, trouble)
        except OSError:
            pass  # the client has gone
        finally:
            with source.lock:
                source.open.discard(self)
            self.close_connection = True

    def _speak(
        self, asked: dict[str, list[str]], speak: Callable[[dict[str, Any] | None], list[bytes]], trouble: Trouble
    ) -> None:
        source = self.server_source
        mastodon = speak == self._statuses
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if mastodon else "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        minutes = int(asked.get("backfill_minutes", ["0"])[0])
        sent = 0
        for event in source.events(int((source.clock() - 60 * minutes) * 1e6)):
            for text in speak(event):
                if sent == trouble.after:
                    if trouble.then == "end":
                        return
                    if trouble.then == "silence":
                        with source.lock:
                            source.open.discard(self)
                        source.closing.wait(60)
                        return
                    rubbish = b'{"errors":[{"title":"operational-disconnect","detail":"maintenance"}]}\r\n'
                    if trouble.then == "rubbish":
                        rubbish = (
                            b'event: update\ndata: {"no": \n\n'
                            if mastodon
                            else b'\xff\xfe<html>{"data":\r\n[]\r\n{"data":5}\r\n'
                        )
                    self._chunk(rubbish)
                    if trouble.then == "notice":
                        return
                self._chunk(text)
                sent += event is not None
        self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _tweets(self, event: dict[str, Any] | None) -> list[bytes]:
        """Return an event as X's stream sends it: only posts that match a rule."""
        if event is None:
            return [b"\r\n"]
        record = _record(event)
        if record is None:
            return []
        matching = [
            {"id": name, "tag": rule.get("tag", "")}
            for name, rule in self.server_source.rules.items()
            if matches(rule["value"], record["text"])
        ]
        if not matching:
            return []
        user = str(zlib.crc32(event["did"].encode()))
        tweet = {
            "id": str(snowflake(event["time_us"])),
            "author_id": user,
            "text": record["text"],
            "created_at": record["createdAt"],
            "lang": record["langs"][0],
            "edit_history_tweet_ids": [str(snowflake(event["time_us"]))],
        }
        users = [{"id": user, "name": "somebody", "username": "somebody", "location": "Here"}]
        return [
            json.dumps({"data": tweet, "includes": {"users": users}, "matching_rules": matching}).encode() + b"\r\n"
        ]

    def _statuses(self, event: dict[str, Any] | None) -> list[bytes]:
        """Return an event as Mastodon's stream sends it."""
        if event is None:
            return [b":thump\n\n"]
        if event["kind"] == "commit" and event["commit"]["operation"] == "delete":
            return [f"event: delete\ndata: {_status_id(event['commit']['rkey'])}\n\n".encode()]
        record = _record(event)
        if record is None:
            return []
        pictures = [{"description": each["alt"]} for each in record.get("embed", {}).get("images", [])]
        status = {
            "id": _status_id(event["commit"]["rkey"]),
            "created_at": record["createdAt"],
            "visibility": "public",
            "language": record["langs"][0],
            "content": f"<p>{record['text']}</p>",
            "spoiler_text": "",
            "account": {"acct": event["did"][-8:], "noindex": False},
            "media_attachments": pictures,
            "reblog": None,
        }
        return [f"event: update\ndata: {json.dumps(status)}\n\n".encode()]


def _record(event: dict[str, Any]) -> dict[str, Any] | None:
    """Return the post that an event creates, if it does."""
    if event["kind"] != "commit":
        return None
    record = event["commit"].get("record") or {}
    return record if record.get("$type") == "app.bsky.feed.post" else None


def matches(rule: str, text: str) -> bool:
    """Return whether a text has a word of a rule; of X's operators the local server knows OR and quotes alone."""
    words = re.findall(r'"([^"]+)"|(\S+)', rule)
    wanted = [(quoted or word).lower() for quoted, word in words if word != "OR"]
    return any(word in text.lower() for word in wanted)


def snowflake(time_us: int) -> int:
    """Return the ID that X would give at a time."""
    return ((time_us // 1000 - TWITTER_EPOCH) << 22) | (time_us % 1000)


def _status_id(rkey: str) -> str:
    return str(int.from_bytes(rkey.encode(), "big") % 10**18)


def iso(seconds: float) -> str:
    """Return a time as Mastodon's rate-limit headers have it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
