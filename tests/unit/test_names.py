"""Two stages in one account, or one stage in two Regions, don't take each other's names."""

from __future__ import annotations

import re
from typing import Any

import pytest

from infra import template
from infra.stages import FUNCTIONS, Stage

OF_THE_ACCOUNT = {"AWS::S3::Bucket", "AWS::Budgets::Budget", "AWS::CloudWatch::Dashboard", "AWS::IAM::Role"}
"""What belongs to no Region.

docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html: "All dashboards in your account are
global, not region-specific"; a bucket's name is anybody's.
"""
NAMES = re.compile(r"(\w*Name|Name)")


def names(stage: str, region: str) -> set[tuple[str, str]]:
    """Return (type, name) of every resource that the template names."""
    given = {"Stage": stage, "AWS::Region": region, "AWS::AccountId": "123456789012", "AWS::Partition": "aws"}
    found = set()
    for delivery in ("reconcile", "firehose"):
        for each in template.resources(Stage=stage, Delivery=delivery, Source="Kinesis").values():
            properties = each.get("Properties", {})
            inner = properties.get("Budget", {}) if each["Type"] == "AWS::Budgets::Budget" else properties
            for key, value in inner.items():
                if NAMES.fullmatch(key) and key not in REFERS and is_name(value):
                    found.add((each["Type"], template.filled(value, given)))
    return found


REFERS = {"DbName", "AdminUsername", "MetricName", "GroupName", "ServiceName"}


def is_name(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, dict) and set(value) == {"Fn::Sub"})


def test_two_stages_share_no_name() -> None:
    assert len(names("dev", "us-east-1")) > 40
    shared = names("dev", "us-east-1") & names("prod", "us-east-1")
    assert {name for kind, name in shared if kind != "AWS::Logs::LogStream"} == set()  # of different groups


def test_what_belongs_to_the_account_has_its_region_in_its_name() -> None:
    shared = names("dev", "us-east-1") & names("dev", "eu-west-1")
    assert [each for each in shared if each[0] in OF_THE_ACCOUNT] == []


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_stages_functions_are_anothers(function: str) -> None:
    """Their roles belong to the account; the same stage in another Region is refused before anything is made."""
    stages = [Stage(name, {}) for name in ("dev", "dev2", "prod")]
    assert len({of.function_name(function) for of in stages}) == len(stages)
    assert re.fullmatch(template.read()["Parameters"]["Stage"]["AllowedPattern"], "dev-jobs") is None
