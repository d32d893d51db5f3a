#!/usr/bin/env python3
"""Replay tweets from a file into a Firehose stream or a Kinesis data stream.

    python producer.py tweets.csv --stream disaster-tweets-dev --rate 50

Reads CSV with commas, semicolons or tabs, Excel's xlsx, JSON Lines and X API v2 payloads, gzipped or not, or a folder
of them (readers.py), and sends each tweet as a JSON line. A run that was stopped goes on with --resume. Credentials,
region and endpoint come from the usual AWS chain: `AWS_PROFILE`, `AWS_ENDPOINT_URL` and so on.

    python producer.py --source bluesky|x|mastodon --help

sends posts as they are written, instead of a file.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import itertools
import json
import os
import random
import shlex
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from chalicelib.columns import REPLAYED, SOURCES
from chalicelib.sources.posts import BILLED_UNIT, packed
from readers import FIELDS, InputError, encoding_of, parsed, read, split_line

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["FIELDS", "InputError", "encoding_of", "read", "split_line"]  # of readers.py, for who imports them from here

# Quotas of PutRecordBatch (docs.aws.amazon.com/firehose/latest/dev/limits.html). PutRecords takes as many, of 1 MiB
# each with the partition key, and 5 MiB in all: what suits the first suits both.
MAX_RECORDS = 500
MAX_BATCH_BYTES = 4 * 1024 * 1024
MAX_RECORD_BYTES = 1000 * 1024
ATTEMPTS = 10
IN_FLIGHT = 4
SHOWN = 500  # characters of a record that a dry run prints
TICK = 0.1  # seconds: a slow stream is sent in at most ten batches a second

# ------------------------------------------------------------------ batching


class Record(NamedTuple):
    """What one Firehose record carries: lines of JSON, and how many tweets they are."""

    data: bytes
    tweets: int = 1


def pack(lines: Iterable[bytes], limit: int = BILLED_UNIT) -> Iterator[Record]:
    """Fill records with lines up to `limit` bytes, which Direct PUT bills for anyway; a longer line goes alone."""
    return (Record(b"".join(group), len(group)) for group in packed(lines, limit))


def batches(records: Iterable[Record | None]) -> Iterator[list[Record]]:
    """Group records within the quotas of one call; None asks for what there is so far."""
    batch: list[Record] = []
    size = 0
    for record in records:
        if batch and (record is None or len(batch) == MAX_RECORDS or size + len(record.data) > MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        if record is not None:
            batch.append(record)
            size += len(record.data)
    if batch:
        yield batch


def paced(
    records: Iterable[Record],
    rate: float,
    jitter: random.Random,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Record | None]:
    """Yield records at `rate` tweets a second on average, arriving as a Poisson process does; None before each
    pause.
    """
    due = clock()
    for record in records:
        due += jitter.expovariate(rate / record.tweets)
        ahead = due - clock()
        if ahead > 0:
            yield None
            sleep(max(ahead, TICK))
        yield record


# ------------------------------------------------------------------ sending


class Failure(NamedTuple):
    """A record the stream did not take, and why."""

    record: Record
    reason: str


class Stream(Protocol):
    """Where records go: `put` returns those that failed, in order; raises what boto3 raises."""

    def put(self, records: Sequence[Record]) -> list[Failure]: ...


class Firehose:
    def __init__(self, client: Any, name: str) -> None:
        self.client, self.name = client, name

    def put(self, records: Sequence[Record]) -> list[Failure]:
        answer = self.client.put_record_batch(DeliveryStreamName=self.name, Records=[{"Data": r.data} for r in records])
        if not answer["FailedPutCount"]:
            return []
        return failures(records, answer["RequestResponses"])


class Kinesis:
    def __init__(self, client: Any, name: str) -> None:
        self.client, self.name = client, name

    def put(self, records: Sequence[Record]) -> list[Failure]:
        entries = [
            {"Data": r.data, "PartitionKey": hashlib.blake2b(r.data, digest_size=8).hexdigest()} for r in records
        ]
        answer = self.client.put_records(StreamName=self.name, Records=entries)
        return failures(records, answer["Records"]) if answer["FailedRecordCount"] else []


def failures(records: Sequence[Record], results: Sequence[dict[str, Any]]) -> list[Failure]:
    return [
        Failure(record, f"{result['ErrorCode']}: {result.get('ErrorMessage', '')}")
        for record, result in zip(records, results, strict=True)
        if result.get("ErrorCode")
    ]


@dataclass
class Summary:
    """What became of the tweets."""

    tweets: int = 0  # read
    sent: int = 0  # tweets taken by the stream
    records: int = 0  # taken by the stream
    batches: int = 0
    retried: int = 0  # records sent once more
    bytes: int = 0
    billed: int = 0  # bytes as Direct PUT bills them
    seconds: float = 0.0
    unsent: Counter[str] = field(default_factory=Counter)  # tweets, by reason

    @property
    def complete(self) -> bool:
        return not self.unsent


STOPPING = threading.Event()
"""Set while a run that was stopped ends: what is under way gets no more attempts, and its pauses are over."""

PERMANENT = {
    "AccessDeniedException", "ExpiredTokenException", "InvalidSignatureException", "InvalidArgumentException",
    "ResourceNotFoundException", "UnrecognizedClientException", "ValidationException",
}  # fmt: skip


def put_with_retries(
    stream: Stream,
    batch: Sequence[Record],
    sleep: Callable[[float], object] = STOPPING.wait,
    attempts: int = ATTEMPTS,
    *,
    on_trouble: Callable[[str], object] = lambda _: None,
) -> tuple[list[Failure], int]:
    """Send a batch, and what failed of it again with backoff: (what could not be sent, records sent again).

    `on_trouble` gets the reason whenever a call got nothing through.
    Errors that trying again won't mend (no such stream, no permission) are raised as boto3 raises them.
    """
    from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

    left, retried = [Failure(record, "") for record in batch], 0
    for attempt in range(attempts):
        if attempt:  # full jitter: aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter
            sleep(random.uniform(0, min(20.0, 0.1 * 2**attempt)))  # noqa: S311
            if STOPPING.is_set():
                break
            retried += len(left)
        tried = len(left)
        try:
            left = stream.put([failure.record for failure in left])
        except ClientError as error:
            if error.response["Error"]["Code"] in PERMANENT:
                raise
            left = [Failure(failure.record, str(error)) for failure in left]
        except BotoCoreError as error:
            if not isinstance(error, ConnectionError | HTTPClientError):
                raise
            left = [Failure(failure.record, str(error)) for failure in left]
        if not left:
            break
        if len(left) == tried:
            on_trouble(left[0].reason)
    return left, retried


class Batch(NamedTuple):
    """A batch under way, and how many tweets were read before it."""

    records: list[Record]
    start: int


def send(
    stream: Stream,
    records: Iterable[Record | None],
    on_progress: Callable[[int], object] = lambda _: None,
    on_unsent: Callable[[Failure], object] = lambda _: None,
    summary: Summary | None = None,
    *,
    on_settled: Callable[[int], object] = lambda _: None,
    on_trouble: Callable[[str], object] = lambda _: None,
) -> Summary:
    """Send all records, a few batches at a time.

    `on_progress` gets the tweets that the stream took, `on_unsent` what was given up, `on_settled` how many tweets from
    the first on are one or the other, `on_trouble` why a call got nothing through, and an empty text once one does.
    Whatever stops it, each tweet up to the last position told to `on_settled` was taken or given up.
    """
    summary = summary or Summary()
    began = time.monotonic()
    ends: deque[int] = deque()  # of each record that waits for its batch: tweets read up to its end
    submitted = 0  # tweets, from the first on, that are in batches

    def fitting() -> Iterator[Record | None]:
        for record in records:
            if record is None:
                yield None
                continue
            summary.tweets += record.tweets
            if len(record.data) <= MAX_RECORD_BYTES:
                ends.append(summary.tweets)
                yield record
            else:
                give_up(Failure(record, f"over {MAX_RECORD_BYTES:,} bytes, the most a record holds"))

    def give_up(failure: Failure) -> None:
        summary.unsent[failure.reason] += failure.record.tweets
        on_unsent(failure)

    def settle(batch: Sequence[Record], done: Future[tuple[list[Failure], int]]) -> None:
        try:
            failed, retried = done.result()
        except Exception as error:  # permanent, so it stops the run: this batch is the first that was not sent
            for record in batch:
                give_up(Failure(record, str(error)))
            raise
        taken = list((Counter(batch) - Counter(failure.record for failure in failed)).elements())
        summary.batches += 1
        summary.retried += retried
        summary.records += len(taken)
        summary.sent += sum(record.tweets for record in taken)
        summary.bytes += sum(len(record.data) for record in taken)
        summary.billed += sum(-(-len(record.data) // BILLED_UNIT) * BILLED_UNIT for record in taken)
        if taken:
            on_trouble("")
            on_progress(sum(record.tweets for record in taken))
        for failure in failed:
            give_up(failure)

    running: dict[Future[tuple[list[Failure], int]], Batch] = {}
    errors: list[Exception] = []
    pool = ThreadPoolExecutor(IN_FLIGHT)
    try:
        for batch in batches(fitting()):
            sending = pool.submit(put_with_retries, stream, batch, on_trouble=on_trouble)
            running[sending] = Batch(batch, submitted)
            submitted = [ends.popleft() for _ in batch][-1]
            finished = wait(running, timeout=None if len(running) == IN_FLIGHT else 0, return_when=FIRST_COMPLETED).done
            for done in finished:
                try:
                    settle(running[done].records, done)
                except Exception:
                    del running[done]  # it is given up
                    raise
                del running[done]  # only now: what Ctrl-C interrupts is settled once more at the end
            if finished:
                on_settled(min((each.start for each in running.values()), default=submitted))
        submitted = summary.tweets
    except BaseException:
        STOPPING.set()  # Ctrl-C means now
        raise
    finally:
        pool.shutdown(wait=True)
        STOPPING.clear()
        for done, (left, _) in running.items():
            try:
                settle(left, done)
            except Exception as error:
                errors.append(error)
        on_settled(submitted)
        summary.seconds = time.monotonic() - began
    if errors:
        raise errors[0]
    return summary


# ------------------------------------------------------------------ going on after a stop


class Part(NamedTuple):
    """So many tweets of a file, after the first `skip`."""

    file: Path
    skip: int
    tweets: int


def remaining(parts: Iterable[Part], settled: int) -> list[Part]:
    """Return what is left of the parts once so many tweets, from the first on, are settled."""
    left = []
    for part in parts:
        taken = min(settled, part.tweets)
        settled -= taken
        if taken < part.tweets:
            left.append(Part(part.file, part.skip + taken, part.tweets - taken))
    return left


class Bookmark:
    """What is left to be sent of a file to a stream, kept beside the file while and after a run that does not end."""

    def __init__(self, file: Path, target: str) -> None:
        folder = file.absolute().parent
        self.path = (folder if os.access(folder, os.W_OK) else Path.cwd()) / f"{file.absolute().name}.resume"
        self._file, self._target = file, target
        self._state = fingerprint(file)

    def parts(self) -> list[Part] | None:
        """Return what an earlier run has left, None where none has. Raises InputError if it can't be gone on with."""
        try:
            kept = json.loads(self.path.read_text())
            parts = [Part(Path(file), skip, tweets) for file, skip, tweets in kept["parts"]]
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{self.path} is damaged; delete it to start again") from error
        if kept.get("target") != self._target:
            raise InputError(f"The run that stopped sent to {kept.get('target')}; to start again delete {self.path}")
        if kept.get("file") != self._state:
            raise InputError(f"{self._file} has changed since the run that stopped; to start again delete {self.path}")
        return parts

    def keep(self, parts: Sequence[Part]) -> None:
        """Keep what is left; nothing is kept of nothing."""
        if not parts:
            self.path.unlink(missing_ok=True)
            return
        rows = [[str(part.file.absolute()), part.skip, part.tweets] for part in parts]
        new = self.path.with_name(f"{self.path.name}.new")
        new.write_text(json.dumps({"target": self._target, "file": self._state, "parts": rows}))
        new.replace(self.path)


