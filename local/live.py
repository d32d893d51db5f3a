"""Run `make live`: show posts of Bluesky or of a made-up network as they are written, by kind."""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from chalicelib import layout
from chalicelib.settings import Settings, parameter_path
from chalicelib.sources import choice, jetstream
from chalicelib.sources.cursor import Cursor
from chalicelib.telemetry import NAMESPACE
from local.aws import wsgi
from local.network.generated import Generated
from local.network.jetstream import Jetstream
from local.network.recording import Recording, RecordingError
from local.server import STAGE, HomeError, LocalAws
from local.terminal import complain, option, stopped, typed, working

BLUESKY, SIMULATED = "bluesky", "simulated"
COLLECT_EVERY = 5.0  # seconds; a minute on AWS
REFRESH = 2.0  # seconds between looks into the warehouse
RECENT = 60.0  # seconds of the past that are read first
PAST = 2 * 3600.0
"""Of the made-up network, as a collector does that was off for so long: a situation shows against hours before it."""
CRISES_EVERY = 1200  # seconds, in the made-up network
COMMAND = "python -m local live"
COUNTED = ("PostsSeen", "PostsForwarded", "Deletions")

BY_KIND = """
SELECT
    disaster_label AS kind,
    COUNT(*) AS posts,
    SUM(CASE WHEN relevance_label = 'relevant' THEN 1 ELSE 0 END) AS relevant,
    SUM(CASE WHEN arrived_at >= DATEADD(SECOND, -60, GETDATE()) THEN 1 ELSE 0 END) AS last_minute,
    MAX(CASE WHEN newest = 1 THEN cleaning_text END) AS example
FROM (
    SELECT
        disaster_label,
        relevance_label,
        arrived_at,
        cleaning_text,
        ROW_NUMBER() OVER (
            PARTITION BY disaster_label ORDER BY relevance_label DESC, arrived_at DESC, tweet_key
        ) AS newest
    FROM disaster.tweet
    WHERE arrived_at >= CAST(:since AS TIMESTAMP)
) AS post
GROUP BY disaster_label
ORDER BY last_minute DESC, posts DESC, kind
"""
"""`relevance_label DESC`: "relevant" comes after "not_relevant"."""


class Shown(NamedTuple):
    """What the terminal shows: counts of the collector, its lag in seconds (None: nothing was collected yet), rows."""

    counts: dict[str, int]
    lag: float | None
    kinds: list[dict[str, Any]]


def look(since: datetime) -> Shown:
    """Return what has arrived since a moment."""
    from chalicelib.warehouse import data_api

    totals = {name: int(_statistic(name, "Sum", since)) for name in COUNTED}
    recent = datetime.fromtimestamp(time.time() - 60, UTC)
    lag = _statistic("CollectLag", "Minimum", max(since, recent))
    kinds = data_api.query(BY_KIND, {"since": f"{since:%Y-%m-%d %H:%M:%S}"})
    return Shown(totals, lag or None, kinds)


def _statistic(name: str, kind: Any, since: datetime) -> float:
    """Return a metric of the collector since a moment, 0 where it has none yet."""
    from chalicelib import clients

    found = clients.cloudwatch().get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName=name,
        Dimensions=[{"Name": "service", "Value": f"disaster-tweets-{STAGE}"}],
        StartTime=since.replace(microsecond=0),
        EndTime=datetime.fromtimestamp(int(time.time()) + 1, UTC),
        Period=86_400,
        Statistics=[kind],
    )
    values = [each[kind] for each in found["Datapoints"]]
    return float(sum(values) if kind == "Sum" else min(values, default=0.0))


