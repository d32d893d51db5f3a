"""`python -m local network`: a made-up network behind the protocols of Bluesky, X and Mastodon, until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Sequence

from rich.console import Console

from local.network.generated import Generated
from local.network.http import TOKEN, HttpSource
from local.network.jetstream import Jetstream
from local.terminal import complain

SAID = """\
[bold]Jetstream[/]  {jetstream}
[bold]X[/]          {http}/2/tweets/search/stream
[bold]Mastodon[/]   {http}/api/v1/streaming/public

In another terminal, beside make local (and with its AWS_… variables), each of:
  .venv/bin/python producer.py --source bluesky --stream {stream} --jetstream {jetstream}
  X_BEARER_TOKEN={token} .venv/bin/python producer.py --source x --stream {stream} --api {http} --rules RULES --cap 999
  MASTODON_TOKEN={token} .venv/bin/python producer.py --source mastodon --stream {stream} --server {http}

Ctrl-C ends it."""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m local network", description=__doc__)
    parser.add_argument(
        "--port", type=int, default=4570, help="of Jetstream; X and Mastodon are at the next one (4570)"
    )
    parser.add_argument("--rate", type=float, default=40.0, help="posts a second (40)")
    parser.add_argument("--seed", type=int, default=1, help="another network for each (1)")
    arguments = parser.parse_args(argv)
    console = Console()
    network = Generated(arguments.rate, arguments.seed)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        following = arguments.port and arguments.port + 1
        with Jetstream(network, arguments.port) as jetstream, HttpSource(network, following) as http:
            said = SAID.format(jetstream=jetstream.url, http=http.url, token=TOKEN, stream="disaster-tweets-local")
            console.print(said, highlight=False, soft_wrap=True)
            stop.wait()
    except OSError as error:
        complain(console, f"{error}. Take another port: --port {arguments.port + 10}")
        return 1
    return 0
