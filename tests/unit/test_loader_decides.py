"""The loader decides from S3 alone whether the warehouse has to wake."""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime, timedelta
from unittest import mock

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from chalicelib import clients, conditional
from chalicelib.reconcile import gate, ledger, precedence
from chalicelib.reconcile.gate import CHECK, Decision, Ledger, Seen, Surge, UsualStream
from chalicelib.reconcile.hours import HOUR, HourFiles, Range
from chalicelib.transform import surge
from tests.support.aws_in_memory import client_error

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
NOW = NOON + timedelta(minutes=30)
PATIENCE = timedelta(minutes=12)
SPAN = Range(NOON - HOUR, NOON + HOUR)


def minutes(*numbers: float) -> list[datetime]:
    return [NOON + timedelta(minutes=number) for number in numbers]


def known(files: int = 2, newest: float = 10, **others: object) -> Ledger:
    """A ledger that knows so many files of the present hour, the newest of that minute."""
    hours = {NOON: HourFiles(files, minutes(newest)[0], 1000)} if files else {}
    made = Ledger(hours, {NOON.date()}, 0, UsualStream(10.0, 0.1), NOON)
    return made._replace(**others)  # type: ignore[arg-type]


def decide(*written: float, before: Ledger | None = None, surge: Surge | None = None, **seen: object) -> Decision:
    shown = Seen(SPAN, {NOON: minutes(*written)} if written else {})._replace(**seen)  # type: ignore[arg-type]
    return gate.decide(NOW, shown, before or known(), PATIENCE, surge)


def test_files_that_the_ledger_knows_wake_nobody() -> None:
    assert decide(5, 10) == (False, "nothing to load, no check due", 0.0)


def test_a_new_file_may_wait_as_long_as_load_seconds_allow_and_no_longer() -> None:
    assert decide(5, 10, 18.1) == (False, "nothing to load yet", 0.0)
    assert decide(5, 10, 18.0)[:2] == (True, "tweet files to load")


def test_where_a_run_takes_long_the_next_one_begins_earlier() -> None:
    assert decide(5, 10, 20, before=known(took=60.0)).wake is False
    assert decide(5, 10, 20, before=known(took=180.0)).wake is True
    assert decide(5, 10, 20.1, before=known(took=180.0)).wake is False


def test_the_oldest_of_the_new_files_decides() -> None:
    assert decide(5, 10, 18, 29)[:2] == (True, "tweet files to load")
    assert decide(5, 10, 28, 29).wake is False


def test_the_oldest_file_of_all_new_hours_decides() -> None:
    shown = Seen(SPAN, {NOON: minutes(29), NOON - HOUR: minutes(-5)})
    assert gate.decide(NOW, shown, known(0), PATIENCE).wake is True


