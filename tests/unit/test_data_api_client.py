"""A statement for Redshift is submitted once, waited for, and run again only where that is right and can do no harm."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from chalicelib import clients
from chalicelib.settings import Settings
from chalicelib.warehouse import data_api
from tests.support.aws_in_memory import client_error

SERVERLESS = Settings("local", "bucket", "stream", "tweets", "arn:aws:iam::123456789012:role/copy", workgroup="group")
PROVISIONED = Settings("local", "bucket", "stream", "tweets", "arn:aws:iam::123456789012:role/copy", cluster="cluster")
UNDONE = {"Status": "FAILED", "Error": "ERROR: 1023 Detail: Serializable isolation violation on table - 104"}
FINISHED = {"Status": "FINISHED"}


class DataApi:
    """The Data API and the clock. `answers` is how each statement ends, the last one again and again."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.submitted: list[dict[str, Any]] = []
        self.described: list[dict[str, Any]] = []
        self.answers: list[dict[str, Any] | Exception] = [FINISHED]
        self.busy: list[Exception] = []
        self.pages: list[dict[str, Any]] = []

    def _submit(self, **given: Any) -> dict[str, str]:
        if self.busy:
            raise self.busy.pop(0)
        self.submitted.append(given)
        return {"Id": f"s{len(self.submitted)}"}

    execute_statement = batch_execute_statement = _submit

    def describe_statement(self, **given: Any) -> dict[str, Any]:
        self.described.append(given)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def get_paginator(self, name: str) -> Any:
        assert name == "get_statement_result"
        return self

    def paginate(self, Id: str) -> Iterator[dict[str, Any]]:
        assert Id == f"s{len(self.submitted)}"
        yield from self.pages

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    @property
    def tokens(self) -> list[str]:
        return [given["ClientToken"] for given in self.submitted]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> DataApi:
    found = DataApi()
    monkeypatch.setattr(clients, "redshift_data", lambda: found)
    monkeypatch.setattr(data_api, "settings", lambda: SERVERLESS)
    monkeypatch.setattr(data_api, "_can_wait", lambda: True)
    monkeypatch.setattr(time, "monotonic", lambda: found.now)
    monkeypatch.setattr(time, "sleep", found.sleep)
    return found


# ------------------------------------------------------------------ what is submitted


def test_statements_go_as_one_transaction_with_their_parameters_to_the_workgroup(api: DataApi) -> None:
    assert data_api.run(["SELECT :a", "SELECT 2"], {"a": "1"}, token="mine") == "s1"
    assert api.submitted == [
        {
            "Sqls": ["SELECT :a", "SELECT 2"],
            "ClientToken": "mine",
            "WorkgroupName": "group",
            "Database": "tweets",
            "Parameters": [{"name": "a", "value": "1"}],
        }
    ]


def test_a_query_without_parameters_names_none_for_the_data_api_refuses_an_empty_list(api: DataApi) -> None:
    assert data_api.query("SELECT 1") == []
    data_api.query("SELECT :a", {"a": "1"})
    assert "Parameters" not in api.submitted[0]
    assert (api.submitted[0]["Sql"], api.submitted[1]["Parameters"]) == ("SELECT 1", [{"name": "a", "value": "1"}])


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        (PROVISIONED, {"ClusterIdentifier": "cluster"}),
        (
            Settings("local", "b", "s", "tweets", "r", cluster="cluster", database_user="app"),
            {"ClusterIdentifier": "cluster", "DbUser": "app"},
        ),
    ],
)
def test_a_provisioned_cluster_is_named_with_its_user_if_it_has_one(
    api: DataApi, monkeypatch: pytest.MonkeyPatch, settings: Settings, wanted: dict[str, str]
) -> None:
    monkeypatch.setattr(data_api, "settings", lambda: settings)
    data_api.run(["SELECT 1"])
    [given] = api.submitted
    assert {k: v for k, v in given.items() if k not in ("Sqls", "ClientToken")} == {"Database": "tweets", **wanted}


