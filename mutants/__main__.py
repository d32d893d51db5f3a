"""`python -m mutants [PATH ...]`: tries every mutant of the sources, prints the score and the survivors.

Exit status: 0 if every survivor is explained in mutants/accepted.toml; 1 if one isn't, or an explanation is of no use
any more; 2 if a test fails on the code as it is.

What it finds is kept in .mutants/, so a run that was cut short goes on where it was. A killed mutant stays killed while
its function and the file of the test that killed it are as they were; a survivor is tried again once its function, or a
file of the tests that it survived, has changed. To try all anew, remove .mutants/.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import hashlib
import itertools
import json
import math
import os
import re
import secrets
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mutants import accepted, lines, trial
from mutants.changes import Mutant, mutants

ROOT = Path(__file__).parents[1]
STATE = ROOT / ".mutants"
GOAL = 0.90
LARGE = ("boto3", "moto.server", "duckdb", "hypothesis.strategies", "pytest", "coverage", "sqlglot", "rich.progress")
"""What takes long to import, and is none of the repository's: imported once, not by each process."""

TARGETS = {
    "chalicelib/transform/*.py": (
        "transform",
        "transform_[dpu]*",
        "put_back",
        "time_of_an_id",
        "told",
        "text_key",
    ),
    "chalicelib/transform/accelerator.py": ("accelerator",),
    "chalicelib/transform/recipe.py": ("accelerator",),
    "chalicelib/transform/surge.py": ("transform_drops", "loader_decides"),
    "chalicelib/warehouse/*.py": ("migrations", "data_api_*", "copy_statement", "warehouse_s*"),
    "chalicelib/warehouse/statements.py": ("reconcile_statements",),
    "chalicelib/reconcile/*.py": (
        "loader_decides",
        "reconcile_error_files",
        "reconcile_listing",
        "reconcile_plan",
        "reconcile_repair_*",
        "reconcile_report",
        "reconcile_sql",
        "reconcile_statements",
        "reconcile_steps",
        "reconcile_whole",
    ),
    "chalicelib/reconcile/hours.py": ("reconcile_hours", "reconcile_listing", "reconcile_steps", "reconcile_whole"),
    "chalicelib/reconcile/lock.py": ("reconcile_lock_clock",),
    "chalicelib/reconcile/look.py": ("loader_look",),
    "chalicelib/pages/charts.py": ("reconciliation_charts", "reconciliation_page"),
    "chalicelib/conditional.py": ("reconcile_lock_clock",),
    "chalicelib/pages/reconciliation.py": ("reconciliation_page", "reconciliation_page_parts"),
    "producer.py": ("producer*",),
    "readers.py": ("readers", "producer"),
}
"""Source files, and the tests that describe them: `test_<name>.py` of whichever tier; others aren't tried. Of several
patterns that a file matches the last one counts. Tests with a local AWS of their own are mostly left out: a trial takes
ten times as long with them."""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="*", default=[], help="files or folders; all of the sources without any")
    parser.add_argument("--sample", type=int, help="try so many mutants of each file only, chosen by chance")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes at a time (one a core)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of tests a mutant, at most (3); one is always run")
    options = parser.parse_args(argv)
    os.chdir(ROOT)
    sources = [file for file in targets() if not options.paths or any(_within(file, path) for path in options.paths)]
    if not sources:
        parser.error(f"none of the sources is in {', '.join(options.paths)}; they are {', '.join(TARGETS)}")

    measured = measure(sources, options.workers)
    broken = sorted({test for each in measured.values() for test in each.failed})
    if broken:
        print("These tests fail on the code as it is:", *broken, sep="\n  ")
        return 2
    found = [mutant for file in sources for mutant in mutants(file, (ROOT / file).read_bytes())]
    outcomes = try_all(sample(found, options.sample), measured, options.workers, options.seconds)
    if unfit := control(outcomes, measured, options.workers):
        print("These tests fail in a trial of the code as it is, so what they kill says nothing:", *unfit, sep="\n  ")
        return 2
    return report(found, outcomes)


def sample(found: Sequence[Mutant], size: int | None) -> list[Mutant]:
    """Return so many mutants of each file, all for None: the same each time, and a larger sample holds the smaller."""
    chosen: list[Mutant] = []
    for _, of_file in itertools.groupby(found, key=lambda mutant: mutant.file):
        by_chance = sorted(of_file, key=lambda mutant: hashlib.sha256(repr(mutant.name).encode()).digest())
        chosen += by_chance[:size]
    return chosen


