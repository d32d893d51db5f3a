"""The producer: every tweet of a file reaches the stream once, whatever the file looks like and the stream answers."""

from __future__ import annotations

import json
import random
import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ParamValidationError
from hypothesis import example, given
from hypothesis import strategies as st

import producer
from chalicelib.sources.posts import BILLED_UNIT
from chalicelib.transform.rows import tweet_key
from chalicelib.transform.unpack import unpack
from producer import MAX_BATCH_BYTES, MAX_RECORD_BYTES, MAX_RECORDS, Failure, Record, Summary


class FakeStream:
    """Fails a record of a call with the reason that `answer` gives for them; takes it when there is none."""

    def __init__(self, answer: Callable[[int, Record], str | None] = lambda call, record: None) -> None:
        self.answer = answer
        self.calls: list[list[Record]] = []
        self.taken: list[Record] = []

    def put(self, records: Sequence[Record]) -> list[Failure]:
        self.calls.append(list(records))
        reasons = [self.answer(len(self.calls), record) for record in records]
        self.taken += [record for record, reason in zip(records, reasons, strict=True) if not reason]
        return [Failure(record, reason) for record, reason in zip(records, reasons, strict=True) if reason]


class RaisingStream(FakeStream):
    """Raises `trouble` for the first `times` calls."""

    def __init__(self, trouble: Exception, times: int) -> None:
        super().__init__()
        self.trouble, self.times = trouble, times

    def put(self, records: Sequence[Record]) -> list[Failure]:
        if len(self.calls) < self.times:
            self.calls.append(list(records))
            raise self.trouble
        return super().put(records)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer.put_with_retries, "__defaults__", (lambda seconds: None, producer.ATTEMPTS))


def tweets_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in producer.read(path)]


# ------------------------------------------------------------------ reading


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "iso8859-15"])
@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_reads_a_csv_in_any_encoding_and_with_any_line_end(tmp_path: Path, encoding: str, end: str) -> None:
    file = tmp_path / "tweets.csv"
    rows = [
        "tweetid,userid,keyword,location,text",
        "7.7E+17,42,flood,Málaga,Inundación en la calle",
        ',,,,"two\nlines"',
    ]
    file.write_bytes(end.join([*rows, ""]).encode(encoding))
    first = {"tweet_id": "7.7E+17", "text": "Inundación en la calle", "user_id": "42", "location": "Málaga"}
    assert tweets_of(file) == [{**first, "source_keyword": "flood"}, {"text": "two\nlines"}]


def test_bytes_that_cp1252_does_not_know_are_read_as_latin_9(tmp_path: Path) -> None:
    file = tmp_path / "tweets.csv"
    file.write_bytes(b"text\nprice 5 \xa4 \x81\n")
    assert tweets_of(file) == [{"text": "price 5 € \x81"}]


def test_bytes_that_only_cp1252_knows_as_letters_are_read_as_cp1252(tmp_path: Path) -> None:
    file = tmp_path / "tweets.csv"
    file.write_bytes("text\n“flood” – 5 €\n".encode("cp1252"))
    assert tweets_of(file) == [{"text": "“flood” – 5 €"}]


def test_a_row_without_text_and_a_row_cut_short_are_still_sent(tmp_path: Path) -> None:
    file = tmp_path / "tweets.csv"
    file.write_text("tweetid,text\n1,\n2\n\n3,hello,more\n")
    assert tweets_of(file) == [{"tweet_id": "1"}, {"tweet_id": "2"}, {"tweet_id": "3", "text": "hello"}]


def test_a_csv_without_a_text_column_is_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "tweets.csv"
    file.write_text("a,b\n1,2\n")
    assert producer.main([str(file), "--dry-run"]) == 2
    assert "no column for the text" in capsys.readouterr().err


def test_json_lines_go_as_they_stand_broken_ones_too(tmp_path: Path) -> None:
    file = tmp_path / "tweets.jsonl"
    lines = [b'{"id": 1, "text": "a"}', b"{broken", b'"\xff"']
    file.write_bytes(b"\r\n\n".join(lines))
    assert list(producer.read(file)) == [line + b"\n" for line in lines]


def test_blank_lines_before_the_first_tweet_are_no_tweets(tmp_path: Path) -> None:
    file = tmp_path / "tweets.jsonl"
    for content, wanted in ((b"", []), (b" \n\r\n", []), (b'\n \n{"text": "a"}\n', [b'{"text": "a"}\n'])):
        file.write_bytes(content)
        assert list(producer.read(file)) == wanted