def test_without_a_warehouse_in_the_settings_it_says_how_to_get_one(
    api: DataApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_api, "settings", lambda: Settings("local", "b", "s", "tweets", "r"))
    with pytest.raises(data_api.WarehouseError, match="make deploy"):
        data_api.run(["SELECT 1"])


def test_what_the_data_api_would_refuse_is_not_submitted(api: DataApi) -> None:
    data_api.run(["SELECT 1"] * 40)
    data_api.run(["x" * 100_000])
    for statements in (["SELECT 1"] * 41, ["SELECT 1", "é" * 50_000 + "x"]):
        with pytest.raises(ValueError, match="up to 40 statements of up to 100000 bytes"):
            data_api.run(statements)
    assert len(api.submitted) == 2


def test_each_call_has_a_token_of_its_own(api: DataApi) -> None:
    data_api.run(["SELECT 1"])
    data_api.run(["SELECT 1"])
    assert len(set(api.tokens)) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", token) for token in api.tokens)


# ------------------------------------------------------------------ run again


@pytest.mark.parametrize("message", data_api.CONFLICTS)
def test_what_another_transaction_undid_is_run_again_under_another_token(api: DataApi, message: str) -> None:
    """Under the same token the Data API would answer with the statement that failed."""
    failed = {"Status": "FAILED", "Error": f"ERROR: {message.upper()}"}
    api.answers = [failed, failed, FINISHED]
    assert data_api.run(["SELECT 1"], token="t" * 64) == "s3"
    assert len(set(api.tokens)) == 3
    assert api.tokens[0] == "t" * 64
    assert all(len(token) <= 64 for token in api.tokens)


def test_after_five_attempts_the_conflict_is_the_error(api: DataApi) -> None:
    api.answers = [UNDONE]
    with pytest.raises(data_api.WarehouseError, match=r"1023.*\(statement s5\)"):
        data_api.run(["SELECT 1"])
    assert len(api.submitted) == data_api.ATTEMPTS == 5


def test_a_conflict_is_not_tried_again_once_the_time_is_over(api: DataApi) -> None:
    api.answers = [UNDONE]
    with pytest.raises(data_api.WarehouseError, match="1023"):
        data_api.run(["SELECT 1"], patience=-1.0)
    assert len(api.submitted) == 1


@pytest.mark.parametrize(
    "ended", [{"Status": "FAILED", "Error": 'ERROR: relation "x" does not exist'}, {"Status": "ABORTED"}]
)
def test_any_other_failure_is_final(api: DataApi, ended: dict[str, Any]) -> None:
    api.answers = [ended]
    with pytest.raises(data_api.WarehouseError, match=ended.get("Error", "The statement was aborted")) as raised:
        data_api.run(["SELECT 1"])
    assert len(api.submitted) == 1
    assert type(raised.value) is data_api.WarehouseError
    assert raised.value.statement_id == "s1"


def test_the_statement_to_blame_is_told(api: DataApi) -> None:
    parts = [{"Status": "FINISHED"}, {"Status": "FAILED", "Error": "ERROR: no"}, {"Status": "ABORTED"}]
    for answer, message in (
        ({"SubStatements": parts}, "Statement 2 of 3: ERROR: no"),
        ({"SubStatements": [{"Status": "FAILED"}], "Error": "whole"}, "Statement 1 of 1: whole"),
        ({"SubStatements": [{"Status": "FAILED"}]}, "Statement 1 of 1: no message"),
        ({"SubStatements": [{"Status": "ABORTED"}], "Error": "whole"}, "whole"),
    ):
        api.answers = [{"Status": "FAILED", **answer}]
        with pytest.raises(data_api.WarehouseError, match=f"^{message} ") as raised:
            data_api.run(["SELECT 1"])
        assert raised.value.statement_id in str(raised.value)


