"""The local Jetstream server answers as the real one does (docs/README.md and internal/subscribe of its repository)."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from local.network.generated import Generated
from local.network.jetstream import DICTIONARY, DICTIONARY_ID, FIRST, SECOND, Jetstream
from local.network.recording import Recording, RecordingError

PLAIN: dict[str, Any] = {"compression": None, "close_timeout": 0.1}
NETWORK = Generated(rate=20)
NOW = 1_770_000_000.0
NOW_US = int(NOW * 1e6)


class Clock:
    now = NOW


@pytest.fixture
def server() -> Iterator[Jetstream]:
    Clock.now = NOW
    with Jetstream(NETWORK, clock=lambda: Clock.now) as started:
        yield started


def frames(url: str, count: int) -> list[Any]:
    with connect(url, **PLAIN) as socket:
        return [json.loads(socket.recv(timeout=5)) for _ in range(count)]


def refused(url: str) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as caught:
        frames(url, 1)
    return caught.value.response.status_code, caught.value.response.body.decode()


def test_a_cursor_in_microseconds_begins_with_the_first_event_of_that_time(server: Jetstream) -> None:
    exact = NETWORK.time_us(NETWORK.first(NOW_US - 5_000_000))
    for cursor in (exact, exact - 1):
        found = frames(f"{server.url}?cursor={cursor}", 3)
        assert [each["time_us"] for each in found] == [exact, exact + NETWORK.step, exact + 2 * NETWORK.step]
        assert [each["cursor"] for each in found] == [NETWORK.first(exact) + 1 + n for n in range(3)]
    again = frames(f"{server.url}?cursor={found[1]['cursor']}", 1)  # an event's own number, inclusive
    assert again == found[1:2]


def test_a_cursor_older_than_the_look_back_is_clamped_without_a_word_and_refused_by_the_second(
    server: Jetstream,
) -> None:
    oldest = NETWORK.time_us(NETWORK.first(NOW_US - server.lookback_us))
    assert frames(f"{server.url}?cursor={oldest - 10**9}", 1)[0]["time_us"] == oldest
    assert frames(f"{server.url}?cursor=1", 1)[0]["time_us"] == oldest
    status, said = refused(f"{server.second_url}?cursor=1")
    assert (status, json.loads(said)["error"]) == (400, "CursorTooOld")


@pytest.mark.parametrize("query", ["", f"?cursor={NOW_US + 10**9}"])
def test_no_cursor_or_one_of_the_future_is_live(server: Jetstream, query: str) -> None:
    with connect(server.url + query, **PLAIN) as socket:
        with pytest.raises(TimeoutError):
            socket.recv(timeout=0.1)
        Clock.now = NOW + 1
        assert json.loads(socket.recv(timeout=5))["time_us"] >= NOW_US


def test_collections_filter_commits_and_leave_the_markers(server: Jetstream) -> None:
    for wanted in ("app.bsky.feed.post", "app.bsky.feed.*"):
        found = frames(f"{server.url}?cursor={NOW_US - 60_000_000}&wantedCollections={wanted}", 300)
        kinds = {each["kind"] for each in found}
        collections = {each["commit"]["collection"] for each in found if each["kind"] == "commit"}
        assert kinds == {"commit", "account", "identity"}
        assert collections == ({wanted} if wanted[-1] != "*" else {"app.bsky.feed.post", "app.bsky.feed.like"})
    did = NETWORK.did(next(n for n in range(NETWORK.first(NOW_US - 1_000_000), 10**12) if NETWORK.is_post(n)))
    assert {each["did"] for each in frames(f"{server.url}?cursor={NOW_US - 2_000_000}&wantedDids={did}", 1)} == {did}


def test_events_that_are_too_large_are_left_out(server: Jetstream) -> None:
    found = frames(f"{server.url}?cursor={NOW_US - 60_000_000}&maxMessageSizeBytes=350", 50)
    assert all(len(json.dumps(each, separators=(",", ":"), ensure_ascii=False).encode()) <= 350 for each in found)


def test_options_may_be_told_later_and_hello_may_be_demanded(server: Jetstream) -> None:
    with connect(f"{server.url}?cursor={NOW_US - 60_000_000}&requireHello=true", **PLAIN) as socket:
        with pytest.raises(TimeoutError):
            socket.recv(timeout=0.1)
        update = {"type": "options_update", "payload": {"wantedCollections": ["app.bsky.feed.like"]}}
        socket.send(json.dumps(update))
        found = [json.loads(socket.recv(timeout=5)) for _ in range(60)]
    assert {each["commit"]["collection"] for each in found if each["kind"] == "commit"} == {"app.bsky.feed.like"}
    with connect(f"{server.second_url}?cursor={NOW_US - 10_000_000}", **PLAIN) as socket:
        socket.send("{}")
        with pytest.raises(ConnectionClosed):
            while True:
                socket.recv(timeout=5)


def test_the_second_protocol_frames_the_same_events(server: Jetstream) -> None:
    query = f"cursor={NOW_US - 30_000_000}"
    first = frames(f"{server.url}?{query}", 40)
    second = [each["payload"] for each in frames(f"{server.second_url}?{query}", 40)]
    assert [each["seq"] for each in second] == [each["cursor"] for each in first]
    assert [each["$type"].split("#")[1] for each in second] == [each["kind"] for each in first]
    only = frames(f"{server.second_url}?{query}&kinds=commit&collections=app.bsky.feed.post", 20)
    assert {each["payload"]["collection"] for each in only} == {"app.bsky.feed.post"}


@pytest.mark.parametrize("path", [FIRST, SECOND])
def test_zstd_where_it_is_asked_for(server: Jetstream, path: str) -> None:
    base = server.url.removesuffix(FIRST)
    with urllib.request.urlopen(base.replace("ws:", "http:") + DICTIONARY) as answer:
        known = zstandard.ZstdCompressionDict(answer.read())
    asked = "compress=true" if path == FIRST else f"zstdDictionary={DICTIONARY_ID}"
    query = f"?cursor={NOW_US - 30_000_000}"
    with connect(f"{base}{path}{query}&{asked}", **PLAIN) as socket:
        packed = [socket.recv(timeout=5) for _ in range(20)]
    assert all(isinstance(each, bytes) for each in packed)
    unpacked = [json.loads(zstandard.ZstdDecompressor(dict_data=known).decompress(each)) for each in packed]
    assert unpacked == frames(f"{base}{path}{query}", 20)
    assert sum(map(len, packed)) < sum(len(json.dumps(each)) for each in unpacked) * 0.7


@pytest.mark.parametrize(
    ("path", "query", "name"),
    [
        (FIRST, "cursor=soon", "invalid cursor"),
        (FIRST, "cursor=-5", "negative"),
        (FIRST, "wantedCollections=no%20nsid", "invalid collection"),
        (FIRST, "&".join(["wantedCollections=a.b"] * 101), "too many"),
        (FIRST, "wantedDids=me", "invalid DID"),
        (SECOND, "wantedCollections=app.bsky.feed.post", "InvalidRequest"),
        (SECOND, "kinds=likes", "InvalidRequest"),
        (SECOND, "kinds=account&collections=app.bsky.feed.post", "InvalidRequest"),
        (SECOND, "compress=true", "InvalidRequest"),
        (SECOND, "zstdDictionary=7", "UnknownZstdDictionary"),
    ],
)
def test_what_the_real_one_refuses_is_refused(server: Jetstream, path: str, query: str, name: str) -> None:
    status, said = refused(f"{server.url.removesuffix(FIRST)}{path}?{query}")
    assert status == 400 and name in said


def test_deflate_and_zstd_together_are_refused_and_other_paths_unknown(server: Jetstream) -> None:
    with pytest.raises(InvalidStatus, match="400"), connect(f"{server.url}?compress=true", close_timeout=0.1):
        pass
    with pytest.raises(InvalidStatus, match="404"), connect(f"{server.url}/else"):
        pass


def test_the_network_is_the_same_each_time_and_mostly_everyday() -> None:
    numbers = range(NETWORK.first(NOW_US), NETWORK.first(NOW_US) + 3000)
    events = [NETWORK.event(n) for n in numbers]
    assert events == [Generated(rate=20).event(n) for n in numbers]
    assert events[:50] != [Generated(rate=20, seed=2).event(n) for n in numbers[:50]]
    posts = [each["commit"] for each in events if each and each["kind"] == "commit" and "record" in each["commit"]]
    posts = [each for each in posts if each["collection"] == "app.bsky.feed.post"]
    assert {each["record"]["langs"][0] for each in posts} == {"en", "es", "pt", "fr", "it"}
    assert len({each["rkey"] for each in posts}) == len(posts)


def test_what_is_deleted_was_posted_within_the_hour_before() -> None:
    start = NETWORK.first(NOW_US)
    posted = {NETWORK.uri(n) for n in range(start - 3600 * 29, start + 500) if NETWORK.is_post(n)}
    deleted = [
        f"at://{each['did']}/app.bsky.feed.post/{each['commit']['rkey']}"
        for n in range(start, start + 500)
        if (each := NETWORK.event(n)) and each["kind"] == "commit" and each["commit"]["operation"] == "delete"
    ]
    assert len(deleted) > 20 and set(deleted) <= posted


def test_crises_break_out_and_die_down() -> None:
    crises = [found for window in range(40) if (found := NETWORK.crisis(NOW_US + window * 300_000_000))]
    assert 20 <= len(crises) < 40
    assert len({each.kind for each in crises}) == 5
    for each in crises:
        assert each.share(each.start - 1) == each.share(each.end) == 0
        assert each.share(each.start + 60_000_000) > each.share(each.end - 30_000_000) > 0


def test_a_recording_is_told_again_from_a_moment_on_in_a_loop(tmp_path: Path) -> None:
    file = tmp_path / "recorded.jsonl"
    start = NETWORK.first(NOW_US)
    recorded = [NETWORK.event(n) for n in range(start, start + 5)]
    file.write_text("\n".join(map(json.dumps, recorded)))
    again = Recording(file, NOW_US)
    told = [again.event(n) for n in range(10)]
    times = [each["time_us"] for each in told if each]
    assert times == sorted(times) and times[0] == NOW_US
    assert [again.first(time) for time in times] == list(range(10))
    assert [{**each, "time_us": 0} for each in told[:5] if each] == [
        {**each, "time_us": 0} for each in recorded if each
    ]
    with Jetstream(again, clock=lambda: NOW + 3600) as server:
        assert frames(f"{server.url}?cursor={NOW_US}", 10)[7]["did"] == told[7]["did"]  # type: ignore[index]


@pytest.mark.parametrize("content", ["", "no json", '{"a":1}', "[1]"])
def test_what_is_no_recording_is_refused_by_name(tmp_path: Path, content: str) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text(content)
    with pytest.raises(RecordingError, match=r"x\.jsonl"):
        Recording(file, 0)
