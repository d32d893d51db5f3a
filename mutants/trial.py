"""Run tests on mutants, each in a process forked from one that has imported everything: a trial takes milliseconds."""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.machinery import SourceFileLoader
from itertools import pairwise
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NoReturn

from mutants.changes import Mutant
from mutants.lines import OPTIONS, Untroubled

KILLED, SURVIVED, UNTESTED = "killed", "survived", "untested"
UNCHANGED = Mutant("", "", 0, (), 0, 0, "", "", "", "")
"""No mutant: a trial of the code as it is."""
NOT_HERE = 3
"""Exit status of a trial that needs a fresh import."""


@dataclass(frozen=True)
class Job:
    """A mutant with the tests to try on it, in their order, each with the seconds it takes on the code as it is."""

    mutant: Mutant
    source: bytes
    tests: Sequence[tuple[str, float]]
    on_import: bool  # the change matters when the file is imported
    seconds: float  # of tests, at most; one is always tried


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant, and the test that failed: `<test>`, or `<test> (no end)`."""

    status: str
    by: str = ""


Keep = Callable[[Job, Outcome], None]


class Experience:
    """How often each test killed a mutant of each function: who did it before is the first to be tried again."""

    def __init__(self) -> None:
        self._killed: Counter[tuple[str, str, str]] = Counter()
        self._passed: Counter[tuple[str, str, str]] = Counter()

    def ordered(self, job: Job) -> Job:
        """Return the job with its tests by their chance to fail in a second, the best first, up to its seconds.

        The first one stays: it is the shortest, or killed this mutant before.
        """

        def chance(test: tuple[str, float]) -> float:
            place = job.mutant.file, job.mutant.where, test[0]
            share = (self._killed[place] + 0.5) / (self._killed[place] + self._passed[place] + 1)
            return -share / (test[1] + 0.01)

        chosen: list[tuple[str, float]] = []
        left = job.seconds
        for test in (*job.tests[:1], *sorted(job.tests[1:], key=chance)):
            left -= test[1]
            if chosen and left < 0:
                break
            chosen.append(test)
        return replace(job, tests=chosen)

    def learn(self, job: Job, outcome: Outcome) -> None:
        killer = outcome.by.removesuffix(" (no end)")
        for test, _ in job.tests:
            place = job.mutant.file, job.mutant.where, test
            if test == killer:
                self._killed[place] += 1
                return
            self._passed[place] += 1


def trials(jobs: Iterable[Job], workers: int, attempt: Callable[[Job], str | None]) -> Iterator[tuple[Job, Outcome]]:
    """Yield each job's outcome as it comes, `workers` at a time. Jobs that need a fresh import are not yielded.

    `attempt` runs in a process of its own, and returns the test that failed, or None.
    """
    waiting, running, experience = iter(jobs), dict[int, tuple[Job, Path, Job]](), Experience()
    scratch = Path(f"/tmp/mutants-{os.getpid()}")  # noqa: S108 - made by this process alone, removed in the end
    try:
        while True:
            while len(running) < workers and (job := next(waiting, None)):
                folder = scratch / str(time.monotonic_ns())
                folder.mkdir(parents=True)
                ordered = experience.ordered(job)
                running[_fork(ordered, attempt, folder)] = job, folder, ordered
            if not running:
                return
            pid, status = os.wait()
            if pid not in running:
                continue
            job, folder, ordered = running.pop(pid)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)  # what it started
            told = (folder / "told").read_text() if (folder / "told").exists() else ""
            shutil.rmtree(folder, ignore_errors=True)
            if os.WIFSIGNALED(status):
                outcome = Outcome(KILLED, f"{told} (no end)")
            elif os.WEXITSTATUS(status) == NOT_HERE:
                continue
            else:
                outcome = Outcome(KILLED, told) if os.WEXITSTATUS(status) else Outcome(SURVIVED)
            experience.learn(ordered, outcome)
            yield job, outcome
    finally:
        for pid in running:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        shutil.rmtree(scratch, ignore_errors=True)


def _fork(job: Job, attempt: Callable[[Job], str | None], folder: Path) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        os.environ["TMPDIR"] = str(folder)
        _Clock.told = folder / "told"
        failed = attempt(job)
        if failed is not None:
            _Clock.told.write_text(failed)
        status = 0 if failed is None else 1
    except NotHereError:
        status = NOT_HERE
    except BaseException as error:
        with contextlib.suppress(OSError):
            (folder / "told").write_text(f"{type(error).__name__}: {error}")
    finally:
        os._exit(status)


class _Clock:
    """Ends this process when a test takes far longer than it should: by CPU time, and by the clock should it wait."""

    told: Path

    @classmethod
    def start(cls, test: str, seconds: float) -> None:
        cls.told.write_text(test)
        signal.setitimer(signal.ITIMER_PROF, 4 + 5 * seconds)
        signal.setitimer(signal.ITIMER_REAL, 20 + 20 * seconds)


class NotHereError(Exception):
    """The change can't be put into what is imported already."""


