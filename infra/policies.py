"""Write a least-privilege policy for each function, `.chalice/policy-<stage>-<function>.json`, from data with reasons.

JSON has no comments, so this is where they are: `why` stands beside every grant whose resource is wider than one name.
`python -m infra policies` writes the files again. `tests/integration/test_policies.py` compares them with the
calls that are made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.stages import FUNCTIONS, ROOT, Stage, stage

Condition = Mapping[str, Mapping[str, str]]

OWN_ACCOUNT: Condition = {"StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}}
"""A bucket's name says nothing of its owner: a bucket that somebody else made under our name is refused."""


@dataclass(frozen=True)
class Grant:
    """One statement. In resources `{stage}`, `{bucket}`, `{stream}` and `{cluster}` stand for the stage's own."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: Condition = field(default_factory=dict)
    why: str = ""


def objects(sid: str, action: str, *prefixes: str) -> Grant:
    return Grant(sid, (action,), tuple(f"arn:aws:s3:::{{bucket}}/{prefix}*" for prefix in prefixes), OWN_ACCOUNT)


def within(*prefixes: str) -> Condition:
    """Return an ARN for each prefix of this account's bucket."""
    return {**OWN_ACCOUNT, "StringLike": {"s3:prefix": [f"{prefix}*" for prefix in prefixes]}}  # type: ignore[dict-item]


def listing(*prefixes: str) -> Grant:
    """ListBucket on some prefixes; it also makes a missing object a 404 instead of a 403."""
    return Grant("List", ("s3:ListBucket",), ("arn:aws:s3:::{bucket}",), within(*prefixes))


def invoke(*functions: str, sid: str = "StartJobs") -> Grant:
    names = tuple(f"arn:aws:lambda:*:*:function:disaster-tweets-{{stage}}-{function}" for function in functions)
    return Grant(sid, ("lambda:InvokeFunction",), names)


SETTINGS = Grant(
    "ReadSettings",
    ("ssm:GetParametersByPath",),
    ("arn:aws:ssm:*:*:parameter/disaster-tweets/{stage}", "arn:aws:ssm:*:*:parameter/disaster-tweets/{stage}/"),
    why="the resource of GetParametersByPath is the path, and AWS asks for it with the slash at its end or without",
)
ACTIVE = "arn:aws:ssm:*:*:parameter/disaster-tweets/{stage}/classifier/active"
CLASSIFIER = "arn:aws:comprehend:*:*:document-classifier/disaster-tweets-{stage}"
ENDPOINTS = "arn:aws:comprehend:*:*:document-classifier-endpoint/disaster-tweets-{stage}-*"
READ_ACTIVE = Grant("ReadActiveClassifier", ("ssm:GetParameter",), (ACTIVE,))
CLASSIFY = Grant(
    "Classify",
    ("comprehend:ClassifyDocument",),
    (ENDPOINTS,),
    why="one endpoint a version; each name begins with the stage",
)
NO_RESOURCE = "Comprehend's list actions know no resource"
LIST_ENDPOINTS = Grant("ListEndpoints", ("comprehend:ListEndpoints",), ("*",), why=NO_RESOURCE)
LIST_COMPREHEND = Grant(
    "ListComprehend", ("comprehend:ListDocumentClassifiers", "comprehend:ListEndpoints"), ("*",), why=NO_RESOURCE
)
TOPIC = "arn:aws:sns:*:*:disaster-tweets-{stage}"
ALERT = Grant("Alert", ("sns:Publish",), (TOPIC, f"{TOPIC}-situations"))
ALERT_KEY = Grant(
    "AlertKey",
    ("kms:Decrypt", "kms:GenerateDataKey"),
    ("arn:aws:kms:*:*:key/*",),
    {"StringLike": {"kms:ViaService": "sns.*.amazonaws.com"}},
    why="a key's ARN is a random id; only through SNS, and only keys of this account whose policy leaves it to IAM",
)
WAREHOUSE = (
    Grant(
        "RunStatements",
        ("redshift-data:ExecuteStatement", "redshift-data:BatchExecuteStatement", "redshift-serverless:GetCredentials"),
        ("arn:aws:redshift-serverless:*:*:workgroup/*",),
        {"StringEquals": {"aws:ResourceTag/app": "disaster-tweets", "aws:ResourceTag/stage": "{stage}"}},
        why="a workgroup's ARN is a random id: its tags name it",
    ),
    Grant(
        "ReadOwnStatements",
        ("redshift-data:DescribeStatement", "redshift-data:GetStatementResult"),
        ("*",),
        {"StringEquals": {"redshift-data:statement-owner-iam-userid": "${aws:userid}"}},
        why="a statement is no resource in IAM; the condition leaves those that this very role has started",
    ),
)
CLUSTER = Grant(
    "RunStatementsOnCluster",
    ("redshift-data:ExecuteStatement", "redshift-data:BatchExecuteStatement", "redshift:GetClusterCredentials"),
    (
        "arn:aws:redshift:*:*:cluster:{cluster}",
        "arn:aws:redshift:*:*:dbuser:{cluster}/{user}",
        "arn:aws:redshift:*:*:dbname:{cluster}/tweets",
    ),
)

