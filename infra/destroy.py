"""Run `make destroy`: list what is deleted, ask, and delete it in reverse order. Data stays, unless asked for."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from rich.console import Console

from infra import checks, data_plane, functions
from infra.stages import APP, InfraError, Stage

METRICS_LATE = 180.0  # seconds until CloudWatch shows what Firehose has counted
POLL = 30.0  # seconds between looks at the stream


def destroy(of: Stage, *, ask: bool, data: bool) -> None:
    """Destroy the stage. Raises InfraError, also where the operator doesn't agree; the next run destroys what is left.

    Without `data` the bucket and the warehouse's namespace stay, and the next `make deploy` takes them over.
    """
    console = Console()
    exists = data_plane.stack(of) is not None
    bucket = bucket_of(of, exists)
    hosted = endpoints(of)
    console.print(f"Stage {of.name} goes: functions, admin API, schedule, streams, workgroup, roles, alarms, settings")
    for endpoint in hosted:
        console.print(f"  and Comprehend's endpoint {endpoint.rsplit('/', 1)[-1]}", highlight=False)
    if ask:
        agree(console, of, "functions and streams")
    if exists and of.protected:
        data_plane.protect(of, False)
    if exists:
        drain(of, data_plane.outputs(of).get("Stream", ""), console)
    for endpoint in hosted:  # each costs 43.20 USD a day
        boto3.client("comprehend").delete_endpoint(EndpointArn=endpoint)
    if bucket:
        with console.status("chalice delete ..."):
            functions.delete(of, bucket)
    if exists:
        data_plane.delete(of, console)
    forget_settings(of)
    console.print("Functions, admin API and data plane are gone")
    delete_data(of, bucket, data, console)


def drain(of: Stage, stream: str, console: Console) -> None:
    """Wait until Firehose has delivered what producers have sent: without its transform it could not.

    Its buffers are empty once nothing has come for as long as they hold it. Raises InfraError where producers go on.
    """
    window = checks.TRANSFORM_BUFFER + checks.buffer_seconds(of) + METRICS_LATE
    began = time.monotonic()
    with console.status("Firehose delivers what it has ...") as shown:
        while (left := window - since_last_record(stream, window)) > 0:
            if time.monotonic() - began > 3 * window:
                raise InfraError(f"Producers still send to {stream}: stop them, and run make destroy again")
            shown.update(f"Firehose delivers what it has: {left / 60:.0f} more minutes, if nobody sends ...")
            time.sleep(min(POLL, left))


def since_last_record(stream: str, window: float) -> float:
    """Return the seconds since a record came, as CloudWatch knows it, or `window` if that is longer ago."""
    now = datetime.now(UTC)
    counted = boto3.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Firehose",
        MetricName="IncomingRecords",
        Dimensions=[{"Name": "DeliveryStreamName", "Value": stream}],
        StartTime=now - timedelta(seconds=window),
        EndTime=now,
        Period=60,
        Statistics=["Sum"],
    )["Datapoints"]
    came = [point["Timestamp"] for point in counted if point.get("Sum")]
    return min(window, (now - max(came)).total_seconds()) if came else window


def bucket_of(of: Stage, exists: bool) -> str:
    """Return the stage's bucket; without a stack the one that an earlier run has kept; empty where there is none."""
    if exists:
        found = data_plane.outputs(of).get("Bucket")
        if found:
            return found
    account = boto3.client("sts").get_caller_identity()["Account"]
    name = of.parameters.get("ExistingBucket") or f"{of.prefix}-{account}-{boto3.Session().region_name}"
    owned = {bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]}
    return name if name in owned else ""


def endpoints(of: Stage) -> list[str]:
    """Return ARNs of the stage's Comprehend endpoints, which the admin API made and no stack contains."""
    pages = boto3.client("comprehend").get_paginator("list_endpoints").paginate()
    arns = [endpoint["EndpointArn"] for page in pages for endpoint in page["EndpointPropertiesList"]]
    return [arn for arn in arns if arn.rsplit("/", 1)[-1].startswith(f"{of.prefix}-")]


def agree(console: Console, of: Stage, what: str) -> None:
    """Raise InfraError unless the operator types the stage's name."""
    if console.input(f"{what} of stage {of.name} will be deleted. Type the stage's name to go on: ").strip() != of.name:
        raise InfraError(f"Not confirmed: {what} of stage {of.name} are kept")


def forget_settings(of: Stage) -> None:
    """Delete the parameter of the active classifier, which the admin API wrote."""
    ssm = boto3.client("ssm")
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=f"/{APP}/{of.name}/", Recursive=True)
    left = [parameter["Name"] for page in pages for parameter in page["Parameters"]]
    for first in range(0, len(left), 10):
        ssm.delete_parameters(Names=left[first : first + 10])


def delete_data(of: Stage, bucket: str, data: bool, console: Console) -> None:
    """Delete what this stage made and kept; never a bucket or a warehouse that it was given."""
    own_bucket = bucket if not of.parameters.get("ExistingBucket") else ""
    own_namespace = "" if of.parameters.get("ExistingWorkgroup") or of.parameters.get("ExistingCluster") else of.prefix
    if not data:
        data_of = (own_bucket and f"s3://{own_bucket}", own_namespace and "the warehouse's data")
        kept = " and ".join([*filter(None, data_of), f"the log {audit_log(of)}"])
        if own_bucket or own_namespace:
            console.print(f"Kept: {kept}. To delete these too: python -m infra destroy --stage {of.name} --delete-data")
        return
    agree(console, of, "ALL TWEETS, files and warehouse,")
    if own_bucket:
        with console.status(f"Deleting s3://{own_bucket} ..."):
            empty(own_bucket)
            boto3.client("s3").delete_bucket(Bucket=own_bucket)
    if own_namespace:
        delete_namespace(own_namespace)
    logs = boto3.client("logs")
    with suppress(logs.exceptions.ResourceNotFoundException):
        logs.delete_log_group(logGroupName=audit_log(of))
    console.print("The data is gone")


def audit_log(of: Stage) -> str:
    """Return the log group with the calls of the admin API, which outlives the stack."""
    return f"/aws/lambda/{of.function_name('api_handler')}"


def delete_namespace(name: str) -> None:
    serverless: Any = boto3.client("redshift-serverless")
    with suppress(serverless.exceptions.ResourceNotFoundException):
        serverless.delete_namespace(namespaceName=name)


def empty(bucket: str) -> None:
    """Delete every version of every object."""
    s3 = boto3.client("s3")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        for first in range(0, len(found), 1000):
            names: Any = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found[first : first + 1000]]
            s3.delete_objects(Bucket=bucket, Delete={"Objects": names, "Quiet": True})
