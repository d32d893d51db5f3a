"""Policies for people: small enough for IAM, of one stage, and enough for what a deployment and a producer call."""

from __future__ import annotations

import json
import re
from typing import Any
from unittest import mock

import pytest
from botocore.client import BaseClient

import producer
from infra import people, template
from infra.__main__ import main
from infra.people import PEOPLE
from infra.stages import Stage
from local.server import LocalAws
from tests.support.permissions import actions, refused

DEV = Stage("dev", {})
SERVICES = {
    "EC2": "ec2",
    "S3": "s3",
    "IAM": "iam",
    "KMS": "kms",
    "SNS": "sns",
    "SSM": "ssm",
    "Logs": "logs",
    "Kinesis": "kinesis",
    "Budgets": "budgets",
    "CloudWatch": "cloudwatch",
    "SecretsManager": "secretsmanager",
    "KinesisFirehose": "firehose",
    "RedshiftServerless": "redshift-serverless",
    "Events": "events",
    "Lambda": "lambda",
}
"""By the middle of a CloudFormation type: CloudFormation makes each with the rights of who deploys."""


@pytest.mark.parametrize("person", PEOPLE)
def test_a_policy_fits_and_is_of_one_stage(person: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policies", "--stage", "dev", "--copy", person]) == 0
    text = capsys.readouterr().out
    assert len(re.sub(r"\s", "", text)) <= people.MOST_CHARACTERS
    assert "{" not in re.sub(r"\$\{[^}]*\}", "", "".join(re.findall(r'"[^"]*"', text)))
    assert "prod" not in text
    sids = [each["Sid"] for each in json.loads(text)["Statement"]]
    assert len(set(sids)) == len(sids)


def test_nobody_is_administrator() -> None:
    for person, grants in PEOPLE.items():
        for grant in grants:
            wide = [action for action in grant.actions if action == "*" or action.startswith("iam:*")]
            assert not wide, (person, grant.sid)
            assert grant.resources != ("*",) or len(grant.why.split()) > 4, (person, grant.sid)
    roles = next(grant for grant in PEOPLE["deployer"] if grant.sid == "Roles")
    assert all("disaster-tweets-{stage}" in resource for resource in roles.resources)


def test_who_deploys_may_make_each_resource_of_the_template() -> None:
    kinds = {each["Type"].split("::")[1] for each in template.read()["Resources"].values()}
    granted = {action.split(":")[0] for action in actions("deployer")}
    assert {SERVICES[kind] for kind in kinds} - granted == set()


def test_a_producer_may_send_and_nothing_else(stack: LocalAws, tmp_path: Any) -> None:
    found: set[tuple[str, str]] = set()
    call: Any = BaseClient._make_api_call  # type: ignore[attr-defined]

    def record(self: Any, operation: str, given: Any) -> Any:
        found.add((self.meta.service_model.service_name, operation))
        return call(self, operation, given)

    tweets = tmp_path / "tweets.ndjson"
    tweets.write_text('{"tweet_id": "1", "text": "Flood"}\n')
    with mock.patch.object(BaseClient, "_make_api_call", record):
        for stream in ("--stream", "--kinesis-stream"):
            assert producer.main([str(tweets), stream, stack.stream, "--rate", "0"]) == 0
    assert refused("producer", found) == []
    assert {f"{service}:{name}" for service, name in found} == set(actions("producer"))


def test_what_a_policy_lacks_is_seen() -> None:
    assert refused("producer", [("firehose", "DeleteDeliveryStream")]) == ["firehose:DeleteDeliveryStream"]
    assert refused("deployer", [("iam", "CreateUser"), ("iam", "CreateRole")]) == ["iam:CreateUser"]
