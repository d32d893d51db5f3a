"""`make live`: says so where Bluesky can't be reached, and shows by kind what a made-up network becomes."""

from __future__ import annotations

import io
import threading
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest
from rich.console import Console

from chalicelib.sources.cursor import Cursor, Lease
from local import live
from local.server import LocalAws
from tests.support.served import FREE_PORTS, ended

NOWHERE = "ws://127.0.0.1:9/subscribe"


def command(*arguments: str, **environment: str) -> tuple[int, str]:
    return ended("live", *FREE_PORTS, *arguments, COLUMNS="120", **environment)


@pytest.mark.parametrize(
    ("typed", "advice"),
    [("", "python -m local live --source simulated"), ("make live", "make live SOURCE=simulated")],
)
def test_without_the_internet_it_says_so_and_what_to_do(typed: str, advice: str, tmp_path: Path) -> None:
    status, said = command("--jetstream", NOWHERE, "--home", str(tmp_path), TYPED=typed)
    assert (status, "can't be reached" in said, advice in said) == (1, True, True), said
    assert not list(tmp_path.iterdir())


def test_posts_of_a_made_up_network_are_shown_by_kind(tmp_path: Path) -> None:
    status, said = command("--source", "simulated", "--rate", "2", "--seconds", "11", "--home", str(tmp_path))
    assert status == 0, said
    assert "posts seen" in said and "forwarded" in said and "not_disaster" in said, said


def test_the_collector_begins_where_it_is_told_whatever_was_left_unread(stack: LocalAws) -> None:
    bucket = stack.stream
    for cursor in (Cursor("ws://one", 1), Cursor("ws://another", 2)):
        live.begin_at(bucket, cursor)
        with Lease(bucket, "bluesky", "a test") as lease:
            assert lease.cursor == cursor
    boto3.client("s3").delete_object(Bucket=bucket, Key="collect/bluesky.json")


def test_a_recording_that_is_none_and_a_choice_that_is_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("no json")
    for arguments in (("--recording", str(tmp_path / "x.jsonl")), ("--source", "simulated", "--forward", "Some")):
        status, said = command(*arguments, "--home", str(tmp_path / "home"))
        assert (status, "x.jsonl" in said or "'Some'" in said) == (1, True), said


KIND = {"kind": "flood", "posts": 1234, "relevant": 56, "last_minute": 7, "example": "[b]River\nover its banks " * 20}


def test_the_page_fits_the_terminal_and_takes_no_text_for_markup() -> None:
    said = io.StringIO()
    console = Console(file=said, width=100, force_terminal=True, color_system=None)
    stop = threading.Event()
    counts = {"PostsSeen": 2000, "PostsForwarded": 50, "Deletions": 3}
    shown = iter([live.Shown(counts, None, []), live.Shown(counts, 4.2, [KIND])])

    def look(since: datetime) -> live.Shown:
        found = next(shown)
        if found.kinds:
            stop.set()
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live, "REFRESH", 0.01)
        live.watch(console, "simulated", datetime.now(UTC), stop, None, look)
    page = said.getvalue()
    assert "2,000 posts seen" in page and "50 forwarded (2.5%), 3 deletions, 4 s behind" in page
    assert "1,234" in page and "[b]River over its banks" in page
    assert all(len(line) <= 140 for line in page.splitlines())
