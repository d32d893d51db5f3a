"""The collector reads each post of Bluesky, whatever ends it, and never reads on behind another one's back."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.sources import collect, cursor, jetstream
from chalicelib.transform.put_back import PutBackError
from chalicelib.transform.rows import tweet_key
from local.network.generated import Generated
from local.network.jetstream import Jetstream
from tests.support.collector import Killed, World, world

NETWORK = Generated(rate=2)
NOON = 1_770_000_000.0
AHEAD = 2.0  # seconds by which the server's clock is ahead, so that it tells what ends a run


class Clock:
    now = NOON + AHEAD


@pytest.fixture(scope="module")
def server() -> Iterator[Jetstream]:
    with Jetstream(NETWORK, clock=lambda: Clock.now) as started:
        yield started


@pytest.fixture
def here(server: Jetstream) -> Iterator[World]:
    with world(NOON, server.url) as made:
        Clock.now = NOON + AHEAD
        yield made


def minutes(here: World, count: float = 1) -> None:
    here.now += 60 * count
    Clock.now = here.now + AHEAD


def told(since: float, until: float) -> tuple[set[str], set[str]]:
    """The posts that the network told of in a time, and what it said was deleted."""
    numbers = range(NETWORK.first(int(since * 1e6)), NETWORK.first(int(until * 1e6)))
    events = [jetstream.parse(json.dumps(event).encode()) for n in numbers if (event := NETWORK.event(n))]
    posts = {event.post.tweet_id for event in events if event.post}
    return posts, {"".join(event.deletion) for event in events if event.deletion}


def complete(here: World, until: float) -> None:
    posts, deleted = told(NOON - 60, until)
    found = here.posts()
    assert {post["tweet_id"] for post in found} == posts and posts
    keys = {(post["tweet_id"], tweet_key(line)) for post, line in zip(found, lines(here), strict=True)}
    assert len(keys) == len(posts), "one post has two keys"
    assert here.deletions() == deleted and deleted


def lines(here: World) -> list[bytes]:
    return [line for record in here.records for line in record.splitlines()]


def test_a_run_reads_up_to_the_moment_it_began_and_the_next_one_goes_on(here: World) -> None:
    first = here.run()
    assert (first["status"], first["gap_seconds"], first["rubbish"]) == ("caught_up", 0.0, 0)
    assert first["seen"] == first["forwarded"] == len(told(NOON - 60, NOON)[0])
    assert first["lag_seconds"] < 1
    complete(here, NOON)
    minutes(here)
    again = here.run()
    assert again["status"] == "caught_up"
    complete(here, NOON + 60)
    assert len(here.posts()) <= len(told(NOON - 60, NOON + 60)[0]) + 1  # the cursor's own event is told again
    assert here.cursor["holder"] is None


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_every_step_it_loses_nothing_and_doubles_nothing_that_its_key_does_not_collapse(
    here: World, after: bool
) -> None:
    with mock.patch.object(collect, "CHUNK_POSTS", 50):
        here.run()
        steps = len(here.steps)
        assert here.steps.count("records") > 1 and steps < 30
        until = NOON
        for step in range(1, steps + 1):
            minutes(here)
            here.steps, here.kill_at, here.after = [], step, after
            here.run()
            here.kill_at = 0
            until = here.now
        minutes(here)
        assert here.run()["status"] == "caught_up"
    complete(here, until + 60)


@settings(max_examples=8)
@given(st.lists(st.tuples(st.integers(1, 200), st.booleans(), st.sampled_from([0.2, 1, 3])), min_size=1, max_size=4))
def test_killed_anywhere_also_while_reading_it_loses_nothing(
    server: Jetstream, kills: list[tuple[int, bool, float]]
) -> None:
    Clock.now = NOON + AHEAD
    with world(NOON, server.url) as here, mock.patch.object(collect, "CHUNK_POSTS", 40):
        parse = here._step("event", jetstream.parse)
        with mock.patch.object(jetstream, "parse", parse):
            for step, after, wait in [(0, False, 1), *kills]:
                here.steps, here.kill_at, here.after = [], step, after
                here.run()
                minutes(here, wait)
            here.kill_at = 0
            minutes(here)  # the lease of the last one has expired
            assert here.run()["status"] == "caught_up"
        complete(here, here.now)


def test_a_write_that_was_done_and_reported_as_failed_is_its_own(here: World) -> None:
    """boto3 sends it again, and S3 refuses the second one."""
    put = here.put_object

    def twice(**given: Any) -> dict[str, Any]:
        answer = put(**given)
        return put(**given) if "IfMatch" in given and given["Body"].count(b'"holder": null') == 0 else answer

    here.s3.put_object.side_effect = twice
    assert here.run()["status"] == "caught_up"
    complete(here, NOON)


def test_one_collector_at_a_time_until_its_lease_is_over(here: World) -> None:
    with pytest.raises(Killed), cursor.Lease("bucket", "bluesky", "another"):
        here.kill_at = len(here.steps) + 1
        raise Killed
    here.kill_at = 0
    minutes(here, (cursor.LEASE - 1) / 60)
    assert here.run()["status"] == "held"
    assert not here.records
    minutes(here, 2 / 60)
    assert here.run()["status"] == "caught_up"


def test_one_that_was_taken_for_dead_moves_no_cursor(here: World) -> None:
    put = here.stream.put_record_batch.side_effect

    def slow(**given: Any) -> Any:
        here.now += cursor.LEASE + 1
        with cursor.Lease("bucket", "bluesky", "another") as lease:
            lease.advance(cursor.Cursor("elsewhere", 5))
        return put(**given)

    here.stream.put_record_batch.side_effect = slow
    assert here.run()["status"] == "taken_over"
    assert (here.cursor["server"], here.cursor["time_us"]) == ("elsewhere", 5)


def test_the_cursor_stays_where_the_stream_takes_nothing(here: World) -> None:
    here.run()
    before = here.cursor["time_us"]
    minutes(here)
    with mock.patch.object(collect, "put_back", side_effect=PutBackError("full")), pytest.raises(PutBackError):
        here.run()
    assert (here.cursor["time_us"], here.cursor["holder"]) == (before, None)
    here.s3.put_object.side_effect = ClientError({"Error": {"Code": "SlowDown"}}, "PutObject")
    with pytest.raises(ClientError):
        here.run()
    here.s3.put_object.side_effect = here.put_object
    minutes(here)
    here.run()
    complete(here, here.now)


def for_some_events(here: World) -> dict[str, Any]:
    """A run that has time for some hundred events: its clock goes on by a moment each time that it is asked."""
    ticks = itertools.count()
    context = mock.Mock(aws_request_id="r")
    context.get_remaining_time_in_millis.return_value = 1000 * (collect.RESERVE + 0.3)
    with mock.patch.object(collect, "time", mock.Mock(monotonic=lambda: next(ticks) / 1000)):
        return collect.collect(context, lambda: here.now)


def test_it_stops_in_time_for_its_own_limit_and_the_next_run_goes_on(here: World) -> None:
    here.run()
    minutes(here, 3)
    stopped = for_some_events(here)
    assert (stopped["status"], here.cursor["holder"]) == ("out_of_time", None)
    assert stopped["lag_seconds"] > 60
    here.run()
    complete(here, here.now)


def test_a_gap_is_noticed_where_the_server_has_begun_later_than_asked(server: Jetstream) -> None:
    with (
        world(NOON, server.url) as here,
        mock.patch.object(server, "lookback_us", 36 * 3_600_000_000),
    ):
        Clock.now = NOON + AHEAD
        here.run()
        minutes(here, 37 * 60)
        assert 3590 < for_some_events(here)["gap_seconds"] < 3610
        minutes(here)
        assert for_some_events(here)["gap_seconds"] == 0.0  # told of once


def test_another_server_is_asked_where_one_is_gone_and_a_little_is_read_again(server: Jetstream) -> None:
    with world(NOON, server.url) as here:
        Clock.now = NOON + AHEAD
        here.run()
    with (
        Jetstream(NETWORK, clock=lambda: Clock.now) as other,
        world(NOON + 60, f"ws://127.0.0.1:9/subscribe, {other.url}") as there,
    ):
        Clock.now = there.now + AHEAD
        there.objects, there.records = here.objects, list(here.records)
        assert there.run()["status"] == "caught_up"
        again = len(there.posts()) - len({post["tweet_id"] for post in there.posts()})
        assert 17 <= again <= 23  # of ten seconds
        complete(there, there.now)


def test_where_no_server_answers_it_says_so_and_the_lag_grows(here: World) -> None:
    here.run()
    minutes(here, 5)
    with mock.patch.object(collect, "servers", lambda known: ["ws://127.0.0.1:9/subscribe"]):
        out = here.run()
    assert (out["status"], out["seen"]) == ("unreachable", 0)
    assert 300 < out["lag_seconds"] < 302


def test_a_connection_that_drops_keeps_what_it_told(here: World) -> None:
    real = jetstream.parse
    count = 0

    def drops(frame: bytes) -> jetstream.Event:
        nonlocal count
        count += 1
        if count == 30:
            raise OSError("reset")
        return real(frame)

    with mock.patch.object(jetstream, "parse", drops):
        out = here.run()
    assert out["status"] == "dropped" and 0 < out["seen"] < 30
    here.run()
    complete(here, NOON)


def test_it_ends_where_nothing_more_comes(here: World) -> None:
    Clock.now = here.now - 10  # the server's clock: it tells of no event later
    with mock.patch.object(collect, "QUIET", 0.3):
        assert here.run()["status"] == "quiet"
    assert here.cursor["time_us"] <= (NOON - 10) * 1e6
    Clock.now = NOON + AHEAD
    here.run()
    complete(here, NOON)


def test_rubbish_is_counted_and_passed_over(here: World) -> None:
    real = jetstream.parse
    seen = 0

    def spoilt(frame: bytes) -> jetstream.Event:
        nonlocal seen
        seen += 1
        return real(b"\xff<html>" if seen % 10 == 0 else frame)

    with mock.patch.object(jetstream, "parse", spoilt):
        out = here.run()
    assert (out["status"], out["rubbish"]) == ("caught_up", seen // 10)
    assert 0 < out["forwarded"] < len(told(NOON - 60, NOON)[0])


def test_off_is_off(server: Jetstream) -> None:
    with world(NOON, server.url, bluesky="off") as here:
        assert here.run()["status"] == "off"
        assert not here.steps


def test_a_stage_with_kinesis_puts_into_its_data_stream(server: Jetstream) -> None:
    arn = "arn:aws:kinesis:us-east-1:123456789012:stream/disaster-tweets-local"
    with world(NOON, server.url, source_stream_arn=arn) as here:
        Clock.now = NOON + AHEAD
        taken: list[Any] = []
        here.stream.put_records.side_effect = lambda **given: (
            taken.append(given) or {"Records": [{} for _ in given["Records"]]}
        )
        here.run()
        assert {given["StreamARN"] for given in taken} == {arn}
        assert not here.records


@pytest.mark.parametrize(
    ("setting", "share"), [("lexicon", (0.005, 0.2)), ("es,pt", (0.2, 0.6)), ("everything", (1, 1))]
)
def test_what_is_forwarded_is_a_setting_and_counted(
    server: Jetstream, setting: str, share: tuple[float, float]
) -> None:
    with world(NOON, server.url, bluesky=setting) as here:
        Clock.now = NOON + AHEAD
        out = here.run()
        assert share[0] <= out["forwarded"] / out["seen"] <= share[1]
        assert out["forwarded"] == len(here.posts())
        assert here.deletions() == told(NOON - 60, NOON)[1]  # of posts that were not forwarded, too: nobody knows them
