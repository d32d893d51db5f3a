"""Transactions that run at the same time on Redshift's snapshots: each order ends with every row and every key once.

A repair beside Firehose's COPY of the same file, two repairs, two comparisons. The second transaction begins before the
first one, when that has begun, and on either side of its writes.
"""

import gzip
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from chalicelib.columns import NAMES
from chalicelib.reconcile import compare, hours, repair, repeats, transaction
from chalicelib.reconcile.job import Job
from chalicelib.reconcile.listing import Listing
from chalicelib.warehouse import copy
from tests.support.aws_in_memory import SETTINGS
from tests.support.interleaved import interleaved
from tests.support.warehouses import ROLE, Scratch, hours_in, keys_in, row, scratch

HOUR = datetime(2026, 1, 2, 3, tzinfo=UTC)
NOW = HOUR + timedelta(hours=5)
BOUNDS = {"since": "2026-01-02 03:00:00", "until": "2026-01-03 03:10:00"}
FOLDER = "tweets/dt=2026-01-02/hh=03/"
KEY = f"{FOLDER}a-3.ndjson.gz"
COPY = copy.statement(f"s3://bucket/{KEY}", ROLE, "disaster.disaster_tweets", NAMES, manifest=False)
JOB = Job("20260102T080000Z-abcdef", NOW, timedelta(minutes=15), True, False, sweep=False)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scratch]:
    with scratch(tmp_path_factory.mktemp("house")) as made:
        made.set_up()
        made.objects[KEY] = lines(*(row(KEY, number, {}) for number in (1, 2, 3)))
        yield made


@pytest.fixture(autouse=True)
def known_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "settings", lambda: replace(SETTINGS, delivery="firehose"))


def empty(house: Scratch) -> None:
    """Take everything out that a test has put in."""
    for table in (
        "disaster_tweets",
        "repeated_tweet",
        "tweet_file",
        "tweet_hour",
        "reconciliation",
        "reconciliation_finding",
    ):
        house.warehouse.execute(f"DELETE FROM disaster.{table}")


def lines(*rows: dict[str, object]) -> bytes:
    return gzip.compress(b"\n".join(map(orjson.dumps, rows)))


def manifest(house: Scratch, name: str, key: str) -> str:
    house.objects[name] = orjson.dumps({"entries": [{"url": f"s3://bucket/{key}", "mandatory": True}]})
    return name


def a_repair(house: Scratch, lock: str) -> tuple[list[str], dict[str, str]]:
    house.objects["reports/keys.gz"] = lines({"s3_key": KEY, "expected_rows": 3})
    manifest(house, "reports/repair.manifest", KEY)
    asked = repair.statements(lock, keys_in("s3://bucket/reports/keys.gz"), "s3://bucket/reports/repair.manifest", ROLE)
    return asked, {"id": JOB.id, "now": "2026-01-02 08:00:00", **BOUNDS}


def a_comparison(house: Scratch, job: Job = JOB) -> tuple[list[str], dict[str, str]]:
    house.objects["reports/hours.gz"] = lines({"hour": "2026-01-02 03:00:00", "hour_key": FOLDER})
    house.objects["reports/files.gz"] = lines(
        {
            "s3_key": KEY,
            "hour_key": FOLDER,
            "expected_rows": 3,
            "bytes": 100,
            "written_at": "2026-01-02 03:10:00",
        }
    )
    listed = Listing([HOUR], files=1, manifest=manifest(house, "reports/files.manifest", "reports/files.gz"))
    asked = compare.statements(job, listed, hours_in("s3://bucket/reports/hours.gz"), "bucket", ROLE)
    return asked, compare.parameters(job, hours.windows([HOUR], {}))


def found(house: Scratch) -> list[int]:
    return [line for (line,) in house.run("SELECT s3_line FROM disaster.disaster_tweets ORDER BY s3_line")]


