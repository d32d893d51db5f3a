"""Report a full disk: once a minute, in one line, to the terminal of the server."""

from __future__ import annotations

import errno
import sqlite3
import threading
import time

from local.aws.logs import tell

TOLD_EVERY = 60.0  # seconds
SQLITE_CODES = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
"""Of a disk without room; the second where SQLite's WAL index can't grow: sqlite.org/rescode.html"""

MESSAGE = (
    "There is no room on the disk for {what}: nothing more is acknowledged until there is, and what was acknowledged is"
    " kept. Make room, and it goes on by itself."
)

_telling = threading.Lock()
_told = float("-inf")  # on the clock of time.monotonic()


def full(error: BaseException) -> bool:
    """Return whether an error is that of a disk without room."""
    if isinstance(error, sqlite3.Error):
        return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF in SQLITE_CODES
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def tell_full(what: str) -> None:
    """Print that there is no room for `what`, at most every `TOLD_EVERY` seconds."""
    global _told
    with _telling:
        if time.monotonic() - _told < TOLD_EVERY:
            return
        _told = time.monotonic()
    tell(MESSAGE.format(what=what))
