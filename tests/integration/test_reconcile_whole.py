"""A file's rows are told to be its lines, each once, from sums alone; where the sums can't tell, lines are counted."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from unittest import mock

import duckdb
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import layout
from chalicelib.reconcile import compare, hours, repair
from chalicelib.reconcile.hours import HOUR, Window
from chalicelib.reconcile.job import Job
from chalicelib.reconcile.listing import Listing
from tests.support.aws_in_memory import SETTINGS
from tests.support.warehouses import ROLE, Scratch, hours_in, packed, scratch

DUCKDB = duckdb.connect()
DUCKDB.execute("SET integer_division = true")
DUCKDB.execute("CREATE SCHEMA disaster")
DUCKDB.execute("CREATE TABLE repair_file (s3_key VARCHAR, expected_rows BIGINT)")
DUCKDB.execute("CREATE TABLE disaster.disaster_tweets (s3_key VARCHAR, s3_line INTEGER, arrived_at TIMESTAMP)")
CREATE = re.compile(r"^CREATE TEMP TABLE repair_result DISTSTYLE ALL AS\n")
RESULT = CREATE.sub("", repair.SQL["repair_result"]).replace(":since", "'2026-01-01'").replace(":until", "'2026-01-02'")
MOST_LINES = 1_000_000


def told(lines: Sequence[int], expected: int) -> bool:
    """Return whether a repair takes these for all lines of a file; its sums alone, without distinct ones."""
    DUCKDB.execute("DELETE FROM repair_file; DELETE FROM disaster.disaster_tweets")
    DUCKDB.execute("INSERT INTO repair_file VALUES ('a', ?)", [expected])
    rows = ", ".join(f"('a', {line}, TIMESTAMP '2026-01-01 12:00:00')" for line in lines)
    DUCKDB.execute(f"INSERT INTO disaster.disaster_tweets VALUES {rows}")
    ((_, found, distinct, whole),) = DUCKDB.execute(RESULT).fetchall()
    assert found == distinct == len(lines)
    return bool(whole)


@given(st.integers(1, 30).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.integers(1, n), max_size=2))))
def test_up_to_two_lost_lines_and_as_many_doubled_ones_are_told(given: tuple[int, list[int]]) -> None:
    expected, others = given
    lines = [*others, *range(len(others) + 1, expected + 1)][:expected]
    assert told(lines, expected) == (sorted(lines) == list(range(1, expected + 1)))


@pytest.mark.parametrize(
    ("lost", "doubled"),
    [((3,), (4,)), ((2, 5), (3, 4)), ((2, 9), (6, 7))],
    ids=["by their sum", "by the sum of their squares", "by their sum, for the squares add up the same"],
)
def test_lost_and_doubled_lines_of_equal_number_are_told(lost: Sequence[int], doubled: Sequence[int]) -> None:
    assert not told([line for line in range(1, 11) if line not in lost] + list(doubled), 10)


def condition(sql: str, *names: str) -> str:
    """Return the condition on a file's sums in a statement, without what qualifies its columns."""
    for name in names:
        sql = sql.replace(f"{name}.", "")
    found = re.search(r"found_rows = expected_rows\s+AND expected_rows <= .*? / 6", " ".join(sql.split()))
    assert found
    return found[0]


def test_a_comparison_and_a_repair_tell_it_alike() -> None:
    compared = condition(compare.SQL["compared_file"], "summed", "listed")
    assert compared == condition(repair.SQL["repair_result"])


def test_of_a_file_too_large_for_its_sums_lines_are_counted() -> None:
    """None of the sums leaves a BIGINT up to there."""
    n = MOST_LINES
    assert n * (n + 1) * (2 * n + 1) < 2**63
    for expected, whole in ((n, True), (999_999_999, False)):
        sums = (
            f"SELECT {expected} AS expected_rows, CAST({expected} AS BIGINT) AS found_rows, 1 AS first_line,"
            f" {expected} AS last_line, CAST({n * (n + 1) // 2} AS BIGINT) AS sum_of_lines,"
            f" CAST({n * (n + 1) * (2 * n + 1) // 6} AS BIGINT) AS sum_of_squares"
        )
        asked = f"SELECT {condition(repair.SQL['repair_result'])} FROM ({sums})"
        assert DUCKDB.execute(asked).fetchone() == (whole,)


