"""Keep a record of the last deployment in the bucket, `deployed/state.json`.

`functions` and `warehouse` are fingerprints of what was deployed, so that the next run knows whether there is anything
to do; `chalice` is what Chalice keeps in `.chalice/deployed/`, without which it would make a second API.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import boto3

KEY = "deployed/state.json"
State = dict[str, Any]


def read(bucket: str) -> State:
    """Empty where nothing was deployed yet."""
    s3 = boto3.client("s3")
    try:
        state: State = json.loads(s3.get_object(Bucket=bucket, Key=KEY)["Body"].read())
    except (s3.exceptions.NoSuchKey, s3.exceptions.NoSuchBucket):
        return {}
    return state


def write(bucket: str, **changed: Any) -> None:
    """Change some of it; None removes."""
    merged = {**read(bucket), **changed}
    text = json.dumps({name: value for name, value in merged.items() if value is not None}, indent=2)
    boto3.client("s3").put_object(Bucket=bucket, Key=KEY, Body=text.encode(), ContentType="application/json")


def fingerprint(parts: Iterable[str | bytes]) -> str:
    """Return one SHA-256 in hex of all the parts, in order."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
