"""Serve a network as Jetstream: `/subscribe` and `…jetstream.subscribeEvents`.

docs/README.md, sections 5.1 and 5.2, and internal/subscribe of github.com/bluesky-social/jetstream.
"""

from __future__ import annotations

import http
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

import orjson
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

FIRST, SECOND = "/subscribe", "/xrpc/network.bsky.jetstream.subscribeEvents"
DICTIONARY = "/xrpc/network.bsky.jetstream.getZstdDictionary"
DICTIONARY_ID = 20260811
LOOKBACK_US = 36 * 3_600_000_000
"""What the public servers keep."""
SMALLEST_TIME = 1_000_000_000_000_000
"""A cursor below is a number of an event, from it on a time in microseconds."""
MOST_COLLECTIONS, MOST_DIDS = 100, 10_000
NSID = re.compile(r"[a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)*(\.\*)?")
POLL = 0.05  # seconds between looks for what happens meanwhile


class Network(Protocol):
    """Events by their numbers."""

    def time_us(self, number: int) -> int: ...
    def first(self, time_us: int) -> int: ...
    def event(self, number: int) -> dict[str, Any] | None: ...


class BadRequestError(Exception):
    """Answered with 400 and an error's name."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


class Jetstream:
    """From `with` to its end. `port` 0 is any free one. `clock`: seconds since 1970, for whoever compresses time."""

    def __init__(
        self,
        network: Network,
        port: int = 0,
        clock: Callable[[], float] = time.time,
        lookback_us: int = LOOKBACK_US,
    ) -> None:
        self.network, self.clock, self.lookback_us = network, clock, lookback_us
        self._port = port
        self._closing = threading.Event()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}{FIRST}"

    @property
    def second_url(self) -> str:
        return self.url.removesuffix(FIRST) + SECOND

    def __enter__(self) -> Jetstream:
        """Start the server. Raises OSError where the port is taken."""
        self._server: Server = serve(
            self._serve, "127.0.0.1", self._port, process_request=self._process, compression=None, max_size=10_000_000
        )
        threading.Thread(target=self._server.serve_forever, name="jetstream", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()

    def _process(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse what can't be served before it becomes a WebSocket."""
        address = urlsplit(request.path)
        if address.path == DICTIONARY:
            body = dictionary()
            headers = Headers({"Content-Length": str(len(body)), "Content-Type": "application/octet-stream"})
            return Response(200, "OK", headers, body)
        if address.path not in (FIRST, SECOND):
            return connection.respond(http.HTTPStatus.NOT_FOUND, "not found\n")
        try:
            Subscription(self, request)
        except BadRequestError as error:
            said = {"error": error.name, "message": str(error)}
            text = orjson.dumps(said).decode() if address.path == SECOND else f"{error}\n"
            return connection.respond(http.HTTPStatus.BAD_REQUEST, text)
        return None

    def _serve(self, connection: ServerConnection) -> None:
        assert connection.request
        wanted = Subscription(self, connection.request)
        listener = threading.Thread(target=_listen, args=(connection, wanted), daemon=True)
        listener.start()
        with suppress(ConnectionClosed):
            wanted.begin.wait()
            for event in self._events(wanted):
                if (frame := wanted.frame(*event)) is not None:
                    connection.send(frame)

    def _events(self, wanted: Subscription) -> Iterator[tuple[int, dict[str, Any]]]:
        number = wanted.start
        while not self._closing.is_set() and not wanted.ended.is_set():
            if self.network.time_us(number) > self.clock() * 1e6:
                time.sleep(POLL)
                continue
            event = self.network.event(number)
            if event is not None:
                yield number + 1, event  # the server counts from 1
            number += 1


def _listen(connection: ServerConnection, wanted: Subscription) -> None:
    """Take what the client says: options on the first protocol, nothing on the second."""
    with suppress(ConnectionClosed):
        for message in connection:
            if wanted.second or not wanted.change(message):
                connection.close(1008)
                break
    wanted.ended.set()
    wanted.begin.set()


