"""Transactions side by side under snapshot isolation: who waits, who is undone with which words, what each one sees.

docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html,
docs.aws.amazon.com/redshift/latest/dg/c_write_readwrite.html,
docs.aws.amazon.com/redshift/latest/dg/r_LOCK.html.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.warehouse import data_api
from local.aws.warehouse import WarehouseError
from local.aws.warehouse.errors import CONFLICT
from local.aws.warehouse.locks import Locks, Mode, Turn
from tests.support.firehose_in_memory import until
from tests.support.interleaved import interleaved
from tests.support.warehouses import Scratch, scratch

INSERT, DELETE, UPDATE = "INSERT INTO t VALUES (3)", "DELETE FROM t WHERE n = 1", "UPDATE t SET n = 9 WHERE n = 1"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scratch]:
    with scratch(tmp_path_factory.mktemp("house")) as made:
        yield made


@pytest.fixture
def house(made: Scratch) -> Scratch:
    made.run("DROP VIEW IF EXISTS v", "DROP TABLE IF EXISTS t", "DROP TABLE IF EXISTS u")
    made.run(
        "CREATE TABLE t (n INTEGER)",
        "CREATE TABLE u (n INTEGER)",
        "INSERT INTO t VALUES (1), (2)",
        "CREATE VIEW v AS SELECT n FROM t",
    )
    return made


def test_what_a_transaction_reads_is_of_its_first_statement(house: Scratch) -> None:
    with interleaved(house, (["SELECT 1", "INSERT INTO u SELECT COUNT(*) FROM t"], None)) as (mine,):
        mine.step()
        house.run(INSERT)
        mine.go_on()
    assert house.run("SELECT n FROM u") == [(2,)]


def test_lock_takes_no_snapshot(house: Scratch) -> None:
    with interleaved(house, (["LOCK u", "INSERT INTO u SELECT COUNT(*) FROM t"], None)) as (mine,):
        mine.step()
        house.run(INSERT)
        mine.go_on()
    assert house.run("SELECT n FROM u") == [(3,)]


@pytest.mark.parametrize("later", [UPDATE, DELETE])
@pytest.mark.parametrize("first", [UPDATE, DELETE])
def test_who_changes_a_row_that_was_changed_since_its_snapshot_is_undone(
    house: Scratch, first: str, later: str
) -> None:
    with interleaved(house, (["SELECT 1", later], None)) as (mine,):
        mine.step()
        house.run(first)
        mine.go_on()
        assert (mine.undone, mine.committed) == (1, True)  # done again, on a new snapshot
    assert house.run("SELECT n FROM t ORDER BY n") == ([(2,), (9,)] if first == UPDATE else [(2,)])


@pytest.mark.parametrize("said", [CONFLICT, "ERROR: deadlock detected"])
def test_who_is_undone_is_run_again_by_the_client(said: str) -> None:
    assert data_api._conflict(data_api.WarehouseError(said))


def test_changes_of_different_rows_get_on(house: Scratch) -> None:
    with interleaved(house, (["SELECT 1", UPDATE], None)) as (mine,):
        mine.step()
        house.run("UPDATE t SET n = 8 WHERE n = 2")
        mine.go_on()
        assert mine.undone == 0
    assert house.run("SELECT n FROM t ORDER BY n") == [(8,), (9,)]


@pytest.mark.parametrize(
    ("first", "second", "waits"),
    [
        (INSERT, INSERT, False),
        (INSERT, "SELECT n FROM v", False),
        (INSERT, UPDATE, True),
        (UPDATE, INSERT, True),
        (UPDATE, "DELETE FROM t WHERE n = 2", True),
        (UPDATE, "SELECT n FROM t", False),
        ("LOCK t", "SELECT n FROM v", True),
        ("SELECT n FROM v", "ALTER TABLE t ADD COLUMN m INTEGER", True),
        ("SELECT n FROM v", "TRUNCATE t", True),
        (UPDATE, "INSERT INTO u VALUES (1)", False),
        ("CREATE TEMP TABLE own (n INTEGER)", "CREATE TEMP TABLE own (n INTEGER)", False),
    ],
)
def test_who_waits_for_whom(house: Scratch, first: str, second: str, waits: bool) -> None:
    with interleaved(house, ([first], None), ([second], None)) as (one, other):
        assert one.step()
        assert other.step() is not waits
        one.go_on()
        other.go_on()
        assert one.committed and other.committed


def test_two_temporary_tables_of_one_name_are_two(house: Scratch) -> None:
    own = ["INSERT INTO u VALUES (1)", "CREATE TEMP TABLE own (n INTEGER)", "UPDATE own SET n = 1"]
    with interleaved(house, (own, None), (own, None)) as both:
        for each in both:
            each.go_on(until=3)
        assert [each.done for each in both] == [3, 3]


def test_a_temporary_table_is_gone_with_the_transaction_that_made_it(house: Scratch) -> None:
    with house.warehouse.session() as session, interleaved(house, (["LOCK u"], None)) as (other,):
        with pytest.raises(WarehouseError):
            session.run(["CREATE TEMP TABLE u (n INTEGER)", "INSERT INTO u VALUES (1)", "SELECT CAST('x' AS INTEGER)"])
        other.step()
        assert not session.ready("BEGIN TRANSACTION", 0, "UPDATE u SET n = 2", wait=False), "u is everybody's again"


def test_who_waits_with_its_first_statement_sees_what_it_waited_for(house: Scratch) -> None:
    with interleaved(house, ([UPDATE], None), ([DELETE, "INSERT INTO u SELECT COUNT(*) FROM t"], None)) as (one, other):
        one.step()
        assert not other.step()
        one.go_on()
        other.go_on()
        assert other.undone == 0
    assert house.run("SELECT n FROM u") == [(2,)]  # the row is a 9 by then: nothing was deleted


def within(seconds: float) -> Callable[[], bool]:
    """Return what gives up then, so that a deadlock that is not found fails its test."""
    deadline = time.monotonic() + seconds
    return lambda: time.monotonic() > deadline


def test_two_that_add_and_then_change_one_table_are_a_deadlock() -> None:
    """The case of docs.aws.amazon.com/redshift/latest/dg/c_write_readwrite.html: shared first, then alone."""
    locks, one, other = Locks(), Turn(), Turn()
    for turn in (one, other):
        locks.take(turn, {"t": Mode.ADD})
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(locks.take, one, {"t": Mode.CHANGE}, within(10))
        until(lambda: bool(locks._waiting))
        with pytest.raises(WarehouseError, match="ERROR: deadlock detected"):
            locks.take(other, {"t": Mode.CHANGE}, within(5))
        locks.end(other, committed=False)
        waiting.result(10)


def test_a_ring_of_waits_over_several_tables_is_found() -> None:
    locks, turns = Locks(), [Turn() for _ in range(3)]
    for turn, table in zip(turns, "abc", strict=True):
        locks.take(turn, {table: Mode.CHANGE})
    with ThreadPoolExecutor() as pool:
        first = pool.submit(locks.take, turns[0], {"b": Mode.CHANGE}, within(10))
        second = pool.submit(locks.take, turns[1], {"c": Mode.CHANGE}, within(10))
        until(lambda: len(locks._waiting) == 2)
        with pytest.raises(WarehouseError, match="deadlock detected"):
            locks.take(turns[2], {"a": Mode.CHANGE}, within(5))
        for turn, wait in ((turns[2], second), (turns[1], first)):
            locks.end(turn, committed=False)
            wait.result(10)


def test_truncate_gives_back_what_was_locked_before_it(house: Scratch) -> None:
    house.run(UPDATE, "TRUNCATE u", "SELECT 1")
    assert house.run(DELETE, "SELECT COUNT(*) FROM t") == [(2,)]


def test_the_level_can_be_asked_for_and_is_not_changed_in_words_alone(house: Scratch) -> None:
    query = "SELECT isolation_level FROM stv_db_isolation_level WHERE db_name = 'tweets'"
    house.run("ALTER DATABASE tweets ISOLATION LEVEL SNAPSHOT")
    assert house.run(query) == [("Snapshot Isolation",)]
    with pytest.raises(WarehouseError, match="does not do ALTER DATABASE … ISOLATION LEVEL SERIALIZABLE"):
        house.run("ALTER DATABASE tweets ISOLATION LEVEL SERIALIZABLE")
    with pytest.raises(WarehouseError, match="must be owner of database tweets"):
        house.warehouse.execute("ALTER DATABASE tweets ISOLATION LEVEL SNAPSHOT", user="somebody")
