"""`make soak`: everything goes wrong, under load, for as long as you like; then, is everything there exactly once?

Tweets and junk go into both streams without a pause while the faults of local/faults.py strike, reconciliations run at
any time, and the server is killed with SIGKILL and started again. Then the faults stop, the reconciler runs, and
local/audit.py compares what was acknowledged with the tweet files, the warehouse and the rejected records.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path
from typing import Any, NamedTuple

import requests
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

import producer
from local import faults, provision, server
from local.audit import Audit, audit, client
from local.demo import DemoError, job
from local.firehose.deliveries import undelivered

ROOT = Path(__file__).parents[1]
RATE = 200.0  # records a second
BATCH = 50  # records of one put
JUNK_EVERY = 40  # one record of so many holds no tweet
DENSE = 12_000  # tweets of one record whose rows exceed the 6 MB of an answer: the rest is put back into the stream
START_SECONDS = 60.0  # until a server must be up
SETTLE_SECONDS = 180.0  # until everything must be delivered once the faults have stopped
KINDS = tuple(kind for kind in faults.KINDS if not kind.startswith("comprehend"))
RATES = (0.1, 0.3, 0.6)
WORDS = ("flood", "wildfire", "earthquake", "storm", "crash", "pizza", "landslide", "song")


class SoakError(Exception):
    """The soak itself can't go on."""


# ------------------------------------------------------------------ the server, which may be killed


