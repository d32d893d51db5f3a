"""Measure the whole pipeline on this machine: tweets a second into the warehouse, and how long one takes.

`python -m benchmarks throughput`; `THROUGHPUT_TWEETS`: how many tweets (100,000).
"""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import boto3
import orjson
from rich.console import Console
from rich.table import Table

from benchmarks import ROOT, limits, records
from chalicelib.transform import accelerator
from local import provision, server

TWEETS = int(os.environ.get("THROUGHPUT_TWEETS", "100000"))
RATE = 100  # tweets a second, for the latency
SECONDS = 15  # of that
POLL = 0.05  # seconds
LOOK = 0.2  # seconds between two counts while all is sent at once: counting takes time of both cores
FLOWS = (("packed (--pack)", True), ("packed once more", True), ("unpacked", False), ("unpacked once more", False))
COUNT = "SELECT COUNT(*) FROM disaster.disaster_tweets"


def write_tweets(path: Path, count: int, first: int = 0) -> None:
    """Write so many different tweets: the real ones again and again, each with an ID of its own, from `first` on."""
    with path.open("wb") as file:
        for number, line in enumerate(itertools.islice(itertools.cycle(list(records())), count), first):
            tweet = orjson.loads(line)
            file.write(orjson.dumps({**tweet, "tweet_id": str(number)}) + b"\n")


def client(name: str, endpoint_url: str) -> Any:
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": server.REGION}
    return boto3.client(name, endpoint_url=endpoint_url, **keys)  # type: ignore[call-overload]


def count(data_api: Any) -> int:
    """Return how many rows can be queried."""
    where = {"WorkgroupName": provision.NAME, "Database": provision.DATABASE}
    statement = data_api.execute_statement(**where, Sql=COUNT)["Id"]
    while (said := data_api.describe_statement(Id=statement))["Status"] not in ("FINISHED", "FAILED", "ABORTED"):
        time.sleep(0.01)
    if said["Status"] != "FINISHED":
        raise RuntimeError(said.get("Error"))
    return int(data_api.get_statement_result(Id=statement)["Records"][0][0]["longValue"])


def flow(endpoint_url: str, data_api: Any, tweets: Path, pid: int, pack: bool) -> tuple[float, float, float]:
    """Send all tweets with the producer; return (seconds until the last is a row, the server's CPU seconds and MB)."""
    before, cpu, most = count(data_api), cpu_seconds(pid), 0.0
    environment = {**os.environ, "AWS_ENDPOINT_URL": endpoint_url, "AWS_ACCESS_KEY_ID": "local"}
    environment |= {"AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": server.REGION}
    command = [sys.executable, "producer.py", str(tweets), "--stream", limits.STREAM, "--rate", "0"]
    began = time.monotonic()
    sending = subprocess.Popen(
        command + ["--pack"] * pack, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while True:
        time.sleep(LOOK)
        most = max(most, sum(map(limits.memory, family(pid))))
        if sending.poll() is not None and count(data_api) - before >= TWEETS:
            return time.monotonic() - began, cpu_seconds(pid) - cpu, most
        if time.monotonic() - began > limits.PATIENCE:
            raise RuntimeError(f"{count(data_api) - before:,} rows of {TWEETS:,} after {limits.PATIENCE:.0f} s")


def cpu_seconds(pid: int) -> float:
    """Return what a process, and what it has started, have used."""
    fields = [Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split() for each in family(pid)]
    return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """Return a process and its children, and theirs: a function's own process, the accelerator."""
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    children = [int(child) for thread in threads for child in thread.read_text().split()]
    return [pid, *(each for child in children for each in family(child))]


def latencies(firehose: Any, data_api: Any) -> list[float]:
    """Put tweets one by one at RATE; return how long each took until it could be queried, seconds."""
    before = count(data_api)
    sent: list[float] = []
    began = time.monotonic()

    def send() -> None:
        for number in range(RATE * SECONDS):
            time.sleep(max(0.0, began + number / RATE - time.monotonic()))
            text = orjson.dumps({"text": f"Flood water rises in street {number}, people wait on roofs {began}"})
            firehose.put_record(DeliveryStreamName=limits.STREAM, Record={"Data": text})
            sent.append(time.monotonic())

    sender = threading.Thread(target=send)
    sender.start()
    found: list[float] = []
    while len(found) < RATE * SECONDS and time.monotonic() - began < limits.PATIENCE:
        time.sleep(POLL)
        there = count(data_api) - before
        now = time.monotonic()
        found += [now - at for at in sent[len(found) : there]]
    sender.join()
    return found


def run(console: Console) -> None:
    table = Table(title=f"{TWEETS:,} tweets, producer.py --rate 0, until the last can be queried")
    for column in ("", "seconds", "tweets a second", "CPU of the server, µs a tweet", "memory at most, MB"):
        table.add_column(column, justify="right" if column else "left")
    with tempfile.TemporaryDirectory() as folder:
        tweets = Path(folder, "tweets.ndjson")
        with limits.served(Path(folder, "home")) as (pid, firehose, _):
            endpoint_url = firehose.meta.endpoint_url
            data_api = client("redshift-data", endpoint_url)
            slow = latencies(firehose, data_api)
            for number, (name, pack) in enumerate(FLOWS):
                write_tweets(tweets, TWEETS, number * TWEETS)  # the same again would be looked at as repeated ones
                seconds, cpu, most = flow(endpoint_url, data_api, tweets, pid, pack)
                numbers = seconds, TWEETS / seconds, cpu / TWEETS * 1e6, most
                table.add_row(name, f"{numbers[0]:.1f}", *(f"{number:,.0f}" for number in numbers[1:]))
    console.print(table)
    if not accelerator.present():
        console.print("The accelerator is absent.")
    console.print(
        f"At {RATE} tweets a second a tweet can be queried after {statistics.median(slow):.2f} s, "
        f"99 % of them after {sorted(slow)[int(len(slow) * 0.99)]:.2f} s, counted every {POLL} s."
    )
