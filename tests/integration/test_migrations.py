"""Migrations are applied once, in order, recorded with what they were, and never changed afterwards."""

import hashlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import jobs
from chalicelib.telemetry import logger
from chalicelib.warehouse import data_api, migrations, setup
from chalicelib.warehouse.migrations import SQL, Applied, Migration, MigrationError
from local.aws.warehouse.errors import WarehouseError
from local.server import LocalAws
from tests.support.aws_in_memory import SETTINGS
from tests.support.warehouses import Scratch, scratch

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
    with pytest.raises(MigrationError, match=r"0002_two was changed"):
        migrations.plan([ONE, Migration(2, "two", "SELECT 1;")], applied(ONE, TWO))


def test_a_migration_that_is_gone_is_refused_but_a_newer_one_is_left_alone() -> None:
    with pytest.raises(MigrationError, match="removed"):
        migrations.plan([TWO], applied(ONE))
    assert migrations.plan([ONE], applied(ONE, TWO)) == []
    assert migrations.plan([], applied(ONE)) == []


def test_a_checksum_is_of_the_text_and_line_ends_of_a_checkout_change_nothing() -> None:
    """Were it another, each warehouse would have it that all its migrations were changed."""
    wanted = hashlib.sha256(b"SELECT 1;\nSELECT 2;").hexdigest()
    assert Migration(1, "x", "SELECT 1;\nSELECT 2;").checksum == wanted
    assert Migration(1, "x", "SELECT 1;\r\nSELECT 2;\r\n").checksum == wanted


