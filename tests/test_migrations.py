"""Migrations are applied once, in order, recorded with what they were, and never changed afterwards."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.warehouse import migrations
from chalicelib.warehouse.migrations import Applied, Migration, MigrationError
from local.warehouse.errors import WarehouseError
from tests.warehouses import Scratch, scratch

ONE = Migration(1, "one", "CREATE TABLE a (b INTEGER);")
TWO = Migration(2, "two", "CREATE TABLE c (d INTEGER);")


def applied(*done: Migration) -> list[Applied]:
    return [Applied(each.version, each.name, each.checksum, datetime(2026, 1, 1, tzinfo=UTC)) for each in done]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Scratch]:
    with scratch(tmp_path) as made:
        yield made


def test_what_is_pending_comes_in_order() -> None:
    assert migrations.plan([ONE, TWO], []) == [ONE, TWO]
    assert migrations.plan([ONE, TWO], applied(ONE)) == [TWO]
    assert migrations.plan([ONE, TWO], applied(ONE, TWO)) == []


def test_a_changed_migration_is_refused_by_name() -> None:
    with pytest.raises(MigrationError, match=r"0001_one was changed after it was applied on 2026-01-01"):
        migrations.plan([Migration(1, "one", "CREATE TABLE b (b INTEGER);"), TWO], applied(ONE))


def test_a_migration_that_is_gone_is_refused_but_a_newer_one_is_left_alone() -> None:
    with pytest.raises(MigrationError, match="removed"):
        migrations.plan([TWO], applied(ONE))
    assert migrations.plan([ONE], applied(ONE, TWO)) == []


def test_line_ends_of_a_checkout_change_nothing() -> None:
    assert (
        Migration(1, "x", "SELECT 1;\r\nSELECT 2;\r\n").checksum == Migration(1, "x", "SELECT 1;\nSELECT 2;").checksum
    )


def test_files_are_numbered_without_gaps(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("SELECT 1;")
    (tmp_path / "0003_b.sql").write_text("SELECT 1;")
    with pytest.raises(MigrationError, match="numbered"):
        migrations.read(tmp_path)
    (tmp_path / "0003_b.sql").rename(tmp_path / "b.sql")
    with pytest.raises(MigrationError, match=r"b\.sql is no migration's name"):
        migrations.read(tmp_path)


@pytest.mark.parametrize(
    ("script", "wanted"),
    [
        ("SELECT 1; SELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT ';'; -- a; b\nSELECT 2;", ["SELECT ';'", "SELECT 2"]),
        ("SELECT 'it''s;' ;", ["SELECT 'it''s;'"]),
        ('SELECT ";" /* a; /* b; */ c */ ;', ['SELECT ";"']),
        ("CREATE PROCEDURE p() AS $$ BEGIN; END; $$;", ["CREATE PROCEDURE p() AS $$ BEGIN; END; $$"]),
        (" ;; \n", []),
    ],
)
def test_a_script_is_split_where_statements_end(script: str, wanted: list[str]) -> None:
    assert migrations.statements(script) == wanted


@pytest.mark.parametrize("script", ["SELECT 'a", "SELECT 1 /* b", 'SELECT "c'])
def test_what_is_not_closed_is_an_error(script: str) -> None:
    with pytest.raises(MigrationError, match="not closed"):
        migrations.statements(script)


@given(st.lists(st.text(alphabet="ab;'\n-", max_size=8), max_size=4))
def test_strings_survive_whatever_is_in_them(texts: list[str]) -> None:
    quoted = ["SELECT '" + text.replace("'", "''") + "'" for text in texts]
    assert migrations.statements("; ".join(quoted)) == quoted


def test_a_migration_runs_once_even_if_two_try(house: Scratch) -> None:
    house.set_up()
    planned = migrations.transaction(migrations.read()[1])
    with pytest.raises(WarehouseError, match="applied meanwhile"):
        house.run(*planned.statements, **planned.parameters)


def test_a_failing_migration_leaves_nothing_and_is_not_recorded(house: Scratch) -> None:
    house.set_up()
    version = len(migrations.read()) + 1
    broken = migrations.transaction(Migration(version, "broken", "CREATE TABLE x (a INTEGER); SELECT nonsense FROM x;"))
    with pytest.raises(WarehouseError, match='column "nonsense" does not exist'):
        house.run(*broken.statements, **broken.parameters)
    assert house.run("SELECT COUNT(*) FROM disaster.migration") == [(version - 1,)]
    with pytest.raises(WarehouseError, match='relation "x" does not exist'):
        house.run("SELECT * FROM x")


def test_a_role_that_is_there_is_not_made_again(house: Scratch) -> None:
    roles = next(each for each in migrations.read() if "CREATE ROLE" in each.sql)
    assert any(sql.startswith("CREATE ROLE") for sql in migrations.transaction(roles).statements)
    there = migrations.transaction(roles, {"disaster_analyst", "disaster_app"})
    assert not any(sql.startswith("CREATE ROLE") for sql in there.statements)


def test_each_migration_fits_a_transaction_of_the_data_api() -> None:
    for migration in migrations.read():
        assert len(migrations.transaction(migration).statements) <= 40
    many = Migration(1, "many", "SELECT 1;" * 40)
    with pytest.raises(MigrationError, match="split it into two"):
        migrations.transaction(many)
