"""Query two days of a year in which one tweet of a hundred came twice; compare with the former view.

The warehouse is the local one, DuckDB, with all migrations applied, so its seconds are not Redshift's; what is alike is
which rows have to be read, and that is counted. Rows have labels, keys and links, and no text. Half of the copies came
minutes after the first arrival, the other half at another time of the year, of these a tenth on the last day. What a
run and a sweep then find of that day is counted, too. DUPLICATES_ROWS sets another size.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from rich.console import Console
from rich.table import Table

from benchmarks import ROOT
from chalicelib import times
from chalicelib.reconcile import repeats, transaction
from chalicelib.reconcile.compare import Known
from chalicelib.reconcile.job import Job
from chalicelib.warehouse import migrations
from local.aws.faults import Faults
from local.aws.warehouse import Warehouse
from local.aws.warehouse.dialect import translate

ROWS = int(os.environ.get("DUPLICATES_ROWS", "100000000"))
MEMORY = "8GB"  # for the warehouse; what is more is spilled to the disk
THREADS = 2
YEAR = timedelta(days=365)
QUESTION = (ROOT / "sql" / "queries" / "01_kinds_today.sql").read_text()
AS_IT_WAS = """(
    SELECT disaster_label, relevance_label, first_arrived_at AS arrived_at, copies
    FROM disaster.tweet_history
    WHERE arrival = copies
)"""

PLANT = """
INSERT INTO disaster.disaster_tweets
    (tweet_key, disaster_label, relevance_label, classifier_score, relevance_score, s3_key, s3_line, arrived_at,
    arrived_datetime_from_kinesis, loaded_at)
