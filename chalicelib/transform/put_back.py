"""Put records back into the stream that don't fit into the answer."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from chalicelib import clients
from chalicelib.transform.plan import PutBack

# Quotas of PutRecordBatch (docs.aws.amazon.com/firehose/latest/dev/limits.html); PutRecords takes no less.
MOST_RECORDS = 500
MOST_BATCH_BYTES = 4 * 1024 * 1024
ATTEMPTS = 8
LONGEST_PAUSE = 5.0  # seconds


class PutBackError(Exception):
    """The stream did not accept all of it: the batch must fail, so that Firehose tries again."""


def put_back(
    entries: Sequence[PutBack], stream: str, source_arn: str | None, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Send every entry, those that fail again with backoff. Raises PutBackError, or what boto3 raises.

    A delivery stream fed by a Kinesis data stream takes no PutRecordBatch: then they go into the data stream.
    """
    put = _into_kinesis(source_arn) if source_arn else _into_firehose(stream)
    for batch in _batches(entries):
        left, attempt = batch, 0
        while left := put(left):
            attempt += 1
            if attempt == ATTEMPTS:
                raise PutBackError(
                    f"{len(left)} records were not taken back by {source_arn or stream}; raise its quota"
                )
            sleep(random.uniform(0, min(LONGEST_PAUSE, 0.1 * 2**attempt)))  # noqa: S311


def _batches(entries: Sequence[PutBack]) -> Iterator[list[PutBack]]:
    batch: list[PutBack] = []
    size = 0
    for entry in entries:
        if batch and (len(batch) == MOST_RECORDS or size + len(entry.data) > MOST_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += len(entry.data)
    if batch:
        yield batch


def _into_firehose(stream: str) -> Callable[[list[PutBack]], list[PutBack]]:
    def put(entries: list[PutBack]) -> list[PutBack]:
        answer = clients.firehose().put_record_batch(
            DeliveryStreamName=stream, Records=[{"Data": entry.data} for entry in entries]
        )
        return _failed(entries, answer["RequestResponses"])

    return put


def _into_kinesis(arn: str) -> Callable[[list[PutBack]], list[PutBack]]:
    def put(entries: list[PutBack]) -> list[PutBack]:
        records: Any = [
            {"Data": entry.data, "PartitionKey": entry.partition_key or hashlib.blake2b(entry.data).hexdigest()}
            for entry in entries
        ]
        return _failed(entries, clients.kinesis().put_records(StreamARN=arn, Records=records)["Records"])

    return put


def _failed(entries: list[PutBack], results: Sequence[Any]) -> list[PutBack]:
    return [entry for entry, result in zip(entries, results, strict=True) if result.get("ErrorCode")]
