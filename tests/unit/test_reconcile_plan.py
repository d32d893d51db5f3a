"""Which files are loaded again together, and what is wrong with one that can't be."""

import gzip
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.layout import TWEET_FILE
from chalicelib.reconcile import file_check, repair_batches
from chalicelib.reconcile.repair_batches import TweetFile

KEY = "tweets/dt=2026-01-02/hh=03/x-1.ndjson.gz"
WRITTEN = datetime(2026, 1, 2, 3, 10, tzinfo=UTC)
FILES = st.lists(
    st.builds(TweetFile, st.text(), st.integers(1, 1000), st.integers(0, 50), st.just(WRITTEN)), max_size=60
)


@given(FILES, st.integers(1, 10), st.integers(1, 200))
def test_batches_keep_order_and_limits(files: list[TweetFile], most_files: int, most_bytes: int) -> None:
    batches = repair_batches.batches(files, most_files, most_bytes)
    assert [file for batch in batches for file in batch] == files
    assert all(0 < len(batch) <= most_files for batch in batches)
    assert all(len(batch) == 1 or sum(file.bytes for file in batch) <= most_bytes for batch in batches)


def test_a_batch_has_so_many_rows_that_a_surge_need_not_wait_long() -> None:
    files = [TweetFile(str(n), rows, 1, WRITTEN) for n, rows in enumerate((300, 200, 1, 600, 100))]
    found = repair_batches.batches(files, most_rows=500)
    assert [[file.expected_rows for file in batch] for batch in found] == [[300, 200], [1], [600], [100]]


def test_a_batch_is_filled_to_the_last_byte_and_a_file_of_any_size_gets_in() -> None:
    files = [TweetFile(str(n), 1, size, WRITTEN) for n, size in enumerate((300, 200, 1, 600, 100, 400))]
    found = repair_batches.batches(files, most_bytes=500)
    assert [[file.bytes for file in batch] for batch in found] == [[300, 200], [1], [600], [100, 400]]


def test_rows_of_a_batch_arrived_from_its_first_hour_until_a_day_after_its_last_write() -> None:
    later = TweetFile(KEY.replace("hh=03", "hh=05"), 1, 1, WRITTEN + timedelta(hours=2))
    for batch in ([TweetFile(KEY, 1, 1, WRITTEN), later], [later, TweetFile(KEY, 1, 1, WRITTEN)]):
        since, until = repair_batches.bounds(batch)
        assert (since, until) == (datetime(2026, 1, 2, 3, tzinfo=UTC), WRITTEN + timedelta(hours=26))


@given(st.lists(st.builds(TweetFile, st.text(), st.just(1), st.just(1), st.just(WRITTEN)), min_size=2, max_size=60))
def test_halves_are_both_smaller(batch: list[TweetFile]) -> None:
    first, second = repair_batches.halves(batch)
    assert first + second == batch and first and second


@given(st.binary(max_size=2000))
def test_whatever_a_file_holds_it_is_judged(body: bytes) -> None:
    """Nothing but UnreadableError comes out, and only a file as its name says passes."""
    with pytest.raises(file_check.UnreadableError):
        file_check.check(file_check.split_lines(file_check.gunzipped([body])), TweetFile(KEY, 1, 1, WRITTEN))


@given(st.integers(1, 50), st.integers(1, 64))
def test_a_whole_file_passes_however_it_comes(tweets: int, piece: int) -> None:
    body = packed(tweets, "2026-01-02 03:00:00.000")
    pieces = [body[at : at + piece] for at in range(0, len(body), piece)]
    file_check.check(file_check.split_lines(file_check.gunzipped(pieces)), TweetFile(KEY, tweets, len(body), WRITTEN))


def packed(tweets: int, arrived: str) -> bytes:
    line = '{"s3_key": "%s", "s3_line": %d, "arrived_at": "%s"}\n'
    return gzip.compress("".join(line % (KEY, n, arrived) for n in range(1, tweets + 1)).encode())


@pytest.mark.parametrize(
    ("arrived", "passes"),
    [
        ("2026-01-02 02:59:59.999", False),
        ("2026-01-02 03:00:00", True),
        ("2026-01-02 03:00:00.000", True),
        ("2026-01-03 03:09:59.999", True),
        ("2026-01-03 03:10:00.000", False),
    ],
)
def test_a_file_whose_rows_a_repair_would_not_find_again_does_not_pass(arrived: str, passes: bool) -> None:
    """From its hour until a day after it was written: that is where they are deleted and counted."""
    file = TweetFile(KEY, 1, 1, WRITTEN)
    assert repair_batches.bounds([file]) == (datetime(2026, 1, 2, 3, tzinfo=UTC), WRITTEN + timedelta(days=1))
    found = file_check.split_lines(file_check.gunzipped([packed(1, arrived)]))
    if passes:
        file_check.check(found, file)
        return
    with pytest.raises(file_check.UnreadableError, match="did not arrive"):
        file_check.check(found, file)


def test_a_bomb_is_unpacked_in_pieces() -> None:
    bomb = gzip.compress(b"a" * 50_000_000)
    with pytest.raises(file_check.UnreadableError, match="a line has more than"):
        list(file_check.split_lines(file_check.gunzipped([bomb])))
    assert all(len(piece) <= file_check.CHUNK for piece in file_check.gunzipped([gzip.compress(b"a" * 5_000_000)]))


@pytest.mark.parametrize(
    ("key", "rows"),
    [
        ("tweets/dt=2026-01-31/hh=07/abc-500.ndjson.gz", "500"),
        ("tweets/dt=2026-01-31/hh=07/a-b-1.ndjson.gz", "1"),
        ("tweets/dt=2026-01-31/hh=07/abc-0.ndjson.gz", None),
        ("tweets/dt=2026-01-31/hh=07/abc.ndjson.gz", None),
        ("tweets/dt=2026-01-31/hh=07/abc-5.ndjson", None),
        ("tweets/dt=2026-01-31/abc-5.ndjson.gz", None),
        ("tweets/dt=2026-01-31/hh=07/deep/abc-5.ndjson.gz", None),
    ],
)
def test_a_file_s_rows_are_read_off_its_name(key: str, rows: str | None) -> None:
    match = TWEET_FILE.fullmatch(key)
    assert (match[2] if match else None) == rows
