"""Helpers: CloudFormation templates as plain data, and what they come to for given parameters."""

import json
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from infra import package
from infra.stages import stage

DATA_PLANE = Path(__file__).parent.parent / "infra" / "data-plane.yaml"
Tree = Any


class Loader(yaml.SafeLoader):
    """Short forms become their long ones: `!Ref x` is `{"Ref": "x"}`, `!If […]` is `{"Fn::If": […]}`."""


def _long_form(loader: Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", _long_form)

NOTHING = {"Ref": "AWS::NoValue"}


def data_plane(**parameters: str) -> dict[str, Tree]:
    """The data plane's resources, by logical name, that these parameters (else the defaults) lead to.

    Conditions are decided and parameters filled in; other references stay as they are.
    """
    template = yaml.load(DATA_PLANE.read_text(), Loader)
    given = {name: str(each.get("Default", "dev")) for name, each in template["Parameters"].items()} | parameters
    assert set(parameters) <= set(template["Parameters"])

    def holds(condition: Tree) -> bool:
        (kind, inner), *_ = condition.items()
        if kind == "Condition":
            return holds(template["Conditions"][inner])
        if kind == "Fn::Equals":
            left, right = map(resolved, inner)
            return bool(left == right)
        return {"Fn::Not": not holds(inner[0]), "Fn::And": all(map(holds, inner)), "Fn::Or": any(map(holds, inner))}[
            kind
        ]

    def resolved(tree: Tree) -> Tree:
        if isinstance(tree, list):
            return [resolved(each) for each in tree if (value := resolved(each)) != NOTHING and value is not None]
        if not isinstance(tree, dict):
            return tree
        if set(tree) == {"Fn::If"}:
            condition, yes, no = tree["Fn::If"]
            return resolved(yes if holds({"Condition": condition}) else no)
        if set(tree) == {"Ref"}:
            return given.get(tree["Ref"], tree)
        return {key: value for key, each in tree.items() if (value := resolved(each)) != NOTHING}

    return {
        name: resolved(resource)
        for name, resource in template["Resources"].items()
        if "Condition" not in resource or holds({"Condition": resource["Condition"]})
    }


def of_type(resources: dict[str, Tree], kind: str) -> dict[str, Tree]:
    """The properties of the resources of a type, by logical name."""
    return {name: each.get("Properties", {}) for name, each in resources.items() if each["Type"] == kind}


@cache
def bundle() -> package.Bundle:
    """The packaged app of stage dev, built once a process."""
    return package.build(stage("dev"), Path(tempfile.mkdtemp(prefix="bundle-")))


def translated() -> dict[str, Tree]:
    """`chalice package`'s SAM template as the CloudFormation that AWS makes of it."""
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    from samtranslator.translator.transform import transform

    class NoManagedPolicies:
        def load(self) -> dict[str, str]:
            return {}

    template = json.loads(bundle().template.read_text())
    for function in of_type(template["Resources"], "AWS::Serverless::Function").values():
        function["CodeUri"] = {
            "Bucket": "some-bucket",
            "Key": "deployment.zip",
        }  # where `aws cloudformation package` puts it
    done: dict[str, Tree] = transform(template, {}, NoManagedPolicies())
    return done
