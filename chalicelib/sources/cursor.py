"""Keep the cursor of a source and the lease of its reader: one object in S3 that only conditional writes change.

Cursor and lease are one object, so a collector that was taken for dead can't move the cursor any more: its write fails.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from types import TracebackType
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import conditional, layout
from chalicelib.conditional import BEATEN, HeldError, code

LEASE = 45.0
"""Seconds without a write after which a collector counts as dead. It writes at least every CHUNK_SECONDS and what the
stream takes to accept (collect.py), so the next run but one goes on after a crash."""


class LostError(Exception):
    """Another collector has taken over."""


class Cursor(NamedTuple):
    """The time of the last event whose posts the stream has accepted, and the server that told it."""

    server: str = ""
    time_us: int = 0  # microseconds since the epoch; 0: nothing was read yet


class Lease:
    """`with Lease(bucket, source, holder) as lease:` reads `lease.cursor`, moves it with `advance`, and gives it back.

    Raises HeldError where another collector holds it.
    """

    def __init__(self, bucket: str, source: str, holder: str) -> None:
        self._bucket, self._key = bucket, f"{layout.COLLECT}{source}.json"
        self._me = f"{holder} {secrets.token_hex(4)}"  # Lambda may run the same event twice
        self._etag, self._writes = "", 0
        self.cursor = Cursor()

    def __enter__(self) -> Lease:
        stored = conditional.read(self._bucket, self._key)
        condition = {"IfNoneMatch": "*"}
        if stored:
            said, age, etag = stored
            if said["holder"] and age <= LEASE:
                raise HeldError(f"{said['holder']} is reading, its last sign of life was {age:.0f} s ago")
            self.cursor, condition = Cursor(said["server"], said["time_us"]), {"IfMatch": etag}
        try:
            self._write(self._me, condition)
        except ClientError as error:
            if code(error) in BEATEN:
                raise HeldError("another collector was faster") from error
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(ClientError, BotoCoreError):  # it expires, too
            self._write(None, {"IfMatch": self._etag})

    def advance(self, cursor: Cursor) -> None:
        """Move the cursor, and show a sign of life. Raises LostError where another collector has taken over."""
        self.cursor, before = cursor, self.cursor
        try:
            self._write(self._me, {"IfMatch": self._etag})
        except ClientError as error:
            if code(error) not in BEATEN or not self._written():
                self.cursor = before
                if code(error) in BEATEN:
                    raise LostError("another collector has taken over") from error
                raise

    def _written(self) -> bool:
        """Return whether the cursor is as written.

        A write may be reported as failed and yet be done: boto3 tries again, and finds its own.
        """
        stored = conditional.read(self._bucket, self._key)
        if not stored or stored.said != self._said(self._me):
            return False
        self._etag = stored.etag
        return True

    def _said(self, holder: str | None) -> dict[str, Any]:
        # The ETag is a hash of the content, so each write must have its own: hence `writes`.
        return {"holder": holder, "by": self._me, "writes": self._writes, **self.cursor._asdict()}

    def _write(self, holder: str | None, condition: dict[str, str]) -> None:
        self._writes += 1
        self._etag = conditional.write(self._bucket, self._key, self._said(holder), condition)
