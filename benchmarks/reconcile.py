"""Reconcile up to a million tweet files, some damaged; compare with the naive way, a HEAD and a count query a file.

The function runs as it is, in a process of its own, against the local AWS over HTTP: its memory is that of the Lambda.
What is simulated: S3's LIST of the tweet files comes from a list in memory (the damaged files are real objects, so that
they can be loaded again), and the rows were made by the database itself instead of a million COPYs. Every row is there
with its file and line; but rows have no text. The warehouse is DuckDB on this machine, so its share of the seconds is
not Redshift's. RECONCILE_FILES and RECONCILE_ROWS set other sizes.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import orjson
import pyarrow as pa
import requests
from rich.console import Console
from rich.table import Table

from benchmarks import ROOT
from local.server import LocalAws

FILES = int(os.environ.get("RECONCILE_FILES", "1000000"))
ROWS = int(os.environ.get("RECONCILE_ROWS", "500"))  # of a file
DAMAGED = 1000
FILES_AN_HOUR = 2000
SAMPLE = 50  # files, for the naive way
START = datetime(2026, 1, 1, tzinfo=UTC)
WRITTEN = datetime(2026, 3, 1, tzinfo=UTC)
MEMORY = "8GB"  # for the warehouse: it adds up 500,000,000 rows, and spills what is more to the disk
DAMAGES = ("missing", "partial", "excess")

FUNCTION = """
import json, sys, time
from collections import Counter
from botocore.client import BaseClient

calls, statements, call = Counter(), 0, BaseClient._make_api_call

def counted(self, name, given):
    global statements
    service = self.meta.service_model.service_name
    calls[f"{service}.{name}"] += 1
    statements += len(given.get("Sqls", ())) or name == "ExecuteStatement"
    return call(self, name, given)

BaseClient._make_api_call = counted

class Context:
    def get_remaining_time_in_millis(self):
        return 7_200_000

def peak():  # since exec; getrusage's begins with the parent's
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024

from chalicelib.reconcile import run
from chalicelib.settings import settings
settings()
before, began = peak(), time.perf_counter()
report = run.run(json.loads(sys.argv[1]), Context(), sys.argv[2])
seconds = time.perf_counter() - began
measured = {"seconds": seconds, "before": before, "peak": peak(), "calls": calls, "statements": statements}
print(json.dumps({**measured, "report": report}, default=str))
"""


class Forest:
    """The tweet files of one size: their keys in order, and which are damaged how."""

    def __init__(self, files: int) -> None:
        self.hours = [START + timedelta(hours=n) for n in range(-(-files // FILES_AN_HOUR))]
        self.keys = [
            f"tweets/{self.hours[n // FILES_AN_HOUR]:dt=%Y-%m-%d/hh=%H}/{n:032x}-{ROWS}.ndjson.gz" for n in range(files)
        ]
        step = max(files // DAMAGED, 1)
        hit = range(step // 2, files, step)
        self.damaged = {self.keys[n]: DAMAGES[i % len(DAMAGES)] for i, n in enumerate(hit[:DAMAGED])}

    def hour(self, key: str) -> datetime:
        return datetime.strptime(key[7:26], "dt=%Y-%m-%d/hh=%H").replace(tzinfo=UTC)

    def body(self, key: str) -> bytes:
        """Return a file's content, so that it can be loaded again."""
        row = {"s3_key": key, "arrived_at": f"{self.hour(key):%Y-%m-%d %H:%M:%S}", "disaster_label": "flood"}
        first = self.keys.index(key) * ROWS
        lines = ({**row, "tweet_key": f"{first + n:032x}", "s3_line": n} for n in range(1, ROWS + 1))
        return gzip.compress(b"\n".join(map(orjson.dumps, lines)), 1)


