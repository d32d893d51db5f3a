"""Helpers: CloudFormation's YAML as plain data."""

from pathlib import Path
from typing import Any

import yaml

DATA_PLANE = Path(__file__).parent.parent / "infra" / "data-plane.yaml"


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
