"""Where a machine has no more to give, the local AWS says so in a line, keeps what it acknowledged, and recovers."""

from __future__ import annotations

import errno
import io
import logging
import os
import socket
import sqlite3
import subprocess
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local.aws import disk, logs, s3
from local.aws.firehose.settings import AwsError, Settings
from tests.support.firehose_in_memory import REDSHIFT, WITH_BACKUP, World, deliver, stream, upper
from tests.support.served import FREE_PORTS, ended, served

BUCKET = "disaster-tweets-local"


@pytest.fixture(autouse=True)
def _not_told_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "_told", float("-inf"))


def fill(database: Any, pages: int = 0) -> None:
    """Leave a SQLite database room for so many pages more: SQLite then says what it says of a full disk."""
    database.execute("VACUUM")  # or there is room in the pages of what was deleted
    database.execute(f"PRAGMA max_page_count = {database.execute('PRAGMA page_count').fetchone()[0] + pages}")


def free(database: Any) -> None:
    database.execute("PRAGMA max_page_count = 1000000")


# ------------------------------------------------------------------ a full disk


@pytest.mark.parametrize("settings", [WITH_BACKUP, REDSHIFT], ids=["backup", "redshift"])
def test_a_stream_on_a_full_disk_takes_nothing_that_it_cannot_keep_and_goes_on_when_there_is_room(
    tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    goes_on, acknowledged = threading.Event(), []

    def transform(event: dict[str, Any]) -> Any:
        assert goes_on.wait(30), "what is delivered makes room"
        return upper(event)

    world = World(transform)
    with stream(tmp_path / "j.sqlite", world, settings) as running:
        database = running._journal._disk

        def put(number: int) -> bool:
            data = b"%05d " % number + b"x" * 2000 + b"\n"
            try:
                running.take([data])
            except AwsError as error:
                assert error.code == "ServiceUnavailableException"
                return False
            acknowledged.append(data)
            return True

        with running._changed:
            fill(database, pages=60)
        number = 0
        while put(number) and number < 1000:
            number += 1
        assert acknowledged, "there was some room"
        assert "no room on the disk for" in capsys.readouterr().err
        assert not put(number + 1), "it is full still"
        assert capsys.readouterr().err == "", "said once"
        with running._changed:
            free(database)
        goes_on.set()
        assert put(number + 2), "it recovers by itself"
        deliver(running)
    assert sorted(world.content("delivery/").splitlines(True)) == [data.upper() for data in acknowledged]
    if settings.backup:
        assert sorted(world.content("source/", "backup").splitlines(True)) == acknowledged


def test_a_stream_that_cannot_write_down_its_progress_waits_and_delivers_once(tmp_path: Path) -> None:
    began, goes_on = threading.Event(), threading.Event()

    def slow(event: dict[str, Any]) -> Any:
        began.set()
        assert goes_on.wait(10)
        return upper(event)

    world = World(slow)
    with stream(tmp_path / "j.sqlite", world) as running:
        running.take([b"a" * 5000 + b"\n"])
        assert began.wait(10)
        journal, delivered = running._journal, running._journal.delivered
        failed: list[Any] = []

        def full(*arguments: Any) -> None:
            if not failed:
                failed.append(arguments)
                fill(journal._disk)
                journal._disk.execute("INSERT INTO object (key) VALUES (?)", ("x" * 100_000,))
            free(journal._disk)
            delivered(*arguments)

        journal.delivered = full  # type: ignore[method-assign,assignment]
        goes_on.set()
        deliver(running)
        assert failed
        assert not journal.batches and not journal.read(0, 1)
    assert len(world.keys("delivery/")) == 1


def test_records_whose_batch_cannot_be_written_down_stay_in_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.aws.firehose.stream.ROOM_PAUSE", 0.01)
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    world, failures = World(), [error, error]
    with stream(tmp_path / "j.sqlite", world) as running:
        cut = running._journal.cut

        def failing(batch: Any) -> None:
            if failures:
                raise failures.pop()
            cut(batch)

        running._journal.cut = failing  # type: ignore[method-assign]
        running.take([b"a\n", b"b\n"])
        deliver(running)
    assert not failures and world.content("delivery/") == b"A\nB\n"


def test_s3_has_no_object_that_is_not_on_disk(stack: Any, capsys: pytest.CaptureFixture[str]) -> None:
    client = boto3.client("s3", endpoint_url=stack.endpoint_url, config=Config(retries={"total_max_attempts": 1}))
    client.put_object(Bucket=BUCKET, Key="full/old", Body=b"old")
    store = s3.KeptS3.s3
    with store.changing:
        fill(store._disk)
    try:
        for key in ("full/old", "full/new"):
            with pytest.raises(ClientError, match="InternalError"):
                client.put_object(Bucket=BUCKET, Key=key, Body=b"x" * 200_000)
        assert client.get_object(Bucket=BUCKET, Key="full/old")["Body"].read() == b"old"
        with pytest.raises(ClientError, match="NoSuchKey"):
            client.get_object(Bucket=BUCKET, Key="full/new")
        assert "no room on the disk" in capsys.readouterr().err
    finally:
        with store.changing:
            free(store._disk)
    client.put_object(Bucket=BUCKET, Key="full/new", Body=b"new", IfNoneMatch="*")
    assert client.get_object(Bucket=BUCKET, Key="full/new")["Body"].read() == b"new"


# ------------------------------------------------------------------ a home that can't be written, few files


def test_a_home_within_a_file_is_refused_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    status, said = ended("serve", *FREE_PORTS, "--home", str(tmp_path / "file" / "home"))
    assert status == 1
    assert "can't be written" in said and "--home" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a folder read-only")
@pytest.mark.parametrize("used", [False, True], ids=["empty", "used before"])
def test_a_read_only_home_is_refused_in_a_line(tmp_path: Path, used: bool) -> None:
    home = tmp_path / "home"
    home.mkdir()
    if used:
        (home / "lock").write_text("")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", str(home)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"this machine lets nobody mount: {mounted.stderr!r}")
    try:
        status, said = ended("serve", *FREE_PORTS, "--home", str(home))
    finally:
        subprocess.run(["umount", str(home)], check=True)
    assert status == 1
    assert "can't be written" in said and "Read-only file system" in said and "--home" in said


def test_few_open_files_are_enough(tmp_path: Path) -> None:
    """`ulimit -n 64`, and 60 connections that say nothing."""
    with served(tmp_path, under=["sh", "-c", 'ulimit -n 64; exec "$@"', "sh"]) as server:
        for url in (server.endpoint_url, server.admin_url):
            at = urlsplit(url)
            idle = [socket.create_connection((at.hostname, at.port), timeout=10) for _ in range(60)]
            keys = server.client("s3").list_objects_v2(Bucket=BUCKET)["KeyCount"]
            assert keys == 0
            assert api(server.admin_url) == 200
            for each in idle:
                each.close()


def api(url: str) -> int:
    import requests

    return requests.get(url, timeout=30).status_code


# ------------------------------------------------------------------ logs


def test_a_full_disk_costs_lines_of_the_log_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def flush(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    handed_on: list[str] = []
    log = logging.getLogger("local.full")
    handler = logging.StreamHandler(logs.Watched(Full(), handed_on.append))
    log.addHandler(handler)
    log.warning("a COPY failed")
    log.removeHandler(handler)
    assert handed_on == ["a COPY failed"]
    assert "Traceback" not in capsys.readouterr().err
