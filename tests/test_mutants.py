"""`make mutants` fails on a survivor that nobody explained, and on an explanation of nothing."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from mutants import accepted
from mutants.accepted import AcceptedError, judge

ROOT = Path(__file__).parent.parent
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


@pytest.mark.skipif(
    not PYTHON.exists() and importlib.util.find_spec("mutmut") is None, reason="no .venv-mutants; make mutants makes it"
)
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
    python = PYTHON if PYTHON.exists() else sys.executable
    done = subprocess.run([python, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert sorted(done.stdout.splitlines()) == sorted(
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
