"""The Redshift Data API over the wire, as boto3 sees it."""

import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from chalicelib.warehouse import data_api

TARGET = {"WorkgroupName": "disaster-tweets-local", "Database": "tweets"}


@pytest.fixture(scope="module")
def api(stack: Any) -> Any:
    return boto3.client("redshift-data", endpoint_url=stack.endpoint_url)


def ended(api: Any, statement_id: str) -> dict[str, Any]:
    found: dict[str, Any] = {"Status": "SUBMITTED"}
    while found["Status"] in ("SUBMITTED", "PICKED", "STARTED"):
        found = api.describe_statement(Id=statement_id, WaitTimeSeconds=5)
    return found


def test_a_statement_finishes_and_gives_its_rows(api: Any) -> None:
    done = ended(api, api.execute_statement(Sql="SELECT 1 AS a, 'x' AS b, NULL AS c", **TARGET)["Id"])
    assert (done["Status"], done["HasResultSet"], done["ResultRows"]) == ("FINISHED", True, 1)
    result = api.get_statement_result(Id=done["Id"])
    assert [column["name"] for column in result["ColumnMetadata"]] == ["a", "b", "c"]
    assert result["Records"] == [[{"longValue": 1}, {"stringValue": "x"}, {"isNull": True}]]


def test_a_statement_that_fails_says_why(api: Any) -> None:
    done = ended(api, api.execute_statement(Sql="SELECT * FROM nowhere", **TARGET)["Id"])
    assert (done["Status"], done["Error"]) == ("FAILED", 'ERROR: relation "nowhere" does not exist')
    with pytest.raises(ClientError, match="does not have result"):
        api.get_statement_result(Id=done["Id"])


def test_a_batch_is_one_transaction_and_its_parts_can_be_read(api: Any) -> None:
    sqls = ["CREATE TEMP TABLE a AS SELECT 1 AS n", "SELECT n FROM a", "SELECT n + 1 AS m FROM a"]
    done = ended(api, api.batch_execute_statement(Sqls=sqls, **TARGET)["Id"])
    assert [part["Status"] for part in done["SubStatements"]] == ["FINISHED"] * 3
    assert api.get_statement_result(Id=f"{done['Id']}:3")["Records"] == [[{"longValue": 2}]]
    broken = ["CREATE TABLE public.kept_not (a INTEGER)", "SELECT * FROM nowhere", "SELECT 1"]
    failed = ended(api, api.batch_execute_statement(Sqls=broken, **TARGET)["Id"])
    assert [part["Status"] for part in failed["SubStatements"]] == ["ABORTED", "FAILED", "ABORTED"]
    assert "nowhere" in failed["SubStatements"][1]["Error"]
    lost = ended(api, api.execute_statement(Sql="SELECT * FROM public.kept_not", **TARGET)["Id"])
    assert lost["Status"] == "FAILED"


def test_the_same_token_runs_once(api: Any) -> None:
    ids = {api.execute_statement(Sql="SELECT 1", ClientToken="once", **TARGET)["Id"] for _ in range(3)}
    assert len(ids) == 1


def test_parameters_are_all_given_and_all_used(api: Any) -> None:
    one = [{"name": "a", "value": "1"}]
    for sql, parameters in (("SELECT :a, :b", one), ("SELECT 1", one), ("COPY t FROM 's3://b/k' IAM_ROLE 'r'", one)):
        with pytest.raises(ClientError, match="ValidationException"):
            api.execute_statement(Sql=sql, Parameters=parameters, **TARGET)


def test_limits_are_those_of_aws(api: Any) -> None:
    with pytest.raises(ClientError, match="ValidationException"):
        api.execute_statement(Sql="SELECT '" + "x" * 100_000 + "'", **TARGET)
    with pytest.raises(ClientError):
        api.batch_execute_statement(Sqls=["SELECT 1"] * 41, **TARGET)
    with pytest.raises(ClientError, match="Exactly one"):
        api.execute_statement(Sql="SELECT 1", Database="tweets")
    with pytest.raises(api.exceptions.ResourceNotFoundException, match="Query does not exist"):
        api.describe_statement(Id="00000000-0000-0000-0000-000000000000")


def test_a_running_statement_can_be_cancelled_and_an_ended_one_not(api: Any) -> None:
    endless = "SELECT COUNT(*) FROM range(100000000) AS a, range(100000) AS b"
    running = api.execute_statement(Sql=endless, **TARGET)["Id"]
    while api.describe_statement(Id=running)["Status"] == "SUBMITTED":
        time.sleep(0.01)
    assert api.cancel_statement(Id=running)["Status"] is True
    assert ended(api, running)["Status"] == "ABORTED"
    with pytest.raises(ClientError, match="already in ABORTED state"):
        api.cancel_statement(Id=running)


