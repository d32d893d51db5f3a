"""Tweets that came more than once are found as they are loaded, and kept apart; `tweet` shows each once.

What the view shows is compared with the definition that it replaced: a window over all rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from chalicelib import layout
from chalicelib.erasures import rows as erasures
from chalicelib.reconcile import compare, hours, repeats, transaction
from chalicelib.reconcile.compare import Known
from chalicelib.reconcile.job import Job
from chalicelib.warehouse import migrations
from tests.support.warehouses import Scratch, scratch

PHASES = (Phase.explicit, Phase.generate)  # to make what fails smaller takes minutes
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
COLUMNS = (
    "tweet_key, arrived_at, arrived_datetime_from_kinesis, disaster_label, original_text, keywords, classifier_version,"
    " s3_key, s3_line, loaded_at, copies, source"
)
BEFORE = """
SELECT
    tweet_key, first_arrived_at AS arrived_at,
    first_arrived_datetime_from_kinesis AS arrived_datetime_from_kinesis, disaster_label, original_text, keywords,
    classifier_version, s3_key, s3_line, loaded_at, copies, source
FROM disaster.tweet_history
WHERE arrival = copies
"""
"""The view as it was: all rows of all tweets, numbered."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scratch]:
    with scratch(tmp_path_factory.mktemp("house")) as made:
        yield made.set_up()


@dataclass
class World:
    """A warehouse in which time passes by hand, with the files that were written and what runs know."""

    house: Scratch
    now: datetime = NOW
    files: dict[str, tuple[datetime, list[str]]] = field(default_factory=dict)  # by key: hour, tweet keys
    runs: int = 0
    last_sweep: datetime | None = None

    def __post_init__(self) -> None:
        for table in ("disaster_tweets", "repeated_tweet", "reconciliation"):
            self.house.warehouse.execute(f"DELETE FROM disaster.{table}")

    def write(self, hour: datetime, tweets: list[str]) -> str:
        key = f"tweets/{layout.hour_folder(hour)}{len(self.files):032x}-{len(tweets)}.ndjson.gz"
        self.files[key] = hour, tweets
        return key

    def load(self, key: str, version: str = "") -> None:
        """As COPY does, at this moment."""
        self.now += timedelta(seconds=1)
        hour, tweets = self.files[key]
        values = ", ".join(
            f"('text of {tweet}', 'flood', {int(hour.timestamp() * 1000) + line}, '{tweet}', "
            f"'{version or f'version {len(self.files)}'}', '{key}', {line}, "
            f"CAST('{hour + timedelta(milliseconds=line):%Y-%m-%d %H:%M:%S.%f}' AS TIMESTAMP), "
            f"CAST('{self.now:%Y-%m-%d %H:%M:%S.%f}' AS TIMESTAMP))"
            for line, tweet in enumerate(tweets, 1)
        )
        self.house.warehouse.execute(
            "INSERT INTO disaster.disaster_tweets (original_text, disaster_label, arrived_datetime_from_kinesis,"
            f" tweet_key, classifier_version, s3_key, s3_line, arrived_at, loaded_at) VALUES {values}"
        )

    def delete(self, key: str) -> None:
        self.house.warehouse.execute(f"DELETE FROM disaster.disaster_tweets WHERE s3_key = '{key}'")

    def erase(self, tweet: str) -> None:
        """All rows of a tweet, as chalicelib/erasures does it, in every table that it names."""
        lines = f"SELECT s3_key, s3_line FROM disaster.disaster_tweets WHERE tweet_key = '{tweet}'"
        self.house.run(
            "CREATE TEMP TABLE erased_line (s3_key VARCHAR(256), s3_line INTEGER)",
            f"INSERT INTO erased_line {lines}",
            *(erasures.SQL[name] for name in erasures.ERASE),
            now="2026-06-01 12:00:00",
        )

    def run(self, *, sweep: bool = False, repaired_since: datetime | None = None) -> int:
        """What a reconciliation does about repeated tweets: how many statements it took."""
        self.now += timedelta(seconds=1)
        self.runs += 1
        job = Job(f"run {self.runs}", self.now, timedelta(0), True, False, sweep)
        taken: list[str] = []

        def asked(statements: list[str], given: dict[str, str], *, answers: int, patience: float) -> list[Any]:
            assert patience == 60
            taken.extend(statements)
            rows = self.house.run(*statements, **given)
            return [[{"since": rows[0][0].replace(tzinfo=UTC) if rows[0][0] else None}]] if answers else []

        recent = hours.recent(self.now).start
        times = {"now": f"{self.now:%Y-%m-%d %H:%M:%S}", "recent": f"{recent:%Y-%m-%d %H:%M:%S}"}
        ((_, _, _, new_rows, *_),) = self.house.run(compare.SQL["known"], id=job.id, **times)
        self.house.warehouse.execute(
            "INSERT INTO disaster.reconciliation"
            " (reconciliation_id, started_at, repair, grace_seconds, swept, hours) VALUES"
            f" ('{job.id}', CAST('{self.now:%Y-%m-%d %H:%M:%S}' AS TIMESTAMP), TRUE, 0, {sweep}, 0)"
        )
        known = Known([], [], {}, self.last_sweep, 0, new_rows)
        with mock.patch.object(transaction, "run", asked):
            repeats.find(job, known, repaired_since, 60)
        if sweep:
            self.last_sweep = self.now
        return len(taken)

    def shown(self) -> list[tuple[Any, ...]]:
        return self.house.run(f"SELECT {COLUMNS} FROM disaster.tweet ORDER BY tweet_key, arrived_at")

    def before(self) -> list[tuple[Any, ...]]:
        return self.house.run(f"SELECT {COLUMNS} FROM ({BEFORE}) AS windowed ORDER BY tweet_key, arrived_at")


