"""The warehouse is set up over the admin API: safely at any time, at once and again, and it says how it stands."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from chalice.app import ConflictError

from chalicelib import clients, jobs
from chalicelib.admin import warehouse
from chalicelib.admin.http import Request
from chalicelib.admin.warehouse import SAME, _goes_on
from chalicelib.warehouse import data_api, migrations, status
from chalicelib.warehouse.migrations import Migration, MigrationError
from tests.support.admin_api import finished

KNOWN = migrations.read()
NEXT = Migration(
    len(KNOWN) + 1, "next", "CREATE TABLE disaster.next_thing (a INTEGER); INSERT INTO disaster.next_thing VALUES (1);"
)


@pytest.fixture
def one_more(stack: Any) -> Iterator[list[Migration]]:
    """The migrations and another, which is undone afterwards."""
    yield [*KNOWN, NEXT]
    data_api.run(["DROP TABLE IF EXISTS disaster.next_thing"])
    data_api.run([f"DELETE FROM disaster.migration WHERE version = {NEXT.version}"])


def test_a_second_setup_applies_nothing(stack: Any) -> None:
    job = finished(stack.admin_url, "/warehouse/setup")
    assert (job["applied"], job["already_applied"]) == ([], len(KNOWN))


def test_it_says_what_was_applied_and_how_many_rows_there_are(stack: Any) -> None:
    deadline = time.monotonic() + 30
    while (shown := requests.get(stack.admin_url + "/warehouse", timeout=30).json())["status"] == "waking_up":
        assert time.monotonic() < deadline
    assert (shown["status"], shown["migrations"]["pending"]) == ("ready", [])
    assert [each["migration"] for each in shown["migrations"]["applied"]] == [str(migration) for migration in KNOWN]
    assert {each["applied_at"] for each in shown["migrations"]["applied"]} == {
        row.applied_at.isoformat() for row in migrations.applied()
    }
    assert shown["rows"]["disaster_kind"] == 23
    assert set(shown["rows"]) == set(migrations.tables()) == set(status.ROWS)


def test_a_warehouse_that_was_never_set_up_says_so(stack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "tables", lambda patience: [])
    shown = status.overview(patience=30)
    assert (shown["status"], shown["rows"]) == ("not_set_up", {})
    assert shown["migrations"] == {"applied": [], "pending": [str(migration) for migration in KNOWN]}


def test_of_many_at_once_one_applies_a_migration(one_more: list[Migration]) -> None:
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: migrations.apply(one_more), range(4)))
    assert sorted(map(len, done)) == [0, 0, 0, 1]
    assert data_api.query("SELECT a FROM disaster.next_thing") == [{"a": 1}]
    (recorded,) = [row for row in migrations.applied() if row.version == NEXT.version]
    assert (recorded.name, recorded.checksum) == (NEXT.name, NEXT.checksum)
    assert abs(datetime.now(UTC) - recorded.applied_at) < timedelta(minutes=1)


def test_what_is_pending_is_named(one_more: list[Migration], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "read", lambda: one_more)
    shown = status.overview(patience=30)
    assert (shown["status"], shown["migrations"]["pending"]) == ("behind", [str(NEXT)])
    assert shown["message"] == "POST /warehouse/setup applies what is pending"


def test_only_tables_that_are_there_are_counted_in_what_is_left_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now, ran = [1000.0], []

    def tables(patience: float) -> list[str]:
        now[0] += 10
        return ["disaster_kind", "migration", "somebody_elses"]

    def run(statements: list[str], *, patience: float) -> str:
        ran.append((statements, patience))
        return "s1"

    counted = [{"name": "migration", "n": 1}, {"name": "disaster_kind", "n": 23}]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(migrations, "tables", tables)
    monkeypatch.setattr(data_api, "run", run)
    monkeypatch.setattr(data_api, "rows_of", {"s1:1": [], "s1:2": counted}.__getitem__)
    assert status.overview(patience=30.0)["rows"] == {"disaster_kind": 23, "migration": 1}
    counts = (
        "SELECT 'disaster_kind' AS name, COUNT(*) AS n FROM disaster.disaster_kind"
        " UNION ALL SELECT 'migration' AS name, COUNT(*) AS n FROM disaster.migration"
    )
    asked = [([statements[0], " ".join(statements[1].split())], patience) for statements, patience in ran]
    assert asked == [([migrations.SQL["applied"], counts], 20.0)]


def test_a_failing_migration_says_which_and_why_and_is_pending_still(one_more: list[Migration]) -> None:
    broken = Migration(
        NEXT.version, "broken", "CREATE TABLE disaster.next_thing (a INTEGER); SELECT b FROM disaster.next_thing;"
    )
    with pytest.raises(MigrationError, match=r'_broken: Statement 4 of 5: .*column "b" does not exist'):
        migrations.apply([*KNOWN, broken])
    assert migrations.plan(one_more, migrations.applied()) == [NEXT]
    assert migrations.apply(one_more) == [NEXT]


def test_a_statement_that_was_lost_is_no_harm(one_more: list[Migration], monkeypatch: pytest.MonkeyPatch) -> None:
    run = data_api.run

    def lost(*given: Any, **named: Any) -> str:
        monkeypatch.setattr(data_api, "run", run)
        run(*given, **named)
        raise data_api.StatementLostError("forgotten", "1")

    monkeypatch.setattr(data_api, "run", lost)
    assert migrations.apply(one_more) == []
    assert data_api.query("SELECT a FROM disaster.next_thing") == [{"a": 1}]


def test_a_changed_migration_is_a_conflict_that_says_what_to_do(stack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "read", lambda: [Migration(1, "schema", "SELECT 1"), *KNOWN[1:]])
    with pytest.raises(ConflictError, match=r"0001_schema was changed after it was applied.*new migration"):
        warehouse.show(Request("me", "1"))


def test_a_warehouse_that_sleeps_is_said_to_wake_up_within_a_second(
    stack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_api, "_can_wait", lambda: False)
    monkeypatch.setattr(clients.redshift_data(), "describe_statement", lambda Id: {"Status": "SUBMITTED"})
    began = time.monotonic()
    shown = status.overview(patience=0.3)
    assert time.monotonic() - began < 1
    assert (shown["status"], "ask again" in shown["message"]) == ("waking_up", True)


def test_a_setup_under_way_is_the_answer_to_another(stack: Any) -> None:
    job = jobs._new("setup", {})
    jobs._store(job)
    answer = requests.post(stack.admin_url + "/warehouse/setup", timeout=30)
    jobs._store({**job, "status": "failed", "error": "it was none"})
    assert (answer.status_code, answer.json()["id"]) == (202, job["id"])
    assert answer.headers["Location"] == f"/warehouse/setup/{job['id']}"
    assert finished(stack.admin_url, "/warehouse/setup")["id"] != job["id"]


def test_it_waits_for_a_young_setup_and_not_for_one_that_may_have_died() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    job = {"status": "running", "started_at": "2026-01-01T00:00:00.000Z"}
    assert _goes_on(job, now + SAME / 2)
    assert not _goes_on(job, now + SAME)
    assert not _goes_on({**job, "status": "succeeded"}, now)


def test_an_unknown_setup_is_not_found(stack: Any) -> None:
    answer = requests.get(stack.admin_url + "/warehouse/setup/20260101T000000Z-abcdef", timeout=30)
    assert (answer.status_code, answer.json()["Code"]) == (404, "NotFoundError")
