"""Measure the local AWS at the limits of a machine: many tweets at once, and a disk that is full.

`python -m benchmarks limits`; `LIMITS_TWEETS`: how many tweets (200,000). The full disk needs root, who can mount one.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import requests
from rich.console import Console

from local import demo, server

STREAM = "disaster-tweets-local"
TWEETS = int(os.environ.get("LIMITS_TWEETS", "200000"))
DISK_MB = 30
PATIENCE = 300.0  # seconds


@contextmanager
def served(home: Path) -> Iterator[tuple[int, Any, str]]:
    """Serve the local AWS in a process of its own: its id, a client of Firehose, the admin API's URL."""
    command = [sys.executable, "-m", "local", "serve", "--port", "0", "--api-port", "0", "--home", str(home)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE
        while (known := server.running(home)) is None or int(known["pid"]) != process.pid:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"python -m local serve did not start: exit status {process.returncode}")
            time.sleep(0.05)
        keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": server.REGION}
        firehose = boto3.client("firehose", endpoint_url=known["endpoint_url"], **keys)  # type: ignore[call-overload]
        demo.job(known["admin_url"], "/warehouse/setup")
        yield process.pid, firehose, known["admin_url"]
    finally:
        process.terminate()
        process.wait()


def memory(pid: int) -> float:
    """Return a process's resident memory in MB, 0 once it has ended."""
    try:
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


def send(firehose: Any, first: int) -> int:
    """Put 500 tweets, numbered from `first`; returns how many were acknowledged."""
    texts = (f"Flood water rises in street {n}, people wait on roofs" for n in range(first, first + 500))
    records = [{"Data": json.dumps({"text": text}).encode()} for text in texts]
    answer = firehose.put_record_batch(DeliveryStreamName=STREAM, Records=records)
    return 500 - int(answer["FailedPutCount"])


def rows(admin_url: str) -> int:
    """Return how many rows are in the warehouse, 0 while that can't be told."""
    answer = requests.get(f"{admin_url}/warehouse", timeout=60).json()
    return int(answer.get("rows", {}).get("disaster_tweets", 0))


def until_rows(admin_url: str, wanted: int) -> int:
    """Wait until so many rows are there, for `PATIENCE` at most; returns how many are."""
    deadline = time.monotonic() + PATIENCE
    while (found := rows(admin_url)) < wanted and time.monotonic() < deadline:
        time.sleep(1)
    return found


def flood(console: Console, home: Path) -> None:
    """Send `TWEETS` as fast as they are taken, and print memory, backlog and rows."""
    with served(home) as (pid, firehose, admin_url):
        seen: list[tuple[float, float]] = []  # seconds since the start, MB
        ended, began = threading.Event(), time.monotonic()

        def watch() -> None:
            while not ended.wait(0.5):
                seen.append((time.monotonic() - began, memory(pid)))

        watcher = threading.Thread(target=watch)
        before = memory(pid)
        watcher.start()
        sent = backlog = 0
        while sent < TWEETS:
            sent += send(firehose, sent)
            if sent % 20_000 == 0:
                backlog = max(backlog, sent - rows(admin_url))
        seconds = time.monotonic() - began
        found = until_rows(admin_url, sent)
        whole = time.monotonic() - began
        ended.set()
        watcher.join()
    half = max(mb for at, mb in seen if at <= whole / 2)
    console.print(f"acknowledged       {sent:,} tweets in {seconds:.0f} s, {sent / seconds:,.0f} a second")
    console.print(f"rows               {found:,}, all there {whole:.0f} s after the first was sent")
    console.print(f"longest backlog    {backlog:,} tweets acknowledged and not rows yet")
    console.print(f"memory, MB         {before:.0f} before, {half:.0f} at most in the first half of the time, "
                  f"{max(mb for _, mb in seen):.0f} in all")  # fmt: skip


def full_disk(console: Console, home: Path) -> None:
    """Send to a home of 30 MB until nothing is taken any more, make room, and look for what was acknowledged."""
    home.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(home)]
    if subprocess.run(mount, capture_output=True).returncode:
        console.print("full disk          not measured: only root can mount a small disk")
        return
    try:
        with served(home) as (_, firehose, admin_url):
            sent, refused = 0, ""
            while not refused and sent < TWEETS:
                try:
                    sent += send(firehose, sent)
                except firehose.exceptions.ServiceUnavailableException as error:
                    refused = error.response["Error"]["Code"]
            subprocess.run(["mount", "-o", "remount,size=1g", str(home)], check=True)
            console.print(
                f"full disk          {sent:,} tweets acknowledged on {DISK_MB} MB, then {refused or 'no refusal'}"
            )
            console.print(f"after there is room {until_rows(admin_url, sent):,} rows")
    finally:
        subprocess.run(["umount", str(home)], check=True)


def run(console: Console) -> None:
    with tempfile.TemporaryDirectory() as folder:
        flood(console, Path(folder) / "flood")
        full_disk(console, Path(folder) / "small")