KEYS = ["a" * 32, "b" * 32, "c" * 32, "d" * 32]
AGES = st.sampled_from([timedelta(minutes=5), timedelta(hours=5), timedelta(days=30), timedelta(days=365)])
MINUTES = timedelta(minutes=5)
OLD = ("load", timedelta(days=365), KEYS[:1])
LOAD = ("load", MINUTES, [KEYS[0], KEYS[0]])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("load"), AGES, st.lists(st.sampled_from(KEYS), min_size=1, max_size=3)),
        st.tuples(st.sampled_from(["again", "repair", "drop"]), st.integers(0, 9)),
        st.tuples(st.just("erase"), st.sampled_from(KEYS)),
        st.tuples(st.just("run")),
        st.tuples(st.just("sweep")),
        st.tuples(st.just("wait"), st.sampled_from([timedelta(hours=1), timedelta(days=3)])),
    ),
    max_size=14,
)


@settings(max_examples=20, phases=PHASES, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(STEPS)
@example([LOAD, ("run",), ("repair", 0)])  # nothing has changed but when its rows were loaded
@example([LOAD, ("run",), ("erase", KEYS[0]), ("load", MINUTES, KEYS[:1])])  # it came again
@example([("load", 3 * MINUTES, KEYS[:1]), ("load", 2 * MINUTES, KEYS[:1]), LOAD, ("run",), ("drop", 1)])  # neither end
@example([("load", MINUTES, KEYS[:1]), ("load", 2 * MINUTES, KEYS[:1])])  # the last one has the smaller key
@example([OLD, ("sweep",), ("load", 2 * MINUTES, KEYS[:1]), ("load", MINUTES, KEYS[:1]), ("run",), ("drop", 1)])
@example([LOAD, ("sweep",), ("wait", timedelta(days=3)), ("sweep",), ("drop", 0)])  # nothing is new
def test_after_a_sweep_the_view_is_what_a_window_over_all_rows_would_show(
    house: Scratch, steps: list[tuple[Any, ...]]
) -> None:
    """Whatever was loaded, loaded twice, repaired, deleted by hand or erased before, and whatever former runs found."""
    world = World(house)
    for what, *how in steps:
        match what:
            case "load":
                age, tweets = how
                world.load(world.write(world.now - age, tweets))
            case "again" | "repair" | "drop" if world.files:
                key = sorted(world.files)[how[0] % len(world.files)]
                if what != "again":
                    world.delete(key)
                if what != "drop":
                    world.load(key)
                if what == "repair":
                    world.run(repaired_since=hours.floor(world.files[key][0]))
            case "erase":
                world.erase(how[0])
            case "run" | "sweep":
                world.run(sweep=what == "sweep")
            case "wait":
                world.now += how[0]
    world.run(sweep=True)
    assert world.shown() == world.before()


@settings(max_examples=12, phases=PHASES, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.sampled_from([5, 300, 2500]), st.lists(st.sampled_from(KEYS), min_size=1)), max_size=8))
def test_after_each_run_it_is_so_for_tweets_of_two_days(house: Scratch, loads: list[tuple[int, list[str]]]) -> None:
    world = World(house)
    for minutes, tweets in loads:
        world.load(world.write(world.now - timedelta(minutes=minutes), tweets))
        world.run()
        assert world.shown() == world.before()


