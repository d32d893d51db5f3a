"""docs/operations.md: `sh` blocks run as they stand, `console` blocks name what there is, the costs are current."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
import requests

from infra import costs
from infra.__main__ import parser
from local.server import LocalAws
from tests.support import ROOT
from tests.support.admin_api import finished

PAGE = (ROOT / "docs" / "operations.md").read_text()
BUCKET = "disaster-tweets-local"

AWS = f"""#!{sys.executable}
'''The one command of the AWS CLI that the page uses here: s3 cp --recursive --quiet s3://... folder.'''
import pathlib, sys
import boto3
assert sys.argv[1:5] == ["s3", "cp", "--recursive", "--quiet"], sys.argv
bucket, _, prefix = sys.argv[5].removeprefix("s3://").partition("/")
found = 0
s3 = boto3.client("s3")
for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
    for item in page.get("Contents", []):
        path = pathlib.Path(sys.argv[6], item["Key"].removeprefix(prefix))
        path.parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(bucket, item["Key"], str(path))
        found += 1
assert found, f"there is nothing under {{sys.argv[5]}}"
"""


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def place(stack: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like the repository, and an `aws` on the path beside it."""
    folder = tmp_path_factory.mktemp("operator")
    for name in ("producer.py", "readers.py", "data"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "bin").mkdir()
    (folder / "tmp").mkdir()
    (folder / "bin" / "aws").write_text(AWS)
    (folder / "bin" / "aws").chmod(0o755)
    return folder


def rows_and_keys() -> tuple[int, int]:
    """How many rows there are, and how many tweets."""
    from chalicelib.warehouse import data_api

    (found,) = data_api.query("SELECT COUNT(*) AS n, COUNT(DISTINCT tweet_key) AS keys FROM disaster.disaster_tweets")
    return found["n"], found["keys"]


def test_the_lines_run_as_they_stand(stack: LocalAws, place: Path) -> None:
    s3 = boto3.client("s3")
    for prefix in ("delivery/processing-failed/", "source/"):
        for each in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", []):
            s3.delete_object(Bucket=BUCKET, Key=each["Key"])  # other tests leave what no Firehose would
    firehose = boto3.client("firehose")
    firehose.put_record(DeliveryStreamName=stack.stream, Record={"Data": b"\xff no tweet\n"})
    stack.flush()
    s3.put_object(Bucket=BUCKET, Key="tweets/dt=2024-02-03/hh=05/broken-5.ndjson.gz", Body=b"broken")
    finished(stack.admin_url, "/reconciliations", {"repair": True, "grace_seconds": 0})
    environment = {**os.environ, **stack.environment, "PATH": f"{place / 'bin'}:{os.environ['PATH']}"}
    environment["TMPDIR"] = str(place / "tmp")
    left: dict[str, Path] = {}  # what the page writes beside the repository
    for block in blocks("sh"):
        before = rows_and_keys()
        script = block.replace("http://127.0.0.1:8000", stack.admin_url)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"{script}\nenv -0 > environment"],
            cwd=place,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        pairs = (place / "environment").read_text().split("\0")
        environment = dict(pair.split("=", 1) for pair in pairs if pair)  # the next block is in the same shell
        if "WORK" in environment:
            left |= {path.name: path for path in Path(environment["WORK"]).iterdir()}
        stack.flush()
        rows, keys = rows_and_keys()
        if "--limit 200" in block:
            assert rows > before[0] + 150  # some of the sample's tweets are refused
        if "replay.ndjson" in block:
            assert rows > before[0] and keys == before[1]  # as the page says
    assert "<html" in (place / "report.html").read_text()
    resolved = json.loads((place / "findings.json").read_text())["outstanding"][0]["finding_id"]
    settled = requests.get(f"{stack.admin_url}/findings", timeout=30).json()["settled"]
    (found,) = (each for each in settled if each["finding_id"] == resolved)
    assert found["status"] == "resolved" and "Replayed its hour" in found["reason"]
    assert left["replay.ndjson"].read_text().count("\n") >= 150
    assert left["refused.ndjson"].read_text()
    assert not {"replay", "refused", "gave-up"} & {path.name for path in place.iterdir()}


def test_the_other_lines_name_what_there_is() -> None:
    makefile = (ROOT / "Makefile").read_text()
    lines = [line.removeprefix("$ ") for block in blocks("console") for line in block.splitlines()]
    assert len(lines) > 8
    for line in [*lines, *re.findall(r"`((?:make|python -m infra) [^`]+)`", PAGE)]:
        words = shlex.split(line)
        if words[0] == "make":
            assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), line
        elif "infra" in words:
            parser().parse_args(words[words.index("infra") + 1 :])


def test_links_within_the_page_lead_somewhere() -> None:
    titles = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.+)$", PAGE, re.M)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= titles


def test_the_costs_are_what_the_command_prints() -> None:
    (written,) = re.findall(r"<!-- costs -->\n(.*?)\n<!-- /costs -->", PAGE, re.DOTALL)
    assert written == costs.table()


def test_the_arithmetic_adds_up() -> None:
    assert costs.former().usd == pytest.approx(19.20)
    comprehend = costs.comprehend(86_400)  # a tweet of 100 characters a second is just one unit
    assert comprehend.usd == pytest.approx(43.20)
    assert costs.ingestion(1_048_576 // 5, 1).usd == pytest.approx(0.029, rel=1e-4)  # a GB
