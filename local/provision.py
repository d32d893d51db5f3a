"""Create the data plane of stage `local` with boto3, as infra/data-plane.yaml does on AWS. Can be repeated."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import boto3

from chalicelib.columns import NAMES
from chalicelib.settings import parameter_path
from chalicelib.warehouse import copy, migrations
from infra import template, warehouse
from infra.stages import Stage
from local.aws.warehouse.database import Warehouse
from local.aws.warehouse.errors import WarehouseError

STAGE = "local"
NAME = f"disaster-tweets-{STAGE}"  # of the bucket, the stream, the workgroup
FROM_KINESIS = f"{NAME}-from-kinesis"
DATABASE = "tweets"
TABLE = "disaster.disaster_tweets"
ACCOUNT = "123456789012"
BUFFER_MB = 0.5  # of tweets for one call of the transform, as on AWS: rows have about five times their bytes
BUFFER_SECONDS = 1
GRACE_SECONDS = 60  # more than buffering and COPY's retries together
LOAD_SECONDS = 0  # nobody here pays for a warehouse that wakes

FIREHOSE = warehouse.Login(f"firehose_{STAGE}", "Local-firehose-1", "")

RENAMED = {
    "S3Configuration": ("S3Update", "S3DestinationDescription"),
    "S3BackupConfiguration": ("S3BackupUpdate", "S3BackupDescription"),
}
"""What CreateDeliveryStream calls one way, UpdateDestination and DescribeDeliveryStream call another."""


def role(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{NAME}-{name}"


def provision(endpoint_url: str, region: str, transform_arn: str, delivery: str = "reconcile") -> str:
    """Make what is missing, and set what the functions read; what is active stays active. Return the topic's ARN.

    `delivery`: as `Delivery` of infra/data-plane.yaml. A stream of a former run gets the destination for it.
    """

    def client(service: str) -> Any:  # of the session that the functions use, too: each reads all models anew
        return boto3.client(service, region_name=region, endpoint_url=endpoint_url)  # type: ignore[call-overload]

    s3, sns, ssm, kinesis, firehose = map(client, ("s3", "sns", "ssm", "kinesis", "firehose"))
    if NAME not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket=NAME)
    topic: str = sns.create_topic(Name=NAME)["TopicArn"]
    situations = sns.create_topic(Name=f"{NAME}-situations")["TopicArn"]
    settings = {
        "bucket": NAME,
        "stream": NAME,
        "database": DATABASE,
        "workgroup": NAME,
        "copy_role_arn": role("copy"),
        "comprehend_role_arn": role("data-ComprehendRole-1"),  # CloudFormation names it so; policies rely on it
        "alert_topic_arn": topic,
        "situation_topic_arn": situations,
        "delivery": delivery,
        "grace_seconds": str(GRACE_SECONDS),
        "bluesky": "off",  # `make live` switches it on
        "load_seconds": str(LOAD_SECONDS),
    }
    for name, value in settings.items():
        ssm.put_parameter(Name=parameter_path(STAGE) + name, Value=value, Type="String", Overwrite=True)

    if NAME not in kinesis.list_streams()["StreamNames"]:
        kinesis.create_stream(StreamName=NAME, ShardCount=2)
    source = kinesis.describe_stream_summary(StreamName=NAME)["StreamDescriptionSummary"]["StreamARN"]

    kind = "Redshift" if delivery == "firehose" else "ExtendedS3"
    destination = redshift(transform_arn) if delivery == "firehose" else into_s3(transform_arn)
    create(firehose, NAME, kind, destination, DeliveryStreamType="DirectPut")
    create(
        firehose,
        FROM_KINESIS,
        kind,
        destination,
        DeliveryStreamType="KinesisStreamAsSource",
        KinesisStreamSourceConfiguration={"KinesisStreamARN": source, "RoleARN": role("firehose")},
    )
    return topic


def create(firehose: Any, name: str, kind: str, wanted: dict[str, Any], **how: Any) -> None:
    """Make the stream; one of a former run gets the destination that it has in this version and delivery.

    `kind` of destination: `Redshift` or `ExtendedS3`.
    """
    if name not in firehose.list_delivery_streams()["DeliveryStreamNames"]:
        firehose.create_delivery_stream(DeliveryStreamName=name, **{f"{kind}DestinationConfiguration": wanted}, **how)
        return
    stream = firehose.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]
    (destination,) = stream["Destinations"]
    known: Any = destination.get(f"{kind}DestinationDescription", {})
    update = {RENAMED.get(key, (key, key))[0]: value for key, value in wanted.items()}
    described = {RENAMED.get(key, (key, key))[1]: value for key, value in wanted.items()}
    if not says(known, described):
        firehose.update_destination(
            DeliveryStreamName=name,
            CurrentDeliveryStreamVersionId=stream["VersionId"],
            DestinationId=destination["DestinationId"],
            **{f"{kind}DestinationUpdate": update},
        )


def users(house: Warehouse) -> None:
    """Make the warehouse's users with their rights, as `make deploy` does as its administrator (infra/warehouse.py).

    What they may in the schema they are given as soon as the migrations have made it.
    """
    of, login = Stage(STAGE, {}), FIREHOSE
    known = {name for (name,) in house.ask("SELECT usename FROM main.local_users", {})}
    roles = {name for (name,) in house.ask("SELECT role_name FROM main.local_roles", {})}
    for sql in (*warehouse.users(of, known, login), *warehouse.migrator(of, roles)):
        house.execute(sql)
    house.standing = warehouse.grants(of, login)
    jobs = warehouse.database_user(of, "jobs")
    house.adopt("disaster", jobs)
    if not known:  # a home from before there were users: what the migrations grant was not written down
        for migration in migrations.read():
            for sql in migrations.statements(migration.sql):
                if sql.startswith(("GRANT", "ALTER DEFAULT")):
                    with suppress(WarehouseError):  # what it names is not there yet
                        house.execute(sql, jobs)
        house.give_standing()


def says(known: Any, wanted: Any) -> bool:
    """Return whether a description says all that is wanted; it may say more."""
    if isinstance(known, dict) and isinstance(wanted, dict):
        return all(key in known and says(known[key], each) for key, each in wanted.items())
    return bool(known == wanted)


def redshift(transform_arn: str) -> dict[str, Any]:
    """Return the destination of the delivery `firehose`, with shorter buffers: nobody here pays for a warehouse that
    wakes.
    """
    return {
        "RoleARN": role("firehose"),
        "ClusterJDBCURL": f"jdbc:redshift://{NAME}.{ACCOUNT}.us-east-1.redshift-serverless.amazonaws.com:5439/{DATABASE}",
        "Username": FIREHOSE.user,
        "Password": FIREHOSE.password,
        "CopyCommand": {
            "DataTableName": TABLE,
            "DataTableColumns": ",".join(NAMES),
            "CopyOptions": copy.OPTIONS,
        },
        "RetryOptions": {"DurationInSeconds": 30},
        "ProcessingConfiguration": processing(transform_arn),
        "S3Configuration": s3_destination("delivery/", 0),
        "S3BackupMode": "Enabled",
        "S3BackupConfiguration": s3_destination("source/", BUFFER_SECONDS),
    }


def into_s3(transform_arn: str) -> dict[str, Any]:
    """Return the destination of the delivery `reconcile`: the transform drops what it has stored, so nothing but what
    failed gets there.
    """
    return {
        **s3_destination("delivery/", 0),
        "ProcessingConfiguration": processing(transform_arn),
        "S3BackupMode": "Enabled",
        "S3BackupConfiguration": s3_destination("source/", BUFFER_SECONDS),
    }


def processing(transform_arn: str) -> dict[str, Any]:
    processor = {
        "LambdaArn": f"{transform_arn}:$LATEST",
        "RoleArn": role("firehose"),
        "BufferSizeInMBs": str(BUFFER_MB),
        "BufferIntervalInSeconds": str(BUFFER_SECONDS),
        "NumberOfRetries": "3",
    }
    parameters = [{"ParameterName": name, "ParameterValue": value} for name, value in processor.items()]
    return {"Enabled": True, "Processors": [{"Type": "Lambda", "Parameters": parameters}]}


def s3_destination(prefix: str, seconds: int) -> dict[str, Any]:
    return {
        "BucketARN": f"arn:aws:s3:::{NAME}",
        "RoleARN": role("firehose"),
        "Prefix": prefix,
        "CompressionFormat": "GZIP",
        "BufferingHints": {"IntervalInSeconds": seconds, "SizeInMBs": 64},
    }


def alarms(topic_arn: str) -> list[dict[str, Any]]:
    """Return the properties of the alarms in the data plane's template, with the names of stage `local`.

    Both of the stage's streams are here, so those of a stage with a Kinesis data stream are among them.
    """
    names = {"Stream": NAME, "Workgroup": NAME, "Stage": STAGE, "Alerts": topic_arn}
    names["RpuHours"] = str(template.read()["Parameters"]["RpuHours"]["Default"])
    found = template.of_type(template.resources(Stage=STAGE, Source="Kinesis"), "AWS::CloudWatch::Alarm")
    return [template.filled(each, names) for each in found.values()]
