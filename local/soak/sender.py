"""Send records until they are acknowledged, as the producer does, and remember which were."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import producer
from local import provision
from local.soak.evidence import client
from local.soak.records import Record
from local.soak.server import SoakError

BATCH = 50  # records of one put
ATTEMPTS = 5  # of the producer at one batch; then whoever sends decides whether to go on
STREAMS = ("Firehose", "Kinesis")  # what takes records: the delivery stream itself, or a data stream before another
PATIENCE = 60.0  # seconds for what is being sent when the load is told to stop


class Sent(NamedTuple):
    """A record that was acknowledged, when it was first sent (ms since the epoch), and the number of its stream."""

    record: Record
    first: int
    stream: int


@dataclass
class Sender:
    """Sends records, from any number of threads."""

    endpoint_url: str
    sent: list[Sent] = field(default_factory=list)
    resent: int = 0  # records that the producer sent again

    def __post_init__(self) -> None:
        # Without boto3's own retries: the producer's are what is tested.
        config: dict[str, Any] = {"retries": {"total_max_attempts": 1}, "connect_timeout": 2, "read_timeout": 10}
        firehose, kinesis = (client(name, self.endpoint_url, **config) for name in ("firehose", "kinesis"))
        self._streams: tuple[producer.Stream, ...] = (
            producer.Firehose(firehose, provision.NAME),
            producer.Kinesis(kinesis, provision.NAME),
        )
        self._lock = threading.Lock()

    def send(self, batch: Sequence[Record], stream: int = 0, give_up: Callable[[], bool] = lambda: False) -> None:
        """Send records into one of STREAMS until all are taken. Raises SoakError when told to give up."""
        first = int(time.time() * 1000)
        left = [producer.Record(record.data) for record in batch]
        while left:
            if give_up():
                raise SoakError(f"{len(left)} records could not be sent")
            failed, resent = producer.put_with_retries(self._streams[stream], left, attempts=ATTEMPTS)
            left = [failure.record for failure in failed]
            with self._lock:
                self.resent += resent
        with self._lock:
            self.sent += [Sent(record, first, stream) for record in batch]


class Load:
    """Two threads that send records at a rate (records a second), one into each stream, from `with` to its end."""

    def __init__(self, sender: Sender, source: Iterable[Record], rate: float) -> None:
        self.errors: list[BaseException] = []
        self._sender, self._source, self._pause = sender, iter(source), 2 * BATCH / rate
        self._lock, self._stopping = threading.Lock(), threading.Event()
        self._deadline = float("inf")
        self._threads = [threading.Thread(target=self._run, args=(stream,), daemon=True) for stream in (0, 1)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop; what is being sent is sent to its end, for up to PATIENCE seconds."""
        self._deadline = time.monotonic() + PATIENCE
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _run(self, stream: int) -> None:
        try:
            while not self._stopping.is_set():
                began = time.monotonic()
                with self._lock:
                    batch = [next(self._source) for _ in range(BATCH)]
                self._sender.send(batch, stream, give_up=lambda: time.monotonic() > self._deadline)
                self._stopping.wait(self._pause - (time.monotonic() - began))
        except BaseException as error:
            self.errors.append(error)
