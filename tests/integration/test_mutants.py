"""`make mutants` fails on a survivor that nobody explained, and on an explanation of nothing."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mutants import accepted
from mutants.accepted import AcceptedError, judge
from tests.support import ROOT

PYTHON = ROOT / ".venv-mutants" / "bin" / "python"
ONE, TWO = ("a.py", "f", "x < 1", "x <= 1"), ("a.py", "f", "x < 1", "x < 2")
ELSEWHERE = ("b.py", "", "N = 1", "N = 2")


def listed(path: Path, text: str) -> dict[accepted.Key, str]:
    path.write_text(text)
    return accepted.read(path)


def test_a_survivor_needs_an_explanation() -> None:
    assert judge([ONE], [ONE, TWO], [ONE, TWO], []) == ([ONE], [])
    assert judge([ONE], [ONE, TWO], [ONE, TWO], [ONE]) == ([], [])


def test_an_explanation_needs_a_survivor() -> None:
    assert judge([], [ONE], [ONE], [ONE]) == ([], [ONE])  # it is killed
    assert judge([], [ONE], [ONE], [TWO]) == ([], [TWO])  # there is no such mutant any more


def test_a_part_says_nothing_of_what_it_did_not_try() -> None:
    assert judge([], [ONE], [ONE, TWO], [TWO]) == ([], [])  # another sample
    assert judge([], [ONE], [ONE], [ELSEWHERE]) == ([], [])  # another file


def test_an_entry_may_explain_several_changes_of_the_same_lines(tmp_path: Path) -> None:
    text = """
        [[accepted]]
        file = "a.py"
        where = "f"
        before = "x < 1"
        after = ["x <= 1", "x < 2"]
        reason = "no x is between these"
        """
    assert set(listed(tmp_path / "a.toml", text)) == {ONE, TWO}


@pytest.mark.parametrize("reason", ["", "equivalent"])
def test_a_reason_is_more_than_a_word(tmp_path: Path, reason: str) -> None:
    with pytest.raises(AcceptedError, match="a reason takes more"):
        listed(
            tmp_path / "a.toml",
            f'[[accepted]]\nfile = "a.py"\nwhere = "f"\nbefore = "x"\nafter = "y"\nreason = "{reason}"\n',
        )


def test_every_accepted_mutant_is_of_a_file_there_is() -> None:
    assert all((ROOT / file).exists() for file, *_ in accepted.read())


needs_mutmut = pytest.mark.skipif(
    not PYTHON.exists() and importlib.util.find_spec("mutmut") is None, reason="no .venv-mutants; make mutants makes it"
)


def said(program: str) -> str:
    """What a program prints in the virtual environment of the mutation tool."""
    python = PYTHON if PYTHON.exists() else sys.executable
    done = subprocess.run([python, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


@needs_mutmut
def test_what_can_be_changed_is_changed_once_and_texts_for_people_are_not() -> None:
    source = '''
LIMIT = 5

def f(items: list[int]) -> int:
    """Not this one."""
    for item in items:
        if item > LIMIT and item:
            raise ValueError("said to people")
    return 1
'''
    program = f"from mutants.changes import mutants\nfor m in mutants('a.py', {source.encode()!r}):\n print(m.after)"
    assert sorted(said(program).splitlines()) == sorted(
        [
            "LIMIT = None",
            "LIMIT = 6",
            'raise ValueError("said to people") break',
            "if ((item > LIMIT and item) and False):",
            "if ((item > LIMIT and item) or True):",
            "if item > LIMIT:",
            "if item:",
            "if item >= LIMIT and item:",
            "pass",
            "return None",
            "return 2",
        ]
    )


SAMPLING = """
from mutants.__main__ import estimated, sample
from mutants.changes import mutants
found = [m for name in ("a.py", "b.py") for m in mutants(name, b"def f(x):\\n    return x < 1 or x > 7 or x == 5\\n")]
small, large = sample(found, 3), sample(found, 5)
print([m.file for m in small], set(small) < set(large), sample(found, 3) == small, sample(found, None) == found)
for files in [(100, 100, 90)], [(100, 50, 45)], [(100, 50, 50)], [(900, 50, 50), (100, 50, 0)]:
    print("%.3f %.3f" % estimated(files))
"""


@needs_mutmut
def test_a_sample_is_of_each_file_the_same_each_time_and_part_of_a_larger_one() -> None:
    names, *estimates = said(SAMPLING).splitlines()
    assert names == "['a.py', 'a.py', 'a.py', 'b.py', 'b.py', 'b.py'] True True False"
    # All tried: no margin. Without a survivor there is one all the same. A file counts by its size.
    assert estimates == ["0.900 0.000", "0.900 0.063", "1.000 0.027", "0.900 0.033"]


NAMING = '''
from mutants.__main__ import functions_naming, naming
source = """
LIMIT = 5

