"""Which hours a run looks at: those that aren't settled, and settled ones at lengthening intervals."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import layout, times
from chalicelib.reconcile import hours
from chalicelib.reconcile.hours import HOUR, HourFiles, Range
from chalicelib.warehouse import data_api
from local.server import LocalAws
from tests.support import tweet_files as files

TODAY = date(2026, 1, 31)


def at(hour: int, day: int = 31) -> datetime:
    return datetime(2026, 1, day, hour, tzinfo=UTC)


NOW = at(23) + timedelta(minutes=59)


def test_a_day_that_was_never_looked_at_is_due_with_all_its_hours() -> None:
    due = hours.due({date(2026, 1, 30)}, {TODAY}, [], [], NOW, sweep=False)
    assert due == {at(hour, 30) for hour in range(24)}


def test_today_is_due_though_nothing_has_come_yet() -> None:
    assert hours.due(set(), set(), [], [], NOW, sweep=False) == {at(hour) for hour in range(24)}


def test_no_hour_after_now_is_due_or_can_be_asked_for() -> None:
    noon = at(12) + timedelta(minutes=5)
    later = date(2090, 7, 15)
    assert hours.due({TODAY, later}, set(), [], [(at(14), 0)], noon, sweep=True) == {at(hour) for hour in range(13)}
    assert hours.asked({TODAY, later}, at(11), datetime(2090, 7, 16, tzinfo=UTC), noon) == {at(11), at(12)}
    assert hours.asked({later}, datetime(2090, 7, 15, tzinfo=UTC), None, noon) == set()


def test_of_a_day_that_goes_on_the_hours_that_were_looked_at_are_spared() -> None:
    looked_at = [at(hour) for hour in range(20)]
    assert hours.due({TODAY}, set(), looked_at, [(at(19), 0)], NOW, sweep=False) == {at(h) for h in range(19, 24)}


def test_recent_hours_are_those_of_two_days_and_the_present_one() -> None:
    assert hours.recent(at(12) + timedelta(minutes=5)) == Range(at(12, 29), at(13))


@pytest.mark.parametrize(
    ("listed", "differs"),
    [
        pytest.param({7: HourFiles(2, at(8))}, False, id="as it was checked"),
        pytest.param({7: HourFiles(3, at(8))}, True, id="one file more"),
        pytest.param({7: HourFiles(1, at(8))}, True, id="one file less"),
        pytest.param({}, True, id="all are gone"),
        pytest.param({7: HourFiles(2, at(10))}, True, id="one was written over since"),
        pytest.param({7: HourFiles(2, at(9))}, True, id="written at the time of the check, by a clock that isn't ours"),
        pytest.param(
            {7: HourFiles(2, at(8)), 6: HourFiles(1, at(8))}, False, id="an hour that no check knows is for due()"
        ),
    ],
)
def test_an_hour_has_changed_when_its_files_have(listed: dict[int, HourFiles], differs: bool) -> None:
    seen = {at(hour): found for hour, found in listed.items()}
    assert hours.changed(seen, {at(7): HourFiles(2, at(9))}) == ({at(7)} if differs else set())


def test_an_hour_without_files_has_not_changed_when_it_still_has_none() -> None:
    assert hours.changed({}, {at(7): HourFiles(0, at(9))}) == set()


def test_a_known_day_s_hours_are_due_when_they_say_so() -> None:
    assert hours.due({TODAY}, {TODAY}, [], [(at(7), 0)], NOW, sweep=False) == {at(7)}


def test_old_hours_wait_for_the_sweep() -> None:
    again = [(at(7), hours.DAILY - 1), (at(1, 2), hours.DAILY)]
    assert hours.due({TODAY}, {TODAY}, [], again, NOW, sweep=False) == {at(7)}
    assert hours.due({TODAY}, {TODAY}, [], again, NOW, sweep=True) == {at(7), at(1, 2)}


def test_intervals_lengthen() -> None:
    assert list(hours.INTERVALS) == sorted(set(hours.INTERVALS))
    assert hours.INTERVALS[0] == timedelta(hours=1) and hours.INTERVALS[-1] > timedelta(days=600)


def test_what_is_asked_for_is_cut_to_its_bounds() -> None:
    assert hours.asked({date(2026, 1, 30)}, at(22, 30), at(1), NOW) == {at(22, 30), at(23, 30), at(0)}


def test_an_open_bound_reaches_all_days_that_have_files() -> None:
    found = hours.asked({date(2025, 1, 1), date(2026, 1, 30)}, None, at(2, 30), NOW)
    assert min(found) == datetime(2025, 1, 1, tzinfo=UTC) and max(found) == at(1, 30) and len(found) == 26


def test_a_bound_within_an_hour_takes_the_hour() -> None:
    assert hours.asked(set(), at(7) + timedelta(minutes=20), at(8) + timedelta(minutes=1), NOW) == {at(7), at(8)}


@given(st.sets(st.integers(0, 200)))
def test_ranges_are_the_same_hours_and_as_few_as_can_be(numbers: set[int]) -> None:
    wanted = {at(0, 1) + HOUR * number for number in numbers}
    spans = hours.ranges(wanted)
    assert sorted(hour for span in spans for hour in hours.within(span)) == sorted(wanted)
    assert all(former.start > later.stop for former, later in pairwise(spans))


@given(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)))
def test_keys_sort_as_their_hours_do(moment: datetime) -> None:
    hour = hours.floor(moment.replace(tzinfo=UTC))
    assert layout.hour_folder(hour) < f"{layout.hour_folder(hour)}anything" < layout.hour_folder(hour + HOUR)


def test_days_are_read_off_folders() -> None:
    found = hours.days(["tweets/dt=2026-01-30/", "tweets/dt=2026-02-31/", "tweets/notes/", "tweets/dt=x/"])
    assert found == {date(2026, 1, 30)}


def test_days_that_no_tweet_can_be_of_are_none() -> None:
    assert hours.of([date.min, date(1969, 12, 31), date.max]) == set()
    assert len(hours.of([date(1970, 1, 1), date(9999, 12, 30)])) == 48
    assert hours.asked([], datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, tzinfo=UTC), NOW) == set()


def test_hours_are_kept_from_the_beginning_of_the_first_day_on() -> None:
    first = datetime(2026, 1, 29, tzinfo=UTC)
    every = [first - HOUR, first, first + HOUR, NOW]
    assert hours.kept(every, NOW, 2) == set(every[1:])
    assert hours.kept(every, NOW, 3) == set(every)


def test_range_names_its_hours_in_order() -> None:
    assert list(hours.within(Range(at(22, 30), at(1)))) == [at(22, 30), at(23, 30), at(0)]


# ---- and as the warehouse keeps them


def hour_row(hour: datetime) -> dict[str, object]:
    asked = "SELECT * FROM disaster.tweet_hour WHERE hour = CAST(:hour AS TIMESTAMP)"
    (row,) = data_api.query(asked, {"hour": f"{hour:%Y-%m-%d %H:%M:%S}"})
    return row


def due_now(hour: datetime) -> None:
    files.execute(
        "UPDATE disaster.tweet_hour SET next_check_at = checked_at WHERE hour = CAST(:hour AS TIMESTAMP)",
        hour=f"{hour:%Y-%m-%d %H:%M:%S}",
    )


def test_a_settled_hour_is_due_later_and_later(stack: LocalAws) -> None:
    hour = files.an_hour()
    files.loaded(hour)  # looked at once, and what it found was repaired
    assert (hour_row(hour)["state"], hour_row(hour)["settled_checks"]) == ("repaired", 0)
    waits = []
    for checks in (1, 2, 3):
        due_now(hour)
        files.reconcile(hour)
        row = hour_row(hour)
        assert (row["state"], row["settled_checks"], row["loaded"], row["tweets"]) == ("settled", checks, 5, 5)
        waits.append(row["next_check_at"] - row["checked_at"])  # type: ignore[operator]
    assert waits == list(hours.INTERVALS[:3])


def test_an_hour_with_trouble_that_a_run_can_mend_is_due_at_once(stack: LocalAws) -> None:
    hour = files.an_hour()
    files.put(hour)
    files.reconcile(hour)
    row = hour_row(hour)
    assert (row["state"], row["next_check_at"]) == ("troubled", row["checked_at"])


def test_an_hour_whose_files_are_waited_for_is_open(stack: LocalAws) -> None:
    hour = files.an_hour()
    files.put(hour)
    files.reconcile(hour, grace=3600)
    row = hour_row(hour)
    assert (row["state"], row["waiting_files"], row["next_check_at"]) == ("open", 1, row["checked_at"])


def test_a_late_file_in_a_settled_hour_is_found_when_the_hour_is_due_again(stack: LocalAws) -> None:
    hour = files.an_hour()
    files.loaded(hour)
    files.reconcile(repair=True)
    late = files.put(hour)
    assert late not in files.states(files.reconcile(repair=True))  # the hour isn't due
    due_now(hour)
    assert files.actions(files.reconcile(repair=True))[late] == "repaired"


def test_rows_of_hours_that_nobody_lists_are_found_once_a_day(stack: LocalAws) -> None:
    hour = files.an_hour()
    key = files.loaded(hour)
    stray = "tweets/dt=1999-01-01/hh=00/nobody-5.ndjson.gz"
    files.execute("UPDATE disaster.disaster_tweets SET s3_key = :stray WHERE s3_key = :key", stray=stray, key=key)
    files.execute("UPDATE disaster.reconciliation SET swept = FALSE WHERE swept")
    assert files.states(files.reconcile(grace=900))[stray] == "orphaned"
    again = files.reconcile(grace=900)
    assert not again["looked_at"]["swept"] and stray not in files.states(again)
    files.delete(stray)


def test_a_run_on_named_hours_takes_nobody_s_rows_for_strays(stack: LocalAws) -> None:
    """Hours that no run has looked at yet are not hours without files."""
    hour, other = files.an_hour(), files.an_hour() + timedelta(days=40)
    files.load(files.put(other))
    files.execute("UPDATE disaster.reconciliation SET swept = FALSE WHERE swept")
    report = files.reconcile(hour)
    assert not report["looked_at"]["swept"] and report["findings"] == []


def test_hours_beside_the_one_that_was_asked_for_stay_due(stack: LocalAws) -> None:
    hour = datetime(2024, 5, 6, 7, tzinfo=UTC)
    files.put(hour)
    beside = files.put(hour + HOUR)
    files.reconcile(hour, repair=True)
    assert files.actions(files.reconcile(repair=True))[beside] == "repaired"


@pytest.mark.parametrize("text", ["2026-01-31", "2026-01-31T00:00Z", "2026-01-31T01:00:00+01:00"])
def test_times_are_utc(text: str) -> None:
    assert times.parsed(text) == at(0)


def test_where_the_reconciler_loads_there_is_no_grace() -> None:
    from dataclasses import replace
    from unittest import mock

    from chalicelib.reconcile import run
    from chalicelib.reconcile.compare import Known
    from tests.support.aws_in_memory import SETTINGS

    known = Known([], [], {}, None)
    for delivery, asked, expected in (
        ("firehose", {}, 900),
        ("reconcile", {}, 0),
        ("reconcile", {"grace_seconds": 0}, 0),
        ("firehose", {"grace_seconds": 0}, 0),
    ):
        with mock.patch.object(run, "settings", lambda of=delivery: replace(SETTINGS, delivery=of)):
            assert run.plan(asked, "x", at(7), known).grace == timedelta(seconds=expected)