def page(shown: Shown, source: str, seconds: float, width: int) -> Group:
    """Return the terminal's page: a line on the collector, a table of kinds."""
    seen, forwarded, deleted = (shown.counts[name] for name in COUNTED)
    share = f" ({forwarded / seen:.1%})" if seen else ""
    lag = f", {shown.lag:.0f} s behind" if shown.lag is not None else ""
    line = (
        f"{source}: {seen:,} posts seen in {seconds:,.0f} s, {forwarded:,} forwarded{share}, {deleted:,} deletions{lag}"
    )
    table = Table(box=None, pad_edge=False)
    table.add_column("kind", no_wrap=True)
    for name in ("posts", "relevant", "last minute"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("the newest", no_wrap=True)
    room = max(20, width - 54)
    for kind in shown.kinds:
        example = Text(" ".join((kind["example"] or "").split()))  # no markup: people write [brackets], too
        example.truncate(room, overflow="ellipsis")
        counts = (f"{kind[name]:,}" for name in ("posts", "relevant", "last_minute"))
        table.add_row(kind["kind"], *counts, example)
    return Group(Text(line), table)


def reachable(servers: str) -> str:
    """Return why no server can be reached, nothing where one can."""
    reasons = []
    for server in servers.split(","):
        events = jetstream.events(server, int((time.time() - 5) * 1e6))
        try:
            next(events)
            return ""
        except jetstream.SourceError as error:
            reasons.append(str(error))
        finally:
            events.close()
    return "; ".join(reasons)


def run(console: Console, arguments: argparse.Namespace, stop: threading.Event) -> None:
    """Serve and show until `stop`. Raises HomeError, wsgi.PortTakenError, RecordingError and OSError."""
    import boto3

    from local.__main__ import prepare
    from local.server import forget

    with ExitStack() as end:
        servers = arguments.jetstream
        if arguments.recording:
            servers = end.enter_context(Jetstream(Recording(arguments.recording, int((time.time() - 60) * 1e6)))).url
        elif arguments.source == SIMULATED:
            servers = end.enter_context(Jetstream(Generated(arguments.rate, arguments.seed, CRISES_EVERY))).url
        with working(console, "Starting the local AWS ..."):
            aws = LocalAws(arguments.home, arguments.port, arguments.api_port, collect_every=COLLECT_EVERY)
            end.enter_context(aws)
        past = PAST if arguments.source == SIMULATED and not arguments.recording else RECENT
        begin_at(aws.stream, Cursor(servers, int((time.time() - past) * 1e6)))
        prepare(console, aws.admin_url)
        since = datetime.now(UTC)
        for name, value in (("bluesky", arguments.forward), ("jetstream", servers)):
            boto3.client("ssm").put_parameter(
                Name=parameter_path(STAGE) + name, Value=value, Type="String", Overwrite=True
            )
        forget()
        console.print(
            f"What is happening, for a browser: {aws.admin_url}/", highlight=False, soft_wrap=True, style="bold"
        )
        if past > RECENT:
            console.print(f"The last {past / 3600:.0f} hours of the made-up network are read first.", highlight=False)
        console.print(
            f"Admin API {aws.admin_url}, AWS {aws.endpoint_url}, logs in {aws.home / 'logs'}. Ctrl-C ends it.",
            highlight=False,
            soft_wrap=True,
        )
        watch(console, arguments.source, since, stop, arguments.seconds)


def begin_at(bucket: str, cursor: Cursor) -> None:
    """Have the collector begin there: what an earlier run left unread is not news."""
    import boto3

    body = orjson.dumps({"holder": None, **cursor._asdict()})
    boto3.client("s3").put_object(Bucket=bucket, Key=f"{layout.COLLECT}{jetstream.SOURCE}.json", Body=body)


def watch(
    console: Console,
    source: str,
    since: datetime,
    stop: threading.Event,
    seconds: float | None,
    looking: Callable[[datetime], Shown] = look,
) -> None:
    """Show what arrives until `stop`, or for so many seconds: a page that fills, or where that can't be, pages."""
    began = time.monotonic()

    def shown() -> Group:
        return page(looking(since), source, time.monotonic() - began, console.width)

    def over() -> bool:
        return stop.wait(REFRESH) or (seconds is not None and time.monotonic() - began >= seconds)

    if not console.is_terminal:
        while not over():
            pass
        console.print(shown())
        return
    with Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as live:
        while not over():
            live.update(shown(), refresh=True)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument(
        "--source", choices=[BLUESKY, SIMULATED], default=BLUESKY, help="where posts come from (bluesky)"
    )
    parser.add_argument("--recording", type=Path, help="a file of Jetstream's events to tell again, instead")
    parser.add_argument("--forward", default="lexicon", help="everything, lexicon, or languages: en,es (lexicon)")
    parser.add_argument("--rate", type=float, default=40.0, help="posts a second of the simulated network (40)")
    parser.add_argument("--seed", type=int, default=1, help="of the simulated network (1)")
    parser.add_argument("--jetstream", default=Settings.jetstream, help=f"the server's address ({Settings.jetstream})")
    parser.add_argument("--port", type=int, default=4566, help="of the AWS endpoint, 0: any free one (4566)")
    parser.add_argument("--api-port", type=int, default=8000, help="of the admin API, 0: any free one (8000)")
    parser.add_argument("--home", type=Path, default=Path(".local/live"), help="where its state lives (.local/live)")
    parser.add_argument("--seconds", type=float, help="end by itself after so many (Ctrl-C)")
    arguments = parser.parse_args(argv)
    choice.of(arguments.forward)
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """0: ended as asked. 1: the source can't be reached, a port or the home is taken."""
    from chalicelib.settings import SettingsError

    console = Console()
    try:
        arguments = parse(argv)
        if arguments.source == BLUESKY and not arguments.recording:
            with working(console, "Looking for Bluesky ..."):
                reason = reachable(arguments.jetstream)
            if reason:
                otherwise = f"{typed(COMMAND)} {option('--source', SIMULATED)}"
                complain(console, f"Bluesky can't be reached ({reason}). Without the internet: {otherwise}")
                return 1
        stop = stopped()
        run(console, arguments, stop)
    except wsgi.PortTakenError as error:
        complain(
            console, f"{error}. Stop the program that does, or take another port: {option('--port', error.port + 1)}"
        )
        return 1
    except (HomeError, RecordingError, SettingsError, OSError) as error:
        complain(console, str(error))
        return 1
    return 0
