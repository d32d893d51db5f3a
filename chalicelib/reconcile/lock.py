"""One run at a time: a lock with expiry, an object in S3 that only conditional writes change.

In S3 and not in a table, because Redshift doesn't enforce keys, and asking it would wake a warehouse that sleeps. The
lock spares work; what keeps the data right if two hold it is that the transactions themselves take turns (see
transaction.py) and compare states: the second one sees what the first one did, and finds nothing left to do.
docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from contextlib import suppress
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import clients

KEY = "reports/reconciliations/lock.json"
LEASE = 20.0  # seconds without a sign of life after which a lock counts as abandoned
BEAT = 5.0  # seconds between signs of life: 180 writes in a run of 15 minutes cost 0.001 USD
POLL = 1.0


BEATEN = {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"}
"""What S3 answers to a conditional write when somebody else has written in between."""


class HeldError(Exception):
    """Another run holds the lock."""


class Found(NamedTuple):
    """The lock as it is: who holds it (None: nobody), the seconds since their last sign of life, its ETag."""

    holder: str | None
    age: float
    etag: str


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
                raise HeldError("Another run is under way; what this one was to do, it does too")
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
        found = self._read()
        if found and found.holder not in {None, self._me} and found.age <= LEASE:
            return False
        try:
            self._write(self._me, **({"IfMatch": found.etag} if found else {"IfNoneMatch": "*"}))
        except ClientError as error:
            if _code(error) in BEATEN:
                return False  # somebody was faster
            raise
        return True

    def _live(self) -> None:
        while not self._done.wait(BEAT):
            try:
                self._write(self._me, IfMatch=self._etag)
            except ClientError as error:
                if _code(error) in BEATEN and not self._still_mine():
                    self.lost = True
                    return
            except BotoCoreError:
                continue  # the next beat may get through

    def _still_mine(self) -> bool:
        """Return whether the lock is ours.

        A write may be reported as failed and yet be done: then the ETag is another, and the lock still ours.
        """
        try:
            found = self._read()
        except (ClientError, BotoCoreError):
            return True  # not known to be lost; the next beat will tell
        if found is None or found.holder != self._me:
            return False
        self._etag = found.etag
        return True

    def _read(self) -> Found | None:
        try:
            found = clients.s3().get_object(Bucket=self._bucket, Key=self._key)
        except ClientError as error:
            if _code(error) in {"NoSuchKey", "AccessDenied"}:  # S3 denies that an object is missing to who may not list
                return None
            raise
        # Both times are S3's own, so that nobody's clock has to be right.
        now = parsedate_to_datetime(found["ResponseMetadata"]["HTTPHeaders"]["date"])
        age = (now - found["LastModified"]).total_seconds()
        return Found(json.loads(found["Body"].read())["holder"], age, found["ETag"])

    def _write(self, holder: str | None, **condition: str) -> None:
        self._beats += 1  # the ETag is a hash of the content, so each write must have its own
        body = json.dumps({"holder": holder, "by": self._me, "beat": self._beats}).encode()
        written = clients.s3().put_object(Bucket=self._bucket, Key=self._key, Body=body, **condition)  # type: ignore[arg-type]
        self._etag = written["ETag"]


def held(bucket: str) -> bool:
    """Return whether a run is under way. Raise what boto3 raises."""
    found = Lock(bucket, "", 0.0)._read()
    return bool(found and found.holder and found.age <= LEASE)


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])
