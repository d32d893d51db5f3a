"""The check of the local AWS's answers can fail: it complains about what AWS could not answer, and about that alone."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from tests.support.answers import complaints

OPERATIONS = {
    "DescribeStatement": "redshift-data",
    "GetStatementResult": "redshift-data",
    "PutRecordBatch": "firehose",
    "ListObjectsV2": "s3",
    "ClassifyDocument": "comprehend",
    "ListTopics": "sns",
    "DescribeVpcs": "ec2",
}


def wrong(operation: str, body: Any, status: int = 200, **headers: str) -> list[str]:
    """Return what is wrong with a body."""
    client: Any = boto3.client(
        OPERATIONS[operation],  # type: ignore[call-overload]
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )
    text = body if isinstance(body, str) else json.dumps(body)
    model = client.meta.service_model.operation_model(operation)
    return list(complaints(model, status, {k.replace("_", "-"): v for k, v in headers.items()}, text.encode()))


GOOD = {"Id": "1", "Status": "FINISHED", "CreatedAt": 1.5, "HasResultSet": True}
LISTED = "<ListBucketResult><Contents><Key>a</Key><Size>1</Size></Contents><KeyCount>1</KeyCount></ListBucketResult>"
TOPICS = """<ListTopicsResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><ListTopicsResult><Topics><member>
<TopicArn>a</TopicArn></member></Topics></ListTopicsResult></ListTopicsResponse>"""
VPCS = """<DescribeVpcsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>1</requestId><vpcSet><item>
<vpcId>v</vpcId><isDefault>true</isDefault></item></vpcSet></DescribeVpcsResponse>"""


def test_what_aws_could_answer_is_fine() -> None:
    assert wrong("DescribeStatement", GOOD) == []
    assert wrong("GetStatementResult", {"Records": [[{"longValue": 1}, {"isNull": True}]]}) == []
    assert wrong("ListObjectsV2", LISTED) == []
    assert wrong("ListTopics", TOPICS) == []
    assert wrong("DescribeVpcs", VPCS) == []
    assert wrong("DescribeStatement", {"__type": "ResourceNotFoundException"}, 400) == []
    assert wrong("DescribeStatement", "{}", 400, x_amzn_errortype="ValidationException:http://x") == []


@pytest.mark.parametrize(
    ("operation", "body", "complaint"),
    [
        ("DescribeStatement", GOOD | {"Status": "DONE"}, "DONE is none of"),
        ("DescribeStatement", GOOD | {"Rows": 1}, "no member Rows"),
        ("DescribeStatement", GOOD | {"HasResultSet": "yes"}, "no boolean: 'yes'"),
        ("DescribeStatement", GOOD | {"Duration": "7"}, "no long: '7'"),
        ("DescribeStatement", {"Status": "FINISHED"}, "DescribeStatementResponse needs Id"),
        ("DescribeStatement", GOOD | {"SubStatements": [{"Id": "1:1", "State": "x"}]}, "no member State"),
        ("GetStatementResult", {"Records": [[{"longValue": 1, "isNull": True}]]}, "holds one of its members"),
        ("GetStatementResult", {"Records": {}}, "no list"),
        ("GetStatementResult", {"Records": [[{"blobValue": "?"}]]}, "no base64"),
        ("PutRecordBatch", {"FailedPutCount": 0}, "needs RequestResponses"),
        ("ListObjectsV2", LISTED.replace("Size", "Length"), "Object has no member Length"),
        ("ClassifyDocument", {"Classes": [{"Name": 1}]}, "no text: 1"),
        ("ListTopics", TOPICS.replace("TopicArn", "Topic"), "Topic has no member Topic"),
        ("DescribeVpcs", VPCS.replace("true", "yes"), "no boolean: yes"),
        ("ListObjectsV2", LISTED.replace(">1</Size", ">many</Size"), "no integer: many"),
    ],
)
def test_what_aws_could_not_answer_is_complained_about(operation: str, body: Any, complaint: str) -> None:
    assert any(complaint in each for each in wrong(operation, body))


def test_errors_are_the_operations_own() -> None:
    (found,) = wrong("ClassifyDocument", {"__type": "ResourceNotFoundException"}, 400)
    assert "ResourceNotFoundException is none of its errors" in found
    assert wrong("ClassifyDocument", {"__type": "ResourceUnavailableException"}, 400) == []
    assert wrong("ClassifyDocument", {"__type": "NotImplemented"}, 501) == []
