"""Read the data plane's template as plain data, and evaluate it for given parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import yaml

from infra.stages import ROOT

DATA_PLANE = ROOT / "infra" / "data-plane.yaml"
NOTHING = {"Ref": "AWS::NoValue"}
Tree = Any


class Loader(yaml.CSafeLoader):  # libyaml's: the same in a seventh of the time
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


def loaded(text: str) -> dict[str, Tree]:
    """Return a template's text as plain data."""
    tree: dict[str, Tree] = yaml.load(text, Loader)  # noqa: S506 - a SafeLoader
    return tree


@cache
def read() -> dict[str, Tree]:
    """Return the whole template, which nobody may change."""
    return loaded(DATA_PLANE.read_text())


def resources(**parameters: str) -> dict[str, Tree]:
    """Return the resources, by logical name, that these parameters (else the defaults) lead to.

    Conditions are decided and parameters filled in; other references stay as they are.
    """
    template = read()
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
            return [value for each in tree if (value := resolved(each)) != NOTHING and value is not None]
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


def of_type(found: Mapping[str, Tree], kind: str) -> dict[str, Tree]:
    """Return the properties of the resources of a type, by logical name."""
    return {name: each.get("Properties", {}) for name, each in found.items() if each["Type"] == kind}


def filled(tree: Tree, names: Mapping[str, str]) -> Tree:
    """Return the tree with its references filled in: `Ref` and `GetAtt` by logical name, `Sub` by what it names."""
    if isinstance(tree, list):
        return [filled(each, names) for each in tree]
    if not isinstance(tree, dict):
        return tree
    if set(tree) == {"Ref"}:
        return names[tree["Ref"]]
    if set(tree) == {"Fn::GetAtt"}:
        return names[tree["Fn::GetAtt"][0]]
    if set(tree) == {"Fn::Sub"}:
        text, own = tree["Fn::Sub"] if isinstance(tree["Fn::Sub"], list) else (tree["Fn::Sub"], {})
        known = {**names, **filled(own, names)}
        return re.sub(r"\$\{([\w:]+)[\w.]*\}", lambda match: known[match[1]], text)
    return {key: filled(each, names) for key, each in tree.items()}
