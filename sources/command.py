"""Send posts into the stream as they are written, until Ctrl-C, or until a number of posts was read.

    producer.py --source bluesky --stream disaster-tweets-dev
    producer.py --source x --stream disaster-tweets-dev --rules rules.json --cap 1000
    producer.py --source mastodon --stream disaster-tweets-dev --server https://mastodon.social

What its author deletes is written under `erasures/requests/` of the stage's bucket, as far as the source tells. The key
of X is in X_BEARER_TOKEN, that of a Mastodon server in MASTODON_TOKEN, or in a secret of Secrets Manager.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chalicelib.settings import Settings, SettingsError
from chalicelib.sources import choice
from chalicelib.sources.posts import Deletion, Post, line, packed
from sources import bluesky, connection, mastodon, x
from sources.connection import FatalError, Item, Rubbish

FLUSH_SECONDS = 1.0  # that a post waits for others to fill its record
FLUSH_LINES = 2_000
WAITING = 10_000  # items that are read ahead while the stream is slow
TELL_EVERY = 10.0  # seconds
KEYS = {"x": "X_BEARER_TOKEN", "mastodon": "MASTODON_TOKEN"}

Erase = Callable[[Sequence[str], Sequence[str]], object]
Put = Callable[[Sequence[bytes]], object]


@dataclass
class Totals:
    """What was done."""

    read: int = 0  # posts
    forwarded: int = 0
    deletions: int = 0
    rubbish: int = 0

    def __str__(self) -> str:
        skipped = self.read - self.forwarded
        return (
            f"{self.read:,} posts read, {self.forwarded:,} forwarded, {skipped:,} skipped, "
            f"{self.deletions:,} deletions, {self.rubbish:,} of rubbish"
        )


@dataclass
class Batch:
    """What was read and is not yet safe."""

    lines: list[bytes] = field(default_factory=list)
    tweet_ids: list[str] = field(default_factory=list)
    user_ids: list[str] = field(default_factory=list)
    position: int = 0
    began: float = 0.0  # of time.monotonic(), 0 while there is nothing


def forward(
    items: Iterator[Item],
    forwards: choice.Choice,
    put: Put,
    erase: Erase,
    keep: Callable[[int], object],
    totals: Totals,
    *,
    cap: int | None = None,
    say: Callable[[str], object] = lambda _: None,
    stop: threading.Event | None = None,
) -> None:
    """Put the posts that are to be forwarded, hand deletions on, then keep the position, again and again.

    Ends after `cap` posts, with the items, or once `stop` is set; what was read is safe by then. Raises what `items`,
    `put` and `erase` raise.
    """
    batch = Batch()
    told = time.monotonic()

    def flush() -> None:
        nonlocal batch
        read, batch = batch, Batch()  # what fails is not tried once more at the end
        if read.lines:
            put(read.lines)
        if read.tweet_ids or read.user_ids:
            erase(read.tweet_ids, read.user_ids)
        if read.position:
            keep(read.position)

    try:
        for item in _ahead(items, stop or threading.Event()):
            if item is not None:
                _take(item, forwards, totals, batch)
            if cap is not None and totals.read >= cap:
                break
            due = batch.began and time.monotonic() - batch.began >= FLUSH_SECONDS
            if due or len(batch.lines) >= FLUSH_LINES:
                flush()
            if time.monotonic() - told >= TELL_EVERY:
                told = time.monotonic()
                say(str(totals))
    finally:
        flush()


def _take(item: Item, forwards: choice.Choice, totals: Totals, batch: Batch) -> None:
    said = item.said
    batch.position = max(batch.position, item.position)
    batch.began = batch.began or time.monotonic()
    if isinstance(said, Post):
        totals.read += 1
        if forwards(said):
            totals.forwarded += 1
            batch.lines.append(line(said))
    elif isinstance(said, Deletion):
        totals.deletions += 1
        batch.tweet_ids += [said.tweet_id] if said.tweet_id else []
        batch.user_ids += [said.user_id] if said.user_id else []
    elif isinstance(said, Rubbish):
        totals.rubbish += 1


def _ahead(items: Iterator[Item], stop: threading.Event) -> Iterator[Item | None]:
    """Yield the items, read by a thread of its own; None where none has come for a while."""
    waiting: queue.Queue[Item | BaseException | None] = queue.Queue(WAITING)
    ended = threading.Event()

    def read() -> None:
        end: BaseException | None = None
        try:
            for item in items:
                while not ended.is_set():
                    try:
                        waiting.put(item, timeout=0.5)
                        break
                    except queue.Full:
                        continue
                if ended.is_set():
                    return
        except BaseException as error:  # whoever waits for items must hear of it
            end = error
        waiting.put(end)

    threading.Thread(target=read, name="source", daemon=True).start()
    try:
        while not stop.is_set():
            try:
                item = waiting.get(timeout=FLUSH_SECONDS / 4)
            except queue.Empty:
                yield None
                continue
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        ended.set()


# ------------------------------------------------------------------ the command


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="producer.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", required=True, choices=["bluesky", "x", "mastodon"])
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--stream", help="the Firehose stream to send to")
    target.add_argument("--kinesis-stream", help="the Kinesis data stream to send to")
    parser.add_argument("--stage", help="whose bucket deletions are written into (what the stream's name ends with)")
    parser.add_argument("--forward", help="everything, lexicon, or languages: en,es (lexicon; of x: everything)")
    parser.add_argument("--cap", type=int, help="end after so many posts were read; x demands it")
    parser.add_argument(
        "--token-secret", metavar="NAME", help="of the secret that holds the key, instead of the environment"
    )
    parser.add_argument("--unsent", type=Path, help="where to keep what could not be sent (unsent-<time>.ndjson)")
    of_x = parser.add_argument_group("x")
    of_x.add_argument("--rules", type=Path, help='a JSON list of {"value", "tag"}; X\'s rules are made the same')
    of_x.add_argument("--backfill-minutes", type=int, default=0, choices=range(6), help="with Enterprise access (0)")
    of_x.add_argument("--api", default=x.API, help=f"the API's address ({x.API})")
    of_mastodon = parser.add_argument_group("mastodon")
    of_mastodon.add_argument("--server", help="the server's address: https://mastodon.social")
    of_mastodon.add_argument("--timeline", default="public", choices=mastodon.TIMELINES, help="(public)")
    of_bluesky = parser.add_argument_group("bluesky")
    of_bluesky.add_argument(
        "--jetstream", default=Settings.jetstream, help=f"the server's address ({Settings.jetstream})"
    )
    of_bluesky.add_argument("--state", type=Path, default=Path("bluesky.cursor"), help="where the cursor is kept")
    arguments = parser.parse_args(argv)
    if arguments.cap is not None and arguments.cap <= 0:
        parser.error("--cap is a number of posts above 0")
    if arguments.source == "x" and not (arguments.rules and arguments.cap):
        parser.error("--source x needs --rules FILE and --cap POSTS: X bills each post that is read")
    if arguments.source == "mastodon" and not (arguments.server or "").startswith(("https://", "http://")):
        parser.error("--source mastodon needs --server https://…")
    named = re.fullmatch(r"disaster-tweets-(\w+)", arguments.stream or arguments.kinesis_stream)
    arguments.stage = arguments.stage or (named and named[1])
    if not arguments.stage:
        parser.error("the stream's name names no stage: --stage says in whose bucket deletions are written down")
    return arguments


def key(source: str, secret: str | None) -> str:
    """Return the source's key: from Secrets Manager, as it is or under `token` in JSON; else from the environment.

    Raises what boto3 raises.
    """
    if not secret:
        return os.environ.get(KEYS[source], "")
    import boto3

    value: str = boto3.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
    try:
        found = json.loads(value)
    except ValueError:
        return value
    return str(found["token"]) if isinstance(found, dict) and "token" in found else value


def source_of(arguments: argparse.Namespace, say: Callable[[str], object]) -> Any:
    """Return the source, ready to be read; X's rules are synchronised, and its price is said. Raises FatalError."""
    if arguments.source == "bluesky":
        return bluesky.Stream(arguments.jetstream, arguments.state, time.time, say)
    token = key(arguments.source, arguments.token_secret)
    if arguments.source == "mastodon":
        return mastodon.Stream(arguments.server, token, arguments.timeline)
    if not token:
        raise FatalError("X demands a bearer token: set X_BEARER_TOKEN, or name a secret with --token-secret")
    rules = x.read_rules(arguments.rules)
    say(x.cost(arguments.cap))
    stream = x.Stream(token, time.time, arguments.api, arguments.backfill_minutes)
    added, deleted = stream.synchronise(rules)
    say(f"{len(rules)} rules, {added} added, {deleted} taken away")
    return stream


