"""Run statements of the Data API in the background, and keep their results for a day."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb

from local.aws.faults import Faults
from local.aws.warehouse.database import Result, Session, Warehouse
from local.aws.warehouse.errors import WarehouseError

KEPT = timedelta(hours=24)
MOST_ROW_BYTES = 64 * 1024
"""Of one row of a result: docs.aws.amazon.com/redshift/latest/mgmt/data-api.html#data-api-calling-considerations"""
MOST_ACTIVE = 500  # docs.aws.amazon.com/redshift/latest/mgmt/data-api.html#data-api-calling-considerations
CANCELLED_WITHIN = 10  # seconds
ENDED = ("FINISHED", "FAILED", "ABORTED")


class TooManyError(Exception):
    """As many statements are under way as the Data API allows."""


@dataclass
class Statement:
    """One ExecuteStatement or BatchExecuteStatement."""

    sqls: Sequence[str]
    batch: bool
    request: Mapping[str, Any]  # what came with it: Database, WorkgroupName, Parameters, StatementName, ...
    user: str | None = None  # of the database; None for the administrator
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "SUBMITTED"
    error: str = ""
    failed_at: int | None = None
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated: datetime = field(default_factory=lambda: datetime.now(UTC))
    seconds: float = 0.0
    results: list[Result] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    session: Session | None = None

    @property
    def parameters(self) -> dict[str, str]:
        return {each["name"]: each["value"] for each in self.request.get("Parameters") or []}

    def part_status(self, number: int) -> str:
        if self.status == "FAILED" and self.failed_at is not None:
            return "FAILED" if number == self.failed_at else "ABORTED"
        return self.status


class Statements:
    """All statements of the last day, by id."""

    def __init__(self, warehouse: Warehouse, faults: Faults) -> None:
        self.warehouse, self._faults = warehouse, faults
        self._known: dict[str, Statement] = {}
        self._tokens: dict[str, Statement] = {}
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()

    def submit(
        self, sqls: Sequence[str], batch: bool, request: Mapping[str, Any], user: str | None = None
    ) -> Statement:
        """Start it, once for all requests with the same ClientToken. Raises TooManyError."""
        statement = Statement(sqls, batch, request, user)
        with self._lock:
            self._forget_old()
            token = request.get("ClientToken")
            if token and (same := self._tokens.get(token)):
                return same
            if sum(not each.ended.is_set() for each in self._known.values()) >= MOST_ACTIVE:
                raise TooManyError
            if token:
                self._tokens[token] = statement
            lost = self._faults.strikes("statement_lost")
            if not lost:
                self._known[statement.id] = statement
            if lost and self._faults.struck["statement_lost"] % 2:
                return statement  # every other one is lost before it runs
            thread = threading.Thread(target=self._run, args=(statement,), daemon=True, name=f"sql {statement.id}")
            self._threads.add(thread)
        thread.start()
        return statement

    def find(self, statement_id: str) -> Statement | None:
        with self._lock:
            return self._known.get(statement_id)

    def newest(self) -> list[Statement]:
        with self._lock:
            return sorted(self._known.values(), key=lambda each: each.created, reverse=True)

    def cancel(self, statement: Statement) -> bool:
        """False if it has ended already."""
        with self._lock:
            if statement.status in ENDED:
                return False
            statement.status = "ABORTED"
        for _ in range(CANCELLED_WITHIN * 20):
            if session := statement.session:
                session.interrupt()  # again and again: one that comes before DuckDB has begun is forgotten
            if statement.ended.wait(0.05):
                break
        return True

    def close(self) -> None:
        """Stop what is running."""
        with self._lock:
            threads, running = list(self._threads), [each for each in self._known.values() if not each.ended.is_set()]
        for statement in running:
            self.cancel(statement)
        for thread in threads:
            thread.join(5)

    def _run(self, statement: Statement) -> None:
        began = time.perf_counter()
        try:
            with self.warehouse.session(statement.user) as session:
                with self._lock:
                    if statement.status == "ABORTED":
                        return
                    statement.session, statement.status = session, "STARTED"
                results = session.run(statement.sqls, statement.parameters, alone=not statement.batch)
            check_rows(results)
            with self._lock:
                statement.results, statement.status = results, "FINISHED"
        except duckdb.InterruptException:
            statement.status = "ABORTED"
        except WarehouseError as error:
            self._fail(statement, str(error), getattr(error, "number", None))
        except Exception as error:  # whatever it is, the client must hear of it
            self._fail(statement, f"ERROR: {type(error).__name__}: {error}", None)
        finally:
            statement.session = None
            statement.seconds = time.perf_counter() - began
            statement.updated = datetime.now(UTC)
            statement.ended.set()
            with self._lock:
                self._threads.discard(threading.current_thread())

    def _fail(self, statement: Statement, message: str, number: int | None) -> None:
        with self._lock:
            if statement.status != "ABORTED":
                statement.error, statement.failed_at, statement.status = message, number, "FAILED"

    def _forget_old(self) -> None:
        limit = datetime.now(UTC) - KEPT
        for known in (self._known, self._tokens):
            for key in [key for key, each in known.items() if each.created < limit]:
                del known[key]


def check_rows(results: Sequence[Result]) -> None:
    """Raise WarehouseError for a row that the Data API does not give out: one of more than 64 KB."""
    for result in results:
        for row in result.rows or ():
            texts = [cell for cell in row if isinstance(cell, str)]
            # A character has four bytes at most: most rows need no encoding.
            if sum(map(len, texts)) * 4 > MOST_ROW_BYTES and sum(len(cell.encode()) for cell in texts) > MOST_ROW_BYTES:
                raise WarehouseError(f"ERROR: A row of the result exceeds {MOST_ROW_BYTES} bytes")
