"""Measure time and memory to clean and label a million tweets on one core, piece by piece."""

from __future__ import annotations

import csv
import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import ROOT, tweets

TWEETS = 1_000_000
HEADER = ("text", "choose_one", "choose_one:confidence", "tweetid", "keyword", "location")

OURS = """
from collections import Counter
import pyarrow as pa
import pyarrow.parquet as pq
from label_prep import clean, label, sources
source, report, writer = sources.SOURCES[0], Counter(), None
for piece in sources.pieces(path, source.columns):
    frame, _ = label.settle(clean.tidy(piece, source, report))
    table = pa.Table.from_pandas(label.kinds(frame).astype({"event": str}), preserve_index=False)
    writer = writer or pq.ParquetWriter(out, table.schema)
    writer.write_table(table.cast(writer.schema))
writer.close()
rows = report["crowdflower", "rows read"]
"""
REFERENCE = """
import pandas as pd
from benchmarks.original import clean
frame = pd.read_csv(path, encoding="utf-8")
frame["cleaned"] = frame["text"].apply(clean)
words = {"fire": "fire", "flood": "water", "storm": "wind", "earthquake": "earth", "bomb": "weapons"}
kinds = lambda text: next((kind for word, kind in words.items() if word in text), "none")
frame["label"] = frame["cleaned"].apply(kinds)
frame.to_parquet(out)
rows = len(frame)
"""
MEASURE = """
import json, resource, sys, time
from pathlib import Path
path, out, code = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
began = time.perf_counter()
exec(code)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"rows": rows, "seconds": time.perf_counter() - began, "mb": peak}))
"""


def write(path: Path) -> None:
    """Write a file of TWEETS tweets in CrowdFlower's columns, each a real text with a number, so that no two are the
    same.
    """
    texts = tweets()
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for n, text in zip(range(TWEETS), itertools.cycle(texts), strict=False):
            writer.writerow((f"{text} w{n}", "Relevant" if n % 2 else "Not Relevant", "0.8", n, "", ""))


def measure(code: str, path: Path) -> dict[str, float]:
    """Measure rows, seconds and the most megabytes resident, in an interpreter of its own."""
    command = [sys.executable, "-c", MEASURE, str(path), str(path.with_suffix(".parquet")), code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def run(console: Console) -> None:
    """Print the table. Takes some minutes and 300 MB of the temporary folder."""
    table = Table(title=f"{TWEETS:,} tweets cleaned and labelled, to Parquet, one process")
    table.add_column("")
    for column in ("seconds", "tweets a second", "most memory, MB"):
        table.add_column(column, justify="right")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tweets.csv")
        with console.status("writing a million tweets"):
            write(path)
        for name, code in (
            ("the original's cleaners and five keywords, pandas apply, all at once", REFERENCE),
            ("label_prep: clean and label, 50,000 at a time", OURS),
        ):
            with console.status(name):
                found = measure(code, path)
            table.add_row(
                name, f"{found['seconds']:.0f}", f"{found['rows'] / found['seconds']:,.0f}", f"{found['mb']:,.0f}"
            )
    console.print(table)
