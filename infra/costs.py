"""Estimate the costs of a day, and those of the proof of concept's design: `python -m infra costs`.

How often the warehouse wakes is simulated (infra/day.py). Prices are AWS's public list prices of us-east-1, without
free tiers. Sizes and times are in ASSUMED, to be changed where others are measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

from infra import day
from infra.day import Simulated

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
    "gb_second": Price(0.0000133334, "GB-second of Lambda, Arm", "aws.amazon.com/lambda/pricing"),
    "request": Price(0.20 / MILLION, "request of Lambda", "aws.amazon.com/lambda/pricing"),
    "put": Price(0.005 / 1000, "PUT or LIST request of S3", "aws.amazon.com/s3/pricing"),
    "s3": Price(0.023, "GB-month of S3 Standard", "aws.amazon.com/s3/pricing"),
    "get": Price(0.0004 / 1000, "GET request of S3", "aws.amazon.com/s3/pricing"),
    "managed": Price(0.024, "GB-month of Redshift's managed storage", "aws.amazon.com/redshift/pricing"),
    "log": Price(0.50, "GB of logs taken in by CloudWatch", "aws.amazon.com/cloudwatch/pricing"),
    "dashboard": Price(3.00, "dashboard of CloudWatch a month", "aws.amazon.com/cloudwatch/pricing"),
    "address": Price(0.005, "hour of a public IPv4 address", "aws.amazon.com/vpc/pricing"),
    "stream_hour": Price(
        0.04, "hour of an on-demand Kinesis data stream", "aws.amazon.com/kinesis/data-streams/pricing"
    ),
    "stream_in": Price(0.08, "GB into such a stream", "aws.amazon.com/kinesis/data-streams/pricing"),
    "stream_out": Price(0.04, "GB out of it", "aws.amazon.com/kinesis/data-streams/pricing"),
    "rpu_hour": Price(0.375, "RPU-hour of Redshift Serverless, at least 60 s", "aws.amazon.com/redshift/pricing"),
    "node_hour": Price(0.543, "hour of an ra3.large node of Redshift", "aws.amazon.com/redshift/pricing"),
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
SCHEDULE = 900  # seconds between two runs of the reconciler, in the default before
ERASE = 3600  # seconds between two passes of erasing
COLLECT = 60  # seconds between two runs of the collector
BASE_RPU = 4
FORMER_RPU = 8
LEAST_BILLED = 60  # seconds, each time the warehouse wakes
METRICS = 59  # of the transform (a tweet's kinds among them), the collector, the reconciler, erasing and the admin API
IDLE_METRICS = 15  # of the reconciler and of erasing, which measure though nothing comes
ALARMS = 24
ADDRESSES = 3  # of a public workgroup: one a subnet is assumed, AWS doesn't say


@dataclass(frozen=True)
class Assumed:
    """Figures of a tweet and of the functions, from the labelled tweets of the proof of concept, and its screenshot."""

    characters: int = 100  # of a tweet's text
    record_bytes: int = 300  # of its JSON
    file_bytes: int = 250  # of its row in tweets/, compressed
    source_bytes: int = 150  # of itself in source/, compressed, for 90 days
    row_bytes: int = 400  # of its row in the warehouse, compressed
    transform_ms: float = 0.5  # of the transform, a tweet, at 1,769 MB (one virtual CPU)
    start_ms: float = 150.0  # of the transform, an invocation: a PUT to S3 and the like
    look_seconds: float = 0.2  # of the reconciler, at 512 MB: two GETs and a LIST
    page_seconds: float = 0.1  # of a LIST request
    idle_seconds: float = 0.2  # of a collector that is off, and of a pass of erasing that has nothing to do
    log_bytes: int = 400  # of an invocation that says nothing: Lambda's own lines
    batch_bytes: int = 2000  # of a batch of the transform
    run_bytes: int = 2000  # of a run of the reconciler
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
    """Write a number without an exponent: 0.0000166667."""
    return f"{number:.10f}".rstrip("0").rstrip(".")


def gigabytes(records: float) -> float:
    """Return what Direct PUT bills for so many records of up to 5 KB; a GB has 1,048,576 KB, as in AWS's own
    examples.
    """
    return records * 5 / 1_048_576


def ingestion(tweets: int, a_record: int) -> Line:
    billed = gigabytes(tweets / a_record)
    packed = f"{tweets:,} tweets / {a_record} a record" if a_record > 1 else f"{tweets:,} records"
    return Line("Firehose", f"{packed} x 5 KB = {billed:.2f} GB x {usd('firehose')}", billed * usd("firehose"))


def transform(of: Simulated) -> Line:
    """Price one invocation a file."""
    seconds = (of.tweets * ASSUMED.transform_ms + of.files * ASSUMED.start_ms) / 1000
    used = seconds * 1769 / 1024
    how = f"{seconds:,.0f} s x 1.73 GB x {plain(usd('gb_second'))} + {of.files:,} requests"
    return Line("Lambda, transform", how, used * usd("gb_second") + of.files * usd("request"))


def loader(of: Simulated) -> Line:
    """Price a look a minute, and the runs."""
    seconds = of.looks * ASSUMED.look_seconds + of.lists * ASSUMED.page_seconds + of.billed_seconds * bool(of.runs)
    calls = DAY / COLLECT
    how = f"{of.looks:,} looks, {of.runs} runs: {seconds:,.0f} s x 0.5 GB x {plain(usd('gb_second'))}"
    return Line("Lambda, reconciler", how, seconds * 0.5 * usd("gb_second") + calls * usd("request"))


def others() -> Line:
    """Price the collector, which is off, and erasing, which has nothing to do: they cost no more than their calls."""
    calls = DAY / COLLECT + DAY / ERASE
    seconds = calls * ASSUMED.idle_seconds
    how = f"{calls:,.0f} calls x {ASSUMED.idle_seconds} s x 0.5 GB x {plain(usd('gb_second'))}"
    return Line("Lambda, collector (off) and erasing", how, seconds * 0.5 * usd("gb_second") + calls * usd("request"))


def collector() -> Line:
    """Price a run a minute, which writes its cursor three times. What it reads from Bluesky comes in for nothing."""
    runs = DAY / COLLECT
    used = runs * ASSUMED.collect_seconds * 0.5
    puts = 3 * runs
    how = f"{runs:,.0f} runs x {ASSUMED.collect_seconds:.0f} s x 0.5 GB x {plain(usd('gb_second'))} + {puts:,.0f} PUTs"
    return Line("Lambda, collector (Bluesky)", how, used * usd("gb_second") + runs * usd("request") + puts * usd("put"))


def warehouse(of: Simulated) -> Line:
    """Price the warehouse; what analysts ask comes on top."""
    hours = of.billed_seconds / 3600
    how = f"{of.wakes} wakes, {of.billed_seconds / 60:,.0f} min = {hours:.2f} h x {BASE_RPU} RPU x {usd('rpu_hour')}"
    return Line("Redshift Serverless", how, hours * BASE_RPU * usd("rpu_hour"))


def requests(of: Simulated) -> Line:
    """Price PUTs (tweet files, source backup, files for COPY, lock, reports and ledger), LISTs and GETs."""
    delivered = 0 if not of.tweets else DAY // BUFFER
    puts = of.files + delivered + of.runs * 20 + of.reports * 3
    puts += 2 * delivered if of.delivery == "firehose" else 0
    gets = 2 * of.looks + of.files
    how = f"{puts:,} PUTs + {of.lists:,} LISTs x {plain(usd('put'))} + {gets:,} GETs"
    return Line("S3, requests", how, (puts + of.lists) * usd("put") + gets * usd("get"))


def logs(of: Simulated) -> Line:
    calls = of.looks + of.files + of.runs + DAY / COLLECT + DAY / ERASE
    said = calls * ASSUMED.log_bytes + of.files * ASSUMED.batch_bytes + (of.runs + of.reports) * ASSUMED.run_bytes
    return Line("CloudWatch, logs", f"{said / 1e9:.3f} GB x {usd('log'):.2f}", said / 1e9 * usd("log"))


def storage(of: Simulated, days: int = 30) -> Line:
    """Price the storage of one day when so many days of tweets have gathered. Tweet files and rows stay, the source
    backup goes after 90 days; a retention (`RowDays`) ends the growth.
    """
    files = of.tweets * days * ASSUMED.file_bytes / 1e9
    source = of.tweets * min(days, 90) * ASSUMED.source_bytes / 1e9
    rows = of.tweets * days * ASSUMED.row_bytes / 1e9
    twice = of.tweets * min(days, 30) * ASSUMED.file_bytes / 1e9 if of.delivery == "firehose" else 0.0
    cost = ((files + source + twice) * usd("s3") + rows * usd("managed")) / 30
    how = f"({files + source + twice:,.1f} GB x {usd('s3')} + {rows:,.1f} GB x {usd('managed')}) / 30"
    return Line(f"Storage, after {days} days", how, cost)


def watching(of: Simulated) -> Line:
    """Custom metrics are billed for the hours in which they are measured."""
    metrics, secrets = METRICS if of.tweets else IDLE_METRICS, 2 if of.delivery == "firehose" else 1
    monthly = metrics * usd("metric") + ALARMS * usd("alarm") + secrets * usd("secret") + usd("key") + usd("dashboard")
    how = f"({metrics} metrics, {ALARMS} alarms, {secrets} secrets, a key, a dashboard: {monthly:.2f} a month) / 30"
    return Line("Metrics, alarms, secrets, key", how, monthly / 30)


def addresses() -> Line:
    how = f"{ADDRESSES} x 24 h x {usd('address')}"
    return Line("Public IPv4 addresses", how, ADDRESSES * 24 * usd("address"))


def kinesis(tweets: int) -> Line:
    """Price `Source: Kinesis`: each tweet is a record, which is billed by its bytes and read once."""
    size = tweets * ASSUMED.record_bytes / 1e9
    how = f"24 h x {usd('stream_hour')} + {size:.2f} GB x ({usd('stream_in')} + {usd('stream_out')})"
    return Line("Kinesis data stream", how, 24 * usd("stream_hour") + size * (usd("stream_in") + usd("stream_out")))


def former() -> Line:
    """Price the former default, at any number of tweets: a delivery every 300 s, a reconciliation every 900 s, 8 RPU.
    An upper bound, as if none of them ever found the warehouse awake.
    """
    wakes = DAY // BUFFER + DAY // SCHEDULE
    hours = wakes * LEAST_BILLED / 3600
    how = f"{wakes} wakes x 60 s = {hours:.1f} h x {FORMER_RPU} RPU x {usd('rpu_hour')}"
    return Line("Redshift Serverless", how, hours * FORMER_RPU * usd("rpu_hour"))


def comprehend(tweets: int) -> Line:
    """Price inference units for the average; a peak needs more or is throttled."""
    units = max(1, math.ceil(tweets * ASSUMED.characters / DAY / 100))
    how = f"{units} units (100 characters/s each) x {DAY:,} s x {usd('unit_second')}"
    return Line("Comprehend", how, units * DAY * usd("unit_second"))


def waiting(tweets: int) -> Line:
    """Price the proof of concept's transform, which asks Comprehend for a tweet at a time; 128 MB."""
    seconds = tweets * ASSUMED.comprehend_ms / 1000
    how = f"{seconds:,.0f} s x 0.125 GB x {plain(usd('gb_second'))}"
    return Line("Lambda, transform", how, seconds * 0.125 * usd("gb_second"))


