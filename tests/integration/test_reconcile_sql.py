"""Every statement of the reconciler is Redshift's SQL, as far as a linter knows it, and fits the Data API."""

import re
from datetime import UTC, datetime, timedelta
from importlib import import_module
from types import ModuleType, SimpleNamespace

import pytest
from sqlfluff.core import FluffConfig, Linter

from chalicelib.reconcile import compare, findings, hours, outcome, repair, transaction
from chalicelib.reconcile.compare import Job
from chalicelib.reconcile.listing import Listing
from chalicelib.warehouse.data_api import MOST_BYTES, MOST_STATEMENTS

NAMES = ("compare", "outcome", "repair", "repeats", "unanswered", "findings")
MODULES = [import_module(f"chalicelib.reconcile.{name}") for name in NAMES]
VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE")
PARAMETER = re.compile(r"(?<![:\w]):([a-z_]\w*)")
ROLE, URL = "arn:aws:iam::123456789012:role/copy", "s3://bucket/reports/work/x/files.manifest"


def statements(module: ModuleType) -> dict[str, str]:
    """A module's statements by the names of their constants."""
    return {
        f"{module.__name__.rpartition('.')[2]}.{name}": sql
        for name, sql in vars(module).items()
        if isinstance(sql, str) and sql.strip().startswith(VERBS)
    }


ALL = {name: sql for module in MODULES for name, sql in statements(module).items()}
BY_WINDOWS = (compare.found, compare.compared, outcome.kinds)
ALL |= {f"{each.__module__.rpartition('.')[2]}.{each.__name__}": each(2) for each in BY_WINDOWS}
LINTER = Linter(config=FluffConfig(overrides={"dialect": "redshift"}))


@pytest.mark.parametrize("name", ALL)
def test_it_is_redshift_s(name: str) -> None:
    parsed = LINTER.parse_string(PARAMETER.sub("'1'", ALL[name]))
    assert [str(violation) for violation in parsed.violations] == []


READS_TWEETS = re.compile(r"(FROM|JOIN) disaster\.disaster_tweets")
UNBOUNDED = {"compare.SWEEP", "findings.REPLACED"}
"""Once a day, for rows of hours that nobody lists; and where an orphan is found: what replaces it may lie anywhere."""


@pytest.mark.parametrize("name", [name for name, sql in ALL.items() if READS_TWEETS.search(sql)])
def test_tweets_are_read_where_they_may_lie(name: str) -> None:
    """The table is sorted by `arrived_at`: a bound on it is what keeps years from being read."""
    of_them = len(READS_TWEETS.findall(ALL[name]))
    assert "arrived_at >= CAST(:since" in repair.DELETE
    assert name in UNBOUNDED or len(re.findall(r"arrived_at >= CAST\(:\w+", ALL[name])) >= of_them


def test_a_comparison_fits_a_transaction_and_asks_for_all_that_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "settings", lambda: SimpleNamespace(delivery="reconcile"))
    job = Job("x", datetime(2026, 1, 31, tzinfo=UTC), timedelta(0), True, False, sweep=True)
    apart = [job.now - timedelta(days=days) for days in range(hours.MOST_WINDOWS + 3)]
    windows = hours.windows(apart, {})
    assert len(windows) == hours.MOST_WINDOWS
    listed = Listing(manifest="reports/work/x/files.manifest")
    asked = compare.statements(job, listed, URL, "bucket", ROLE, len(windows))
    fits(asked)
    assert asked[0] == transaction.LOCK
    assert names(asked) == set(compare.parameters(job, windows))


def test_a_repair_fits_a_transaction_and_claims_its_files_first() -> None:
    asked = repair.statements(transaction.LOCK, URL, URL, ROLE)
    fits(asked)
    assert names(asked) == {"id", "now", "since", "until"}
    assert asked[0].startswith("LOCK ")  # whatever comes before it would see the warehouse as it was before
    changes = [
        sql for sql in asked if sql.strip().startswith(("UPDATE disaster", "DELETE FROM disaster", "COPY disaster"))
    ]
    assert changes[:2] == [repair.CLAIM, repair.DELETE]


def test_what_a_run_comes_to_fits_a_transaction() -> None:
    fits([*statements(outcome).values(), *statements(findings).values(), *[""] * 4])


def fits(asked: list[str]) -> None:
    assert len(asked) <= MOST_STATEMENTS
    assert all(len(sql.encode()) <= MOST_BYTES for sql in asked)


def names(asked: list[str]) -> set[str]:
    return {name for sql in asked if not sql.startswith("COPY") for name in PARAMETER.findall(sql)}