def fingerprint(file: Path) -> str:
    """Return what differs once a file, or any in a folder, has changed."""
    files = sorted(each for each in file.rglob("*") if each.is_file()) if file.is_dir() else [file]
    known = [(str(each), each.stat().st_size, each.stat().st_mtime_ns) for each in files]
    return hashlib.sha256(repr(known).encode()).hexdigest()


# ------------------------------------------------------------------ the command


class UnsentFile:
    """Keeps what could not be sent, in a file that the producer can read again; made on the first such record.

    It never takes the place of a file that is there: `left.ndjson` becomes `left-2.ndjson`.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.tweets = path, 0
        self.file: io.BufferedWriter | None = None

    def write(self, failure: Failure) -> None:
        if self.file is None:
            stem = self.path.stem
            for number in itertools.count(2):
                try:
                    self.file = self.path.open("xb")
                    break
                except FileExistsError:
                    self.path = self.path.with_name(f"{stem}-{number}{self.path.suffix}")
        assert self.file
        self.file.write(failure.record.data if failure.record.data.endswith(b"\n") else failure.record.data + b"\n")
        self.file.flush()
        self.tweets += failure.record.tweets

    def part(self) -> list[Part]:
        """Return what it holds, as something to be sent."""
        return [Part(self.path, 0, self.tweets)] if self.tweets else []


class Outage:
    """Says when the stream takes nothing, and when it takes tweets again."""

    def __init__(self, console: Console) -> None:
        self._console, self._since = console, 0.0

    def __call__(self, reason: str) -> None:
        """`reason`: why a call got nothing through; empty: one did."""
        if reason and not self._since:
            self._since = time.monotonic()
            said = f"{time.strftime('%H:%M:%S')} The stream takes nothing, trying again: {' '.join(reason.split())}"
        elif self._since and not reason:
            said = f"{time.strftime('%H:%M:%S')} It takes tweets again, after {time.monotonic() - self._since:.0f} s"
            self._since = 0.0
        else:
            return
        self._console.print(said, markup=False, highlight=False, soft_wrap=True)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="CSV, xlsx, JSON Lines, X API v2 payload, or a folder")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--stream", help="the Firehose stream to send to")
    target.add_argument("--kinesis-stream", help="the Kinesis data stream to send to")
    parser.add_argument(
        "--rate", type=float, default=10.0, help="tweets a second on average; 0: as fast as it goes (10)"
    )
    parser.add_argument("--limit", type=int, help="stop after so many tweets")
    parser.add_argument(
        "--loop", action="store_true", help="begin again at the end; the same tweet keeps its tweet_key"
    )
    parser.add_argument(
        "--pack", action="store_true", help="several tweets a record, up to the 5 KB that are billed anyway"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the jitter between tweets (0)")
    parser.add_argument("--unsent", type=Path, help="where to keep what could not be sent (unsent-<time>.ndjson)")
    parser.add_argument("--resume", action="store_true", help="go on where the last run with this file stopped")
    parser.add_argument(
        "--text-column", default="", metavar="NAME", help="the column of the text; its number if there is no header"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="read, pack and count, show the first records, send nothing"
    )
    arguments = parser.parse_args(argv)
    if not (arguments.stream or arguments.kinesis_stream or arguments.dry_run):
        parser.error("say where to send: --stream or --kinesis-stream (or --dry-run)")
    if arguments.rate < 0 or (arguments.limit is not None and arguments.limit < 0):
        parser.error("--rate and --limit can't be negative")
    if arguments.resume and arguments.loop:
        parser.error("--loop begins again at the end: there is nothing for --resume to go on with")
    return arguments


def replayed(line: bytes) -> bytes:
    """Return a tweet's line marked as replayed; unchanged if it names its source or isn't a JSON object."""
    try:
        tweet = parsed(line)
    except (ValueError, RecursionError):
        return line
    if not isinstance(tweet, dict) or not tweet or (isinstance(given := tweet.get("source"), str) and given in SOURCES):
        return line
    return line.rstrip()[:-1] + REPLAYED + b"\n"


def lines_of(arguments: argparse.Namespace, parts: Sequence[Part] | None = None) -> Iterator[bytes]:
    """Yield the tweets to send, marked: of the parts, or of the file, again and again with --loop."""

    def rounds() -> Iterator[bytes]:
        while True:
            empty = True
            for line in read(arguments.file, arguments.text_column):
                empty = False
                yield line
            if empty or not arguments.loop:
                return

    if parts is None:
        return map(replayed, itertools.islice(rounds(), arguments.limit))
    each = (itertools.islice(read(p.file, arguments.text_column), p.skip, p.skip + p.tweets) for p in parts)
    return map(replayed, itertools.islice(itertools.chain.from_iterable(each), arguments.limit))


def records_of(arguments: argparse.Namespace, parts: Sequence[Part] | None = None) -> Iterator[Record | None]:
    lines = lines_of(arguments, parts)
    records = pack(lines) if arguments.pack else (Record(line) for line in lines)
    if not arguments.rate or arguments.dry_run:
        return records
    return paced(records, arguments.rate, random.Random(arguments.seed))  # noqa: S311


def stream_of(arguments: argparse.Namespace) -> Stream:
    import boto3
    from botocore.config import Config

    config = Config(retries={"mode": "standard", "max_attempts": 3}, max_pool_connections=IN_FLIGHT)
    if arguments.kinesis_stream:
        return Kinesis(boto3.client("kinesis", config=config), arguments.kinesis_stream)
    return Firehose(boto3.client("firehose", config=config), arguments.stream)


def show(summary: Summary, unsent: UnsentFile, target: str) -> None:
    speed = f"{summary.sent / summary.seconds:,.0f} a second" if summary.seconds else "-"
    print(
        f"{summary.sent:,} of {summary.tweets:,} tweets sent to {target} in {summary.seconds:.1f} s ({speed}):\n"
        f"{summary.records:,} records in {summary.batches:,} batches, {summary.bytes / 1e6:,.2f} MB "
        f"(billed: {summary.billed / 1e6:,.2f} MB), {summary.retried:,} sent again"
    )
    for reason, tweets in summary.unsent.most_common():
        print(f"NOT SENT: {tweets:,} tweets: {reason}", file=sys.stderr)
    if unsent.tweets:
        print(f"They are kept in {unsent.path}.", file=sys.stderr)


def printable(data: bytes) -> str:
    """Return the beginning of a record as a terminal may have it: nothing in it steers that."""
    text = data.decode(errors="replace").rstrip("\n")
    shown = "".join(c if c.isprintable() or c == "\n" else "?" for c in text[:SHOWN])
    return shown + (" ..." if len(text) > SHOWN else "")


def dry_run(arguments: argparse.Namespace) -> int:
    tweets = size = count = 0
    for count, record in enumerate(records_of(arguments), start=1):
        assert record is not None  # pauses come with a rate alone, and a dry run has none
        tweets, size = tweets + record.tweets, size + len(record.data)
        if count <= 3:
            print(printable(record.data))
    print(f"{tweets:,} tweets in {count:,} records, {size / 1e6:,.2f} MB. Nothing was sent.")
    return 0


def run(arguments: argparse.Namespace, stream: Stream, bookmark: Bookmark | None = None) -> Summary:
    """Send the file's tweets with a progress bar and print a summary. Raises what `read` and boto3 raise.

    `bookmark` keeps what is left, and with --resume says where to begin.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    unsent = UnsentFile(arguments.unsent or Path(f"unsent-{time.strftime('%Y%m%dT%H%M%S')}.ndjson"))
    parts = begin(arguments, bookmark)
    total = sum(part.tweets for part in parts) if parts is not None else arguments.limit
    columns = (TextColumn("Sending tweets"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    summary, console = Summary(), Console(stderr=True)

    def keep(settled: int) -> None:
        if bookmark and parts is not None:
            bookmark.keep(unsent.part() + remaining(parts, settled))

    keep(0)
    try:
        # A console that replaced sys.stdout would print what functions of the local AWS write to their logs.
        with Progress(*columns, console=console, redirect_stdout=False, redirect_stderr=False) as progress:
            bar = progress.add_task("", total=total)
            send(
                stream,
                records_of(arguments, parts),
                lambda n: progress.advance(bar, n),
                unsent.write,
                summary,
                on_settled=keep,
                on_trouble=Outage(console),
            )
    finally:
        if unsent.file:
            unsent.file.close()
        show(summary, unsent, arguments.kinesis_stream or arguments.stream)
    return summary


def begin(arguments: argparse.Namespace, bookmark: Bookmark | None) -> list[Part] | None:
    """Return the parts to send, None with --loop. Raises InputError where there is nothing to send."""
    if arguments.loop:
        return None
    left = bookmark.parts() if bookmark and (arguments.resume or bookmark.path.exists()) else None
    if left is not None and arguments.resume:
        return left
    if left is not None:
        print("The last run with this file stopped; --resume continues it; this run starts again.", file=sys.stderr)
    tweets = sum(1 for _ in itertools.islice(read(arguments.file, arguments.text_column), arguments.limit))
    if not tweets and arguments.limit != 0:
        raise InputError(f"{arguments.file} holds no tweets")
    return [Part(arguments.file, 0, tweets)]


def main(argv: Sequence[str] | None = None) -> int:
    """0: all sent. 1: some were not, and are in the file it names. 2: it could not go on. 130: Ctrl-C."""
    from botocore.exceptions import BotoCoreError, ClientError

    given = list(sys.argv[1:] if argv is None else argv)
    if any(word.split("=")[0] == "--source" for word in given):
        from sources import command

        return command.main(given)
    arguments = parse(argv)
    bookmark: Bookmark | None = None
    status = 2
    try:
        if arguments.dry_run:
            return dry_run(arguments)
        if not arguments.loop:
            bookmark = Bookmark(arguments.file, arguments.kinesis_stream or arguments.stream)
        status = 0 if run(arguments, stream_of(arguments), bookmark).complete else 1
    except KeyboardInterrupt:
        status = 130
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"Can't read {arguments.file}: {error.strerror or error}", file=sys.stderr)
        return 2
    except (ClientError, BotoCoreError) as error:
        print(
            f"{error}\nCheck the name, region, credentials and endpoint: aws sts get-caller-identity says who you are.",
            file=sys.stderr,
        )
    if bookmark and bookmark.path.exists():
        python = os.path.relpath(sys.executable) if Path(sys.executable).is_relative_to(Path.cwd()) else sys.executable
        again = shlex.join([python, "producer.py", *given, *([] if arguments.resume else ["--resume"])])
        print(f"To send what is left, nothing twice: {again}", file=sys.stderr)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
