"""`make bench`, or `python -m benchmarks transform reconcile` for some of the tables."""

from __future__ import annotations

import argparse
import platform
from importlib import import_module

from rich.console import Console

from benchmarks import source

TABLES = ("transform", "cold_start", "classifier", "places", "text_key", "situations", "label_prep", "reconcile")
MORE = ("transformer", "limits", "duplicates", "throughput", "live")
"""Tables for those who name them: they need more than requirements-dev.txt, or a machine to themselves for long."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    some = f"some of {', '.join(TABLES)}, all of these when none is named; {', '.join(MORE)}"
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=some)
    chosen = parser.parse_args().tables or TABLES
    if unknown := set(chosen) - {*TABLES, *MORE}:
        parser.error(f"no such table: {', '.join(sorted(unknown))}. There are {', '.join((*TABLES, *MORE))}")
    console = Console()
    console.print(f"Python {platform.python_version()} on {platform.machine()}, tweets from {source().name}")
    for name in chosen:
        console.rule(name)
        import_module(f"benchmarks.{name}").run(console)


if __name__ == "__main__":
    main()
