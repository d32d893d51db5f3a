"""The local API Gateway in front of the app: who calls, what is refused, and how."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests


def test_a_body_of_another_type_is_told_what_to_send(stack: Any) -> None:
    answer = requests.post(stack.admin_url + "/reconciliations", data={"repair": "true"}, timeout=30)
    assert answer.json()["Message"] == (
        "Unsupported media type: application/x-www-form-urlencoded."
        " Send JSON with the header Content-Type: application/json; curl --json does"
    )


def test_another_method_is_told_which_there_are(stack: Any) -> None:
    answer = requests.put(stack.admin_url + "/reconciliations", json={}, timeout=30)
    assert answer.headers["Allow"] in ("POST, GET", "GET, POST")
    assert answer.json()["Message"].endswith(f"Allowed here: {answer.headers['Allow']}; GET / lists every route")


SCOPE = "AWS4-HMAC-SHA256 Credential=ada/20260203/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0f"


@pytest.mark.parametrize(
    ("authorization", "date", "code", "said"),
    [
        ("Bearer token", True, "IncompleteSignatureException", "'token' not a valid key=value pair"),
        ("Basic dXNlcjpzZWNyZXQ=", True, "IncompleteSignatureException", "requires 'Credential' parameter"),
        ("", True, "IncompleteSignatureException", "requires 'Signature' parameter"),
        (SCOPE.format("execute-api"), False, "IncompleteSignatureException", "either a 'X-Amz-Date' or a 'Date'"),
        (SCOPE.format("s3"), True, "InvalidSignatureException", "scoped to correct service: 'execute-api'"),
        (SCOPE.format("execute-api").replace("/us-east-1", ""), True, "InvalidSignatureException", "execute-api"),
        (SCOPE.format("execute-api").replace("AWS4", "AWS3"), True, "MissingAuthenticationTokenException", "Missing"),
    ],
)
def test_what_is_no_signature_is_refused_as_api_gateway_does(
    stack: Any, authorization: str, date: bool, code: str, said: str
) -> None:
    headers = {"Authorization": authorization} | ({"X-Amz-Date": "20260203T040506Z"} if date else {})
    answer = requests.get(stack.admin_url + "/", headers=headers, timeout=30)
    assert (answer.status_code, answer.headers["x-amzn-ErrorType"]) == (403, code), answer.text
    assert said in answer.json()["message"] and list(answer.json()) == ["message"]


def test_a_signature_of_the_right_form_is_let_in(stack: Any) -> None:
    headers = {"Authorization": SCOPE.format("execute-api"), "X-Amz-Date": "20260203T040506Z"}
    assert requests.get(stack.admin_url + "/", headers=headers, timeout=30).json()["caller"].endswith(":user/ada")


@pytest.mark.parametrize(
    ("method", "path", "how", "status", "code"),
    [
        ("GET", "/tea", {}, 404, "NotFoundError"),
        ("GET", "/warehouse/setup/a/b", {}, 404, "NotFoundError"),
        ("GET", "//warehouse", {"headers": {}}, 200, None),
        ("DELETE", "/warehouse", {}, 405, "MethodNotAllowedError"),
        ("GET", "/warehouse/setup", {}, 405, "MethodNotAllowedError"),
        ("POST", "/reconciliations", {"data": "a=b"}, 415, "UnsupportedMediaType"),
        ("POST", "/reconciliations", {"data": "{", "headers": {"Content-Type": "application/json"}}, 400, None),
    ],
)
def test_what_is_refused_says_so_in_json(
    stack: Any, method: str, path: str, how: dict[str, Any], status: int, code: str | None
) -> None:
    if "data" in how and "headers" not in how:
        how = {**how, "headers": {"Content-Type": "application/x-www-form-urlencoded"}}
    answer = requests.request(method, stack.admin_url + path, timeout=30, **how)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    if status >= 400:
        assert set(answer.json()) == {"Code", "Message"}
        assert code in (None, answer.json()["Code"])


def test_head_is_refused_without_a_body_and_the_connection_goes_on(stack: Any) -> None:
    with requests.Session() as session:
        for _ in range(2):
            assert session.head(stack.admin_url + "/", timeout=30).status_code == 405
            assert session.get(stack.admin_url + "/", timeout=30).status_code == 200


def test_who_signs_is_named_in_the_audit_log_and_who_does_not_is_anonymous(stack: Any) -> None:
    sigv4 = ["--aws-sigv4", "aws:amz:us-east-1:execute-api", "--user", "alice:any-words"]
    url = stack.admin_url + "/classifier/active"
    log = stack.home / "logs" / "api_handler.log"
    for how, caller in ((sigv4, "arn:aws:iam::123456789012:user/alice"), ([], "anonymous")):
        done = subprocess.run(["curl", "--silent", "--fail", *how, url], capture_output=True, text=True, timeout=30)
        assert json.loads(done.stdout)["backend"], done
        lines = [json.loads(line) for line in log.read_text().split("\n") if line.startswith("{")]
        assert [line["caller"] for line in lines if line.get("message") == "admin call"][-1] == caller


def test_calls_at_the_same_time_do_not_mix(stack: Any) -> None:
    def call(number: int) -> None:
        answer = requests.get(f"{stack.admin_url}/warehouse/setup/unknown-{number}", timeout=30)
        assert answer.status_code == 404
        assert f"unknown-{number}" in answer.json()["Message"] or "unknown-" not in answer.json()["Message"]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(call, range(40)))


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux tells who listens where")
def test_it_listens_on_this_machine_alone(stack: Any) -> None:
    from urllib.parse import urlparse

    listening = {line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]}
    for url in (stack.admin_url, stack.endpoint_url):
        port = urlparse(url).port
        assert [each for each in listening if each.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]
