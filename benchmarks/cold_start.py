"""What the first event of a function waits for: to import `app` from the unzipped bundle, then the first batch of 500.

Each start is a fresh interpreter of this machine, with the local AWS beside it. What Lambda takes to start a
sandbox is not in it. `make package` makes the bundle.
"""

from __future__ import annotations

import compileall
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import ROOT, records
from benchmarks.transform import BATCH, another, environment, events
from infra import package

STARTS = 5
PROGRAM = """
import time; clock, cpu = time.perf_counter(), time.process_time()
import json, sys
import app; imported = time.perf_counter() - clock, time.process_time() - cpu
with open(sys.argv[1]) as file: event = json.load(file)
clock, cpu = time.perf_counter(), time.process_time()
app.transform(event, None)
print(json.dumps([*imported, time.perf_counter() - clock, time.process_time() - cpu]), file=sys.stderr)
"""
ROWS = ("import app, by the clock", "import app, CPU", "first batch, by the clock", "first batch, CPU")


def starts(event: dict[str, Any], where: Path, first: int) -> list[float]:
    """Return the median seconds of each of ROWS. Every start gets a batch of its own, numbered from `first`."""
    found = []
    for turn in range(first, first + STARTS):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(another(event, turn), file)
            file.flush()
            command = [sys.executable, "-B", "-c", PROGRAM, file.name]
            done = subprocess.run(
                command,
                cwd=where,
                env={**os.environ, "PYTHONPATH": str(where)},
                capture_output=True,
                text=True,
                check=True,
            )
        found.append(json.loads(done.stderr.splitlines()[-1]))
    return [statistics.median(each) for each in zip(*found, strict=True)]


def run(console: Console) -> None:
    """Print the table. Needs the ports of a local stack, which it starts itself."""
    from local.server import LocalAws

    packages = sorted((ROOT / "build").glob("**/deployment.zip"), key=lambda path: path.stat().st_mtime)
    if not packages:
        console.print("There is no bundle: make package")
        return
    lines = [line for line in records() if json.loads(line).get("text", "").strip()][:BATCH]
    (event,) = events(lines)
    with tempfile.TemporaryDirectory() as scratch, LocalAws(Path(scratch, "home"), port=0, api_port=0) as stack:
        os.environ.update(environment(stack.endpoint_url))
        where = Path(scratch, "task")
        package.unzip(packages[-1], where)
        for cache in where.rglob("__pycache__"):
            assert not any(sys.implementation.cache_tag in each.name for each in cache.iterdir()), cache
        without = starts(event, where, 1000)
        compileall.compile_dir(where, quiet=2)
        compiled = starts(event, where, 2000)
    size = packages[-1].stat().st_size
    table = Table(title=f"{packages[-1].relative_to(ROOT)}, {size / 1e6:.1f} MB; median of {STARTS} starts, s")
    for column in ("", "with bytecode", "without"):
        table.add_column(column, justify="right" if column else "left")
    for name, *seconds in zip(ROWS, compiled, without, strict=True):
        table.add_row(name, *(f"{each:.2f}" for each in seconds))
    console.print(table)
