"""docs/architecture.md has every module with a line that says what it does."""

import sys
from importlib import import_module

from tests.support import ROOT

DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS))

file_list = import_module("file_list")  # a script beside the page


def test_the_list_of_modules_is_that_of_the_files_and_of_their_docstrings() -> None:
    section = file_list.SECTION.search(file_list.PAGE.read_text())
    assert section and section[0] == file_list.listed(), "run: python docs/file_list.py"


def test_every_folder_with_python_is_listed() -> None:
    folders = {path.relative_to(ROOT).parts[0] for path in ROOT.glob("[a-z]*/*.py")}
    assert folders - {"tests", "docs", "data", "build"} == set(file_list.PACKAGES)


def test_a_line_is_short_enough_to_be_read() -> None:
    long = [path.name for path in file_list.modules() if len(file_list.summary(path)) > 200]
    assert not long
