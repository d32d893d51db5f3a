"""What doesn't fit into an answer goes back into the stream: all of it, within the quotas of a call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from unittest import mock

import pytest

from chalicelib import clients
from chalicelib.transform.plan import PutBack
from chalicelib.transform.put_back import ATTEMPTS, PutBackError, put_back
from tests.support.aws_in_memory import SOURCE

MOST_BATCH_BYTES = 4 << 20  # of PutRecordBatch

NAME = "disaster-tweets-local"


class Streams:
    """A delivery stream and a data stream; `refuse(call, data)` tells whether a record of a call fails."""

    def __init__(self) -> None:
        self.calls: list[list[bytes]] = []
        self.keys: list[str] = []
        self.taken: list[bytes] = []
        self.refuse: Any = lambda call, data: False

    def _answers(self, records: Sequence[Any]) -> list[dict[str, str]]:
        self.calls.append([record["Data"] for record in records])
        failed = [self.refuse(len(self.calls), data) for data in self.calls[-1]]
        self.taken += [data for data, refused in zip(self.calls[-1], failed, strict=True) if not refused]
        return [{"ErrorCode": "ServiceUnavailableException"} if refused else {} for refused in failed]

    def put_record_batch(self, *, DeliveryStreamName: str, Records: list[dict[str, bytes]]) -> dict[str, Any]:
        assert DeliveryStreamName == NAME
        return {"RequestResponses": self._answers(Records)}

    def put_records(self, *, StreamARN: str, Records: list[dict[str, Any]]) -> dict[str, Any]:
        assert StreamARN == SOURCE
        self.keys += [record["PartitionKey"] for record in Records]
        return {"Records": self._answers(Records)}


@pytest.fixture
def streams() -> Iterator[Streams]:
    found = Streams()
    with mock.patch.object(clients, "firehose", lambda: found), mock.patch.object(clients, "kinesis", lambda: found):
        yield found


def entries(count: int, size: int = 0) -> list[PutBack]:
    return [PutBack(b"%06d" % n + bytes(max(0, size - 6)), f"user-{n}") for n in range(count)]


def test_more_than_a_call_takes_goes_in_several_and_all_of_it_goes(streams: Streams) -> None:
    put_back(entries(1201), NAME, None)
    assert [len(call) for call in streams.calls] == [500, 500, 201]
    assert streams.taken == [entry.data for entry in entries(1201)]


def test_a_call_holds_exactly_what_firehose_takes_in_one(streams: Streams) -> None:
    put_back(entries(9, size=MOST_BATCH_BYTES // 4), NAME, None)
    assert [len(call) for call in streams.calls] == [4, 4, 1]
    assert [sum(map(len, call)) for call in streams.calls] == [
        MOST_BATCH_BYTES,
        MOST_BATCH_BYTES,
        MOST_BATCH_BYTES // 4,
    ]


def test_what_is_more_than_a_call_holds_goes_alone(streams: Streams) -> None:
    large = PutBack(bytes(MOST_BATCH_BYTES + 1), None)
    put_back([large, *entries(2), large], NAME, None)
    assert [len(call) for call in streams.calls] == [1, 2, 1]


def test_only_what_was_refused_is_sent_again(streams: Streams) -> None:
    streams.refuse = lambda call, data: call < 3 and data == b"000001"
    pauses: list[float] = []
    put_back(entries(3), NAME, None, sleep=pauses.append)
    assert streams.calls == [[b"000000", b"000001", b"000002"], [b"000001"], [b"000001"]]
    assert len(pauses) == 2


def test_a_later_batch_goes_though_a_former_one_needed_its_attempts(streams: Streams) -> None:
    streams.refuse = lambda call, data: (data == b"000000" and call < ATTEMPTS) or (data == b"000500" and call < 12)
    put_back(entries(501), NAME, None, sleep=lambda seconds: None)
    assert sorted(streams.taken) == [entry.data for entry in entries(501)]


def test_pauses_grow_and_end_at_five_seconds(streams: Streams) -> None:
    streams.refuse = lambda call, data: call < ATTEMPTS
    pauses: list[float] = []
    with mock.patch("random.uniform", lambda low, high: low + high):
        put_back(entries(1), NAME, None, sleep=pauses.append)
    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_after_eight_attempts_it_gives_up_so_that_the_batch_fails(streams: Streams) -> None:
    streams.refuse = lambda call, data: data == b"000001"
    with pytest.raises(PutBackError, match=f"1 records were not taken back by {NAME}"):
        put_back(entries(2), NAME, None, sleep=lambda seconds: None)
    assert len(streams.calls) == ATTEMPTS == 8
    with pytest.raises(PutBackError, match=SOURCE):
        put_back(entries(2), NAME, SOURCE, sleep=lambda seconds: None)


def test_a_data_stream_gets_each_record_with_its_key_and_those_without_spread_over_shards(streams: Streams) -> None:
    put_back([PutBack(b"a", "user-1"), PutBack(b"b", None), PutBack(b"c", None)], "unused", SOURCE)
    assert streams.taken == [b"a", b"b", b"c"]
    assert streams.keys[0] == "user-1"
    assert len(set(streams.keys)) == 3
    assert all(1 <= len(key) <= 256 for key in streams.keys)


def test_nothing_to_put_back_calls_nobody(streams: Streams) -> None:
    put_back([], NAME, None)
    assert streams.calls == []
