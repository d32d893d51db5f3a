"""The list of what has to be erased."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from unittest import mock

import orjson
import pytest

from chalicelib import clients
from chalicelib.erasures import requests
from tests.support.aws_in_memory import SETTINGS

AT = datetime(2026, 1, 31, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.fixture
def written() -> Iterator[dict[str, bytes]]:
    """What was put into the bucket, by key."""
    objects: dict[str, bytes] = {}
    client = mock.Mock()
    client.put_object.side_effect = lambda Bucket, Key, Body: objects.update({Key: Body})
    with mock.patch.object(clients, "s3", lambda: client), mock.patch.object(requests, "settings", lambda: SETTINGS):
        yield objects


def test_a_request_is_an_object_with_a_line_an_id(written: dict[str, bytes]) -> None:
    request_id = requests.put(["2", "1", "2"], ["did:plc:a"], "bluesky", AT)
    assert requests.ID.fullmatch(request_id)
    body = gzip.decompress(written[requests.key(request_id)])
    common = {"source": "bluesky", "at": "2026-01-31T12:00:00.250Z"}
    assert [orjson.loads(line) for line in body.splitlines()] == [
        {"tweet_id": "1", **common},
        {"tweet_id": "2", **common},
        {"user_id": "did:plc:a", **common},
    ]


def test_the_same_markers_make_the_same_request(written: dict[str, bytes]) -> None:
    assert requests.put(["1", "2"], [], "x", AT) == requests.put(["2", "1"], [], "x", AT)
    assert len(written) == 1


def test_without_ids_nothing_is_written(written: dict[str, bytes]) -> None:
    requests.put([], [], "x", AT)
    assert written == {}
