"""`python -m local serve | sql | demo | live | network | soak`."""

from __future__ import annotations

import argparse
import ctypes
import shlex
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from local import server
from local.aws import faults, wsgi
from local.terminal import complain, option, stopped, typed, working

HOME = Path(".local")
SERVE = "python -m local serve"


def share_heaps() -> None:
    """Let all threads share two of glibc's heaps: each heap keeps what its threads free, and there are many threads.

    M_ARENA_MAX of mallopt(3). Does nothing where the C library is another.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").mallopt(-8, 2)


def serve(argv: Sequence[str]) -> int:
    """Serve the local AWS until Ctrl-C."""
    parser = argparse.ArgumentParser(prog=SERVE, description=serve.__doc__)
    parser.add_argument("--port", type=int, default=4566, help="of the AWS endpoint, 0: any free one (4566)")
    parser.add_argument("--api-port", type=int, default=8000, help="of the admin API, 0: any free one (8000)")
    parser.add_argument("--home", type=Path, default=HOME, help=f"where all state lives ({HOME})")
    parser.add_argument("--prepare", action="store_true", help="set the warehouse up and reconcile, if not yet done")
    parser.add_argument(
        "--look-every", type=float, default=server.LOOK_SECONDS, metavar="SECONDS", help="the loader looks at S3 (1)"
    )
    parser.add_argument("--delivery", choices=("reconcile", "firehose"), default="reconcile", help="who loads")
    arguments = parser.parse_args(argv)
    console = Console()
    stop = stopped()
    try:
        ports = (arguments.port, arguments.api_port)
        aws = server.LocalAws(arguments.home, *ports, arguments.look_every, arguments.delivery, workers=True)
        with working(console, "Starting the local AWS ..."):
            aws.__enter__()
    except wsgi.PortTakenError as error:
        free = option("--port" if error.port == arguments.port else "--api-port", error.port + 1)
        complain(console, f"{error}. Stop the program that does, or take another port: {typed(SERVE)} {free}")
        return 1
    except (server.HomeError, faults.FaultsError) as error:
        complain(console, str(error))
        return 1
    try:
        if arguments.prepare:
            prepare(console, aws.admin_url)
        console.print(welcome(aws, arguments.prepare), highlight=False, soft_wrap=True)
        stop.wait()
        console.print("Stopping; all state stays in", str(aws.home), highlight=False, soft_wrap=True)
    finally:
        aws.__exit__(None, None, None)
    return 0


def prepare(console: Console, admin_url: str) -> None:
    """Set the warehouse up and reconcile once, where that was never done; say so if it can't be done."""
    from local.demo import DemoError, call, job

    try:
        ready = call(admin_url, "GET", "/warehouse")["status"] == "ready"
        if not ready:
            with working(console, "POST /warehouse/setup ..."):
                job(admin_url, "/warehouse/setup")
        if not ready or not call(admin_url, "GET", "/reconciliations")["reconciliations"]:
            with working(console, "POST /reconciliations ..."):
                job(admin_url, "/reconciliations")
    except DemoError as error:
        complain(console, f"The warehouse is not set up: {error}")


WELCOME = """\
[bold]AWS[/]        {endpoint_url}    S3, Firehose, Kinesis, Redshift Data API, Lambda, Comprehend, SSM, ...
[bold]Admin API[/]  {admin_url}    signatures are not checked, and calls without one are let in
[bold]State[/]      {home}    the functions' logs in {home}/logs

In another terminal:
  export AWS_ENDPOINT_URL={endpoint_url} AWS_DEFAULT_REGION=us-east-1
  export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local
{setup}  .venv/bin/python producer.py data/sample_tweets.csv --stream {stream}
  .venv/bin/python -m local sql{option} 'select disaster_label, count(*) from disaster.disaster_tweets group by 1'
  aws s3 ls --recursive s3://{stream}/tweets/
  curl --aws-sigv4 aws:amz:us-east-1:execute-api --user you:secret --json '{{}}' {admin_url}/reconciliations
  curl --header 'Accept: text/html' --output report.html {admin_url}/reconciliations/latest

Ctrl-C ends it."""


def welcome(aws: server.LocalAws, prepared: bool) -> str:
    """Return what is where, and what to try; `prepared`: the warehouse is set up."""
    option = "" if aws.home == HOME.resolve() else f" --home {shlex.quote(str(aws.home))}"
    return WELCOME.format(
        endpoint_url=aws.endpoint_url,
        admin_url=aws.admin_url,
        home=aws.home,
        stream=aws.stream,
        option=option,
        setup="" if prepared else f"  curl --json '{{}}' {aws.admin_url}/warehouse/setup\n",
    )


def sql(argv: Sequence[str]) -> int:
    from local import sql

    return sql.main(argv, HOME)


def main(argv: Sequence[str]) -> int:
    share_heaps()
    commands = {"serve": serve, "sql": sql, "demo": demo, "live": live, "network": network, "soak": soak}
    parser = argparse.ArgumentParser(prog="python -m local", description="The local AWS.")
    parser.add_argument("command", choices=commands, help="each has its own --help")
    arguments = parser.parse_args(argv[:1])
    return commands[arguments.command](argv[1:])


def demo(argv: Sequence[str]) -> int:
    from local import demo

    return demo.main(argv)


def live(argv: Sequence[str]) -> int:
    from local import live

    return live.main(argv)


def network(argv: Sequence[str]) -> int:
    from local.network import serve

    return serve.main(argv)


def soak(argv: Sequence[str]) -> int:
    from local import soak

    return soak.main(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
