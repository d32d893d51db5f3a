"""Call the admin API, signed with the operator's own AWS credentials."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import boto3
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from infra.stages import InfraError

JOB_PATIENCE = 900.0  # seconds; no Lambda runs longer
NEW_API = 6  # attempts: a new API, role or policy takes a few seconds until all of AWS knows it


@dataclass(frozen=True)
class Admin:
    """The admin API at `url`, which has no slash at its end."""

    url: str

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Call the API; return the JSON that it answers. Raises InfraError with the API's own message."""
        for attempt in range(NEW_API):
            answer = self._send(method, path, None if body is None else json.dumps(body))
            if answer.status_code not in {403, 500, 502} or attempt + 1 == NEW_API:
                break
            time.sleep(2**attempt)
        if not answer.ok:
            raise InfraError(f"{method} {path} answered {answer.status_code}: {answer.text[:500]}")
        found: dict[str, Any] = answer.json()
        return found

    def job(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Start a job and wait for its end; return its result. Raises InfraError when it fails or takes too long."""
        status_url = self._route(self.call("POST", path, body or {})["status_url"])
        deadline = time.monotonic() + JOB_PATIENCE
        while (found := self.call("GET", status_url))["status"] == "running":
            if time.monotonic() > deadline:
                raise InfraError(f"POST {path} is still running: look at GET {status_url}")
            time.sleep(1)
        if found["status"] != "succeeded":
            raise InfraError(f"POST {path} failed: {found.get('error')}")
        return found

    def _route(self, status_url: str) -> str:
        """Return the route of a `status_url`, which is a path on the API's host and so begins with the stage."""
        return status_url.removeprefix(urlsplit(self.url).path)

    def _send(self, method: str, path: str, body: str | None) -> requests.Response:
        session = boto3.Session()
        unsigned = AWSRequest(method, self.url + path, data=body, headers={"Content-Type": "application/json"})
        credentials = session.get_credentials()
        if credentials is None:
            raise InfraError("There are no AWS credentials: aws configure, or aws sso login")
        SigV4Auth(credentials.get_frozen_credentials(), "execute-api", session.region_name).add_auth(unsigned)
        try:
            return requests.request(method, self.url + path, data=body, headers=dict(unsigned.headers), timeout=60)
        except requests.RequestException as error:
            raise InfraError(f"The admin API can't be reached at {self.url}: {error}") from error


def curl(url: str, region: str) -> str:
    """Return a line for the shell that calls the API; curl 7.75 or later signs on its own."""
    return (
        'eval "$(aws configure export-credentials --format env)"; '
        f"curl --aws-sigv4 aws:amz:{region}:execute-api "
        '--user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" '
        f'-H "x-amz-security-token: $AWS_SESSION_TOKEN" {url}/'
    )