def test_files_are_numbered_without_gaps(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("SELECT 1;")
    (tmp_path / "0003_b.sql").write_text("SELECT 1;")
    with pytest.raises(MigrationError, match=r"numbered 1, 2, 3, \.\.\., but are \[1, 3\]"):
        migrations.read(tmp_path)
    with pytest.raises(MigrationError, match=r"but are \[\]"):
        migrations.read(tmp_path / "empty")
    (tmp_path / "0003_b.sql").rename(tmp_path / "b.sql")
    with pytest.raises(MigrationError, match=r"b\.sql is not a migration file name"):
        migrations.read(tmp_path)
    (tmp_path / "b.sql").rename(tmp_path / "0002_b.sql")
    assert migrations.read(tmp_path) == [Migration(1, "a", "SELECT 1;"), Migration(2, "b", "SELECT 1;")]


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


@pytest.mark.parametrize(
    ("script", "shown"),
    [
        ("SELECT 1; SELECT 'a", 'A quote is not closed: "\'a"'),
        ("SELECT 1 /* b", "A comment is not closed: '/* b'"),
        ('SELECT "c', "A quote is not closed: '\"c'"),
        ("SELECT '" + 50 * "x", f'A quote is not closed: "\'{39 * "x"}"'),
        ("/*" + 50 * "x", f"A comment is not closed: '/*{38 * 'x'}'"),
    ],
)
def test_what_is_not_closed_is_an_error_that_shows_where_it_begins(script: str, shown: str) -> None:
    with pytest.raises(MigrationError) as raised:
        migrations.statements(script)
    assert str(raised.value) == shown


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


# ------------------------------------------------------------------ applied over the Data API


class Warehouse:
    """What the Data API is asked. `ends` are the errors with which transactions end, one each; then they succeed."""

    def __init__(self) -> None:
        self.done: list[Applied] = []
        self.ran: list[str] = []
        self.ends: list[Exception] = []
        self.roles_asked = 0

    def query(self, sql: str, patience: float) -> list[dict[str, Any]]:
        assert patience > 0
        if sql == migrations.SQL["tables"]:
            return [{"name": "migration"}]
        if sql == migrations.SQL["applied"]:
            return [asdict(row) for row in self.done]
        self.roles_asked += 1
        return [{"role_name": "reader"}]

    def run(self, statements: Sequence[str], parameters: Mapping[str, str], patience: float) -> str:
        assert patience > 0
        self.ran.append(parameters["name"])
        self.statements = statements
        if self.ends:
            raise self.ends.pop(0)
        self.record(*(each for each in (ONE, TWO, THREE) if each.name == parameters["name"]))
        return "s1"

    def record(self, *migrations: Migration) -> None:
        self.done += applied(*migrations)


THREE = Migration(3, "three", "CREATE ROLE Reader; CREATE ROLE writer; SELECT 1;")


@pytest.fixture
def warehouse(monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    found = Warehouse()
    monkeypatch.setattr(data_api, "query", found.query)
    monkeypatch.setattr(data_api, "run", found.run)
    return found


def test_all_that_is_pending_is_applied_in_order_and_told(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[Any, ...]] = []
    monkeypatch.setattr(jobs, "progress", lambda *given: told.append(given))
    warehouse.record(ONE)
    assert migrations.apply([ONE, TWO, THREE]) == [TWO, THREE]
    assert warehouse.ran == ["two", "three"]
    assert told == [("migrations applied", 1, 3), ("migrations applied", 2, 3)]
    assert migrations.apply([ONE, TWO, THREE]) == []


def test_a_setup_tells_what_it_did_and_keeps_time_to_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    monkeypatch.setattr(migrations, "read", lambda: [ONE, TWO, THREE])
    monkeypatch.setattr(migrations, "apply", lambda known, patience: given.append((known, patience)) or [THREE])
    monkeypatch.setattr(logger, "info", lambda message, extra: given.append((message, extra)))
    context = mock.Mock()
    context.get_remaining_time_in_millis.return_value = 60_000
    assert setup.run({}, context, "job") == {"applied": ["0003_three"], "already_applied": 2}
    assert given == [([ONE, TWO, THREE], 50.0), ("warehouse set up", {"applied": ["0003_three"]})]


def test_a_transaction_that_still_runs_has_not_failed_and_is_not_started_again(warehouse: Warehouse) -> None:
    warehouse.ends = [data_api.StillRunningError("Not done in time (STARTED)", "s1")]
    with pytest.raises(data_api.StillRunningError):
        migrations.apply([ONE])
    assert warehouse.ran == ["one"]


def test_a_transaction_that_was_lost_is_tried_twice_more(warehouse: Warehouse) -> None:
    lost = data_api.StatementLostError("forgotten", "s1")
    warehouse.ends = [lost, lost]
    assert migrations.apply([ONE]) == [ONE]
    assert warehouse.ran == ["one"] * 3
    warehouse.ends = [lost] * 3
    with pytest.raises(data_api.StatementLostError):
        migrations.apply([ONE, TWO])
    assert warehouse.ran[3:] == ["two"] * 3


def test_a_transaction_that_failed_because_another_was_quicker_is_no_failure(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def beaten(statements: Sequence[str], parameters: Mapping[str, str], patience: float) -> str:
        warehouse.record(ONE)
        raise data_api.WarehouseError("applied meanwhile", "s1")

    monkeypatch.setattr(data_api, "run", beaten)
    assert migrations.apply([ONE]) == []


def test_a_transaction_that_failed_names_its_migration_and_why(warehouse: Warehouse) -> None:
    warehouse.ends = [data_api.WarehouseError('relation "a" already exists', "s1")]
    with pytest.raises(MigrationError, match=r'^Migration 0001_one: relation "a" already exists'):
        migrations.apply([ONE])


def test_roles_are_asked_for_only_by_a_migration_that_makes_some(warehouse: Warehouse) -> None:
    migrations.apply([ONE, TWO])
    assert warehouse.roles_asked == 0
    assert migrations.existing_roles(TWO, 1.0) == set()
    migrations.apply([ONE, TWO, THREE])
    assert warehouse.roles_asked == 1
    assert [sql for sql in warehouse.statements if "ROLE" in sql] == ["CREATE ROLE writer"]


def test_the_time_for_all_is_not_given_to_each(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    now, given, asked = [1000.0], [], []
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    run, query = warehouse.run, warehouse.query

    def noted(sql: str, patience: float) -> list[dict[str, Any]]:
        asked.append(patience)
        return query(sql, patience)

    def slow(statements: Sequence[str], parameters: Mapping[str, str], patience: float) -> str:
        given.append(patience)
        now[0] += 10
        return run(statements, parameters, patience)

    monkeypatch.setattr(data_api, "run", slow)
    monkeypatch.setattr(data_api, "query", noted)
    migrations.apply([ONE, TWO], patience=60.0)
    assert given == [60.0, 50.0]
    assert asked == [60.0, 60.0, 50.0, 50.0, 40.0, 40.0]


def test_a_warehouse_without_the_table_of_migrations_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_api, "query", lambda sql, patience: [{"name": "tweet_file"}])
    assert migrations.applied() == []


def test_a_later_migration_that_is_applied_makes_a_new_number_necessary() -> None:
    with pytest.raises(MigrationError, match=r"0001_one is pending, but the later 0003_three was applied"):
        migrations.plan([ONE, TWO, THREE], applied(TWO, THREE))


def test_a_transaction_takes_the_lock_looks_again_and_records_what_it_did_in_this_order() -> None:
    planned = migrations.transaction(TWO)
    assert planned.statements == (SQL["lock"], SQL["guard"], "CREATE TABLE c (d INTEGER)", SQL["record"])
    assert planned.parameters == {"version": "2", "name": "two", "checksum": TWO.checksum}
    assert migrations.transaction(ONE).statements == ("CREATE TABLE a (b INTEGER)", SQL["record"])


def test_a_transaction_holds_just_what_the_data_api_takes() -> None:
    assert len(migrations.transaction(Migration(2, "most", "SELECT 1;" * 37)).statements) == 40
    with pytest.raises(MigrationError, match=r"0002_more has 38 statements, more than 37"):
        migrations.transaction(Migration(2, "more", "SELECT 1;" * 38))
    assert migrations.transaction(Migration(1, "long", "x" * 100_000))
    with pytest.raises(MigrationError, match=r"0001_long: a statement has over 100000 bytes"):
        migrations.transaction(Migration(1, "long", "é" * 50_001))


WIDER = Migration(2, "wider", "ALTER TABLE a ALTER COLUMN b TYPE VARCHAR(8);")


def test_what_runs_in_no_transaction_runs_first_and_by_itself() -> None:
    planned = migrations.transaction(WIDER)
    assert planned.alone == "ALTER TABLE a ALTER COLUMN b TYPE VARCHAR(8)"
    assert planned.statements == (SQL["lock"], SQL["guard"], SQL["record"])
    assert migrations.transaction(TWO).alone == ""
    with pytest.raises(MigrationError, match="needs a file of its own"):
        migrations.transaction(Migration(2, "both", f"{WIDER.sql} SELECT 1;"))


def test_a_long_statement_that_needs_a_file_of_its_own_is_named_by_its_beginning() -> None:
    long = f"ALTER TABLE a ALTER COLUMN {'b' * 100} TYPE VARCHAR(8)"
    with pytest.raises(MigrationError, match=f"^Migration 0002_both: {re.escape(long[:60])} runs in no transaction"):
        migrations.transaction(Migration(2, "both", f"{long}; SELECT 1;"))


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> mock.Mock:
    """The Data API, in a database whose column `a` is encoded as ZSTD."""
    api = mock.Mock()
    api.query.return_value = [{"column_name": "a", "encoding": "zstd"}]
    monkeypatch.setattr(data_api, "query", api.query)
    monkeypatch.setattr(data_api, "execute", api.execute)
    monkeypatch.setattr(migrations, "settings", lambda: SETTINGS)
    return api


def test_what_changes_no_encoding_is_run_as_it_is_without_a_look(alone: mock.Mock) -> None:
    for sql in ("ALTER TABLE d.t ALTER COLUMN a TYPE VARCHAR(8)", "VACUUM"):
        migrations._run_alone(sql, 30.0)
    assert not alone.query.called
    assert alone.execute.call_args_list == [
        mock.call("ALTER TABLE d.t ALTER COLUMN a TYPE VARCHAR(8)", patience=30.0),
        mock.call("VACUUM", patience=30.0),
    ]


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        ("ALTER COLUMN a ENCODE ZSTD, ALTER COLUMN b ENCODE ZSTD", "ALTER COLUMN b ENCODE ZSTD"),
        ("ALTER COLUMN a ENCODE RAW", "ALTER COLUMN a ENCODE RAW"),
        (
            "alter column b encode raw, ALTER COLUMN c ENCODE LZO",
            "ALTER COLUMN b ENCODE raw, ALTER COLUMN c ENCODE LZO",
        ),
        ("ALTER COLUMN a ENCODE ZSTD", ""),
    ],
)
def test_a_column_is_encoded_anew_unless_it_is_so_already(alone: mock.Mock, asked: str, left: str) -> None:
    migrations._run_alone(f"ALTER TABLE d.t {asked}", 30.0)
    given = {"database": "tweets", "table": "t"}
    alone.query.assert_called_once_with(SQL["encodings"], given, patience=30.0)
    ran = [mock.call(f"ALTER TABLE d.t {left}", patience=30.0)] if left else []
    assert alone.execute.call_args_list == ran


def test_only_what_says_that_it_was_done_before_is_no_error(alone: mock.Mock) -> None:
    sql = "ALTER TABLE d.t ALTER COLUMN a TYPE VARCHAR(8)"
    alone.execute.side_effect = data_api.WarehouseError(f"ERROR: {migrations.DONE_ALREADY}", "s1")
    migrations._run_alone(sql, 30.0)
    alone.execute.side_effect = data_api.WarehouseError("no such column", "s1")
    with pytest.raises(data_api.WarehouseError, match="no such column"):
        migrations._run_alone(sql, 30.0)


def test_a_statement_that_was_done_but_not_recorded_is_done_again_without_harm(stack: LocalAws) -> None:
    """A crash between the two leaves it so."""
    data_api.run(["CREATE SCHEMA scratch", "CREATE TABLE scratch.a (b VARCHAR(4))"])
    wider = "ALTER TABLE scratch.a ALTER COLUMN b TYPE VARCHAR(8)"
    for _ in range(2):
        migrations._run_alone(wider, 30)
    data_api.run(["INSERT INTO scratch.a VALUES ('12345678')"])
    with pytest.raises(data_api.WarehouseError, match="larger"):
        migrations._run_alone(wider.replace("8", "2"), 30)
    data_api.run(["CREATE VIEW scratch.v AS SELECT b FROM scratch.a"])
    with pytest.raises(data_api.WarehouseError, match="used by a view"):
        migrations._run_alone(wider.replace("8", "16"), 30)
    with pytest.raises(data_api.WarehouseError, match="transaction block"):
        data_api.run([wider, "SELECT 1"])
    data_api.run(["DROP SCHEMA scratch CASCADE"])


def test_encodings_that_columns_have_already_are_not_asked_for_again(stack: LocalAws) -> None:
    """Redshift refuses them, and nobody knows with which words."""
    table = "disaster.packed"
    data_api.run([f"CREATE TABLE {table} (a VARCHAR(8) ENCODE ZSTD, b VARCHAR(8) ENCODE BYTEDICT, c INTEGER)"])
    alter = f"ALTER TABLE {table} ALTER COLUMN a ENCODE BYTEDICT, ALTER COLUMN b ENCODE BYTEDICT"
    with pytest.raises(data_api.WarehouseError, match="already"):
        data_api.execute(alter)
    for _ in range(2):
        migrations._run_alone(alter, 30)
    given = {"database": "tweets", "table": "packed"}
    found = {row["column_name"]: row["encoding"] for row in data_api.query(SQL["encodings"], given)}
    data_api.run([f"DROP TABLE {table}"])
    assert found == {"a": "bytedict", "b": "bytedict", "c": "none"}
    assert migrations.encodings_left(alter, {"a": "ZSTD", "b": "bytedict"}) == (
        f"ALTER TABLE {table} ALTER COLUMN a ENCODE BYTEDICT"
    )
    assert migrations.encodings_left(alter, found) == ""