def test_a_copy_of_firehose_s_that_begins_before_the_repair_is_waited_for_and_seen(house: Scratch) -> None:
    """The repair deletes what it loaded. A COPY that begins later waits for the repair, and is for the next look."""
    asked, given = a_repair(house, transaction.SQL["lock_tweets"])
    for before in moments(asked, repair.SQL["claim"], repair.SQL["delete"]):
        empty(house)
        with interleaved(house, (asked, given), ([COPY], None)) as (mine, firehose):
            mine.go_on(until=before)
            firehose.step()
            copying = firehose.began
            mine.go_on()
            assert mine.committed is not copying
            firehose.go_on()
            mine.go_on()
        assert copying is (before == 0)
        assert found(house) == ([1, 2, 3] if copying else [1, 1, 2, 2, 3, 3])


def test_rows_that_a_copy_added_after_the_repair_are_seen_as_excess_by_the_next_look(house: Scratch) -> None:
    empty(house)
    asked, given = a_repair(house, transaction.SQL["lock_tweets"])
    house.run(*asked, **given)
    house.warehouse.execute(COPY)
    asked, given = a_comparison(house)
    house.run(*asked, **given)
    assert house.run("SELECT state, action FROM disaster.reconciliation_finding") == [("excess", "to_repair")]


def test_two_repairs_of_a_file_at_once_leave_each_line_once(house: Scratch) -> None:
    asked, given = a_repair(house, transaction.SQL["lock"])
    for before in moments(asked, repair.SQL["delete"]):
        empty(house)
        both_run(house, asked, given, before)
        assert found(house) == [1, 2, 3]


def test_two_runs_that_see_a_new_file_at_once_write_it_and_its_hour_down_once(house: Scratch) -> None:
    asked, given = a_comparison(house)
    for before in moments(asked, compare.SQL["files_seen_first"]):
        empty(house)
        both_run(house, asked, given, before)
        assert house.run("SELECT s3_key FROM disaster.tweet_file") == [(KEY,)]
        assert house.run("SELECT COUNT(*) FROM disaster.tweet_hour") == [(1,)]


def test_a_comparison_whose_end_was_lost_is_done_twice_and_writes_down_all_once(house: Scratch) -> None:
    """Its run, what it finds of the hours it looks at, and rows of an hour that nobody lists."""
    empty(house)
    house.load({}, key="tweets/dt=2026-01-01/hh=00/b-1.ndjson.gz")
    asked, given = a_comparison(house, JOB._replace(sweep=True))
    for _ in range(2):
        house.run(*asked, **given)
        assert house.run("SELECT COUNT(*) FROM disaster.reconciliation") == [(1,)]
        states = house.run("SELECT state FROM disaster.reconciliation_finding ORDER BY state")
        assert states == [("missing",), ("orphaned",)]


def test_two_runs_that_find_a_repeated_tweet_at_once_keep_it_once(house: Scratch) -> None:
    asked = repeats.statements(repeats.SQL["new"])
    given = {"id": JOB.id, "since": BOUNDS["since"], "last_since": BOUNDS["since"]}
    for before in moments(asked, repeats.SQL["outdated"], repeats.SQL["found"]):
        empty(house)
        house.load({"tweet_key": "0" * 32}, {"tweet_key": "0" * 32}, key=KEY)
        both_run(house, asked, given, before)
        assert house.run("SELECT copies FROM disaster.repeated_tweet") == [(2,)]


def moments(asked: list[str], *writes: str) -> list[int]:
    """How many statements are done: none, the first, all but those from a write on, that write too, all."""
    around = {asked.index(write) + after for write in writes for after in (0, 1)}
    return sorted({0, 1, len(asked), *around})


def both_run(house: Scratch, asked: list[str], given: dict[str, str], before: int) -> None:
    """The same transaction twice; the second one begins when so many statements of the first are done."""
    with interleaved(house, (asked, given), (asked, given)) as (first, second):
        first.go_on(until=before)
        second.go_on()
        first.go_on()
        second.go_on()
        assert first.committed and second.committed
