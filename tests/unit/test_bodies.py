"""Bodies of S3 objects are read line by line, within a budget, whether they are gzipped or not."""

from __future__ import annotations

import gzip
import io
import zlib

import pytest

from chalicelib.bodies import TooLargeError, heads, lines

BODY = b"one\ntwo\n\nthree"
packings = pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])


@packings
def test_lines_keep_their_newlines(pack: type[bytes]) -> None:
    assert list(lines(io.BytesIO(pack(BODY)), 14, 6)) == [b"one\n", b"two\n", b"\n", b"three"]
    assert list(lines(io.BytesIO(pack(b"")), 0, 0)) == []


def test_gzip_of_several_members_is_one_text() -> None:
    assert list(lines(io.BytesIO(gzip.compress(b"one\n") + gzip.compress(b"two\n")), 8, 4)) == [b"one\n", b"two\n"]


@packings
def test_a_line_over_its_budget_is_not_read_to_its_end(pack: type[bytes]) -> None:
    found = lines(io.BytesIO(pack(b"one\n" + b"x" * 10_000_000)), 20_000_000, 4)
    assert next(found) == b"one\n"
    with pytest.raises(TooLargeError, match="a line has more than 4 bytes"):
        next(found)


@packings
def test_a_body_over_its_budget_is_read_up_to_there(pack: type[bytes]) -> None:
    found = lines(io.BytesIO(pack(BODY)), 8, 100)
    assert [next(found), next(found)] == [b"one\n", b"two\n"]
    with pytest.raises(TooLargeError, match="more than 8 bytes"):
        next(found)
    with pytest.raises(TooLargeError, match="more than 13 bytes"):
        list(heads(io.BytesIO(pack(BODY)), 13, 2))


@packings
def test_the_head_of_each_line_is_read_whatever_its_length(pack: type[bytes]) -> None:
    assert list(heads(io.BytesIO(pack(BODY)), 14, 2)) == [b"on", b"tw", b"\n", b"th"]
    assert list(heads(io.BytesIO(pack(BODY)), 14, 4)) == [b"one\n", b"two\n", b"\n", b"thre"]


@pytest.mark.parametrize(
    "broken",
    [gzip.compress(BODY)[:-9], gzip.compress(BODY)[:12] + b"x" * 9, b"\x1f\x8b"],
    ids=["cut off", "overwritten", "a head alone"],
)
def test_broken_gzip_raises(broken: bytes) -> None:
    with pytest.raises((OSError, EOFError, zlib.error)):
        list(lines(io.BytesIO(broken), 100, 100))
