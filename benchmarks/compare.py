"""`make bench-compare`: what a tweet costs in the transform, before a change and after it, in one run.

`python -m benchmarks.compare BEFORE [AFTER]`: revisions; without AFTER, the working tree. Both read the same tweets and
take turns, batch by batch, so that what disturbs one disturbs the other.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import ROOT, records

ROUNDS = 7  # a batch's best counts: in the others it was disturbed
WORKER = """
import json, sys, time
from pathlib import Path
from benchmarks import transform
every = transform.events(Path(sys.argv[1]).read_bytes().splitlines())
clock = getattr(transform, "cpu", time.thread_time)
for asked in sys.stdin:
    turn, n = json.loads(asked)
    batch = transform.another(every[n], turn)
    began = clock()
    transform.whole(batch)
    print(clock() - began, flush=True)
"""


class Worker:
    """A process that runs one revision's transform."""

    def __init__(self, sources: Path, tweets: Path) -> None:
        subprocess.run([sys.executable, "-m", "accelerator"], cwd=sources, capture_output=True, check=False)
        command = [sys.executable, "-c", WORKER, str(tweets)]
        self._process = subprocess.Popen(command, cwd=sources, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def seconds(self, turn: int, batch: int) -> float:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps([turn, batch]) + "\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def checked_out(revision: str | None) -> Iterator[Path]:
    """Yield a folder with a revision's files; the working tree for none."""
    if revision is None:
        yield ROOT
        return
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "archive", revision], cwd=ROOT, capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x"], cwd=folder, input=archive, check=True)
        yield Path(folder)


def compare(revisions: list[str | None]) -> list[float]:
    """Return each revision's microseconds a tweet."""
    lines = [line.rstrip(b"\n") for line in records() if json.loads(line).get("text", "").strip()]
    with contextlib.ExitStack() as stack:
        tweets = Path(stack.enter_context(tempfile.TemporaryDirectory()), "tweets.ndjson")
        tweets.write_bytes(b"\n".join(lines))
        workers = []
        for revision in revisions:
            workers.append(Worker(stack.enter_context(checked_out(revision)), tweets))
            stack.callback(workers[-1].close)
        batches = range(-(-len(lines) // 500))
        best = [[float("inf") for _ in batches] for _ in workers]
        for turn in range(ROUNDS):
            for batch in batches:
                for own, worker in zip(best, workers, strict=True):
                    own[batch] = min(own[batch], worker.seconds(turn, batch))
    return [sum(own) / len(lines) * 1e6 for own in best]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("before")
    parser.add_argument("after", nargs="?")
    revisions = list(vars(parser.parse_args()).values())
    found = compare(revisions)
    table = Table(title=f"The whole transform without I/O, CPU time, each batch in the best of {ROUNDS} rounds")
    table.add_column("")
    for column in ("µs a tweet", "of the first"):
        table.add_column(column, justify="right")
    for revision, microseconds in zip(revisions, found, strict=True):
        table.add_row(revision or "working tree", f"{microseconds:.1f}", f"{microseconds / found[0]:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
