"""The first run, in a terminal of 80 columns: it prints what a person can read, and needs what it has installed."""

from __future__ import annotations

import fcntl
import re
import signal
import socket
import sys
from collections.abc import Callable
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import duckdb
import pytest
import requests
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from local.demo import BY_KIND
from tests.support import ROOT
from tests.support.pseudo_terminal import in_terminal
from tests.support.served import LOCAL

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")

GUARD = """
import os, sys

class Guard:
    def find_spec(self, name, path=None, target=None):
        if path is None and name in os.environ["NOT_INSTALLED"].split():
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Guard())
"""


def pins(name: str) -> dict[str, str]:
    """The requirements of a file, by name."""
    lines = map(Requirement, filter(None, (ROOT / name).read_text().splitlines()))
    return {f"{canonicalize_name(each.name)} {each.marker or ''}": str(each.specifier) for each in lines}


def as_if_installed(level: str, folder: Path) -> dict[str, str]:
    """An environment in which only the packages of a requirements file can be imported."""
    names = {name.split()[0] for name in pins(level)}
    others = {
        module
        for module, distributions in packages_distributions().items()
        if not names & {canonicalize_name(each) for each in distributions}
    }
    (folder / "sitecustomize.py").write_text(GUARD)
    return {"PYTHONPATH": str(folder), "NOT_INSTALLED": " ".join(others)}


def test_each_level_of_requirements_has_the_pins_of_the_one_before() -> None:
    lambdas, local, everything = map(pins, ("requirements.txt", "requirements-local.txt", "requirements-dev.txt"))
    assert lambdas.items() <= local.items() <= everything.items()
    assert not {"pandas", "scikit-learn", "pyarrow", "cfn-lint", "mypy"} & {name.split()[0] for name in local}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str]:
    folder = tmp_path_factory.mktemp("demo")
    tweets = folder / "my tweets.csv"
    floods = "".join(f"{n},Flood water in street number {n} of Lima\n" for n in range(60))
    tweets.write_text(f"tweet_id,text\n{floods}60,\n")
    command = [*LOCAL, "demo", "--data", str(tweets), "--home", str(folder / "home")]
    status, printed = in_terminal(
        [*command, "--rate", "0"], environment=as_if_installed("requirements-local.txt", folder)
    )
    return status, printed


def test_the_demo_needs_nothing_but_what_is_installed_for_it(demo: tuple[int, str]) -> None:
    assert demo[0] == 0, demo[1]


def test_the_demo_accounts_for_every_tweet(demo: tuple[int, str]) -> None:
    said = " ".join(CONTROL.sub("", demo[1]).split())
    assert "Every tweet is accounted for" in said
    assert re.search(r"rows in the warehouse\s*│\s*60\b", said), said
    assert re.search(r"rejected\s*│\s*1\b", said), said


def test_what_functions_print_never_reaches_the_terminal(demo: tuple[int, str]) -> None:
    assert "_aws" not in demo[1]
    assert "{" not in demo[1]


def test_no_line_is_wider_than_the_terminal_but_those_to_copy(demo: tuple[int, str]) -> None:
    for line in CONTROL.sub("\n", demo[1].partition("Where to look next")[0]).splitlines():
        assert len(line) <= 80, line


def test_the_example_of_a_kind_is_a_typical_relevant_tweet_cleaned() -> None:
    with duckdb.connect() as connection:
        connection.execute("SET integer_division = true")
        connection.execute("CREATE SCHEMA disaster")
        connection.execute(
            """
            CREATE TABLE disaster.tweet AS
            SELECT
                'flood' AS disaster_label,
                CASE WHEN n < 8 THEN 'relevant' ELSE 'not_relevant' END AS relevance_label,
                CASE WHEN n < 8 THEN 0.6 + n / 100.0 ELSE 0.1 END AS relevance_score,
                0.9 AS classifier_score,
                'cleaned ' || n AS cleaning_text,
                'key ' || n AS tweet_key
            FROM range(20) AS numbers(n)
            """
        )
        assert connection.execute(BY_KIND).fetchall() == [("flood", 20, 8, "cleaned 5")]
        connection.execute("DELETE FROM disaster.tweet WHERE relevance_label = 'relevant'")
        ((label, tweets, relevant, example),) = connection.execute(BY_KIND).fetchall()
        assert (label, tweets, relevant, example.split()[0]) == ("flood", 12, 0, "cleaned")


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """`make` in a terminal, on a virtual environment that is set up."""
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (tmp_path / "venv" / ".installed").touch()

    def run(*words: str, **options: Any) -> tuple[int, str]:
        command = ["make", f"VENV={tmp_path / 'venv'}", f"LOCAL_HOME={tmp_path / 'home'}", *words]
        return in_terminal(command, columns=300, **options)

    return run