@pytest.mark.parametrize("code", ["ActiveStatementsExceededException", "ActiveSessionsExceededException"])
def test_a_data_api_that_is_busy_is_asked_again_with_the_same_token(api: DataApi, code: str) -> None:
    tokens: list[str] = []
    submit = api._submit

    def noted(**given: Any) -> dict[str, str]:
        tokens.append(given["ClientToken"])
        return submit(**given)

    api.batch_execute_statement = noted  # type: ignore[method-assign]
    api.busy = [client_error(code)] * 3
    assert data_api.run(["SELECT 1"]) == "s1"
    assert len(tokens) == 4
    assert len(set(tokens)) == 1


def test_a_data_api_that_stays_busy_is_an_error_of_its_own_or_after_the_time_the_one_it_gave(api: DataApi) -> None:
    api.busy = [client_error("ActiveStatementsExceededException")] * 1000
    with pytest.raises(Exception, match="ActiveStatementsExceededException"):
        data_api.run(["SELECT 1"], patience=5.0)
    api.busy = [client_error("ActiveStatementsExceededException")] * 60
    with pytest.raises(data_api.StillRunningError, match="try again later"):
        data_api.run(["SELECT 1"], patience=1e6)
    api.busy = [client_error("ActiveStatementsExceededException")] * 59
    assert data_api.run(["SELECT 1"], patience=1e6) == "s1"


def test_another_refusal_is_raised_at_once(api: DataApi) -> None:
    api.busy = [client_error("ValidationException")]
    with pytest.raises(Exception, match="ValidationException"):
        data_api.run(["SELECT 1"])
    assert api.submitted == []


# ------------------------------------------------------------------ waited for


def test_it_waits_on_redshifts_side_up_to_what_a_call_may_and_what_is_left(api: DataApi) -> None:
    api.answers = [{"Status": "STARTED"}, {"Status": "STARTED"}, FINISHED]
    data_api.run(["SELECT 1"], patience=45.0)
    data_api.run(["SELECT 1"], patience=12.9)
    data_api.run(["SELECT 1"], patience=0.9)
    assert [given.get("WaitTimeSeconds") for given in api.described] == [30, 30, 30, 12, None]
    assert [given["Id"] for given in api.described] == ["s1", "s1", "s1", "s2", "s3"]


def test_what_is_not_done_in_time_still_runs_and_has_not_failed(api: DataApi) -> None:
    """Whoever takes it for failed may do it twice."""
    api.answers = [{"Status": "STARTED"}]
    with pytest.raises(data_api.StillRunningError, match=r"Not done in time \(STARTED\) \(statement s1\)"):
        data_api.run(["SELECT 1"], patience=10.0)
    assert len(api.submitted) == 1
    assert api.now == pytest.approx(1010.0)


def test_pauses_between_questions_grow_to_two_seconds(api: DataApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_api, "_can_wait", lambda: False)
    pauses: list[float] = []
    sleep: Callable[[float], None] = api.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: (pauses.append(seconds), sleep(seconds)))
    api.answers = [{"Status": "PICKED"}]
    with pytest.raises(data_api.StillRunningError):
        data_api.run(["SELECT 1"], patience=30.0)
    assert pauses[:3] == pytest.approx([0.02, 0.03, 0.045])
    assert max(pauses) == 2.0
    assert sum(pauses) == pytest.approx(30.0)
    assert not any("WaitTimeSeconds" in given for given in api.described)


def test_pauses_before_another_attempt_grow_to_ten_seconds(api: DataApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: low + high)
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    api.busy = [client_error("ActiveStatementsExceededException")] * 8
    data_api.run(["SELECT 1"])
    assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_where_too_many_wait_already_it_asks_without_waiting(api: DataApi) -> None:
    api.answers = [client_error("ActiveWaitingRequestsExceededException"), FINISHED]
    data_api.run(["SELECT 1"])
    assert ["WaitTimeSeconds" in given for given in api.described] == [True, False]
    assert {given["Id"] for given in api.described} == {"s1"}