def cluster() -> Line:
    """Price the proof of concept's cluster. Its dc2.large can't be bought any more; this is the smallest node that
    can.
    """
    return Line("Redshift, 1 ra3.large", f"24 h x {usd('node_hour')}", 24 * usd("node_hour"))


@cache
def simulated(rate: float, delivery: str = "reconcile") -> Simulated:
    """Simulate a day, once a process."""
    return day.simulate(rate, delivery)


def ours(of: Simulated) -> list[Line]:
    """Price a day of tweets that were sent with `producer.py --pack`."""
    packed = 5 * 1024 // ASSUMED.record_bytes
    lines = [ingestion(of.tweets, packed), transform(of), loader(of), others(), warehouse(of), requests(of), logs(of)]
    return [*lines, storage(of), watching(of), *([addresses()] if of.delivery == "firehose" else [])]


def original(tweets: int) -> list[Line]:
    kept = simulated(tweets / DAY)
    return [ingestion(tweets, 1), waiting(tweets), comprehend(tweets), cluster(), storage(kept)]


def total(lines: list[Line]) -> float:
    return sum(line.usd for line in lines)


RATES = (0, 1, 100, 10_000)  # tweets a second
A_MILLION = MILLION / DAY


def table() -> str:
    """Return the tables as Markdown, for docs/operations.md."""
    written = [f"An estimate, USD a day; {AS_OF}.", ""]
    written += days()
    for title, lines in (
        ("A stage that nobody sends anything to", ours(simulated(0))),
        ("A million tweets a day", ours(simulated(A_MILLION))),
        ("The proof of concept's design, a million tweets a day", original(MILLION)),
    ):
        written += ["", f"| {title} | arithmetic | USD a day |", "|---|---|---:|"]
        written += [f"| {line.what} | {line.arithmetic} | {line.usd:.2f} |" for line in lines]
        written += [f"| **in all** | | **{total(lines):.2f}** |"]
    written += ["", "| where you want it | arithmetic | USD a day |", "|---|---|---:|"]
    for what, line in (
        ("Bluesky, collected", collector()),
        ("a Kinesis data stream in front, a million tweets a day", kinesis(MILLION)),
        ("Firehose runs the COPY: its addresses", addresses()),
    ):
        written += [f"| {what} | {line.arithmetic} | {line.usd:.2f} |"]
    written += ["", "| a million tweets a day, storage | USD a day |", "|---|---:|"]
    written += [f"| after {each} days | {storage(simulated(A_MILLION), each).usd:.2f} |" for each in (30, 365, 1095)]
    written += ["", "| price | USD | source |", "|---|---:|---|"]
    written += [f"| {each.unit} | {plain(each.usd)} | {each.page} |" for each in PRICES.values()]
    return "\n".join(written)


def days() -> list[str]:
    """Return the simulated days, for each delivery, beside the default before."""
    written = [
        "| tweets a second | delivery | wakes | billed, min | warehouse, USD | all, USD | slowest, s | surge, s |"
    ]
    written += ["|---:|---|---:|---:|---:|---:|---:|---:|"]
    for rate in RATES:
        for delivery in ("reconcile", "firehose"):
            of = simulated(rate, delivery)
            numbers = f"{of.wakes} | {of.billed_seconds / 60:,.0f} | {warehouse(of).usd:.2f} | {total(ours(of)):,.2f}"
            waits = " | ".join("-" if each is None else f"{each:,.0f}" for each in (of.slowest, of.surge))
            written.append(f"| {rate:,} | {delivery} | {numbers} | {waits} |")
    line = former()
    return [*written, f"| any | the default before | 384 | 384 | {line.usd:.2f} | | | |"]
