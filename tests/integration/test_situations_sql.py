"""What the statements under sql/situations/ find: counts by kind, country and step, and the best posts."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.situations.counts import ANYWHERE, HOUR, Count
from chalicelib.situations.run import moment, step_of
from chalicelib.warehouse.statements import named
from tests.support.warehouses import Scratch, scratch

NOW = datetime(2026, 1, 10, 12, 0, tzinfo=UTC)
RECENT = step_of(NOW) - 25 * HOUR


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Scratch]:
    with scratch(tmp_path) as made:
        yield made.set_up()


def post(hours: float, text: str, *, late: float = 0.0, **more: Any) -> dict[str, Any]:
    """Return a post that was written so many hours ago, and arrived `late` hours after that."""
    written = NOW - timedelta(hours=hours)
    arrived = written + timedelta(hours=late, seconds=1)
    own = {"created_at": f"{written:%Y-%m-%d %H:%M:%S}", "arrived_at": f"{arrived:%Y-%m-%d %H:%M:%S}"}
    return {**own, "text_key": text, "country_code": "PE", "user_id": text, **more}


def counts(house: Scratch, least: int = 1) -> list[Count]:
    since = NOW - timedelta(days=8)
    times = {"since": f"{since:%Y-%m-%d %H:%M:%S}", "until": f"{NOW:%Y-%m-%d %H:%M:%S}"}
    given = {**times, "recent": str(RECENT), "least": str(least)}
    return sorted(Count(*row) for row in house.run(named("situations/counts"), **given))


def test_a_post_counts_when_it_was_written_however_late_it_came(house: Scratch) -> None:
    house.load(post(2, "a"), post(3, "b", late=2.5), post(1.5, "c", created_at=None))
    steps = {count.at for count in counts(house) if count.where == "PE"}
    assert steps == {step_of(NOW) - 2 * HOUR, step_of(NOW) - 3 * HOUR, step_of(NOW) - 18}


def test_before_the_recent_time_a_step_stands_for_its_hour(house: Scratch) -> None:
    house.load(post(50.2, "a"), post(50.6, "b"), post(2, "c"))
    found = [count for count in counts(house) if count.where == "PE" and count.at < RECENT]
    assert [(count.at, count.texts) for count in found] == [((step_of(NOW) - 51 * HOUR), 2)]


def test_a_text_counts_where_it_was_written_first_and_an_author_once_an_hour(house: Scratch) -> None:
    house.load(post(3, "a"), post(2, "a", user_id="ann"), post(2, "b", user_id="ann"), post(2, "c", user_id="bob"))
    found = {count.at: (count.posts, count.texts) for count in counts(house) if count.where == "PE"}
    assert found == {step_of(NOW) - 3 * HOUR: (1, 1), step_of(NOW) - 2 * HOUR: (3, 1)}


def test_anywhere_has_all_posts_of_a_kind_and_the_stream_all_posts(house: Scratch) -> None:
    other: dict[str, Any] = {"disaster_label": "not_disaster", "relevance_label": "not_relevant", "country_code": None}
    unsure: dict[str, Any] = {"relevance_label": "not_relevant"}
    house.load(post(2, "a"), post(2, "b", country_code=None), post(2, "c", **other), post(2, "d", **unsure))
    at = step_of(NOW) - 2 * HOUR
    assert counts(house) == [
        Count("", "", at, 4, 4, 0),
        Count("flood", ANYWHERE, at, 2, 2, 1),
        Count("flood", "PE", at, 1, 1, 1),
    ]


def test_a_place_has_its_own_counts_of_each_kind_and_of_all(house: Scratch) -> None:
    place: dict[str, Any] = {"country_code": "US", "place": "Boston"}
    house.load(post(2, "a", **place), post(2, "b", **place, disaster_label="storm"), post(2, "c", country_code="US"))
    found = {(count.kind, count.where): count.texts for count in counts(house) if "US" in count.where}
    in_the_country = {("flood", "US"): 2, ("storm", "US"): 1}
    assert found == {**in_the_country, ("flood", "US/Boston"): 1, ("storm", "US/Boston"): 1, ("*", "US/Boston"): 2}


def test_only_what_may_be_a_situation_is_told(house: Scratch) -> None:
    house.load(*[post(2, str(n)) for n in range(5)], *[post(2, f"x{n}", country_code="CL") for n in range(4)])
    house.load(*[post(60, f"y{n}", country_code="BO") for n in range(9)], key="tweets/dt=2026-01-02/hh=03/b.ndjson.gz")
    assert {count.where for count in counts(house, least=5)} == {"", ANYWHERE, "PE"}


def test_the_best_posts_are_one_of_each_text_the_most_shared_and_surest_first(house: Scratch) -> None:
    shared = [post(2 - n / 100, "shared", tweet_key=f"{n:032}") for n in range(3)]
    sure = post(2, "sure", tweet_key="a" * 32, relevance_score=0.99)
    others = [post(2, f"t{n}", tweet_key=f"{n}" * 32, relevance_score=0.5) for n in range(1, 10)]
    house.load(*shared, sure, *others, post(2, "elsewhere", country_code="CL"), post(9, "before"))
    scope = {"kind": "flood", "country": "PE", "situation": "s"}
    scope |= {"began": f"{NOW - timedelta(hours=3):%Y-%m-%d %H:%M:%S}", "ended": f"{NOW:%Y-%m-%d %H:%M:%S}"}
    house.run(named("situations/best_posts"), **scope)
    found = house.run("SELECT nth, tweet_key, posts FROM disaster.situation_post ORDER BY nth")
    assert len(found) == 10
    assert found[:3] == [(1, "0" * 32, 3), (2, "a" * 32, 1), (3, "1" * 32, 1)]


def test_steps_and_times_are_the_same() -> None:
    assert moment(step_of(NOW)) == NOW


def test_the_benchmark_counts_as_the_warehouse_does(house: Scratch) -> None:
    pytest.importorskip("numpy")
    from benchmarks.situations import Post, Stream

    pool = [Post(0.0, kind, country, "", True) for kind in ("flood", "storm") for country in ("PE", "CL", "")]
    pool += [pool[0]._replace(place="Piura")] * 2
    now = step_of(NOW)
    stream = Stream(pool, 30.0, now - 50 * HOUR, now, seed=1)
    stream.add(Post(now - 5 + nth / 10, "flood", "PE", str(nth % 3), True) for nth in range(20))
    rows = []
    for nth, each in enumerate(stream.posts):
        at = f"{moment(0) + timedelta(seconds=each.step * 300):%Y-%m-%d %H:%M:%S}"
        own = {"arrived_at": at, "text_key": each.text, "user_id": str(nth), "country_code": each.country or None}
        own["place"] = each.place or None
        rows.append({**own, "disaster_label": each.kind})
    house.load(*rows)
    counted = sorted(count for count in stream.counts(now) if count.kind)
    assert counted and [count for count in counts(house) if count.kind] == counted
