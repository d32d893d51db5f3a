"""What takes the data elsewhere works: pandas, Arrow, the notebook's cells, and dbt's sources and tests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support import ROOT, tweet_files
from tests.support.later import Later

if TYPE_CHECKING:
    import pandas as pd

    from analysis import warehouse
else:
    pd, warehouse = Later("pandas"), Later("analysis.warehouse")

KEY = "tweets/dt=2026-01-01/hh=00/elsewhere-2.ndjson.gz"
TEXT = "The river is over its banks in Recife"
(SOURCE,) = yaml.safe_load((ROOT / "analysis" / "dbt" / "models" / "disaster.yml").read_text())["sources"]
TABLES = {table["name"]: table for table in SOURCE["tables"]}


@pytest.fixture(scope="module")
def floods(stack: object) -> Iterator[None]:
    """Two posts of this hour that say the same, in the warehouse."""
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    columns = (
        "original_text, cleaning_text, disaster_label, relevance_label, classifier_score, tweet_key, text_key, place, "
        "country_code, latitude, longitude, place_basis, arrived_at, s3_key, s3_line, classifier_version, truncated"
    )
    for line in (1, 2):
        tweet_files.execute(
            f"INSERT INTO disaster.disaster_tweets ({columns}) VALUES ('{TEXT}', '{TEXT}', 'flood', 'relevant', 1.0, "
            f"'elsewhere{line}', 'elsewhere', 'Recife', 'BR', -8.0539, -34.8811, 'text', '{now}', '{KEY}', {line}, "
            "'b', FALSE)"
        )
    yield
    tweet_files.execute(f"DELETE FROM disaster.disaster_tweets WHERE s3_key = '{KEY}'")


def test_an_answer_has_types_that_take_nulls(floods: None) -> None:
    found = warehouse.frame(
        "SELECT s3_line, latitude, truncated, arrived_at, place, lang FROM disaster.tweet WHERE s3_key = :key",
        {"key": KEY},
    )
    assert len(found) == 2
    kinds = {name: str(kind) for name, kind in found.dtypes.items()}
    assert (kinds["s3_line"], kinds["latitude"], kinds["truncated"]) == ("Int64", "Float64", "boolean")
    assert kinds["arrived_at"].startswith("datetime64")
    assert list(found["place"]) == ["Recife"] * 2 and found["lang"].isna().all()
    assert warehouse.frame("SELECT place FROM disaster.tweet WHERE s3_key = 'none'").empty


def test_what_redshift_says_of_a_statement_is_raised(floods: None) -> None:
    with pytest.raises(RuntimeError, match="nowhere"):
        warehouse.frame("SELECT * FROM disaster.nowhere")


def test_the_notebook_runs_from_top_to_bottom(floods: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    notebook = json.loads((ROOT / "analysis" / "first_look.ipynb").read_text())
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    seen: dict[str, Any] = {}
    for cell in cells:
        exec(compile(cell, "first_look.ipynb", "exec"), seen)
    assert not any(cell.get("outputs") for cell in notebook["cells"]), "outputs are not kept"
    assert seen["by_country"]["BR"] >= 2
    assert isinstance(seen["hourly"], pd.Series) and seen["hourly"].sum() >= 2
    assert seen["evidence"].set_index("original_text")["tweets_that_say_it"][TEXT] == 2
    assert seen["table"].num_rows >= 1


def test_the_page_is_right_about_python(floods: None) -> None:
    page = (ROOT / "docs" / "elsewhere.md").read_text()
    answers, unload = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    seen: dict[str, Any] = {}
    exec(answers.split("hour =")[0], seen)
    assert len(seen["floods"]) >= 2 and seen["as_arrow"].num_rows >= 1
    exec(unload.replace("your-bucket", warehouse.BUCKET), seen)
    assert [row["original_text"] for row in seen["week"].to_pylist() if row["s3_key"] == KEY] == [TEXT] * 2


@pytest.mark.parametrize("name", sorted(TABLES))
def test_dbt_knows_the_columns_of_a_view(floods: None, name: str) -> None:
    view = list(warehouse.frame(f"SELECT * FROM disaster.{name} LIMIT 0").columns)
    named = [column["name"] for column in TABLES[name]["columns"]]
    if name == "tweet":
        assert set(named) == set(view) - {"loaded_at"}
    assert set(named) <= set(view)


def failing(table: str, column: str, test: str | dict[str, Any]) -> str:
    """Return how many rows fail a data test, as dbt would ask; of `tweet` those of this file."""
    rows = (
        f"(SELECT * FROM disaster.tweet WHERE s3_key = '{KEY}') AS t" if table == "tweet" else f"disaster.{table} AS t"
    )
    if test == "not_null":
        return f"SELECT COUNT(*) FROM {rows} WHERE {column} IS NULL"
    if test == "unique":
        return f"SELECT COUNT(*) - COUNT(DISTINCT {column}) FROM {rows} WHERE {column} IS NOT NULL"
    assert isinstance(test, dict)
    ((kind, said),) = test.items()
    if kind == "accepted_values":
        values = ", ".join(f"'{value}'" for value in said["arguments"]["values"])
        return f"SELECT COUNT(*) FROM {rows} WHERE {column} NOT IN ({values})"
    (target,) = re.findall(r"source\('disaster', '(\w+)'\)", said["arguments"]["to"])
    field = said["arguments"]["field"]
    return (
        f"SELECT COUNT(*) FROM {rows} LEFT JOIN disaster.{target} AS o ON t.{column} = o.{field} "
        f"WHERE t.{column} IS NOT NULL AND o.{field} IS NULL"
    )


def test_what_dbt_tests_holds_of_rows_as_they_are(floods: None) -> None:
    asked = [
        failing(name, column["name"], test)
        for name in ("tweet", "disaster_kind", "situation")
        for column in TABLES[name]["columns"]
        for test in column.get("data_tests", [])
    ]
    assert len(asked) > 10
    together = ", ".join(f"({sql}) AS n{nth}" for nth, sql in enumerate(asked))
    (counts,) = warehouse.frame(f"SELECT {together}").to_numpy()
    assert dict(zip(asked, counts, strict=True)) == dict.fromkeys(asked, 0)
