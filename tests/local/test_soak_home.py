"""The soak's home may be named relative to the folder it is started in, as its default is."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.aws import kinesis
from local.aws.firehose.deliveries import undelivered
from local.aws.firehose.journal import Journal
from local.soak.command import HOME
from local.soak.server import Server


def test_what_is_undelivered_is_counted_in_a_relative_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    home = Path("home")
    kinesis.Kinesis(home).close()
    (home / "firehose").mkdir()
    journal = Journal(home / "firehose" / "us-east-1.tweets.sqlite")
    journal.describe({"stream": {"source": None}})
    journal.append(0, [b"flood"])
    journal.close()
    assert undelivered(home) == 1
    assert kinesis.kept(home) == {}


def test_the_server_of_a_relative_home_is_found_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert not HOME.is_absolute()
    assert Server(HOME).home == tmp_path / HOME
