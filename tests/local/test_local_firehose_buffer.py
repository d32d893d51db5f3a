"""A buffer is emptied when it is full or old enough, and never loses, doubles or reorders what it holds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from local.aws.firehose.buffer import Buffer, Hints

HINTS = Hints(100, 60.0)


def filled(*sizes: int, now: float = 0.0) -> Buffer[int]:
    buffer: Buffer[int] = Buffer()
    buffer.add(list(enumerate(sizes)), now)
    return buffer


def test_an_empty_buffer_waits_for_nothing() -> None:
    assert filled().wait(HINTS, now=1e9) is None


def test_it_waits_for_the_age_of_its_first_item() -> None:
    buffer = filled(1, now=10.0)
    buffer.add([(1, 1)], 50.0)
    assert buffer.wait(HINTS, now=30.0) == 40.0
    assert buffer.wait(HINTS, now=70.0) == 0.0
    assert buffer.wait(HINTS, now=99.0) == 0.0


def test_a_full_one_waits_no_longer() -> None:
    assert filled(60, 39).wait(HINTS, now=0.0) == 60.0
    assert filled(60, 40).wait(HINTS, now=0.0) == 0.0
    assert filled(0, 0, 0).wait(HINTS, now=0.0, most_items=3) == 0.0


def test_no_waiting_at_all_is_a_setting() -> None:
    assert filled(1, now=5.0).wait(Hints(100, 0.0), now=5.0) == 0.0


def test_what_is_left_keeps_its_age() -> None:
    buffer = filled(90, now=0.0)
    buffer.add([(1, 90)], 20.0)
    assert buffer.take(100) == [0]
    assert buffer.wait(HINTS, now=20.0) == 60.0


def test_an_item_over_the_limit_goes_alone() -> None:
    buffer = filled(10, 500, 10)
    assert [buffer.take(100) for _ in range(3)] == [[0], [1], [2]]


@given(st.lists(st.integers(0, 300)), st.integers(1, 200), st.none() | st.integers(1, 5))
def test_taking_keeps_order_and_limits(sizes: list[int], most_bytes: int, most_items: int | None) -> None:
    buffer, taken = filled(*sizes), []
    while buffer:
        part = buffer.take(most_bytes, most_items)
        assert part
        assert len(part) == 1 or sum(sizes[n] for n in part) <= most_bytes
        assert most_items is None or len(part) <= most_items
        taken += part
        assert buffer.bytes == sum(sizes) - sum(sizes[n] for n in taken)
    assert taken == list(range(len(sizes)))