def targets() -> dict[str, list[str]]:
    """Return the sources, each with its test files."""
    tests = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py"))
    return {
        path.relative_to(ROOT).as_posix(): [t for t in tests if any(fnmatch(t, f"tests/*/test_{n}.py") for n in names)]
        for pattern, names in TARGETS.items()
        for path in sorted(ROOT.glob(pattern))
    }


def _within(file: str, path: str) -> bool:
    return file == path or file.startswith(path.rstrip("/") + "/")


@cache
def digest(*names: str) -> str:
    """Return of the contents of files."""
    found = hashlib.sha256()
    for name in names:
        with contextlib.suppress(OSError):
            found.update(name.encode() + (ROOT / name).read_bytes())
    return found.hexdigest()[:16]


def _helpers() -> list[str]:
    """Return what tests share."""
    return sorted(
        p.relative_to(ROOT).as_posix() for p in (ROOT / "tests").rglob("*.py") if not p.name.startswith("test_")
    )


# ------------------------------------------------------------------ which tests run which lines


def measure(sources: Sequence[str], workers: int) -> dict[str, lines.Measured]:
    """Return what each test file runs, as measured now or, where neither it nor what it runs has changed, before."""
    by_source = targets()
    files = sorted({test for source in sources for test in by_source[source]})
    every = list(by_source)
    missing = [file for file in files if not _fresh(file)]
    if missing:
        trial.preload(LARGE)
    with bar("Running tests", len(missing)) as advance:
        running: dict[int, str] = {}
        left = iter(missing)
        while True:
            while len(running) < workers and (file := next(left, None)):
                pid = os.fork()
                if not pid:
                    _measure_and_end(file, every)
                running[pid] = file
            if not running:
                break
            pid, _ = os.wait()
            if running.pop(pid, None):
                advance()
    known = {file: found for file in files if (found := lines.load(_record(file)))}
    lost = [file for file in files if file not in known]
    if lost:
        raise SystemExit(f"These could not be run: {', '.join(lost)}")
    return known


def _measure_and_end(file: str, sources: Sequence[str]) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    try:
        found = lines.measure(file, sources, ROOT)
        lines.save(found, _record(file))
        _record(file).with_suffix(".digest").write_text(digest(file, *_helpers(), *sorted(found.lines)))
    finally:
        os._exit(0)


def _record(file: str) -> Path:
    return STATE / "lines" / f"{Path(file).stem}.json"


def _fresh(file: str) -> bool:
    found = lines.load(_record(file))
    with contextlib.suppress(OSError):
        known = _record(file).with_suffix(".digest").read_text()
        return found is not None and not found.failed and known == digest(file, *_helpers(), *sorted(found.lines))
    return False


# ------------------------------------------------------------------ trying


def try_all(
    chosen: Sequence[Mutant], measured: dict[str, lines.Measured], workers: int, most: float
) -> dict[Mutant, trial.Outcome]:
    """Return each mutant's outcome, known from before or found now."""
    results, this_run = STATE / "results.jsonl", secrets.token_hex(8)
    before = {tuple(each["name"]): each for each in trial.told(results)}
    outcomes: dict[Mutant, trial.Outcome] = {}
    jobs: list[trial.Job] = []
    for mutant in chosen:
        last = before.get(mutant.name)
        killer = last["by"].removesuffix(" (no end)") if last else ""
        tests, on_import = tests_for(mutant, measured, killer)
        if not tests:
            outcomes[mutant] = trial.Outcome(trial.UNTESTED)
        elif (
            last
            and killer in {"", "import", *(test for test, _ in tests)}
            and last["seen"] == seen(mutant, last["status"], killer, tests)
            and last["seconds"] >= most
        ):
            outcomes[mutant] = trial.Outcome(last["status"], last["by"])
        else:
            jobs.append(trial.Job(mutant, (ROOT / mutant.file).read_bytes(), tests, on_import, most))

    def keep(job: trial.Job, outcome: trial.Outcome) -> None:
        line = {
            "name": job.mutant.name,
            "status": outcome.status,
            "by": outcome.by,
            "seen": seen(job.mutant, outcome.status, outcome.by.removesuffix(" (no end)"), job.tests),
            "seconds": math.inf if outcome.status == trial.KILLED else most,
            "run": this_run,
        }
        with results.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def known() -> dict[Any, dict[str, Any]]:
        return {tuple(each["name"]): each for each in trial.told(results) if each["run"] == this_run}

    trial.preload(sorted({name for each in measured.values() for name in each.modules}))
    quick = [job for job in jobs if not job.on_import]
    with bar("Trying mutants in place", len(quick)) as advance:
        trial.in_place(quick, workers, ROOT, keep, advance)
    tried = known()
    slow = [job for job in jobs if job.mutant.name not in tried]
    with bar("Trying mutants by import", len(slow)) as advance:
        trial.on_import(slow, workers, ROOT, keep, advance)
    tried = known()
    for job in jobs:
        last = tried[job.mutant.name]
        outcomes[job.mutant] = trial.Outcome(last["status"], last["by"])
    return outcomes


