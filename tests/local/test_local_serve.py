"""`python -m local serve` and `sql`: how they start, end and refuse."""

import fcntl
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from local.__main__ import main
from local.server import HomeError, fresh
from tests.support.served import FREE_PORTS, ended, served


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, said = ended("serve", "--home", str(tmp_path), "--port", str(port), "--api-port", "0")
        assert (status, f"127.0.0.1:{port}" in said, "--port" in said) == (1, True, True)
        status, said = ended("serve", "--home", str(tmp_path), "--port", "0", "--api-port", str(port))
        assert (status, f"127.0.0.1:{port}" in said) == (1, True)


def test_a_home_is_served_once_sql_asks_it_or_its_file_and_ctrl_c_ends_it_cleanly(tmp_path: Path) -> None:
    question = ("sql", "--home", str(tmp_path), "SELECT 7 AS seven, 'a[b]' AS text, NULL AS nothing")
    with served(tmp_path) as aws:
        status, said = ended("serve", "--home", str(tmp_path), *FREE_PORTS)
        assert (status, f"in use by process {aws.process.pid}" in said) == (1, True)

        status, over_the_data_api = ended(*question)
        assert status == 0, over_the_data_api

        aws.process.send_signal(signal.SIGINT)
        said = aws.process.communicate(timeout=30)[0]
        assert aws.process.returncode == 0
        assert aws.endpoint_url in said
        assert aws.admin_url in said
        assert "Traceback" not in said
        assert "leaked" not in said
        assert not (tmp_path / "server.json").exists()

    status, from_the_file = ended(*question)
    assert status == 0, from_the_file
    assert from_the_file == over_the_data_api
    for each in ("seven", "7", "a[b]", "null", "1 row"):
        assert each in from_the_file


def test_sql_says_what_is_wrong(stack: Any, tmp_path: Path) -> None:
    status, said = ended("sql", "--home", str(tmp_path), "SELECT 1")
    assert (status, "no warehouse in" in said) == (1, True)
    status, said = ended("sql", "--home", str(stack.home), "SELECT nothing FROM nowhere")
    assert (status, "nowhere" in said) == (1, True)


@pytest.mark.parametrize("command", ["serve", "sql", "demo", "live", "network", "soak"])
def test_each_command_has_its_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main([command, "--help"])
    assert (done.value.code, f"python -m local {command}" in capsys.readouterr().out) == (0, True)


def test_a_run_from_nothing_takes_no_folder_away_that_is_no_home_or_in_use(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    for command in ("demo", "soak"):
        status, said = ended(command, "--home", str(tmp_path))
        assert (status, "holds something else" in said) == (1, True), said
    assert (tmp_path / "thesis.tex").read_text() == "years of work"

    home = tmp_path / "home"
    home.mkdir()
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(HomeError, match="in use"):
            fresh(home)
    fresh(home)
    assert not home.exists()
    fresh(home)
