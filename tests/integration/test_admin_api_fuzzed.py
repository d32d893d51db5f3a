"""Whatever is sent to the admin API, well-formed or not, the answer is as docs/openapi.yaml describes it."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
import yaml

from tests.support import ROOT

DESCRIPTION = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())
PHASES = ("Examples", "Coverage", "Fuzzing", "Stateful")


def operations() -> int:
    return sum(method in item for item in DESCRIPTION["paths"].values() for method in ("get", "post", "put", "delete"))


def test_every_answer_is_as_described(stack: Any) -> None:
    """All checks in all phases, as anybody can run them: the settings are those of schemathesis.toml alone."""
    s3 = boto3.client("s3", endpoint_url=stack.endpoint_url)
    for name in ("train.csv", "test.csv"):  # which the examples of the description train and evaluate with
        s3.upload_file(str(ROOT / "data" / name), "disaster-tweets-local", f"classifier/data/{name}")
    schemathesis = shutil.which("schemathesis", path=str(Path(sys.executable).parent))
    assert schemathesis
    command = [schemathesis, "run", "docs/openapi.yaml", "--url", stack.admin_url, "--no-color"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"COLUMNS": "120"}, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert all(f"✅ {phase}" in said for phase in PHASES), said
    assert f"Tested: {operations()}" in said, said
    cases = re.search(r"(\d+) generated, (\d+) passed", said)
    assert cases and cases[1] == cases[2] and int(cases[1]) > 20 * operations(), said


def test_no_check_and_no_phase_is_switched_off() -> None:
    settings = tomllib.loads((ROOT / "schemathesis.toml").read_text())
    assert not {"checks", "phases"} & set(settings) and settings["generation"]["mode"] == "all"
    assert [(each["include-name"], set(each) - {"include-name"}) for each in settings["operations"]] == [
        ("POST /reconciliations", {"checks"})
    ]
    assert list(settings["operations"][0]["checks"]) == ["positive_data_acceptance"]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b'{"data": NaN}',
        b'{"data": "\\ud800"}',
        b"[" * 100_000,
        b'{"data": ' + b"9" * 5_000 + b"}",
        b'{"data": "s3://bucket/\\u0000"}',
    ],
)
@pytest.mark.parametrize("path", ["/classifier/train", "/classifier/evaluate", "/reconciliations"])
def test_a_body_that_is_no_json_object_is_a_400(stack: Any, path: str, body: bytes) -> None:
    answer = requests.post(stack.admin_url + path, data=body, headers={"Content-Type": "application/json"}, timeout=30)
    assert (answer.status_code, set(answer.json())) == (400, {"Code", "Message"}), answer.text
