"""Keep the objects of moto's S3 in `<home>/s3.sqlite`: stored before a PUT is answered, restored at start.

Kept are an object's bytes, metadata, times, ETag and checksums. Not kept: old versions, tags, access lists, unfinished
multipart uploads.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3 import responses
from moto.s3.models import FakeDeleteMarker, FakeKey, S3Backend, s3_backends
from moto.s3.responses import S3Response

from local.aws import disk
from local.aws.faults import Faults

SCHEMA = """
CREATE TABLE IF NOT EXISTS bucket (name TEXT PRIMARY KEY, region TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS object (
    bucket TEXT NOT NULL, key TEXT NOT NULL, properties TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (bucket, key)
);
"""
INTERNAL_ERROR = (
    500,
    {"content-type": "application/xml"},
    "<Error><Code>InternalError</Code><Message>We encountered an internal error. Please try again.</Message></Error>",
)


class S3:
    """moto's S3 and its copy on disk. Changes come one at a time, so a conditional PUT is decided and done in one."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.changing = threading.RLock()
        self._disk = sqlite3.connect(home / "s3.sqlite", check_same_thread=False, isolation_level=None)
        # What is committed survives the death of this process; only the machine's own death may take the last of it.
        self._disk.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + SCHEMA)
        self._moto: S3Backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        self._load()

    def put(self, bucket: str, key: str, data: bytes) -> None:
        """PutObject from within. Raises moto's MissingBucket."""
        with self.changing:
            self._moto.put_object(bucket, key, data)
            self.keep(bucket, key)

    def read(self, bucket: str, key: str) -> bytes:
        """Return an object's bytes. Raises FileNotFoundError."""
        found = self._moto.get_object(bucket, key) if bucket in self._moto.buckets else None
        if found is None:
            raise FileNotFoundError(f"There is no s3://{bucket}/{key}")
        value: bytes = found.value
        return value

    def list_keys(self, bucket: str, prefix: str) -> list[str]:
        """Return all keys under a prefix, in order; none if there is no such bucket."""
        found = self._moto.buckets.get(bucket)
        return sorted(key for key in list(found.keys) if key.startswith(prefix)) if found else []

    def keep(self, bucket: str, key: str) -> None:
        """Make the copy of one object what moto has, or hasn't. Raises sqlite3.Error: then moto has it as before."""
        try:
            self._keep(bucket, key)
        except sqlite3.Error as error:
            self._undo(bucket, key)
            if disk.full(error):
                disk.tell_full(f"s3://{bucket}/{key}")
            raise

    def _undo(self, bucket: str, key: str) -> None:
        """Make one object of moto's what its copy on disk is, or isn't."""
        held = self._moto.buckets.get(bucket)
        if held is None:
            return
        query = "SELECT properties, body FROM object WHERE bucket = ? AND key = ?"
        row = self._disk.execute(query, (bucket, key)).fetchone()
        if row:
            held.keys.setlist(key, [restored(self._moto, bucket, key, json.loads(row[0]), row[1])])
        elif key in held.keys:
            del held.keys[key]

    def _keep(self, bucket: str, key: str) -> None:
        held = self._moto.buckets.get(bucket)
        found = held.keys.get(key) if held else None
        if found is None or isinstance(found, FakeDeleteMarker):
            self._disk.execute("DELETE FROM object WHERE bucket = ? AND key = ?", (bucket, key))
        else:
            row = (bucket, key, json.dumps(properties(found)), found.value)
            self._disk.execute("INSERT OR REPLACE INTO object VALUES (?, ?, ?, ?)", row)

    def keep_bucket(self, bucket: str) -> None:
        """Make the copy of a bucket, and of the objects that came or went with the last request, what moto has."""
        held = self._moto.buckets.get(bucket)
        if held is None:
            self._disk.execute("DELETE FROM bucket WHERE name = ?", (bucket,))
            self._disk.execute("DELETE FROM object WHERE bucket = ?", (bucket,))
            return
        self._disk.execute("INSERT OR REPLACE INTO bucket VALUES (?, ?)", (bucket, held.region_name))
        kept = {key for (key,) in self._disk.execute("SELECT key FROM object WHERE bucket = ?", (bucket,))}
        for key in kept ^ set(held.keys):
            self.keep(bucket, key)

    def close(self) -> None:
        with self.changing:
            self._disk.close()

    def _load(self) -> None:
        for name, region in self._disk.execute("SELECT name, region FROM bucket"):
            if name not in self._moto.buckets:
                self._moto.create_bucket(name, region)
        for bucket, key, text, body in self._disk.execute("SELECT bucket, key, properties, body FROM object"):
            self._moto.buckets[bucket].keys.setlist(key, [restored(self._moto, bucket, key, json.loads(text), body)])


def properties(key: FakeKey) -> dict[str, Any]:
    """Return what is to be known of an object besides its bytes."""
    return {
        "last_modified": key.last_modified.isoformat(),
        "etag": key.etag.strip('"'),
        "metadata": dict(key.metadata),
        "storage": key.storage_class,
        "checksum_algorithm": key.checksum_algorithm,
        "checksum_value": key.checksum_value,
        "checksum_type": key.checksum_type,
        "checksum_parts": key.checksum_parts,
    }


def restored(moto: S3Backend, bucket: str, key: str, kept: dict[str, Any], body: bytes) -> FakeKey:
    """Return the object as it was."""
    found = FakeKey(
        name=key,
        bucket_name=bucket,
        value=body,
        account_id=moto.account_id,
        region_name=moto.region_name,
        version_id="null",
        **{name: kept[name] for name in ("etag", "storage", "checksum_value", "checksum_type", "checksum_parts")},
    )
    found.last_modified = datetime.fromisoformat(kept["last_modified"])
    found.checksum_algorithm = kept["checksum_algorithm"]
    found.set_metadata(kept["metadata"])
    return found


class KeptS3(S3Response):  # type: ignore[misc]
    """Requests to moto's S3; what they changed is on disk before they are answered."""

    s3: ClassVar[S3]
    faults: ClassVar[Faults]

    def bucket_response(self, request: Any, full_url: str, headers: Any) -> Any:
        if request.method in ("GET", "HEAD", "OPTIONS"):
            return super().bucket_response(request, full_url, headers)
        with self.s3.changing:
            answer = super().bucket_response(request, full_url, headers)
            self.s3.keep_bucket(self.bucket_name)
        return answer

    def key_response(self, request: Any, full_url: str, headers: Any) -> Any:
        if request.method in ("GET", "HEAD", "OPTIONS"):
            return super().key_response(request, full_url, headers)
        puts = request.method == "PUT" and not request.query_string and "x-amz-copy-source" not in request.headers
        if puts and self.faults.strikes("s3_before"):
            return INTERNAL_ERROR
        with self.s3.changing:
            answer = super().key_response(request, full_url, headers)
            try:
                self.s3.keep(self.bucket_name, self.parse_key_name())
            except sqlite3.Error as error:
                if not disk.full(error):
                    raise
                return INTERNAL_ERROR  # which clients try again
        if puts and self.faults.strikes("s3_after"):
            return INTERNAL_ERROR
        return answer


def install(home: Path, faults: Faults) -> S3:
    """Put it into moto, with its state in `<home>/s3.sqlite`; before the server's first request."""
    KeptS3.s3, KeptS3.faults = S3(home), faults
    responses.S3Response = KeptS3  # moto.s3.urls is executed anew whenever moto looks for S3's handlers
    return KeptS3.s3
