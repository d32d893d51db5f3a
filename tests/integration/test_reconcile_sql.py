"""Every statement of the reconciler is used, reads where rows may lie, and fits the Data API.

test_data_model.py has the linter read them.
"""

import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from chalicelib import columns
from chalicelib.reconcile import books, compare, findings, hours, repair, repeats, transaction
from chalicelib.reconcile.job import Job
from chalicelib.reconcile.listing import Listing
from chalicelib.warehouse.data_api import MOST_BYTES, MOST_STATEMENTS
from chalicelib.warehouse.statements import PARAMETER, for_windows, sections
from tests.support import ROOT
from tests.support.warehouses import hours_in, keys_in

FILES = sorted((ROOT / "sql" / "reconcile").glob("*.sql"))
ROLE, URL = "arn:aws:iam::123456789012:role/copy", "s3://bucket/reports/work/x/files.manifest"
ALL = {f"{file.stem}.{name}": sql for file in FILES for name, sql in sections(f"reconcile/{file.stem}").items()}


def test_every_statement_is_used_and_every_one_that_is_used_is_there() -> None:
    used = set()
    for path in (ROOT / "chalicelib").rglob("*.py"):
        text = path.read_text()
        own = re.search(r'^SQL = sections\("reconcile/(\w+)"\)$', text, re.MULTILINE)
        of = {f"{module}.": module for module in ("compare", "findings", "transaction")} | ({"": own[1]} if own else {})
        found = re.findall(r'(\b\w+\.|\b)SQL\["(\w+)"\]', text)
        used |= {f"{of[module]}.{name}" for module, name in found if module in of}
    assert used == set(ALL)


def test_a_comment_says_nothing_that_the_data_api_would_take_for_a_parameter() -> None:
    marks = {"-- for each window", "-- end of window"}
    assert {line.strip() for sql in ALL.values() for line in sql.splitlines() if "--" in line} == marks


def test_a_page_of_files_to_repair_is_as_long_as_its_reader_believes() -> None:
    assert repair.SQL["to_repair"].endswith(f"LIMIT {repair.PAGE}")


def test_how_urgent_a_file_is_means_the_same_to_the_statement_and_to_its_reader() -> None:
    branches = re.findall(r"(refused|:surge|:in_time|ELSE)\b.*?(?:THEN )?(\d)$", repair.SQL["to_repair"], re.MULTILINE)
    assert {which: int(number) for which, number in branches} == {
        "refused": repair.REFUSED, ":surge": repair.SURGE, ":in_time": repair.IN_TIME, "ELSE": repair.LATE,
    }  # fmt: skip


def test_a_tweet_that_came_more_than_once_keeps_every_column() -> None:
    """A column that is new in chalicelib/columns.py has to be written into sql/reconcile/repeats.sql three times."""
    written = re.findall(r"^ +(?:\w+\.(?:\w+ AS )?)?([a-z]\w*),?$", repeats.SQL["found"], re.MULTILINE)
    row = [*columns.NAMES, "loaded_at", "copies", "last_arrived_at", "newest_load"]
    assert written == row * 3


def test_what_reads_a_window_is_repeated_for_each_with_parameters_of_its_own() -> None:
    asked = for_windows(compare.SQL["found_file"], 3)
    assert asked.count("UNION ALL") == 2
    assert set(PARAMETER.findall(asked)) == {f"{name}_{n}" for name in ("since", "stop", "until") for n in (1, 2, 3)}
    assert for_windows(compare.SQL["totals"], 3) == compare.SQL["totals"]


READS_TWEETS = re.compile(r"(FROM|JOIN) disaster\.disaster_tweets")
UNBOUNDED = {"compare.sweep", "findings.replaced"}
"""Once a day, for rows of hours that nobody lists; and where an orphan is found: what replaces it may lie anywhere."""


@pytest.mark.parametrize("name", [name for name, sql in ALL.items() if READS_TWEETS.search(sql)])
def test_tweets_are_read_where_they_may_lie(name: str) -> None:
    """The table is sorted by `arrived_at`: a bound on it is what keeps years from being read."""
    of_them = len(READS_TWEETS.findall(ALL[name]))
    assert name in UNBOUNDED or len(re.findall(r"arrived_at >= CAST\(:\w+", ALL[name])) >= of_them


def test_a_repair_deletes_where_its_rows_may_lie() -> None:
    assert "arrived_at >= CAST(:since" in repair.SQL["delete"]


def test_a_comparison_fits_a_transaction_and_asks_for_all_that_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "settings", lambda: SimpleNamespace(delivery="reconcile"))
    job = Job("x", datetime(2026, 1, 31, tzinfo=UTC), timedelta(0), True, False, sweep=True)
    apart = [job.now - timedelta(days=days) for days in range(hours.MOST_WINDOWS + 3)]
    windows = hours.windows(apart, {})
    assert len(windows) == hours.MOST_WINDOWS
    listed = Listing(manifest="reports/work/x/files.manifest")
    asked = compare.statements(job, listed, hours_in(URL), "bucket", ROLE, len(windows))
    fits(asked)
    assert asked[0] == transaction.SQL["lock"]
    assert names(asked) == set(compare.parameters(job, windows))


def test_a_repair_fits_a_transaction_and_claims_its_files_first() -> None:
    asked = repair.statements(transaction.SQL["lock"], keys_in(URL), URL, ROLE)
    fits(asked)
    assert names(asked) == {"id", "now", "since", "until"}
    assert asked[0].startswith("LOCK ")  # whatever comes before it would see the warehouse as it was before
    changes = [
        sql for sql in asked if sql.strip().startswith(("UPDATE disaster", "DELETE FROM disaster", "COPY disaster"))
    ]
    assert changes[:2] == [repair.SQL["claim"], repair.SQL["delete"]]


def test_what_a_run_comes_to_fits_a_transaction() -> None:
    fits([*books.SQL.values(), *findings.SQL.values(), *[""] * 4])


def fits(asked: list[str]) -> None:
    assert len(asked) <= MOST_STATEMENTS
    assert all(len(sql.encode()) <= MOST_BYTES for sql in asked)


def names(asked: list[str]) -> set[str]:
    return {name for sql in asked if not sql.startswith("COPY") for name in PARAMETER.findall(sql)}
