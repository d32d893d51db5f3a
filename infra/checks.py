"""Check before a deployment whether it can succeed: `python -m infra check`. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from rich.console import Console

from infra import data_plane, regions, template
from infra.stages import APP, FUNCTIONS, InfraError, Stage, chalice_config

TRANSFORM_BUFFER = 60  # seconds, of the data plane's processor
COPY_RETRIES = 300  # seconds, of its Redshift destination
UNRESERVED = 100
"""Lambda keeps that much concurrency unreserved: docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html"""
VPCS = "L-F678F1CE"
"""Service Quotas' code of "VPCs per Region"."""
ADDRESSES = "L-0263D0A3"
"""Service Quotas' code of "EC2-VPC Elastic IPs"."""


@dataclass(frozen=True)
class Finding:
    """The result of one check. `advice`: what to do if `fine` is False. None: it could not be checked."""

    what: str
    fine: bool | None
    advice: str = ""


def report(of: Stage, console: Console | None = None) -> None:
    """Print the findings. Raises InfraError with the advice of those that are not fine."""
    console = console or Console()
    wrong = []
    for finding in look(of):
        mark = {True: "[green]ok[/]", False: "[red]no[/]", None: "[yellow]??[/]"}[finding.fine]
        console.print(f"{mark}  {finding.what}", highlight=False)
        if finding.fine is False:
            wrong.append(f"  - {finding.what}: {finding.advice}")
    if wrong:
        raise InfraError(f"Stage {of.name} can't be deployed yet:\n" + "\n".join(wrong))


def look(of: Stage) -> Iterator[Finding]:
    """Yield all findings in order; without credentials and region there is nothing more to see."""
    yield parameters(of)
    yield retention(of)
    yield capacity(of)
    first = [credentials(), region(of)]
    yield from first
    if not all(finding.fine for finding in first):
        return
    there = data_plane.stack(of) is not None
    for name, check in CHECKS.items():
        if there and check in ONLY_WHERE_NEW:
            continue
        try:
            yield from check(of)
        except (BotoCoreError, ClientError, ResponseParserError) as error:  # what can't be seen stops nothing
            yield Finding(f"{name}: {error}", None)
    if there:
        yield state(of)


def parameters(of: Stage) -> Finding:
    """Check the grace period, which CloudFormation can't: it needs a sum. Only Firehose's delivery has a grace."""
    if of.delivery != "firehose":
        return Finding(f"a tweet is a row within {of.parameters.get('LoadSeconds') or default('LoadSeconds')} s", True)
    grace = int(of.parameters.get("GraceSeconds") or default("GraceSeconds"))
    least = TRANSFORM_BUFFER + buffer_seconds(of) + COPY_RETRIES
    what = f"grace of {grace} s, {least} s until a tweet file is loaded at the latest"
    return Finding(
        what, grace > least, f"set GraceSeconds of stage {of.name} in infra/stages.json to more than {least}"
    )


def retention(of: Stage) -> Finding:
    """Check that rows are removed before their files: a row whose file is gone counts as orphaned.

    Rows are removed by the hour of their file, and hours by days.
    """
    rows, files = (int(of.parameters.get(name) or default(name)) for name in ("RowDays", "TweetDays"))
    what = f"rows are kept for {rows} days, tweet files for {files}"
    return Finding(what, files >= rows + 3, f"set TweetDays of stage {of.name} to {rows + 3} at least")


def buffer_seconds(of: Stage) -> int:
    return int(of.parameters.get("BufferSeconds") or default("BufferSeconds"))


def default(parameter: str) -> str:
    return str(template.read()["Parameters"][parameter]["Default"])


def capacity(of: Stage) -> Finding:
    """Redshift Serverless takes 4 RPU, or multiples of 8 from 8 to 512, or of 32 from 512 to 1024.

    docs.aws.amazon.com/redshift/latest/mgmt/serverless-capacity.html
    """
    rpu = int(of.parameters.get("BaseCapacity") or default("BaseCapacity"))  # the default becomes 8 where 4 isn't had
    fine = rpu == 4 or (8 <= rpu <= 512 and rpu % 8 == 0) or (512 < rpu <= 1024 and rpu % 32 == 0)
    return Finding(
        f"base capacity of {rpu} RPU", fine, "set BaseCapacity in infra/stages.json to 4, or to a multiple of 8"
    )


