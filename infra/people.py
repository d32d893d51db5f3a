"""Print policies for people: to deploy a stage without being administrator, to send tweets, to query.

`python -m infra policies --stage dev --copy deployer` prints one. `tests/integration/test_people.py` compares the
deployer's with the calls that a deployment and a destruction make, and the producer's with those of producer.py.
"""

from __future__ import annotations

import json

from infra import regions
from infra.policies import WAREHOUSE, Grant, filled, statement
from infra.stages import Stage

MOST_CHARACTERS = 6_144
"""Of a managed policy, white space not counted: docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
NAME = "disaster-tweets-{stage}"

PEOPLE: dict[str, tuple[Grant, ...]] = {
    "producer": (
        Grant("Send", ("firehose:PutRecordBatch",), (f"arn:aws:firehose:*:*:deliverystream/{NAME}",)),
        Grant("SendIntoKinesis", ("kinesis:PutRecords",), (f"arn:aws:kinesis:*:*:stream/{NAME}",)),
    ),
    "analyst": (
        *WAREHOUSE,
        Grant("ReadReports", ("execute-api:Invoke",), ("arn:aws:execute-api:*:*:*/api/GET/*",)),
    ),
    "deployer": (
        Grant("Stack", ("cloudformation:*",), (f"arn:aws:cloudformation:*:*:stack/{NAME}-data/*",)),
        Grant(
            "Functions", ("lambda:*",), (f"arn:aws:lambda:*:*:function:{NAME}", f"arn:aws:lambda:*:*:function:{NAME}-*")
        ),
        Grant(
            "Roles",
            (
                *("iam:CreateRole", "iam:DeleteRole", "iam:GetRole", "iam:PassRole", "iam:TagRole", "iam:UntagRole"),
                *("iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:GetRolePolicy", "iam:ListRolePolicies"),
                *("iam:ListAttachedRolePolicies", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:ListRoleTags"),
            ),
            (f"arn:aws:iam::*:role/{NAME}", f"arn:aws:iam::*:role/{NAME}-*"),
        ),
        Grant(
            "Api",
            ("apigateway:GET", "apigateway:POST", "apigateway:PUT", "apigateway:PATCH", "apigateway:DELETE"),
            ("arn:aws:apigateway:*::/restapis", "arn:aws:apigateway:*::/restapis/*", "arn:aws:apigateway:*::/tags/*"),
            why="an API's ARN is a random id",
        ),
        Grant("CallApi", ("execute-api:Invoke",), ("arn:aws:execute-api:*:*:*/api/*",)),
        Grant("Rules", ("events:*",), (f"arn:aws:events:*:*:rule/{NAME}-*",)),
        Grant("Bucket", ("s3:*",), ("arn:aws:s3:::{bucket}", "arn:aws:s3:::{bucket}/*")),
        Grant(
            "Streams",
            ("firehose:*", "kinesis:*"),
            (f"arn:aws:firehose:*:*:deliverystream/{NAME}", f"arn:aws:kinesis:*:*:stream/{NAME}"),
        ),
        Grant(
            "Warehouse",
            ("redshift-serverless:*", "redshift-data:*"),
            ("*",),
            why="the ARNs of namespace and workgroup are random ids, and statements are no resources",
        ),
        Grant(
            "Network",
            (
                *("ec2:CreateVpc", "ec2:DeleteVpc", "ec2:ModifyVpcAttribute", "ec2:CreateSubnet", "ec2:DeleteSubnet"),
                *("ec2:CreateRouteTable", "ec2:DeleteRouteTable", "ec2:AssociateRouteTable", "ec2:CreateRoute"),
                *("ec2:DisassociateRouteTable", "ec2:DeleteRoute", "ec2:CreateVpcEndpoint", "ec2:ModifyVpcEndpoint"),
                *("ec2:DeleteVpcEndpoints", "ec2:CreateInternetGateway", "ec2:DeleteInternetGateway"),
                *("ec2:AttachInternetGateway", "ec2:DetachInternetGateway", "ec2:CreateSecurityGroup"),
                *("ec2:DeleteSecurityGroup", "ec2:AuthorizeSecurityGroup*", "ec2:RevokeSecurityGroup*"),
                *("ec2:CreateTags", "ec2:DeleteTags", "ec2:Describe*"),
            ),
            ("*",),
            why="the ids of a network are random, and Redshift Serverless asks for descriptions of all",
        ),
        Grant(
            "LogGroups",
            ("logs:*",),
            (
                f"arn:aws:logs:*:*:log-group:/aws/lambda/{NAME}:*",
                f"arn:aws:logs:*:*:log-group:/aws/lambda/{NAME}-*",
                f"arn:aws:logs:*:*:log-group:/aws/kinesisfirehose/{NAME}:*",
            ),
        ),
        Grant("Settings", ("ssm:*",), ("arn:aws:ssm:*:*:parameter/disaster-tweets/{stage}/*",)),
        Grant(
            "AlarmsAndTopics",
            ("cloudwatch:*", "sns:*", "budgets:*"),
            (
                f"arn:aws:cloudwatch:*:*:alarm:{NAME}-*",
                f"arn:aws:cloudwatch::*:dashboard/{NAME}-*",
                f"arn:aws:sns:*:*:{NAME}",
                f"arn:aws:sns:*:*:{NAME}-situations",
                f"arn:aws:budgets::*:budget/{NAME}-*",
            ),
        ),
        Grant(
            "Secrets",
            ("secretsmanager:*",),
            (
                "arn:aws:secretsmanager:*:*:secret:disaster-tweets/{stage}/*",
                f"arn:aws:secretsmanager:*:*:secret:redshift!{NAME}-*",
            ),
        ),
        Grant(
            "Endpoints",
            ("comprehend:DeleteEndpoint",),
            (f"arn:aws:comprehend:*:*:document-classifier-endpoint/{NAME}-*",),
        ),
        Grant(
            "KeyAndLook",
            (
                *("kms:CreateKey", "kms:DescribeKey", "kms:EnableKeyRotation", "kms:GetKeyPolicy", "kms:PutKeyPolicy"),
                *("kms:GetKeyRotationStatus", "kms:ListResourceTags", "kms:ScheduleKeyDeletion", "kms:TagResource"),
                *("kms:Decrypt", "kms:GenerateDataKey", "sts:GetCallerIdentity", "servicequotas:GetServiceQuota"),
                *("lambda:GetAccountSettings", "s3:ListAllMyBuckets", "comprehend:ListEndpoints"),
                *("logs:DescribeLogGroups", "cloudwatch:GetMetricStatistics", "cloudwatch:DescribeAlarms"),
                *("lambda:ListFunctions", "firehose:ListDeliveryStreams", "secretsmanager:GetRandomPassword"),
                *("ssm:DescribeParameters", "ssm:GetParametersByPath", "redshift:DescribeClusters"),
                "redshift:DescribeOrderableClusterOptions",
            ),
            ("*",),
            why="a key's ARN is a random id, and what lists or looks knows no resource",
        ),
    ),
}


def policy(of: Stage, person: str) -> str:
    """Return a person's policy as JSON, with the names of the stage and of the session's partition."""
    names = {
        "stage": of.name,
        "bucket": of.parameters.get("ExistingBucket") or f"{of.prefix}-*",
    }
    statements = [statement(grant, names) for grant in PEOPLE[person]]
    text = json.dumps(filled({"Version": "2012-10-17", "Statement": statements}, names), indent=2)
    return text.replace("arn:aws:", f"arn:{regions.partition()}:")
