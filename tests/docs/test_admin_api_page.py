"""Every curl and aws line of docs/admin-api.md works as it stands, from top to bottom."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from chalicelib.warehouse import data_api
from local.aws.comprehend.responses import LiveComprehend
from tests.support import ROOT, tweet_files
from tests.support.admin_api import finished

LINES = [
    line for line in (ROOT / "docs" / "admin-api.md").read_text().splitlines() if line.startswith(("curl ", "aws "))
]

AWS = f"""#!{sys.executable}
import sys
import boto3
_, service, command, source, target = sys.argv
assert (service, command) == ("s3", "cp")
bucket, _, key = target.removeprefix("s3://").partition("/")
boto3.client("s3").upload_file(source, bucket, key)
sys.stderr.write("200")
"""
"""What the AWS CLI does with the page's lines, for machines without one."""


def curl_version() -> tuple[int, ...]:
    curl = shutil.which("curl")
    said = subprocess.run([curl, "--version"], capture_output=True, text=True).stdout if curl else ""
    return tuple(map(int, re.findall(r"\d+", said)[:2]))


pytestmark = pytest.mark.skipif(curl_version() < (7, 82), reason="curl 7.82 or later is needed: --aws-sigv4, --json")


@pytest.fixture(scope="module")
def shell(stack: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Runs a line with the page's variables, in a folder of its own; the status and the body."""
    home = tmp_path_factory.mktemp("curl")
    (home / ".curlrc").write_text('silent\nshow-error\nwrite-out = "%{stderr}%{http_code}"\n')
    (home / "data").symlink_to(ROOT / "data")
    (home / "aws").write_text(AWS)
    (home / "aws").chmod(0o755)
    variables = {
        "API": stack.admin_url,
        "SIGV4": "aws:amz:us-east-1:execute-api",
        "KEYS": "any:words",
        "BUCKET": "disaster-tweets-local",
        "PATH": f"{home}:{os.environ['PATH']}",
    }
    environment = os.environ | stack.environment | variables | {"CURL_HOME": str(home), "HOME": str(home)}
    broken = "tweets/dt=2024-02-03/hh=04/broken-5.ndjson.gz"  # a finding to resolve
    boto3.client("s3", endpoint_url=stack.endpoint_url).put_object(
        Bucket="disaster-tweets-local", Key=broken, Body=b"b"
    )
    hour = {"from": "2024-02-03T04:00:00Z", "to": "2024-02-03T05:00:00Z"}
    finished(stack.admin_url, "/reconciliations", {**hour, "repair": True, "grace_seconds": 0})

    def run(line: str, **more: str) -> tuple[int, str]:
        done = subprocess.run(["bash", "-c", line], env=environment | more, cwd=home, capture_output=True, text=True)
        for page in home.glob("*.html"):
            done.stdout += page.read_text()
            page.unlink()
        return int(done.stderr), done.stdout

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LiveComprehend.service, "throttle", False)  # an evaluation at an endpoint's rate takes its time
        yield run


def test_the_page_works_from_top_to_bottom(shell: Any, stack: Any) -> None:
    key = tweet_files.put(datetime(2024, 2, 3, 5, tzinfo=UTC), 1)
    tweet_files.load(key)
    (row,) = data_api.query("SELECT tweet_key FROM disaster.disaster_tweets WHERE s3_key = :key", {"key": key})
    names: dict[str, str] = {"ID": "", "VERSION": "", "FINDING": "", "TWEET": row["tweet_key"]}
    for line in LINES:
        status, body = shell(line, **names)
        assert status in (200, 202), (line, status, body)
        if line.startswith("aws "):
            continue
        if status == 202 and not line.endswith('/endpoint"'):
            names["VERSION" if "/train" in line else "ID"] = json.loads(body)["id"]
        if line.endswith('/findings"'):
            names["FINDING"] = json.loads(body)["outstanding"][0]["finding_id"]
        if status == 202 and "DELETE" not in line:
            settled(shell, json.loads(body)["status_url"])
        assert body.startswith("{" if "text/html" not in line else "<!doctype html>")


def settled(shell: Any, path: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        status, body = shell(f'curl "$API{path}"')
        if status == 200 and (state := json.loads(body)["status"]) != "running":
            assert state == "succeeded", body
            return
        assert time.monotonic() < deadline, body
        time.sleep(0.2)
