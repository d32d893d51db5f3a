"""Read X's filtered stream (API v2): posts that match the rules of a file, each one billed.

docs.x.com/x-api/posts/filtered-stream
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from chalicelib.sources.posts import Post, described
from sources.connection import NETWORK, FatalError, Item, RefusedError, Rubbish, check

API = "https://api.x.com"
STREAM, RULES = "/2/tweets/search/stream", "/2/tweets/search/stream/rules"
PRICE = 0.005
"""USD a post that is read, pay per use: docs.x.com/x-api/getting-started/pricing. Your own is in your console."""
KEEP_ALIVE = 25.0
"""Seconds without a byte after which the connection counts as dead: a newline comes every 20 seconds."""
MOST_BACKFILL = 5  # minutes
MOST_LINE = 1 << 20  # bytes
FIELDS = {
    "tweet.fields": "created_at,lang,author_id,note_tweet,referenced_tweets,attachments",
    "expansions": "author_id,referenced_tweets.id,attachments.media_keys",
    "user.fields": "location",
    "media.fields": "alt_text",
}


class Rule(NamedTuple):
    """What posts are to match, and a name for it, which becomes their `source_keyword`."""

    value: str
    tag: str = ""


def read_rules(file: Path) -> list[Rule]:
    """Return a file's rules: a JSON list of `{"value", "tag"}`, as the API takes it. Raises FatalError, OSError."""
    try:
        rules = [Rule(each["value"], each.get("tag", "")) for each in json.loads(file.read_text())]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FatalError(f'{file} is not a JSON list of {{"value": "…", "tag": "…"}}: {error!r}') from error
    if (
        not rules
        or not all(isinstance(text, str) for rule in rules for text in rule)
        or not all(r.value for r in rules)
    ):
        raise FatalError(f"{file} has no rules, or one without a value")
    return rules


def cost(cap: int) -> str:
    """Return what is said before the first post is read."""
    return (
        f"X bills {PRICE} USD for each post that is read (pay per use; your console has your account's price): "
        f"at most {cap:,} posts, {cap * PRICE:,.2f} USD. A few more may be on their way when it stops."
    )


@dataclass
class Stream:
    """The filtered stream of one project. `token`: an app's bearer token. `backfill`: minutes to make up for, 0-5.

    Backfill is for projects with Enterprise access.
    """

    token: str
    clock: Callable[[], float]
    api: str = API
    backfill: int = 0
    keep_alive: float = KEEP_ALIVE
    _latest: float = field(default=0.0, init=False)  # when a byte came last

    def client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.token}", "User-Agent": "disaster-tweets"}
        return httpx.Client(base_url=self.api, headers=headers, timeout=httpx.Timeout(10, read=self.keep_alive))

    def synchronise(self, wanted: Sequence[Rule]) -> tuple[int, int]:
        """Make the project's rules those of the file: how many were added, and taken away. Raises FatalError."""
        with self.client() as client:
            there = self._rules(client)
            missing = [rule for rule in dict.fromkeys(wanted) if rule not in there.values()]
            surplus = [name for name, rule in there.items() if rule not in wanted]
            if missing:
                self._change(client, {"add": [{k: v for k, v in rule._asdict().items() if v} for rule in missing]})
            if surplus:
                self._change(client, {"delete": {"ids": surplus}})
        return len(missing), len(surplus)

    def _rules(self, client: httpx.Client) -> dict[str, Rule]:
        found: dict[str, Rule] = {}
        after: dict[str, str] = {}
        while True:
            said = _answer(client.get(RULES, params=after))
            found |= {each["id"]: Rule(each["value"], each.get("tag", "")) for each in said.get("data", [])}
            following = said.get("meta", {}).get("next_token")
            if not following:
                return found
            after = {"pagination_token": following}

    def _change(self, client: httpx.Client, body: dict[str, Any]) -> None:
        said = _answer(client.post(RULES, json=body))
        if errors := said.get("errors"):
            reasons = [f"{each.get('title', '')}: {each.get('value', each.get('detail', ''))}" for each in errors]
            raise FatalError(f"X refuses rules: {'; '.join(reasons)}")

    def connect(self) -> Iterator[Item]:
        """Yield what one connection says. Raises FatalError, RefusedError, and what httpx raises."""
        parameters = {**FIELDS}
        if self.backfill and self._latest:
            missed = math.ceil((self.clock() - self._latest) / 60)
            parameters["backfill_minutes"] = str(max(1, min(self.backfill, MOST_BACKFILL, missed)))
        with self.client() as client, client.stream("GET", STREAM, params=parameters) as response:
            check(response, "X", "X_BEARER_TOKEN or --token-secret")
            for line in _lines(response):
                self._latest = self.clock()
                said = parse(line) if line.strip() else None
                if isinstance(said, Rubbish) and (notice := notice_of(line)):
                    raise RefusedError(NETWORK, notice)
                yield Item(said)


def _lines(response: httpx.Response) -> Iterator[str]:
    """Yield the lines of an answer as they come. httpx would also end one at U+2028, which posts contain."""
    rest = b""
    for data in response.iter_bytes():
        *lines, rest = (rest + data).split(b"\n")
        yield from (line.decode(errors="replace") for line in lines)
        if len(rest) > MOST_LINE:
            yield rest.decode(errors="replace")  # no post is so long: rubbish
            rest = b""


def _answer(response: httpx.Response) -> dict[str, Any]:
    if response.status_code == 201:
        response.status_code = 200
    try:
        if response.status_code == 400:  # invalid rules: the body says which
            return dict(response.json())
        check(response, "X", "X_BEARER_TOKEN or --token-secret")
        return dict(response.json())
    except (ValueError, TypeError) as error:
        raise FatalError(f"X's answer is not JSON: {response.text[:100]!r}") from error


def parse(line: str) -> Post | Rubbish:
    """Return the post of a line. Never raises: other lines, such as notices of X, count as rubbish."""
    try:
        said = json.loads(line)
        return _post(said["data"], said.get("includes") or {}, said.get("matching_rules") or [])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Rubbish(line[:300])


def notice_of(line: str) -> str:
    """Return why X says in the stream that it ends the connection, nothing where it doesn't."""
    try:
        errors = json.loads(line)["errors"]
        return "; ".join(f"{each.get('title')}: {each.get('detail', '')}" for each in errors)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ""


def _post(tweet: dict[str, Any], includes: dict[str, Any], rules: list[dict[str, Any]]) -> Post:
    tweet_id, user_id = tweet["id"], tweet["author_id"]
    text = (tweet.get("note_tweet") or {}).get("text") or tweet["text"]
    if not (isinstance(text, str) and isinstance(tweet_id, str) and isinstance(user_id, str)):
        raise TypeError("IDs and text are strings")
    quotes = {each["id"] for each in tweet.get("referenced_tweets") or () if each.get("type") == "quoted"}
    quoted = [each.get("text") for each in includes.get("tweets") or () if each.get("id") in quotes]
    pictures = [each.get("alt_text") for each in includes.get("media") or ()]
    authors = {each["id"]: each for each in includes.get("users") or ()}
    tags = sorted(each["tag"] for each in rules if each.get("tag"))
    lang = tweet.get("lang")
    return Post(
        "x",
        tweet_id,
        user_id,
        described(text, [*pictures, *quoted]),
        tweet.get("created_at"),
        (lang,) if isinstance(lang, str) else (),
        authors.get(user_id, {}).get("location"),
        tags[0] if tags else None,
    )
