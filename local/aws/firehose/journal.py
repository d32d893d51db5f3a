"""Keep a stream's records and the state of their delivery on disk, written before a put is acknowledged.

A SQLite file in WAL mode: what is committed has gone to the operating system and survives a kill -9 of this process;
only the machine's own death may take the last of it. What is delivered is deleted.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import orjson

SCHEMA = """
CREATE TABLE IF NOT EXISTS known (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS put (
    first INTEGER PRIMARY KEY, stop INTEGER NOT NULL, head BLOB NOT NULL, data BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS batch (first INTEGER PRIMARY KEY, stop INTEGER NOT NULL, cut_at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS object (number INTEGER PRIMARY KEY, key TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS position (shard TEXT PRIMARY KEY, sequence INTEGER NOT NULL) WITHOUT ROWID;
"""


class Record(NamedTuple):
    """One record, from the put to the delivery."""

    sequence: int  # counts the stream's records, from 0
    arrived: int  # ms since the epoch
    data: bytes
    origin: dict[str, Any] | None = None  # kinesisRecordMetadata, where a data stream is the source


class Batch(NamedTuple):
    """Records [first, stop) that go through the transform together: the same ones at every attempt, over restarts."""

    first: int
    stop: int
    cut_at: int  # ms since the epoch


class Journal:
    """Not safe for threads: the stream's lock guards it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._disk = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._disk.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + SCHEMA)
        self.id: str = self._known("id") or uuid.uuid4().hex
        self.next = int(self._known("next") or 0)  # of the next record to come
        self.uncut = int(self._known("uncut") or 0)  # the first record in no batch yet
        self.backed_up = int(self._known("backed_up") or 0)  # the first record not in the backup yet
        self.batches = {first: Batch(first, stop, at) for first, stop, at in self._disk.execute("SELECT * FROM batch")}
        self.objects = [key for (key,) in self._disk.execute("SELECT key FROM object ORDER BY number")]
        self.positions: dict[str, int] = dict(self._disk.execute("SELECT shard, sequence FROM position"))
        if (last := self._disk.execute("SELECT MAX(stop) FROM put").fetchone()[0]) is not None:
            self.next = max(self.next, last)
        self._keep(id=self.id)

    # What the stream is

    @property
    def description(self) -> dict[str, Any]:
        """Return the stream's description in the API; empty if it was never created."""
        found: dict[str, Any] = json.loads(self._known("description") or "{}")
        return found

    def describe(self, description: dict[str, Any]) -> None:
        self._keep(description=json.dumps(description))

    def skip(self, positions: dict[str, int]) -> None:
        """Reading of a data stream begins after these sequence numbers, by shard."""
        self._disk.executemany("INSERT OR REPLACE INTO position VALUES (?, ?)", list(positions.items()))
        self.positions |= positions

    # What came

    def append(
        self,
        arrived: int,
        datas: Sequence[bytes],
        origins: Sequence[dict[str, Any]] | None = None,
        position: tuple[str, int] | None = None,
    ) -> list[Record]:
        """Return records with their sequence numbers, by then on disk, together with the position they were read up to
        (shard, sequence number) where a data stream is the source. Raises sqlite3.Error: then they are not.
        """
        first = self.next
        head = orjson.dumps({"arrived": arrived, "sizes": [len(data) for data in datas], "origins": origins})
        with self._transaction():
            self._disk.execute(
                "INSERT INTO put VALUES (?, ?, ?, ?)", (first, first + len(datas), head, b"".join(datas))
            )
            if position:
                self._disk.execute("INSERT OR REPLACE INTO position VALUES (?, ?)", position)
        if position:
            self.positions[position[0]] = position[1]
        self.next = first + len(datas)
        return records(first, arrived, datas, origins)

    def read(self, first: int, stop: int) -> list[Record]:
        """Return records [first, stop), as far as they are still needed."""
        found: list[Record] = []
        query = "SELECT first, head, data FROM put WHERE stop > ? AND first < ? ORDER BY first"
        for start, head, data in self._disk.execute(query, (first, stop)):
            known = orjson.loads(head)
            ends = list(accumulate(known["sizes"], initial=0))
            datas = [data[begin:end] for begin, end in pairwise(ends)]
            found += records(start, known["arrived"], datas, known["origins"])
        return [record for record in found if first <= record.sequence < stop]

    # How far it came

    def cut(self, batch: Batch) -> None:
        """These records go through the transform together, from now on."""
        with self._transaction():
            self._disk.execute("INSERT INTO batch VALUES (?, ?, ?)", batch)
            self._keep(uncut=batch.stop)
        self.batches[batch.first], self.uncut = batch, batch.stop

    def delivered(self, batches: Sequence[Batch], key: str | None = None) -> None:
        """These batches are done with; `key`: in this object, which is still to be copied."""
        with self._transaction():
            self._disk.executemany("DELETE FROM batch WHERE first = ?", [(batch.first,) for batch in batches])
            if key:
                self._disk.execute("INSERT INTO object (key) VALUES (?)", (key,))
        for batch in batches:
            del self.batches[batch.first]
        if key:
            self.objects.append(key)

    def copied(self, keys: Sequence[str]) -> None:
        """These objects need no COPY any more."""
        self._disk.executemany("DELETE FROM object WHERE key = ?", [(key,) for key in keys])
        self.objects = [key for key in self.objects if key not in set(keys)]

    def back_up(self, stop: int) -> None:
        """Note that all records before `stop` are in the backup, or need none."""
        self._keep(backed_up=stop)
        self.backed_up = stop

    def trim(self, backs_up: bool) -> None:
        """Forget the records that nobody needs any more."""
        needed = min([self.uncut, *self.batches, *([self.backed_up] if backs_up else [])])
        with self._transaction():
            self._keep(next=self.next)
            self._disk.execute("DELETE FROM put WHERE stop <= ?", (needed,))

    def close(self) -> None:
        self._disk.close()

    def remove(self) -> None:
        """Close it, and take it from the disk."""
        self.close()
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def _known(self, name: str) -> str | None:
        row = self._disk.execute("SELECT value FROM known WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def _keep(self, **values: Any) -> None:
        rows = [(name, str(value)) for name, value in values.items()]
        self._disk.executemany("INSERT OR REPLACE INTO known VALUES (?, ?)", rows)

    def _transaction(self) -> _Transaction:
        return _Transaction(self._disk)


class _Transaction:
    """BEGIN and COMMIT, or ROLLBACK when something is raised."""

    def __init__(self, disk: sqlite3.Connection) -> None:
        self._disk = disk

    def __enter__(self) -> None:
        self._disk.execute("BEGIN")

    def __exit__(self, error: object, *_: object) -> None:
        try:
            if not error:
                self._disk.execute("COMMIT")
        finally:
            if self._disk.in_transaction:  # SQLite itself has undone some that failed, such as for a full disk
                self._disk.execute("ROLLBACK")


def records(first: int, arrived: int, datas: Sequence[bytes], origins: Sequence[dict[str, Any]] | None) -> list[Record]:
    """Return records in sequence; each one's own arrival, where its origin knows it."""
    if origins is None:
        return [Record(first + n, arrived, data) for n, data in enumerate(datas)]
    return [
        Record(first + n, origin["approximateArrivalTimestamp"], data, origin)
        for n, (data, origin) in enumerate(zip(datas, origins, strict=True))
    ]
