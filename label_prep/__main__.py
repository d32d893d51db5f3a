"""`python -m label_prep`: from the public collections to labels, a split, a model and its card, in one command.

python -m label_prep                       all of it
python -m label_prep clean|label|split|train
python -m label_prep evaluate [FILE.csv]   what was held out, or any file with text and labels
python -m label_prep evaluate FOLDER       each CSV of a folder in one line, everyday sets apart from crises
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from label_prep import steps
from producer import InputError

ROOT = Path(__file__).parent.parent
STEPS = ("all", "clean", "label", "split", "train", "evaluate")


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status: 0, or 1 where the data can't be read."""
    parser = argparse.ArgumentParser(
        prog="python -m label_prep", description="Labels, a split and the bundled classifier."
    )
    parser.add_argument(
        "step", nargs="?", default="all", choices=STEPS, help="one step and those it needs (default: all)"
    )
    parser.add_argument("file", nargs="?", type=Path, help="evaluate: a CSV with text and labels, or a folder of such")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="where the collections lie")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "label_prep", help="where results go")
    parser.add_argument("--seed", type=int, default=2015, help="the same seed and data give the same files")
    parser.add_argument("--choices", type=int, default=1, help="choices of unseen events to measure with (default: 1)")
    parser.add_argument(
        "--install", action="store_true", help="put model and card where the app and the docs have them"
    )
    options = parser.parse_args(arguments)
    if options.file and options.step != "evaluate":
        parser.error("only evaluate takes a file")
    console = Console()
    run = steps.Run(options.data, options.out, options.seed, options.choices, console)
    try:
        if options.file:
            steps.evaluate_file(options.file, options.out, console)
            return 0
        with threadpool_limits(1):  # with more, sums differ in their last bits, and the model with them
            steps.STEPS[options.step](run)
        if options.install and options.step in ("all", "train"):
            steps.install(run)
    except (InputError, OSError) as error:
        console.print(f"[red]{error}[/red]")
        console.print(
            "The collections and their places are listed in label_prep/sources.py; --data names their folder."
        )
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
