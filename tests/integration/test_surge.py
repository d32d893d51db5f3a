"""The view `surge` tells an unusual hour of a kind from an unusual hour of the stream."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.classifier.taxonomy import KINDS
from tests.support.warehouses import Scratch, scratch

Tweet = dict[str, Any]
MIX = {"not_disaster": 40, "flood": 8, "storm": 6, "fire": 4, "earthquake": 2}  # tweets an hour


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Scratch]:
    with scratch(tmp_path) as made:
        yield made.set_up()


def moment(hours_ago: float) -> str:
    return (datetime.now(UTC) - timedelta(hours=hours_ago)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def tweet(kind: str, hours_ago: float, *, written: float | None = None, **more: Any) -> Tweet:
    """A tweet that arrived so long ago; `written` so long ago, where the source says."""
    own = {} if written is None else {"created_at": moment(written)}
    return {"disaster_label": kind, "arrived_at": moment(hours_ago), **own, **more}


def stream(first: int, last: int, mix: dict[str, int] = MIX) -> list[Tweet]:
    """So many tweets of each kind in each hour from `first` to `last` hours ago; 0 is the last hour."""
    return [
        tweet(kind, hour + (n + 0.5) / count, tweet_key=f"{kind[:14]:_<14}{hour:06}{n:012}"[:32])
        for hour in range(last, first + 1)
        for kind, count in mix.items()
        for n in range(count)
    ]


def surging(house: Scratch) -> dict[str, tuple[Any, ...]]:
    rows = house.run("SELECT kind, last_hour, relevant, mean_hour, deviation, past_hours, z FROM disaster.surge")
    return {row[0]: row[1:] for row in rows}


def load(house: Scratch, tweets: list[Tweet], name: str) -> None:
    house.load(*tweets, key=f"tweets/{name}-{len(tweets)}.ndjson.gz")


def test_a_kind_far_above_its_own_past_surges_and_no_other(house: Scratch) -> None:
    load(house, stream(60, 0), "past")
    assert surging(house) == {}
    load(house, [tweet("earthquake", n / 60) for n in range(30)], "now")
    ((kind, (last_hour, relevant, mean, deviation, hours, z)),) = surging(house).items()
    assert (kind, last_hour, relevant, hours) == ("earthquake", 32, 32, 60)
    assert mean == pytest.approx(2)
    assert deviation == pytest.approx(0, abs=1e-6)
    assert z == pytest.approx(30 / 2**0.5)


def test_a_surge_has_its_distinct_texts_beside_its_tweets(house: Scratch) -> None:
    load(house, stream(60, 1), "past")
    load(house, [tweet("earthquake", n / 60, text_key=str(n % 4)) for n in range(30)], "now")
    assert house.run("SELECT last_hour, distinct_texts FROM disaster.surge") == [(30, 4)]


def test_a_great_disaster_surges_though_all_talk_of_it(house: Scratch) -> None:
    load(house, stream(60, 1), "past")
    load(house, stream(0, 0, {**MIX, "not_disaster": 80, "earthquake": 600, "building_collapse": 40}), "now")
    assert {"earthquake", "building_collapse"} <= set(surging(house)) <= {"earthquake", "building_collapse", "flood"}


def test_hours_without_a_tweet_of_the_kind_count_as_nothing(house: Scratch) -> None:
    load(house, stream(100, 0, {"not_disaster": 5}), "others")
    load(house, [tweet("flood", 100.5), *(tweet("flood", n / 60) for n in range(5))], "floods")
    ((_, (_, _, mean, _, hours, z)),) = surging(house).items()
    assert (mean, hours) == (pytest.approx(0.01), 100)
    assert z == pytest.approx(4.99)


def test_nothing_surges_without_a_past_to_compare_with(house: Scratch) -> None:
    load(house, stream(5, 0), "past")
    load(house, [tweet("flood", n / 60) for n in range(59)], "now")
    assert surging(house) == {}
    load(house, stream(6, 6), "more")
    assert set(surging(house)) == {"flood"}


def test_a_surge_counts_each_tweet_once_and_tells_how_many_are_relevant(house: Scratch) -> None:
    load(house, stream(50, 0), "past")
    load(house, [tweet("fire", n / 60, tweet_key="0" * 32) for n in range(40)], "again")
    assert surging(house) == {}
    load(house, [tweet("storm", n / 60, relevance_label="not_relevant") for n in range(30)], "figurative")
    assert {kind: found[:2] for kind, found in surging(house).items()} == {"storm": (36, 6)}


def test_a_wild_past_makes_a_surge_rarer_than_an_even_one(house: Scratch) -> None:
    load(house, stream(40, 0, {"not_disaster": 50, "flood": 1}), "even")
    load(house, [tweet("storm", n + 0.5) for n in (3, 9, 22, 31) for _ in range(10)], "wild")
    load(house, [tweet(kind, n / 60) for kind in ("flood", "storm") for n in range(9)], "now")
    assert set(surging(house)) == {"flood"}


def test_figures_of_speech_are_no_kind(house: Scratch) -> None:
    load(house, stream(50, 1), "past")
    load(house, stream(0, 0, {**MIX, "not_disaster": 4000}), "now")
    assert surging(house) == {}


# ------------------------------------------------------------------ what is no surge


def archive(written: float | None) -> list[Tweet]:
    """An archive of all kinds, sent within the last hour: 22 kinds, of another mixture than the stream's."""
    kinds = [kind.code for kind in KINDS if kind.code != "not_disaster"]
    return [
        tweet(kind, (n % 50) / 60, written=written) for nth, kind in enumerate(kinds) for n in range(50 + 7 * nth)
    ] + [tweet("not_disaster", n / 2000, written=written) for n in range(1500)]


