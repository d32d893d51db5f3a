"""infra/data-plane.yaml: what linters miss, and what has to agree with the code."""

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from chalicelib.columns import NAMES
from chalicelib.settings import Settings
from chalicelib.warehouse import copy
from infra.conformance.deployment import CREATE_ONLY
from infra.stages import Stage
from tests.support import ROOT
from tests.support.infra_templates import DATA_PLANE, bundle, data_plane, of_type, translated

STREAM = "AWS::KinesisFirehose::DeliveryStream"
ALARM = "AWS::CloudWatch::Alarm"


def lint(template: Path) -> str:
    """What cfn-lint says; nothing when all is well."""
    from cfnlint.api import lint_file  # type: ignore[import-untyped]  # slow to import
    from cfnlint.config import ManualArgs  # type: ignore[import-untyped]

    return "\n".join(map(str, lint_file(template, config=ManualArgs(regions=["us-east-1"]))))


def stream(**parameters: str) -> dict[str, Any]:
    """The one delivery stream there is."""
    ((_, properties),) = of_type(data_plane(**parameters), STREAM).items()
    return dict(properties)


def into_redshift() -> dict[str, Any]:
    destination: dict[str, Any] = stream(Delivery="firehose")["RedshiftDestinationConfiguration"]
    return destination


# ---- linters


def test_cfn_lint_finds_nothing_in_the_data_plane() -> None:
    assert lint(DATA_PLANE) == ""


def test_cfn_lint_finds_nothing_in_what_chalice_packages(tmp_path: Path) -> None:
    template = tmp_path / "translated.json"
    template.write_text(json.dumps(translated()))
    assert lint(template) == ""


def test_cfn_lint_would_find_a_slip(tmp_path: Path) -> None:
    slip = tmp_path / "slip.yaml"
    slip.write_text(DATA_PLANE.read_text().replace("S3BackupMode: Enabled", "S3BackupMode: Sometimes", 1))
    assert "E3030" in lint(slip)


# ---- the streams


def test_firehose_copies_with_the_options_that_the_reconciler_uses() -> None:
    assert into_redshift()["CopyCommand"]["CopyOptions"] == copy.OPTIONS


def test_firehose_copies_the_columns_that_the_transform_writes() -> None:
    command = into_redshift()["CopyCommand"]
    assert command["DataTableColumns"].split(",") == list(NAMES)
    assert command["DataTableName"] == "disaster.disaster_tweets"


def test_what_redshift_as_a_destination_asks_for() -> None:
    """docs.aws.amazon.com/firehose/latest/APIReference/API_RedshiftDestinationConfiguration.html"""
    destination = into_redshift()
    assert destination["S3Configuration"]["CompressionFormat"] == "GZIP"  # COPY can't read Snappy
    for place in (destination["S3Configuration"], destination["S3BackupConfiguration"]):
        # Neither is supported for this destination: docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
        assert "!{" not in place["Prefix"] and "ErrorOutputPrefix" not in place
    assert destination["SecretsManagerConfiguration"]["Enabled"] is True
    assert "Password" not in destination


@pytest.mark.parametrize("delivery", ["firehose", "reconcile"])
@pytest.mark.parametrize("source", ["DirectPut", "Kinesis"])
def test_the_stream_has_one_name_and_one_destination_whichever_the_delivery(delivery: str, source: str) -> None:
    """docs.aws.amazon.com/firehose/latest/APIReference/API_UpdateDestination.html: its type can be changed in place."""
    made = data_plane(Delivery=delivery, Source=source)
    assert set(of_type(made, STREAM)) == {"Stream"}
    properties = made["Stream"]["Properties"]
    assert properties["DeliveryStreamName"] == {"Fn::Sub": "disaster-tweets-${Stage}"}
    kinds = {name for name in properties if name.endswith("DestinationConfiguration")}
    expected = "RedshiftDestinationConfiguration" if delivery == "firehose" else "ExtendedS3DestinationConfiguration"
    assert kinds == {expected}