@pytest.mark.parametrize("indent", [None, 2])
def test_an_x_api_payload_becomes_single_tweets_each_with_its_author(tmp_path: Path, indent: int | None) -> None:
    ann, bob = {"id": "1", "location": "Lima"}, {"id": "2"}
    data = [{"id": "10", "text": "a", "author_id": "2"}, {"id": "11", "text": "b", "author_id": "1"}, {"id": "12"}]
    file = tmp_path / "payload.json"
    file.write_text(json.dumps({"data": data, "includes": {"users": [ann, bob]}, "meta": {}}, indent=indent))
    assert tweets_of(file) == [
        {"data": data[0], "includes": {"users": [bob]}},
        {"data": data[1], "includes": {"users": [ann]}},
        {"data": data[2]},
    ]


KEYS = st.sampled_from(["data", "includes", "users", "id", "author_id"])


@example({"data": [{"author_id": []}, {"author_id": {}}], "includes": {"users": [{"id": []}, 1]}})
@given(st.recursive(st.none() | st.booleans() | st.text(), lambda x: st.lists(x) | st.dictionaries(KEYS, x)))
def test_no_json_document_breaks_the_reader(payload: Any) -> None:
    assert all(line.endswith(b"\n") for line in producer.split_line(json.dumps(payload).encode()))


# ------------------------------------------------------------------ batching


@given(st.lists(st.one_of(st.none(), st.integers(1, MAX_RECORD_BYTES)), max_size=1200))
def test_batches_keep_within_the_quotas_and_keep_order(sizes: list[int | None]) -> None:
    blob = memoryview(bytes(MAX_RECORD_BYTES))
    records = [None if size is None else Record(blob[:size]) for size in sizes]  # type: ignore[arg-type]
    batches = list(producer.batches(records))
    assert all(0 < len(b) <= MAX_RECORDS and sum(len(r.data) for r in b) <= MAX_BATCH_BYTES for b in batches)
    assert [len(r.data) for batch in batches for r in batch] == [size for size in sizes if size is not None]


@given(st.lists(st.binary(max_size=6000).map(lambda b: b.replace(b"\n", b".") + b"\n")))
def test_packing_loses_no_line_and_fills_what_is_billed(lines: list[bytes]) -> None:
    records = list(producer.pack(lines))
    assert b"".join(r.data for r in records) == b"".join(lines)
    assert sum(r.tweets for r in records) == len(lines)
    assert all(r.data and (len(r.data) <= BILLED_UNIT or r.tweets == 1) for r in records)


def test_a_record_is_filled_to_the_last_byte_that_is_billed_anyway() -> None:
    half = b"x" * 2559 + b"\n"
    assert [(len(r.data), r.tweets) for r in producer.pack([half, half, half])] == [(5120, 2), (2560, 1)]
    assert [r.tweets for r in producer.pack([half, b"y" + half])] == [1, 1]


def test_a_batch_is_filled_to_the_last_byte_and_record_that_a_call_takes() -> None:
    """Quotas of PutRecordBatch: docs.aws.amazon.com/firehose/latest/dev/limits.html"""
    large = Record(bytes(1_024_000))
    for last, wanted in ((98_304, [5]), (98_305, [4, 1])):  # 4 MiB in all, and a byte more
        batches = producer.batches([*[large] * 4, Record(bytes(last))])
        assert [len(batch) for batch in batches] == wanted
    assert [len(batch) for batch in producer.batches([Record(b"x")] * 1001)] == [500, 500, 1]


def test_the_pace_is_kept_on_average_with_jitter() -> None:
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    paced = producer.paced([Record(b"x")] * 10_000, 100.0, random.Random(1), lambda: now, sleep)
    batches = [len(batch) for batch in producer.batches(paced)]
    assert sum(batches) == 10_000
    assert 95 < now < 105
    assert len(set(batches)) > 10


def test_a_slow_stream_gets_what_there_is_before_each_pause_and_no_pause_is_shorter_than_a_tenth_of_a_second() -> None:
    now, pauses = 50.0, []

    def sleep(seconds: float) -> None:
        nonlocal now
        pauses.append(seconds)
        now += seconds

    paced = list(producer.paced([Record(b"x")] * 1000, 20.0, random.Random(1), lambda: now, sleep))
    assert paced.count(None) == len(pauses)
    assert all(record is not None for record, former in zip(paced[1:], paced, strict=False) if former is None)
    assert min(pauses) == 0.1
    assert max(pauses) > 0.15