def f(
    x=LIMIT,
):
    y = x
    return y

def g():
    f()
    return LIMITS
"""
print([sorted(naming(source, name)) for name in ("LIMIT", "f", "z")])
print([sorted(functions_naming(source, name)) for name in ("LIMIT", "f", "LIMITS")])
'''


@needs_mutmut
def test_a_constant_is_tried_on_what_names_it_and_on_what_has_it_for_a_default() -> None:
    assert said(NAMING).splitlines() == ["[[2, 5, 7, 8], [4, 7, 8, 11], []]", "[['f'], ['f', 'g'], ['g']]"]


SHARED = """
import time

import pytest
from producer import least, most

@pytest.fixture(scope="module")
def shared():
    began = time.process_time()
    while time.process_time() < began + 0.2:
        pass
    return least()

@pytest.fixture
def own(shared):
    return most()

def test_first(shared): pass

def test_second(own): pass

def test_third(): pass
"""


@needs_mutmut
def test_what_a_fixture_of_several_tests_runs_is_run_by_each_of_them(tmp_path: Path) -> None:
    (tmp_path / "producer.py").write_text("def least():\n    return 1\n\ndef most():\n    return 2\n")
    (tmp_path / "test_a.py").write_text(SHARED)
    program = f"""
import os, sys
from pathlib import Path
from mutants.lines import measure
os.chdir({str(tmp_path)!r})
sys.path.insert(0, "")
out = os.dup(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
found = measure("test_a.py", ["producer.py"], Path.cwd())
slow = sorted(test for test, seconds in found.seconds.items() if seconds >= 0.2)
os.write(out, repr((sorted(found.lines["producer.py"].items()), slow)).encode())
"""
    first, second = "test_a.py::test_first", "test_a.py::test_second"
    lines = [(1, [""]), (2, [first, second]), (4, [""]), (5, [second])]
    assert said(program) == repr((lines, [first, second]))


SOURCE = """
def least(items):
    return items[0] if len(items) < 2 else sorted(items)[0]
"""
TEST = """
from producer import least

def test_least():
    assert [least([3]), least([2, 1])] == [3, 1]
"""
NEVER = """
import os

def test_that_fails_wherever_it_leads_a_group_of_processes():
    import producer
    assert producer.least([3]) == 3 and os.getpgrp() != os.getpid()
"""
FASTER = """
[[accepted]]
file = "producer.py"
where = "least"
before = "return items[0] if len(items) < 2 else sorted(items)[0]"
after = [{}]
reason = "The condition only saves time."
"""


@needs_mutmut
def test_the_command_passes_once_each_survivor_is_killed_or_explained_and_fails_on_an_explanation_of_nothing(
    tmp_path: Path,
) -> None:
    """In a repository of one function: its survivors are the mutants of a condition that only saves time."""
    shutil.copytree(ROOT / "mutants", tmp_path / "mutants", ignore=shutil.ignore_patterns("__pycache__"))
    program = tmp_path / "mutants" / "__main__.py"
    program.write_text(re.sub(r"^LARGE = .*$", 'LARGE = ("pytest", "coverage")', program.read_text(), flags=re.M))
    (tmp_path / "tests" / "unit").mkdir(parents=True)
    source, test, accepted_ones = (
        tmp_path / name for name in ("producer.py", "tests/unit/test_producer.py", "mutants/accepted.toml")
    )

    def run(text: str, explained: str, tests: str = TEST) -> tuple[int, str]:
        source.write_text(text)
        test.write_text(tests)
        accepted_ones.write_text(explained)
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        python = PYTHON if PYTHON.exists() else sys.executable
        done = subprocess.run(
            [python, "-m", "mutants", "--workers", "1"], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        return done.returncode, done.stdout

    status, out = run(SOURCE, "accepted = []")
    assert (status, "0 survivors explained, " in out) == (1, True), out
    survivors = re.findall(r"^  \+ (.*)$", out, re.M)
    listed = FASTER.format(", ".join(f"'{each}'" for each in survivors))
    status, out = run(f'"""Its lines are others now."""\n\n\n{SOURCE}', listed)
    assert (status, f"{len(survivors)} survivors explained, 0 not" in out) == (0, True), out
    status, out = run(SOURCE.replace("< 2", "< 1 + 1"), listed)
    assert (status, "Explained in accepted.toml, but killed or gone" in out) == (1, True), out
    status, out = run(SOURCE, listed, NEVER)
    assert status == 2, out
    assert "fail in a trial of the code as it is" in out
    assert out.rstrip().endswith("test_that_fails_wherever_it_leads_a_group_of_processes")