def main(argv: Sequence[str] | None = None) -> int:
    """0: it ended by itself, or by Ctrl-C, with all sent. 1: some was not, and is in the file it names. 2: it can't."""
    from botocore.exceptions import BotoCoreError, ClientError

    import producer
    from chalicelib.erasures import requests

    arguments = parse(argv)
    os.environ["STAGE"] = arguments.stage
    stopping = threading.Event()

    def say(message: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {message}", file=sys.stderr, flush=True)

    unsent = producer.UnsentFile(arguments.unsent or Path(f"unsent-{time.strftime('%Y%m%dT%H%M%S')}.ndjson"))
    stream = producer.stream_of(arguments)

    def put(lines: Sequence[bytes]) -> None:
        records = [producer.Record(b"".join(group), len(group)) for group in packed(lines)]
        calls = list(producer.batches(records))
        while calls:
            try:
                left, _ = producer.put_with_retries(stream, calls[0], on_trouble=say)
            except BaseException as error:  # it ends here, and a post may have been paid for
                for record in (record for call in calls for record in call):
                    unsent.write(producer.Failure(record, str(error)))
                raise
            for failure in left:
                unsent.write(failure)
            del calls[0]

    def erase(tweet_ids: Sequence[str], user_ids: Sequence[str]) -> None:
        requests.put(tweet_ids, user_ids, arguments.source, datetime.now(UTC))

    totals, status = Totals(), 0
    try:
        default = choice.EVERYTHING if arguments.source == "x" else choice.LEXICON  # X's rules have chosen already
        forwards = choice.of(arguments.forward or default)
        if forwards is None:
            raise FatalError("--forward off forwards nothing")
        source = source_of(arguments, say)
        items = connection.items(source.connect, say, stopping.wait)
        keep = getattr(source, "keep", lambda _: None)
        forward(items, forwards, put, erase, keep, totals, cap=arguments.cap, say=say)
    except KeyboardInterrupt:
        say("Stopped")
    except (FatalError, SettingsError, OSError) as error:
        status = 2
        say(str(error))
    except (ClientError, BotoCoreError) as error:
        status = 2
        say(f"{error}. Check the name, region, credentials and endpoint: aws sts get-caller-identity says who you are")
    finally:
        stopping.set()
        if unsent.file:
            unsent.file.close()
    say(str(totals))
    if unsent.tweets:
        say(f"{unsent.tweets:,} posts could not be sent; they are kept in {unsent.path}")
    return status or int(bool(unsent.tweets))
