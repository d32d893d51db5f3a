"""The active classifier follows the SSM parameter within a minute, and survives whatever is wrong with it."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib import clients
from chalicelib.classifier import active as module
from chalicelib.classifier.active import Active, active, from_json, parameter_name

COMPREHEND: dict[str, Any] = {
    "version": "v3",
    "backend": "comprehend",
    "endpoint_arn": "arn:aws:comprehend:us-east-1:123456789012:document-classifier-endpoint/v3",
    "inference_units": 2,
    "relevance_endpoint_arn": None,
    "since": "2026-01-01T00:00:00Z",
    "by": "arn:aws:iam::123456789012:user/ana",
}


class Ssm:
    """The parameter store, with the one parameter in it once it is put."""

    class exceptions:  # noqa: N801 - boto3's name for it
        class ParameterNotFound(Exception):  # noqa: N818
            pass

    value: str | None = None

    def get_parameter(self, *, Name: str) -> dict[str, Any]:
        assert Name == parameter_name("local")
        if self.value is None:
            raise self.exceptions.ParameterNotFound
        return {"Parameter": {"Value": self.value}}


@pytest.fixture(autouse=True)
def ssm(monkeypatch: pytest.MonkeyPatch) -> Ssm:
    store = Ssm()
    monkeypatch.setattr(clients, "ssm", lambda: store)
    return store


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    now = [1000.0]
    monkeypatch.setenv("STAGE", "local")
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    module.forget()
    yield now
    module.forget()


@pytest.fixture
def put(ssm: Ssm) -> Any:
    def write(value: object) -> None:
        ssm.value = value if isinstance(value, str) else json.dumps(value)

    return write


def test_without_a_parameter_the_bundled_classifier_is_active(clock: list[float]) -> None:
    assert active() == module.default()
    assert active().backend == "bundled"


def test_a_switch_is_followed_within_a_minute(clock: list[float], put: Any) -> None:
    before = active()
    put(COMPREHEND)
    clock[0] += 59
    assert active() == before
    clock[0] += 1
    assert active() == Active(**COMPREHEND)


@pytest.mark.parametrize(
    "broken",
    [
        "{",
        "[]",
        "null",
        {**COMPREHEND, "version": ""},
        {**COMPREHEND, "backend": "oracle"},
        {**COMPREHEND, "endpoint_arn": None},
        {**COMPREHEND, "endpoint_arn": 7},
        {**COMPREHEND, "inference_units": 0},
        {**COMPREHEND, "inference_units": True},
        {**COMPREHEND, "inference_units": "2"},
        {**COMPREHEND, "relevance_endpoint_arn": []},
    ],
)
def test_a_broken_value_keeps_the_last_good_one_and_is_counted(
    clock: list[float], put: Any, capsys: pytest.CaptureFixture[str], broken: object
) -> None:
    put(COMPREHEND)
    good = active()
    put(broken)
    clock[0] += 60
    assert active() == good
    assert '"ActiveClassifierUnreadable":[1.0]' in capsys.readouterr().out
    put({**COMPREHEND, "version": "v4"})
    clock[0] += 60
    assert active().version == "v4"


def test_an_unreachable_ssm_leaves_the_bundled_classifier_and_is_not_asked_at_every_turn(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def unreachable() -> None:
        asked.append(1)
        raise ConnectionError("no route")

    monkeypatch.setattr(clients, "ssm", unreachable)
    assert active() == active() == module.default()
    assert asked == [1]


def test_what_the_bundled_backend_has_no_use_for_may_be_absent() -> None:
    assert from_json('{"version": "bundled-1", "backend": "bundled"}') == Active("bundled-1")
    assert from_json('{"version": "bundled-1", "backend": "bundled", "inference_units": null}').inference_units == 1
