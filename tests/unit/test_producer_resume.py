"""A producer that was stopped goes on with --resume: nothing is lost, and nothing that was sent is sent again."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest import mock

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

import producer
from producer import Failure, InputError, Part, Record

TWEETS = 2000


class Stopping:
    """A stream that takes `calls` batches and then raises."""

    def __init__(self, calls: int, trouble: BaseException) -> None:
        self.calls, self.trouble = calls, trouble
        self.taken: list[str] = []

    def put(self, records: Sequence[Record]) -> list[Failure]:
        if self.calls == 0:
            raise self.trouble
        self.calls -= 1
        self.taken += [json.loads(line)["text"] for record in records for line in record.data.splitlines()]
        return []


GONE = ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "no such stream"}}, "PutRecordBatch")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer.put_with_retries, "__defaults__", (lambda seconds: None, producer.ATTEMPTS))


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tweets.csv"
    path.write_text("text\n" + "".join(f"tweet {n}\n" for n in range(TWEETS)))
    return path


def run(file: Path, stream: Stopping, monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    monkeypatch.setattr(producer, "stream_of", lambda arguments: stream)
    return producer.main([str(file), "--stream", "s", "--rate", "0", *options])


@pytest.mark.parametrize("calls", [0, 1, 3])
@pytest.mark.parametrize("options", [(), ("--pack",), ("--limit", "1700")])
def test_stopped_anywhere_and_resumed_each_tweet_is_sent_once(
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    calls: int,
    options: tuple[str, ...],
) -> None:
    stopped, resumed = Stopping(calls, GONE), Stopping(99, GONE)
    status = run(file, stopped, monkeypatch, *options)
    if "--pack" not in options or calls == 0:  # packed, they are one batch
        assert status == 2
        assert "--resume" in capsys.readouterr().err
        assert run(file, resumed, monkeypatch, "--resume", *options) == 0
    wanted = 1700 if options and options[0] == "--limit" else TWEETS
    assert sorted(stopped.taken + resumed.taken) == sorted(f"tweet {n}" for n in range(wanted))
    assert not list(file.parent.glob("*.resume"))


def test_resuming_may_fail_as_well_and_the_file_of_unsent_tweets_is_never_written_over(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = [Stopping(1, GONE), Stopping(0, GONE), Stopping(1, GONE), Stopping(99, GONE)]
    options: tuple[str, ...] = ("--unsent", "left.ndjson")
    for stream in streams:
        status = run(file, stream, monkeypatch, *options)
        options = ("--unsent", "left.ndjson", "--resume")
    assert status == 0
    sent = [text for stream in streams for text in stream.taken]
    assert sorted(sent) == sorted(f"tweet {n}" for n in range(TWEETS))


def test_after_a_kill_a_resumed_run_begins_at_the_last_settled_batch(file: Path, tmp_path: Path) -> None:
    arguments = producer.parse([str(file), "--stream", "s", "--rate", "0"])
    kept: list[int] = []
    stream = Stopping(99, GONE)
    producer.send(stream, producer.records_of(arguments), on_settled=kept.append)
    assert kept == sorted(kept)
    assert kept[-1] == TWEETS
    assert any(0 < each < TWEETS for each in kept)


def test_ctrl_c_while_records_are_read_loses_none(file: Path) -> None:
    arguments = producer.parse([str(file), "--stream", "s", "--rate", "0"])
    kept: list[int] = []
    stream = Stopping(99, GONE)
    unsent: list[Failure] = []

    def interrupted() -> Iterator[Record | None]:
        for n, record in enumerate(producer.records_of(arguments)):
            if n == 1234:
                raise KeyboardInterrupt
            yield record

    with pytest.raises(KeyboardInterrupt):
        producer.send(stream, interrupted(), on_unsent=unsent.append, on_settled=kept.append)
    assert (kept[-1], len(unsent)) == (1000, 0)
    assert sorted(stream.taken) == sorted(f"tweet {n}" for n in range(1000))


def test_a_file_that_has_changed_or_another_stream_is_not_gone_on_with(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(file, Stopping(1, GONE), monkeypatch)
    monkeypatch.setattr(producer, "stream_of", lambda arguments: Stopping(99, GONE))
    assert producer.main([str(file), "--stream", "other", "--resume"]) == 2
    assert "sent to s;" in capsys.readouterr().err
    file.write_text("text\nanother\n")
    assert run(file, Stopping(99, GONE), monkeypatch, "--resume") == 2
    assert "has changed" in capsys.readouterr().err


def test_what_is_left_is_kept_beside_the_file_from_the_first_call_on_and_the_command_that_sends_it_is_told(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept: list[object] = []
    stream = Stopping(0, GONE)
    bookmark = file.with_name("tweets.csv.resume")
    monkeypatch.setattr(
        stream,
        "put",
        lambda records: (kept.append(json.loads(bookmark.read_text())["parts"]), Stopping.put(stream, records)),
    )
    monkeypatch.setattr(sys, "executable", str(file.parent / ".venv" / "bin" / "python"))
    assert run(file, stream, monkeypatch) == 2
    assert kept[0] == [[str(file), 0, TWEETS]]
    again = "--stream s --rate 0 --resume\n"
    says = "To send what is left, nothing twice:"
    assert capsys.readouterr().err.endswith(f"{says} .venv/bin/python producer.py {file} {again}")
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    assert run(file, stream, monkeypatch, "--resume") == 2
    assert capsys.readouterr().err.endswith(f"{says} /usr/bin/python3 producer.py {file} {again}")


def test_what_is_left_of_a_file_in_a_folder_that_takes_no_files_is_kept_in_the_current_one(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda folder, mode: (folder, mode) != (tmp_path / "a", os.W_OK))
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.csv").write_text("text\nx\n")
    assert producer.Bookmark(tmp_path / "a" / "b.csv", "s").path == tmp_path / "b.csv.resume"
    assert producer.Bookmark(Path("tweets.csv"), "s").path == file.with_name("tweets.csv.resume")


@pytest.mark.parametrize("damage", ["{", "{}", '{"parts": 1}', '{"parts": [[1]]}', "[]"])
def test_a_damaged_note_of_what_is_left_is_named_with_what_to_do(file: Path, damage: str) -> None:
    bookmark = producer.Bookmark(file, "s")
    assert bookmark.parts() is None
    bookmark.path.write_text(damage)
    with pytest.raises(InputError, match=r"tweets\.csv\.resume is damaged; delete it to start again"):
        bookmark.parts()


def test_nothing_is_kept_of_nothing(file: Path) -> None:
    bookmark = producer.Bookmark(file, "s")
    parts = [Part(file, 3, 4), Part(file.with_name("left.ndjson"), 0, 2)]
    bookmark.keep(parts)
    assert (bookmark.parts(), [each.name for each in file.parent.iterdir() if "new" in each.name]) == (parts, [])
    for _ in range(2):
        bookmark.keep([])
    assert bookmark.parts() is None


def test_a_file_has_changed_when_its_size_or_its_time_has_and_a_folder_when_one_of_its_files_has(
    tmp_path: Path,
) -> None:
    (tmp_path / "b").mkdir()
    one, two = tmp_path / "one", tmp_path / "b" / "two"
    one.write_text("1")
    two.write_text("2")
    os.utime(two, ns=(10**18, 10**18))
    seen = {producer.fingerprint(tmp_path), producer.fingerprint(one), producer.fingerprint(two)}
    os.utime(two, ns=(10**18, 10**18 + 1))
    seen |= {producer.fingerprint(tmp_path), producer.fingerprint(two)}
    two.write_text("22")
    os.utime(two, ns=(10**18, 10**18 + 1))
    seen |= {producer.fingerprint(tmp_path), producer.fingerprint(two)}
    assert len(seen) == 7
    assert producer.fingerprint(two) in seen


def test_a_run_that_begins_anew_says_that_one_had_stopped(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(file, Stopping(1, GONE), monkeypatch)
    capsys.readouterr()
    stream = Stopping(99, GONE)
    assert run(file, stream, monkeypatch) == 0
    assert len(stream.taken) == TWEETS
    says = "The last run with this file stopped; --resume continues it; this run starts again.\n"
    assert capsys.readouterr().err.startswith(says)


def test_resuming_where_nothing_stopped_sends_all_and_a_limit_of_none_sends_none(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for options, wanted in ((("--resume",), TWEETS), (("--limit", "0"), 0)):
        stream = Stopping(99, GONE)
        assert run(file, stream, monkeypatch, *options) == 0
        assert len(stream.taken) == wanted


@given(st.lists(st.integers(0, 50), max_size=5), st.integers(0, 300))
def test_what_remains_is_all_but_what_is_settled(sizes: list[int], settled: int) -> None:
    parts = [Part(Path(str(n)), 10, size) for n, size in enumerate(sizes)]
    everything = [(part.file, part.skip + n) for part in parts for n in range(part.tweets)]
    left = [(part.file, part.skip + n) for part in producer.remaining(parts, settled) for n in range(part.tweets)]
    assert left == everything[settled:]


def test_an_outage_is_told_when_it_begins_and_when_it_ends(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Out(Stopping):
        failures = 3

        def put(self, records: Sequence[Record]) -> list[Failure]:
            if self.failures:
                self.failures -= 1
                raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
            return super().put(records)

    assert run(file, Out(99, GONE), monkeypatch, "--limit", "100") == 0
    err = capsys.readouterr().err
    assert err.count("The stream takes nothing, trying again: Could not connect") == 1
    assert err.count("It takes tweets again") == 1


def test_an_outage_is_told_with_the_time_why_and_how_long_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    console = mock.Mock()
    console.print.side_effect = lambda text, **how: said.append(text)
    outage, clock = producer.Outage(console), iter([1000.0, 1012.4, 2000.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(time, "strftime", lambda form: "12:34:56" if form == "%H:%M:%S" else form)
    for reason in ("", "Could not\n connect", "Throttled", "", "", "Throttled"):
        outage(reason)
    assert said == [
        "12:34:56 The stream takes nothing, trying again: Could not connect",
        "12:34:56 It takes tweets again, after 12 s",
        "12:34:56 The stream takes nothing, trying again: Throttled",
    ]
    # a reason is text, nothing in it is markup
    assert console.print.call_args.kwargs == {"markup": False, "highlight": False, "soft_wrap": True}


def test_the_bar_stays_empty_when_nothing_is_sent(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(file, Stopping(0, EndpointConnectionError(endpoint_url="http://x")), monkeypatch, "--limit", "10") == 1
    err = capsys.readouterr().err
    assert "0/10" in err
    assert "10/10" not in err
