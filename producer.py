#!/usr/bin/env python3
"""Replays tweets from a file into a Firehose stream or a Kinesis data stream.

    python producer.py tweets.csv --stream disaster-tweets-dev --rate 50

Reads CSV (UTF-8, cp1252 or latin-9; CR, LF or CRLF), JSON Lines and X API v2 payloads; sends each tweet as a JSON line.
Credentials, region and endpoint come from the usual AWS chain: `AWS_PROFILE`, `AWS_ENDPOINT_URL` and so on.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import itertools
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

# Quotas of PutRecordBatch (docs.aws.amazon.com/firehose/latest/dev/limits.html). PutRecords takes as many, of 1 MiB
# each with the partition key, and 5 MiB in all: what suits the first suits both.
MAX_RECORDS = 500
MAX_BATCH_BYTES = 4 * 1024 * 1024
MAX_RECORD_BYTES = 1000 * 1024
BILLED_UNIT = 5 * 1024  # Direct PUT bills each record rounded up to 5 KB (aws.amazon.com/firehose/pricing)
ATTEMPTS = 10
IN_FLIGHT = 4
TICK = 0.1  # seconds: a slow stream is sent in at most ten batches a second

# ------------------------------------------------------------------ reading

FIELDS = {
    "tweet_id": ("tweet_id", "tweetid", "id", "id_str"),
    "text": ("text", "full_text", "tweet", "original_text", "content", "message"),
    "user_id": ("user_id", "userid", "author_id"),
    "created_at": ("created_at", "timestamp", "date"),
    "location": ("location", "user_location"),
    "lang": ("lang", "language"),
    "source_keyword": ("source_keyword", "keyword"),
}
"""What a record calls each field, and the CSV headers it may come from, best first."""


class InputError(Exception):
    """The file can't be read as tweets."""


def encoding_of(path: Path) -> str:
    """The first of UTF-8, cp1252 and latin-9 that can decode the whole file; the last can decode anything."""
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            with path.open(encoding=encoding, newline="") as file:
                while file.read(1 << 20):
                    pass
        except UnicodeDecodeError:
            continue
        return encoding
    return "iso8859-15"


