"""The files of tests that go first are there."""

from tests import conftest
from tests.support import ROOT


def test_each_of_the_longest_files_is_there_and_no_other_has_its_name() -> None:
    names = [path.stem for path in (ROOT / "tests").glob("*/test_*.py")]
    assert {name: names.count(name) for name in conftest.LONGEST} == dict.fromkeys(conftest.LONGEST, 1)
    assert len(set(conftest.LONGEST)) == len(conftest.LONGEST)
