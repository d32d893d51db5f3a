"""What is a situation and what is none, by counts alone: the planner touches nothing else."""

from collections.abc import Callable

import pytest

from chalicelib.situations.counts import ANYWHERE, HOUR, Count
from chalicelib.situations.planner import QUIET, Plan, Situation, plan
from chalicelib.situations.run import leading
from chalicelib.situations.usual import LEAST, limit, usual

DAY = 24 * HOUR
NOW = 5_900_000 // HOUR * HOUR + 5
STREAM = 1000  # posts an hour
Texts = Callable[[int], int]


def counts(kind: str, country: str, texts: Texts, hours: int = 180, stream: Texts = lambda _: STREAM) -> list[Count]:
    """Return counts of the hours before NOW: `texts` by how many hours ago, all in the first step of the hour."""
    found = []
    for ago in range(hours):
        at = NOW // HOUR * HOUR - ago * HOUR
        number = texts(ago)
        found += [Count("", "", at, stream(ago), stream(ago), 0)] if stream(ago) else []
        if number:
            located = number if country else 0
            found += [Count(kind, of, at, number, number, located) for of in {country, ANYWHERE} - {""}]
    return found


def merged(*every: list[Count]) -> list[Count]:
    """Return counts of several kinds and countries in one stream."""
    sums: dict[tuple[str, str, int], list[int]] = {}
    for counts_of_one in every:
        for count in counts_of_one:
            if not count.kind:
                sums[count[:3]] = list(count[3:])
                continue
            known = sums.setdefault(count[:3], [0, 0, 0])
            known[:] = (old + new for old, new in zip(known, count[3:], strict=True))
    return [Count(*cell, *parts) for cell, parts in sums.items()]


def opened(found: Plan) -> set[tuple[str, str]]:
    return {(each.kind, each.country) for each in found.opened}


def test_far_more_texts_than_a_week_has_had_open_a_situation() -> None:
    (situation,) = plan(counts("flood", "PE", lambda ago: 30 if ago < 2 else 1), [], NOW).opened
    assert (situation.kind, situation.country, situation.over) == ("flood", "PE", False)
    assert situation.began == NOW // HOUR * HOUR - HOUR
    assert (situation.peak_texts, situation.peak_posts) == (30, 30)
    assert situation.began <= situation.peak <= situation.last
    assert situation.expected == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("texts", [lambda ago: 2 if ago else 8, lambda _: 60, lambda ago: 80 if ago % 3 else 40])
def test_what_is_usual_opens_none(texts: Texts) -> None:
    assert not plan(counts("flood", "PE", texts), [], NOW).opened


def test_a_backlog_or_a_backfill_makes_all_posts_more_and_is_no_situation() -> None:
    def texts(ago: int) -> int:
        return 50 if ago == 0 else 5

    def backlog(ago: int) -> int:
        return STREAM * 10 if ago == 0 else STREAM

    assert opened(plan(counts("flood", "PE", texts), [], NOW)) == {("flood", "PE")}
    assert not plan(counts("flood", "PE", texts, stream=backlog), [], NOW).opened


def test_hours_of_an_outage_are_not_taken_for_quiet_ones() -> None:
    def on(ago: int) -> int:
        return STREAM if ago < 2 or ago > 170 else 0

    assert not plan(counts("flood", "PE", lambda ago: 30 if on(ago) else 0, stream=on), [], NOW).opened


def test_posts_that_come_late_open_the_situation_of_their_time() -> None:
    (situation,) = plan(counts("flood", "PE", lambda ago: 30 if ago in {9, 10} else 0), [], NOW).opened
    assert situation.over and situation.began == NOW // HOUR * HOUR - 10 * HOUR


def test_on_the_first_day_a_whole_hour_is_past_enough_and_without_one_nothing_is_told() -> None:
    assert opened(plan(counts("flood", "PE", lambda ago: 0 if ago else 40, hours=3), [], NOW)) == {("flood", "PE")}
    assert not plan(counts("flood", "PE", lambda _: 40, hours=1), [], NOW).opened


def test_the_same_counts_find_the_same_situation_again() -> None:
    every = counts("flood", "PE", lambda ago: 30 if ago < 5 else 1)
    first = plan(every, [], NOW)
    again = plan(every, first.opened, NOW)
    assert not again.opened and not again.closed and again.going_on == first.opened
    later = plan(every, first.opened, NOW + 3)
    assert not later.opened and [each.id for each in later.going_on] == [each.id for each in first.opened]


def test_a_situation_is_over_some_hours_after_its_last_posts() -> None:
    every = counts("flood", "PE", lambda ago: 30 if 2 <= ago < 5 else 0)
    (situation,) = plan(every, [], NOW).opened
    assert not situation.over
    after = situation.last + QUIET + 1
    assert not plan(every, [situation], after - 1).closed
    (closed,) = plan(every, [situation], after).closed
    assert closed.over and closed.id == situation.id
    assert plan(every, [closed], after + 1) == Plan([], [], [])


def test_where_most_texts_name_one_country_it_is_that_countrys() -> None:
    named = counts("flood", "PE", lambda ago: 7 if ago == 0 else 0)
    unnamed = counts("flood", "", lambda ago: 30 if ago == 0 else 0)
    assert opened(plan(merged(named, unnamed), [], NOW)) == {("flood", "PE")}
    assert opened(plan(unnamed, [], NOW)) == {("flood", "")}


