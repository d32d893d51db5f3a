"""A quiet run asks the warehouse little: each statement is a round trip of 0.1 to 0.3 s there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from unittest import mock

import pytest

from chalicelib.overview import stored as overview
from chalicelib.warehouse import data_api
from tests.support import tweet_files as files

pytestmark = pytest.mark.usefixtures("stack")


@pytest.fixture
def asked() -> Iterator[list[list[str]]]:
    """The transactions of a run, each a list of statements."""
    found: list[list[str]] = []
    run = data_api.run

    def noted(statements: Sequence[str], parameters: Mapping[str, str] | None = None, **how: Any) -> str:
        found.append(list(statements))
        return run(statements, parameters, **how)

    with mock.patch.object(data_api, "run", noted):
        yield found


def test_an_undamaged_run_has_twenty_statements(asked: list[list[str]]) -> None:
    """Besides the questions of the overview, which is made every five minutes, whatever the run has found."""
    hour = files.an_hour()
    files.loaded(hour)
    asked.clear()
    with mock.patch.object(overview, "keep"):
        assert files.reconcile(hour, repair=True)["verdict"] == "well"
    assert sum(map(len, asked)) <= 20
    assert len(asked) <= 3
