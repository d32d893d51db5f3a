"""Run one delivery stream: records go through the transform into objects, into the backup, into Redshift.

Every step is on disk before the next one begins (see journal.py), so that a restart goes on where the last run stopped,
with the same batches. What was under way is done again: at least once, like Firehose.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from local.aws import disk, kinesis
from local.aws.faults import Faults
from local.aws.firehose import delivery, transform
from local.aws.firehose.buffer import Buffer, Hints
from local.aws.firehose.delivery import Outside, now
from local.aws.firehose.journal import Batch, Journal, Record
from local.aws.firehose.settings import AwsError, Place, Settings
from local.aws.logs import tell

log = logging.getLogger(__name__)

INVOCATIONS = 2  # of the function at once
MOST_BACKLOG = 512 * 1024 * 1024  # bytes taken and not delivered: then producers are asked to slow down
STRAIGHT = Hints(1024 * 1024, 0.0)  # how records are taken on when nothing transforms them
LONGEST_PAUSE = 3.0  # seconds between attempts
ROOM_PAUSE = 1.0  # seconds between two looks at a full disk
POLL_SECONDS = 0.1  # how often a data stream is read, shard by shard; once a second on AWS
MOST_READ = 500  # records at once


class ClosingError(Exception):
    """The stream closes before something could be written down."""


class Transformed(NamedTuple):
    batch: Batch
    data: bytes
    taken: int  # bytes of its records, as they came


class Stream:
    """Takes records until it is closed. Its threads: two that transform, one each to deliver, copy and back up, and one
    that reads the data stream, where there is one.
    """

    def __init__(
        self, journal: Journal, settings: Settings, outside: Outside, faults: Faults, copying: threading.Lock
    ) -> None:
        self.settings = settings
        self._journal, self._outside, self._faults, self._copying = journal, outside, faults, copying
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._flushes = 0
        self._again = sorted(journal.batches.values())  # cut in a former run
        self._again_data = {batch.first: journal.read(batch.first, batch.stop) for batch in self._again}
        self._waiting: Buffer[Record] = Buffer()
        self._transformed: Buffer[Transformed] = Buffer()
        self._to_back_up: Buffer[Record] = Buffer()
        self._backlog = 0
        began = time.monotonic()
        left = journal.read(journal.uncut, journal.next)
        self._waiting.add(sized(left), began)
        self._backlog = self._waiting.bytes + sum(len(r.data) for rs in self._again_data.values() for r in rs)
        if settings.backup:
            self._to_back_up.add(sized(journal.read(journal.backed_up, journal.next)), began)
        loops = [*[self._transform] * INVOCATIONS, self._deliver, self._copy, self._back_up]
        if settings.source_arn:
            loops.append(self._read)
        self._threads = [
            threading.Thread(target=self._run, args=(loop,), name=f"firehose {settings.name}", daemon=True)
            for loop in loops
        ]
        for thread in self._threads:
            thread.start()

    # What others ask of it

    def take(self, datas: Sequence[bytes]) -> list[str]:
        """Take records on; return their ids, and by then they are on disk. Raises ServiceUnavailableException."""
        return [transform.record_id(self._journal.id, record) for record in self._append(now(), datas)]

    def change(self, settings: Settings, description: dict[str, Any]) -> None:
        """Other settings from now on; `description` is what they are known from after a restart."""
        with self._changed:
            self._journal.describe(description)
            if settings.backup and not self.settings.backup:
                self._journal.back_up(self._journal.next)
            self.settings = settings
            self._changed.notify_all()

    def flush(self, deadline: float) -> bool:
        """Deliver without waiting for buffers to fill, until nothing is left; False: not by the deadline."""
        with self._changed:
            self._flushes += 1
            self._changed.notify_all()
            try:
                while self._busy():
                    if self._closing.is_set() or not self._changed.wait(deadline - time.monotonic()):
                        return not self._busy()
                return True
            finally:
                self._flushes -= 1

    def close(self) -> None:
        """Stop; what isn't delivered is in the journal for the next run."""
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        self._journal.close()

    def delete(self) -> None:
        """Stop, and forgets what isn't delivered."""
        self.close()
        self._journal.remove()

    def _busy(self) -> bool:
        journal = self._journal
        to_back_up = self.settings.backup is not None and journal.backed_up < journal.next
        return bool(self._unread() or journal.uncut < journal.next or journal.batches or journal.objects or to_back_up)

    def _unread(self) -> dict[str, int]:
        """Return the data stream's shards that have more, each with the sequence number read up to."""
        source, positions = self.settings.source_arn, self._journal.positions
        shards = kinesis.newest(source) if source else {}
        return {shard: positions.get(shard, 0) for shard, last in shards.items() if last > positions.get(shard, 0)}

    def _append(
        self,
        arrived: int,
        datas: Sequence[bytes],
        origins: Sequence[dict[str, Any]] | None = None,
        position: tuple[str, int] | None = None,
    ) -> list[Record]:
        size = sum(map(len, datas))
        with self._changed:
            if self._closing.is_set() or self._backlog + size > MOST_BACKLOG:
                raise slow_down()
            try:
                records = self._journal.append(arrived, datas, origins, position)
            except sqlite3.Error as error:
                if disk.full(error):
                    disk.tell_full(f"what is sent to {self.settings.name}")
                    raise slow_down() from error
                raise AwsError("InternalFailure", f"The journal of {self.settings.name} fails: {error}") from error
            began = time.monotonic()
            self._waiting.add(sized(records), began)
            self._backlog += size
            if self.settings.backup:
                self._to_back_up.add(sized(records), began)
            self._changed.notify_all()
        return records

    # Its threads

    def _run(self, loop: Callable[[], None]) -> None:
        """Run a loop. An unforeseen error stops the stream: it takes nothing that it can't keep.

        Who started the server is told, for no status of DescribeDeliveryStream means that.
        """
        try:
            loop()
        except ClosingError:
            return  # what isn't written down is done again by the next run
        except Exception as error:
            log.exception("Delivery stream %s", self.settings.name)
            self._closing.set()  # first: what is told must be true by then
            with self._changed:
                self._changed.notify_all()
            tell(
                f"Delivery stream {self.settings.name} has stopped ({type(error).__name__}: {error}). It takes no more "
                "records; start the server again and it goes on with what it has."
            )

    def _read(self) -> None:
        source = self.settings.source_arn
        assert source
        while not self._closing.wait(POLL_SECONDS):
            try:
                while unread := self._unread():
                    for shard, position in unread.items():
                        found = kinesis.read(source, shard, position, MOST_READ)
                        if found:
                            origins = [origin(shard, record) for record in found]
                            self._append(
                                found[0].arrived, [r.data for r in found], origins, (shard, found[-1].sequence)
                            )
            except AwsError:  # too much of it is not delivered yet
                continue

    def _transform(self) -> None:
        while (taken := self._next_batch()) is not None:
            batch, records = taken
            settings = self.settings
            if settings.processor is None:
                data = b"".join(record.data for record in records)
            else:
                outcome = transform.run(
                    settings,
                    settings.processor,
                    self._journal.id,
                    records,
                    self._outside.invoke,
                    self._faults,
                    self._pause,
                )
                if outcome is None:
                    return
                if not delivery.put_failures(self._outside, settings, self._journal.id, batch, outcome, self._pause):
                    return
                data = b"".join(outcome.data)
            with self._changed:
                taken_bytes = sum(len(record.data) for record in records)
                self._transformed.add([(Transformed(batch, data, taken_bytes), len(data))], time.monotonic())
                self._changed.notify_all()

    def _next_batch(self) -> tuple[Batch, list[Record]] | None:
        """Wait for the next one, which is on disk by then. None: the stream is closing."""
        with self._changed:
            while not self._closing.is_set():
                if self._again:
                    batch = self._again.pop(0)
                    return batch, self._again_data.pop(batch.first)
                processor = self.settings.processor
                hints = processor.hints if processor else STRAIGHT
                most = transform.most_records(hints.bytes, self.settings.source_arn is not None)
                if self._ready(self._waiting, hints, most):
                    records = self._waiting.take(hints.bytes, most)
                    batch = Batch(records[0].sequence, records[-1].sequence + 1, now())
                    try:
                        self._journal.cut(batch)
                    except sqlite3.Error as error:
                        self._waiting.give_back(sized(records), time.monotonic())
                        self._wait_for_room(error)
                        continue
                    return batch, records
        return None

    def _ready(self, buffer: Buffer[Any], hints: Hints, most_items: int | None = None) -> bool:
        """Return whether the buffer is to be emptied now; if not, wait until something changes or it may be time."""
        left = buffer.wait(hints, time.monotonic(), most_items)
        if left is not None and (left == 0 or self._flushes):
            return True
        self._changed.wait(left)
        return False

    def _deliver(self) -> None:
        while (taken := self._next_to_deliver()) is not None:
            settings, data, key = self.settings, b"".join(each.data for each in taken), None
            if data:
                key = delivery.put_data(self._outside, settings, settings.place, data, self._pause)
                if key is None:
                    return
            batches, to_copy = [each.batch for each in taken], key if settings.copy else None
            self._write_down(self._journal.delivered, batches, to_copy)
            self._write_down(self._journal.trim, settings.backup is not None)
            with self._changed:
                self._backlog -= sum(each.taken for each in taken)
                self._changed.notify_all()

    def _next_to_deliver(self) -> list[Transformed] | None:
        with self._changed:
            while not self._closing.is_set():
                hints = self.settings.place.hints
                if self._ready(self._transformed, hints):
                    return self._transformed.take(hints.bytes)
        return None

    def _copy(self) -> None:
        while keys := self._next_to_copy():
            settings = self.settings
            # Without a COPY, the destination was changed to S3 alone since.
            if settings.copy and not delivery.load(
                self._outside, settings, settings.copy, keys, self._copying, self._pause
            ):
                return
            self._write_down(self._journal.copied, keys)

    def _next_to_copy(self) -> list[str]:
        with self._changed:
            while not self._closing.is_set():
                if self._journal.objects:
                    return list(self._journal.objects)
                self._changed.wait()
        return []

    def _back_up(self) -> None:
        while (taken := self._next_to_back_up()) is not None:
            records, place = taken
            data = b"".join(record.data for record in records)
            if data and not delivery.put_data(self._outside, self.settings, place, data, self._pause):
                return
            self._write_down(self._journal.back_up, records[-1].sequence + 1)
            self._write_down(self._journal.trim, True)

    def _next_to_back_up(self) -> tuple[list[Record], Place] | None:
        with self._changed:
            while not self._closing.is_set():
                place = self.settings.backup
                if place is None:
                    self._changed.wait()
                elif self._ready(self._to_back_up, place.hints):
                    return self._to_back_up.take(place.hints.bytes), place
        return None

    def _write_down(self, write: Callable[..., None], *arguments: Any) -> None:
        """Write into the journal; where the disk is full, again until there is room.

        Raises ClosingError, and sqlite3.Error for whatever else is wrong. What one thread writes this way no other
        writes, so no order changes while it waits.
        """
        with self._changed:
            while True:
                try:
                    write(*arguments)
                except sqlite3.Error as error:
                    self._wait_for_room(error)
                    if self._closing.is_set():
                        raise ClosingError from error
                else:
                    self._changed.notify_all()
                    return

    def _wait_for_room(self, error: sqlite3.Error) -> None:
        """Wait a moment, with the lock released, after a write that found a full disk. Raises any other error."""
        if not disk.full(error):
            raise error
        disk.tell_full(f"what the delivery stream {self.settings.name} has to write down")
        self._changed.wait(ROOM_PAUSE)

    def _pause(self, attempt: int) -> bool:
        """Wait before the next attempt: 0.1 s, then twice as long each time. False: the stream is closing."""
        return not self._closing.wait(min(LONGEST_PAUSE, 0.1 * 2 ** (attempt - 1)))


def origin(shard: str, record: kinesis.Read) -> dict[str, Any]:
    """Return a record's kinesisRecordMetadata: docs.aws.amazon.com/lambda/latest/dg/services-kinesisfirehose.html"""
    return {
        "sequenceNumber": str(record.sequence),
        "subsequenceNumber": 0,
        "partitionKey": record.partition_key,
        "shardId": shard,
        "approximateArrivalTimestamp": record.arrived,
    }


def slow_down() -> AwsError:
    return AwsError("ServiceUnavailableException", "Slow down.")


def sized(records: Sequence[Record]) -> list[tuple[Record, int]]:
    return [(record, len(record.data)) for record in records]
