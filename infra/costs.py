"""What a million tweets cost, ours beside the proof of concept's design, with the arithmetic: `python -m infra costs`.

Prices are AWS's public list prices of us-east-1, without free tiers. Sizes and times are in ASSUMED, to be changed
where others are measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

MILLION = 1_000_000
DAY = 86_400  # seconds
AS_OF = "list prices of us-east-1 as published in 2025"


@dataclass(frozen=True)
class Price:
    usd: float
    unit: str
    page: str


PRICES = {
    "firehose": Price(0.029, "GB by Direct PUT, each record rounded up to 5 KB", "aws.amazon.com/firehose/pricing"),
    "gb_second": Price(0.0000166667, "GB-second of Lambda, x86", "aws.amazon.com/lambda/pricing"),
    "request": Price(0.20 / MILLION, "request of Lambda", "aws.amazon.com/lambda/pricing"),
    "put": Price(0.005 / 1000, "PUT or LIST request of S3", "aws.amazon.com/s3/pricing"),
    "s3": Price(0.023, "GB-month of S3 Standard", "aws.amazon.com/s3/pricing"),
    "rpu_hour": Price(0.375, "RPU-hour of Redshift Serverless, at least 60 s", "aws.amazon.com/redshift/pricing"),
    "node_hour": Price(0.25, "hour of a dc2.large node of Redshift", "aws.amazon.com/redshift/pricing"),
    "unit_second": Price(
        0.0005, "second of a Comprehend inference unit, idle or not", "aws.amazon.com/comprehend/pricing"
    ),
    "metric": Price(0.30, "custom metric of CloudWatch a month", "aws.amazon.com/cloudwatch/pricing"),
    "alarm": Price(0.10, "alarm of CloudWatch a month", "aws.amazon.com/cloudwatch/pricing"),
    "secret": Price(0.40, "secret of Secrets Manager a month", "aws.amazon.com/secrets-manager/pricing"),
    "key": Price(1.00, "key of KMS a month", "aws.amazon.com/kms/pricing"),
}

TRANSFORM_BUFFER = 60  # seconds
BUFFER = 300  # seconds, BufferSeconds of infra/stages.json
SCHEDULE = 900  # seconds between two runs of the reconciler
ERASE = 3600  # seconds between two passes of erasing
COLLECT = 60  # seconds between two runs of the collector
BASE_RPU = 8
LEAST_BILLED = 60  # seconds, each time the warehouse wakes
METRICS = 56  # of the transform (a tweet's kinds among them), the collector, the reconciler, erasing and the admin API
ALARMS = 20


@dataclass(frozen=True)
class Assumed:
    """Of a tweet and of the functions. Sources: the labelled tweets of the proof of concept, and its screenshot."""

    characters: int = 100  # of a tweet's text
    record_bytes: int = 300  # of its JSON
    stored_bytes: int = 900  # compressed: in tweets/, delivery/ and source/, and in the warehouse
    transform_ms: float = 0.5  # of the transform, a tweet, at 1,769 MB (one virtual CPU)
    start_ms: float = 150.0  # of the transform, an invocation: a PUT to S3 and the like
    reconcile_seconds: float = 10.0  # a run, at 512 MB
    erase_seconds: float = 10.0  # a pass, at 1,024 MB
    collect_seconds: float = 4.0  # a run that reads a minute of Bluesky, at 512 MB (0.29 virtual CPUs)
    comprehend_ms: float = 100.0  # a tweet, in the proof of concept: 0.07-1.0 s, one after the other


ASSUMED = Assumed()


@dataclass(frozen=True)
class Line:
    """USD a day, and how they come about."""

    what: str
    arithmetic: str
    usd: float


def usd(name: str) -> float:
    return PRICES[name].usd


def plain(number: float) -> str:
    """Without an exponent: 0.0000166667."""
    return f"{number:.10f}".rstrip("0").rstrip(".")


def gigabytes(records: float) -> float:
    """What Direct PUT bills for so many records of up to 5 KB; a GB has 1,048,576 KB, as in AWS's own examples."""
    return records * 5 / 1_048_576


def ingestion(tweets: int, a_record: int) -> Line:
    billed = gigabytes(tweets / a_record)
    packed = f"{tweets:,} tweets / {a_record} a record" if a_record > 1 else f"{tweets:,} records"
    return Line("Firehose", f"{packed} x 5 KB = {billed:.2f} GB x {usd('firehose')}", billed * usd("firehose"))


def transform(tweets: int) -> Line:
    """One invocation a minute, or one a megabyte of tweets where that is more."""
    calls = max(DAY / TRANSFORM_BUFFER, tweets * ASSUMED.record_bytes / 1_048_576)
    seconds = (tweets * ASSUMED.transform_ms + calls * ASSUMED.start_ms) / 1000
    used = seconds * 1769 / 1024
    how = f"{seconds:,.0f} s x 1.73 GB x {plain(usd('gb_second'))} + {calls:,.0f} requests"
    return Line("Lambda, transform", how, used * usd("gb_second") + calls * usd("request"))


