"""`make bench`, or `python -m benchmarks transform reconcile` for some of the tables."""

from __future__ import annotations

import argparse
import platform
from importlib import import_module

from rich.console import Console

from benchmarks import source

TABLES = ("transform", "classifier", "label_prep", "reconcile")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "tables", nargs="*", metavar="TABLE", help=f"some of {', '.join(TABLES)}; all when none is named"
    )
    chosen = parser.parse_args().tables or TABLES
    if unknown := set(chosen) - set(TABLES):
        parser.error(f"no such table: {', '.join(sorted(unknown))}. There are {', '.join(TABLES)}")
    console = Console()
    console.print(f"Python {platform.python_version()} on {platform.machine()}, tweets from {source().name}")
    for name in chosen:
        console.rule(name)
        import_module(f"benchmarks.{name}").run(console)


if __name__ == "__main__":
    main()
