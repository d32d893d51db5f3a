"""Put boto3 into the bundle, so that no function depends on the version that Lambda's runtime happens to have.

`BatchExecuteStatement` takes `Parameters` since botocore 1.42.88; an older one refuses the call before it is sent. The
whole of botocore is 16 MB zipped, nearly all of it models of services that no function calls: those stay out.
"""

from __future__ import annotations

import re
import shutil
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

from infra.stages import ROOT

PACKAGES = ("boto3", "botocore", "s3transfer", "urllib3", "python-dateutil", "six")
"""boto3 and what it needs; jmespath is in requirements.txt already."""

CLIENT = re.compile(r'_client\("([a-z0-9-]+)"')


@cache  # asked for each of some thousand files
def services() -> list[str]:
    """Return the names of the services that the functions call, from chalicelib/clients.py."""
    return sorted(set(CLIENT.findall((ROOT / "chalicelib" / "clients.py").read_text())))


def add(vendor: Path) -> None:
    """Copy this environment's boto3 and what it needs into `vendor`, with the models of `services()` alone."""
    for name in PACKAGES:
        for file in distribution(name).files or ():
            if needed(file.as_posix()):
                target = vendor / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(distribution(name).locate_file(file)), target)


def needed(path: str) -> bool:
    """Return whether a file of a distribution, by its path from site-packages, belongs into the bundle."""
    if path.startswith("../") or path.endswith((".pyc", ".pyi", "/RECORD", "/INSTALLER")):
        return False
    if path.startswith(("boto3/data/", "boto3/examples/")):  # resources and documentation; the functions use clients
        return False
    model = re.match(r"botocore/data/([^/]+)/", path)
    return model is None or model[1] in services()
