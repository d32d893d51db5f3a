"""Check what S3, Lambda, Comprehend and CloudFormation refuse."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from infra.conformance.asking import DiffersError, Place, check, refused

EMPTY = {"Resources": {"Nothing": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}}


@check
def one_of_many_creates_an_object(place: Place) -> str:
    """A second PUT with If-None-Match of the same key fails with PreconditionFailed."""
    s3 = place.client("s3")
    key = f"{place.name}/once"

    def create() -> None:
        s3.put_object(Bucket=place.bucket, Key=key, Body=b"1", IfNoneMatch="*")

    try:
        create()
        return refused(create, "PreconditionFailed", "ConditionalRequestConflict")
    finally:
        s3.delete_object(Bucket=place.bucket, Key=key)


@check
def a_missing_object_is_no_such_key(place: Place) -> str:
    """GetObject of a key that is not there fails with NoSuchKey."""
    s3 = place.client("s3")
    return refused(lambda: s3.get_object(Bucket=place.bucket, Key=f"{place.name}/none"), "NoSuchKey")


@check
def an_unknown_function_is_not_found(place: Place) -> str:
    """Invoke of a function that is not there is a ResourceNotFoundException."""
    api = place.client("lambda")
    return refused(lambda: api.invoke(FunctionName=place.name), "ResourceNotFoundException")


@check
def a_request_of_a_function_has_bounds(place: Place) -> str:
    """A synchronous request has up to 6 MB."""
    api = place.client("lambda")
    payload = json.dumps({"padding": "x" * 6_300_000}).encode()
    name = place.of.function_name("jobs")
    return refused(lambda: api.invoke(FunctionName=name, Payload=payload), "RequestTooLargeException", "413")


@check
def an_unknown_classifier_is_not_found(place: Place) -> str:
    """Classifiers and endpoints that are not there are a ResourceNotFoundException."""
    api = place.client("comprehend")
    region, account = api.meta.region_name, place.role.split(":")[4]
    partition = place.role.split(":")[1]
    arn = f"arn:{partition}:comprehend:{region}:{account}:document-classifier"
    refused(lambda: api.describe_endpoint(EndpointArn=f"{arn}-endpoint/{place.name}"), "ResourceNotFoundException")
    return refused(
        lambda: api.describe_document_classifier(DocumentClassifierArn=f"{arn}/{place.name}"),
        "ResourceNotFoundException",
    )


@check
def the_name_of_a_change_set_is_used_once(place: Place) -> str:
    """CreateChangeSet with a name that the stack's change sets have already is an AlreadyExistsException."""
    api = place.client("cloudformation")
    given: Any = {
        "StackName": place.name,
        "ChangeSetName": place.name,
        "ChangeSetType": "CREATE",
        "TemplateBody": json.dumps(EMPTY),
    }
    api.create_change_set(**given)
    try:
        return refused(lambda: api.create_change_set(**given), "AlreadyExistsException")
    finally:
        with contextlib.suppress(api.exceptions.ClientError):
            api.delete_change_set(StackName=place.name, ChangeSetName=place.name)
        with contextlib.suppress(api.exceptions.ClientError):
            api.delete_stack(StackName=place.name)


@check
def an_unknown_parameter_is_not_found(place: Place) -> str:
    """GetParameter of a name that is not there is a ParameterNotFound."""
    ssm = place.client("ssm")
    found = ssm.get_parameters_by_path(Path=f"/{place.name}/")["Parameters"]
    if found:
        raise DiffersError(f"found {found}")
    return refused(lambda: ssm.get_parameter(Name=f"/{place.name}/none"), "ParameterNotFound")