def test_a_pace_that_reading_does_not_reach_makes_no_pause() -> None:
    clock = iter(range(1000))
    no_pause: Any = None
    assert (
        list(producer.paced([Record(b"x")] * 10, 1e9, random.Random(1), lambda: next(clock), no_pause))
        == [Record(b"x")] * 10
    )


def test_the_pace_is_of_tweets_however_many_a_record_holds() -> None:
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    assert len(list(producer.paced([Record(b"x", 50)] * 400, 100.0, random.Random(1), lambda: now, sleep))) > 400
    assert 180 < now < 220  # 20,000 tweets


# ------------------------------------------------------------------ sending


def test_only_the_failed_records_of_a_batch_are_sent_again() -> None:
    stream = FakeStream(lambda call, record: "Throttled" if call == 1 and record.data == b"2" else None)
    summary = producer.send(stream, [Record(b"1"), Record(b"2"), Record(b"3")])
    assert [[r.data for r in call] for call in stream.calls] == [[b"1", b"2", b"3"], [b"2"]]
    assert (summary.sent, summary.retried, summary.complete) == (3, 1, True)


def test_what_can_not_be_sent_is_kept_and_named_and_its_neighbours_go() -> None:
    kept: list[Failure] = []
    stream = FakeStream(lambda call, record: "InternalFailure: sorry" if record.data == b"2" else None)
    too_large, twin = Record(bytes(MAX_RECORD_BYTES + 1)), Record(b"2", tweets=3)
    summary = producer.send(stream, [Record(b"1"), twin, too_large, twin], on_unsent=kept.append)
    assert [record.data for record in stream.taken] == [b"1"]
    assert len(stream.calls) == producer.ATTEMPTS
    assert summary.unsent["InternalFailure: sorry"] == 6
    assert sorted(len(failure.record.data) for failure in kept) == [1, 1, MAX_RECORD_BYTES + 1]
    assert summary.tweets == summary.sent + sum(summary.unsent.values()) == 8


def test_the_summary_is_of_all_batches() -> None:
    failing = FakeStream(lambda call, record: "Throttled" if call <= 2 and record.data == b"2" else None)
    summary = producer.send(failing, [Record(b"1", 2)] * 600 + [Record(b"2", 3)] * 600)
    assert (summary.tweets, summary.sent, summary.records, summary.batches) == (3000, 3000, 1200, 3)
    assert (summary.bytes, summary.billed) == (1200, 1200 * 5120)
    assert summary.retried == sum(map(len, failing.calls)) - 1200 > 0


def test_few_batches_are_under_way_at_a_time_and_no_more_is_read_meanwhile() -> None:
    """Memory does not grow with the file, however slow the stream is."""
    read, under_way, most, lock, let_go = 0, 0, 0, threading.Lock(), threading.Event()

    def records() -> Iterator[Record]:
        nonlocal read
        for _ in range(12 * MAX_RECORDS):
            read += 1
            yield Record(b"x")

    class Slow(FakeStream):
        def put(self, records: Sequence[Record]) -> list[Failure]:
            nonlocal under_way, most
            with lock:
                under_way += 1
                most = max(most, under_way)
            if under_way == 4:
                let_go.set()
            let_go.wait(5)
            seen.append(read)
            with lock:
                under_way -= 1
            return super().put(records)

    seen: list[int] = []
    assert producer.send(Slow(), records()).sent == 12 * MAX_RECORDS
    assert most == 4
    assert seen[0] <= 4 * MAX_RECORDS + 1


def test_trouble_is_told_when_a_call_gets_nothing_through_and_its_end_with_what_does() -> None:
    told: list[str] = []
    stream = FakeStream(lambda call, record: "Throttled" if call <= 2 or (call == 3 and record.data == b"2") else None)
    producer.send(stream, [Record(b"1"), Record(b"2")], on_trouble=told.append)
    assert told == ["Throttled", "Throttled", ""]


def test_one_that_was_stopped_makes_no_more_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = FakeStream(lambda call, record: "Throttled")
    stopping = threading.Event()
    monkeypatch.setattr(producer, "STOPPING", stopping)
    left, retried = producer.put_with_retries(stream, [Record(b"1")], lambda seconds: stopping.set())
    assert (len(stream.calls), left, retried) == (1, [Failure(Record(b"1"), "Throttled")], 0)


