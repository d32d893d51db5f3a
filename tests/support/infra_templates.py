"""Helpers: CloudFormation templates as plain data, and what they come to for given parameters."""

import json
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from infra import package
from infra.stages import stage
from infra.template import DATA_PLANE, Loader, of_type
from infra.template import resources as data_plane

__all__ = ["DATA_PLANE", "Loader", "bundle", "data_plane", "of_type", "translated"]
Tree = Any


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