def credentials() -> Finding:
    advice = "aws configure, or aws sso login; AWS_PROFILE names a profile"
    try:
        caller = boto3.client("sts", region_name=boto3.Session().region_name or "us-east-1").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        return Finding(f"credentials: {error}", False, advice)
    return Finding(f"account {caller['Account']}, as {caller['Arn']}", True)


def region(of: Stage) -> Finding:
    try:
        name = regions.region()
    except InfraError as error:
        return Finding("no region", False, str(error))
    known = regions.FIREHOSE_ADDRESSES
    public = of.delivery == "firehose" and of.owns_warehouse
    advice = f"there Firehose's addresses are not known: set Delivery to reconcile, or take one of {', '.join(known)}"
    return Finding(f"region {name}", not public or name in known, advice)


def state(of: Stage) -> Finding:
    """Check whether CloudFormation accepts a change: not while another is under way, nor after a failed creation."""
    status = (data_plane.stack(of) or {"StackStatus": "none"})["StackStatus"]
    what = f"stack {of.stack} is {status.lower().replace('_', ' ')}"
    if status == "ROLLBACK_COMPLETE":
        return Finding(f"{what}: its creation failed, and it is created again", True)
    ready = status.endswith("_COMPLETE")
    return Finding(what, ready, "wait until it is done, or fix in CloudFormation what failed")


def names(of: Stage) -> Iterator[Finding]:
    """Find what has a name that the data plane gives; what `make destroy` keeps is taken over."""
    account = boto3.client("sts").get_caller_identity()["Account"]
    here = boto3.Session().region_name
    if not of.parameters.get("ExistingBucket"):
        yield bucket_name(f"{of.prefix}-{account}-{here}", account)
    firehose, logs = boto3.client("firehose"), boto3.client("logs")
    taken = exists(partial(firehose.describe_delivery_stream, DeliveryStreamName=of.prefix))
    yield Finding(f"delivery stream {of.prefix} is {'taken' if taken else 'free'}", not taken, "delete or rename it")
    # The admin API's is kept by make destroy, and taken over.
    groups = [f"/aws/lambda/{of.function_name(function)}" for function in FUNCTIONS if function != "api_handler"]
    for group in (*groups, f"/aws/kinesisfirehose/{of.prefix}"):
        found = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        if any(each["logGroupName"] == group for each in found):
            yield Finding(f"log group {group} is taken", False, f"aws logs delete-log-group --log-group-name {group}")
    settings = boto3.client("ssm").get_parameters_by_path(Path=f"/{APP}/{of.name}/")["Parameters"]
    advice = f"another stage {of.name} lives here, or make destroy STAGE={of.name} was interrupted: run it again"
    yield Finding(f"parameters /{APP}/{of.name}/ are {'taken' if settings else 'free'}", not settings, advice)


def bucket_name(name: str, account: str) -> Finding:
    s3 = boto3.client("s3")
    try:
        s3.head_bucket(Bucket=name, ExpectedBucketOwner=account)
    except ClientError as error:
        if error.response["Error"]["Code"] in {"404", "NoSuchBucket"}:
            return Finding(f"bucket {name} is free", True)
        advice = "somebody else has it: name a bucket of yours as ExistingBucket in infra/stages.json"
        return Finding(f"bucket {name} is taken", False, advice)
    return Finding(f"bucket {name} was kept from before and is taken over", True)


def roles(of: Stage) -> Iterator[Finding]:
    """Find roles of this stage's functions in a Region without its stack: they would be overwritten."""
    iam = boto3.client("iam")
    for name in (regions.role_name(of, function) for function in FUNCTIONS):
        if exists(partial(iam.get_role, RoleName=name)):
            advice = f"it is somebody else's, or make destroy STAGE={of.name} was interrupted: delete it"
            yield Finding(f"role {name} is taken", False, advice)


def functions(of: Stage) -> Iterator[Finding]:
    """Find functions of the app's names that aren't the app's: they would be overwritten."""
    api = boto3.client("lambda")
    for function in map(of.function_name, FUNCTIONS):
        try:
            tags = api.get_function(FunctionName=function).get("Tags", {})
        except api.exceptions.ResourceNotFoundException:
            continue
        ours = tags.get("app") == APP and tags.get("stage") == of.name
        yield Finding(f"function {function} is there", ours, "it isn't this app's: delete or rename it")