def test_statements_are_listed_newest_first(api: Any) -> None:
    for n in range(3):
        ended(api, api.execute_statement(Sql=f"SELECT {n}", StatementName="listed", **TARGET)["Id"])
    listed = api.list_statements(StatementName="listed")["Statements"]
    assert [each["QueryString"] for each in listed] == ["SELECT 2", "SELECT 1", "SELECT 0"]


def test_long_results_come_in_pages() -> None:
    rows = data_api.query("SELECT range AS n FROM range(2500) ORDER BY 1")
    assert [row["n"] for row in rows] == list(range(2500))


def test_a_row_of_a_result_has_up_to_64_kb() -> None:
    assert len(data_api.query("SELECT REPEAT('x', 65536) AS a")[0]["a"]) == 65_536
    with pytest.raises(data_api.WarehouseError, match="exceeds 65536 bytes"):
        data_api.query("SELECT REPEAT('x', 40000) AS a, REPEAT('é', 20000) AS b")


def test_values_keep_their_types() -> None:
    (row,) = data_api.query(
        "SELECT CAST(1.50 AS DECIMAL(5, 2)) AS d, SUM(n) AS s, TRUE AS b, 0.5::FLOAT8 AS f, DATE '2026-01-02' AS day,"
        " CAST('2026-01-02 03:04:05.120' AS TIMESTAMP) AS t, JSON_PARSE('{\"a\": [1]}') AS j"
        " FROM (SELECT 9000000000 AS n UNION ALL SELECT 1) AS x"
    )
    assert row == {
        "d": Decimal("1.50"),
        "s": 9_000_000_001,
        "b": True,
        "f": 0.5,
        "day": datetime(2026, 1, 2, tzinfo=UTC).date(),
        "t": datetime(2026, 1, 2, 3, 4, 5, 120_000, UTC),
        "j": {"a": [1]},
    }


def test_a_lost_statement_is_lost_to_the_client_whether_it_ran_or_not(stack: Any) -> None:
    data_api.run(["CREATE TABLE public.lost (n INTEGER)"])
    stack.faults.set({"statement_lost": 1.0}, seed=3)
    try:
        for n in range(8):
            with pytest.raises(data_api.StatementLostError):
                data_api.run([f"INSERT INTO public.lost VALUES ({n})"])
    finally:
        stack.faults.set({})
    time.sleep(0.2)
    assert data_api.query("SELECT COUNT(*) AS n FROM public.lost")[0]["n"] == 4


def test_what_is_there_can_be_listed(api: Any) -> None:
    assert "disaster" in api.list_schemas(**TARGET)["Schemas"]
    assert api.list_schemas(SchemaPattern="disas%", **TARGET)["Schemas"] == ["disaster"]
    found = api.list_tables(SchemaPattern="disaster", TablePattern="tweet%", **TARGET)["Tables"]
    assert {"schema": "disaster", "name": "tweet", "type": "VIEW"} in found
    assert {"schema": "disaster", "name": "tweet_file", "type": "TABLE"} in found
    pages = api.get_paginator("list_tables").paginate(
        SchemaPattern="disaster", PaginationConfig={"PageSize": 2}, **TARGET
    )
    assert len([table for page in pages for table in page["Tables"]]) > 2


def test_a_table_is_described(api: Any) -> None:
    found = api.describe_table(Schema="disaster", Table="disaster_tweets", **TARGET)["ColumnList"]
    assert found[0]["name"] == "original_text"
    by_name = {column["name"]: column for column in found}
    assert (by_name["tweet_key"]["typeName"], by_name["tweet_key"]["length"]) == ("varchar", 32)
    assert (by_name["keywords"]["typeName"], by_name["keywords"]["nullable"]) == ("super", 1)
    assert by_name["s3_line"]["nullable"] == 0


def test_a_request_may_wait_for_its_end(api: Any) -> None:
    assert api.execute_statement(Sql="SELECT 1", WaitTimeSeconds=30, **TARGET)["Status"] == "FINISHED"


@pytest.mark.parametrize("option", [{"ResultFormat": "CSV"}, {"SessionKeepAliveSeconds": 60}])
def test_what_it_does_not_do_it_says(api: Any, option: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match=f"does not do {next(iter(option))}"):
        api.execute_statement(Sql="SELECT 1", **option, **TARGET)


def test_a_page_that_nobody_has_named_is_refused(api: Any) -> None:
    with pytest.raises(ClientError, match="NextToken is not one"):
        api.list_statements(NextToken="elsewhere")