@pytest.mark.parametrize(
    ("content", "says"), [(None, "No such file"), ("text,id\n", "holds no tweets"), ("a;b\n1;2\n", "Found: 1 a, 2 b")]
)
def test_a_demo_of_what_is_no_tweets_leaves_the_last_one_alone(
    tmp_path: Path, make: Callable[..., tuple[int, str]], content: str | None, says: str
) -> None:
    kept = tmp_path / "home" / "demo" / "lock"
    kept.parent.mkdir(parents=True)
    kept.touch()
    file = tmp_path / "my tweets.csv"
    if content is not None:
        file.write_text(content)
    status, printed = make("demo", f"DATA={file}")
    assert status != 0
    assert says in printed
    assert f"{file}" in printed
    assert "make demo DATA=FILE" in printed
    assert "Traceback" not in printed
    assert kept.exists()


def test_make_local_prepares_and_ends_with_ctrl_c(make: Callable[..., tuple[int, str]]) -> None:
    reports: list[int] = []

    def up(printed: str) -> bool:
        found = re.search(r"Admin API\S*\s+(http://127\.0\.0\.1:\d+)", CONTROL.sub("", printed))
        if not found or "Ctrl-C ends it" not in printed:
            return False
        reports.append(requests.get(f"{found[1]}/reconciliations/latest", timeout=30).status_code)
        return True

    status, printed = make("local", "PORT=0", "API_PORT=0", until=up)
    assert reports == [200]
    assert status in (0, -signal.SIGINT), printed  # make itself dies of Ctrl-C
    assert "Stopping" in printed
    assert "_aws" not in printed
    assert "Traceback" not in printed


def test_a_taken_port_a_taken_home_and_a_damaged_file_are_one_line_in_the_words_of_make(
    tmp_path: Path, make: Callable[..., tuple[int, str]]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        _, printed = make("local", f"PORT={port}", "API_PORT=0")
        assert f"make local PORT={port + 1}" in printed
        _, printed = make("local", "PORT=0", f"API_PORT={port}")
        assert f"make local API_PORT={port + 1}" in printed
    home = tmp_path / "home"
    (home / "warehouse.duckdb").write_bytes(b"no database" * 1000)
    _, printed = make("local", "PORT=0", "API_PORT=0")
    assert f"mv {home / 'warehouse.duckdb'}" in printed
    assert "Traceback" not in printed
    with (home / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _, printed = make("local", "PORT=0", "API_PORT=0")
    assert "LOCAL_HOME=FOLDER" in printed
    assert "Traceback" not in printed


def test_make_destroy_without_a_region_says_how_to_name_one(make: Callable[..., tuple[int, str]]) -> None:
    nothing = {"AWS_DEFAULT_REGION": "", "AWS_REGION": "", "AWS_CONFIG_FILE": "/dev/null"}
    _, printed = make("destroy", environment=nothing)
    assert "AWS_DEFAULT_REGION=us-east-1 make destroy STAGE=dev" in printed
    assert "Traceback" not in printed


def test_the_recording_has_each_command_that_the_readme_has_a_newcomer_type() -> None:
    readme = (ROOT / "README.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    beside = next(block for block in blocks if "report.html" in block)
    recording = (ROOT / "docs" / "first-run.txt").read_text()
    for command in ("make demo", "make local", *re.sub(r"\\\n\s*", "", beside).strip().splitlines()):
        assert f"$ {command}\n" in recording, command
    assert "Every tweet is accounted for" in recording
    assert "_aws" not in recording