def existing(of: Stage) -> Iterator[Finding]:
    """Check that what is used instead of something new is there, and that the functions can reach it."""
    account = boto3.client("sts").get_caller_identity()["Account"]
    if bucket := of.parameters.get("ExistingBucket"):
        s3 = boto3.client("s3")
        found = exists(partial(s3.head_bucket, Bucket=bucket, ExpectedBucketOwner=account))
        yield Finding(f"bucket {bucket}", found, "it isn't in this account")
    if workgroup := of.parameters.get("ExistingWorkgroup"):
        serverless: Any = boto3.client("redshift-serverless")
        arn = serverless.get_workgroup(workgroupName=workgroup)["workgroup"]["workgroupArn"]
        found_tags = serverless.list_tags_for_resource(resourceArn=arn)["tags"]
        tags = {tag["key"]: tag["value"] for tag in found_tags}
        tagged = (tags.get("app"), tags.get("stage")) == (APP, of.name)
        advice = f"the functions' policies name it by its tags: give it app={APP} and stage={of.name}"
        yield Finding(f"workgroup {workgroup}", tagged, advice)


def concurrency(of: Stage) -> Iterator[Finding]:
    api = boto3.client("lambda")
    free = api.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    settings = chalice_config()["stages"][of.name]["lambda_functions"]
    wanted = sum(each.get("reserved_concurrency", 0) for each in settings.values())
    for function in FUNCTIONS:
        if settings.get(function, {}).get("reserved_concurrency"):
            try:
                held = api.get_function_concurrency(FunctionName=of.function_name(function))
                free += held.get("ReservedConcurrentExecutions", 0)
            except api.exceptions.ResourceNotFoundException:
                continue
    yield reserved(free, wanted)


def reserved(free: int, wanted: int) -> Finding:
    what = f"Lambda concurrency: {free} free, {wanted} to be reserved, {UNRESERVED} stay unreserved"
    advice = "have the quota raised (Service Quotas, Lambda, Concurrent executions), or lower reserved_concurrency"
    return Finding(what, wanted == 0 or free - wanted >= UNRESERVED, advice)


def network(of: Stage) -> Iterator[Finding]:
    if not of.owns_warehouse:
        return
    ec2: Any = boto3.client("ec2")
    zones, needed = set(regions.zones()), regions.zones_needed(regions.region())
    what = f"{len(zones)} availability zones for the warehouse: {', '.join(sorted(zones))}"
    yield Finding(what, len(zones) >= needed, f"Redshift Serverless asks for {needed}: take another region")
    quotas: Any = boto3.client("service-quotas")
    most = int(quotas.get_service_quota(ServiceCode="vpc", QuotaCode=VPCS)["Quota"]["Value"])
    used = len(ec2.describe_vpcs()["Vpcs"])
    yield Finding(f"VPCs: {used} of {most} used", used < most, "delete one, or have the quota raised")
    if of.delivery == "firehose":
        yield from public_access(ec2, quotas)


def public_access(ec2: Any, quotas: Any) -> Iterator[Finding]:
    """Find obstacles to a public workgroup: VPC Block Public Access, or no free Elastic IP address.

    docs.aws.amazon.com/redshift-serverless/latest/APIReference/API_CreateWorkgroup.html. How many addresses it takes is
    not documented: it needs one at least.
    """
    mode = ec2.describe_vpc_block_public_access_options()["VpcBlockPublicAccessOptions"]["InternetGatewayBlockMode"]
    advice = "set Delivery to reconcile, or exclude the VPC from VPC Block Public Access"
    yield Finding(f"VPC Block Public Access is {mode}", mode == "off", advice)
    most = int(quotas.get_service_quota(ServiceCode="ec2", QuotaCode=ADDRESSES)["Quota"]["Value"])
    used = len(ec2.describe_addresses()["Addresses"])
    advice = "release one, have the quota raised, or set Delivery to reconcile"
    yield Finding(f"Elastic IP addresses: {used} of {most} used", used < most, advice)


CHECKS: dict[str, Callable[[Stage], Iterator[Finding]]] = {
    "names": names,
    "roles": roles,
    "functions": functions,
    "existing resources": existing,
    "Lambda concurrency": concurrency,
    "network": network,
}
ONLY_WHERE_NEW = (names, roles, network)
"""A stack that is there holds the names and has its network."""


def exists(look: Callable[[], Any]) -> bool:
    try:
        look()
    except ClientError as error:
        if error.response["Error"]["Code"] in {
            "404",
            "403",
            "ResourceNotFoundException",
            "NoSuchBucket",
            "NoSuchEntity",
        }:
            return False
        raise
    return True
