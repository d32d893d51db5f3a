"""Records which function makes which AWS call, and says which IAM policies would let it.

What a policy's conditions say of tags, accounts and other services is taken to hold; of prefixes it is looked at.
"""

import contextvars
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any, NamedTuple
from unittest import mock

from botocore.client import BaseClient

from chalicelib import settings
from chalicelib.classifier import active
from local.aws import logs

ACCOUNT = "123456789012"


class Need(NamedTuple):
    """What IAM has to allow a function for a call."""

    function: str
    action: str  # "s3:PutObject"
    resource: str  # an ARN, or "*" where the action knows none
    prefix: str | None = None  # s3:prefix of a listing


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:us-east-1:{ACCOUNT}:{resource}"


def needs(function: str, service: str, operation: str, given: Mapping[str, Any]) -> list[Need]:
    """What a boto3 call needs, besides itself what AWS does on its behalf.

    docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
    """

    def need(action: str, *resources: str, prefix: str | None = None) -> list[Need]:
        return [Need(function, action, resource, prefix) for resource in resources]

    bucket = f"arn:aws:s3:::{given.get('Bucket')}"
    match service, operation:
        case "s3", "ListObjectsV2":
            return need("s3:ListBucket", bucket, prefix=given.get("Prefix", ""))
        case "s3", "ListObjectVersions":
            return need("s3:ListBucketVersions", bucket, prefix=given.get("Prefix", ""))
        case "s3", "GetObject" | "DeleteObject" if "VersionId" in given:
            return need(f"s3:{operation}Version", f"{bucket}/{given['Key']}")
        case "s3", "HeadObject":
            return need("s3:GetObject", f"{bucket}/{given['Key']}")
        case "s3", _:
            return need(f"s3:{operation}", f"{bucket}/{given['Key']}")
        case "ssm", "GetParametersByPath":
            path = arn("ssm", f"parameter{given['Path'].rstrip('/')}")
            return need("ssm:GetParametersByPath", path, f"{path}/")  # AWS doesn't say which it asks for
        case "ssm", _:
            return need(f"ssm:{operation}", arn("ssm", f"parameter{given['Name']}"))
        case "sns", _:  # the topic is encrypted with a key of ours
            keys = [
                each for action in ("Decrypt", "GenerateDataKey") for each in need(f"kms:{action}", arn("kms", "key/1"))
            ]
            return need(f"sns:{operation}", given["TopicArn"]) + keys
        case "firehose", _:
            return need(f"firehose:{operation}", arn("firehose", f"deliverystream/{given['DeliveryStreamName']}"))
        case "kinesis", _:
            return need(f"kinesis:{operation}", given["StreamARN"])
        case "lambda", "Invoke":
            return need("lambda:InvokeFunction", arn("lambda", f"function:{given['FunctionName']}"))
        case "redshift-data", "ExecuteStatement" | "BatchExecuteStatement":
            workgroup = arn("redshift-serverless", f"workgroup/{given['WorkgroupName']}")
            return need(f"redshift-data:{operation}", workgroup) + need("redshift-serverless:GetCredentials", workgroup)
        case "redshift-data", _:
            return need(f"redshift-data:{operation}", "*")
        case "cloudwatch", _:
            return need(f"cloudwatch:{operation}", "*")  # metrics are no resources in IAM
        case "comprehend", "CreateDocumentClassifier":
            classifier = arn("comprehend", f"document-classifier/{given['DocumentClassifierName']}")
            both = (classifier, f"{classifier}/version/{given['VersionName']}")
            return need(f"comprehend:{operation}", *both) + need("iam:PassRole", given["DataAccessRoleArn"])
        case "comprehend", "CreateEndpoint":
            endpoint = arn("comprehend", f"document-classifier-endpoint/{given['EndpointName']}")
            return need(f"comprehend:{operation}", endpoint, given["ModelArn"])
        case "comprehend", _:
            return need(f"comprehend:{operation}", given.get("EndpointArn", "*"))
    raise AssertionError(
        f"Which permission does {service}.{operation} of {function} need? Say it in tests/support/recorded_calls.py"
    )


@contextmanager
def recorded() -> Iterator[set[Need]]:
    """What the functions' calls need, from `with` to its end; also of calls in threads that a function starts.

    Every invocation reads the settings anew, as at a cold start, or only the first function of this process would.
    """
    found: set[Need] = set()
    call: Any = BaseClient._make_api_call  # type: ignore[attr-defined]
    submit = ThreadPoolExecutor.submit
    log_of = logs.Logs.of

    def make_api_call(self: Any, operation: str, given: Mapping[str, Any]) -> Any:
        if function := logs.running():
            found.update(needs(function, self.meta.service_model.service_name, operation, given))
        return call(self, operation, given)

    def submit_with_context(self: Any, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        return submit(self, contextvars.copy_context().run, function, *args, **kwargs)

    def cold_start(self: logs.Logs, function: str) -> Any:
        settings.settings.cache_clear()
        active.forget()
        return log_of(self, function)

    with (
        mock.patch.object(logs.Logs, "of", cold_start),
        mock.patch.object(BaseClient, "_make_api_call", make_api_call),
        mock.patch.object(ThreadPoolExecutor, "submit", submit_with_context),
    ):
        yield found


def allows(statement: Mapping[str, Any], need: Need) -> bool:
    """Whether a statement of a policy allows it."""
    if need.action not in statement["Action"]:
        return False
    if not any(fnmatchcase(need.resource, pattern) for pattern in statement["Resource"]):
        return False
    prefixes = statement.get("Condition", {}).get("StringLike", {}).get("s3:prefix")
    return prefixes is None or any(fnmatchcase(need.prefix or "", pattern) for pattern in prefixes)


def denied(needed: Iterable[Need], policies: Mapping[str, Mapping[str, Any]]) -> set[Need]:
    """What no statement of the function's policy allows."""
    return {
        need
        for need in needed
        if not any(allows(statement, need) for statement in policies[need.function]["Statement"])
    }


def unused(needed: Iterable[Need], policies: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """`<function> <Sid> <action> <resource>` of what is allowed and was never needed."""
    known = list(needed)
    return {
        f"{function} {statement['Sid']} {action} {resource}"
        for function, policy in policies.items()
        for statement in policy["Statement"]
        for action in statement["Action"]
        for resource in statement["Resource"]
        if not any(
            need.function == function and allows({**statement, "Action": [action], "Resource": [resource]}, need)
            for need in known
        )
    }
