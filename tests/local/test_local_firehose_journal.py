"""What was acknowledged is on disk, whenever the process dies; what was delivered is forgotten."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from local.aws.firehose.journal import Batch, Journal, Record
from tests.support import ROOT


def test_records_are_numbered_through_and_come_back_as_they_were(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    first = journal.append(1000, [b"a", b"", b"\x00\xff"])
    second = journal.append(2000, [b"d"])
    assert [record.sequence for record in first + second] == [0, 1, 2, 3]
    journal.close()
    again = Journal(tmp_path / "j.sqlite")
    assert again.read(0, again.next) == first + second
    assert again.read(1, 3) == first[1:]


def test_a_record_from_a_data_stream_keeps_its_origin_and_its_own_arrival(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    origins = [{"partitionKey": "k", "approximateArrivalTimestamp": 5000 + n} for n in range(2)]
    journal.append(9000, [b"a", b"b"], origins, ("shard-0", 17))
    journal.close()
    again = Journal(tmp_path / "j.sqlite")
    assert again.read(0, 2) == [Record(0, 5000, b"a", origins[0]), Record(1, 5001, b"b", origins[1])]
    assert again.positions == {"shard-0": 17}


def test_a_batch_is_the_same_after_a_restart(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    journal.append(1000, [b"a", b"b", b"c"])
    journal.cut(Batch(0, 2, 1234))
    journal.close()
    again = Journal(tmp_path / "j.sqlite")
    assert again.batches == {0: Batch(0, 2, 1234)}
    assert again.uncut == 2
    assert again.id == journal.id


def test_what_is_delivered_is_forgotten_but_not_its_numbers(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    journal.append(1000, [b"a", b"b"])
    journal.append(1000, [b"c"])
    journal.cut(Batch(0, 3, 1234))
    journal.delivered([journal.batches[0]], "delivery/object")
    journal.trim(backs_up=True)
    assert len(journal.read(0, 3)) == 3  # the backup still needs them
    journal.back_up(3)
    journal.trim(backs_up=True)
    assert journal.read(0, 3) == []
    journal.close()
    again = Journal(tmp_path / "j.sqlite")
    assert (again.next, again.objects, again.batches) == (3, ["delivery/object"], {})
    again.copied(["delivery/object"])
    assert again.objects == []
    assert [record.sequence for record in again.append(1, [b"d"])] == [3]


def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    writer = """
import sys
from pathlib import Path
from local.aws.firehose.journal import Journal
journal = Journal(Path(sys.argv[1]))
while True:
    records = journal.append(1000, [b"x" * 1000] * 20)
    print(records[-1].sequence, flush=True)
"""
    path = tmp_path / "j.sqlite"
    with subprocess.Popen([sys.executable, "-c", writer, path], stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout
        acknowledged = [int(process.stdout.readline()) for _ in range(50)][-1]
        os.kill(process.pid, signal.SIGKILL)
        rest = process.stdout.read().splitlines()
    acknowledged = int(rest[-1]) if rest and rest[-1].isdigit() else acknowledged
    journal = Journal(path)
    assert len(journal.read(0, journal.next)) == journal.next > acknowledged


steps = st.lists(st.sampled_from(["append", "cut", "deliver", "back up", "trim", "restart"]), max_size=25)


@settings(max_examples=40, deadline=None)
@given(steps)
def test_nothing_undelivered_is_ever_trimmed(tmp_path_factory: object, steps: list[str]) -> None:
    path = tmp_path_factory.mktemp("journal") / "j.sqlite"  # type: ignore[attr-defined]
    journal, delivered = Journal(path), 0
    for step in steps:
        if step == "append":
            journal.append(1, [b"a", b"b", b"c"])
        elif step == "cut" and journal.uncut < journal.next:
            journal.cut(Batch(journal.uncut, journal.uncut + 1 + (journal.next - journal.uncut) // 2, 1))
        elif step == "deliver" and journal.batches:
            batch = journal.batches[min(journal.batches)]
            journal.delivered([batch])
            delivered = batch.stop
        elif step == "back up":
            journal.back_up((journal.backed_up + journal.next + 1) // 2)
        elif step == "trim":
            journal.trim(backs_up=True)
        elif step == "restart":
            journal.close()
            journal = Journal(path)
        needed = min(delivered, journal.backed_up)
        assert [record.sequence for record in journal.read(needed, journal.next)] == list(range(needed, journal.next))
    journal.remove()
    assert not list(path.parent.iterdir())
