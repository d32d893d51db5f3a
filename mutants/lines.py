"""Measure which tests run which lines, and how long each takes: once a test file, each in a process of its own."""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import _lru_cache_wrapper
from pathlib import Path
from typing import Any

ON_IMPORT = ""
"""Stands for "no test": what runs when the files are imported."""


@dataclass
class Measured:
    """What one test file showed."""

    seconds: dict[str, float] = field(default_factory=dict)
    """By test: CPU time, of processes that it starts too, for all that it takes to run it alone."""
    lines: dict[str, dict[int, list[str]]] = field(default_factory=dict)  # by source file, by line: the tests
    failed: list[str] = field(default_factory=list)  # without any change to the code
    modules: list[str] = field(default_factory=list)  # imported from outside the repository


def measure(test_file: str, sources: Sequence[str], root: Path) -> Measured:
    """Run a test file in this process, which must not have imported any of the sources, and tell what it ran."""
    import coverage
    import pytest

    cover = coverage.Coverage(data_file=None, include=[str(root / source) for source in sources], config_file=False)
    found = Measured()

    shared: dict[str, str] = {}  # by the context of a fixture of several tests: its name
    took = defaultdict[str, float](float)  # by the name of such a fixture: its seconds
    users = defaultdict[str, list[str]](list)  # by the name of a fixture: the tests that have it

    class Watch:
        modules, caches, context, apart = 0, list[Any](), ON_IMPORT, 0.0

        def pytest_collection_modifyitems(self, items: list[pytest.Function]) -> None:
            for item in items:
                for name in item.fixturenames:
                    users[name].append(item.nodeid)

        @pytest.hookimpl(wrapper=True)
        def pytest_fixture_setup(self, fixturedef: Any) -> Any:
            """Keep apart what a fixture of several tests runs: a trial of any of them alone would run it too."""
            if fixturedef.scope == "function":
                return (yield)
            before, self.context = self.context, f"fixture {fixturedef.argname}"
            shared[self.context] = fixturedef.argname
            cover.switch_context(self.context)
            began = _used()
            try:
                return (yield)
            finally:
                seconds = _used() - began
                took[fixturedef.argname] += seconds
                self.apart += seconds
                self.context = before
                cover.switch_context(before)

        def forget(self) -> None:
            """Empty the sources' caches, lest a test not run a line because one before it did."""
            if len(sys.modules) != self.modules:
                self.modules, self.caches = len(sys.modules), _caches(sources, root)
            for each in self.caches:
                each.cache_clear()

        @pytest.hookimpl(tryfirst=True, wrapper=True)
        def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
            self.forget()
            self.context = item.nodeid
            cover.switch_context(item.nodeid)
            began, self.apart = _used(), 0.0
            try:
                return (yield)
            finally:
                found.seconds[item.nodeid] = _used() - began - self.apart
                self.context = ON_IMPORT
                cover.switch_context(ON_IMPORT)

        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            if report.failed:
                found.failed.append(report.nodeid)

        def pytest_collectreport(self, report: pytest.CollectReport) -> None:
            if report.failed:
                found.failed.append(report.nodeid)

    cover.start()
    status = pytest.main([test_file, *OPTIONS], plugins=[Watch(), Untroubled()])
    if status not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED}:
        found.failed.append(f"{test_file} ({pytest.ExitCode(status).name.lower()})")
    cover.stop()
    for name, seconds in took.items():
        for test in users[name]:
            found.seconds[test] = found.seconds.get(test, 0.0) + seconds
    data = cover.get_data()
    for name in data.measured_files():
        found.lines[str(Path(name).relative_to(root))] = {
            line: sorted({test for each in ran for test in (users[shared[each]] if each in shared else [each])})
            for line, ran in data.contexts_by_lineno(name).items()
        }
    found.modules = _foreign_modules(root)
    return found


def _used() -> float:
    """Return the CPU time of this process and of those that it started and that have ended."""
    return time.process_time() + sum(os.times()[2:4])


def _caches(sources: Sequence[str], root: Path) -> list[Any]:
    """Return the functions of the sources that remember their results."""
    files = {str(root / source) for source in sources}
    caches = [each for each in gc.get_objects() if type(each) is _lru_cache_wrapper]
    codes = [getattr(each.__wrapped__, "__code__", None) for each in caches]  # a class has none
    return [each for each, code in zip(caches, codes, strict=True) if code and code.co_filename in files]


OPTIONS = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=native", "--show-capture=no", "--hypothesis-seed=0"]


class Untroubled:
    """Hypothesis as these runs need it: the same examples each time, none kept, a failure not made smaller."""

    def pytest_sessionstart(self) -> None:  # conftest.py has set its profile by now, the tests' modules come later
        from hypothesis import Phase, settings

        settings.register_profile("mutants", settings(), database=None, phases=[Phase.explicit, Phase.generate])
        settings.load_profile("mutants")


def _foreign_modules(root: Path) -> list[str]:
    found = []
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if path and name != "__main__" and (not path.startswith(str(root)) or "site-packages" in path):
            found.append(name)
    return found


def load(path: Path) -> Measured | None:
    """Return what `save` has written, None if there is nothing."""
    try:
        told = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    told["lines"] = {file: {int(line): tests for line, tests in each.items()} for file, each in told["lines"].items()}
    return Measured(**told)


def save(measured: Measured, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.write_text(json.dumps(asdict(measured)))
    unfinished.replace(path)
