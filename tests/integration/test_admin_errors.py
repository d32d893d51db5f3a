"""What AWS answers, or whatever else goes wrong, reaches the caller as one clear message and never as a stack trace."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError, EndpointConnectionError

from chalicelib.admin import dispatch
from chalicelib.admin.http import Answer

REQUEST = SimpleNamespace(
    context={"identity": {"userArn": "arn:aws:iam::123456789012:user/ada"}, "requestId": "r-1"},
    raw_body=b'{"version": "mine"}',
    query_params=None,
    headers={},
)


def answered(error: Exception) -> tuple[int, dict[str, str]]:
    def fails(request: Any) -> Any:
        raise error

    response = dispatch.answer(fails, REQUEST, {})
    return response.status_code, response.body


@pytest.mark.parametrize(
    ("code", "given", "status"),
    [
        ("ThrottlingException", 400, 429),
        ("TooManyRequestsException", 429, 429),
        ("ResourceLimitExceededException", 400, 429),
        ("ResourceInUseException", 400, 409),
        ("ConcurrentModificationException", 409, 409),
        ("ResourceNotFoundException", 400, 404),
        ("InvalidRequestException", 400, 400),
        ("AccessDeniedException", 400, 502),
        ("PreconditionFailed", 412, 409),
        ("InvalidRange", 416, 502),
        ("InternalServerException", 500, 502),
    ],
)
def test_an_error_of_aws_keeps_its_words_and_its_request_id(
    monkeypatch: pytest.MonkeyPatch, code: str, given: int, status: int
) -> None:
    response: Any = {
        "Error": {"Code": code, "Message": "Slow down."},
        "ResponseMetadata": {"HTTPStatusCode": given, "RequestId": "aws-7"},
    }
    found = answered(ClientError(response, "CreateEndpoint"))
    assert found == (status, {"Code": code, "Message": "CreateEndpoint: Slow down. (AWS request id aws-7)"})


def test_aws_out_of_reach_is_a_503(monkeypatch: pytest.MonkeyPatch) -> None:
    status, body = answered(EndpointConnectionError(endpoint_url="https://comprehend"))
    assert (status, body["Code"]) == (503, "ServiceUnavailable")
    assert "https://comprehend" in body["Message"]


def test_anything_unforeseen_is_a_500_that_names_the_log_and_tells_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    status, body = answered(KeyError("secret"))
    assert (status, set(body)) == (500, {"Code", "Message"})
    assert "r-1" in body["Message"] and "secret" not in body["Message"]


def test_every_call_leaves_an_audit_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("chalicelib.admin.dispatch.logger", Logger(service="test"))

    def show(_: Any) -> Answer:
        return Answer({})

    monkeypatch.setattr(show, "__module__", "chalicelib.admin.index")
    dispatch.answer(show, REQUEST, {})
    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert line["message"] == "admin call"
    assert line["caller"] == "arn:aws:iam::123456789012:user/ada"
    assert (line["view"], line["request_id"], line["body"]) == ("index.show", "r-1", '{"version": "mine"}')
