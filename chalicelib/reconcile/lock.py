"""Allow one run at a time: a lock with expiry, an object in S3 that only conditional writes change.

It is in S3 and not in a table, because Redshift doesn't enforce keys, and a query would wake the warehouse. The lock
only saves work. If two runs hold it, the data stays right, because their transactions take turns (see transaction.py)
and compare states: the second one sees what the first one did, and finds nothing left to do.
"""

from __future__ import annotations

import secrets
import threading
import time
from contextlib import suppress
from types import TracebackType

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import conditional, layout
from chalicelib.conditional import BEATEN, HeldError, Stored, code

KEY = layout.report("reconciliations", "lock")
LEASE = 20.0  # seconds without a sign of life after which a lock counts as abandoned
BEAT = 5.0  # seconds between signs of life: 180 writes in a run of 15 minutes cost 0.001 USD
POLL = 1.0


class Lock:
    """`with Lock(bucket, job_id, patience):` waits up to `patience` seconds for other runs, else raises HeldError.

    `key`: of the object that is the lock; another one is another lock.

    `lost` tells that a run was silent for so long that another took over; it should stop at its next step.
    """

    def __init__(self, bucket: str, holder: str, patience: float, key: str = KEY) -> None:
        self._bucket, self._patience, self._key = bucket, patience, key
        self._me = f"{holder} {secrets.token_hex(4)}"  # Lambda may run the same job twice
        self._etag, self._beats = "", 0
        self._done = threading.Event()
        self.lost = False

    def __enter__(self) -> Lock:
        deadline = time.monotonic() + self._patience
        while not self._taken():
            if time.monotonic() >= deadline:
                raise HeldError("Another run is under way; it also does the work of this one")
            time.sleep(POLL)
        self._thread = threading.Thread(target=self._live, name="lock", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        if not self.lost:
            with suppress(ClientError, BotoCoreError):  # it would expire, too
                self._write(None, IfMatch=self._etag)

    def _taken(self) -> bool:
        stored = conditional.read(self._bucket, self._key)
        if stored and stored.said["holder"] != self._me and _alive(stored):
            return False
        try:
            self._write(self._me, **({"IfMatch": stored.etag} if stored else {"IfNoneMatch": "*"}))
        except ClientError as error:
            if code(error) in BEATEN:
                return False  # somebody was faster
            raise
        return True

    def _live(self) -> None:
        while not self._done.wait(BEAT):
            try:
                self._write(self._me, IfMatch=self._etag)
            except ClientError as error:
                if code(error) in BEATEN and not self._still_mine():
                    self.lost = True
                    return
            except BotoCoreError:
                continue  # the next beat may get through

    def _still_mine(self) -> bool:
        """Return whether the lock is ours.

        A write may be reported as failed and yet be done: then the ETag is another, and the lock still ours.
        """
        try:
            stored = conditional.read(self._bucket, self._key)
        except (ClientError, BotoCoreError):
            return True  # not known to be lost; the next beat will tell
        if stored is None or stored.said["holder"] != self._me:
            return False
        self._etag = stored.etag
        return True

    def _write(self, holder: str | None, **condition: str) -> None:
        self._beats += 1  # the ETag is a hash of the content, so each write must have its own
        said = {"holder": holder, "by": self._me, "beat": self._beats}
        self._etag = conditional.write(self._bucket, self._key, said, condition)


def held(bucket: str) -> bool:
    """Return whether a run is under way. Raise what boto3 raises."""
    stored = conditional.read(bucket, KEY)
    return stored is not None and _alive(stored)


def _alive(stored: Stored) -> bool:
    return bool(stored.said["holder"]) and stored.age <= LEASE