PUT_INTO_STREAM = Grant(
    "PutIntoStream", ("firehose:PutRecordBatch",), ("arn:aws:firehose:*:*:deliverystream/{stream}",)
)
PUT_INTO_SOURCE = Grant(
    "PutIntoSource", ("kinesis:PutRecords",), ("arn:aws:kinesis:*:*:stream/disaster-tweets-{stage}",)
)

POSTS = ("tweets/", "source/", "delivery/", "rejected/")
"""Where posts lie. What is erased goes from all of them."""

GRANTS: dict[str, tuple[Grant, ...]] = {
    "transform": (
        SETTINGS,
        READ_ACTIVE,
        objects("WriteTweetFiles", "s3:PutObject", "tweets/", "rejected/"),
        objects("ReadTweetFilesOnRetry", "s3:GetObject", "tweets/"),
        CLASSIFY,
        invoke("reconcile", sid="TellOfSurges"),
        PUT_INTO_STREAM,
        PUT_INTO_SOURCE,
    ),
    "collect": (
        SETTINGS,
        objects("KeepCursor", "s3:GetObject", "collect/"),
        objects("WriteCursorAndDeletions", "s3:PutObject", "collect/", "erasures/requests/"),
        PUT_INTO_STREAM,
        PUT_INTO_SOURCE,
    ),
    "reconcile": (
        SETTINGS,
        READ_ACTIVE,
        objects("WriteReports", "s3:PutObject", "reports/"),
        # Tweet files that can't be loaded are read to say why, refused records for their reasons.
        objects("ReadFiles", "s3:GetObject", "reports/", "tweets/", "rejected/", "delivery/processing-failed/"),
        listing("tweets/", "rejected/", "delivery/", "reports/"),
        LIST_ENDPOINTS,
        ALERT,
        ALERT_KEY,
        *WAREHOUSE,
    ),
    "erase": (
        SETTINGS,
        objects("WriteWhatIsLeft", "s3:PutObject", *POSTS, "erasures/"),
        objects("ReadPosts", "s3:GetObject", *POSTS, "erasures/"),
        objects("ReadOldVersions", "s3:GetObjectVersion", *POSTS),
        objects("RemoveOldVersions", "s3:DeleteObjectVersion", *POSTS, "erasures/requests/"),
        listing("erasures/"),
        Grant(
            "ListVersions",
            ("s3:ListBucketVersions",),
            ("arn:aws:s3:::{bucket}",),
            within(*POSTS, "erasures/requests/"),
        ),
        *WAREHOUSE,
    ),
    "jobs": (
        SETTINGS,
        objects("WriteReports", "s3:PutObject", "reports/"),
        objects("ReadReportsAndData", "s3:GetObject", "reports/", "classifier/"),
        listing("reports/", "classifier/"),
        CLASSIFY,
        LIST_COMPREHEND,
        *WAREHOUSE,
    ),
    "api_handler": (
        SETTINGS,
        Grant("SwitchClassifier", ("ssm:GetParameter", "ssm:PutParameter"), (ACTIVE,)),
        Grant("CountFallbacks", ("cloudwatch:GetMetricStatistics",), ("*",), why="a metric is no resource in IAM"),
        objects("WriteJobs", "s3:PutObject", "reports/"),
        objects("ReadReportsAndData", "s3:GetObject", "reports/", "classifier/"),
        objects("ShowPosts", "s3:GetObject", "tweets/"),
        listing("reports/", "classifier/", "erasures/"),
        objects("AskForErasures", "s3:PutObject", "erasures/requests/"),
        objects("ReadErasures", "s3:GetObject", "erasures/requests/", "erasures/done/", "erasures/state.json"),
        invoke("reconcile", "jobs", "erase"),
        LIST_COMPREHEND,
        CLASSIFY,
        Grant(
            "Train",
            ("comprehend:CreateDocumentClassifier",),
            (CLASSIFIER, f"{CLASSIFIER}/version/*"),
            why="the one classifier of this stage, of which each training makes a version",
        ),
        Grant(
            "LetComprehendRead",
            ("iam:PassRole",),
            ("arn:aws:iam::*:role/disaster-tweets-{stage}-data-ComprehendRole-*",),
            {"StringEquals": {"iam:PassedToService": "comprehend.amazonaws.com"}},
            why="CloudFormation ends the role's name with random letters",
        ),
        Grant(
            "Host",
            ("comprehend:CreateEndpoint",),
            (ENDPOINTS, f"{CLASSIFIER}/version/*"),
            why="one endpoint a version; creating one names both",
        ),
        Grant("ResizeOrDelete", ("comprehend:UpdateEndpoint", "comprehend:DeleteEndpoint"), (ENDPOINTS,)),
        *WAREHOUSE,
    ),
}


