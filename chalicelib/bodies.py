"""Read the bodies of S3 objects line by line, gzipped or not, in memory that does not grow with them."""

from __future__ import annotations

from collections.abc import Iterator
from gzip import GzipFile
from io import BufferedReader
from typing import IO, Any, cast

CHUNK = 1 << 16  # bytes asked of the body at a time
GZIP = b"\x1f\x8b"


class TooLargeError(ValueError):
    """A body is larger than its reader accepts."""


def lines(body: Any, most: int, most_line: int) -> Iterator[bytes]:
    """Yield the lines of a body, each with its newline. `body` is what `get_object` returns under `Body`.

    Raises TooLargeError for a line of more than `most_line` bytes, and after `most` bytes, both counted unpacked;
    OSError, EOFError and zlib.error for invalid gzip.
    """
    opened = _opened(body)
    left = most
    while line := opened.readline(most_line + 1):
        left -= len(line)
        if len(line) > most_line:
            raise TooLargeError(f"a line has more than {most_line:,} bytes")
        if left < 0:
            raise TooLargeError(f"there are more than {most:,} bytes")
        yield line


def heads(body: Any, most: int, size: int) -> Iterator[bytes]:
    """Yield the first `size` bytes of each line of a body, whatever length the line has. Raises what `lines` raises."""
    opened = _opened(body)
    left, begins = most, True
    while piece := opened.readline(size):
        left -= len(piece)
        if left < 0:
            raise TooLargeError(f"there are more than {most:,} bytes")
        if begins:
            yield piece
        begins = piece.endswith(b"\n")


def _opened(body: Any) -> IO[bytes]:
    buffered = BufferedReader(cast("BufferedReader", body), CHUNK)
    return cast("IO[bytes]", GzipFile(fileobj=buffered) if buffered.peek(2)[:2] == GZIP else buffered)
