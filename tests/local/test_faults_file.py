"""A `faults.json` that can't be read changes nothing, and whoever started the server is told; Firehose goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.aws import faults
from tests.support import firehose_in_memory as firehose
from tests.support.served import FREE_PORTS, ended

BROKEN = [
    b'{"seed": 1, "rates": {"transform_error": 1.0}',
    b"",
    b"[]",
    b'{"rates": {"no_such_fault": 1}}',
    b'{"rates": {"copy_fails": 2}}',
    b'{"rates": {"copy_fails": NaN}}',
    b'{"rates": {"copy_fails": true}}',
    b'{"rates": {"copy_fails": "often"}}',
    b'{"seed": null, "rates": {}}',
    b"\xff\xfe",
    b"[" * 100_000,
]


@pytest.mark.parametrize("broken", BROKEN, ids=range(len(BROKEN)))
def test_what_was_set_before_stays(tmp_path: Path, broken: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    file, switch = tmp_path / "faults.json", faults.of(tmp_path)
    assert not switch.strikes("copy_fails")

    file.write_bytes(broken)
    assert not switch.strikes("copy_fails")
    said = capfd.readouterr().err
    assert f"{file} is ignored, and the faults stay as they were: " in said

    file.write_text('{"seed": 10, "rates": {"copy_fails": 1}}')
    assert switch.strikes("copy_fails")
    file.write_bytes(broken)
    assert switch.strikes("copy_fails")
    assert switch.strikes("copy_fails")
    assert capfd.readouterr().err.count(f"{file} is ignored") <= 2  # once, and once more by a log that nobody reads

    file.unlink()
    assert not switch.strikes("copy_fails")


def test_the_local_firehose_delivers_beside_a_broken_file(tmp_path: Path) -> None:
    (tmp_path / "faults.json").write_text("{")
    world = firehose.World()
    with firehose.stream(tmp_path / "s.sqlite", world, faults=faults.of(tmp_path)) as running:
        running.take([b"flood"])
        firehose.deliver(running)
    assert world.content("delivery/") == b"FLOOD"


def test_a_stream_that_stops_says_so_in_the_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    world = firehose.World()
    with firehose.stream(tmp_path / "s.sqlite", world) as running:
        running._journal.cut = None  # type: ignore[assignment,method-assign]
        running.take([b"flood"])
        firehose.until(lambda: "has stopped" in capfd.readouterr().err)
        with pytest.raises(Exception, match="Slow down"):
            running.take([b"flood"])


def test_a_server_is_not_started_with_a_switch_that_can_not_be_read(tmp_path: Path) -> None:
    status, said = ended("serve", "--home", str(tmp_path), *FREE_PORTS, LOCAL_FAULTS='{"rates": {"no_such_fault": 1}}')
    assert status == 1
    assert "There is no fault 'no_such_fault'" in said
