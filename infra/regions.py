"""Look up facts that differ between AWS Regions, each with its source."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import ClientError

from infra.stages import InfraError, Stage

FIREHOSE_ADDRESSES = {
    "af-south-1": "13.244.121.224/27",
    "ap-east-1": "18.162.221.32/27",
    "ap-east-2": "43.212.53.160/27",
    "ap-northeast-1": "13.113.196.224/27",
    "ap-northeast-2": "13.209.1.64/27",
    "ap-northeast-3": "13.208.177.192/27",
    "ap-south-1": "13.232.67.32/27",
    "ap-south-2": "18.60.192.128/27",
    "ap-southeast-1": "13.228.64.192/27",
    "ap-southeast-2": "13.210.67.224/27",
    "ap-southeast-3": "108.136.221.64/27",
    "ap-southeast-4": "16.50.161.128/27",
    "ap-southeast-5": "43.216.58.0/27",
    "ap-southeast-7": "43.208.112.96/27",
    "ca-central-1": "35.183.92.128/27",
    "ca-west-1": "40.176.98.192/27",
    "cn-north-1": "52.81.151.32/27",
    "cn-northwest-1": "161.189.23.64/27",
    "eu-central-1": "35.158.127.160/27",
    "eu-central-2": "16.62.183.32/27",
    "eu-north-1": "13.53.63.224/27",
    "eu-south-1": "15.161.135.128/27",
    "eu-south-2": "18.100.71.96/27",
    "eu-west-1": "52.19.239.192/27",
    "eu-west-2": "18.130.1.96/27",
    "eu-west-3": "35.180.1.96/27",
    "il-central-1": "51.16.102.0/27",
    "me-central-1": "3.28.159.32/27",
    "me-south-1": "15.185.91.0/27",
    "mx-central-1": "78.12.207.32/27",
    "sa-east-1": "18.228.1.128/27",
    "us-east-1": "52.70.63.192/27",
    "us-east-2": "13.58.135.96/27",
    "us-gov-east-1": "18.253.138.96/27",
    "us-gov-west-1": "52.61.204.160/27",
    "us-west-1": "13.57.135.192/27",
    "us-west-2": "52.89.255.224/27",
}
"""Where Firehose connects from, by Region.

docs.aws.amazon.com/firehose/latest/dev/controlling-access.html, "VPC access to an Amazon Redshift provisioned cluster
or Amazon Redshift Serverless workgroup"
"""

FOUR_RPU = (
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "eu-west-1", "eu-north-1"),
    *("ap-south-1", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1"),
)
"""Where a Redshift Serverless warehouse of 4 RPU can be made.

docs.aws.amazon.com/redshift/latest/mgmt/serverless-capacity.html, which also says that a warehouse that was scaled
beyond 4 RPU isn't scaled back to them, and recommends at most 100 columns a table.
"""


def base_capacity(name: str) -> int:
    """Return the smallest base capacity that a Region offers, in RPU."""
    return 4 if name in FOUR_RPU else 8


def region() -> str:
    """Return the Region of the session: from the profile, or AWS_DEFAULT_REGION. Raise InfraError if there is none."""
    name = _named()
    if not name:
        raise InfraError(
            "No AWS Region is set: export AWS_DEFAULT_REGION=us-east-1 (or another), or set one in the profile"
        )
    return name


def role_name(of: Stage, function: str) -> str:
    """Return the name of a function's role (chalice_cli.py): IAM belongs to the account, so it names the Region too."""
    return f"{of.prefix}-{function}-{region()}"


def partition() -> str:
    """Return the partition of the session's Region: aws, aws-us-gov (GovCloud), aws-cn (China); aws without one."""
    name = _named()
    return _partition_of(name) if name else "aws"


def _named() -> str | None:
    """Return the Region that a session would take, or None. The variable goes before the profile's Region."""
    return os.environ.get("AWS_DEFAULT_REGION") or boto3.Session().region_name  # a session takes 20 ms


@cache  # each session reads the endpoints of all services for it
def _partition_of(region: str) -> str:
    return boto3.Session().get_partition_for_region(region)


SUBNETS = 3


def zones() -> list[str]:
    """Return the names of the zones for the three subnets, chosen by their IDs; where a Region has two, one is twice.

    A zone's name means another zone in each account, its ID does not. AWS says that Redshift Serverless is in some
    zones only, and names none (docs.aws.amazon.com/redshift/latest/mgmt/serverless-usage-considerations.html). So the
    account is asked in which zones there is Redshift at all. Where AWS still refuses one, `Zones` of the stage in
    infra/stages.json names others.
    """
    ec2: Any = boto3.client("ec2")
    filters = [{"Name": "state", "Values": ["available"]}, {"Name": "zone-type", "Values": ["availability-zone"]}]
    there = ec2.describe_availability_zones(Filters=filters)["AvailabilityZones"]
    redshift = with_redshift()
    fit = {zone["ZoneId"]: zone["ZoneName"] for zone in there if not redshift or zone["ZoneName"] in redshift}
    names = [fit[identity] for identity in sorted(fit)][:SUBNETS]
    return (names * SUBNETS)[:SUBNETS]


def with_redshift() -> set[str]:
    """Return the names of the zones in which RA3 clusters can be ordered; none where that can't be asked.

    They keep their data in managed storage, as Redshift Serverless does.
    docs.aws.amazon.com/redshift/latest/APIReference/API_OrderableClusterOption.html
    """
    redshift: Any = boto3.client("redshift")
    try:
        pages = redshift.get_paginator("describe_orderable_cluster_options").paginate()
        options = [each for page in pages for each in page["OrderableClusterOptions"]]
    except ClientError:
        return set()
    return {
        zone["Name"] for each in options if each["NodeType"].startswith("ra3") for zone in each["AvailabilityZones"]
    }


def zones_needed(name: str) -> int:
    """Return how many Availability Zones the three subnets of a Redshift Serverless workgroup must span.

    Three, but two in us-west-1: docs.aws.amazon.com/redshift/latest/mgmt/serverless-usage-considerations.html
    """
    return 2 if name == "us-west-1" else 3