def test_a_statement_that_the_data_api_forgot_is_lost_and_another_error_is_itself(api: DataApi) -> None:
    api.answers = [client_error("ResourceNotFoundException")]
    with pytest.raises(data_api.StatementLostError, match=r"statement s1") as raised:
        data_api.run(["SELECT 1"])
    assert raised.value.statement_id == "s1"
    for code in ("AccessDeniedException", "ActiveWaitingRequestsExceededException"):
        api.answers = [client_error(code)]
        with pytest.raises(Exception, match=code):
            data_api.run(["SELECT 1"])


# ------------------------------------------------------------------ read


def column(name: str, kind: str, scale: int = 0) -> dict[str, Any]:
    return {"name": name, "typeName": kind, "scale": scale}


def test_values_are_read_by_the_types_of_their_columns(api: DataApi) -> None:
    columns = [
        column("whole", "numeric"),
        column("part", "DECIMAL", 2),
        column("zoned", "timestamptz"),
        column("day", "date"),
        column("words", "super"),
        column("text", "varchar"),
        {"name": "bare"},
        column("tenths", "numeric", 1),
        column("moment", "timestamp"),
    ]
    values: list[dict[str, Any]] = [
        {"stringValue": "9000000001"},
        {"stringValue": "1.50"},
        {"stringValue": "2026-01-02 03:04:05+02"},
        {"stringValue": "2026-01-02"},
        {"stringValue": '[{"a": 1}]', "isNull": False},
        {"stringValue": "x"},
        {"longValue": 0},
        {"stringValue": "2.5"},
        {"stringValue": "2026-01-02 01:04:05"},
    ]
    api.pages = [
        {"ColumnMetadata": columns, "Records": [values]},
        {"ColumnMetadata": columns, "Records": [[{"isNull": True}] * 9]},
    ]
    first, second = data_api.query("SELECT 1")
    moment = datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)
    wanted = [9_000_000_001, Decimal("1.50"), moment, moment.date(), [{"a": 1}], "x", 0, Decimal("2.5"), moment]
    assert list(first.values()) == wanted
    assert list(map(type, first.values())) == list(map(type, wanted))
    assert first["zoned"].utcoffset().total_seconds() == 0
    assert set(second.values()) == {None}


def test_two_columns_of_one_name_are_an_error_for_a_row_could_hold_only_one(api: DataApi) -> None:
    api.pages = [{"ColumnMetadata": [{"name": "a"}, {"name": "a"}], "Records": []}]
    with pytest.raises(ValueError, match="Columns of the same name: a, a"):
        data_api.query("SELECT 1 AS a, 2 AS a")


def test_a_table_has_both_columns_of_one_name_and_the_rows_of_all_pages(api: DataApi) -> None:
    names = [{"name": "a"}, {"name": "a"}]
    api.pages = [
        {"ColumnMetadata": names, "Records": [[{"longValue": 1}, {"longValue": 2}]]},
        {"ColumnMetadata": names, "Records": [[{"longValue": 3}, {"longValue": 4}]]},
    ]
    assert data_api.table_of(data_api.execute("SELECT 1 AS a, 2 AS a")) == (["a", "a"], [[1, 2], [3, 4]])


def test_results_that_are_gone_are_lost_and_another_error_is_itself(
    api: DataApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(Id: str) -> Iterator[dict[str, Any]]:
        raise error
        yield {}

    monkeypatch.setattr(api, "paginate", fails)
    error = client_error("ResourceNotFoundException")
    with pytest.raises(data_api.StatementLostError):
        data_api.query("SELECT 1")
    error = client_error("AccessDeniedException")
    with pytest.raises(ClientError, match="AccessDenied"):
        data_api.query("SELECT 1")


def test_a_boto3_that_knows_how_to_wait_is_made_to(monkeypatch: pytest.MonkeyPatch) -> None:
    real = boto3.client("redshift-data", region_name="us-east-1")
    monkeypatch.setattr(clients, "redshift_data", lambda: real)
    assert data_api._can_wait.__wrapped__() is True
