"""Who may list a part of the bucket only is denied what is not there: an unknown job stays unknown."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib import clients, jobs


class Guarded:
    """S3 as it answers a role whose ListBucket has a condition on the prefix."""

    def __init__(self, *keys: str) -> None:
        self.keys = keys

    def get_object(self, **_: Any) -> Any:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject")

    def list_objects_v2(self, *, Prefix: str, **_: Any) -> Any:
        return {"KeyCount": sum(key.startswith(Prefix) for key in self.keys)}


ID = "20260203T040506Z-0123ab"


@pytest.fixture(autouse=True)
def _settings(stack: Any) -> None:
    """The stack's."""


def test_a_job_that_is_not_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "s3", Guarded)
    assert jobs.get("setup", ID) is None


def test_a_job_that_may_not_be_read_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "s3", lambda: Guarded(jobs._key("setup", ID)))
    with pytest.raises(ClientError, match="AccessDenied"):
        jobs.get("setup", ID)
