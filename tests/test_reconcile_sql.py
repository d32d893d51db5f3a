"""Every statement of the reconciler is Redshift's SQL, as far as a linter knows it, and fits the Data API."""

import re
from datetime import UTC, datetime, timedelta
from importlib import import_module
from types import ModuleType

import pytest
from sqlfluff.core import FluffConfig, Linter

from chalicelib.reconcile import compare, findings, outcome, repair, transaction
from chalicelib.reconcile.compare import Job
from chalicelib.reconcile.listing import Listing
from chalicelib.warehouse.data_api import MOST_BYTES, MOST_STATEMENTS

NAMES = ("compare", "outcome", "repair", "unanswered", "findings")
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
LINTER = Linter(config=FluffConfig(overrides={"dialect": "redshift"}))


@pytest.mark.parametrize("name", ALL)
def test_it_is_redshift_s(name: str) -> None:
    parsed = LINTER.parse_string(PARAMETER.sub("'1'", ALL[name]))
    assert [str(violation) for violation in parsed.violations] == []


def test_a_comparison_fits_a_transaction_and_asks_for_all_that_it_is_given() -> None:
    job = Job("x", datetime(2026, 1, 31, tzinfo=UTC), timedelta(0), True, False, sweep=True)
    asked = compare.statements(job, Listing(manifest="reports/work/x/files.manifest"), URL, "bucket", ROLE)
    fits(asked)
    assert asked[0] == transaction.LOCK
    assert names(asked) == set(compare.parameters(job, job.now))


def test_a_repair_fits_a_transaction_and_claims_its_files_first() -> None:
    asked = repair.statements(transaction.LOCK, URL, URL, ROLE)
    fits(asked)
    assert names(asked) == {"id", "now"}
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