class Subscription:
    """What one client asks for. Raises BadRequestError for what the real server refuses."""

    def __init__(self, server: Jetstream, request: Request) -> None:
        address = urlsplit(request.path)
        asked = parse_qs(address.query, keep_blank_values=True)
        self.second = address.path == SECOND
        if self.second:
            for old, new in (("wantedCollections", "collections"), ("wantedDids", "dids")):
                if old in asked:
                    raise BadRequestError("InvalidRequest", f"{old} is of /subscribe; this endpoint calls it {new}")
            self.kinds = frozenset(asked.get("kinds", ()))
            if unknown := self.kinds - {"commit", "identity", "account", "sync"}:
                raise BadRequestError("InvalidRequest", f"unknown kinds: {', '.join(sorted(unknown))}")
            if asked.get("collections") and self.kinds and "commit" not in self.kinds:
                raise BadRequestError("InvalidRequest", "collections apply to commits, which kinds leaves out")
        else:
            self.kinds = frozenset()
        collections, dids = ("collections", "dids") if self.second else ("wantedCollections", "wantedDids")
        self.filter(asked.get(collections, []), asked.get(dids, []), asked.get("maxMessageSizeBytes", ["0"])[0])
        self.compressor = self._compressor(asked, request.headers)
        self.ended, self.begin = threading.Event(), threading.Event()
        if self.second or asked.get("requireHello", [""])[0] != "true":
            self.begin.set()
        self.notice = ""
        self.start = self._start(server, asked.get("cursor", [""])[0])

    def filter(self, collections: Sequence[str], dids: Sequence[str], most: Any) -> None:
        if len(collections) > MOST_COLLECTIONS or len(dids) > MOST_DIDS:
            raise BadRequestError("InvalidRequest", "too many wanted collections or DIDs")
        for each in collections:
            if not NSID.fullmatch(each):
                raise BadRequestError("InvalidRequest", f"invalid collection: {each}")
        if bad := [did for did in dids if not did.startswith("did:")]:
            raise BadRequestError("InvalidRequest", f"invalid DID: {bad[0]}")
        self.whole = frozenset(each for each in collections if not each.endswith(".*"))
        self.prefixes = tuple(each[:-1] for each in collections if each.endswith(".*"))
        self.dids = frozenset(dids)
        try:
            self.most = max(0, int(most or 0))
        except (TypeError, ValueError):
            self.most = 0  # as the original does: no limit

    def change(self, message: str | bytes) -> bool:
        """Take an `options_update`; whether it was one."""
        try:
            said = orjson.loads(message)
            if said["type"] != "options_update":
                return False
            options = said["payload"]
            self.filter(
                options.get("wantedCollections") or [],
                options.get("wantedDids") or [],
                options.get("maxMessageSizeBytes", 0),
            )
        except (BadRequestError, ValueError, KeyError, TypeError, AttributeError):
            return False
        self.begin.set()
        return True

    def frame(self, number: int, event: dict[str, Any]) -> str | bytes | None:
        """Return what is sent of an event; None where it is not wanted."""
        kind = event["kind"]
        if self.dids and event["did"] not in self.dids:
            return None
        if self.kinds and kind not in self.kinds:
            return None
        if kind == "commit" and (self.whole or self.prefixes):
            collection = event["commit"]["collection"]
            if collection not in self.whole and not collection.startswith(self.prefixes or ("\0",)):
                return None
        text = orjson.dumps(second_form(number, event) if self.second else {**event, "cursor": number})
        if self.most and len(text) > self.most:
            return None
        return self.compressor.compress(text) if self.compressor else text.decode()

    def _compressor(self, asked: Mapping[str, list[str]], headers: Mapping[str, str]) -> Any:
        old = asked.get("compress", [""])[0] == "true" or "zstd" in headers.get("Socket-Encoding", "")
        new = asked.get("zstdDictionary", [""])[0]
        if self.second and old:
            raise BadRequestError("InvalidRequest", "compress=true is of /subscribe; this endpoint uses zstdDictionary")
        if self.second and new and new != str(DICTIONARY_ID):
            raise BadRequestError("UnknownZstdDictionary", f"the current dictionary is {DICTIONARY_ID}")
        if not (new if self.second else old):
            return None
        if "permessage-deflate" in headers.get("Sec-WebSocket-Extensions", "") and not self.second:
            raise BadRequestError("InvalidRequest", "choose one compression scheme: zstd or permessage-deflate")
        import zstandard

        return zstandard.ZstdCompressor(dict_data=zstandard.ZstdCompressionDict(dictionary()))

    def _start(self, server: Jetstream, given: str) -> int:
        """Return the number of the first event to send, from 0."""
        now_us = int(server.clock() * 1e6)
        live = server.network.first(now_us)
        if not given:
            return live
        try:
            cursor = int(given)
        except ValueError:
            raise BadRequestError("InvalidRequest", f"invalid cursor: {given!r}") from None
        if cursor < 0:
            raise BadRequestError("InvalidRequest", f"invalid cursor: negative value {cursor}")
        floor = server.network.first(now_us - server.lookback_us)
        if cursor < SMALLEST_TIME:
            if self.second and cursor - 1 < floor:
                raise BadRequestError("CursorTooOld", f"cursor {cursor} below lookback floor {floor + 1}")
            return live if cursor - 1 >= live else max(floor, cursor - 1)
        return live if cursor > now_us else max(floor, server.network.first(cursor))


def second_form(number: int, event: dict[str, Any]) -> dict[str, Any]:
    """Return an event as `subscribeEvents` frames it."""
    kind = event["kind"]
    moment = datetime.fromtimestamp(event["time_us"] // 1_000_000, UTC).replace(
        microsecond=event["time_us"] % 1_000_000
    )
    payload = {
        "$type": f"network.bsky.jetstream.subscribeEvents#{kind}",
        "seq": number,
        "did": event["did"],
        "time": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        **(event["commit"] if kind == "commit" else {kind: event[kind]}),
    }
    return {"$type": "message", "payload": payload}


def dictionary() -> bytes:
    """Return what both sides of a compressed connection know beforehand: the words that events are made of.

    Not the dictionary of the real servers: a client fetches the one of the server that it talks to.
    """
    words = (
        '{"did":"did:plc:","time_us":17,"kind":"commit","commit":{"rev":"3","operation":"create","collection":'
        '"app.bsky.feed.post","rkey":"3","record":{"$type":"app.bsky.feed.post","createdAt":"2026-","langs":["en"],'
        '"text":"","embed":{"$type":"app.bsky.embed.images","images":[{"alt":""}]}},"cid":"bafyrei"},"cursor":'
    )
    return words.encode() * 2