def test_a_reason_may_lack_its_message() -> None:
    assert producer.failures([Record(b"1"), Record(b"2")], [{"RecordId": "1"}, {"ErrorCode": "Internal"}]) == [
        Failure(Record(b"2"), "Internal: ")
    ]


def error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "said AWS"}}, "PutRecordBatch")


@pytest.mark.parametrize(
    "trouble", [error("ServiceUnavailableException"), EndpointConnectionError(endpoint_url="http://x")]
)
def test_a_call_that_fails_as_a_whole_is_tried_again(trouble: Exception) -> None:
    stream = RaisingStream(trouble, times=2)
    assert producer.send(stream, [Record(b"1")]).complete
    assert stream.taken == [Record(b"1")]


@pytest.mark.parametrize(
    "trouble", [error("ServiceUnavailableException"), EndpointConnectionError(endpoint_url="http://x")]
)
def test_what_a_call_raised_every_time_is_the_reason(trouble: Exception) -> None:
    summary = producer.send(RaisingStream(trouble, times=99), [Record(b"1")])
    assert summary.unsent == {str(trouble): 1}


def test_pauses_between_attempts_grow_to_twenty_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: low + high)
    pauses: list[float] = []
    producer.put_with_retries(FakeStream(lambda call, record: "Throttled"), [Record(b"1")], pauses.append)
    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 20.0, 20.0]


def test_progress_counts_the_tweets_that_the_stream_took_and_no_others() -> None:
    sent: list[int] = []
    stream = FakeStream(lambda call, record: "no" if record.data == b"2" else None)
    records = [Record(b"1", 3), Record(b"2", 4), Record(bytes(MAX_RECORD_BYTES + 1), 5)]
    producer.send(stream, records, on_progress=sent.append)
    assert sent == [3]


def test_a_record_of_just_what_firehose_takes_is_sent_and_one_byte_more_is_not() -> None:
    stream = FakeStream()
    summary = producer.send(stream, [Record(bytes(MAX_RECORD_BYTES)), Record(bytes(MAX_RECORD_BYTES + 1))])
    assert [len(record.data) for record in stream.taken] == [MAX_RECORD_BYTES] == [1_024_000]
    assert summary.unsent == {"over 1,024,000 bytes, the most a record holds": 1}


def test_the_summary_counts_what_the_stream_took_and_what_is_billed_for_it() -> None:
    stream = FakeStream(lambda call, record: "no" if record.data == b"2" else None)
    summary = producer.send(stream, [Record(b"1" * 5120, 2), Record(b"3" * 5121), Record(b"2")])
    assert (summary.records, summary.batches, summary.bytes, summary.billed) == (2, 1, 10_241, 15_360)
    assert summary.seconds > 0


@pytest.mark.parametrize("trouble", [NoCredentialsError(), ParamValidationError(report="no")])
def test_an_error_of_the_setup_is_raised_at_once(trouble: Exception) -> None:
    stream = RaisingStream(trouble, times=99)
    with pytest.raises(type(trouble)):
        producer.send(stream, [Record(b"1")])
    assert len(stream.calls) == 1


@pytest.mark.parametrize(
    "code",
    [
        "AccessDeniedException", "ExpiredTokenException", "InvalidSignatureException", "InvalidArgumentException",
        "ResourceNotFoundException", "UnrecognizedClientException", "ValidationException",
    ],
)  # fmt: skip
def test_an_error_that_retries_will_not_mend_stops_at_once_and_keeps_the_batch(code: str) -> None:
    kept: list[Failure] = []
    stream = RaisingStream(error(code), times=99)
    with pytest.raises(ClientError):
        producer.send(stream, [Record(b"1"), Record(b"2")], on_unsent=kept.append, summary=Summary())
    assert len(stream.calls) == 1
    assert [failure.record.data for failure in kept] == [b"1", b"2"]


