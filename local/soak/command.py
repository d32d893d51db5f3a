"""`make soak`: everything goes wrong, under load, for as long as you like; then, is everything there exactly once?

Tweets and junk go into both streams without a pause while the faults of local/aws/faults.py strike, rows are deleted
and doubled by hand, reconciliations run at any time, and the server is killed with SIGKILL and started again. Then the
faults stop, the reconciler runs, and oracle.py compares every record that was acknowledged with what became of it.
A run in which too little happened fails, too: it proves nothing.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from local import server
from local.demo import DemoError, job
from local.soak.evidence import collect
from local.soak.oracle import Happened, Verdict, judge, missed
from local.soak.records import Record, records
from local.soak.sender import BATCH, STREAMS, Load, Sender
from local.soak.server import Server, SoakError, set_faults, struck
from local.soak.trouble import DAMAGE, KINDS, Trouble, deliver, settle

RATE = 200.0  # records a second
HOME = Path(".local/soak")

DEMANDS: Mapping[str, int] = {
    "tweets sent": 1000,
    "records of several tweets": 100,
    "junk sent": 20,
    "junk among tweets": 10,
    "records sent again": 1,
    **{f"records put back into {stream}": 1 for stream in STREAMS},
    **{f"fault {kind}": 1 for kind in KINDS},
    "kills (SIGKILL)": 2,
    "reconciliations killed": 1,
    "reconciliations": 3,
    "reconciliations at once": 1,
    **{f"files repaired, {state}": 1 for state in DAMAGE},
    "% of the tweets in the view": 50,
    "junk refused": 10,
}
"""How much must happen in any soak, however short, for its result to prove something."""


def soak(console: Console, home: Path, minutes: float, rate: float, seed: int) -> bool:
    """Return whether every record was stored as it must be, and enough faults occurred. Raises SoakError."""
    server.fresh(home)
    with console.status("Starting the local AWS ..."):
        aws = Server(home)
        aws.start()
    try:
        job(aws.admin_url, "/warehouse/setup")
        sender, trouble = Sender(aws.endpoint_url), Trouble(aws, seed)
        make_trouble(console, aws, sender, trouble, minutes, rate)
        with console.status("The faults have stopped. Delivering, reconciling ..."):
            settle(aws, trouble)
        with console.status("Looking for each record ..."):
            verdict = judge(happened(aws, sender, trouble), collect(aws.endpoint_url))
        return told(console, verdict, DEMANDS)
    finally:
        aws.stop()


def make_trouble(console: Console, aws: Server, sender: Sender, trouble: Trouble, minutes: float, rate: float) -> None:
    """Send records at a rate for so many minutes, or until everything has happened once, amid all kinds of trouble."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[sent]:,} sent, {task.fields[faults]:,} faults, {task.fields[kills]} kills"),
    )
    deadline = time.monotonic() + minutes * 60
    source = records()
    calm(aws, sender, source)
    steps = trouble.first_round()
    with Progress(*columns, console=console) as progress, Load(sender, source, rate) as load:
        with shown(progress, minutes * 60, sender, trouble, aws):
            while (steps or time.monotonic() < deadline) and not load.errors:
                if steps:
                    steps.pop(0)()
                else:
                    trouble.any()
                    time.sleep(min(trouble.pause(), max(0.0, deadline - time.monotonic())))
        set_faults(aws.home, {})
    if load.errors:
        raise SoakError(f"Sending failed: {load.errors[0]!r}")


def calm(aws: Server, sender: Sender, source: Iterator[Record]) -> None:
    """Send the first records, dense ones among them, and wait until they are delivered: before there is any trouble."""
    for stream in range(len(STREAMS)):
        sender.send(list(islice(source, BATCH)), stream)
    deliver(aws)


def happened(aws: Server, sender: Sender, trouble: Trouble) -> Happened:
    """Return what was done until now."""
    counts = trouble.counts
    return Happened(sender.sent, sender.resent, struck(aws.home), counts.kills, counts.killed_runs, counts.at_once)


@contextmanager
def shown(progress: Progress, seconds: float, sender: Sender, trouble: Trouble, aws: Server) -> Iterator[None]:
    """Keep the progress up to date meanwhile."""
    began, done = time.monotonic(), threading.Event()
    task = progress.add_task("Soaking", total=seconds, sent=0, faults=0, kills=0)

    def show() -> None:
        while not done.wait(0.5):
            progress.update(
                task,
                completed=time.monotonic() - began,
                sent=len(sender.sent),
                faults=struck(aws.home).total(),
                kills=trouble.counts.kills,
            )

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def told(console: Console, verdict: Verdict, demands: Mapping[str, int]) -> bool:
    """Print what happened and what is wrong; return whether nothing is, and enough happened."""
    table = Table(title="What happened", title_justify="left")
    table.add_column("")
    table.add_column("", justify="right")
    table.add_column("at least", justify="right")
    for name in [*verdict.measures, *(name for name in demands if name not in verdict.measures)]:
        least = f"{demands[name]:,}" if name in demands else ""
        table.add_row(name, f"{verdict.measures.get(name, 0):,}", least)
    console.print(table)
    for problem in verdict.problems:
        console.print(f"[red]{escape(problem)}[/]", highlight=False, soft_wrap=True)
    too_little = missed(verdict.measures, demands)
    if too_little:
        console.print("[red]Nothing was proved, because too little happened:[/]")
        for demand in too_little:
            console.print(f"[red]  {escape(demand)}[/]", highlight=False, soft_wrap=True)
    if verdict.problems or too_little:
        return False
    console.print("[green]Nothing is lost, nothing is there twice.[/]")
    return True


def main(argv: Sequence[str] | None = None) -> int:
    """Return 0 only if nothing was lost or doubled, and enough happened to say so."""
    parser = argparse.ArgumentParser(prog="python -m local soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5.0, help="how long things go wrong at least (5)")
    parser.add_argument("--rate", type=float, default=RATE, help=f"records a second ({RATE:g})")
    parser.add_argument("--seed", type=int, default=0, help="of what goes wrong and when (0)")
    parser.add_argument("--home", type=Path, default=HOME, help=f"where its state lives ({HOME})")
    arguments = parser.parse_args(argv)
    console = Console()
    try:
        whole = soak(console, arguments.home, arguments.minutes, arguments.rate, arguments.seed)
    except (SoakError, DemoError, server.HomeError) as error:
        console.print(f"[red]The soak stopped:[/] {error}\nLogs: {arguments.home / 'logs'}", highlight=False)
        return 1
    console.print(f"Its state is in {arguments.home}; the same again: --seed {arguments.seed}", highlight=False)
    return 0 if whole else 1