def control(outcomes: dict[Mutant, trial.Outcome], measured: dict[str, lines.Measured], workers: int) -> list[str]:
    """Return those of the tests that killed a mutant which fail in a trial though nothing is changed.

    A test that passed is not tried again until its file, or what tests share, has changed.
    """
    results = STATE / "control.jsonl"
    seconds = {test: took for each in measured.values() for test, took in each.seconds.items()}
    killers = {outcome.by.removesuffix(" (no end)") for outcome in outcomes.values()} & set(seconds)

    def now(test: str) -> str:
        return digest(test.partition("::")[0], *_helpers())

    def passed() -> set[str]:
        return {each["test"] for each in trial.told(results) if each["passed"] == now(each["test"])}

    def keep(job: trial.Job, outcome: trial.Outcome) -> None:
        ((test, _),) = job.tests
        with results.open("a") as file:
            file.write(json.dumps({"test": test, "passed": outcome.status == trial.SURVIVED and now(test)}) + "\n")

    left = sorted(killers - passed())
    jobs = [trial.Job(trial.UNCHANGED, b"", [(test, seconds[test])], False, math.inf) for test in left]
    with bar("Trying those tests unchanged", len(jobs)) as advance:
        trial.in_place(jobs, workers, ROOT, keep, advance)
    return sorted(killers - passed())


def seen(mutant: Mutant, status: str, killer: str, tests: Sequence[tuple[str, float]]) -> str:
    """Return what differs once an outcome may be another: of the mutant's function, and of the tests that told."""
    told = {killer} if status == trial.KILLED else {test for test, _ in tests}
    files = sorted({test.partition("::")[0] for test in told})
    return f"{mutant.around} {digest(*files, *(_helpers() if status != trial.KILLED else ()))}"


def tests_for(mutant: Mutant, measured: dict[str, lines.Measured], killer: str) -> tuple[list[tuple[str, float]], bool]:
    """Return the tests that run the mutant's lines, each with its seconds, and whether the change matters on import.

    The shortest comes first, but `killer`, which killed it the last time, before all.
    """
    ran: set[str] = set()
    seconds: dict[str, float] = {}
    for each in measured.values():
        seconds |= each.seconds
        ran |= {test for line in mutant.lines for test in each.lines.get(mutant.file, {}).get(line, ())}
    imported = not mutant.where or (lines.ON_IMPORT in ran)
    ran.discard(lines.ON_IMPORT)
    if not mutant.where or not ran:  # a constant, say: whoever runs a line that names it
        ran |= _users(mutant, measured)
    ordered = sorted(ran & set(seconds), key=lambda test: (test != killer, seconds[test], test))
    return [(test, seconds[test]) for test in ordered], imported


def _users(mutant: Mutant, measured: dict[str, lines.Measured]) -> set[str]:
    """Return the tests that name what the mutant's statement assigns, or run a line of any source that does; else those
    of its file.
    """
    source = (ROOT / mutant.file).read_text().splitlines()
    name = re.match(r"\s*(?:def |class )?(\w+)", source[mutant.lines[0] - 1])
    found: set[str] = set()
    for file in targets():
        named = naming((ROOT / file).read_text(), name[1]) if name else set()
        for each in measured.values():
            found |= {test for n in named for test in each.lines.get(file, {}).get(n, ())}
    for file, each in measured.items():
        functions = functions_naming((ROOT / file).read_text(), name[1]) if name else set()
        found |= {test for test in each.seconds if test.partition("::")[2].partition("[")[0] in functions}
    found.discard(lines.ON_IMPORT)
    if not found:
        found = {t for each in measured.values() for tests in each.lines.get(mutant.file, {}).values() for t in tests}
        found.discard(lines.ON_IMPORT)
    return found


