"""Folders of the bucket, keys of tweet files, formats of times and calls of Comprehend are each in one module."""

import ast
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from chalicelib import layout, times
from tests.support import ROOT

CODE = sorted((ROOT / "chalicelib").rglob("*.py"))
SQL = [*CODE, *sorted((ROOT / "sql").rglob("*.sql"))]
ROWS_TIMES = {"transform/rows.py", "transform/unpack.py"}  # a million a minute, from milliseconds
MOMENT = datetime(2026, 1, 31, 13, 2, 3, 456789, timezone(timedelta(hours=1)))


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_other_module_writes_a_folder_or_a_format_of_time_or_calls_comprehend(path: Path) -> None:
    name = str(path.relative_to(ROOT / "chalicelib"))
    code = re.sub(r'""".*?"""', "", path.read_text(), flags=re.DOTALL)
    code = re.sub(r"\b(?:sections|named)\(\"[a-z_/]+\"\)", "", code)  # files of sql/
    folders = "tweets|rejected|delivery|source|reports|classifier|collect|erasures"
    if name != "layout.py":
        assert not re.findall(rf"\"(?:{folders})/[^\"*]*\"", code)
        assert "dt=%Y" not in code and "%Y/%m/%d/%H" not in code
    if name != "comprehend/client.py":
        assert "clients.comprehend" not in code and "CurrentInferenceUnits" not in code
    if name != "times.py" and name not in ROWS_TIMES:
        assert not re.findall(r"%Y-%m-%d[T ]%H:%M:%S|timespec=|\"\+00:00", code)


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_sql_is_in_files_but_for_copy(path: Path) -> None:
    code = re.sub(r'""".*?"""', "", path.read_text(), flags=re.DOTALL)
    assert not re.findall(r"\b(?:SELECT|INSERT INTO|DELETE FROM|UPDATE [a-z]|CREATE TEMP|LOCK [a-z]).*", code)


def test_each_class_has_a_name_of_its_own() -> None:
    names = [
        name
        for path in CODE
        for name in re.findall(r"^(?:class |)([A-Z][a-z]\w+)(?=\(| = |:\n)", path.read_text(), re.M)
    ]
    assert len(names) > 90
    assert sorted(name for name in set(names) if names.count(name) > 1) == []


def test_sql_takes_the_hour_of_as_many_characters_as_a_key_begins_with() -> None:
    taken = [int(n) for path in SQL for n in re.findall(r"SUBSTRING\([a-z_.]*s3_key, 1, (\d+)\)", path.read_text())]
    assert len(taken) >= 4 and set(taken) == {layout.HOUR_KEY}


def test_a_tweet_file_is_found_by_the_key_that_it_is_written_under() -> None:
    hour = datetime(2026, 1, 31, 12, tzinfo=UTC)
    key = layout.tweet_file(layout.hour_folder(hour), "ab" * 16, 500)
    named = layout.TWEET_FILE.fullmatch(key)
    assert named and named.groups() == (layout.hour_folder(hour), "500")
    assert layout.hour_of(key) == hour
    assert key[: layout.HOUR_KEY] == "tweets/dt=2026-01-31/hh=12/"
    with pytest.raises(ValueError, match="does not match"):
        layout.hour_of("rejected/dt=2026-01-31/hh=12/x-1.ndjson.gz")


def test_times_are_written_in_utc() -> None:
    assert times.seconds(MOMENT) == "2026-01-31T12:02:03Z"
    assert times.milliseconds(MOMENT) == "2026-01-31T12:02:03.456Z"
    assert times.sql(MOMENT) == "2026-01-31 12:02:03"
    assert times.sql_exact(MOMENT) == "2026-01-31 12:02:03.456789"


def test_a_time_without_an_offset_is_utc_already() -> None:
    plain = MOMENT.replace(tzinfo=None)
    assert times.parsed("2026-01-31T13:02:03") == datetime(2026, 1, 31, 13, 2, 3, tzinfo=UTC)
    assert times.seconds(plain) == "2026-01-31T13:02:03Z"
    assert times.milliseconds(plain) == "2026-01-31T13:02:03.456Z"


def test_no_name_says_only_that_something_was_found() -> None:
    named = {
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in CODE
        for node in ast.walk(ast.parse(path.read_text()))
        if "found" in {getattr(node, part, "") for part in ("id", "arg", "attr")}
        and isinstance(node, ast.Name | ast.Attribute | ast.arg | ast.keyword)
    }
    assert named == set()
