"""Measure how late posts are: an hour of a made-up network at 40 posts a second, through the collector.

Time is compressed: a minute of the network is read as soon as the minute before it is in the warehouse. From the moment
at which a run begins its clock runs as ours does, so what a run takes counts in full, and only the waiting between two
runs is left out. Everything is forwarded. `LIVE_MINUTES`, `LIVE_RATE` set another length and posts a second.
"""

from __future__ import annotations

import io
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from rich.console import Console
from rich.table import Table

from local.network.generated import Generated
from local.network.jetstream import Jetstream
from local.server import STAGE, LocalAws, forget

MINUTE = 60  # seconds between two runs
BEGIN = 1_770_000_000.0  # of the network's hour
AHEAD = 0.1  # seconds by which the server's clock is ahead, as no two clocks are the same
PATIENCE = 120.0  # seconds for a minute's posts to be rows


@dataclass
class Measured:
    """Of each minute: seconds that the collector ran, and until its posts were rows; of all posts: until they were."""

    ran: list[float] = field(default_factory=list)
    rows: list[float] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    posts: int = 0
    distinct: int = 0  # of these in the warehouse
    stored: int = 0  # rows


class Clock:
    """The network's time: the n-th minute's end, and what has passed of ours since."""

    def __init__(self) -> None:
        self._at, self._since = BEGIN, time.monotonic()

    def __call__(self) -> float:
        return self._at + time.monotonic() - self._since

    def minute(self, number: int) -> None:
        self._at, self._since = BEGIN + MINUTE * number, time.monotonic()


def measure(
    aws: LocalAws, minutes: int, rate: float, collect: Callable[[Any, Callable[[], float]], dict[str, Any]]
) -> Measured:
    """Let the collector read so many minutes. The warehouse of `aws` must be set up, and nobody else may collect."""
    import boto3

    from chalicelib.settings import parameter_path
    from chalicelib.sources.jetstream import parse
    from chalicelib.warehouse import data_api

    network, clock, found = Generated(rate), Clock(), Measured()
    begin, end = (f"{datetime.fromtimestamp(BEGIN + MINUTE * n, UTC):%Y-%m-%d %H:%M:%S}" for n in (0, minutes))
    those = f"source = 'bluesky' AND created_at >= '{begin}' AND created_at < '{end}'"
    of_bluesky = f"FROM disaster.disaster_tweets WHERE {those}"
    with Jetstream(network, clock=lambda: clock() + AHEAD) as server:
        for name, value in (("bluesky", "everything"), ("jetstream", server.url)):
            path = parameter_path(STAGE) + name
            boto3.client("ssm").put_parameter(Name=path, Value=value, Type="String", Overwrite=True)
        boto3.client("s3").delete_object(Bucket=aws.stream, Key="collect/bluesky.json")
        forget()
        times = _times(network, parse, minutes)
        for minute in range(minutes + 1):
            clock.minute(minute)
            began = time.monotonic()
            with redirect_stdout(io.StringIO()):
                outcome = collect(None, clock)
            assert outcome["status"] == "caught_up", outcome
            if not minute:
                continue  # where it begins: the first run reads back a minute from the moment that it begins itself
            found.ran.append(time.monotonic() - began)
            due = sorted(t for t in times if t < BEGIN + MINUTE * minute)
            deadline = time.monotonic() + PATIENCE
            while (rows := data_api.query(f"SELECT COUNT(DISTINCT tweet_id) AS n {of_bluesky}")[0]["n"]) < len(due):
                assert time.monotonic() < deadline, f"{rows:,} of {len(due):,} posts are rows"
                time.sleep(0.1)
            found.rows.append(time.monotonic() - began)
            now = clock()
            found.lags += [now - t for t in due[found.posts :]]
            found.posts = len(due)
    boto3.client("s3").delete_object(Bucket=aws.stream, Key="collect/bluesky.json")  # of another time
    (stored,) = data_api.query(f"SELECT COUNT(*) AS n, COUNT(DISTINCT tweet_key) AS keys {of_bluesky}")
    found.stored, found.distinct = stored["n"], stored["keys"]
    return found


def _times(network: Generated, parse: Any, minutes: int) -> list[float]:
    """Return the times at which the posts of the network were written, in seconds since the epoch: from BEGIN on."""
    import orjson

    first, last = (network.first(int((BEGIN + MINUTE * at) * 1e6)) for at in (0, minutes))
    events = (parse(orjson.dumps(event)) for n in range(first, last) if (event := network.event(n)))
    return [event.time_us / 1e6 for event in events if event.post]


def table(found: Measured) -> Table:
    centiles = quantiles(found.lags, n=100)
    made = Table(title=f"{len(found.ran)} minutes of {found.posts:,} posts", title_justify="left", show_header=False)
    made.add_column()
    made.add_column(justify="right")
    for what, value in (
        ("posts written", f"{found.posts:,}"),
        ("rows, of these with a key of their own", f"{found.stored:,}, {found.distinct:,}"),
        ("lag from written to queryable, median, s", f"{median(found.lags):.1f}"),
        ("99th percentile, s", f"{centiles[98]:.1f}"),
        ("longest, s", f"{max(found.lags):.1f}"),
        ("of it: a run of the collector, median and longest, s", f"{median(found.ran):.1f}, {max(found.ran):.1f}"),
        ("of it: until its posts were rows, median and longest, s", f"{median(found.rows):.1f}, {max(found.rows):.1f}"),
    ):
        made.add_row(what, value)
    return made


def run(console: Console) -> None:
    from chalicelib.sources.collect import collect
    from local.demo import job

    minutes, rate = int(os.environ.get("LIVE_MINUTES", "60")), float(os.environ.get("LIVE_RATE", "40"))
    with tempfile.TemporaryDirectory() as home, LocalAws(Path(home), 0, 0, collect_every=1e9) as aws:
        os.environ |= aws.environment
        job(aws.admin_url, "/warehouse/setup")
        console.print(table(measure(aws, minutes, rate, collect)))
