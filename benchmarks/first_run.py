"""Measure the first `make demo`, set-up included, at each of some commits, one after the other.

    python -m benchmarks.first_run 60d98ae HEAD

For each: a fresh copy and a fresh virtual environment, pip's cache as it is. CPU seconds are of all processes together;
they tell more than the clock on a machine that others use, whose load is printed beside them.
"""

from __future__ import annotations

import io
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]


class Cost(NamedTuple):
    """What a command took: seconds by the clock, and of the CPU."""

    clock: float
    cpu: float


def timed(command: Sequence[str], folder: Path) -> Cost:
    """Run a command: what it took. Raises CalledProcessError."""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    variables = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "TYPED")}
    subprocess.run(command, cwd=folder, env=variables, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(time.monotonic() - began, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def megabytes(folder: Path) -> float:
    return sum(each.lstat().st_size for each in folder.rglob("*") if not each.is_symlink()) / 1e6


def measure(commit: str) -> tuple[Cost, Cost, float]:
    """Return what the first demo took, what the second, and the virtual environment's MB, of a commit's fresh copy."""
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
    with tempfile.TemporaryDirectory() as scratch:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(scratch, filter="data")
        first, second = (timed(["make", "demo"], Path(scratch)) for _ in range(2))
        return first, second, megabytes(Path(scratch, ".venv"))


def main(commits: Sequence[str]) -> None:
    table = Table(title=f"The first make demo, Python {sys.version.split()[0]}, {os.cpu_count()} cores")
    for name in ("commit", "set-up and demo, s", "CPU s", "demo again, s", "CPU s", ".venv, MB", "load before, after"):
        table.add_column(name, justify="left" if name == "commit" else "right")
    for commit in commits:
        before = os.getloadavg()[0]
        first, second, size = measure(commit)
        load = f"{before:.1f}, {os.getloadavg()[0]:.1f}"
        costs = (f"{each:.0f}" for each in (*first, *second, size))
        table.add_row(commit, *costs, load)
    Console(width=110).print(table)


if __name__ == "__main__":
    main(sys.argv[1:] or ["HEAD"])
