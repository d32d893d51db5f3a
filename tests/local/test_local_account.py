"""What the AWS CLI's lists show is what there is and what ran; what there is none of is refused by name."""

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local import provision
from local.aws import context
from local.aws.dispatch import refusal
from local.server import LocalAws
from tests.support import ROOT
from tests.support.admin_api import finished

NAME = "disaster-tweets-local"
NAMES = [NAME, f"{NAME}-jobs", f"{NAME}-reconcile", f"{NAME}-transform"]
TOPIC = f"arn:aws:sns:us-east-1:123456789012:{NAME}"


def test_functions_are_listed_as_chalice_makes_them(stack: LocalAws) -> None:
    found = {each["FunctionName"]: each for each in boto3.client("lambda").list_functions()["Functions"]}
    assert sorted(set(found) & set(NAMES)) == NAMES
    transform = found[f"{NAME}-transform"]
    assert (transform["Handler"], transform["Timeout"], transform["MemorySize"]) == ("app.transform", 300, 1769)
    assert transform["Environment"]["Variables"] == {"STAGE": "local"}
    assert boto3.client("lambda").get_function(FunctionName=f"{NAME}-jobs")["Configuration"]["Handler"] == "app.run_job"


def test_the_function_of_the_api_can_be_invoked(stack: LocalAws) -> None:
    event = {
        "httpMethod": "GET",
        "resource": "/",
        "path": "/",
        "headers": {},
        "multiValueHeaders": {},
        "pathParameters": {},
        "multiValueQueryStringParameters": None,
        "requestContext": {"httpMethod": "GET", "resourcePath": "/", "identity": {}, "requestId": "1", "path": "/"},
        "body": None,
        "isBase64Encoded": False,
        "stageVariables": None,
    }
    answer = boto3.client("lambda").invoke(FunctionName=NAME, Payload=json.dumps(event).encode())
    assert json.load(answer["Payload"])["statusCode"] == 200


def test_what_a_function_logs_is_in_its_log_group(stack: LocalAws) -> None:
    logs = boto3.client("logs")
    groups = {each["logGroupName"] for each in logs.describe_log_groups()["logGroups"]}
    assert {context.log_group(name) for name in NAMES} <= groups
    finished(stack.admin_url, "/reconciliations")
    group = f"/aws/lambda/{NAME}-reconcile"
    (stream,) = logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert stream["lastEventTimestamp"] >= stream["firstEventTimestamp"]
    said = [each["message"] for each in logs.filter_log_events(logGroupName=group, startTime=1)["events"]]
    written = (stack.home / "logs" / "reconcile.log").read_text().splitlines()
    assert said
    assert set(said) <= set(written)


@pytest.mark.parametrize(
    ("function", "rate"), [("reconcile", "rate(1 minute)"), ("collect", "rate(1 minute)"), ("erase", "rate(1 hour)")]
)
def test_a_schedule_is_a_rule_with_its_target(stack: LocalAws, function: str, rate: str) -> None:
    events = boto3.client("events")
    (rule,) = [each for each in events.list_rules()["Rules"] if each["Name"] == f"{NAME}-{function}-event"]
    assert (rule["ScheduleExpression"], rule["State"]) == (rate, "ENABLED")
    (target,) = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    assert target["Arn"] == context.arn(f"{NAME}-{function}")


def test_the_alarms_are_those_of_the_data_plane(stack: LocalAws) -> None:
    found = {each["AlarmName"]: each for each in boto3.client("cloudwatch").describe_alarms()["MetricAlarms"]}
    page = (ROOT / "docs" / "operations.md").read_text()
    mine = {name.removeprefix(f"{NAME}-") for name in found if name.startswith(NAME)}
    assert mine == {each["AlarmName"].removeprefix(f"{NAME}-") for each in provision.alarms(TOPIC)}
    assert {"lost-tweets", "rejected-share"} <= mine
    assert [name for name in mine if f"| `{name}` |" not in page] == []
    lost = found[f"{NAME}-lost-tweets"]
    assert (lost["MetricName"], lost["Threshold"], lost["AlarmActions"]) == ("Lost", 0.0, [TOPIC])


def test_what_the_topic_is_sent_can_be_read(stack: LocalAws) -> None:
    boto3.client("sns").publish(TopicArn=TOPIC, Subject="Lost tweets", Message="3 tweets can't be put back")
    sqs = boto3.client("sqs")
    queue = sqs.get_queue_url(QueueName=f"{NAME}-alerts")["QueueUrl"]
    found: list[str] = []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        found += [json.loads(each["Body"])["Message"] for each in messages]
    assert "3 tweets can't be put back" in found


# ------------------------------------------------------------------ what there is none of


@pytest.mark.parametrize("target", [{"WorkgroupName": "other"}, {"ClusterIdentifier": "other"}])
def test_an_unknown_warehouse_is_refused(stack: LocalAws, target: dict[str, Any]) -> None:
    api = boto3.client("redshift-data")
    for call in (
        lambda: api.execute_statement(Sql="SELECT 1", Database="tweets", **target),
        lambda: api.batch_execute_statement(Sqls=["SELECT 1"], Database="tweets", **target),
        lambda: api.list_tables(Database="tweets", **target),
    ):
        with pytest.raises(ClientError, match=r"ValidationException.*Redshift endpoint doesn't exist in this region"):
            call()


def test_an_unknown_database_is_refused(stack: LocalAws) -> None:
    api = boto3.client("redshift-data")
    with pytest.raises(ClientError, match=r'ValidationException.*database "twets" does not exist'):
        api.execute_statement(Sql="SELECT 1", WorkgroupName=NAME, Database="twets")
    assert api.list_databases(WorkgroupName=NAME, Database="tweets")["Databases"] == ["tweets"]


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        ("redshift-serverless", "list_workgroups", {}),  # JSON
        ("iot-data", "list_retained_messages", {}),  # REST with JSON
        ("cloudsearch", "list_domain_names", {}),  # a form, answered in XML
        ("ssm", "describe_activations", {}),  # services that there are, without this operation
        ("sns", "list_origination_numbers", {}),
    ],
)
def test_what_is_not_done_here_is_one_clear_error(
    stack: LocalAws, service: str, operation: str, arguments: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    client = boto3.client(service)  # type: ignore[call-overload]
    with pytest.raises(ClientError) as refused:
        getattr(client, operation)(**arguments)
    assert refused.value.response["Error"]["Code"] == "NotImplemented"
    assert "The local AWS does not do" in refused.value.response["Error"]["Message"]
    assert "Traceback" not in capfd.readouterr().err


def test_a_request_that_says_nothing_of_itself_is_answered_too() -> None:
    answer = refusal({"REQUEST_METHOD": "GET", "PATH_INFO": "/a"})
    assert answer.status_code == 501
    assert "GET /a" in answer.get_data(as_text=True)
