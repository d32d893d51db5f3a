"""The local AWS, for tests that need one."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Generator, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import botocore.loaders
import botocore.session
import pytest
from hypothesis import HealthCheck, settings

from chalicelib import clients
from chalicelib.transform import accelerator
from local.server import LocalAws
from tests.support import homes
from tests.support.answers import checked
from tests.support.pseudo_terminal import NOT_INHERITED

gc.disable()  # until all tests are collected: rounds through ever more modules take a fifth of the time of their import

for _variable in NOT_INHERITED:  # a test, and what it starts, is the same under `make test` and under pytest
    os.environ.pop(_variable, None)

# Each process that a test starts would compile what it imports anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A worker has about one core: more threads of NumPy's libraries would only wait for each other, and busily.
os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")

# No test depends on who runs it, and none reaches AWS.
os.environ.update(AWS_DEFAULT_REGION="us-east-1", AWS_ACCESS_KEY_ID="local", AWS_SECRET_ACCESS_KEY="local")

# No test is timed: a busy machine is no fault of the code. `.ci/run` asks for `--hypothesis-profile=thorough`.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=40)
settings.register_profile("thorough", settings.get_profile("untimed"), max_examples=400)
settings.load_profile("untimed")


LONGEST = (
    *("test_deploy", "test_admin_api_fuzzed", "test_erasures", "test_policies"),
    *("test_reconcile_stories", "test_reconcile_states", "test_first_run", "test_whole_flow", "test_deploy_functions"),
    *("test_data_model", "test_live", "test_classifier_lifecycle", "test_package", "test_reconcile_crash"),
    *("test_race_file_that_never_loads", "test_conformance", "test_findings", "test_race_lock_expires"),
    *("test_linear_time", "test_loader_looks", "test_accelerator", "test_local_serve", "test_reconcile_any_damage"),
    *("test_repeated_tweets", "test_surge", "test_loader_end_to_end", "test_classifier_on_real_tweets"),
)
"""Files that take longest, the longest first. They go first, or one that goes last would go on alone."""


def pytest_configure(config: pytest.Config) -> None:
    """Keep the order of the files: xdist's own is by how many tests each has."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the files that take longest go first."""
    turn = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: turn.get(item.path.stem, len(turn)))


@pytest.hookimpl(optionalhook=True, wrapper=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> Generator[None, int, int]:
    """Run one file more at a time than there are cores: tests also wait, for processes, pages and clocks."""
    cores = yield
    return cores + 1 if config.option.dist == "loadfile" else cores


def pytest_collection_finish() -> None:
    """Leave what was imported out of the garbage collector's rounds, pytest's five at its end too: it stays."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)  # who has had a local AWS holds much: it made a second of unit tests 3.6
    gc.enable()
    atexit.register(gc.unfreeze)  # for the interpreter to end in order


@pytest.fixture(scope="session")
def answers() -> Iterator[list[str]]:
    """What was wrong with answers of the local AWS."""
    with checked() as found:
        yield found


@pytest.fixture(autouse=True)
def answers_are_as_aws_models_them(answers: list[str]) -> Iterator[None]:
    """Fail the test during which the local AWS gave an answer that AWS could not give."""
    yield
    wrong = sorted(set(answers))
    answers.clear()
    assert not wrong


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the warehouse set up, of which tests take copies (tests.support.homes.copied)."""
    base = tmp_path_factory.getbasetemp()
    return homes.prepared(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base)  # one for all workers


@pytest.fixture(scope="module")
def stack(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """All services on a home of this file's own, with the warehouse set up; clients of this process talk to it."""
    home = homes.copied(prepared, tmp_path_factory.mktemp("aws"))
    # No look comes between what a test does and what it finds; the tests of the other delivery switch to it.
    with LocalAws(home, port=0, api_port=0, look_every=86_400, collect_every=86_400, delivery="firehose") as aws:
        yield aws


@pytest.fixture
def topic() -> Iterator[list[dict[str, Any]]]:
    """The messages that were published."""
    sent: list[dict[str, Any]] = []
    client = mock.Mock()
    client.publish.side_effect = lambda **message: sent.append(message)
    with mock.patch.object(clients, "sns", lambda: client):
        yield sent


@pytest.fixture(scope="session", autouse=True)
def _models_are_read_once() -> Iterator[None]:
    """Have all sessions of botocore share a loader: each would read the services' models anew."""
    made = cache(botocore.loaders.create_loader)

    def create_loader(search_path_string: str | None = None) -> botocore.loaders.Loader:
        loader = made(search_path_string)
        loader.search_paths[:] = dict.fromkeys(loader.search_paths)  # each session of boto3 adds its own
        return loader

    with mock.patch.object(botocore.session, "create_loader", create_loader):
        yield


@pytest.fixture(scope="session", autouse=True)
def _in_python() -> Iterator[None]:
    """Test the definition of rows: without the accelerator, which test_accelerator.py compares with it."""
    with mock.patch.object(accelerator, "PROGRAM", Path("none")):
        yield
