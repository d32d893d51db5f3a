"""Generate the network's events from their numbers: any cursor can be read again, and nothing is stored.

One event every so many microseconds since 2026. Most are posts about everyday life; crises break out, and then a part
of the posts is about them. A post may be deleted within the hour, and an account with all its posts.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from local.network import sentences

BEGIN_US = 1_767_225_600_000_000  # 2026-01-01
POSTS = 0.7  # of the events
USERS = 20_000
BLOCK = 5_000  # events in which one account posts that is deleted in the next
DELETED_WITHIN = 3_600_000_000  # microseconds
MOST_SHARE = 0.15  # of the posts at a crisis's height
LANGUAGES = ("en", "en", "en", "es", "es", "pt", "fr", "it")
ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
"""Of record keys, which are times: atproto.com/specs/tid"""


class Crisis(NamedTuple):
    """Where, what, and from when to when, in microseconds since 1970."""

    kind: str
    lang: str
    place: str
    start: int
    end: int

    def share(self, time_us: int) -> float:
        """Return the share of the posts that are about it: it leaps up, and dies down slowly."""
        if not self.start <= time_us < self.end:
            return 0.0
        past = (time_us - self.start) / (self.end - self.start)
        return MOST_SHARE * min(1.0, past * 8) * (1 - past)


class _Chance:
    """Numbers that follow from a text."""

    def __init__(self, *of: object) -> None:
        self._bytes = hashlib.blake2b(repr(of).encode()).digest()
        self._at = 0

    def below(self, most: int) -> int:
        self._at += 4
        return int.from_bytes(self._bytes[self._at - 4 : self._at], "big") % most

    def share(self) -> float:
        return self.below(1_000_000) / 1_000_000

    def of(self, some: tuple[str, ...]) -> str:
        return some[self.below(len(some))]


@dataclass(frozen=True)
class Generated:
    """`rate`: posts a second; the other events come on top. The same `seed` always tells the same.

    `crises_every`: seconds in which there may be one crisis.
    """

    rate: float = 40.0
    seed: int = 1
    crises_every: int = 300

    @property
    def step(self) -> int:
        """Return microseconds from an event to the next."""
        return round(1e6 * POSTS / self.rate)

    def time_us(self, number: int) -> int:
        return BEGIN_US + number * self.step

    def first(self, time_us: int) -> int:
        """Return the number of the first event at this time or later."""
        return max(0, -((BEGIN_US - time_us) // self.step))

    def event(self, number: int) -> dict[str, Any] | None:
        """Return the event as `/subscribe` sends it, None where there is none."""
        time_us, chance = self.time_us(number), _Chance(self.seed, number)
        what = chance.below(100)
        if what < 100 * POSTS:
            return self._commit(number, "create", self._post(number, chance))
        if what < 80:
            return self._deletion(number, chance)
        if what < 83:
            return self._marker(number, "identity", {})
        if what < 86:
            status = {"active": True} if what < 85 else {"active": False, "status": "deactivated"}
            return self._marker(number, "account", status)
        if what < 87 and number > BLOCK and self.leaver(number - BLOCK):
            did = self._leaving(number // BLOCK - 1)
            return self._marker(number, "account", {"active": False, "status": "deleted"}, did)
        like = {
            "$type": "app.bsky.feed.like",
            "createdAt": _iso(time_us),
            "subject": {"uri": self.uri(max(0, number - 9))},
        }
        return self._commit(number, "create", like, "app.bsky.feed.like")

    def is_post(self, number: int) -> bool:
        return _Chance(self.seed, number).below(100) < 100 * POSTS

    def leaver(self, number: int) -> bool:
        """Return whether the post is by an account that is deleted later."""
        return _Chance(self.seed, number, "author").below(50) == 0

    def did(self, number: int) -> str:
        """Return the account that does what an event tells."""
        if self.leaver(number):
            return self._leaving(number // BLOCK)
        return self._user(_Chance(self.seed, number, "user").below(USERS))

    def uri(self, number: int) -> str:
        return f"at://{self.did(number)}/app.bsky.feed.post/{self._rkey(number)}"

    def crisis(self, time_us: int) -> Crisis | None:
        """Return the crisis in the window of a time, if there is one."""
        length = self.crises_every * 1_000_000
        return _crisis(self.seed, length, time_us // length)

    def _post(self, number: int, chance: _Chance) -> dict[str, Any]:
        time_us = self.time_us(number)
        text, lang, picture = self._text(time_us, chance)
        record: dict[str, Any] = {
            "$type": "app.bsky.feed.post",
            "createdAt": _iso(time_us),
            "langs": [lang],
            "text": text,
        }
        if picture:
            record["embed"] = {"$type": "app.bsky.embed.images", "images": [{"alt": picture}]}
        return record

    def _text(self, time_us: int, chance: _Chance) -> tuple[str, str, str]:
        """Return a text, its language, and what its picture shows, if it has one."""
        crisis = self.crisis(time_us)
        if crisis and chance.share() < crisis.share(time_us):
            lang = crisis.lang if chance.below(4) else "en"
            text = chance.of(sentences.CRISES[crisis.kind][lang]) + (sentences.DETAIL if chance.below(4) else "")
            picture = sentences.ALTS[lang] if not chance.below(5) else ""
            return _filled(text, lang, chance, crisis.place), lang, _filled(picture, lang, chance, crisis.place)
        lang = chance.of(LANGUAGES)
        some = sentences.METAPHORS if chance.below(50) == 0 else sentences.EVERYDAY
        return _filled(chance.of(some[lang]), lang, chance, ""), lang, ""

    def _deletion(self, number: int, chance: _Chance) -> dict[str, Any] | None:
        """Return the deletion of a post of the last hour."""
        post = number - 1 - chance.below(DELETED_WITHIN // self.step)
        while post >= 0 and not self.is_post(post):
            post -= 1
        if post < 0:
            return None
        return self._commit(number, "delete", None, did=self.did(post), rkey=self._rkey(post))

    def _commit(
        self,
        number: int,
        operation: str,
        record: dict[str, Any] | None,
        collection: str = "app.bsky.feed.post",
        *,
        did: str = "",
        rkey: str = "",
    ) -> dict[str, Any]:
        key = rkey or self._rkey(number)
        commit: dict[str, Any] = {
            "rev": self._rkey(number),
            "operation": operation,
            "collection": collection,
            "rkey": key,
        }
        if record is not None:
            commit |= {"record": record, "cid": f"bafyrei{hashlib.blake2b(key.encode(), digest_size=16).hexdigest()}"}
        return {"did": did or self.did(number), "time_us": self.time_us(number), "kind": "commit", "commit": commit}

    def _marker(self, number: int, kind: str, says: dict[str, Any], did: str = "") -> dict[str, Any]:
        time_us, who = self.time_us(number), did or self.did(number)
        told = {"did": who, "seq": number, "time": _iso(time_us), **says}
        return {"did": who, "time_us": time_us, "kind": kind, kind: told}

    def _user(self, user: int) -> str:
        digest = hashlib.blake2b(f"{self.seed} {user}".encode(), digest_size=15).digest()
        return f"did:plc:{_base32(int.from_bytes(digest, 'big'), 24)}"

    def _leaving(self, block: int) -> str:
        return self._user(USERS + block)

    def _rkey(self, number: int) -> str:
        return _base32(self.time_us(number) << 10, 13)


@lru_cache(64)
def _crisis(seed: int, length: int, window: int) -> Crisis | None:
    chance = _Chance(seed, window, "crisis")
    if chance.below(10) >= 7:
        return None
    lang, kind = chance.of(tuple(sentences.PLACES)), chance.of(tuple(sentences.CRISES))
    start = window * length + chance.below(60) * 1_000_000
    return Crisis(kind, lang, chance.of(sentences.PLACES[lang]), start, (window + 1) * length)


def _filled(text: str, lang: str, chance: _Chance, place: str) -> str:
    if "{" not in text:
        return text
    slots = {name: chance.of(some) for name, some in sentences.SLOTS[lang].items()}
    return text.format(place=place or chance.of(sentences.PLACES[lang]), **slots)


def _base32(number: int, digits: int) -> str:
    return "".join(ALPHABET[(number >> 5 * place) & 31] for place in reversed(range(digits)))


def _iso(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1e6, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