def reconciler() -> Line:
    runs = DAY / SCHEDULE
    used = runs * ASSUMED.reconcile_seconds * 0.5
    how = f"{runs:.0f} runs x {ASSUMED.reconcile_seconds:.0f} s x 0.5 GB x {plain(usd('gb_second'))}"
    return Line("Lambda, reconciler", how, used * usd("gb_second") + runs * usd("request"))


def collector() -> Line:
    """A run a minute, which writes its cursor three times. What it reads from Bluesky comes in for nothing."""
    runs = DAY / COLLECT
    used = runs * ASSUMED.collect_seconds * 0.5
    puts = 3 * runs
    how = f"{runs:,.0f} runs x {ASSUMED.collect_seconds:.0f} s x 0.5 GB x {plain(usd('gb_second'))} + {puts:,.0f} PUTs"
    return Line("Lambda, collector (Bluesky)", how, used * usd("gb_second") + runs * usd("request") + puts * usd("put"))


def eraser() -> Line:
    passes = DAY / ERASE
    how = f"{passes:.0f} passes x {ASSUMED.erase_seconds:.0f} s x 1 GB x {plain(usd('gb_second'))}"
    return Line("Lambda, erasing", how, passes * (ASSUMED.erase_seconds * usd("gb_second") + usd("request")))


def serverless(buffer: int = BUFFER) -> Line:
    """An upper bound: as if no delivery, reconciliation and pass of erasing ever found the warehouse awake."""
    wakes = DAY / buffer + DAY / SCHEDULE + DAY / ERASE
    hours = wakes * LEAST_BILLED / 3600
    every = f"{DAY // buffer} deliveries + {DAY // SCHEDULE} reconciliations + {DAY // ERASE} passes"
    how = f"({every}) x 60 s = {hours:.1f} h x {BASE_RPU} RPU x "
    return Line("Redshift Serverless", f"{how}{usd('rpu_hour')}", hours * BASE_RPU * usd("rpu_hour"))


def storage(tweets: int) -> Line:
    kept = tweets * ASSUMED.stored_bytes / 1e9
    puts = 2 * DAY / TRANSFORM_BUFFER + 2 * DAY / BUFFER
    how = f"{kept:.2f} GB-month x {usd('s3')} + {puts:,.0f} PUTs"
    return Line("S3, for a month", how, kept * usd("s3") + puts * usd("put"))


def watching() -> Line:
    monthly = METRICS * usd("metric") + ALARMS * usd("alarm") + 2 * usd("secret") + usd("key")
    return Line("Metrics, alarms, secrets, key", f"{monthly:.2f} a month / 30", monthly / 30)


def comprehend(tweets: int) -> Line:
    """Units are for the average; a peak needs more or is throttled."""
    units = max(1, math.ceil(tweets * ASSUMED.characters / DAY / 100))
    how = f"{units} units (100 characters/s each) x {DAY:,} s x {usd('unit_second')}"
    return Line("Comprehend", how, units * DAY * usd("unit_second"))


def waiting(tweets: int) -> Line:
    """The proof of concept's transform asks Comprehend for a tweet at a time; 128 MB."""
    seconds = tweets * ASSUMED.comprehend_ms / 1000
    how = f"{seconds:,.0f} s x 0.125 GB x {plain(usd('gb_second'))}"
    return Line("Lambda, transform", how, seconds * 0.125 * usd("gb_second"))


def cluster() -> Line:
    return Line("Redshift, 1 dc2.large", f"24 h x {usd('node_hour')}", 24 * usd("node_hour"))


def ours(tweets: int, buffer: int = BUFFER) -> list[Line]:
    """A day of that many tweets, sent with `producer.py --pack`."""
    packed = 5 * 1024 // ASSUMED.record_bytes
    return [
        ingestion(tweets, packed),
        transform(tweets),
        collector(),
        reconciler(),
        eraser(),
        serverless(buffer),
        storage(tweets),
        watching(),
    ]


def original(tweets: int) -> list[Line]:
    return [ingestion(tweets, 1), waiting(tweets), comprehend(tweets), cluster(), storage(tweets)]


def per_million(lines: list[Line], tweets: int) -> float:
    return sum(line.usd for line in lines) * MILLION / tweets


def table() -> str:
    """Markdown, as docs/operations.md has it."""
    written = [f"USD per million tweets, at a million tweets a day; {AS_OF}.", ""]
    for title, lines in (("This project", ours(MILLION)), ("The proof of concept's design", original(MILLION))):
        written += [f"| {title} | arithmetic | USD |", "|---|---|---:|"]
        written += [f"| {line.what} | {line.arithmetic} | {line.usd:.2f} |" for line in lines]
        written += [f"| **in all** | | **{per_million(lines, MILLION):.2f}** |", ""]
    written += ["| tweets a day | ours, delivered every 300 s | ours, every 900 s | the proof of concept's |"]
    written += ["|---:|---:|---:|---:|"]
    for tweets in (100_000, MILLION, 10 * MILLION):
        columns = (ours(tweets), ours(tweets, 900), original(tweets))
        costs = " | ".join(f"{per_million(lines, tweets):,.2f}" for lines in columns)
        written.append(f"| {tweets:,} | {costs} |")
    written += ["", "| price | USD | source |", "|---|---:|---|"]
    written += [f"| {each.unit} | {plain(each.usd)} | {each.page} |" for each in PRICES.values()]
    return "\n".join(written)
