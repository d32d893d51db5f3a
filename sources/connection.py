"""Read an endless stream: connect again when it drops, after the delays that its server asks for.

The waits are those that X documents (docs.x.com/x-api/fundamentals/handling-disconnections); they suit the others, too.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import httpx

from chalicelib.sources.jetstream import SourceError
from chalicelib.sources.posts import Deletion, Post

NETWORK, HTTP, LIMITED = "network", "http", "limited"
LONGEST_LIMIT = 900.0
"""Seconds: X's limits are for windows of 15 minutes."""


class Rubbish(NamedTuple):
    """Something that is no post, as it came."""

    text: str


class Item(NamedTuple):
    """What a source says; None is a sign of life. `position`: from where to go on once it is safe, 0 for nowhere."""

    said: Post | Deletion | Rubbish | None
    position: int = 0


class FatalError(Exception):
    """Trying again won't mend it; the message says what may."""


class RefusedError(Exception):
    """The server wants to be asked later. `until`: seconds since the epoch, None where it doesn't say when."""

    def __init__(self, kind: str, message: str, until: float | None = None) -> None:
        super().__init__(message)
        self.kind, self.until = kind, until


def wait(kind: str, failures: int) -> float:
    """Return the seconds to wait after so many failures in a row, from 1."""
    if kind == NETWORK:
        return min(16.0, 0.25 * failures)
    if kind == HTTP:
        return min(320.0, 5.0 * 2.0 ** (failures - 1))
    return min(LONGEST_LIMIT, 60.0 * 2.0 ** (failures - 1))


def items(
    connect: Callable[[], Iterable[Item]],
    say: Callable[[str], object],
    sleep: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.time,
) -> Iterator[Item]:
    """Yield what a stream says, over as many connections as it takes.

    A connection that brought anything and then ended is made again at once. Ends where `sleep` returns something true.
    Raises FatalError.
    """
    failures: Counter[str] = Counter()
    while True:
        got, kind, until, reason = False, NETWORK, None, "the server has ended it"
        try:
            for item in connect():
                got = True
                yield item
        except RefusedError as error:
            kind, until, reason = error.kind, error.until, str(error)
        except (httpx.HTTPError, SourceError, OSError) as error:
            reason = f"{type(error).__name__}: {error}"
        if got and kind == NETWORK:
            failures.clear()
            say(f"The connection has ended ({reason}); connecting again")
            continue
        failures[kind] += 1
        seconds = wait(kind, failures[kind]) if until is None else max(1.0, until - clock())
        at = datetime.fromtimestamp(clock() + seconds, UTC)
        say(f"No connection ({reason}); the next try is in {seconds:,.2f} s, at {at:%H:%M:%S} UTC")
        if sleep(seconds):  # an event's `wait`: it is over
            return


def check(response: httpx.Response, who: str, key: str) -> None:
    """Raise for an answer that is no stream: RefusedError where later may do, FatalError where it won't."""
    status = response.status_code
    if status == 200:
        return
    response.read()
    said = " ".join(response.text.split())[:300]
    message = f"{who} answered {status}: {said}"
    if status == 429:
        raise RefusedError(LIMITED, message, reset(response.headers))
    if status in (401, 403):
        raise FatalError(f"{message}. Is the key right ({key}), and may it do this?")
    if status in (400, 404, 410, 422):
        raise FatalError(message)
    raise RefusedError(HTTP, message)


def reset(headers: Mapping[str, str]) -> float | None:
    """Return when a rate limit ends, in seconds since the epoch: X says seconds, Mastodon ISO 8601."""
    given = headers.get("x-rate-limit-reset") or headers.get("x-ratelimit-reset") or ""
    try:
        return float(given) if given.replace(".", "", 1).isdigit() else datetime.fromisoformat(given).timestamp()
    except ValueError:
        return None
