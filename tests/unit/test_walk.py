"""A walk is counted as docs/architecture.md says."""

from pathlib import Path

import pytest

from tests.support import walk
from tests.support.walk import Stop, Walk, followed, holds

MODULE = """
def begin(file):
    for each in within([file]):
        again = each
    return Other

def within(files):
    for one in files:
        yield {"key": one}
"""


def test_entries_returns_and_renames_are_counted() -> None:
    stops = [Stop("a", "key"), Stop("a", "file"), Stop("b", "file"), Stop("a", "key"), Stop("a", "key")]
    found = Walk(stops)
    assert (found.modules, found.entered, found.returns, found.renames) == (["a", "b", "a"], 3, 1, 2)
    assert (Walk([]).entered, Walk([]).returns, Walk([]).renames) == (0, 0, 0)


def test_a_value_holds_a_key_in_its_fields_and_elements_and_no_iterator_is_used_up() -> None:
    assert holds({"x": [("k/1", 2)]}, "k/1") and holds(Stop("a", "s3://b/k/1"), "k/1")
    assert not holds({"x": iter(["k/1"])}, "k/1") and not holds([["k/2"]], "k/1")


def test_each_variable_counts_once_a_call_until_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "made_up.py").write_text(MODULE.replace("Other", "again"))
    monkeypatch.setattr(walk, "ROOT", tmp_path.parent)
    code: dict[str, object] = {}
    exec(compile((tmp_path / "made_up.py").read_text(), str(tmp_path / "made_up.py"), "exec"), code)
    with followed("k/1", tmp_path.name, lambda: False) as stops:
        code["begin"]("k/1")  # type: ignore[operator]
    assert [stop.name for stop in stops] == ["file", "files", "one", "each", "again"]
    with followed("k/1", tmp_path.name, lambda: True) as stops:
        code["begin"]("k/1")  # type: ignore[operator]
    assert stops == []