@pytest.mark.parametrize(
    ("written", "why"),
    [((5,), "gone"), ((), "all gone"), ((5, 11), "written over")],
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_a_file_that_is_gone_or_was_written_over_wakes_at_once(written: tuple[float, ...], why: str) -> None:
    assert decide(*written).wake is True, why


def test_hours_that_a_look_did_not_list_are_not_taken_for_empty() -> None:
    before = known()
    before = before._replace(hours={**before.hours, NOON - 9 * HOUR: HourFiles(7, NOON, 700)})
    assert decide(5, 10, before=before).wake is False


def test_what_waits_for_too_long_is_measured() -> None:
    assert decide(5, 10, 15).behind == 180.0
    assert decide(5, 10, 25).behind == 0.0


def test_where_firehose_loads_a_file_has_its_grace_and_where_nobody_else_does_what_is_left_of_load_seconds() -> None:
    assert gate.wait("firehose", 900, 700) == timedelta(seconds=700)
    assert gate.wait("reconcile", 900, 700) == timedelta(seconds=720)
    assert gate.wait("reconcile", 0, 700) == timedelta()


# ---- surges


@pytest.mark.parametrize(
    ("relevant", "tweets", "seconds", "usual", "is_one"),
    [
        (29, 29, 60, UsualStream(0, 0.1), False),  # too few to wake anybody for
        (30, 300, 60, UsualStream(0, 0.1), True),  # nothing was there before
        (30, 300, 60, UsualStream(100, 0.1), True),  # three times the usual 10 a minute
        (30, 300, 60, UsualStream(101, 0.1), False),
        (60, 600, 120, UsualStream(101, 0.1), False),  # the same a minute
        (300, 3000, 1, UsualStream(36_000, 0.1), False),  # a part of a large stream, as always
        (800, 3000, 1, UsualStream(36_000, 0.1), True),  # the odds are 3.3 times the usual
        (700, 3000, 1, UsualStream(36_000, 0.1), False),
        (3000, 3000, 1, UsualStream(36_000, 0.99), True),
    ],
)
def test_a_surge_is_three_times_the_usual(
    relevant: int, tweets: int, seconds: float, usual: UsualStream, is_one: bool
) -> None:
    assert gate.surges(Surge(relevant, tweets, seconds), usual) is is_one


def test_a_surge_does_not_wait() -> None:
    batch = Surge(500, 600, 60)
    assert decide(5, 10, 29.9, surge=batch)[:2] == (True, "a surge of relevant tweets")
    assert decide(5, 10, surge=batch).wake is False  # its file was loaded meanwhile
    assert decide(5, 10, 29.9, surge=Surge(31, 600, 60), before=known(usual=UsualStream(600, 0.1))).wake is False


def test_the_transform_tells_of_no_batch_that_is_none() -> None:
    assert surge.LEAST == gate.LEAST


# ---- checks


def test_a_day_that_no_run_has_seen_wakes_and_the_present_days_do_not() -> None:
    old = {date(2025, 1, 1)}
    assert decide(5, 10, days={NOON.date()}).wake is False
    assert decide(5, 10, days={NOON.date()}, before=known(days=())).wake is False  # its hours tell
    assert decide(5, 10, days=old).why == "tweet files of a day that no run has seen"
    assert decide(5, 10, days=old, before=known(days=old)).wake is False


def test_records_that_the_transform_did_not_answer_for_wake() -> None:
    assert decide(5, 10, failed=1).why == "records that the transform did not answer for"
    assert decide(5, 10, failed=1, before=known(failed=1)).wake is False


def test_a_check_wakes_when_it_is_due() -> None:
    assert decide(5, 10, before=known(check_at=NOW)).why == "a check is due"
    assert decide(5, 10, before=known(check_at=NOW + timedelta(seconds=1))).wake is False


def test_after_a_failure_nothing_wakes_for_a_while() -> None:
    failed = gate.after_failure(NOW, known(), 900, 0.1)
    assert failed.not_before == NOW + timedelta(minutes=15)
    surge = Surge(500, 600, 60)
    assert decide(5, 10, 15, surge=surge, failed=3, before=failed).wake is False
    assert decide(5, 10, 15, before=failed._replace(not_before=NOW)).wake is True
    assert gate.after_failure(NOW, None, 0, 0.1).not_before == NOW + timedelta(seconds=5)


def after(before: Ledger | None = None, **how: object) -> datetime | None:
    told = {"complete": True, "outstanding": False, "loaded": False, "swept": False, "took": 20.0, **how}
    return gate.after(NOW, before, {}, (), 0, 0.1, **told, report="x").check_at  # type: ignore[arg-type]


def test_what_was_loaded_is_checked_a_day_later_once() -> None:
    assert after(loaded=True) == NOW + CHECK
    assert after(known(check_at=NOW + HOUR), loaded=True) == NOW + HOUR  # it doesn't move away
    assert after(known(check_at=NOW), loaded=False, swept=True) is None  # that was the check, and now it sleeps
    assert after(known(check_at=NOW), loaded=True, swept=True) == NOW + CHECK


def test_a_finding_is_looked_at_within_the_hour_and_a_run_cut_short_goes_on() -> None:
    assert after(outstanding=True, swept=True) == NOW + HOUR
    assert after(complete=False) == NOW + gate.AGAIN


def test_usual_is_the_mean_of_a_day() -> None:
    hours = {
        NOON - HOUR: HourFiles(1, NOON, 500),
        NOON - 24 * HOUR: HourFiles(1, NOON, 220),
        NOON: HourFiles(1, NOON, 10**6),
        NOON - 25 * HOUR: HourFiles(1, NOON, 10**6),
    }
    assert gate.tweets_a_minute(hours, NOW) == 0.5


# ---- the ledger


def test_a_ledger_is_read_as_it_was_written() -> None:
    whole = known(check_at=NOW, not_before=NOW, woken_at=NOON, report="20260304T120000Z-abcdef")
    assert ledger.loaded(ledger.dumped(whole)) == whole


def test_a_ledger_of_another_version_is_none() -> None:
    with pytest.raises(ValueError, match="version 2"):
        ledger.loaded({**ledger.dumped(known()), "version": 2})


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], bytes]:
    """What S3 holds, by bucket and key."""
    objects: dict[tuple[str, str], bytes] = {}

    def get_object(*, Bucket: str, Key: str) -> dict[str, io.BytesIO]:
        if (Bucket, Key) not in objects:
            raise client_error("NoSuchKey")
        return {"Body": io.BytesIO(objects[Bucket, Key])}

    s3 = mock.Mock(get_object=get_object)
    s3.put_object = lambda *, Bucket, Key, Body: objects.update({(Bucket, Key): Body})
    monkeypatch.setattr(clients, "s3", lambda: s3)
    return objects


