"""Reconciliations over the admin API: started, listed, shown as JSON and as a page."""

import json
from typing import Any

import boto3
import pytest
import requests

from local.server import LocalAws
from tests.support import tweet_files as files
from tests.support.admin_api import finished


@pytest.fixture(scope="module")
def ended(stack: LocalAws) -> dict[str, object]:
    """A run that repaired something: the job."""
    hour = files.an_hour()
    files.put(hour)
    body = {
        "from": f"{hour:%Y-%m-%dT%H:%M:%SZ}",
        "to": f"{hour:%Y-%m-%dT%H:59:59Z}",
        "repair": True,
        "grace_seconds": 0,
    }
    return finished(stack.admin_url, "/reconciliations", body)


def test_status_and_report_are_one(stack: LocalAws, ended: dict[str, object]) -> None:
    files.check(ended)
    assert (ended["status"], ended["verdict"], ended["kind"]) == ("succeeded", "repaired", "reconciliations")
    assert ended["tweets"]["repaired"] == 5  # type: ignore[index]


def test_a_page_for_who_accepts_html(stack: LocalAws, ended: dict[str, object]) -> None:
    url = f"{stack.admin_url}/reconciliations/{ended['id']}"
    page = requests.get(url, headers={"Accept": "text/html,application/xhtml+xml"}, timeout=30)
    assert page.headers["Content-Type"].startswith("text/html")
    assert page.text.startswith("<!doctype html>") and str(ended["id"]) in page.text


def test_a_run_that_failed_has_a_page_too(stack: LocalAws) -> None:
    body: dict[str, Any] = {
        "kind": "reconciliations",
        "id": "20200101T000000Z-abc123",
        "status": "failed",
        "error": "no <such> workgroup",
    }
    body |= {
        "started_at": "2020-01-01T00:00:00Z",
        "finished_at": "2020-01-01T00:01:00Z",
        "status_url": "",
        "arguments": {},
    }
    key = "reports/reconciliations/20200101T000000Z-abc123.json"
    boto3.client("s3").put_object(Bucket="disaster-tweets-local", Key=key, Body=json.dumps(body).encode())
    url = f"{stack.admin_url}/reconciliations/20200101T000000Z-abc123"
    page = requests.get(url, headers={"Accept": "text/html"}, timeout=30)
    assert page.headers["Content-Type"].startswith("text/html")
    assert "The reconciliation failed" in page.text and "no &lt;such&gt; workgroup" in page.text
    assert requests.get(url, timeout=30).json()["status"] == "failed"


def test_the_latest_is_one_that_has_ended(stack: LocalAws, ended: dict[str, object]) -> None:
    latest = requests.get(f"{stack.admin_url}/reconciliations/latest", timeout=30).json()
    assert latest["status"] == "succeeded" and latest["id"] >= str(ended["id"])


def test_runs_are_listed_without_their_details(stack: LocalAws, ended: dict[str, object]) -> None:
    runs = requests.get(f"{stack.admin_url}/reconciliations", timeout=30).json()["reconciliations"]
    (mine,) = (run for run in runs if run["id"] == ended["id"])
    assert mine["tweets"] == ended["tweets"] and "findings" not in mine and "hours" not in mine
    assert [run["id"] for run in runs] == sorted((run["id"] for run in runs), reverse=True)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ({"from": "yesterday"}, "from must"),
        ({"to": "2026-13-01"}, "to must"),
        ({"from": "2026-01-31T10:00:00+02:00"}, "from must"),
        ({"from": "2026-02-01", "to": "2026-01-31"}, "from must be before to"),
        ({"from": "2090-07-15"}, "from must not be in the future"),
        ({"to": "2090-07-15T12:00:00Z"}, "to must not be in the future"),
        ({"repair": "yes"}, "repair must be true or false"),
        ({"grace_seconds": -1}, "grace_seconds must be from 0 to 86400"),
        ({"grace_seconds": 86_401}, "grace_seconds must be from 0 to 86400"),
        ({"force": True}, "Unknown field"),
    ],
)
def test_a_body_that_does_not_fit_is_refused(stack: LocalAws, body: dict[str, object], what: str) -> None:
    answer = requests.post(f"{stack.admin_url}/reconciliations", json=body, timeout=30)
    assert answer.status_code == 400
    assert what in answer.json()["Message"]


@pytest.mark.parametrize("job_id", ["20200101T000000Z-abcdef", "nonsense"])
def test_a_run_that_does_not_exist_is_404(stack: LocalAws, job_id: str) -> None:
    answer = requests.get(f"{stack.admin_url}/reconciliations/{job_id}", timeout=30)
    assert answer.status_code == 404 and job_id in answer.json()["Message"]