def line_of(record: dict[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace") + b"\n"


def read_csv(path: Path) -> Iterator[bytes]:
    """A line of JSON per CSV row, without its empty fields. A row without text goes too: the transform refuses it."""
    csv.field_size_limit(1 << 30)
    with path.open(encoding=encoding_of(path), newline="") as file:  # newline="": CR, LF and CRLF all end a row
        rows = csv.reader(file)
        header = [name.strip().lower() for name in next(rows, [])]
        columns = {
            name: header.index(alias)
            for name, aliases in FIELDS.items()
            for alias in reversed(aliases)
            if alias in header
        }
        if "text" not in columns:
            raise InputError(
                f"{path} has no column for the text: call it one of {', '.join(FIELDS['text'])}. Found: {header}"
            )
        for row in rows:
            if row:
                yield line_of({name: row[at] for name, at in columns.items() if at < len(row) and row[at]})


def authors_of(payload: dict[str, Any]) -> dict[str | int, dict[str, Any]]:
    """The users beside an X API v2 payload's tweets, by id."""
    includes = payload.get("includes")
    users = includes.get("users") if isinstance(includes, dict) else None
    found = users if isinstance(users, list) else []
    return {user["id"]: user for user in found if isinstance(user, dict) and isinstance(user.get("id"), str | int)}


def split_payload(payload: Any) -> Iterator[bytes]:
    """Single tweets of an X API v2 payload (each with its author), a list of records, or one flat record."""
    if isinstance(payload, list):
        for each in payload:
            yield from split_payload(each)
    elif isinstance(payload, dict) and isinstance(payload.get("data"), list):
        authors = authors_of(payload)
        for tweet in payload["data"]:
            author_id = tweet.get("author_id") if isinstance(tweet, dict) else None
            author = authors.get(author_id) if isinstance(author_id, str | int) else None
            yield line_of({"data": tweet, **({"includes": {"users": [author]}} if author else {})})
    else:
        yield line_of(payload)


def read_json(path: Path) -> Iterator[bytes]:
    """Lines of a JSON Lines file as they stand, broken ones too; or one JSON document, split into single tweets."""
    with path.open("rb") as file:
        lines = (line.strip() for line in file)
        first = next((line for line in lines if line), b"")
        try:
            json.loads(first)
        except ValueError:
            try:
                payload = json.loads(path.read_bytes())
            except ValueError:
                payload = None
            if payload is not None:  # one document over many lines
                yield from split_payload(payload)
                return
        for line in itertools.chain([first], lines):
            if line:
                yield from split_line(line)


def split_line(line: bytes) -> Iterator[bytes]:
    try:
        payload = json.loads(line)
    except ValueError:
        payload = None
    if isinstance(payload, list) or (isinstance(payload, dict) and isinstance(payload.get("data"), list)):
        yield from split_payload(payload)
    else:
        yield line + b"\n"


def read(path: Path) -> Iterator[bytes]:
    """Tweets of a file, each one line of JSON ending in a newline. Raises InputError, OSError."""
    with path.open("rb") as file:
        start = file.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    suffix = path.suffix.lower()
    if suffix in (".json", ".jsonl", ".ndjson") or (suffix != ".csv" and start in (b"{", b"[")):
        return read_json(path)
    return read_csv(path)


# ------------------------------------------------------------------ batching


class Record(NamedTuple):
    """What one Firehose record carries: lines of JSON, and how many tweets they are."""

    data: bytes
    tweets: int = 1


def pack(lines: Iterable[bytes], limit: int = BILLED_UNIT) -> Iterator[Record]:
    """Fills records with lines up to `limit` bytes, which Direct PUT bills for anyway; a longer line goes alone."""
    data, tweets = b"", 0
    for line in lines:
        if data and len(data) + len(line) > limit:
            yield Record(data, tweets)
            data, tweets = b"", 0
        data, tweets = data + line, tweets + 1
    if data:
        yield Record(data, tweets)


def batches(records: Iterable[Record | None]) -> Iterator[list[Record]]:
    """Groups records within the quotas of one call; None asks for what there is so far."""
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
    """Records at `rate` tweets a second on average, arriving as a Poisson process does; None before each pause."""
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


PERMANENT = {
    "AccessDeniedException", "ExpiredTokenException", "InvalidSignatureException", "InvalidArgumentException",
    "ResourceNotFoundException", "UnrecognizedClientException", "ValidationException",
}  # fmt: skip


def put_with_retries(
    stream: Stream, batch: Sequence[Record], sleep: Callable[[float], None] = time.sleep, attempts: int = ATTEMPTS
) -> tuple[list[Failure], int]:
    """Sends a batch, and what failed of it again with backoff: (what could not be sent, records sent again).

    Errors that trying again won't mend (no such stream, no permission) are raised as boto3 raises them.
    """
    from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

    left, retried = [Failure(record, "") for record in batch], 0
    for attempt in range(attempts):
        if attempt:  # full jitter: aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter
            sleep(random.uniform(0, min(20.0, 0.1 * 2**attempt)))  # noqa: S311
            retried += len(left)
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
    return left, retried


def send(
    stream: Stream,
    records: Iterable[Record | None],
    on_progress: Callable[[int], object] = lambda _: None,
    on_unsent: Callable[[Failure], object] = lambda _: None,
    summary: Summary | None = None,
) -> Summary:
    """Sends all records, a few batches at a time. `on_progress` gets tweets settled, `on_unsent` what was given up."""
    summary = summary or Summary()
    began = time.monotonic()

    def fitting() -> Iterator[Record | None]:
        for record in records:
            if record is None or len(record.data) <= MAX_RECORD_BYTES:
                summary.tweets += record.tweets if record else 0
                yield record
            else:
                summary.tweets += record.tweets
                give_up(Failure(record, f"over {MAX_RECORD_BYTES:,} bytes, the most a record holds"))

    def give_up(failure: Failure) -> None:
        summary.unsent[failure.reason] += failure.record.tweets
        on_unsent(failure)
        on_progress(failure.record.tweets)

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
        on_progress(sum(record.tweets for record in taken))
        for failure in failed:
            give_up(failure)

    running: dict[Future[tuple[list[Failure], int]], list[Record]] = {}
    pool = ThreadPoolExecutor(IN_FLIGHT)
    try:
        for batch in batches(fitting()):
            running[pool.submit(put_with_retries, stream, batch)] = batch
            finished = wait(running, timeout=None if len(running) == IN_FLIGHT else 0, return_when=FIRST_COMPLETED).done
            for done in finished:
                settle(running.pop(done), done)
    finally:
        pool.shutdown(wait=True)
        errors = []
        for done, batch in running.items():
            try:
                settle(batch, done)
            except Exception as error:
                errors.append(error)
        summary.seconds += time.monotonic() - began
    if errors:
        raise errors[0]
    return summary


# ------------------------------------------------------------------ the command


class UnsentFile:
    """Keeps what could not be sent, in a file that the producer can read again; made on the first such record."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: io.BufferedWriter | None = None

    def write(self, failure: Failure) -> None:
        self.file = self.file or self.path.open("wb")
        self.file.write(failure.record.data)
        self.file.flush()


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="CSV, JSON Lines, or an X API v2 payload")
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
    parser.add_argument(
        "--dry-run", action="store_true", help="read, pack and count, show the first records, send nothing"
    )
    arguments = parser.parse_args(argv)
    if not (arguments.stream or arguments.kinesis_stream or arguments.dry_run):
        parser.error("say where to send: --stream or --kinesis-stream (or --dry-run)")
    if arguments.rate < 0 or (arguments.limit is not None and arguments.limit < 0):
        parser.error("--rate and --limit can't be negative")
    return arguments


def lines_of(arguments: argparse.Namespace) -> Iterator[bytes]:
    def rounds() -> Iterator[bytes]:
        while True:
            empty = True
            for line in read(arguments.file):
                empty = False
                yield line
            if empty or not arguments.loop:
                return

    return itertools.islice(rounds(), arguments.limit)


def records_of(arguments: argparse.Namespace) -> Iterator[Record | None]:
    records = pack(lines_of(arguments)) if arguments.pack else (Record(line) for line in lines_of(arguments))
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
    if unsent.file:
        print(
            f"They are kept in {unsent.path}: send them with producer.py {unsent.path} once that is mended.",
            file=sys.stderr,
        )


def dry_run(arguments: argparse.Namespace) -> int:
    tweets = size = count = 0
    for count, record in enumerate(records_of(arguments), start=1):
        assert record is not None  # pauses come with a rate alone, and a dry run has none
        tweets, size = tweets + record.tweets, size + len(record.data)
        if count <= 3:
            print(record.data.decode(errors="replace"), end="")
    print(f"{tweets:,} tweets in {count:,} records, {size / 1e6:,.2f} MB. Nothing was sent.")
    return 0


def run(arguments: argparse.Namespace, stream: Stream) -> Summary:
    """Sends the file's tweets with a progress bar and prints a summary. Raises what `read` and boto3 raise."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    unsent = UnsentFile(arguments.unsent or Path(f"unsent-{time.strftime('%Y%m%dT%H%M%S')}.ndjson"))
    target = arguments.kinesis_stream or arguments.stream
    total = arguments.limit if arguments.loop else sum(1 for _ in lines_of(arguments))
    columns = (TextColumn("Sending tweets"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    summary = Summary()
    try:
        with Progress(*columns, console=Console(stderr=True), redirect_stdout=False, redirect_stderr=False) as progress:
            bar = progress.add_task("", total=total)
            send(stream, records_of(arguments), lambda n: progress.advance(bar, n), unsent.write, summary)
    finally:
        if unsent.file:
            unsent.file.close()
        show(summary, unsent, target)
    return summary


def main(argv: Sequence[str] | None = None) -> int:
    """0: all sent. 1: some were not, and are in the file it names. 2: it could not go on. 130: Ctrl-C."""
    from botocore.exceptions import BotoCoreError, ClientError

    arguments = parse(argv)
    try:
        if arguments.dry_run:
            return dry_run(arguments)
        return 0 if run(arguments, stream_of(arguments)).complete else 1
    except KeyboardInterrupt:
        return 130
    except (InputError, OSError) as error:
        print(f"Can't read {arguments.file}: {error}", file=sys.stderr)
    except (ClientError, BotoCoreError) as error:
        print(
            f"{error}\nCheck the name, region, credentials and endpoint: aws sts get-caller-identity says who you are.",
            file=sys.stderr,
        )
    return 2


if __name__ == "__main__":
    raise SystemExit(main())
