"""`python -m local sql`: what it prints is what was found, whoever reads it: a person at 80 columns or a program."""

import csv
import io
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from chalicelib.warehouse import data_api
from local import sql
from local.aws.faults import Faults
from local.aws.warehouse import Warehouse, dialect
from tests.support import ROOT
from tests.support.pseudo_terminal import in_terminal
from tests.support.served import LOCAL

KEY = "0123456789abcdef0123456789abcdef"
FILE = f"tweets/dt=2026-01-02/hh=03/{KEY}-500.ndjson.gz"
TWICE = "SELECT COUNT(*), COUNT(DISTINCT n) FROM (SELECT 1 AS n UNION ALL SELECT 1) AS x"
VALUES = (
    "SELECT CAST('2026-01-02 03:04:05' AS TIMESTAMP) AS t, CAST('2026-01-02 03:04:05.120' AS TIMESTAMP) AS ms,"
    " CAST('2026-01-02 03:04:05.123456' AS TIMESTAMP) AS us, CAST(1.50 AS DECIMAL(5, 2)) AS d,"
    " JSON_PARSE('[{\"word\": \"flood\"}]') AS keywords, NULL AS nothing, 'a,b' AS text"
)


@pytest.fixture(params=["server", "file"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A home whose warehouse is asked over the Data API, and one whose file is."""
    if request.param == "server":
        yield request.getfixturevalue("stack").home
    else:
        Warehouse(tmp_path / "warehouse.duckdb", lambda *_: b"", lambda *_: [], lambda *_: None, Faults()).close()
        yield tmp_path


def ran(capsys: pytest.CaptureFixture[str], home: Path, *arguments: str, status: int = 0) -> str:
    """What the command prints; standard error where it fails."""
    assert sql.main(["--home", str(home), *arguments], home) == status
    said = capsys.readouterr()
    # A function that the server runs meanwhile in this process logs its metrics to the same standard output.
    printed = "".join(line for line in said.out.splitlines(keepends=True) if not line.startswith('{"_aws":'))
    return said.err if status else printed


def at_80_columns(home: Path, statement: str) -> list[str]:
    """The lines that a terminal of 80 columns gets."""
    _, said = in_terminal(
        [*LOCAL, "sql", "--home", str(home), statement], columns=80, environment={"COLUMNS": "", "LINES": ""}
    )
    return re.sub(r"\x1b\[[\d;]*m", "", said).splitlines()


def test_columns_of_the_same_name_are_all_there(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(csv.reader(io.StringIO(ran(capsys, home, TWICE, "--format", "csv")))) == [["count"] * 2, ["2", "1"]]
    assert json.loads(ran(capsys, home, TWICE, "--format", "json")) == [{"count": 2, "count_2": 1}]
    assert ran(capsys, home, TWICE).count("count") == 2


def test_rows_by_name_are_refused_where_they_would_lose_a_column(stack: Any) -> None:
    with pytest.raises(ValueError, match="same name: count, count"):
        data_api.query(TWICE)


def test_values_are_the_same_from_the_server_and_from_the_file(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    times = {"t": "2026-01-02 03:04:05.000", "ms": "2026-01-02 03:04:05.120", "us": "2026-01-02 03:04:05.123456"}
    (line,) = ran(capsys, home, VALUES, "--format", "jsonl").splitlines()
    assert json.loads(line) == {**times, "d": 1.5, "keywords": [{"word": "flood"}], "nothing": None, "text": "a,b"}
    (row,) = csv.DictReader(io.StringIO(ran(capsys, home, VALUES, "--format", "csv")))
    assert row == {**times, "d": "1.50", "keywords": '[{"word":"flood"}]', "nothing": "", "text": "a,b"}
    table = ran(capsys, home, VALUES)
    assert all(time in table for time in times.values())
    assert ran(capsys, home, "SELECT 1 AS a WHERE 1 = 0", "--format", "json") == "[]\n"


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM public.kept",
        "WITH a AS (SELECT 1 AS n) DELETE FROM public.kept",
        "DROP TABLE public.kept",
        "-- SELECT\nINSERT INTO public.kept VALUES (1)",
        "SELECT n INTO public.other FROM public.kept",
        "COPY public.kept FROM 's3://b/k' IAM_ROLE 'r'",
        "TRUNCATE public.kept",
    ],
)
def test_what_changes_something_is_refused(home: Path, capsys: pytest.CaptureFixture[str], statement: str) -> None:
    ran(capsys, home, "CREATE TABLE IF NOT EXISTS public.kept (n INTEGER)", "--write")
    ran(capsys, home, "DELETE FROM public.kept", "--write")
    ran(capsys, home, "INSERT INTO public.kept VALUES (7)", "--write")
    assert "--write" in ran(capsys, home, statement, status=1)
    assert "7" in ran(capsys, home, "SELECT n FROM public.kept", "--format", "csv")


def test_what_reads_is_told_by_the_whole_statement() -> None:
    for query in ("SELECT 1", "(SELECT 1)", "WITH a AS (SELECT 1 AS n) SELECT n FROM a", "SELECT 1 UNION SELECT 2"):
        assert dialect.translate(query).reads, query
    for change in ("WITH a AS (SELECT 1 AS n) DELETE FROM t", "SELECT 1 AS n INTO t", "DELETE FROM t"):
        assert not dialect.translate(change).reads, change


def test_a_terminal_gets_a_table_with_texts_wrapped_and_ids_whole(stack: Any) -> None:
    text = "The river is over its banks and the bridge to the old town is closed until further notice"
    lines = at_80_columns(stack.home, f"SELECT '{KEY}' AS tweet_key, 'flood' AS disaster_label, '{text}' AS text")
    assert max(map(cell_len, lines)) <= 80
    assert sum(KEY in line for line in lines) == 1
    cells = [line.split("│")[3].strip() for line in lines if "│" in line]
    assert " ".join(cells) == text


def test_a_row_too_wide_for_a_table_is_expanded_with_nothing_cut(stack: Any) -> None:
    lines = at_80_columns(stack.home, f"SELECT '{KEY}' AS tweet_key, '{FILE}' AS s3_key, 'x y' AS text")
    assert [line.split() for line in lines if line] == [
        ["row", "1", "-----"],
        ["tweet_key", KEY],
        ["s3_key", FILE],
        ["text", "x", "y"],
        ["1", "row"],
    ]


def test_a_table_can_be_expanded_on_request(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = ran(capsys, home, "SELECT 1 AS a, 2 AS longer", "--expanded").split("\n")
    assert said[1:3] == ["a       1", "longer  2"]


def test_a_file_gets_whole_lines_however_wide(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = ran(capsys, home, f"SELECT '{FILE}' AS a, '{FILE}' AS b, '{KEY} {KEY} {KEY}' AS c")
    assert f"{FILE} │ {FILE} │ {KEY} {KEY} {KEY}" in said


def test_a_tweet_cannot_steer_the_terminal(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = ran(capsys, home, "SELECT 'a\x1b[2J\nb\u202ec [bold]d[/]' AS text")
    assert r"a\x1b[2J\nb\u202ec [bold]d[/]" in said


def test_an_unset_warehouse_is_told_how_to_be_set_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Warehouse(tmp_path / "warehouse.duckdb", lambda *_: b"", lambda *_: [], lambda *_: None, Faults()).close()
    assert "POST /warehouse/setup" in ran(capsys, tmp_path, "SELECT 1 FROM disaster.tweet", status=1)
    assert "POST" not in ran(capsys, tmp_path, "SELECT 1 FROM nowhere", status=1)


def test_a_reader_who_has_enough_is_no_error(tmp_path: Path) -> None:
    Warehouse(tmp_path / "warehouse.duckdb", lambda *_: b"", lambda *_: [], lambda *_: None, Faults()).close()
    command = f"{' '.join(LOCAL)} sql --home {tmp_path} --format csv 'SELECT range AS n FROM range(100000)'"
    done = subprocess.run(f"{command} | head -1", shell=True, cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("n\n", "")