def test_what_is_create_only_is_what_the_schema_says() -> None:
    """A change of source makes the stream anew, so it is refused and told; a change of delivery must not."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # type: ignore[import-untyped]

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", "AWS::KinesisFirehose::DeliveryStream").schema
    said = {name.removeprefix("/properties/") for name in schema["createOnlyProperties"]}
    assert {name for name in said if "/" not in name} == set(CREATE_ONLY)
    assert not {name.split("/")[0] for name in said if "/" in name} & set(data_plane()["Stream"]["Properties"])
    direct, kinesis = (data_plane(Source=source)["Stream"]["Properties"] for source in ("DirectPut", "Kinesis"))
    assert {name for name in CREATE_ONLY if direct.get(name) != kinesis.get(name)} == {
        "DeliveryStreamType",
        "KinesisStreamSourceConfiguration",
    }


def test_the_default_delivery_is_the_one_that_the_code_takes_for_the_default() -> None:
    default = data_plane()["DeliverySetting"]["Properties"]["Value"]
    assert default == "reconcile" == Stage("dev", {}).delivery == Settings("dev", "b", "s", "d", "r").delivery


@pytest.mark.parametrize("delivery", ["firehose", "reconcile"])
@pytest.mark.parametrize("source", ["DirectPut", "Kinesis"])
def test_either_delivery_of_either_source_transforms_backs_up_and_logs(delivery: str, source: str) -> None:
    made = stream(Delivery=delivery, Source=source)
    destination = made.get("RedshiftDestinationConfiguration") or made["ExtendedS3DestinationConfiguration"]
    files = destination.get("S3Configuration", destination)
    ((processor,),) = [destination["ProcessingConfiguration"]["Processors"]]
    set_to = {each["ParameterName"]: each["ParameterValue"] for each in processor["Parameters"]}
    assert "function:disaster-tweets-${Stage}-transform" in set_to["LambdaArn"]["Fn::Sub"]
    assert float(set_to["BufferSizeInMBs"]) <= 3
    assert destination["S3BackupMode"] == "Enabled"
    assert destination["S3BackupConfiguration"]["Prefix"] == "source/"
    assert files["Prefix"] == "delivery/"
    assert destination["CloudWatchLoggingOptions"]["Enabled"] is True
    kinesis = "KinesisStreamSourceConfiguration" in made
    assert kinesis == (source == "Kinesis") == (made["DeliveryStreamType"] == "KinesisStreamAsSource")
    assert ("DeliveryStreamEncryptionConfigurationInput" in made) != kinesis  # the source stream is encrypted itself


def test_the_default_grace_is_longer_than_any_tweet_file_is_on_its_way() -> None:
    """Else the reconciler would load what Firehose is about to load."""
    made, destination = data_plane(), into_redshift()
    grace = int(made["GraceSetting"]["Properties"]["Value"])
    buffered = 60 + int(destination["S3Configuration"]["BufferingHints"]["IntervalInSeconds"])
    assert grace > buffered + destination["RetryOptions"]["DurationInSeconds"]


# ---- nothing is open


def test_the_bucket_is_private_encrypted_versioned_and_keeps_what_matters() -> None:
    bucket = data_plane()["Bucket"]
    made = bucket["Properties"]
    assert set(made["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(made["PublicAccessBlockConfiguration"]) == 4
    assert made["BucketEncryption"] and made["VersioningConfiguration"] == {"Status": "Enabled"}
    assert bucket["DeletionPolicy"] == "RetainExceptOnCreate"  # a creation that is rolled back leaves no bucket
    expiring = {
        rule["Prefix"]: rule["ExpirationInDays"]
        for rule in made["LifecycleConfiguration"]["Rules"]
        if "Prefix" in rule and "ExpirationInDays" in rule
    }
    # never collect/ and deployed/, an object each, nor requests to erase
    assert {prefix: int(days) for prefix, days in expiring.items()} == {
        "tweets/": 760,
        "rejected/": 365,
        "classifier/": 3650,
        "delivery/2": 30,
        "delivery/manifests/": 30,
        "delivery/processing-failed/": 365,
        "delivery/errors/": 365,
        "source/": 90,
        "reports/work/": 7,
        "reports/": 365,
        "erasures/work/": 7,
        "erasures/list/": 760,
        "erasures/done/": 760,
    }
    without = [rule for rule in made["LifecycleConfiguration"]["Rules"] if "Prefix" not in rule]
    assert all("ExpirationInDays" not in rule for rule in without)


def test_the_bucket_is_reached_by_tls_alone() -> None:
    ((statement,),) = [data_plane()["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert len(statement["Resource"]) == 2  # the bucket, and the objects in it


def test_the_warehouse_is_public_only_for_firehose_and_only_where_firehose_copies() -> None:
    made = data_plane(Delivery="firehose", FirehoseAddresses="52.70.63.192/27")
    assert made["Workgroup"]["Properties"]["PubliclyAccessible"] is True
    assert made["Workgroup"]["Metadata"]["WaitsFor"] == {"Ref": "RouteOut"}  # or it could get no public address
    ((way_in,),) = [made["WarehouseAccess"]["Properties"]["SecurityGroupIngress"]]
    assert (way_in["FromPort"], way_in["ToPort"]) == (5439, 5439)
    assert way_in["CidrIp"] == "52.70.63.192/27"


def test_the_warehouse_is_private_where_the_reconciler_loads() -> None:
    made = data_plane()
    assert made["Workgroup"]["Properties"]["PubliclyAccessible"] is False
    assert "SecurityGroupIngress" not in made["WarehouseAccess"]["Properties"]
    assert {"Gateway", "RouteOut", "FirehoseLogin"}.isdisjoint(made)


@pytest.mark.parametrize("delivery", ["firehose", "reconcile"])
def test_nothing_else_is_public(delivery: str) -> None:
    made = data_plane(Delivery=delivery)
    text = json.dumps({name: each for name, each in made.items() if name != "Workgroup"})
    assert '"PubliclyAccessible": true' not in text
    for each in made.values():
        for statement in each.get("Properties", {}).get("PolicyDocument", {}).get("Statement", []):
            if statement["Effect"] == "Allow" and statement.get("Principal") == "*":
                assert each["Type"] == "AWS::EC2::VPCEndpoint"  # reached from within the VPC alone
    groups = of_type(made, "AWS::EC2::SecurityGroup")
    assert "0.0.0.0/0" not in json.dumps([group.get("SecurityGroupIngress", []) for group in groups.values()])


def test_the_warehouse_is_encrypted_and_its_admin_secret_managed() -> None:
    made = data_plane()
    assert made["Namespace"]["Properties"]["ManageAdminPassword"] is True
    assert "AdminUserPassword" not in made["Namespace"]["Properties"]
    assert made["Workgroup"]["Properties"]["EnhancedVpcRouting"] is True
    assert {"ParameterKey": "require_ssl", "ParameterValue": "true"} in made["Workgroup"]["Properties"][
        "ConfigParameters"
    ]


@pytest.mark.parametrize("delivery", ["firehose", "reconcile"])
def test_roles_trust_one_service_and_may_only_what_they_name(delivery: str) -> None:
    for name, role in of_type(data_plane(Delivery=delivery, Source="Kinesis"), "AWS::IAM::Role").items():
        for statement in role["AssumeRolePolicyDocument"]["Statement"]:
            assert "AWS" not in statement["Principal"], name
        for statement in (s for policy in role["Policies"] for s in policy["PolicyDocument"]["Statement"]):
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            assert not [action for action in actions if "*" in action], name
            assert statement["Resource"] != "*", name


def test_every_route_of_the_admin_api_declares_its_authorizer() -> None:
    api = of_type(json.loads(bundle().template.read_text())["Resources"], "AWS::Serverless::Api")["RestAPI"]
    definition = api["DefinitionBody"]
    assert definition["securityDefinitions"]["sigv4"]["x-amazon-apigateway-authtype"] == "awsSigv4"
    methods = [
        (path, method, each) for path, methods in definition["paths"].items() for method, each in methods.items()
    ]
    assert len(methods) > 10
    assert [(path, method) for path, method, each in methods if each.get("security") != [{"sigv4": []}]] == []


# ---- the code and the template agree


def test_the_settings_that_the_functions_read_are_those_that_are_written() -> None:
    written = set()
    for parameters in (
        {"Source": "Kinesis"},
        {"ExistingCluster": "c", "ExistingEndpoint": "c.example:5439", "DatabaseUser": "u"},
    ):
        for setting in of_type(data_plane(**parameters), "AWS::SSM::Parameter").values():
            written.add(setting["Name"]["Fn::Sub"].removeprefix("/disaster-tweets/${Stage}/"))
    assert written == {field.name for field in fields(Settings)} - {"stage"}


def test_the_alarms_of_the_issue_are_there_and_tell_somebody() -> None:
    alarms = of_type(data_plane(), "AWS::CloudWatch::Alarm")
    needed = {
        "LostTweets",
        "ReconcileIncomplete",
        "RejectedShare",
        "DeliveryFreshness",
        "TransformErrors",
        "TransformThrottles",
    }
    assert needed <= set(alarms)
    assert all(alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "Alerts"}] for alarm in alarms.values())
    assert alarms["ReconcileSilent"]["InsufficientDataActions"] == [{"Ref": "Alerts"}]
    notified = data_plane()["ComprehendCost"]["Properties"]["NotificationsWithSubscribers"]
    assert {each["Notification"]["NotificationType"] for each in notified} == {"ACTUAL", "FORECASTED"}


def in_our_namespace(alarm: dict[str, Any]) -> bool:
    return alarm.get("Namespace") == "DisasterTweets"


def test_alarms_watch_metrics_that_the_code_emits() -> None:
    watched = set(re.findall(r"Namespace: DisasterTweets,? *\n? *MetricName: (\w+)", DATA_PLANE.read_text()))
    watched |= {alarm["MetricName"] for alarm in of_type(data_plane(), ALARM).values() if in_our_namespace(alarm)}
    source = "".join(path.read_text() for path in (ROOT / "chalicelib").rglob("*.py"))
    assert watched == {
        "CollectGap",
        "CollectLag",
        "ErasureAge",
        "Lost",
        "BehindSeconds",
        "OldestSeconds",
        "Incomplete",
        "Rejected",
        "Tweets",
        "Fallbacks",
        "ServerErrors",
        "SituationsFailed",
    }
    assert [metric for metric in watched if f'"{metric}"' not in source] == []


def test_a_run_that_is_incomplete_once_is_no_alarm_and_an_hour_of_such_runs_is() -> None:
    alarm = data_plane()["ReconcileIncomplete"]["Properties"]
    assert alarm["EvaluationPeriods"] * alarm["Period"] == 3600 and alarm["Period"] == 900  # the schedule's 15 minutes
    assert (alarm["Statistic"], alarm["Threshold"]) == ("Maximum", 0)


def test_each_alarm_has_its_place_in_the_operators_page() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    alarms = of_type(data_plane(Delivery="firehose", Source="Kinesis"), "AWS::CloudWatch::Alarm").values()
    names = [alarm["AlarmName"]["Fn::Sub"].removeprefix("disaster-tweets-${Stage}-") for alarm in alarms]
    assert [name for name in [*names, "comprehend"] if f"`{name}`" not in page] == []


def test_what_exists_can_be_used_instead() -> None:
    made = data_plane(ExistingBucket="mine", ExistingWorkgroup="ours", ExistingEndpoint="ours.example:5439")
    assert {"Bucket", "BucketPolicy", "Namespace", "Workgroup", "Vpc", "WarehouseAccess", "Gateway"}.isdisjoint(made)
    assert made["BucketSetting"]["Properties"]["Value"] == "mine"
    assert made["WorkgroupSetting"]["Properties"]["Value"] == "ours"