class Client:
    """Firehose's and Kinesis's client: refuses a record of a call where `refuses(call, data)` says so."""

    def __init__(self, refuses: Callable[[int, bytes], bool]) -> None:
        self.refuses = refuses
        self.calls: list[list[bytes]] = []
        self.keys: list[str] = []

    def _answers(self, records: Sequence[dict[str, Any]]) -> tuple[int, list[dict[str, str]]]:
        self.calls.append([record["Data"] for record in records])
        refused = {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}
        answers = [refused if self.refuses(len(self.calls), data) else {} for data in self.calls[-1]]
        return sum(map(bool, answers)), answers

    def put_record_batch(self, *, DeliveryStreamName: str, Records: Sequence[dict[str, Any]]) -> dict[str, Any]:
        assert DeliveryStreamName == "tweets"
        failed, answers = self._answers(Records)
        return {"FailedPutCount": failed, "RequestResponses": answers}

    def put_records(self, *, StreamName: str, Records: Sequence[dict[str, Any]]) -> dict[str, Any]:
        assert StreamName == "tweets"
        self.keys += [record["PartitionKey"] for record in Records]
        failed, answers = self._answers(Records)
        return {"FailedRecordCount": failed, "Records": answers}


@pytest.mark.parametrize("kind", [producer.Firehose, producer.Kinesis])
def test_records_that_an_answer_of_200_calls_failed_are_sent_again(kind: Callable[[Client, str], Any]) -> None:
    client = Client(lambda call, data: call == 1 and data == b"2")
    summary = producer.send(kind(client, "tweets"), [Record(b"1"), Record(b"2"), Record(b"3")])
    assert client.calls == [[b"1", b"2", b"3"], [b"2"]]
    assert (summary.sent, summary.retried, summary.complete) == (3, 1, True)


@pytest.mark.parametrize("kind", [producer.Firehose, producer.Kinesis])
def test_records_that_fail_in_every_answer_are_unsent_with_the_streams_reason(
    kind: Callable[[Client, str], Any],
) -> None:
    client = Client(lambda call, data: data == b"2")
    summary = producer.send(kind(client, "tweets"), [Record(b"1"), Record(b"2")])
    assert summary.unsent == {"ServiceUnavailableException: Slow down.": 1}
    assert (summary.tweets, summary.sent, summary.retried) == (2, 1, producer.ATTEMPTS - 1)
    assert client.calls[1:] == [[b"2"]] * (producer.ATTEMPTS - 1)


def test_records_are_spread_over_the_shards_of_a_data_stream_and_a_repeated_one_goes_to_its_own() -> None:
    client = Client(lambda call, data: call == 1 and data == b"2")
    producer.send(producer.Kinesis(client, "tweets"), [Record(b"1"), Record(b"2")])
    [first, second, again] = client.keys
    assert first != second == again
    assert len(first) == 16  # it counts towards what a call may hold


# ------------------------------------------------------------------ the command


def command(file: Path, stream: FakeStream, *options: str) -> Summary:
    return producer.run(producer.parse([str(file), "--stream", "s", "--rate", "0", *options]), stream)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tweets.csv"
    path.write_text("text\n" + "".join(f"tweet {n}\n" for n in range(7)))
    return path


def test_limit_and_loop(file: Path) -> None:
    assert command(file, FakeStream(), "--limit", "3").sent == 3
    assert command(file, FakeStream(), "--loop", "--limit", "10").sent == 10


def test_unsent_tweets_are_in_a_file_the_producer_reads_again(file: Path, tmp_path: Path) -> None:
    unsent = tmp_path / "left.ndjson"
    stream = FakeStream(lambda call, record: "no" if b"tweet 3" in record.data else None)
    assert not command(file, stream, "--unsent", str(unsent)).complete
    assert tweets_of(unsent) == [{"text": "tweet 3", "source": "replay"}]
    assert command(unsent, FakeStream()).sent == 1


def test_a_file_of_unsent_tweets_never_takes_the_place_of_another(tmp_path: Path) -> None:
    for name in ("left.ndjson", "left-2.ndjson", "left-3.ndjson"):
        kept = producer.UnsentFile(tmp_path / "left.ndjson")
        assert kept.part() == []
        kept.write(Failure(Record(b"1", 2), "no"))
        kept.write(Failure(Record(b"2\n3\n", 3), "no"))
        assert kept.path == tmp_path / name
        assert kept.path.read_bytes() == b"1\n2\n3\n"
        assert kept.part() == [producer.Part(tmp_path / name, 0, 5)]


def test_what_is_unsent_is_in_the_file_at_once_should_the_producer_be_killed(tmp_path: Path) -> None:
    kept = producer.UnsentFile(tmp_path / "left.ndjson")
    for data in (b"1\n", b"2\n"):
        kept.write(Failure(Record(data), "no"))
        assert kept.path.read_bytes().endswith(data)
    assert kept.path.read_bytes() == b"1\n2\n"