@contextmanager
def listed(forest: Forest) -> Iterator[None]:
    """S3's LIST of tweets/ answers from the forest."""
    from moto.s3.models import FakeKey, S3Backend

    class Listed(FakeKey):  # type: ignore[misc]
        def __init__(self, name: str) -> None:
            self.name, self.checksum_algorithm, self._storage_class = name, None, "STANDARD"
            self.disposed = True  # there is no content to let go of

        etag, size, last_modified_ISO8601 = '"0"', 20_000, f"{WRITTEN:%Y-%m-%dT%H:%M:%S.000Z}"  # noqa: N815 - moto's

    original, folders = S3Backend.list_objects_v2, sorted({key[:21] for key in forest.keys})

    def list_objects_v2(
        self: Any, bucket: Any, prefix: str, delimiter: str, continuation_token: str, start_after: str, max_keys: int
    ) -> Any:
        if not (prefix or "").startswith("tweets/"):
            return original(self, bucket, prefix, delimiter, continuation_token, start_after, max_keys)
        if delimiter:
            return folders, False, None
        after = self._pagination_tokens.get(continuation_token) if continuation_token else start_after
        first = max(bisect_left(forest.keys, prefix), bisect_right(forest.keys, after or ""))
        found = [Listed(key) for key in forest.keys[first : first + max_keys + 1]]
        return self._truncate_result(found, max_keys)

    with mock.patch.object(S3Backend, "list_objects_v2", list_objects_v2):
        yield


def plant(forest: Forest, aws: LocalAws) -> None:
    """Load rows for all files but what the damage took, and the damaged files themselves."""
    import boto3

    from local.aws.warehouse.responses import LiveRedshiftData

    s3 = boto3.client("s3")
    for key in forest.damaged:
        s3.put_object(Bucket=aws.stream, Key=key, Body=forest.body(key))
    damage = [forest.damaged.get(key, "") for key in forest.keys]
    files = pa.table({"s3_key": forest.keys, "damage": damage, "first": [n * ROWS for n in range(len(forest.keys))]})
    cursor = LiveRedshiftData.statements.warehouse._connection.cursor()
    cursor.execute(f"SET GLOBAL memory_limit = '{MEMORY}'")
    cursor.register("planted", files)
    insert = "INSERT INTO disaster.disaster_tweets (tweet_key, s3_key, s3_line, arrived_at, loaded_at, disaster_label) "
    cursor.execute(f"""{insert}
        SELECT
            format('{{:032x}}', first + line), s3_key, line, hour + INTERVAL 1 MINUTE, hour + INTERVAL 6 MINUTE, 'flood'
        FROM (SELECT *, strptime(s3_key[8:26], 'dt=%Y-%m-%d/hh=%H') AS hour FROM planted),
            range(1, {ROWS + 1}) AS r (line)
        WHERE damage <> 'missing' AND NOT (damage = 'partial' AND line = 1)
    """)
    cursor.execute(f"""{insert}
        SELECT
            format('{{:032x}}', first + {ROWS}), s3_key, {ROWS}, strptime(s3_key[8:26], 'dt=%Y-%m-%d/hh=%H'), now(),
            'flood'
        FROM planted WHERE damage = 'excess'
    """)
    cursor.execute("""
        INSERT INTO disaster.reconciliation
            (reconciliation_id, started_at, repair, grace_seconds, swept, hours, repeats_until)
        SELECT 'former', now(), TRUE, 0, FALSE, 0, MAX(loaded_at) FROM disaster.disaster_tweets
    """)  # which has looked for tweets that came more than once
    cursor.close()


def function(forest: Forest) -> dict[str, Any]:
    """Run one reconciliation of all of it, in a process of its own: what it measured, and its report."""
    asked = {"from": START.isoformat(), "to": (forest.hours[-1] + timedelta(hours=1)).isoformat()}
    arguments = json.dumps({**asked, "repair": True, "grace_seconds": 0})
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", FUNCTION, arguments, "20260301T000000Z-be4c00"]
    ended = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(ended.stderr[-2000:])
    measured: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return measured


