"""The security scanners find nothing that isn't explained: checkov on the templates, pip-audit on the pins.

They have a virtual environment of their own (`.ci/scanners` makes it): checkov pins an old boto3.
"""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support import ROOT
from tests.support.infra_templates import DATA_PLANE, Loader

SCANNERS = ROOT / ".venv-scan" / "bin"

scanner = pytest.mark.skipif(not (SCANNERS / "checkov").exists(), reason="no scanners here; .ci/scanners installs them")


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """`<check> <resource>` of what checkov reports, by template: the data plane, and one with a hole in its bucket."""
    opened = tmp_path_factory.mktemp("opened") / "opened.yaml"
    opened.write_text(DATA_PLANE.read_text().replace("BlockPublicPolicy: true", "BlockPublicPolicy: false"))
    command = [f"{SCANNERS}/checkov", "--file", f"{DATA_PLANE}", f"{opened}"]
    command += ["--framework", "cloudformation", "--skip-download"]
    done = subprocess.run([*command, "--output", "json"], capture_output=True, text=True, check=False)
    results = json.loads(done.stdout)["results"]
    assert not results["parsing_errors"]
    looked_at = {Path(check["file_path"]).name for check in results["passed_checks"]}
    found: dict[str, set[str]] = {name: set() for name in looked_at}
    for check in results["failed_checks"]:
        found[Path(check["file_path"]).name].add(f"{check['check_id']} {check['resource']}")
    return found


@scanner
def test_checkov_finds_nothing_in_the_data_plane(failed: dict[str, set[str]]) -> None:
    assert failed[DATA_PLANE.name] == set()


@scanner
def test_checkov_would_find_a_public_bucket(failed: dict[str, set[str]]) -> None:
    assert failed["opened.yaml"] == {"CKV_AWS_54 AWS::S3::Bucket.Bucket"}


def test_every_suppression_says_why() -> None:
    resources = yaml.load(DATA_PLANE.read_text(), Loader)["Resources"]
    skips = [
        skip for each in resources.values() for skip in each.get("Metadata", {}).get("checkov", {}).get("skip", [])
    ]
    assert skips
    assert all(len(skip["comment"].split()) > 4 for skip in skips)
    lines = [line for line in DATA_PLANE.read_text().splitlines() if "ignore_checks" in line]
    assert all("#" in line for line in lines)


@scanner
def test_pip_audit_finds_no_known_vulnerability() -> None:
    """In the pins of requirements-dev.txt, which has those of the bundle too."""
    pins = ROOT / "requirements-dev.txt"
    command = [f"{SCANNERS}/pip-audit", "--requirement", f"{pins}", "--no-deps", "--disable-pip", "--format", "json"]
    done = subprocess.run([*command, "--timeout", "10"], capture_output=True, text=True, check=False)
    try:
        audited = json.loads(done.stdout)["dependencies"]
    except ValueError:
        pytest.skip(f"the vulnerability service can't be reached: {done.stderr.strip().splitlines()[-1:]}")
    looked_up = [each for each in audited if "skip_reason" not in each]
    if not looked_up:
        pytest.skip("the vulnerability service knows none of the pins: it is a mirror of packages alone")
    assert {each["name"]: each["vulns"] for each in looked_up if each["vulns"]} == {}
