"""What differs between Regions: zones for the warehouse, and the partition that ARNs are in."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from infra import data_plane, package, regions, runtime, sdk
from infra.stages import Stage


def available(monkeypatch: pytest.MonkeyPatch, *, redshift: str | None = None, **zones: str) -> None:
    """Let the Region have zones, by ID, and let RA3 clusters be ordered in those of some names."""
    there = [{"ZoneId": identity.replace("_", "-"), "ZoneName": name} for identity, name in zones.items()]
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    ec2 = boto3.client("ec2")
    stub = Stubber(boto3.client("redshift"))
    if redshift is None:
        stub.add_client_error("describe_orderable_cluster_options", "AccessDenied")
    else:
        named = [{"Name": name} for name in redshift]
        options = [
            {"NodeType": "ra3.large", "AvailabilityZones": named[:1]},
            {"NodeType": "ra3.4xlarge", "AvailabilityZones": named},
            {"NodeType": "dc2.large", "AvailabilityZones": [{"Name": name} for name in zones.values()]},
        ]
        for page, marker in ((options[:1], {"Marker": "more"}), (options[1:], {})):
            stub.add_response("describe_orderable_cluster_options", {"OrderableClusterOptions": page, **marker})
    stub.activate()
    ec2.describe_availability_zones = lambda Filters: {"AvailabilityZones": there}
    monkeypatch.setattr(boto3, "client", {"ec2": ec2, "redshift": stub.client}.__getitem__)


def test_zones_are_chosen_by_their_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names mean other zones in each account."""
    available(monkeypatch, use1_az4="a", use1_az1="c", use1_az6="d", use1_az2="e")
    assert regions.zones() == ["c", "e", "a"]


def test_a_zone_without_redshift_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    available(monkeypatch, redshift="acde", use1_az4="a", use1_az3="b", use1_az1="c", use1_az6="d", use1_az2="e")
    assert regions.zones() == ["c", "e", "a"]


def test_two_zones_are_enough_in_us_west_1(monkeypatch: pytest.MonkeyPatch) -> None:
    available(monkeypatch, redshift="ba", usw1_az1="b", usw1_az3="a")
    assert regions.zones() == ["b", "a", "b"]
    assert regions.zones_needed("us-west-1") == 2
    assert regions.zones_needed("us-east-1") == 3


def test_a_stage_keeps_its_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another zone would be a new subnet, and the workgroup is in the old one."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(regions, "zones", lambda: ["x", "y", "z"])
    stack: Any = {"Parameters": [{"ParameterKey": "Zones", "ParameterValue": "a,b,c"}]}
    monkeypatch.setattr(data_plane, "stack", lambda of: None)
    assert data_plane.parameters(Stage("dev", {}))["Zones"] == "x,y,z"
    monkeypatch.setattr(data_plane, "stack", lambda of: stack)
    assert data_plane.parameters(Stage("dev", {}))["Zones"] == "a,b,c"
    assert data_plane.parameters(Stage("dev", {"Zones": "d,e,f"}))["Zones"] == "d,e,f"
    assert "Zones" not in data_plane.parameters(Stage("dev", {"ExistingWorkgroup": "theirs"}))


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn")]
)
def test_policies_are_of_the_regions_partition(monkeypatch: pytest.MonkeyPatch, region: str, partition: str) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    monkeypatch.setattr(sdk, "add", lambda _: None)
    monkeypatch.setattr(runtime, "unpack", lambda *_: None)
    monkeypatch.setattr(runtime, "compile_folder", lambda *_: None)
    with package.staged() as project:
        for policy in (project / ".chalice").glob("policy-*.json"):
            text = policy.read_text()
            assert json.loads(text)
            assert {arn.split(":")[0] for arn in text.split("arn:")[1:]} == {partition}


def test_no_template_names_a_partition() -> None:
    assert "arn:aws:" not in data_plane.TEMPLATE.read_text()
