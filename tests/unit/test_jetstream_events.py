"""What Jetstream's events say: posts with all their words, what was deleted, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.sources import jetstream, posts
from chalicelib.sources.posts import Deletion, Post
from chalicelib.transform.unpack import unpack
from local.network.jetstream import second_form

DID = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
RECORD = {
    "$type": "app.bsky.feed.post",
    "createdAt": "2026-01-02T03:04:05.678Z",
    "langs": ["pt-BR", "en"],
    "text": "Enchente",
}


def event(kind: str = "commit", **says: Any) -> dict[str, Any]:
    commit = {"rev": "3a", "operation": "create", "collection": "app.bsky.feed.post", "rkey": "3kabc", "record": RECORD}
    inner: dict[str, dict[str, Any]] = {
        "commit": commit,
        "account": {"did": DID, "seq": 1, "time": "2026-01-02T03:04:05.000Z"},
        "identity": {},
    }
    return {"did": DID, "time_us": 1_767_323_045_000_123, "kind": kind, kind: {**inner[kind], **says}}


def parsed(said: dict[str, Any]) -> jetstream.Event:
    """What both protocols, and the first one with its cursor, say of it: the same."""
    forms = (said, {**said, "cursor": 77}, second_form(77, said))
    first, *others = (jetstream.parse(orjson.dumps(form)) for form in forms)
    assert others == [first, first]
    return first


def embedded(embed: Any, text: str = "look") -> Post | None:
    return parsed(event(record={**RECORD, "text": text, "embed": embed})).post


@pytest.mark.parametrize("operation", ["create", "update"])
def test_a_post_has_its_uri_its_author_its_time_and_its_languages(operation: str) -> None:
    found = parsed(event(operation=operation))
    assert found == jetstream.Event(
        1_767_323_045_000_123,
        Post("bluesky", f"at://{DID}/app.bsky.feed.post/3kabc", DID, "Enchente", RECORD["createdAt"], ("pt-BR", "en")),  # type: ignore[arg-type]
    )
    assert found.post
    [tweet], refusals = unpack(posts.line(found.post))
    assert not refusals
    assert (tweet.tweet_id, tweet.user_id, tweet.lang, tweet.source) == (found.post.tweet_id, DID, "pt-BR", "bluesky")
    assert tweet.created_at == "2026-01-02 03:04:05.678"


def test_what_its_author_wrote_of_pictures_and_links_is_below_the_text() -> None:
    pictures = {
        "$type": "app.bsky.embed.images",
        "images": [{"alt": "River over its banks"}, {"alt": ""}, {"alt": "A boat"}],
    }
    video = {"$type": "app.bsky.embed.video", "alt": "Smoke above the ridge"}
    card = {
        "$type": "app.bsky.embed.external",
        "external": {"title": "Quake hits", "description": "It shook", "uri": "x"},
    }
    quote = {"$type": "app.bsky.embed.record", "record": {"uri": "at://x", "cid": "b"}}
    both = {"$type": "app.bsky.embed.recordWithMedia", "record": {"record": {"uri": "at://x"}}, "media": pictures}
    said = [embedded(each) for each in (pictures, video, card, quote, both)]
    assert [each and each.text for each in said] == [
        "look\nRiver over its banks\nA boat",
        "look\nSmoke above the ridge",
        "look\nQuake hits\nIt shook",
        "look",
        "look\nRiver over its banks\nA boat",
    ]
    alone = embedded(pictures, text="")
    assert alone and alone.text == "River over its banks\nA boat"
    assert embedded(None, text=" \n") is None


def test_what_is_deleted_is_told() -> None:
    gone = event(operation="delete")
    del gone["commit"]["record"]
    assert parsed(gone).deletion == Deletion(f"at://{DID}/app.bsky.feed.post/3kabc", "")
    for status in ("deleted", "takendown"):
        assert parsed(event("account", active=False, status=status)).deletion == Deletion("", DID)
    for account in ({"active": True}, {"active": False, "status": "deactivated"}, {"active": False}):
        assert parsed(event("account", **account)).deletion is None


def test_what_is_about_no_post_says_nothing_but_its_time() -> None:
    like = event(collection="app.bsky.feed.like", record={"subject": {}})
    for each in (
        like,
        event("identity", did=DID, seq=1),
        {**like, "commit": {**like["commit"], "operation": "delete"}},
    ):
        assert parsed(each) == jetstream.Event(1_767_323_045_000_123)


@pytest.mark.parametrize(
    "record",
    [
        None,
        [],
        "text",
        {},
        {"text": 5},
        {"text": "x", "embed": "y"},
        {"text": "x", "embed": {"images": [5]}},
        {"text": "x", "langs": 5},
    ],
)
def test_a_post_that_is_none_is_rubbish_of_a_known_time(record: Any) -> None:
    found = jetstream.parse(orjson.dumps(event(record=record)))
    assert found.rubbish and found.time_us and not found.post


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "did",
                        "time_us",
                        "kind",
                        "commit",
                        "account",
                        "collection",
                        "operation",
                        "rkey",
                        "record",
                        "text",
                        "$type",
                        "payload",
                        "embed",
                    ]
                ),
                inner,
                max_size=6,
            )
        ),
        max_leaves=12,
    )
)
def test_nothing_that_a_server_sends_raises(said: Any) -> None:
    jetstream.parse(json.dumps(said).encode())
    whole = event()
    for name in ("did", "time_us", "kind", "commit"):
        jetstream.parse(json.dumps({**whole, name: said}).encode())
    jetstream.parse(json.dumps(event(record=said)).encode())


@pytest.mark.parametrize("frame", [b"", b"\xff", b"{", b"[]", b"null", b'{"$type":"error","error":"ConsumerTooSlow"}'])
def test_what_is_no_event_is_rubbish(frame: bytes) -> None:
    assert jetstream.parse(frame) == jetstream.Event(0, rubbish=True)


def test_a_line_is_the_same_each_time_and_has_no_empty_fields() -> None:
    post = Post("x", "1", "2", "fire", None, ())
    assert (
        posts.line(post)
        == posts.line(post._replace())
        == b'{"tweet_id":"1","user_id":"2","text":"fire","source":"x"}\n'
    )


def test_a_text_longer_than_its_column_is_cut_and_counts_as_truncated() -> None:
    [tweet], _ = unpack(posts.line(Post("x", "1", "2", "é" * 100_000, None, ())))
    assert tweet.truncated and len(tweet.text.encode()) <= 65_535
