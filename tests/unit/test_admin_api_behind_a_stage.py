"""Location and status_url lead to the job, wherever the API stands on its host."""

from importlib import import_module
from types import SimpleNamespace
from typing import Any
from urllib.parse import urljoin

import pytest

from chalicelib import jobs
from chalicelib.admin import dispatch
from infra.admin import Admin

JOB: dict[str, Any] = {
    "id": "20260203T040506Z-0123ab",
    "kind": "reconciliations",
    "status": "running",
    "status_url": "/reconciliations/20260203T040506Z-0123ab",
    "started_at": "2026-02-03T04:05:06.000Z",
    "arguments": {},
}


def called(view: str, path: str, route: str, **arguments: str) -> Any:
    request = SimpleNamespace(
        context={"identity": {}, "requestId": "r-1", "path": path, "resourcePath": route},
        raw_body=b"",
        query_params=None,
        headers={},
    )
    module, function = view.split(".")
    return dispatch.answer(getattr(import_module(f"chalicelib.admin.{module}"), function), request, arguments)


@pytest.fixture(autouse=True)
def _jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "start", lambda kind, arguments: JOB)
    monkeypatch.setattr(jobs, "get", lambda kind, job_id: JOB)
    monkeypatch.setattr(jobs, "list_all", lambda kind, most=50: [JOB])


@pytest.mark.parametrize("base", ["", "/api", "/tweets/v1"])
def test_what_an_answer_links_to_can_be_fetched_from_the_host(base: str) -> None:
    status_url = f"{base}/reconciliations/{JOB['id']}"
    started = called("reconciliations.start", f"{base}/reconciliations", "/reconciliations")
    assert started.headers["Location"] == started.body["status_url"] == status_url
    url = f"https://abc.execute-api.us-east-1.amazonaws.com{base}/reconciliations"
    assert urljoin(url, started.headers["Location"]) == f"{url}/{JOB['id']}"

    shown = called("reconciliations.show", status_url, "/reconciliations/{job_id}", job_id=JOB["id"])
    assert shown.body["status_url"] == status_url
    listed = called("reconciliations.list_all", f"{base}/reconciliations", "/reconciliations")
    assert [run["status_url"] for run in listed.body["reconciliations"]] == [status_url]
    assert JOB["status_url"].startswith("/reconciliations/"), "the job in S3 knows no stage"


@pytest.mark.parametrize("path", ["/api", "/api/"])
def test_the_root_behind_a_stage(path: str) -> None:
    assert dispatch.base(path, "/") == "/api"


@pytest.mark.parametrize("base", ["", "/api"])
def test_the_deployment_follows_a_job_behind_its_stage(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def send(self: Admin, method: str, path: str, body: str | None) -> Any:
        asked.append(f"{method} {self.url}{path}")
        status = "running" if method == "POST" else "succeeded"
        answer = {"status": status, "status_url": f"{base}/warehouse/setup/7"}
        return SimpleNamespace(status_code=200, ok=True, json=lambda: answer)

    monkeypatch.setattr(Admin, "_send", send)
    Admin(f"https://abc.example.com{base}").job("/warehouse/setup")
    host = f"https://abc.example.com{base}"
    assert asked == [f"POST {host}/warehouse/setup", f"GET {host}/warehouse/setup/7"]