def naming(source: str, name: str) -> set[int]:
    """Return the lines of a source with a name, and of a function that has it in its head all lines of the body."""
    word = re.compile(rf"\b{name}\b")
    found = {number for number, line in enumerate(source.splitlines(), 1) if word.search(line)}
    for each in ast.walk(ast.parse(source)):
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
            first = each.body[0].lineno
            if found & set(range(each.lineno, first)):
                found |= set(range(first, (each.end_lineno or first) + 1))
    return found


def functions_naming(source: str, name: str) -> set[str]:
    """Return the functions of a source in which a name stands."""
    named = naming(source, name)
    return {
        each.name
        for each in ast.walk(ast.parse(source))
        if isinstance(each, ast.FunctionDef) and named & set(range(each.lineno, (each.end_lineno or 0) + 1))
    }


# ------------------------------------------------------------------ telling


def report(found: Sequence[Mutant], outcomes: dict[Mutant, trial.Outcome]) -> int:
    """Print score and survivors; the exit status."""
    reasons = accepted.read()
    survivors = [mutant for mutant in outcomes if outcomes[mutant].status != trial.KILLED]
    unexplained, useless = accepted.judge(
        [mutant.key for mutant in survivors],
        [mutant.key for mutant in outcomes],
        [mutant.key for mutant in found],
        reasons,
    )
    for mutant in survivors:
        if mutant.key not in reasons:
            print(f"{mutant.file}:{mutant.line} {mutant.where} [{outcomes[mutant].status}]")
            print(f"  - {mutant.before}\n  + {mutant.after}")
    by_file = Counter(mutant.file for mutant in outcomes)
    alive = Counter(mutant.file for mutant in survivors)
    of_file = Counter(mutant.file for mutant in found)
    for file, count in by_file.items():
        print(f"{file:45} {count - alive[file]:5} of {count:5} killed  {(count - alive[file]) / count:6.1%}")
    killed = len(outcomes) - len(survivors)
    share = killed / len(outcomes) if outcomes else 1.0
    print(
        f"{killed:,} of {len(outcomes):,} mutants killed: {share:.1%}. "
        f"{len(survivors) - len([m for m in survivors if m.key not in reasons])} survivors explained, "
        f"{len([m for m in survivors if m.key not in reasons])} not."
    )
    if len(outcomes) < len(found):
        estimate, margin = estimated([(of_file[file], n, n - alive[file]) for file, n in by_file.items()])
        print(f"Of all {len(found):,} mutants, by this sample: {estimate:.1%} ± {margin:.1%} (95 % confidence)")
    for key in useless:
        print(f"Explained in {accepted.FILE.name}, but killed or gone: {key}")
    return 1 if unexplained or useless else 0


def estimated(files: Sequence[tuple[int, int, int]]) -> tuple[float, float]:
    """Return the share of killed mutants that samples of files tell, and how far it may be off with 95 % confidence.

    `files`: of each (mutants, tried, killed). A stratified sample, with the correction for finite populations; the
    share of a file counts two more tries, one of them a kill, in the margin, so that a file without survivors doesn't
    pass for certain (Cochran, Sampling Techniques, 5.3; Agresti and Coull 1998).
    """
    every = sum(size for size, _, _ in files)
    share = variance = 0.0
    for size, tried, killed in files:
        weight, likely = size / every, (killed + 1) / (tried + 2)
        share += weight * killed / tried
        variance += weight**2 * likely * (1 - likely) / tried * (size - tried) / max(1, size - 1)
    return share, 1.96 * math.sqrt(variance)


@contextlib.contextmanager
def bar(title: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a progress bar without a thread, for processes are forked beside it."""
    out = os.fdopen(os.dup(2), "w")  # pytest takes the other one
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(file=out), auto_refresh=False, disable=not total) as progress:
        task = progress.add_task(title, total=total)

        def advance() -> None:
            progress.advance(task)
            progress.refresh()

        yield advance


if __name__ == "__main__":
    sys.exit(main())
