"""Run `make demo`: the whole flow once, from tweets to a reconciled warehouse, with a report of every tweet."""

from __future__ import annotations

import argparse
import os
import shlex
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import requests
from rich.console import Console
from rich.table import Table
from rich.text import Text

import producer
from local.network import history
from local.server import HomeError, LocalAws, fresh
from local.terminal import complain, option, typed, working

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "data" / "sample_tweets.csv"
RATE = 500  # tweets a second: quick, and still a stream
PATIENCE = 300  # seconds without any progress before the demo gives up
POLL = 0.1  # seconds between looks into the warehouse; what is printed as latency is known no better than this


BY_KIND = """
SELECT
    disaster_label,
    COUNT(*) AS tweets,
    SUM(CASE WHEN relevance_label = 'relevant' THEN 1 ELSE 0 END) AS relevant,
    COALESCE(
        MAX(CASE WHEN place = (3 * places + 3) / 4 AND relevance_label = 'relevant' THEN cleaning_text END),
        MAX(CASE WHEN place = (3 * places + 3) / 4 THEN cleaning_text END)
    ) AS example
FROM (
    SELECT
        disaster_label,
        relevance_label,
        cleaning_text,
        ROW_NUMBER() OVER (
            PARTITION BY disaster_label, relevance_label ORDER BY relevance_score * classifier_score, tweet_key
        ) AS place,
        COUNT(*) OVER (PARTITION BY disaster_label, relevance_label) AS places
    FROM disaster.tweet
) AS tweet
GROUP BY disaster_label
ORDER BY tweets DESC
"""
"""Kinds with their tweets, and an example: of the relevant ones, if any, the upper quartile by relevance and kind.

That is a tweet which the model is sure of, as it is of a quarter of them, and not its greatest certainty of all.
"""


NEXT = """\
  {home}/overview.html    what is happening, for a browser
  make local LOCAL_HOME={home}    serves what landed: AWS on :4566, admin API on :8000; then, beside it:
  curl --header 'Accept: text/html' --output report.html http://127.0.0.1:8000/reconciliations/latest
  .venv/bin/python -m local sql --home {home} 'select * from disaster.hourly_kind'
  sql/queries/    fifteen questions an analyst would ask"""


class DemoError(Exception):
    """A step did not end as it should."""