# ------------------------------------------------------------------ where rows are looked for

FIRST = datetime(2025, 1, 2, 3, tzinfo=UTC)
YEARS = [FIRST + timedelta(days=365) * n for n in range(3)]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scratch]:
    with (
        scratch(tmp_path_factory.mktemp("house")) as made,
        mock.patch.object(compare, "settings", lambda: SETTINGS),
    ):
        yield made.set_up()


def test_hours_a_year_apart_are_compared_each_where_its_rows_lie(house: Scratch) -> None:
    """Also rows that arrived hours after their file's hour; and a file that was written days later."""
    listed, rows = [], []
    for hour, lines in zip(YEARS, ([1, 2, 3], [1, 2, 2], [1, 3, 4]), strict=True):
        folder = f"tweets/{layout.hour_folder(hour)}"
        key = f"{folder}a-3.ndjson.gz"
        listed.append(
            {
                "s3_key": key,
                "hour_key": folder,
                "expected_rows": 3,
                "bytes": 100,
                "written_at": f"{hour + timedelta(days=2):%Y-%m-%d %H:%M:%S}",
            }
        )
        rows += [(key, line, hour + timedelta(hours=23) * n) for n, line in enumerate(lines)]
    for key, line, arrived in rows:
        house.load({"s3_line": line, "arrived_at": f"{arrived:%Y-%m-%d %H:%M:%S}"}, key=key)
    house.objects |= {
        "work/hours.gz": packed(
            *({"hour": f"{hour:%Y-%m-%d %H:%M:%S}", "hour_key": f"tweets/{layout.hour_folder(hour)}"} for hour in YEARS)
        ),
        "work/files.gz": packed(*listed),
        "work/files.manifest": orjson.dumps({"entries": [{"url": "s3://bucket/work/files.gz", "mandatory": True}]}),
    }
    windows = hours.windows(YEARS, {hour: hour + timedelta(days=2) for hour in YEARS})
    job = Job("20260102T080000Z-abcdef", datetime(2028, 1, 1, tzinfo=UTC), timedelta(0), True, False, sweep=False)
    asked = compare.statements(
        job,
        Listing(list(YEARS), files=3, manifest="work/files.manifest"),
        hours_in("s3://bucket/work/hours.gz"),
        "bucket",
        ROLE,
        len(windows),
    )
    house.run(*asked, **compare.parameters(job, windows))
    found = "SELECT state, found_rows, found_lines FROM disaster.reconciliation_finding ORDER BY s3_key"
    assert house.run(found) == [("partial", 3, 2), ("partial", 3, 3)]
    assert house.run("SELECT state FROM disaster.tweet_file ORDER BY s3_key") == [
        ("loaded",),
        ("partial",),
        ("partial",),
    ]


def test_a_window_lasts_until_its_newest_file_was_written_and_a_day() -> None:
    day = timedelta(days=1)
    late = FIRST + 3 * day
    assert hours.windows([FIRST, FIRST + HOUR], {FIRST: late, FIRST + HOUR: FIRST + HOUR}) == [
        Window(FIRST, FIRST + 2 * HOUR, late + day)
    ]
    assert hours.windows([FIRST], {}) == [Window(FIRST, FIRST + HOUR, FIRST + HOUR + day)]
    assert hours.windows([], {}) == []


def test_windows_that_lie_nearest_become_one() -> None:
    listed = [FIRST + n * HOUR for n in (0, 10, 13, 30)]
    starts_and_stops = [(0, 1), (10, 14), (30, 31)]
    assert [(each.start, each.stop) for each in hours.windows(listed, {}, 3)] == [
        (FIRST + start * HOUR, FIRST + stop * HOUR) for start, stop in starts_and_stops
    ]


@given(st.lists(st.integers(0, 500), min_size=1, unique=True), st.integers(1, 6))
def test_few_windows_hold_all_hours(numbers: list[int], most: int) -> None:
    listed = [FIRST + n * HOUR for n in numbers]
    written: dict[datetime, Any] = {hour: hour + HOUR * (1 + n % 5) for n, hour in enumerate(listed)}
    found = hours.windows(listed, written, most)
    assert len(found) <= most
    assert found == sorted(found)
    assert all(first.stop < second.start for first, second in pairwise(found))
    for hour in listed:
        assert any(each.start <= hour < each.stop and written[hour] < each.until for each in found)