@pytest.mark.parametrize("written", [24.0 * 3000, 30.0, None], ids=["years ago", "yesterday", "it doesn't say"])
def test_a_backfill_is_no_surge(house: Scratch, written: float | None) -> None:
    load(house, stream(60, 0), "stream")
    load(house, archive(written), "backfill")
    assert surging(house) == {}


@pytest.mark.parametrize("written", [24.0 * 3000, 30.0, None], ids=["years ago", "yesterday", "it doesn't say"])
def test_a_backfill_hides_no_surge_that_comes_after_it(house: Scratch, written: float | None) -> None:
    load(house, stream(60, 0), "stream")
    load(house, [{**each, "arrived_at": moment(20.5)} for each in archive(written)], "backfill")
    load(house, [tweet("earthquake", n / 60) for n in range(40)], "now")
    assert set(surging(house)) == {"earthquake"}


def test_a_replay_of_yesterday_is_no_surge(house: Scratch) -> None:
    load(house, stream(60, 0), "stream")
    replayed = [{**each, "arrived_at": moment(0.2)} for each in stream(40, 24) if each["disaster_label"] != "storm"]
    load(house, replayed, "replay")
    assert surging(house) == {}


def test_a_replay_of_another_week_is_no_surge(house: Scratch) -> None:
    load(house, stream(60, 0), "stream")
    load(house, [{**each, "arrived_at": moment(0.2)} for each in stream(300, 290)], "replay")
    assert surging(house) == {}


def test_a_new_label_counts_in_the_hour_of_its_tweet(house: Scratch) -> None:
    load(house, stream(60, 0), "stream")
    renamed = [each for each in stream(30, 30) if each["disaster_label"] == "storm"]
    load(house, [{**each, "disaster_label": "haze", "arrived_at": moment(0.2)} for each in renamed * 4], "replay")
    assert surging(house) == {}


@pytest.mark.parametrize("tell_their_time", [True, False])
def test_the_backlog_after_an_outage_is_no_surge(house: Scratch, tell_their_time: bool) -> None:
    load(house, stream(60, 7) + stream(0, 0), "around")
    late = [
        {**each, "arrived_at": moment(0.3), **({"created_at": each["arrived_at"]} if tell_their_time else {})}
        for each in stream(6, 1)
    ]
    load(house, late, "backlog")
    assert surging(house) == {}


def test_the_first_hours_after_a_week_of_outage_are_no_surge(house: Scratch) -> None:
    load(house, stream(167, 160), "before")
    load(house, stream(1, 0), "after")
    assert surging(house) == {}


def test_a_stream_that_has_just_begun_does_not_surge_against_an_archive(house: Scratch) -> None:
    load(house, stream(3, 0), "stream")
    load(house, archive(24.0 * 3000), "archive")
    assert surging(house) == {}
