"""Tables, views and the analysts' questions: valid for Redshift, and what they say is true."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chalicelib.classifier.taxonomy import KINDS
from chalicelib.columns import COLUMNS
from chalicelib.warehouse import migrations
from tests.support import ROOT
from tests.support.warehouses import Scratch, scratch

SQL = ROOT / "sql"
QUERIES = sorted((SQL / "queries").glob("*.sql"))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Scratch]:
    with scratch(tmp_path) as made:
        yield made.set_up()


def ago(**time: float) -> dict[str, object]:
    moment = datetime.now(UTC) - timedelta(**time)
    return {
        "arrived_at": moment.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
        "arrived_datetime_from_kinesis": int(moment.timestamp() * 1000),
    }


def test_every_statement_is_redshift_to_the_linter() -> None:
    done = subprocess.run([sys.executable, "-m", "sqlfluff", "lint", SQL], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_linter_would_say_so(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.sql"
    wrong.write_text("CREATE TABLE a (b VARCHAR(5) ENCODE) DISTSTYLE SOMEHOW;\n")
    command = [sys.executable, "-m", "sqlfluff", "lint", "--dialect", "redshift", str(wrong)]
    assert subprocess.run(command, capture_output=True).returncode != 0


def test_the_table_has_the_columns_of_a_tweet_file_in_their_order(house: Scratch) -> None:
    """Those that migrations have added stand after `loaded_at`."""
    names = [name for (name,) in house.run(COLUMNS_OF, table="disaster_tweets")]
    assert [name for name in names if name != "loaded_at"] == [column.name for column in COLUMNS]
    limits = house.warehouse.limits("disaster", "disaster_tweets")
    assert limits == {column.name: column.bytes for column in COLUMNS if column.bytes}


def test_the_first_migration_declares_types_that_are_the_columns_still(house: Scratch) -> None:
    sql = migrations.read()[0].sql
    body = sql[sql.index("CREATE TABLE disaster.disaster_tweets") :]
    declared = [line.split() for line in body.splitlines()[1:] if line.startswith("    ")]
    types = {name: " ".join(rest).split(" ENCODE")[0] for name, *rest in declared}
    since = {"tweet_id": "VARCHAR(256)", "user_id": "VARCHAR(128)", "source": "VARCHAR(16)", "erased_at": "TIMESTAMP"}
    since |= {"place": "VARCHAR(256)", "country_code": "CHAR(2)", "place_basis": "VARCHAR(16)", "text_key": "CHAR(16)"}
    since |= {"information_type": "VARCHAR(32)"}
    since |= dict.fromkeys(("latitude", "longitude", "information_score"), "DOUBLE PRECISION")
    assert {column.name: column.type for column in COLUMNS} == {
        column.name: {**types, **since}[column.name] for column in COLUMNS
    }


def test_the_kinds_are_those_of_the_taxonomy(house: Scratch) -> None:
    rows = house.run("SELECT * FROM disaster.disaster_kind")
    assert {tuple(cell or "" for cell in row) for row in rows} == {tuple(kind) for kind in KINDS}


def test_a_tweet_that_came_twice_is_one_tweet_of_the_time_of_its_first_arrival(house: Scratch) -> None:
    key, first = "0" * 32, ago(hours=3)
    house.load({"tweet_key": key, **ago(hours=2)}, {"tweet_key": "1" * 32}, key="tweets/a-2.ndjson.gz")
    house.load({"tweet_key": key, **first}, key="tweets/b-1.ndjson.gz")
    house.find_repeats()
    ((arrived_at, arrived, copies),) = house.run(
        "SELECT arrived_at, arrived_datetime_from_kinesis, copies FROM disaster.tweet WHERE tweet_key = :key", key=key
    )
    assert f"{arrived_at:%Y-%m-%d %H:%M:%S.%f}"[:-3] == first["arrived_at"]
    assert (arrived, copies) == (first["arrived_datetime_from_kinesis"], 2)
    assert house.run("SELECT COUNT(*) FROM disaster.tweet") == [(2,)]


def test_a_tweet_that_is_erased_is_shown_no_more_and_its_row_stays(house: Scratch) -> None:
    house.load({"tweet_key": "0" * 32}, {"tweet_key": "1" * 32, "erased_at": "2026-01-03 00:00:00"})
    assert house.run("SELECT tweet_key FROM disaster.tweet") == [("0" * 32,)]
    assert house.run("SELECT SUM(tweets) FROM disaster.hourly_kind") == [(1,)]
    assert house.run("SELECT COUNT(*) FROM disaster.disaster_tweets") == [(2,)]


def test_copies_of_one_moment_are_still_one_tweet(house: Scratch) -> None:
    house.load({"tweet_key": "0" * 32}, {"tweet_key": "0" * 32})
    house.load({"tweet_key": "0" * 32}, {"tweet_key": "0" * 32})
    house.find_repeats()
    assert house.run("SELECT s3_line, copies FROM disaster.tweet") == [(2, 4)]


OLD = {"tweet_key": "0" * 32, "disaster_label": "fire", "classifier_version": "bundled-1", "relevance_score": 0.4}
NEW = {**OLD, "disaster_label": "wildfire", "classifier_version": "bundled-2", "relevance_score": 0.9}


@pytest.mark.parametrize("loaded_first", ["replay", "original"])
def test_a_replay_shows_the_new_labels_at_the_old_time(house: Scratch, loaded_first: str) -> None:
    """Whichever of the two is loaded first; a repair may load the older one last."""
    files = {
        "original": ({**OLD, **ago(hours=30)}, "tweets/b-1.ndjson.gz"),
        "replay": ({**NEW, **ago(minutes=5)}, "tweets/a-1.ndjson.gz"),
    }
    for name in sorted(files, key=lambda name: name != loaded_first):
        tweet, key = files[name]
        house.load(tweet, key=key)
    house.find_repeats()
    (shown,) = house.run(
        "SELECT disaster_label, classifier_version, relevance_score, s3_key,"
        " DATEDIFF(HOUR, arrived_at, GETDATE()) FROM disaster.tweet"
    )
    assert shown == ("wildfire", "bundled-2", 0.9, "tweets/a-1.ndjson.gz", 30)
    assert house.run("SELECT DISTINCT kind FROM disaster.hourly_kind") == [("wildfire",)]
    history = "SELECT arrival, copies, classifier_version, disaster_label FROM disaster.tweet_history ORDER BY arrival"
    assert house.run(history) == [(1, 2, "bundled-1", "fire"), (2, 2, "bundled-2", "wildfire")]


def test_the_view_a_tweet_is_asked_by_keeps_its_columns_as_redshift_demands(house: Scratch) -> None:
    columns = [name for (name,) in house.run(COLUMNS_OF, table="tweet")]
    names = [column.name for column in COLUMNS if column.name != "erased_at"]  # nothing there is erased
    at = names.index("source")
    assert columns == [*names[:at], "loaded_at", "copies", *names[at:]]
    history = [name for (name,) in house.run(COLUMNS_OF, table="tweet_history")]
    assert history[: len(names) + 1] == [*names[:at], "loaded_at", *names[at:]]


COLUMNS_OF = (
    "SELECT column_name FROM information_schema.columns"
    " WHERE table_schema = 'disaster' AND table_name = :table ORDER BY ordinal_position"
)


def test_keywords_are_rows_with_their_context(house: Scratch) -> None:
    first = {"prefix": "the", "word": "fire", "suffix": "spreads", "theme": "wildfire"}
    house.load({"keywords": [first, {**first, "word": "smoke"}]}, {"keywords": []}, {"keywords": None})
    rows = house.run("SELECT prefix, word, suffix, theme FROM disaster.tweet_keyword ORDER BY word")
    assert rows == [("the", "fire", "spreads", "wildfire"), ("the", "smoke", "spreads", "wildfire")]


def test_hours_count_tweets_once_and_name_what_is_relevant(house: Scratch) -> None:
    house.load({"tweet_key": "0" * 32}, {"tweet_key": "0" * 32}, {"relevance_label": "not_relevant"})
    house.find_repeats()
    rows = house.run("SELECT kind, tweets, relevant, repeats FROM disaster.hourly_kind")
    assert rows == [("flood", 2, 1, 1)]


def test_freshness_is_the_time_from_arrival_to_load(house: Scratch) -> None:
    house.load(*[ago(seconds=10) for _ in range(99)], ago(seconds=100))
    rows = house.run("SELECT SUM(loaded_rows), MIN(median_seconds), MAX(longest_seconds) FROM disaster.freshness")
    ((count, median, longest),) = rows
    assert count == 100
    assert 10 <= median < 20
    assert 100 <= longest < 110


def test_there_are_fifteen_questions() -> None:
    assert len(QUERIES) == 15


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_a_question_runs_as_it_is(house: Scratch, path: Path) -> None:
    question = path.read_text()
    assert question.startswith("-- ")
    assert "?" in question.splitlines()[0]
    past = [{"disaster_label": "flood", "location": "Lima", **ago(hours=n + 1.5)} for n in range(48)]
    unsure = {"relevance_score": 0.51, "relevance_label": "relevant", "location": "Lima"}
    lima = {"place": "Lima", "country_code": "PE", "latitude": -12.04, "longitude": -77.03, "place_basis": "text"}
    surge = [{"disaster_label": "flood", **lima, **ago(seconds=n)} for n in range(40)]
    house.load(*past, *surge, *[{**ago(minutes=n), **unsure} for n in range(10)])
    (statement,) = migrations.statements(question)
    assert house.run(statement), "a question over tweets that are there has an answer"


def test_the_page_names_every_table_and_every_column(house: Scratch) -> None:
    page = (SQL.parent / "docs" / "data-model.md").read_text()
    columns = house.run(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'disaster'"
    )
    tables = {name for (name,) in house.run(migrations.SQL["tables"])}
    assert [name for name in tables if name not in page] == []
    assert [(table, column) for table, column in columns if table in tables and f"`{column}`" not in page] == []


def test_posts_and_distinct_texts_are_counted(house: Scratch) -> None:
    same = {"text_key": "a" * 16, "user_id": "1", "relevance_label": "relevant"}
    house.load(
        {**same, **ago(hours=2), "original_text": "b"},
        {**same, "user_id": "2", "relevance_label": "not_relevant", **ago(hours=1), "original_text": "a"},
        {"text_key": "b" * 16, **ago(hours=2)},
        {"text_key": None, **ago(hours=2)},
    )
    counted = house.run(
        "SELECT tweets, users, relevant, original_text, DATEDIFF(HOUR, first_arrived_at, last_arrived_at)"
        " FROM disaster.tweet_text WHERE text_key = :key",
        key="a" * 16,
    )
    assert counted == [(2, 2, 1, "a", 1)]
    assert house.run("SELECT COUNT(*) FROM disaster.tweet_text") == [(2,)]
    assert house.run("SELECT SUM(tweets), SUM(distinct_texts) FROM disaster.hourly_kind") == [(4, 4)]
    assert sorted(house.run("SELECT distinct_texts FROM disaster.hourly_kind")) == [(1,), (3,)]
