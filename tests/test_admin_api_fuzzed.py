"""Whatever is sent to the admin API, well-formed or not, the answer is as described: JSON, and never a 500."""

from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
import yaml
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS

DESCRIPTION = yaml.safe_load((Path(__file__).parents[1] / "docs" / "openapi.yaml").read_text())
# Signatures and unknown methods are API Gateway's to refuse, no code of ours.
SCHEMA = schemathesis.openapi.from_dict({key: value for key, value in DESCRIPTION.items() if key != "security"})
SCHEMA.config.phases.coverage.unexpected_methods = set()
SCHEMA.config.generation.modes = list(schemathesis.GenerationMode)
NAMES = ("not_a_server_error", "content_type_conformance", "response_schema_conformance", "negative_data_rejection")
AS_DESCRIBED = [CHECKS.get_one(name) for name in NAMES]


@SCHEMA.parametrize()
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_described(case: Any, stack: Any) -> None:
    answer = case.call(base_url=stack.admin_url)
    case.validate_response(answer, checks=AS_DESCRIBED)
    if answer.status_code >= 400:
        assert set(answer.json()) == {"Code", "Message"}
        assert "Traceback" not in answer.text


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
