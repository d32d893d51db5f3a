"""Plan the stack of `data-plane.yaml` as a change set, and execute it if it has changes."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import boto3
from botocore.exceptions import ClientError, WaiterError
from rich.console import Console

from infra import regions
from infra import template as source
from infra.stages import APP, ROOT, InfraError, Stage

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

TEMPLATE = ROOT / "infra" / "data-plane.yaml"
LINTERS = ("checkov", "cfn-lint")
"""What the template's metadata tells, besides what a resource waits for."""
POLL = 3.0  # seconds between looks at a stack that changes
NOTHING = ("didn't contain changes", "No updates are to be performed")
"""How CloudFormation says that a change set would change nothing: it calls that a failure."""


def outputs(of: Stage) -> dict[str, str]:
    """Return the stack's outputs by name. Raises InfraError when there is no stack."""
    found = stack(of)
    if found is None:
        raise InfraError(f"The stack {of.stack} does not exist: make deploy STAGE={of.name}")
    return {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}


def stack(of: Stage) -> Any | None:
    """Return the stack as CloudFormation describes it; None when there is none, or one that only was planned."""
    try:
        found = client().describe_stacks(StackName=of.stack)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return None if found["StackStatus"] == "REVIEW_IN_PROGRESS" else found


def apply(of: Stage, console: Console) -> bool:
    """Make the stack equal the template; return whether anything had to change. Raises InfraError."""
    cloudformation = client()
    found = stack(of)
    if found and found["StackStatus"] == "ROLLBACK_COMPLETE":  # its creation failed; CloudFormation can only delete it
        console.print(
            f"The stack {of.stack} was never created completely: it is deleted and created again", highlight=False
        )
        delete(of, console)
        found = None
    kind: Literal["CREATE", "UPDATE"] = "UPDATE" if found else "CREATE"
    change_set = f"deploy-{secrets.token_hex(8)}"  # a plan that was interrupted keeps its name
    cloudformation.create_change_set(
        StackName=of.stack,
        ChangeSetName=change_set,
        ChangeSetType=kind,
        TemplateBody=template(of),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters(of).items()],
        Capabilities=["CAPABILITY_IAM"],
        Tags=[{"Key": "app", "Value": APP}, {"Key": "stage", "Value": of.name}],
        ImportExistingResources=True,  # a bucket and a namespace that an earlier `make destroy` has kept
    )
    try:
        waiter = cloudformation.get_waiter("change_set_create_complete")
        waiter.wait(StackName=of.stack, ChangeSetName=change_set, WaiterConfig={"Delay": 2, "MaxAttempts": 150})
    except WaiterError as error:
        reason = cloudformation.describe_change_set(StackName=of.stack, ChangeSetName=change_set).get(
            "StatusReason", ""
        )
        cloudformation.delete_change_set(StackName=of.stack, ChangeSetName=change_set)
        if any(words in reason for words in NOTHING):
            return False
        raise InfraError(f"The data plane can't be planned: {reason or error}") from error
    planned = list(changes(cloudformation, of, change_set))
    if not planned:  # moto; CloudFormation fails above
        cloudformation.delete_change_set(StackName=of.stack, ChangeSetName=change_set)
        return False
    if stuck := [line.split()[1] for line in planned if line.endswith(REPLACED) and has_own_name(line.split()[1])]:
        cloudformation.delete_change_set(StackName=of.stack, ChangeSetName=change_set)
        raise InfraError(
            f"{', '.join(stuck)} would have to be created again, and CloudFormation does not replace resources with"
            " names of their own: undo the change in infra/stages.json, or run"
            f" make destroy STAGE={of.name} (which keeps the data) and make deploy STAGE={of.name}"
        )
    console.print(f"Data plane, stack {of.stack}: {len(planned)} changes", highlight=False)
    for line in planned:
        console.print(f"  {line}", highlight=False)
    cloudformation.execute_change_set(StackName=of.stack, ChangeSetName=change_set)
    settle(of, console, kind)
    return True


REPLACED = " (replaced)"
OWN_NAME = re.compile(r"(?:Bucket|Namespace|Workgroup|DeliveryStream|Topic|Alarm|LogGroup|Dashboard)Name|Name")


def has_own_name(resource: str) -> bool:
    """Return whether a resource of the template is named by us: CloudFormation can't make its successor beside it.

    docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html
    """
    properties = source.read()["Resources"].get(resource, {}).get("Properties", {})
    return any(OWN_NAME.fullmatch(key) for key in properties)


def parameters(of: Stage) -> dict[str, str]:
    """Return the template's parameters: the stage's own, and what this Region has: Firehose's addresses if known, and
    the smallest warehouse."""
    here = regions.region()
    addresses, rpu = regions.FIREHOSE_ADDRESSES.get(here, ""), str(regions.base_capacity(here))
    known = {"Stage": of.name, "FirehoseAddresses": addresses, "BaseCapacity": rpu, **of.parameters}
    if of.owns_warehouse and "Zones" not in known:
        known["Zones"] = zones_of(of) or ",".join(regions.zones())
    return known


