"""Serve the Redshift Data API's wire protocol.

Limits and messages: docs.aws.amazon.com/redshift-data/latest/APIReference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import orjson
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse

from local.aws import callers
from local.aws.warehouse import catalog, values
from local.aws.warehouse.database import Result
from local.aws.warehouse.dialect import DATABASE, is_copy, names
from local.aws.warehouse.errors import WarehouseError
from local.aws.warehouse.statements import ENDED, Statement, Statements, TooManyError

MOST_STATEMENTS = 40
MOST_BYTES = 100_000
PAGE = 1000  # rows; AWS pages by size
LISTED = 100
WORKGROUP = "disaster-tweets-local"
"""The one that there is. Another is refused in PostgreSQL's words (src/backend/utils/init/postinit.c), which Redshift
has kept. AWS may also say so of the statement, once it has tried to connect; here the call itself fails."""
LONGEST_WAIT = 30  # seconds


class AwsError(ServiceException):  # type: ignore[misc]
    """An error of the service, with its code and message. Must live outside moto to be serialised as such."""


def invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


class LiveRedshiftData(BaseResponse):  # type: ignore[misc]
    """Requests to `statements` and answers back."""

    statements: ClassVar[Statements]

    def __init__(self) -> None:
        super().__init__(service_name="redshift-data")
        self.automated_parameter_parsing = True

    def execute_statement(self) -> ActionResult:
        return self._submit([self.params["Sql"]], batch=False)

    def batch_execute_statement(self) -> ActionResult:
        sqls = list(self.params["Sqls"])
        if not 1 <= len(sqls) <= MOST_STATEMENTS:
            raise invalid(f"Member must have length less than or equal to {MOST_STATEMENTS}: Sqls")
        return self._submit(sqls, batch=True)

    def _submit(self, sqls: list[str], batch: bool) -> ActionResult:
        request = {key: value for key, value in self.params.items() if key not in ("Sql", "Sqls") and value is not None}
        self._check_target()
        if not request.get("Database"):
            raise invalid("Database is required")
        if not all(map(str.strip, sqls)):
            raise invalid("The SQL statement is empty")
        if any(len(sql.encode()) > MOST_BYTES for sql in sqls):
            raise invalid(f"The SQL statement exceeds the maximum size of {MOST_BYTES} bytes")
        for option, only in _ONLY.items():
            if request.get(option) not in (None, only):
                raise invalid(f"The local warehouse does not do {option} {request[option]}")
        _check_parameters(sqls, request.get("Parameters") or [])
        try:
            statement = self.statements.submit(sqls, batch, request, database_user(self.headers))
        except TooManyError as error:
            raise AwsError(
                "ActiveStatementsExceededException", "Active statements exceeded the allowed quota (500)."
            ) from error
        self._wait(statement)
        return ActionResult({**_common(statement), "CreatedAt": statement.created, "Status": statement.status})

    def describe_statement(self) -> ActionResult:
        statement, number = self._find(self.params["Id"])
        self._wait(statement)
        return ActionResult(_described(statement) if number is None else _part(statement, number))

    def list_statements(self) -> ActionResult:
        wanted, name = self.params.get("Status"), self.params.get("StatementName")
        found = [
            each
            for each in self.statements.newest()
            if (wanted in (None, "ALL") or each.status == wanted)
            and (not name or str(each.request.get("StatementName", "")).startswith(name))
        ]
        return self._page("Statements", [_listed(each) for each in found], LISTED)

    def cancel_statement(self) -> ActionResult:
        statement, _ = self._find(self.params["Id"])
        if not self.statements.cancel(statement):
            raise invalid(
                f"Could not cancel a query that is already in {statement.status} state with ID: {statement.id}"
            )
        return ActionResult({"Status": True})

    def get_statement_result(self) -> tuple[int, dict[str, str], str]:
        statement, number = self._find(self.params["Id"])
        self._wait(statement)
        result = _result(statement, number)
        if result is None or result.columns is None or result.rows is None:
            raise AwsError(
                "ResourceNotFoundException",
                "Query does not have result. Please check query status with DescribeStatement.",
            )
        start = self._start()
        page = result.rows[start : start + PAGE]
        answer: dict[str, Any] = {
            "ColumnMetadata": [values.metadata(column) for column in result.columns],
            "Records": [values.record(row, result.columns) for row in page],
            "TotalNumRows": len(result.rows),
        }
        if start + PAGE < len(result.rows):
            answer["NextToken"] = str(start + PAGE)
        return 200, {}, orjson.dumps(answer).decode()  # moto's serialiser takes seconds for what takes this one no time

    def list_databases(self) -> ActionResult:
        self._check_target()
        return ActionResult({"Databases": [DATABASE]})

    def list_schemas(self) -> ActionResult:
        self._check_target()
        return self._page(
            "Schemas", catalog.schemas(self.statements.warehouse, self.params.get("SchemaPattern") or "%")
        )

    def list_tables(self) -> ActionResult:
        self._check_target()
        patterns = (self.params.get(name) or "%" for name in ("SchemaPattern", "TablePattern"))
        return self._page("Tables", catalog.tables(self.statements.warehouse, *patterns))

    def describe_table(self) -> ActionResult:
        self._check_target()
        schema, table = self.params.get("Schema") or "public", self.params.get("Table") or ""
        found = catalog.columns(self.statements.warehouse, schema, table)
        own = {"schemaName": schema, "tableName": table}
        return self._page(
            "ColumnList", [values.metadata(column) | more | own for column, more in found], TableName=table
        )

    def get_statement_result_v2(self) -> ActionResult:
        raise invalid("The local warehouse does not do GetStatementResultV2: it gives no CSV")

    def list_sessions(self) -> ActionResult:
        raise invalid("The local warehouse does not do ListSessions: a session ends with its statement")

    def _page(self, key: str, found: Sequence[Any], at_most: int = PAGE, **more_of_it: Any) -> ActionResult:
        start, most = self._start(), int(self.params.get("MaxResults") or at_most)
        more = {"NextToken": str(start + most)} if start + most < len(found) else {}
        return ActionResult({key: found[start : start + most], **more, **more_of_it})

    def _start(self) -> int:
        token = str(self.params.get("NextToken") or 0)
        if not token.isdecimal():
            raise invalid("The NextToken is not one that was given out")
        return int(token)

    def _wait(self, statement: Statement) -> None:
        if (seconds := int(self.params.get("WaitTimeSeconds") or 0)) > 0:
            statement.ended.wait(min(seconds, LONGEST_WAIT))

    def _check_target(self) -> None:
        if bool(self.params.get("ClusterIdentifier")) == bool(self.params.get("WorkgroupName")):
            raise invalid("Exactly one of ClusterIdentifier and WorkgroupName must be given")
        if self.params.get("WorkgroupName") != WORKGROUP:
            raise invalid("Redshift endpoint doesn't exist in this region.")  # github.com/aws/aws-cdk/issues/30536
        if (database := self.params.get("Database")) and database != DATABASE:
            raise invalid(f'FATAL: database "{database}" does not exist')

    def _find(self, statement_id: str) -> tuple[Statement, int | None]:
        """(the statement, which one of its batch or None)."""
        whole, _, number = statement_id.partition(":")
        statement = self.statements.find(whole)
        if not statement or (number and not (number.isdigit() and 1 <= int(number) <= len(statement.sqls))):
            raise AwsError("ResourceNotFoundException", "Query does not exist.")
        return statement, int(number) - 1 if number else None


def database_user(headers: Mapping[str, str]) -> str | None:
    """Return who asks, as Redshift knows an IAM role; None for anybody else, who is the administrator here.

    docs.aws.amazon.com/redshift/latest/mgmt/redshift-iam-access-control-identity-based.html: the user is `IAMR:<role>`.
    """
    role = ROLE.search(headers.get("Authorization", ""))
    return f"IAMR:{role[1]}" if role else None


ROLE = re.compile(rf"Credential={callers.ROLE_KEY}([^/]+)/")


def _check_parameters(sqls: list[str], parameters: list[dict[str, str]]) -> None:
    """Check that every parameter occurs and every one that occurs is given; COPY takes none."""
    given = {each["name"] for each in parameters}
    if given and all(map(is_copy, sqls)):
        raise invalid("Parameters are not supported in COPY")
    occurring: set[str] = set()
    for sql in sqls:
        try:
            occurring |= names(sql)
        except WarehouseError:
            return  # the statement fails, and says better why
    if unused := given - occurring:
        raise invalid(f"Parameters list contains unused parameters. Unused parameters: {sorted(unused)}")
    if missing := occurring - given:
        raise invalid(f"Parameters list is missing values for: {sorted(missing)}")


_ONLY = {"ResultFormat": "JSON", "ExecutionMode": "TRANSACTION", "SessionId": None, "SessionKeepAliveSeconds": 0}
"""What is done of options that Redshift has more of."""
_TARGET = ("ClusterIdentifier", "WorkgroupName", "Database", "DbUser", "SecretArn")


def _common(statement: Statement) -> dict[str, Any]:
    return {"Id": statement.id, **{key: statement.request[key] for key in _TARGET if key in statement.request}}


def _described(statement: Statement) -> dict[str, Any]:
    last = statement.results[-1] if statement.results else None
    answer = _common(statement) | {
        "Status": statement.status,
        "CreatedAt": statement.created,
        "UpdatedAt": statement.updated,
        "Duration": int(statement.seconds * 1e9),
        "HasResultSet": any(result.rows is not None for result in statement.results),
        "ResultRows": last.changed if last else -1,
        "ResultSize": -1,
        "RedshiftPid": 1,
        "RedshiftQueryId": 1 if statement.status in ENDED else 0,
    }
    if statement.error:
        answer["Error"] = statement.error
    if parameters := statement.request.get("Parameters"):
        answer["QueryParameters"] = parameters
    if statement.batch:
        answer["SubStatements"] = [_part(statement, number) for number in range(len(statement.sqls))]
    else:
        answer["QueryString"] = statement.sqls[0]
    return answer


def _part(statement: Statement, number: int) -> dict[str, Any]:
    result = statement.results[number] if number < len(statement.results) else None
    answer = {
        "Id": f"{statement.id}:{number + 1}",
        "Status": statement.part_status(number),
        "QueryString": statement.sqls[number],
        "HasResultSet": bool(result and result.rows is not None),
        "ResultRows": result.changed if result else -1,
        "ResultSize": -1,
        "CreatedAt": statement.created,
        "UpdatedAt": statement.updated,
        "Duration": int(statement.seconds * 1e9 / len(statement.sqls)),
        "RedshiftQueryId": 1,
    }
    if number == statement.failed_at:
        answer["Error"] = statement.error
    return answer


def _listed(statement: Statement) -> dict[str, Any]:
    answer = {
        "Id": statement.id,
        "Status": statement.status,
        "CreatedAt": statement.created,
        "UpdatedAt": statement.updated,
        "IsBatchStatement": statement.batch,
    }
    answer |= {"QueryStrings": list(statement.sqls)} if statement.batch else {"QueryString": statement.sqls[0]}
    if name := statement.request.get("StatementName"):
        answer["StatementName"] = name
    return answer


def _result(statement: Statement, number: int | None) -> Result | None:
    if statement.status != "FINISHED" or (number is None and statement.batch):
        return None
    return statement.results[number or 0]
