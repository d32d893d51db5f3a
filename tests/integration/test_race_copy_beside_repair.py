"""Firehose's COPY of a file beside a repair of it: begun before each statement of the repair, in both orders.

What comes of it is right at once, or seen and put right by the next run.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from unittest import mock

import orjson
import pytest

from chalicelib.columns import NAMES
from chalicelib.reconcile import compare, hours, repair, transaction
from chalicelib.reconcile.job import Job
from chalicelib.reconcile.listing import Listing
from chalicelib.warehouse import copy
from tests.support.aws_in_memory import SETTINGS
from tests.support.interleaved import Transaction, interleaved
from tests.support.warehouses import ROLE, Scratch, hours_in, keys_in, packed, row, scratch

HOUR = datetime(2026, 1, 2, 3, tzinfo=UTC)
BOUNDS = {"since": "2026-01-02 03:00:00", "until": "2026-01-03 03:10:00"}
FOLDER = "tweets/dt=2026-01-02/hh=03/"
KEY = f"{FOLDER}a-3.ndjson.gz"
JOB = Job("20260102T080000Z-abcdef", HOUR + timedelta(hours=5), timedelta(minutes=15), True, False, sweep=False)
COPY = copy.statement(f"s3://bucket/{KEY}", ROLE, "disaster.disaster_tweets", NAMES, manifest=False)
REPAIR = repair.statements(
    transaction.SQL["lock_tweets"], keys_in("s3://bucket/work/keys.gz"), "s3://bucket/work/repair.manifest", ROLE
)
GIVEN = {"id": JOB.id, "now": "2026-01-02 08:00:00", **BOUNDS}
LISTED = {"s3_key": KEY, "hour_key": FOLDER, "expected_rows": 3, "bytes": 100, "written_at": "2026-01-02 03:10:00"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scratch]:
    with (
        scratch(tmp_path_factory.mktemp("house")) as made,
        mock.patch.object(compare, "settings", lambda: SETTINGS),
    ):
        made.set_up()
        made.objects |= {
            KEY: packed(*(row(KEY, number, {}) for number in (1, 2, 3))),
            "work/keys.gz": packed({"s3_key": KEY, "expected_rows": 3}),
            "work/repair.manifest": orjson.dumps({"entries": [{"url": f"s3://bucket/{KEY}", "mandatory": True}]}),
            "work/hours.gz": packed({"hour": "2026-01-02 03:00:00", "hour_key": FOLDER}),
            "work/files.gz": packed(LISTED),
            "work/files.manifest": orjson.dumps({"entries": [{"url": "s3://bucket/work/files.gz", "mandatory": True}]}),
        }
        yield made


def empty(house: Scratch) -> None:
    for table in ("disaster_tweets", "tweet_file", "tweet_hour", "reconciliation", "reconciliation_finding"):
        house.warehouse.execute(f"DELETE FROM disaster.{table}")


def rows(house: Scratch) -> list[int]:
    return [line for (line,) in house.run("SELECT s3_line FROM disaster.disaster_tweets ORDER BY s3_line")]


def next_run(house: Scratch) -> str:
    """The state in which the next run finds the file; it repairs it if need be."""
    listed = Listing([HOUR], files=1, manifest="work/files.manifest")
    asked = compare.statements(JOB, listed, hours_in("s3://bucket/work/hours.gz"), "bucket", ROLE)
    house.run(*asked, **compare.parameters(JOB, hours.windows([HOUR], {})))
    found = house.run("SELECT state FROM disaster.reconciliation_finding WHERE action = 'to_repair'")
    if not found:
        return "loaded"
    house.run(*REPAIR, **GIVEN)
    return str(found[0][0])


def in_turns(mine: Transaction, firehose: Transaction, before: int, *, mine_first: bool) -> None:
    """Begin the COPY when so many statements of the repair are done, then let the two take turns to their ends."""
    mine.go_on(until=before)
    firehose.step()
    for _ in range(2 * len(REPAIR) + 4):
        for each in (mine, firehose) if mine_first else (firehose, mine):
            each.step()
    assert mine.committed and firehose.committed


@pytest.mark.parametrize("mine_first", [True, False], ids=["repair first", "COPY first"])
def test_a_copy_that_begins_first_is_replaced_and_one_that_begins_later_doubles_whole(
    house: Scratch, mine_first: bool
) -> None:
    ended = []
    for before in range(len(REPAIR) + 1):
        empty(house)
        house.copy("work/damaged.gz", packed(row(KEY, 1, {})))  # partial
        with interleaved(house, (REPAIR, GIVEN), ([COPY], None)) as (mine, firehose):
            in_turns(mine, firehose, before, mine_first=mine_first)
        ended.append(rows(house))
    assert ended == [[1, 2, 3], *[[1, 1, 2, 2, 3, 3]] * len(REPAIR)]


def test_the_next_run_sees_what_was_doubled_and_puts_it_right(house: Scratch) -> None:
    for before, state in ((0, "loaded"), (1, "excess")):
        empty(house)
        with interleaved(house, (REPAIR, GIVEN), ([COPY], None)) as (mine, firehose):
            in_turns(mine, firehose, before, mine_first=True)
        assert next_run(house) == state
        assert rows(house) == [1, 2, 3]
        assert next_run(house) == "loaded"