def zones_of(of: Stage) -> str:
    """Return the zones that the stage's subnets are in, empty where it has none: another one would be a new subnet."""
    given = (stack(of) or {}).get("Parameters", ())
    return next((each["ParameterValue"] for each in given if each["ParameterKey"] == "Zones"), "")


def template(of: Stage) -> str:
    """Return the template, with literal names for the resources that `make destroy` keeps.

    CloudFormation imports an existing resource only if its name is a literal, not an expression:
    docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-automatically.html
    """
    account = boto3.client("sts").get_caller_identity()["Account"]
    names = {
        "BucketName: !Sub 'disaster-tweets-${Stage}-${AWS::AccountId}-${AWS::Region}'": (
            f"BucketName: {of.prefix}-{account}-{regions.region()}"
        ),
        "NamespaceName: !Sub 'disaster-tweets-${Stage}'": f"NamespaceName: {of.prefix}",
        "LogGroupName: !Sub '/aws/lambda/disaster-tweets-${Stage}'": f"LogGroupName: /aws/lambda/{of.prefix}",
    }
    text = TEMPLATE.read_text()
    for expression, literal in names.items():
        if expression not in text:
            raise InfraError(
                f"infra/data-plane.yaml has no line {expression}: infra/data_plane.py must know its new form"
            )
        text = text.replace(expression, literal)
    return plain(text)


def plain(text: str) -> str:
    """Return a template as JSON without what is for linters and for readers of the file: a request takes 51,200 bytes.

    docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html
    """
    template = source.loaded(text)
    for parameter in template["Parameters"].values():
        parameter.pop("Description", None)
    for resource in template["Resources"].values():
        for linter in LINTERS:
            resource.get("Metadata", {}).pop(linter, None)
    return json.dumps(template, separators=(",", ":"))


def changes(cloudformation: CloudFormationClient, of: Stage, change_set: str) -> Iterator[str]:
    """Yield the plan, a line for each resource: what is done to it, its name and its type."""
    pages = cloudformation.get_paginator("describe_change_set").paginate(StackName=of.stack, ChangeSetName=change_set)
    for change in (change for page in pages for change in page.get("Changes", [])):
        resource = change["ResourceChange"]
        replaced = REPLACED if resource.get("Replacement") == "True" else ""
        yield f"{resource['Action']} {resource['LogicalResourceId']} {resource['ResourceType']}{replaced}"


def settle(of: Stage, console: Console, kind: str) -> None:
    """Wait until the stack has changed, telling what is under way. Raises InfraError with CloudFormation's reasons."""
    with console.status(
        f"CloudFormation: {kind.lower()} {of.stack} (a new warehouse takes about ten minutes) ..."
    ) as shown:
        while (found := stack(of) or {"StackStatus": "REVIEW_IN_PROGRESS"})["StackStatus"].endswith("_IN_PROGRESS"):
            shown.update(f"CloudFormation: {found['StackStatus'].lower().replace('_', ' ')} {of.stack} ...")
            time.sleep(POLL)
    if found["StackStatus"] not in {"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"}:
        reasons = "\n".join(f"  - {reason}" for reason in failures(of))
        raise InfraError(
            f"The stack {of.stack} ended as {found['StackStatus']}:\n{reasons}\n{after(found['StackStatus'], of)}"
        )


def failures(of: Stage) -> list[str]:
    """Return what failed in the last change, first cause first."""
    found = []
    for event in client().describe_stack_events(StackName=of.stack)["StackEvents"]:
        if event["LogicalResourceId"] == of.stack and event.get("ResourceStatusReason") == "User Initiated":
            break
        if event.get("ResourceStatus", "").endswith("_FAILED"):
            found.append(f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}")
    return found[::-1]


def after(status: str, of: Stage) -> str:
    """Return what the operator does next."""
    if status == "ROLLBACK_COMPLETE":
        return f"Fix the cause, then run make deploy STAGE={of.name} again: it deletes this stack and creates it again"
    return f"Fix the cause, then run make deploy STAGE={of.name} again"


def delete(of: Stage, console: Console) -> None:
    """Delete the stack; the bucket and the namespace stay, by their DeletionPolicy."""
    cloudformation = client()
    cloudformation.delete_stack(StackName=of.stack)
    with console.status(f"CloudFormation: delete {of.stack} ..."):
        try:
            waiter = cloudformation.get_waiter("stack_delete_complete")
            waiter.wait(StackName=of.stack, WaiterConfig={"Delay": 5, "MaxAttempts": 360})
        except WaiterError as error:
            raise InfraError(
                f"The stack {of.stack} could not be deleted: {'; '.join(failures(of)) or error}"
            ) from error


def protect(of: Stage, protected: bool) -> None:
    """Switch the stack's termination protection: nobody can delete a protected stack."""
    client().update_termination_protection(StackName=of.stack, EnableTerminationProtection=protected)


def client() -> CloudFormationClient:
    return boto3.client("cloudformation")