def test_a_ledger_is_kept_in_the_bucket_beside_the_reports(stored: dict[tuple[str, str], bytes]) -> None:
    assert ledger.read("b") is None
    ledger.write("b", known(took=70.0))
    assert list(stored) == [("b", "reports/reconciliations/ledger.json")]
    assert ledger.read("b") == known(took=70.0)
    assert ledger.read("c") is None


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"version": 2}', b'{"version": 1}'])
def test_a_ledger_that_can_not_be_understood_is_none(stored: dict[tuple[str, str], bytes], body: bytes) -> None:
    stored["b", ledger.KEY] = body
    assert ledger.read("b") is None


def test_a_ledger_that_can_not_be_read_now_is_not_taken_for_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = mock.Mock()
    monkeypatch.setattr(clients, "s3", lambda: s3)
    s3.get_object.side_effect = client_error("SlowDown")
    with pytest.raises(ClientError, match="SlowDown"):
        ledger.read("b")


# ---- who goes first


def test_a_run_ends_early_for_a_surge_that_was_told_of_since_it_began(
    stored: dict[tuple[str, str], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precedence, "datetime", mock.Mock(now={UTC: NOW}.__getitem__))
    precedence.ask("b")
    [(where, body)] = stored.items()
    assert where == ("b", "reports/reconciliations/surge.json")
    assert json.loads(body) == {"asked_at": "2026-03-04T12:30:00.000Z"}
    found: dict[tuple[str, str], conditional.Stored] = {where: conditional.Stored({}, 9.0, "etag")}
    monkeypatch.setattr(conditional, "read", lambda bucket, key: found.get((bucket, key)))
    assert [precedence.asked("b", seconds) for seconds in (8.9, 9.0, 9.1)] == [False, False, True]
    assert precedence.asked("c", 9.1) is False


@pytest.mark.parametrize("trouble", [client_error("SlowDown"), EndpointConnectionError(endpoint_url="http://s3")])
def test_a_run_goes_on_where_it_can_not_be_found_out(monkeypatch: pytest.MonkeyPatch, trouble: Exception) -> None:
    monkeypatch.setattr(conditional, "read", mock.Mock(side_effect=trouble))
    assert precedence.asked("b", 9.1) is False
