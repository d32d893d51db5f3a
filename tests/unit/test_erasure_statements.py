"""What is asked of the warehouse to erase: every table that has text, every column that may tell who wrote it."""

import re

import pytest

from chalicelib.columns import NAMES
from chalicelib.erasures import rows
from chalicelib.erasures.records import KEPT

TABLES = {"erase_tweets": "disaster.disaster_tweets", "erase_repeated": "disaster.repeated_tweet"}


@pytest.mark.parametrize(("name", "table"), TABLES.items())
def test_all_but_what_is_kept_goes_from_a_row(name: str, table: str) -> None:
    sql = rows.SQL[name]
    assert sql.startswith(f"UPDATE {table}\n")
    assert re.findall(r"^    (\w+) = NULL", sql, re.MULTILINE) == [n for n in NAMES if n not in {*KEPT, "erased_at"}]
    assert "erased_at = CAST(:now AS TIMESTAMP)" in sql


@pytest.mark.parametrize(("name", "parts"), [("find", 4), ("find_asked_for", 8)])
def test_what_is_found_is_in_both_tables_by_tweet_and_by_user(name: str, parts: int) -> None:
    sql = rows.SQL[name]
    found = re.findall(r"FROM (disaster\.\w+) AS t\n.*?t\.(tweet|user)_id", sql, re.DOTALL)
    assert len(found) == parts
    assert set(found) == {(table, of) for table in TABLES.values() for of in ("tweet", "user")}
    assert sql.endswith("LIMIT 10000")
