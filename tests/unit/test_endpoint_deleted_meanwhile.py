"""A version that is activated while its endpoint is deleted doesn't stay active, in whichever order the two go."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from chalice.app import ConflictError

from chalicelib import clients
from chalicelib.admin import classifier
from chalicelib.admin.http import Request
from chalicelib.classifier import activation, bundled
from chalicelib.classifier.active import Active, default
from chalicelib.comprehend import client, endpoints

KIND, RELEVANCE = "mine-kind-0123456789", "mine-relevance-0123456789"


class Aws:
    """What is active, and the endpoints; `when` has something happen just before a step."""

    def __init__(self) -> None:
        self.active = default()
        self.endpoints = {
            f"model/{version}": {"EndpointArn": f"arn/{version}", "Status": "IN_SERVICE", "DesiredInferenceUnits": 1}
            for version in (KIND, RELEVANCE)
        }
        self.when: dict[str, Callable[[], object]] = {}

    def happens(self, step: str) -> None:
        self.when.pop(step, lambda: None)()

    def activate(self, wanted: Active, by: str) -> Active:
        self.happens("activate")
        self.active = replace(wanted, by=by)
        return self.active

    def delete_endpoint(self, EndpointArn: str) -> None:
        self.happens("delete")
        del self.endpoints[EndpointArn.replace("arn/", "model/")]

    def classify_document(self, Text: str, EndpointArn: str) -> Any:
        label = "relevant" if RELEVANCE in EndpointArn else "flood"
        return {"Classes": [{"Name": label, "Score": 0.9}]}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Aws:
    world = Aws()
    monkeypatch.setattr(clients, "comprehend", lambda: world)
    monkeypatch.setattr(activation, "current", lambda: world.active)
    monkeypatch.setattr(activation, "activate", world.activate)
    monkeypatch.setattr(client, "endpoints", lambda: dict(world.endpoints))
    monkeypatch.setattr(client, "find", lambda version: {"DocumentClassifierArn": f"model/{version}"})
    monkeypatch.setattr(client, "trained_here", list)
    return world


def put(relevance: bool = False) -> Any:
    body = f'{{"version": "{KIND}"' + (f', "relevance_version": "{RELEVANCE}"' if relevance else "") + "}"
    return classifier.activate(Request("ada", "1", raw_body=body.encode()))


def delete(aws: Aws, version: str) -> Callable[[], bool]:
    return lambda: endpoints.remove(aws.endpoints[f"model/{version}"], "bob")


def test_deleted_between_the_probe_and_the_switch(aws: Aws) -> None:
    aws.when["activate"] = delete(aws, KIND)
    with pytest.raises(ConflictError, match=f"arn/{KIND} was deleted meanwhile; {bundled.version()} is active"):
        put()
    assert aws.active.backend == "bundled"


def test_activated_between_the_look_and_the_deletion(aws: Aws) -> None:
    aws.when["delete"] = put
    assert delete(aws, KIND)(), "it was active after all"
    assert aws.active.backend == "bundled" and f"model/{KIND}" not in aws.endpoints


def test_the_endpoint_that_tells_relevance_goes_alone(aws: Aws) -> None:
    aws.when["activate"] = delete(aws, RELEVANCE)
    with pytest.raises(ConflictError, match=f"arn/{RELEVANCE} was deleted meanwhile; {KIND} is active"):
        put(relevance=True)
    assert (aws.active.endpoint_arn, aws.active.relevance_endpoint_arn) == (f"arn/{KIND}", None)


def test_an_endpoint_on_its_way_out_is_not_switched_to(aws: Aws) -> None:
    aws.when["activate"] = lambda: aws.endpoints[f"model/{KIND}"].update(Status="DELETING")
    with pytest.raises(ConflictError, match="was deleted meanwhile"):
        put()
    assert aws.active.backend == "bundled"


def test_where_nobody_interferes_both_are_active(aws: Aws) -> None:
    shown = put(relevance=True).body
    assert (shown["endpoint_arn"], shown["relevance_endpoint_arn"]) == (f"arn/{KIND}", f"arn/{RELEVANCE}")
