"""Run SQL through the Redshift Data API: submit, wait, read.

A statement is text that we wrote; values are passed as parameters.
Limits: docs.aws.amazon.com/redshift/latest/mgmt/data-api.html#data-api-calling-considerations
"""

from __future__ import annotations

import json
import random
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from botocore.exceptions import ClientError

from chalicelib import clients, times
from chalicelib.settings import settings

MOST_STATEMENTS = 40  # of one batch
MOST_BYTES = 100_000  # of a statement: 100 KB
LONGEST_WAIT = 30  # seconds that one call may wait for its statement
PATIENCE = 840.0  # seconds: a Lambda's 15 minutes, less what it needs to say how it went
ATTEMPTS = 5

CONFLICTS = (
    "serializable isolation violation",  # error 1023: repost.aws/knowledge-center/redshift-serializable-isolation
    "error: 1023",
    "conflict with concurrent transaction",  # snapshot isolation: github.com/aws/amazon-redshift-jdbc-driver/issues/147
    "deadlock detected",
)
"""What Redshift says when it undoes one of two transactions that get in each other's way, in lower case."""

Row = dict[str, Any]


class WarehouseError(Exception):
    """Redshift refused or failed; its own message, and which statement."""

    def __init__(self, message: str, statement_id: str = "") -> None:
        super().__init__(f"{message} (statement {statement_id})" if statement_id else message)
        self.statement_id = statement_id


class StatementLostError(WarehouseError):
    """The Data API knows the statement no longer: whether it ran can't be told. Look at the data, then do it again."""


class StillRunningError(WarehouseError):
    """Not done in the time given. It goes on; on a serverless warehouse that slept, the first statement wakes it."""


def query(sql: str, parameters: Mapping[str, str] | None = None, *, patience: float = PATIENCE) -> list[Row]:
    """Return the rows of one SELECT, as `rows_of`; `:name` in the SQL and errors as `execute`."""
    return rows_of(execute(sql, parameters, patience=patience))


def execute(sql: str, parameters: Mapping[str, str] | None = None, *, patience: float = PATIENCE) -> str:
    """Run one statement and return its id. `:name` in the SQL stands for a parameter, always given as text.

    Raises WarehouseError; StillRunningError after `patience` seconds.
    """

    def submit(token: str) -> str:
        given: dict[str, Any] = {"Parameters": _parameters(parameters)} if parameters else {}
        return clients.redshift_data().execute_statement(Sql=sql, ClientToken=token, **_target(), **given)["Id"]

    return _run(submit, "", patience)


def run(
    statements: Sequence[str],
    parameters: Mapping[str, str] | None = None,
    *,
    token: str = "",
    patience: float = PATIENCE,
) -> str:
    """Run up to 40 statements as one transaction and wait for it; return its id; `<id>:<n>` is its n-th statement, from
    1.

    Every parameter must occur in some statement. Calls with the same `token` within 8 hours run it once.
    Raises WarehouseError with Redshift's message: nothing of it was committed (except StatementLostError and
    StillRunningError: then it may be).
    """
    if len(statements) > MOST_STATEMENTS or any(len(sql.encode()) > MOST_BYTES for sql in statements):
        raise ValueError(f"A transaction takes up to {MOST_STATEMENTS} statements of up to {MOST_BYTES} bytes each")

    def submit(token: str) -> str:
        given: dict[str, Any] = {"Parameters": _parameters(parameters)} if parameters else {}
        return clients.redshift_data().batch_execute_statement(
            Sqls=list(statements), ClientToken=token, **_target(), **given
        )["Id"]

    return _run(submit, token, patience)


def rows_of(statement_id: str) -> list[Row]:
    """Return all rows of a finished statement by column name, values as `decoded` gives them.

    Raises StatementLostError 24 hours later, when the Data API has forgotten them; ValueError where two columns have
    one name, for a row could hold only one of them: `table_of` gives both.
    """
    rows: list[Row] = []
    for names, page in _pages(statement_id):
        if len(set(names)) < len(names):
            raise ValueError(f"Columns of the same name: {', '.join(names)}")
        rows += (dict(zip(names, row, strict=True)) for row in page)
    return rows


def table_of(statement_id: str) -> tuple[list[str], list[list[Any]]]:
    """Return the column names of a finished statement and its rows, both in the statement's order.

    Values are as `decoded` gives them. Raises StatementLostError as `rows_of`.
    """
    names: list[str] = []
    rows: list[list[Any]] = []
    for names, page in _pages(statement_id):  # noqa: B007 - each page says the same
        rows += page
    return names, rows


def _pages(statement_id: str) -> Iterator[tuple[list[str], list[list[Any]]]]:
    try:
        for page in clients.redshift_data().get_paginator("get_statement_result").paginate(Id=statement_id):
            columns = page["ColumnMetadata"]
            yield [column["name"] for column in columns], decoded(columns, page["Records"])
    except ClientError as error:
        raise _lost(error, statement_id) or error from error


def decoded(columns: Sequence[Mapping[str, Any]], records: Iterable[Sequence[Mapping[str, Any]]]) -> list[list[Any]]:
    """Return the values of `Records`, by the types that `ColumnMetadata` tells.

    NUMERIC comes as int if its scale is 0, else Decimal; TIMESTAMP as datetime in UTC; DATE as date; SUPER parsed.
    """
    decoders = [_decoder(column.get("typeName", ""), column.get("scale", 0)) for column in columns]
    return [[decode(field) for decode, field in zip(decoders, record, strict=True)] for record in records]