def test_a_copy_that_arrives_a_year_later_is_found_by_the_next_sweep(house: Scratch) -> None:
    world = World(house)
    first = world.write(NOW - timedelta(days=365), [KEYS[0]])
    world.load(first)
    world.run(sweep=True)
    world.now += timedelta(hours=20)
    again = world.write(world.now, [KEYS[0]])
    world.load(again, "bundled-2")
    world.run()
    assert len(world.shown()) == 2  # within the documented delay
    world.now += timedelta(hours=4)
    world.run(sweep=True)
    (shown,) = world.shown()
    assert [shown] == world.before()
    assert (shown[1], shown[6], shown[7]) == (
        (NOW - timedelta(days=365)).replace(tzinfo=None, microsecond=1000),
        "bundled-2",
        again,
    )


def test_a_repair_of_an_old_file_finds_copies_that_came_since(house: Scratch) -> None:
    world = World(house)
    hour = hours.floor(NOW - timedelta(days=100))
    old = world.write(hour, [KEYS[0]])
    world.load(world.write(NOW, [KEYS[0]]))
    world.run()
    world.load(old)
    world.run(repaired_since=hour)
    assert [row[-2] for row in world.shown()] == [2]


def test_where_nothing_was_loaded_nothing_is_asked(house: Scratch) -> None:
    world = World(house)
    world.load(world.write(NOW, [KEYS[0], KEYS[0]]))
    assert [world.run(), world.run(), world.run(sweep=True)] == [6, 0, 9]
    assert [row[-2] for row in world.shown()] == [2]


def test_a_question_about_a_time_reads_the_blocks_of_that_time_alone(house: Scratch) -> None:
    """The filter on `arrived_at` is in the scan of each table that the view reads, as the plan says."""
    world = World(house)
    for day in range(10):
        world.load(world.write(NOW - timedelta(days=day), KEYS))
    plan = explained(house, "SELECT COUNT(*) FROM disaster.tweet WHERE arrived_at >= '2026-05-31 00:00:00'")
    scans = [scan for scan in plan if "tweet" in scan["Table"]]
    filtered = [scan["Table"].rpartition(".")[2] for scan in scans if "arrived_at" in str(scan.get("Filters"))]
    assert sorted(filtered) == ["disaster_tweets", "repeated_tweet"]
    keys_alone = [scan for scan in scans if "arrived_at" not in str(scan.get("Filters"))]
    assert [(scan["Table"].rpartition(".")[2], scan["Projections"]) for scan in keys_alone] == [
        ("repeated_tweet", "tweet_key")
    ]


def test_the_view_as_it_was_read_all_of_it(house: Scratch) -> None:
    plan = explained(house, f"SELECT COUNT(*) FROM ({BEFORE}) AS t WHERE arrived_at >= '2026-05-31 00:00:00'")
    assert [scan["Table"].rpartition(".")[2] for scan in plan if "arrived_at" in str(scan.get("Filters"))] == []


def explained(house: Scratch, sql: str) -> list[dict[str, Any]]:
    """The scans of a query's plan."""
    found: list[dict[str, Any]] = []

    def walk(node: dict[str, Any]) -> None:
        if "Table" in (extra := node.get("extra_info", {})):
            found.append(extra)
        for child in node.get("children", ()):
            walk(child)

    ((_, plan),) = house.warehouse.ask(f"EXPLAIN (FORMAT json) {sql}", {})
    for root in json.loads(plan):
        walk(root)
    return found


def test_what_has_text_is_erased_in_every_table_that_has_it(house: Scratch) -> None:
    columns = (
        "SELECT table_name FROM information_schema.columns WHERE table_schema = 'disaster' AND column_name = :text"
    )
    tables = {name for (name,) in house.run(migrations.SQL["tables"])}
    with_text = {f"disaster.{name}" for (name,) in house.run(columns, text="original_text") if name in tables}
    asked = [erasures.SQL[name].split() for name in erasures.ERASE]
    updated = {words[1] for words in asked if words[0] == "UPDATE"}
    assert with_text == updated - {"disaster.label_review"}


def test_what_is_kept_apart_has_the_columns_and_sizes_of_a_row(house: Scratch) -> None:
    names = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'disaster' AND table_name = :table"
    row, apart = (
        {name for (name,) in house.run(names, table=table)} for table in ("disaster_tweets", "repeated_tweet")
    )
    assert apart - row == {"copies", "last_arrived_at", "newest_load"} and row <= apart
    sizes = house.warehouse.limits("disaster", "disaster_tweets")
    assert house.warehouse.limits("disaster", "repeated_tweet") == sizes