# ------------------------------------------------------------------ with everything imported


class InPlace:
    """A pytest plugin: once the tests are collected, tries mutants on functions by exchanging their code."""

    def __init__(self, jobs: Sequence[Job], workers: int, root: Path, keep: Keep, advance: Callable[[], None]) -> None:
        self.jobs, self.workers, self.root, self.keep, self.advance = jobs, workers, root, keep, advance
        self.failed = False
        self.functions: dict[tuple[str, str, int], list[FunctionType]] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.failed = self.failed or report.failed

    def pytest_runtestloop(self, session: Any) -> bool:
        self.items = {item.nodeid: item for item in session.items}
        files = {str(self.root / job.mutant.file) for job in self.jobs}
        for each in gc.get_objects():
            if isinstance(each, FunctionType) and each.__code__.co_filename in files:
                self.functions.setdefault(_place(each.__code__), []).append(each)
        gc.freeze()
        for job, outcome in trials(self.jobs, self.workers, self.attempt):
            self.keep(job, outcome)
            self.advance()
        return True

    def attempt(self, job: Job) -> str | None:
        self._change(job)
        items = [(self.items[test], seconds) for test, seconds in job.tests if test in self.items]
        for (item, seconds), following in pairwise([*items, (None, 0.0)]):
            assert item is not None
            _Clock.start(item.nodeid, seconds)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following[0])
            if self.failed:
                return str(item.nodeid)
        return None

    def _change(self, job: Job) -> None:
        if job.mutant == UNCHANGED:
            return
        name = str(self.root / job.mutant.file)
        old = {_place(code): code for code in _codes(compile(job.source, name, "exec", dont_inherit=True))}
        new = {
            _place(code): code
            for code in _codes(compile(job.mutant.applied(job.source), name, "exec", dont_inherit=True))
        }
        changed = False
        for place, functions in self.functions.items():
            if place in new and place in old and new[place] != old[place]:
                for function in functions:
                    try:
                        function.__code__ = new[place]
                    except ValueError as error:  # other free variables
                        raise NotHereError from error
                    changed = True
        if not changed:
            raise NotHereError


def _place(code: CodeType) -> tuple[str, str, int]:
    return code.co_filename, code.co_qualname, code.co_firstlineno


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def in_place(jobs: Sequence[Job], workers: int, root: Path, keep: Keep, advance: Callable[[], None]) -> None:
    """Try jobs in a child process that collects all their tests once."""
    if not jobs:
        return
    import pytest

    files = sorted({test.partition("::")[0] for job in jobs for test, _ in job.tests})
    plugin = InPlace(jobs, workers, root, keep, advance)
    pid = os.fork()
    if not pid:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # pytest's report
        _end(lambda: int(pytest.main([*files, *OPTIONS], plugins=[plugin, Untroubled()])))
    os.waitpid(pid, 0)


def _end(work: Callable[[], int]) -> NoReturn:
    status = 1
    try:
        status = work()
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    finally:
        sys.stderr.flush()
        os._exit(status)


# ------------------------------------------------------------------ imported anew


def on_import(jobs: Sequence[Job], workers: int, root: Path, keep: Keep, advance: Callable[[], None]) -> None:
    """Try jobs by importing the changed file; this process must not have imported any of the sources."""
    for job, outcome in trials(jobs, workers, lambda job: _imported(job, root)):
        keep(job, outcome)
        advance()


def _imported(job: Job, root: Path) -> str | None:
    import pytest

    path, changed = str(root / job.mutant.file), job.mutant.applied(job.source)
    original = SourceFileLoader.get_code

    def get_code(loader: SourceFileLoader, fullname: str) -> CodeType | None:
        if str(loader.path) == path:
            return compile(changed, path, "exec", dont_inherit=True)
        return original(loader, fullname)

    SourceFileLoader.get_code = get_code  # type: ignore[method-assign,assignment]
    watch = _Chosen(dict(job.tests))
    _Clock.start("import", 20.0)
    files = dict.fromkeys(test.partition("::")[0] for test, _ in job.tests)
    status = pytest.main([*files, "-x", *OPTIONS], plugins=[watch, Untroubled()])
    if status in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        return None
    return watch.failed or "import"


class _Chosen:
    def __init__(self, seconds: dict[str, float]) -> None:
        self.seconds, self.failed = seconds, ""

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Keep the tests to try, in their order; one that has another name now is not there."""
        order = list(self.seconds)
        items[:] = sorted((i for i in items if i.nodeid in self.seconds), key=lambda item: order.index(item.nodeid))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        _Clock.start(nodeid, self.seconds.get(nodeid, 5.0))

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid


def preload(modules: Iterable[str]) -> None:
    """Import what doesn't belong to the repository, as far as it can be imported alone."""
    for name in modules:
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def told(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a JSON Lines file; the last may be cut."""
    with contextlib.suppress(OSError), path.open() as file:
        for line in file:
            with contextlib.suppress(ValueError):
                yield json.loads(line)