def _run(submit: Callable[[str], str], token: str, patience: float) -> str:
    """Submit, wait, and start over where Redshift says that doing it again may work."""
    deadline = time.monotonic() + patience
    token = token or secrets.token_hex(16)
    for attempt in range(ATTEMPTS):
        # The same token makes a repeated request harmless; a statement that failed needs a new one to be tried again.
        statement_id = _submit(submit, token if attempt == 0 else f"{token[:60]}-{attempt}", deadline)
        try:
            _wait(statement_id, deadline)
            return statement_id
        except WarehouseError as error:
            if attempt == ATTEMPTS - 1 or not _conflict(error) or time.monotonic() > deadline:
                raise
            _pause(attempt)
    raise AssertionError("unreachable")


def _conflict(error: WarehouseError) -> bool:
    """Return whether the transaction was undone because another got in its way: then it can be run again."""
    message = str(error).lower()
    return any(each in message for each in CONFLICTS)


def _submit(submit: Callable[[str], str], token: str, deadline: float) -> str:
    for attempt in range(60):
        try:
            return submit(token)
        except ClientError as error:
            busy = error.response["Error"]["Code"] in {
                "ActiveStatementsExceededException",
                "ActiveSessionsExceededException",
            }
            if not busy or time.monotonic() > deadline:
                raise
            _pause(attempt)
    raise StillRunningError("The Data API had too many statements under way all the time; try again later")


def _pause(attempt: int) -> None:
    """Exponential backoff with full jitter: aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter"""
    time.sleep(random.uniform(0, min(10.0, 0.25 * 2**attempt)))  # noqa: S311 - no secret


def _wait(statement_id: str, deadline: float) -> None:
    delay = 0.02
    while True:
        left = deadline - time.monotonic()
        description = _describe(statement_id, int(min(left, LONGEST_WAIT)))
        status = description["Status"]
        if status == "FINISHED":
            return
        if status in {"FAILED", "ABORTED"}:
            raise WarehouseError(_complaint(description), statement_id)
        left = deadline - time.monotonic()
        if left <= 0:
            raise StillRunningError(f"Not done in time ({status})", statement_id)
        time.sleep(min(delay, left))
        delay = min(delay * 1.5, 2.0)


def _describe(statement_id: str, seconds: int) -> Any:
    """Wait up to `seconds` on Redshift's side where this boto3 knows how, and the statement has no other waiters."""
    api = clients.redshift_data()
    wait = {"WaitTimeSeconds": seconds} if seconds >= 1 and _can_wait() else {}
    try:
        return api.describe_statement(Id=statement_id, **wait)
    except ClientError as error:
        if wait and error.response["Error"]["Code"] == "ActiveWaitingRequestsExceededException":
            return api.describe_statement(Id=statement_id)
        raise _lost(error, statement_id) or error from error


@lru_cache
def _can_wait() -> bool:
    shape = clients.redshift_data().meta.service_model.operation_model("DescribeStatement").input_shape
    return shape is not None and "WaitTimeSeconds" in shape.members


def _lost(error: ClientError, statement_id: str) -> StatementLostError | None:
    if error.response["Error"]["Code"] != "ResourceNotFoundException":
        return None
    return StatementLostError("The Data API knows no such statement, or no longer", statement_id)


def _complaint(description: Mapping[str, Any]) -> str:
    """Redshift's message, with the statement of the batch that it is about."""
    parts = description.get("SubStatements") or []
    for number, part in enumerate(parts, 1):
        if part.get("Status") == "FAILED":
            message = part.get("Error") or description.get("Error") or "no message"
            return f"Statement {number} of {len(parts)}: {message}"
    return str(description.get("Error") or f"The statement was {description['Status'].lower()}")


def _target() -> dict[str, Any]:
    """Return the parameters that name the warehouse: a serverless workgroup (the user is the caller's IAM role), or a
    provisioned cluster.
    """
    known = settings()
    if known.workgroup:
        return {"WorkgroupName": known.workgroup, "Database": known.database}
    if known.cluster:
        user = {"DbUser": known.database_user} if known.database_user else {}
        return {"ClusterIdentifier": known.cluster, "Database": known.database, **user}
    raise WarehouseError("The settings name neither a workgroup nor a cluster; deploy the data plane: make deploy")


def _parameters(parameters: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in parameters.items()]


def _decoder(type_name: str, scale: int) -> Callable[[Mapping[str, Any]], Any]:
    convert = _CONVERTERS.get(type_name.lower(), lambda value: value)
    if type_name.lower() in {"numeric", "decimal"} and not scale:
        convert = int

    def decode(field: Mapping[str, Any]) -> Any:
        if field.get("isNull"):
            return None
        (value,) = (value for key, value in field.items() if key != "isNull")
        return convert(value)

    return decode


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "numeric": Decimal,
    "decimal": Decimal,
    "timestamp": times.parsed,
    "timestamptz": times.parsed,
    "date": date.fromisoformat,
    "super": json.loads,
}
"""By ColumnMetadata's typeName. What isn't here comes from the Data API as it should be."""
