"""The OpenAPI description says what the routes of `app.py` are, take and demand."""

from typing import Any

import pytest
import yaml
from chalice.app import IAMAuthorizer

from app import app
from chalicelib.admin import classifier, erasures, findings, labels, reconciliations, warehouse
from tests.support import ROOT

PATH = ROOT / "docs" / "openapi.yaml"
DESCRIPTION: dict[str, Any] = yaml.safe_load(PATH.read_text())
METHODS = ("get", "post", "put", "delete")


def resolved(schema: Any) -> Any:
    """Without references."""
    if isinstance(schema, list):
        return [resolved(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        target: Any = DESCRIPTION
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return resolved(target)
    return {key: resolved(value) for key, value in schema.items()}


def body_schema(path: str, method: str) -> dict[str, Any]:
    body = DESCRIPTION["paths"][path][method]["requestBody"]
    schema: dict[str, Any] = resolved(body["content"]["application/json"]["schema"])
    return schema


def test_it_is_valid_openapi() -> None:
    from openapi_spec_validator import validate  # slow to import

    validate(DESCRIPTION)


def test_it_describes_every_route_and_no_other() -> None:
    described = {(path, m.upper()) for path, item in DESCRIPTION["paths"].items() for m in METHODS if m in item}
    routes = {(path, method) for path, methods in app.routes.items() for method in methods}
    assert described == routes | {("/reconciliations/latest", "GET")}  # a word in place of an id, to Chalice no route


def test_every_route_demands_a_signed_caller_and_is_described_so() -> None:
    for path, methods in app.routes.items():
        for method, entry in methods.items():
            assert isinstance(entry.authorizer, IAMAuthorizer), (method, path)
    assert DESCRIPTION["security"] == [{"sigv4": []}, {}]  # unsigned calls are the local server's, as its words say
    assert not [path for path, item in DESCRIPTION["paths"].items() for m in METHODS if "security" in item.get(m, {})]
    assert DESCRIPTION["components"]["securitySchemes"]["sigv4"]["x-amazon-apigateway-authtype"] == "awsSigv4"


def test_path_parameters_are_those_of_the_routes() -> None:
    for path, item in DESCRIPTION["paths"].items():
        for method in METHODS:
            names = [p["name"] for p in resolved(item.get(method, {}).get("parameters", []))]
            known = app.routes.get(path, {}).get(method.upper())
            assert names == (known.view_args if known else [])


@pytest.mark.parametrize(
    ("path", "method", "schema"),
    [
        ("/classifier/train", "post", classifier.TRAIN),
        ("/classifier/versions/{version}/endpoint", "post", classifier.ENDPOINT),
        ("/classifier/active", "put", classifier.ACTIVATE),
        ("/classifier/evaluate", "post", classifier.EVALUATE),
        ("/erasures", "post", erasures.START),
        ("/reconciliations", "post", reconciliations.START),
        ("/findings/{finding_id}/resolve", "post", findings.RESOLVE),
        ("/labels", "post", labels.REVIEW),
        ("/warehouse/setup", "post", warehouse.NOTHING),
    ],
)
def test_bodies_are_described_as_they_are_checked(path: str, method: str, schema: dict[str, Any]) -> None:
    assert body_schema(path, method) == schema


def test_every_example_fits_its_schema() -> None:
    from chalicelib.admin.validation import validate as check

    for item in DESCRIPTION["paths"].values():
        for method in METHODS:
            for content in item.get(method, {}).get("requestBody", {}).get("content", {}).values():
                if "example" in content:
                    check(dict(content["example"]), resolved(content["schema"]))


def test_the_page_for_people_has_a_signed_curl_line_for_every_route() -> None:
    lines = [line for line in PATH.with_name("admin-api.md").read_text().splitlines() if line.startswith("curl ")]
    assert all('--aws-sigv4 "$SIGV4" --user "$KEYS"' in line for line in lines)
    named = {"$ID": "{job_id}", "$VERSION": "{version}", "$FINDING": "{finding_id}"}
    shown = set()
    for line in lines:
        path = line[line.index('"$API') + 5 :].split('"')[0]
        for variable, parameter in named.items():
            path = path.replace(variable, parameter)
        method = (
            line.split("--request ")[1].split()[0] if "--request" in line else "POST" if "--json" in line else "GET"
        )
        shown.add((path, method))
    assert {(p, m) for p, methods in app.routes.items() for m in methods} <= shown