def test_the_unsent_file_is_closed_in_the_end(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[producer.UnsentFile] = []
    monkeypatch.setattr(producer, "show", lambda summary, unsent, target: opened.append(unsent))
    command(file, FakeStream(lambda call, record: "no"), "--unsent", str(tmp_path / "left.ndjson"))
    assert opened[0].file is not None
    assert opened[0].file.closed


def test_progress_goes_to_stderr_and_what_became_of_the_tweets_to_stdout(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for options, bar in (((), "7/7"), (("--limit", "3"), "3/3"), (("--loop", "--limit", "10"), "10/10")):
        command(file, FakeStream(), *options)
        out, err = capsys.readouterr()
        sent = bar.split("/")[0]
        assert out.startswith(f"{sent} of {sent} tweets sent to s in ")
        assert "Sending tweets" in err
        assert bar in err


def test_the_summary_says_all_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = Summary(
        tweets=3000, sent=2000, records=1500, batches=4, retried=1001, bytes=2_495_000, billed=7_665_000, seconds=2.0
    )
    summary.unsent.update({"Throttled": 999, "too long": 1})
    unsent = producer.UnsentFile(tmp_path / "left.ndjson")
    unsent.write(Failure(Record(b"x"), "Throttled"))
    producer.show(summary, unsent, "tweets")
    out, err = capsys.readouterr()
    assert out == (
        "2,000 of 3,000 tweets sent to tweets in 2.0 s (1,000 a second):\n"
        "1,500 records in 4 batches, 2.50 MB (billed: 7.67 MB), 1,001 sent again\n"
    )
    first, second, third = err.splitlines()
    assert (first, second) == ("NOT SENT: 999 tweets: Throttled", "NOT SENT: 1 tweets: too long")
    assert third == f"They are kept in {unsent.path}."
    producer.show(Summary(), producer.UnsentFile(tmp_path / "none"), "tweets")
    out, err = capsys.readouterr()
    assert "in 0.0 s (-):\n0 records" in out
    assert err == ""


def test_a_dry_run_shows_the_first_three_records_whatever_is_in_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tweets.jsonl"
    file.write_bytes(b'"\xff"\n"b"\n"c"\n"' + b"d" * 1_494_985 + b'"\n')
    assert producer.main([str(file), "--dry-run"]) == 0
    assert capsys.readouterr().out == '"\ufffd"\n"b"\n"c"\n4 tweets in 4 records, 1.50 MB. Nothing was sent.\n'


def test_a_dry_run_shows_the_beginning_of_a_long_record_in_what_a_terminal_may_have() -> None:
    assert producer.printable(b"x" * 500 + b"\n") == "x" * 500
    assert producer.printable(b"x" * 501) == "x" * 500 + " ..."
    assert producer.printable(b"a\nb\x1b[0m\n") == "a\nb?[0m"


@pytest.mark.parametrize(
    ("trouble", "status", "says"),
    [
        (None, 0, ""),
        (KeyboardInterrupt(), 130, ""),
        (error("AccessDeniedException"), 2, "said AWS\nCheck the name, region, credentials and endpoint"),
        (NoCredentialsError(), 2, "Unable to locate credentials\nCheck"),
        (IsADirectoryError("a folder"), 2, "tweets.csv: a folder"),
        (PermissionError(13, "Permission denied"), 2, "tweets.csv: Permission denied\n"),
    ],
)
def test_the_exit_status_says_how_it_ended(
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    trouble: BaseException | None,
    status: int,
    says: str,
) -> None:
    def run(arguments: Any, stream: Any, bookmark: Any) -> Summary:
        if trouble:
            raise trouble
        return Summary()

    monkeypatch.setattr(producer, "run", run)
    monkeypatch.setattr(producer, "stream_of", lambda arguments: None)
    assert producer.main([str(file), "--stream", "s"]) == status
    assert says in capsys.readouterr().err


def test_tweets_that_could_not_be_sent_are_a_failure_and_kept_in_a_file_named_after_the_time(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(producer, "stream_of", lambda arguments: FakeStream(lambda call, record: "no"))
    assert producer.main([str(file), "--kinesis-stream", "k", "--rate", "0"]) == 1
    [kept] = tmp_path.glob("unsent-*.ndjson")
    assert re.fullmatch(r"unsent-\d{8}T\d{6}\.ndjson", kept.name)
    out, err = capsys.readouterr()
    assert "sent to k in" in out
    assert kept.name in err


def test_the_stream_is_the_one_that_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    firehose = producer.stream_of(producer.parse(["f.csv", "--stream", "a"]))
    kinesis = producer.stream_of(producer.parse(["f.csv", "--kinesis-stream", "b"]))
    assert (type(firehose), type(kinesis)) == (producer.Firehose, producer.Kinesis)
    assert isinstance(firehose, producer.Firehose)
    assert isinstance(kinesis, producer.Kinesis)
    assert (firehose.name, firehose.client.meta.service_model.service_name) == ("a", "firehose")
    assert (kinesis.name, kinesis.client.meta.service_model.service_name) == ("b", "kinesis")
    for client in (firehose.client, kinesis.client):
        assert client.meta.config.max_pool_connections == 4  # one for each batch under way
        assert client.meta.config.retries == {"mode": "standard", "total_max_attempts": 4}


@pytest.mark.parametrize(
    "wrong", [["--rate", "-1"], ["--limit", "-1"], ["--kinesis-stream", "k"], ["--loop", "--resume"]]
)
def test_what_makes_no_sense_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        producer.parse(["f.csv", "--stream", "s", *wrong])
    assert refused.value.code == 2
    assert wrong[0] in capsys.readouterr().err


def test_what_is_not_said_is_ten_tweets_a_second_of_all_of_the_file_to_be_had_again() -> None:
    told = producer.parse(["f.csv", "--stream", "s", "--limit", "0"])
    assert (told.rate, told.limit, told.seed, told.text_column, told.unsent) == (10.0, 0, 0, "", None)
    assert not any((told.loop, told.pack, told.resume, told.dry_run, told.kinesis_stream))


def test_records_are_paced_unless_they_go_as_fast_as_they_can(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []

    def paced(records: Any, rate: float, jitter: random.Random) -> Iterator[Record | None]:
        given.append((rate, jitter.random()))
        yield from records

    monkeypatch.setattr(producer, "paced", paced)
    for options in (["--rate", "0"], ["--dry-run"]):
        assert len(list(producer.records_of(producer.parse([str(file), "--stream", "s", *options])))) == 7
    assert given == []
    assert len(list(producer.records_of(producer.parse([str(file), "--stream", "s", "--seed", "7"])))) == 7
    assert given == [(10.0, random.Random(7).random())]


def test_an_empty_file_is_not_read_again_and_again(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("text\n")
    assert list(producer.lines_of(producer.parse([str(tmp_path / "empty.csv"), "--stream", "s", "--loop"]))) == []


def test_what_is_printed_while_the_bar_moves_stays_where_it_goes(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The local AWS runs in the same process: what its functions write to their logs is none of the bar's."""
    monkeypatch.setenv("FORCE_COLOR", "1")  # as if it were a terminal
    before, seen = (sys.stdout, sys.stderr), []

    class Noting(FakeStream):
        def put(self, records: Sequence[Record]) -> list[Failure]:
            seen.append((sys.stdout, sys.stderr))
            return super().put(records)

    command(file, Noting())
    assert seen == [before]


def test_a_dry_run_sends_nothing_and_counts(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert producer.main([str(file), "--dry-run", "--pack"]) == 0
    assert "7 tweets in 1 records" in capsys.readouterr().out


def test_without_a_target_it_says_what_to_name(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        producer.parse([str(file)])
    assert "--stream" in capsys.readouterr().err


def test_a_replayed_tweet_says_so_and_keeps_its_key() -> None:
    for line in (
        b'{"text":"flood"}\n',
        b'{"data":{"id":"1","text":"x"}}\n',
        b'{"text":"x","source":"Twitter Web App"}\n',
    ):
        [plain], [marked] = unpack(line)[0], unpack(producer.replayed(line))[0]
        assert (plain.source, marked.source) == (None, "replay")
        assert tweet_key(plain.raw) == tweet_key(marked.raw)
        assert producer.replayed(producer.replayed(line)) == producer.replayed(line)


@pytest.mark.parametrize("line", [b'{"text":"x","source":"bluesky"}\n', b"no tweet\n", b"{}\n", b"[1]\n", b'"x"\n'])
def test_what_says_whence_it_comes_or_is_no_tweet_stays_as_it_is(line: bytes) -> None:
    assert producer.replayed(line) == line
