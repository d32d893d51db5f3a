"""A transaction that Redshift undid because of another is run again; one that failed by itself is not."""

from __future__ import annotations

import time
from typing import Any

import pytest

from chalicelib import clients
from chalicelib.settings import Settings
from chalicelib.warehouse import data_api


class Api:
    """A Data API whose statements fail with a message until `fails` of them have."""

    def __init__(self, message: str, fails: int) -> None:
        self.message, self.fails, self.tokens = message, fails, list[str]()
        self.meta: Any = None

    def batch_execute_statement(self, ClientToken: str, **_: Any) -> dict[str, str]:
        self.tokens.append(ClientToken)
        return {"Id": str(len(self.tokens))}

    def describe_statement(self, Id: str, **_: Any) -> dict[str, str]:
        return {"Status": "FAILED", "Error": self.message} if int(Id) <= self.fails else {"Status": "FINISHED"}


def run(monkeypatch: pytest.MonkeyPatch, message: str, fails: int) -> list[str]:
    """Run a transaction and return the tokens with which it was submitted."""
    api = Api(message, fails)
    monkeypatch.setattr(clients, "redshift_data", lambda: api)
    monkeypatch.setattr(data_api, "settings", lambda: Settings("s", "b", "s", "tweets", "role", workgroup="w"))
    monkeypatch.setattr(data_api, "_can_wait", lambda: False)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    try:
        data_api.run(["SELECT 1"], token="once")
    except data_api.WarehouseError:
        api.tokens.append("raised")
    return api.tokens


@pytest.mark.parametrize(
    "message",
    [
        "ERROR: 1023\n  Detail: Serializable isolation violation on table - 119371, transactions forming the cycle",
        "ERROR: could not complete because of conflict with concurrent transaction",
        "ERROR: deadlock detected",
    ],
)
def test_a_conflict_is_tried_again_with_another_token(monkeypatch: pytest.MonkeyPatch, message: str) -> None:
    assert run(monkeypatch, message, fails=2) == ["once", "once-1", "once-2"]


def test_a_conflict_that_does_not_end_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = run(monkeypatch, "ERROR: deadlock detected", fails=99)
    assert len(tokens) == data_api.ATTEMPTS + 1 and tokens[-1] == "raised"


@pytest.mark.parametrize("message", ['ERROR: column "n1023" does not exist', "ERROR: Divide by zero"])
def test_a_statement_that_is_wrong_is_not_tried_again(monkeypatch: pytest.MonkeyPatch, message: str) -> None:
    assert run(monkeypatch, message, fails=99) == ["once", "raised"]
