"""Run the steps of the command line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from chalicelib.classifier import RELEVANT_SHARE, bundled
from chalicelib.classifier.text import tokens
from label_prep import card, clean, evaluate, files, information, label, near, pictures, split, train

ROOT = Path(__file__).parent.parent


@dataclass
class Run:
    """A run, whose steps are done when a later one asks for them."""

    data: Path
    out: Path
    seed: int
    choices: int
    console: Console

    def path(self, name: str) -> Path:
        path = self.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    @cached_property
    def cleaned(self) -> pd.DataFrame:
        report: Counter[tuple[str, str]] = Counter()
        with Progress(console=self.console, transient=True) as progress:
            task = progress.add_task("cleaning", total=None)
            pieces = []
            for piece in clean.frames(self.data, report):
                pieces.append(piece)
                progress.advance(task, len(piece))
        frame = pd.concat(pieces, ignore_index=True)
        frame.to_parquet(self.path("clean.parquet"), index=False)
        counts = pd.Series(report, dtype="int64").unstack(level=0, fill_value=0)
        order = list(dict.fromkeys(what for _, what in report))
        say(self.console, "Cleaned", counts.loc[order])
        self.path("clean.json").write_text(json.dumps(counts.to_dict(), indent=1))
        return frame

    @cached_property
    def labelled(self) -> pd.DataFrame:
        with self.console.status("finding near-duplicates"):
            grouped = self.cleaned.assign(
                group=near.groups([tokens(text) for text in self.cleaned["cleaning_text"]], self.seed)
            )
        with self.console.status("labelling"):
            settled, conflicts = label.settle(grouped)
            frame = label.kinds(settled)
        frame.to_parquet(self.path("labelled.parquet"), index=False)
        columns = ["source", "row", "event", "relevant", "vote_share", "settled_as", "text"]
        conflicts[columns].to_csv(self.path("conflicts.csv"), index=False)
        say(
            self.console,
            "Labelled: tweets by kind and the rule that gave it",
            pd.crosstab(frame["kind"], frame["rule"]),
        )
        near_by = len(frame) - frame["group"].nunique()
        self.console.print(
            f"{near_by:,} of {len(frame):,} tweets are near-duplicates of another; {len(conflicts):,} of the same "
            f"words had contradicting votes, listed in {self.path('conflicts.csv')}"
        )
        return frame

    @cached_property
    def parted(self) -> pd.DataFrame:
        frame = self.labelled.assign(part=split.assign(self.labelled, self.seed))
        notes = split.write(frame, self.path("split/train.parquet").parent)
        say(
            self.console,
            "Split: near-duplicates and whole events on one side only",
            pd.crosstab(frame["part"], frame["source"]),
        )
        for note in notes:
            self.console.print(f"  {note}")
        self.console.print(f"Comprehend's files and Parquet are in {self.path('split')}")
        return frame

    @cached_property
    def read(self) -> train.Read:
        with self.console.status("reading the texts as the classifier does"):
            return train.read(self.labelled["cleaning_text"].tolist())

    @cached_property
    def scores(self) -> evaluate.Scores:
        frame, read = self.labelled, self.read
        with Progress(console=self.console) as progress:
            task = progress.add_task("training on some, measuring on the rest")

            def tell(name: str, done: int, total: int) -> None:
                progress.update(task, completed=done, total=total, description=f"measuring on {name}")

            logits = evaluate.held_out(frame, read, self.choices, self.seed, tell)
        scores = evaluate.score(frame, read, logits, self.seed)
        scores.rows.to_parquet(self.path("held-out.parquet"), index=False)
        self.path("scores.json").write_text(json.dumps(scores.measured, indent=1))
        self.console.print(card.table(scores.measured))
        for path in pictures.draw(scores.rows[scores.rows["choice"] == 0], self.path("pictures/x").parent):
            self.console.print(f"  {path}")
        return scores

    @cached_property
    def information(self) -> tuple[float, dict[str, Any]]:
        """Slope of the logits of information types, and how good these are on crises not trained on."""
        with Progress(console=self.console) as progress:
            task = progress.add_task("information types", total=None)

            def tell(name: str, done: int, total: int) -> None:
                progress.update(task, completed=done, total=total, description=name)

            held = information.held_out(self.labelled, self.seed, tell)
        slope = information.fit_slope(held)
        measured = information.measure(held, slope)
        self.path("information.json").write_text(json.dumps(measured, indent=1))
        if table := card.information_table(measured):
            self.console.print(table)
        return slope, measured

    @cached_property
    def model(self) -> bytes:
        frame, scores = self.labelled, self.scores
        with self.console.status("training on everything"):
            features, linear = train.fit(frame, self.read.tokens, self.read.evidence, self.seed)
        flat = {k: round(v["value"], 4) for k, v in scores.measured.items() if isinstance(v, dict) and "value" in v}
        about = {
            "events": int(frame["event"].nunique()),
            "relevant_share": RELEVANT_SHARE,
            "seed": self.seed,
            "tweets": len(frame),
        }
        slope, told = self.information
        header, rows = information.fit(frame.iloc[information.gold(frame)], self.seed)
        content = train.pack(features, linear, scores.calibration, flat, about, ({**header, "slope": slope}, rows))
        self.path("model.bin").write_bytes(content)
        self.path("model-card.md").write_text(
            card.page(
                frame.assign(doubtful=list(map(train.doubtful, self.read.evidence))),
                scores.measured | {"information": told},
                features,
                content,
            )
        )
        self.console.print(f"{self.path('model.bin')}: {len(content):,} bytes; its card: {self.path('model-card.md')}")
        return content


def evaluate_held_out(run: Run) -> None:
    """Measure on what is held out, draw, and print."""
    _ = run.scores, run.information


def everything(run: Run) -> None:
    _ = run.parted, run.model


STEPS: dict[str, Callable[[Run], object]] = {
    "all": everything,
    "clean": lambda run: run.cleaned,
    "label": lambda run: run.labelled,
    "split": lambda run: run.parted,
    "train": lambda run: run.model,
    "evaluate": evaluate_held_out,
}


def install(run: Run) -> None:
    """Put the model where the app loads it, its card and pictures with the docs."""
    bundled.MODEL.write_bytes(run.model)
    docs = ROOT / "docs"
    (docs / "model-card.md").write_text(run.path("model-card.md").read_text())
    (docs / "model-card").mkdir(exist_ok=True)
    for picture in sorted(run.path("pictures/x").parent.glob("*.png")):
        (docs / "model-card" / picture.name).write_bytes(picture.read_bytes())
    run.console.print(f"installed {bundled.MODEL} and {docs / 'model-card.md'}")


def evaluate_file(path: Path, out: Path, console: Console) -> None:
    """Score the bundled classifier on a file with text and labels, print and draw; of a folder, print one line a CSV.

    Raise InputError for what can't be read.
    """
    if path.is_dir():
        for table in files.survey(path):
            console.print(table)
        return
    rows, report = files.score(path)
    for table in report:
        console.print(table)
    for picture in pictures.draw(rows, out / "pictures" / path.stem):
        console.print(f"  {picture}")


def say(console: Console, title: str, counts: pd.DataFrame) -> None:
    """Print counts as a table."""
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for column in counts.columns:
        table.add_column(str(column), justify="right")
    for name, row in counts.iterrows():
        table.add_row(str(name), *(f"{value:,}" if value else "" for value in row))
    console.print(table)