def logs(function: str) -> Grant:
    """Allow to write logs. The data plane makes the log groups, so no function may."""
    name = "disaster-tweets-{stage}" if function == "api_handler" else f"disaster-tweets-{{stage}}-{function}"
    return Grant(
        "Log",
        ("logs:CreateLogStream", "logs:PutLogEvents"),
        (f"arn:aws:logs:*:*:log-group:/aws/lambda/{name}:*",),
        why="the streams of one log group",
    )


def policy(of: Stage, function: str) -> dict[str, Any]:
    """Return the policy document of a function in a stage."""
    cluster = of.parameters.get("ExistingCluster", "")
    grants = [*GRANTS[function], logs(function)]
    if of.parameters.get("Source") != "Kinesis":
        grants = [grant for grant in grants if grant is not PUT_INTO_SOURCE]
    if cluster:
        grants = [CLUSTER if grant.sid == "RunStatements" else grant for grant in grants]
    names = {
        "stage": of.name,
        "bucket": of.parameters.get("ExistingBucket") or f"disaster-tweets-{of.name}-${{aws:PrincipalAccount}}-*",
        "stream": of.prefix,
        "cluster": cluster,
        "user": of.parameters.get("DatabaseUser", ""),
    }
    return {"Version": "2012-10-17", "Statement": [statement(grant, names) for grant in grants]}


def statement(grant: Grant, names: Mapping[str, str]) -> dict[str, Any]:
    written: dict[str, Any] = {
        "Sid": grant.sid,
        "Effect": "Allow",
        "Action": sorted(grant.actions),
        "Resource": [filled(resource, names) for resource in grant.resources],
    }
    if grant.condition:
        written["Condition"] = filled(grant.condition, names)
    return written


def filled(value: Any, names: Mapping[str, str]) -> Any:
    """`{stage}` and the like filled in, however deep; IAM's own `${aws:…}` stays."""
    if isinstance(value, str):
        for name, text in names.items():
            value = value.replace(f"{{{name}}}", text)
        return value
    if isinstance(value, Mapping):
        return {key: filled(inner, names) for key, inner in value.items()}
    return [filled(inner, names) for inner in value]


def path(of: Stage, function: str) -> Path:
    return ROOT / ".chalice" / f"policy-{of.name}-{function}.json"


def text(of: Stage, function: str) -> str:
    return json.dumps(policy(of, function), indent=2) + "\n"


def written(of: Stage, function: str) -> bool:
    """Return whether the file says what this module says."""
    file = path(of, function)
    return file.exists() and file.read_text() == text(of, function)


def write(names: list[str]) -> list[Path]:
    """Write the policies of the named stages; return the files that changed."""
    changed = []
    for name in names:
        of = stage(name)
        for function in FUNCTIONS:
            if not written(of, function):
                path(of, function).write_text(text(of, function))
                changed.append(path(of, function))
    return changed