def found_damage() -> dict[str, str]:
    from chalicelib.warehouse import data_api

    rows = data_api.query("SELECT s3_key, state FROM disaster.reconciliation_finding")
    return {row["s3_key"]: row["state"] for row in rows}


def naive(keys: Sequence[str], bucket: str) -> float:
    """Return seconds a file for a HEAD and a count query each, one after the other."""
    import boto3

    from chalicelib.warehouse import data_api

    s3 = boto3.client("s3")
    asked = "SELECT COUNT(*) AS n, COUNT(DISTINCT s3_line) AS d FROM disaster.disaster_tweets WHERE s3_key = :key"
    began = time.perf_counter()
    for key in keys:
        s3.head_object(Bucket=bucket, Key=key)
        data_api.query(asked, {"key": key})
    return (time.perf_counter() - began) / len(keys)


def measure(files: int, console: Console) -> dict[str, Any]:
    """Measure one size, on a home of its own."""
    with (
        tempfile.TemporaryDirectory() as home,
        LocalAws(Path(home), port=0, api_port=0, look_every=86_400, delivery="firehose") as aws,
        console.status(f"{files:,} files: planting {files * ROWS:,} rows ...") as status,
    ):
        url = requests.post(f"{aws.admin_url}/warehouse/setup", timeout=60).json()["status_url"]
        while requests.get(aws.admin_url + url, timeout=60).json()["status"] == "running":
            time.sleep(0.2)
        forest = Forest(files)
        with listed(forest):
            plant(forest, aws)
            status.update(f"{files:,} files: reconciling ...")
            measured = function(forest)
            status.update(f"{files:,} files: the naive way, on a sample ...")
            measured["naive"] = naive(list(forest.damaged)[:SAMPLE], aws.stream)
        found = found_damage()
        measured["found"] = sum(found.get(key) == damage for key, damage in forest.damaged.items())
        measured["others"] = len(found.keys() - forest.damaged.keys())
        measured["damaged"] = len(forest.damaged)
        return measured


def run(console: Console) -> None:
    sizes = sorted({max(FILES // 100, 1), max(FILES // 10, 1), FILES})
    measured = [measure(files, console) for files in sizes]
    table = Table(title=f"Reconcile: {ROWS:,} rows a file, up to {DAMAGED:,} files damaged", title_justify="left")
    table.add_column("tweet files")
    for files in sizes:
        table.add_column(f"{files:,}", justify="right")
    for name, cell in LINES.items():
        table.add_row(name, *(cell(files, m) for files, m in zip(sizes, measured, strict=True)))
    console.print(table)
    console.print(
        f"The naive way is measured on {SAMPLE} files. Rows are real, the listing is simulated: "
        "the head of benchmarks/reconcile.py says how.",
        style="dim",
    )


LINES: dict[str, Callable[[int, Mapping[str, Any]], str]] = {
    "rows": lambda files, _: f"{files * ROWS:,}",
    "seconds": lambda _, m: f"{m['seconds']:,.1f}",
    "the function's peak memory, MB": lambda _, m: f"{m['peak']:,.0f}",
    "  before it began": lambda _, m: f"{m['before']:,.0f}",
    "LIST requests, 1,000 keys each": lambda _, m: f"{m['report']['looked_at']['list_requests']:,}",
    "S3 requests in all": lambda _, m: f"{sum(n for name, n in m['calls'].items() if name.startswith('s3.')):,}",
    "statements": lambda _, m: f"{m['statements']:,}",
    "damaged files found": lambda _, m: f"{m['found']:,} of {m['damaged']:,}",
    "others found": lambda _, m: f"{m['others']:,}",
    "repaired": lambda _, m: f"{m['report']['repairs']['files']:,}",
    "naive: HEAD and count query a file": lambda files, _: f"{2 * files:,} calls",
    "  its time, extrapolated": lambda files, m: str(timedelta(seconds=round(m["naive"] * files))),
}