@dataclass
class Arrivals:
    """Watches the warehouse: when was each tweet file first seen in a query's result?"""

    seen: dict[str, float] = field(default_factory=dict)  # s3_key -> seconds since the epoch
    rows: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        from chalicelib.warehouse import data_api

        while not self._stop.wait(POLL):
            files = data_api.query(
                "SELECT s3_key, COUNT(*) AS files_rows FROM disaster.disaster_tweets GROUP BY s3_key"
            )
            now = time.time()
            for file in files:
                self.seen.setdefault(file["s3_key"], now)
            self.rows = sum(file["files_rows"] for file in files)

    def __enter__(self) -> Arrivals:
        self._thread = threading.Thread(target=self.watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def latencies(self, since: float) -> list[float]:
        """Return seconds from arrival in Firehose to the first query that saw it, of each tweet that arrived since."""
        from chalicelib.warehouse import data_api

        arrivals = data_api.query("SELECT s3_key, arrived_datetime_from_kinesis AS ms FROM disaster.disaster_tweets")
        seen = [(row["ms"] / 1000, self.seen[row["s3_key"]]) for row in arrivals if row["s3_key"] in self.seen]
        return [at - arrived for arrived, at in seen if arrived >= since]


def call(admin: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    response = requests.request(method, admin + path, json=body, timeout=60)
    answer: dict[str, Any] = response.json()
    if not response.ok:
        raise DemoError(f"{method} {path} answered {response.status_code}: {answer.get('Message', answer)}")
    return answer


def job(admin: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Start a job of the admin API and wait for its end. Raises DemoError when it failed."""
    status_url = call(admin, "POST", path, body)["status_url"]
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        status = call(admin, "GET", status_url)
        if status["status"] == "failed":
            raise DemoError(f"POST {path} failed: {status.get('error')}")
        if status["status"] == "succeeded":
            return status
        time.sleep(0.2)
    raise DemoError(f"POST {path} is still running after {PATIENCE} s: {admin}{status_url}")


def keep_overview(admin: str, path: Path) -> None:
    """Write the overview that the reconciliation has made, as a page."""
    response = requests.get(f"{admin}/overview", headers={"Accept": "text/html"}, timeout=60)
    path.write_text(response.text)


def rejections(report: Mapping[str, Any]) -> dict[str, int]:
    """Refused tweets by reason, as the reconciliation counted them."""
    return {each["reason"]: each["tweets"] for each in report["rejected"]["reasons"]}


def settle(arrivals: Arrivals, aws: LocalAws, sent: int) -> None:
    """Wait until the warehouse stops growing."""
    aws.flush()
    still = time.monotonic()
    rows = -1
    while time.monotonic() - still < 3 * POLL + 0.5:
        if arrivals.rows >= sent:
            return
        if arrivals.rows != rows:
            rows, still = arrivals.rows, time.monotonic()
        time.sleep(POLL)


def by_kind(width: int) -> Table:
    """`width`: of the terminal, which the examples may fill but not exceed."""
    from chalicelib.warehouse import data_api

    kinds = data_api.query(BY_KIND)
    table = Table(title="Tweets by kind of disaster", title_justify="left")
    table.add_column("kind", no_wrap=True)
    table.add_column("tweets", justify="right", no_wrap=True)
    table.add_column("relevant", justify="right", no_wrap=True)
    table.add_column("for example", no_wrap=True)
    room = max(20, width - max((len(kind["disaster_label"]) for kind in kinds), default=0) - 27)
    for kind in kinds:
        example = Text(" ".join(kind["example"].split()))  # no markup: people write [brackets], too
        example.truncate(room, overflow="ellipsis")
        table.add_row(kind["disaster_label"], f"{kind['tweets']:,}", f"{kind['relevant']:,}", example)
    return table


def landed(sent: int, rows: int, files: int, rejected: Mapping[str, int], latencies: Sequence[float]) -> Table:
    table = Table(title="What landed", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("tweets sent", f"{sent:,}")
    table.add_row("rows in the warehouse", f"{rows:,}")
    table.add_row("tweet files in S3", f"{files:,}")
    table.add_row("rejected", f"{sum(rejected.values()):,}")
    for reason, tweets in sorted(rejected.items(), key=lambda each: -each[1]):
        table.add_row(f"  {reason}", f"{tweets:,}")
    if len(latencies) > 1:
        table.add_row("producer to queryable, median", f"{median(latencies):.1f} s")
        table.add_row("99th percentile", f"{quantiles(latencies, n=100)[98]:.1f} s")
    return table


def send(aws: LocalAws, data: Path, rate: float) -> producer.Summary:
    """Send a file of tweets; return what was sent."""
    arguments = producer.parse(["--stream", aws.stream, "--rate", str(rate), "--", str(data)])
    return producer.run(arguments, producer.stream_of(arguments))


def send_hours(console: Console, aws: LocalAws, rate: float) -> Iterator[producer.Summary]:
    """Send the sample, as if written over the last hours, and what a made-up network wrote in them, as fast as it goes.

    So there is a past against which situations show.
    """
    now = time.time()
    with tempfile.TemporaryDirectory() as folder:
        posts, sample = Path(folder, "posts.jsonl"), Path(folder, "sample.jsonl")
        history.write(posts, now)
        history.spread(sample, producer.read(SAMPLE), now)
        console.print(f"The last {history.HOURS} hours of a made-up network:")
        yield send(aws, posts, rate=0)
        console.print("The sample tweets, as if written in these hours:")
        yield send(aws, sample, rate)


def run(console: Console, data: Path | None, home: Path, rate: float) -> bool:
    """Run the demo, told on `console`: whether every tweet sent is a row or a rejected record.

    Without `data` it sends those of `send_hours`. The last demo's home goes only once there are tweets to send. Raises
    DemoError, InputError and OSError.
    """
    from chalicelib.warehouse import data_api

    if data and next(iter(producer.read(data)), None) is None:
        raise producer.InputError(f"{data} holds no tweets")
    fresh(home)
    with working(console, "Starting the local AWS ..."):
        aws = LocalAws(home=home, port=0, api_port=0)
        aws.__enter__()
    try:
        os.environ |= aws.environment
        console.print(f"Local AWS on {aws.endpoint_url}, admin API on {aws.admin_url}")
        with working(console, "POST /warehouse/setup ..."):
            setup = job(aws.admin_url, "/warehouse/setup")
        console.print(f"Warehouse set up: {len(setup['applied'])} migrations applied")

        with Arrivals() as arrivals:
            began = time.time()
            summaries = [send(aws, data, rate)] if data else list(send_hours(console, aws, rate))
            with working(console, "Firehose delivers, the warehouse loads ..."):
                settle(arrivals, aws, sum(summary.sent for summary in summaries))
        with working(console, "POST /reconciliations ..."):
            report = job(aws.admin_url, "/reconciliations", {"repair": True, "grace_seconds": 0})
        keep_overview(aws.admin_url, home / "overview.html")

        rejected = rejections(report)
        rows = data_api.query("SELECT COUNT(*) AS n, COUNT(DISTINCT s3_key) AS files FROM disaster.disaster_tweets")[0]
        console.print(by_kind(console.width))
        tweets = sum(summary.tweets for summary in summaries)
        console.print(landed(tweets, rows["n"], rows["files"], rejected, arrivals.latencies(began)))
        missing = tweets - rows["n"] - sum(rejected.values())
        if missing:
            console.print(
                f"[red]{abs(missing):,} tweets {'lost' if missing > 0 else 'too many'}.[/] Logs: {home / 'logs'}; what "
                "Firehose gave up lies in the bucket under delivery/processing-failed/"
            )
        else:
            console.print("[green]Every tweet is accounted for.[/]")
        return not missing
    finally:
        aws.__exit__(None, None, None)


def main(argv: Sequence[str] | None = None) -> int:
    """0 only if every tweet is accounted for."""
    parser = argparse.ArgumentParser(prog="python -m local demo", description=__doc__)
    parser.add_argument(
        "--data", type=Path, help="the tweets (hours of a made-up network, then data/sample_tweets.csv)"
    )
    parser.add_argument("--home", type=Path, default=Path(".local/demo"), help="where its state lives (.local/demo)")
    parser.add_argument("--rate", type=float, default=RATE, help=f"tweets a second, 0: as fast as it goes ({RATE})")
    arguments = parser.parse_args(argv)
    console = Console()
    began = time.monotonic()
    try:
        complete = run(console, arguments.data, arguments.home, arguments.rate)
    except KeyboardInterrupt:
        complain(console, f"Stopped. To start again: {typed('python -m local demo')}")
        return 130
    except (producer.InputError, FileNotFoundError) as error:
        complain(console, f"{error}. Name a file of tweets: {typed('python -m local demo')} {option('--data', 'FILE')}")
        return 1
    except (HomeError, OSError) as error:
        complain(console, str(error))
        return 1
    except DemoError as error:
        complain(console, f"The demo stopped: {error}. Logs: {arguments.home / 'logs'}")
        return 1
    console.print(f"{time.monotonic() - began:.0f} s in all. Where to look next:")
    console.print(NEXT.format(home=shlex.quote(str(arguments.home))), highlight=False, soft_wrap=True)
    return 0 if complete else 1