SELECT
    md5(CAST(tweet AS VARCHAR)), ['flood', 'storm', 'not_disaster', 'wildfire'][1 + tweet % 4],
    CASE WHEN tweet % 3 = 0 THEN 'relevant' ELSE 'not_relevant' END, 0.9, 0.8,
    strftime(arrived_at, 'tweets/dt=%Y-%m-%d/hh=%H/') || (n // 500) || '-500.ndjson.gz', 1 + n % 500,
    arrived_at, epoch_ms(arrived_at), arrived_at + INTERVAL 1 MINUTE
FROM (
    SELECT
        n, CAST($start AS TIMESTAMP) + to_microseconds(CAST(n * $step AS BIGINT)) AS arrived_at,
        CASE
            WHEN n % 200 = 199 THEN n - 10 -- minutes ago
            WHEN n % 200 = 99 THEN CAST(hash(n) % n AS BIGINT) // 200 * 200 + 50 -- whenever
            ELSE n
        END AS tweet
    FROM range($first, $last) AS numbers (n)
)
"""
"""Rows in order of their arrival, so that what is skipped on Redshift is skipped here."""


COPIES = """
SELECT DISTINCT
    md5(CAST(CASE n % 200 WHEN 199 THEN n - 10 ELSE CAST(hash(n) % n AS BIGINT) // 200 * 200 + 50 END AS VARCHAR))
    AS tweet_key
FROM range($last) AS numbers (n)
WHERE n % 200 IN (99, 199)
"""
"""The keys of the tweets of which PLANT makes copies."""


def measure(rows: int, console: Console) -> dict[str, Any]:
    """Measure one size, on a home of its own."""
    found: dict[str, Any] = {}
    with (
        tempfile.TemporaryDirectory() as home,
        closing(
            Warehouse(Path(home) / "w.duckdb", lambda *_: b"", lambda *_: [], lambda *_: None, Faults())
        ) as warehouse,
        console.status(f"{rows:,} rows: planting ...") as status,
    ):
        warehouse._connection.execute(f"SET GLOBAL memory_limit = '{MEMORY}'")
        warehouse._connection.execute(f"SET GLOBAL threads = {THREADS}")
        set_up(warehouse)
        now = datetime.now(UTC).replace(microsecond=0)
        day = rows // YEAR.days
        plant(warehouse, now, rows, 0, rows - day)
        status.update(f"{rows:,} rows: what a former sweep has found ...")
        know(warehouse, rows - day)
        found["known"] = count(warehouse, "disaster.repeated_tweet")
        plant(warehouse, now, rows, rows - day, rows)
        for name, job in {
            "run": Job("run", now, timedelta(0), False, False, sweep=False),
            "sweep": Job("sweep", now, timedelta(0), False, False, sweep=True),
        }.items():
            status.update(f"{rows:,} rows: a {name} looks for copies ...")
            found[name] = look(warehouse, job, Known([], [], {}, now - timedelta(days=1), 0, day))
            found[f"{name} found"] = count(warehouse, "disaster.repeated_tweet")
        for name, view in (("now", "disaster.tweet"), ("before", AS_IT_WAS)):
            status.update(f"{rows:,} rows: the question, {name} ...")
            found[name] = ask(warehouse, QUESTION.replace("disaster.tweet AS", f"{view} AS"), home)
        found["bytes"] = (Path(home) / "w.duckdb").stat().st_size
    return found


def set_up(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        for migration in migrations.read():
            planned = migrations.transaction(migration)
            if planned.alone:
                session.run([planned.alone], alone=True)
            session.run(planned.statements, planned.parameters)


def plant(warehouse: Warehouse, now: datetime, rows: int, first: int, last: int) -> None:
    given = {"start": f"{now - YEAR:%Y-%m-%d %H:%M:%S}", "step": YEAR.total_seconds() * 1e6 / rows}
    with closing(warehouse._connection.cursor()) as cursor:
        cursor.execute(PLANT, {**given, "first": first, "last": last})
        cursor.execute("CHECKPOINT")


def look(warehouse: Warehouse, job: Job, known: Known) -> float:
    """Measure the seconds that a run takes to find what came more than once."""
    books = "(reconciliation_id, started_at, repair, grace_seconds, swept, hours)"
    warehouse.execute(f"INSERT INTO disaster.reconciliation {books} VALUES ('{job.id}', GETDATE(), FALSE, 0, FALSE, 0)")

    def run(asked: Sequence[str], given: Mapping[str, str], *, answers: int, patience: float) -> list[Any]:  # noqa: ARG001
        with warehouse.session() as session:
            rows = session.run(asked, given)[-1].rows or []
        return [[{"since": rows[0][0] and rows[0][0].replace(tzinfo=UTC)}]] if answers else []

    began = time.perf_counter()
    with mock.patch.object(transaction, "run", run):
        repeats.find(job, known, None, 0.0)
    return time.perf_counter() - began


def know(warehouse: Warehouse, last: int) -> None:
    """Write what former runs have found in the first rows: their copies are known, so only those are looked for."""
    with closing(warehouse._connection.cursor()) as cursor:
        cursor.execute(f"CREATE TABLE main.planted AS {COPIES}", {"last": last})
    with warehouse.session() as session:
        new = "CREATE TEMP TABLE new_key AS SELECT tweet_key, CAST(NULL AS TIMESTAMP) AS loaded_at FROM main.planted"
        given = dict.fromkeys(("since", "last_since"), times.sql(repeats.ALWAYS))
        session.run([new, repeats.SQL["repeats"], repeats.SQL["found"]], given)
        session.run(
            [
                "INSERT INTO disaster.reconciliation (reconciliation_id, started_at, repair, grace_seconds, swept,"
                " hours, repeats_until) SELECT 'former', GETDATE(), FALSE, 0, TRUE, 0, MAX(loaded_at)"
                " FROM disaster.disaster_tweets"
            ]
        )


def ask(warehouse: Warehouse, question: str, home: str) -> dict[str, Any]:
    """Return seconds of a question, the rows that its scans read, and its answer."""
    (statement,) = migrations.statements(question)
    (sql,) = translate(statement).statements
    profile = Path(home) / "profile.json"
    with closing(warehouse._connection.cursor()) as cursor:
        cursor.execute("SET enable_profiling = 'json'")
        cursor.execute(f"SET profiling_output = '{profile}'")
        began = time.perf_counter()
        answer = cursor.execute(sql).fetchall()
        seconds = time.perf_counter() - began
        cursor.execute("PRAGMA disable_profiling")
    return {"seconds": seconds, "answer": answer, "read": read(json.loads(profile.read_text()))}


def read(profile: Mapping[str, Any]) -> int:
    """Return rows that the scans of the tweets' tables read."""
    of_tweets = "tweet" in str(profile.get("extra_info", {}).get("Table", ""))
    own = int(profile.get("rows_scanned", 0)) if of_tweets else 0
    return own + sum(map(read, profile.get("children") or profile.get("operator") or ()))


def count(warehouse: Warehouse, table: str) -> int:
    ((found,),) = warehouse.ask(f"SELECT COUNT(*) FROM {table}", {})
    return int(found)


def run(console: Console) -> None:
    sizes = sorted({max(ROWS // 100, 1000), max(ROWS // 10, 1000), ROWS})
    measured = [measure(rows, console) for rows in sizes]
    table = Table(title="A question about two days of a year", title_justify="left")
    table.add_column("rows of the year")
    for rows in sizes:
        table.add_column(f"{rows:,}", justify="right")
    for name, cell in LINES:
        table.add_row(name, *(cell(m) for m in measured))
    console.print(table)
    assert all(m["now"]["answer"] == m["before"]["answer"] for m in measured), "the answers differ"
    console.print(f"Both answers are the same. {THREADS} threads, {MEMORY} of memory.", style="dim")


LINES: list[tuple[str, Callable[[Mapping[str, Any]], str]]] = [
    ("the view: seconds", lambda m: f"{m['now']['seconds']:,.2f}"),
    ("  rows read", lambda m: f"{m['now']['read']:,}"),
    ("the view as it was: seconds", lambda m: f"{m['before']['seconds']:,.2f}"),
    ("  rows read", lambda m: f"{m['before']['read']:,}"),
    ("tweets that came more than once", lambda m: f"{m['sweep found']:,}"),
    ("a run looks for copies: seconds", lambda m: f"{m['run']:,.2f}"),
    ("  tweets found", lambda m: f"{m['run found'] - m['known']:,}"),
    ("the day's sweep does: seconds", lambda m: f"{m['sweep']:,.2f}"),
    ("  tweets found", lambda m: f"{m['sweep found'] - m['run found']:,}"),
    ("database, MB", lambda m: f"{m['bytes'] / 1e6:,.0f}"),
]