def test_a_situation_tells_of_its_own_posts_at_the_peak() -> None:
    named = counts("flood", "PE", lambda ago: 7 if ago == 0 else 0)
    unnamed = counts("flood", "", lambda ago: 30 if ago == 0 else 0)
    (of_the_country,) = plan(merged(named, unnamed), [], NOW).opened
    assert (of_the_country.peak_texts, of_the_country.peak_posts) == (7, 7)
    vague = counts("unspecified", "", lambda ago: 40 if ago == 1 else 0)
    (situation,) = plan(vague, [], NOW - HOUR).opened
    told = counts("attack", "FR", lambda ago: 20 if ago == 0 else 0)
    (specified,) = plan(merged(vague, told), [situation], NOW).going_on
    assert (situation.peak_texts, specified.peak_texts) == (40, 20)


def test_a_place_that_stands_out_opens_its_countrys_situation() -> None:
    country = counts("explosion", "US", lambda ago: 48 if ago == 0 else 30)
    place = counts("explosion", "US/Boston", lambda ago: 18 if ago == 0 else 0)
    of_the_place = [count for count in place if count.where == "US/Boston"]
    assert not plan(country, [], NOW).opened
    (situation,) = plan([*country, *of_the_place], [], NOW).opened
    assert (situation.kind, situation.country, situation.peak_texts) == ("explosion", "US", 48)


def test_at_a_place_all_kinds_count_for_the_one_most_told() -> None:
    def at_the_place(kind: str, now: int) -> list[Count]:
        every = counts(kind, "US/Boston", lambda ago: now if ago == 0 else 0)
        return [count for count in every if count.where == "US/Boston"]

    country = [counts(kind, "US", lambda ago: 30) for kind in ("explosion", "attack")]
    told = [*merged(*country), *at_the_place("explosion", 7), *at_the_place("attack", 6)]
    assert not plan(told, [], NOW).opened
    assert opened(plan([*told, *at_the_place("*", 13)], [], NOW)) == {("explosion", "US")}


def test_texts_without_a_place_are_accounted_for_by_the_country_that_is_known() -> None:
    named = counts("flood", "PE", lambda ago: 40 if ago == 0 else 0)
    unnamed = counts("flood", "", lambda ago: 30 if ago == 0 else 0)
    other = counts("flood", "CL", lambda ago: 35 if ago == 0 else 0)
    assert opened(plan(merged(named, unnamed), [], NOW)) == {("flood", "PE")}
    assert opened(plan(merged(named, unnamed, other), [], NOW)) == {("flood", "PE"), ("flood", "CL")}


def test_a_situation_takes_the_country_and_the_kind_when_they_are_known() -> None:
    vague = counts("unspecified", "", lambda ago: 40 if ago == 1 else 0)
    (situation,) = plan(vague, [], NOW - HOUR).opened
    told = counts("attack", "FR", lambda ago: 40 if ago == 0 else 0)
    found = plan(merged(vague, told), [situation], NOW)
    assert not found.opened
    assert [(each.id, each.kind, each.country) for each in found.going_on] == [(situation.id, "attack", "FR")]


def test_what_follows_from_a_larger_situation_is_part_of_it() -> None:
    larger = counts("earthquake", "PE", lambda ago: 90 if ago == 0 else 0)
    part = counts("landslide", "PE", lambda ago: 30 if ago == 0 else 0)
    apart = counts("landslide", "JP", lambda ago: 30 if ago == 0 else 0)
    assert opened(plan(merged(larger, part), [], NOW)) == {("earthquake", "PE")}
    assert opened(plan(merged(larger, apart), [], NOW)) == {("earthquake", "PE"), ("landslide", "JP")}


def test_what_lasts_for_more_than_a_week_has_become_usual() -> None:
    every = counts("conflict", "UA", lambda _: 40, hours=192)
    old = Situation("a", "conflict", "UA", NOW - 30 * DAY, NOW - 1, NOW - 29 * DAY, 90, 90, 1.0, NOW - 30 * DAY)
    assert [each.last for each in plan(every, [old], NOW).going_on] == [old.last]


def test_a_limit_is_far_above_what_is_usual_and_higher_where_less_is_known() -> None:
    for texts in (0, 1, 3, 8, 22, 50, 200):
        week, hours = usual([texts] * 168, [STREAM] * 168), usual([texts] * 2, [STREAM] * 2)
        assert week and hours
        assert LEAST <= limit(week, STREAM) <= limit(hours, STREAM)
        assert limit(week, STREAM) >= texts + 5 * texts**0.5
    assert usual([], []) is None


def test_without_a_country_a_place_has_to_stand_out() -> None:
    def places(*texts: int) -> list[dict[str, object]]:
        return [{"place": f"p{nth}", "distinct_texts": number} for nth, number in enumerate(texts)]

    assert [leading(places(4, 3, 2), country) for country in ("PE", "")] == ["p0", "-"]
    assert (leading(places(5, 3, 2), ""), leading([], "PE")) == ("p0", "-")
