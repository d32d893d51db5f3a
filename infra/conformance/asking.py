"""Give checks a place to ask, functions to ask with, and an error for an answer that is not AWS's."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.exceptions import ClientError

from infra.admin import Admin
from infra.stages import Stage

ENDED = ("FINISHED", "FAILED", "ABORTED")


class DiffersError(Exception):
    """The answer is not what AWS documents; the message is what came instead."""


class NotAskedError(Exception):
    """This stage has not what the question needs; the message says what."""


@dataclass(frozen=True)
class Place:
    """Where is asked: a stage's resources, and what this run calls its own.

    `warehouse` is which warehouse, and how its administrator logs in. `role` is the one that Firehose
    works with, `copy_role` the one that COPY reads with.
    `api` is None where nobody said where the admin API is. `patience` in seconds is for a tweet on its way to its row.
    """

    of: Stage
    bucket: str
    stream: str
    warehouse: Mapping[str, str]
    role: str
    copy_role: str
    api: Admin | None
    patience: float
    run: str
    clients: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def client(self, service: str) -> Any:
        """Return a boto3 client, made once."""
        if service not in self.clients:
            self.clients[service] = boto3.client(service)  # type: ignore[call-overload]
        return self.clients[service]

    @property
    def name(self) -> str:
        """What a check makes is called so, or begins so; the run deletes it."""
        return f"conformance-{self.run}"

    @property
    def schema(self) -> str:
        return f"conformance_{self.run}"


@dataclass(frozen=True)
class Outcome:
    """How one transaction of the Data API ended. `rows` are of its last statement, `error` is empty if it finished."""

    id: str
    error: str
    rows: list[list[Any]]


Check = Callable[[Place], str | None]
CHECKS: dict[str, Check] = {}
"""By name, in the order in which they are asked. Each returns what it found where that is worth a line."""


def check(function: Check) -> Check:
    """Add a check to the list. Its docstring says what AWS does."""
    CHECKS[function.__name__] = function
    return function


def refused(ask: Callable[[], Any], *codes: str, words: str = "") -> str:
    """Return the refusal, which must have one of the codes, and `words` in its message. Raise DiffersError."""
    try:
        ask()
    except ClientError as error:
        found = f"{error.response['Error']['Code']}: {error.response['Error'].get('Message', '')}"
        if error.response["Error"]["Code"] not in codes:
            raise DiffersError(f"refused, but not as {' or '.join(codes)}: {found}") from error
        if words.lower() not in found.lower():
            raise DiffersError(f'refused, but not with "{words}": {found}') from error
        return found
    raise DiffersError("accepted")


def sql(place: Place, *statements: str, **more: Any) -> Outcome:
    """Run the statements, several as one transaction, and wait for the end."""
    api = place.client("redshift-data")
    if len(statements) == 1:
        given = api.execute_statement(Sql=statements[0], **place.warehouse, **more)["Id"]
    else:
        given = api.batch_execute_statement(Sqls=list(statements), **place.warehouse, **more)["Id"]
    deadline = time.monotonic() + place.patience
    delay = 0.01
    while (found := api.describe_statement(Id=given))["Status"] not in ENDED:
        if time.monotonic() > deadline:
            raise DiffersError(f"statement {given} is {found['Status']} after {place.patience:.0f} s")
        time.sleep(delay)
        delay = min(1.0, delay * 1.5)
    if found["Status"] != "FINISHED":
        return Outcome(given, str(found.get("Error") or found["Status"]), [])
    last = f"{given}:{len(statements)}" if len(statements) > 1 else given
    described = found["SubStatements"][-1] if len(statements) > 1 else found
    rows: list[list[Any]] = []
    if described["HasResultSet"]:
        for page in api.get_paginator("get_statement_result").paginate(Id=last):
            rows += [list(map(value, row)) for row in page["Records"]]
    return Outcome(given, "", rows)


def value(field: Mapping[str, Any]) -> Any:
    """Return what a `Field` of the Data API holds."""
    return None if "isNull" in field else next(iter(field.values()))


def answers(place: Place, wanted: Sequence[Sequence[Any]], *statements: str) -> None:
    """Raise DiffersError unless the last statement's rows are `wanted`."""
    found = sql(place, *statements)
    if found.error or found.rows != [list(row) for row in wanted]:
        raise DiffersError(found.error or f"answered {found.rows}, not {wanted}")


def refuses(place: Place, *statements: str, words: str = "") -> str:
    """Return the warehouse's error, which must have `words` in it. Raise DiffersError."""
    found = sql(place, *statements)
    if not found.error:
        raise DiffersError(f"accepted: {statements[-1]}")
    if words.lower() not in found.error.lower():
        raise DiffersError(f'refused, but not with "{words}": {found.error}')
    return found.error