class Server:
    """`python -m local serve` in a process of its own, on the same ports each time."""

    def __init__(self, home: Path) -> None:
        self.home, self.kills = home, 0
        self._ports = ("0", "0")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Raises SoakError when it isn't up in time."""
        port, api_port = self._ports
        command = [sys.executable, "-m", "local", "serve", "--home", str(self.home), "--port", port]
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "server.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [*command, "--api-port", api_port], cwd=ROOT, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        deadline = time.monotonic() + START_SECONDS
        while not (known := server.running(self.home)) or int(known["pid"]) != self._process.pid:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise SoakError(f"The server does not start; see {self.home / 'server.log'}")
            time.sleep(0.02)
        self.endpoint_url, self.admin_url = known["endpoint_url"], known["admin_url"]
        self._ports = (self.endpoint_url.rpartition(":")[2], self.admin_url.rpartition(":")[2])

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process
        self._process.kill()
        self._process.wait()
        self.kills += 1

    def stop(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def set_faults(home: Path, rates: dict[str, float], seed: int = 0) -> None:
    """Other rates from now on; none: the faults stop."""
    file = home / "faults.json"
    if not rates:
        file.unlink(missing_ok=True)
        return
    new = file.with_suffix(".new")
    new.write_text(json.dumps({"seed": seed, "rates": rates}))
    new.replace(file)


def struck(home: Path) -> Counter[str]:
    """How often each fault struck, over all restarts."""
    tally = faults.tally_of(home)
    return Counter(tally.read_text().split()) if tally.exists() else Counter()


# ------------------------------------------------------------------ what is sent


class Item(NamedTuple):
    """A record, and what it is found by: its tweets' ids, or the mark of junk."""

    markers: tuple[str, ...]
    data: bytes
    is_tweet: bool = True


def items(dense_every: int = 10_000) -> Iterator[Item]:
    """Records without end: a tweet, several, now and then more than one answer of the transform can hold, or junk."""
    numbers = count()
    for record in count():
        if record % JUNK_EVERY == 0:
            mark = f"junk-{record}"
            forms = (mark, f'{{"note": "{mark}"}}', f'["{mark}"]', f'"{mark}"', f'{{"text": "", "note": "{mark}"}}')
            yield Item((mark,), forms[record // JUNK_EVERY % len(forms)].encode(), is_tweet=False)
        elif record % dense_every == dense_every // 2:
            tweets = [(str(n), b'{"tweet_id":"%d","text":"fire"}\n' % n) for n in islice(numbers, DENSE)]
            yield packed(tweets)
        else:
            yield packed([tweet(n) for n in islice(numbers, 3 if record % 10 == 5 else 1)])


def packed(tweets: Sequence[tuple[str, bytes]]) -> Item:
    return Item(tuple(marker for marker, _ in tweets), b"".join(line for _, line in tweets))


def tweet(number: int) -> tuple[str, bytes]:
    """Its id and its line."""
    word = WORDS[number % len(WORDS)]
    text = f"The {word} of {number} is all over #town{number % 7}, people say \N{FIRE} & more"
    known = {"tweet_id": str(number), "text": text, "lang": "en", "source_keyword": word}
    return str(number), json.dumps(known).encode() + b"\n"


@dataclass
class Sender:
    """Sends items until they are acknowledged, and remembers which were."""

    endpoint_url: str
    tweets: set[str] = field(default_factory=set)
    junk: set[str] = field(default_factory=set)
    resent: int = 0

    def __post_init__(self) -> None:
        # Never boto3's own retries: the producer's are what is tested.
        config: dict[str, Any] = {"retries": {"total_max_attempts": 1}, "connect_timeout": 2, "read_timeout": 10}
        firehose, kinesis = (client(name, self.endpoint_url, **config) for name in ("firehose", "kinesis"))
        self._streams: tuple[producer.Stream, ...] = (
            producer.Firehose(firehose, provision.NAME),
            producer.Kinesis(kinesis, provision.NAME),
        )
        self._lock = threading.Lock()

    def send(self, batch: Sequence[Item], stream: int = 0, give_up: Callable[[], bool] = lambda: False) -> None:
        """Into the Firehose stream (0) or the Kinesis stream (1). Raises SoakError when told to give up."""
        left = [producer.Record(item.data) for item in batch]
        while left:
            if give_up():
                raise SoakError(f"{len(left)} records could not be sent")
            failed, resent = producer.put_with_retries(self._streams[stream], left, attempts=5)
            left = [failure.record for failure in failed]
            self.resent += resent
        with self._lock:
            for item in batch:
                (self.tweets if item.is_tweet else self.junk).update(item.markers)


class Load:
    """Two threads that send at a rate, one into each stream, until told to stop."""

    def __init__(self, sender: Sender, source: Iterable[Item], rate: float) -> None:
        self.errors: list[BaseException] = []
        self._sender, self._source, self._pause = sender, iter(source), 2 * BATCH / rate
        self._lock, self._stopping = threading.Lock(), threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(stream,), daemon=True) for stream in (0, 1)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """What is being sent is sent to its end."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _run(self, stream: int) -> None:
        try:
            while not self._stopping.is_set():
                began = time.monotonic()
                with self._lock:
                    batch = [next(self._source) for _ in range(BATCH)]
                self._sender.send(batch, stream)
                self._stopping.wait(self._pause - (time.monotonic() - began))
        except BaseException as error:
            self.errors.append(error)


# ------------------------------------------------------------------ trouble, and the peace after it


@dataclass
class Reconciliations:
    """Asked of the admin API, which may be under fault itself."""

    succeeded: int = 0
    failed: int = 0

    def run(self, admin_url: str, grace_seconds: int) -> dict[str, Any] | None:
        """The report, or None when it failed."""
        try:
            report = job(admin_url, "/reconciliations", {"repair": True, "grace_seconds": grace_seconds})
        except (DemoError, requests.RequestException):
            self.failed += 1
            return None
        self.succeeded += 1
        return report


def trouble(aws: Server, chance: random.Random, reconciliations: Reconciliations) -> None:
    """One thing that happens to the server."""
    what = chance.choices(("faults", "reconcile", "kill", "kill while reconciling"), (5, 3, 1.5, 1))[0]
    if what == "faults":
        kinds = chance.sample(KINDS, chance.randint(1, 4))
        set_faults(aws.home, {kind: chance.choice(RATES) for kind in kinds}, chance.randrange(1 << 30))
    elif what == "reconcile":
        reconciliations.run(aws.admin_url, chance.choice((0, 5, 30)))
    else:
        if what == "kill while reconciling":
            requests.post(aws.admin_url + "/reconciliations", json={"grace_seconds": 0}, timeout=30)
            time.sleep(chance.random())
        aws.kill()
        aws.start()


def settle(aws: Server, reconciliations: Reconciliations, patience: float = SETTLE_SECONDS) -> None:
    """The faults stop, Firehose delivers what it has, the reconciler mends the rest. Raises SoakError."""
    set_faults(aws.home, {})
    deadline = time.monotonic() + patience
    while undelivered(aws.home):
        if time.monotonic() > deadline:
            raise SoakError(f"Firehose could not deliver everything in {patience:g} s")
        time.sleep(0.05)
    while reconciliations.run(aws.admin_url, 0) is None:  # one that was killed may still hold the lock
        if time.monotonic() > deadline:
            raise SoakError("The reconciliation fails although all faults have stopped")
        time.sleep(0.5)


# ------------------------------------------------------------------ the command


def soak(console: Console, home: Path, minutes: float, rate: float, seed: int) -> bool:
    """Whether nothing was lost or doubled. Raises SoakError."""
    server.fresh(home)
    chance, reconciliations = random.Random(seed), Reconciliations()  # noqa: S311 - no secret
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[sent]:,} sent, {task.fields[faults]:,} faults, {task.fields[kills]} kills"),
    )
    with console.status("Starting the local AWS ..."):
        aws = Server(home)
        aws.start()
    try:
        job(aws.admin_url, "/warehouse/setup")
        sender = Sender(aws.endpoint_url)
        deadline = time.monotonic() + minutes * 60
        with Progress(*columns, console=console) as progress, Load(sender, items(), rate) as load:
            with shown(progress, minutes * 60, sender, aws):
                while (left := deadline - time.monotonic()) > 0 and not load.errors:
                    trouble(aws, chance, reconciliations)
                    time.sleep(min(chance.uniform(1, 4), left))
            set_faults(home, {})
        if load.errors:
            raise SoakError(f"Sending failed: {load.errors[0]!r}")
        with console.status("The faults have stopped. Delivering, reconciling ..."):
            settle(aws, reconciliations)
        with console.status("Auditing ..."):
            found = audit(sender.tweets, sender.junk, aws.endpoint_url)
        console.print(survived(sender, found, struck(home), aws.kills, reconciliations))
        for problem in found.problems:
            console.print(f"[red]{problem}[/]", highlight=False)
        if not found.problems:
            console.print("[green]Nothing is lost, nothing is there twice.[/]")
        return not found.problems
    finally:
        aws.stop()


@contextmanager
def shown(progress: Progress, seconds: float, sender: Sender, aws: Server) -> Iterator[None]:
    """Keeps the progress up to date meanwhile."""
    began, done = time.monotonic(), threading.Event()
    task = progress.add_task("Soaking", total=seconds, sent=0, faults=0, kills=0)

    def show() -> None:
        while not done.wait(0.5):
            sent, faults = len(sender.tweets) + len(sender.junk), struck(aws.home).total()
            progress.update(task, completed=time.monotonic() - began, sent=sent, faults=faults, kills=aws.kills)

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def survived(sender: Sender, found: Audit, faults: Counter[str], kills: int, runs: Reconciliations) -> Table:
    table = Table(title="What it survived", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("tweets sent", f"{len(sender.tweets):,}")
    table.add_row("junk sent", f"{len(sender.junk):,}")
    table.add_row("records sent again", f"{sender.resent:,}")
    table.add_row("faults", f"{faults.total():,}")
    for kind, times in faults.most_common():
        table.add_row(f"  {kind}", f"{times:,}")
    table.add_row("kills (SIGKILL)", f"{kills:,}")
    table.add_row("reconciliations", f"{runs.succeeded:,}")
    table.add_row("  that failed under fault", f"{runs.failed:,}")
    table.add_row("tweet files", f"{found.files:,}")
    table.add_row("rows", f"{found.rows:,}")
    table.add_row("files repaired", f"{found.repaired:,}")
    table.add_row("repairs of them", f"{found.repairs:,}")
    table.add_row("tweets in the view, each once", f"{found.tweets:,}")
    table.add_row("tweets that no transform answered for, under rejected/", f"{found.given_up:,}")
    table.add_row("junk under rejected/", f"{found.refused:,}")
    return table


def main(argv: Sequence[str] | None = None) -> int:
    """0 only if nothing was lost or doubled."""
    parser = argparse.ArgumentParser(prog="python -m local soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5.0, help="how long things go wrong (5)")
    parser.add_argument("--rate", type=float, default=RATE, help=f"records a second ({RATE:g})")
    parser.add_argument("--seed", type=int, default=0, help="of what goes wrong and when (0)")
    parser.add_argument("--home", type=Path, default=Path(".local/soak"), help="where its state lives (.local/soak)")
    arguments = parser.parse_args(argv)
    console = Console()
    try:
        whole = soak(console, arguments.home, arguments.minutes, arguments.rate, arguments.seed)
    except (SoakError, DemoError, server.HomeError) as error:
        console.print(f"[red]The soak stopped:[/] {error}\nLogs: {arguments.home / 'logs'}", highlight=False)
        return 1
    console.print(f"Its state is in {arguments.home}; the same again: --seed {arguments.seed}", highlight=False)
    return 0 if whole else 1
