"""What the policies for people allow."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from infra.people import PEOPLE

OTHERWISE = {
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:DeleteObjects": "s3:DeleteObject",
    "lambda:Invoke": "lambda:InvokeFunction",
    "monitoring:GetMetricStatistics": "cloudwatch:GetMetricStatistics",
}
"""Operations whose permission is called otherwise."""


def actions(person: str) -> list[str]:
    """Return the actions that a person's policy allows."""
    return [action for grant in PEOPLE[person] for action in grant.actions]


def refused(person: str, operations: Iterable[tuple[str, str]]) -> list[str]:
    """Return the permissions of (service, operation) that the person's policy has not."""
    wanted = {OTHERWISE.get(f"{service}:{name}", f"{service}:{name}") for service, name in operations}
    return sorted(each for each in wanted if not any(fnmatchcase(each, action) for action in actions(person)))
