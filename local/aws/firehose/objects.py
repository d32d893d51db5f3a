"""Build the keys of Firehose's objects, the manifest, and its COPY.

docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime

from local.aws.firehose.settings import Copy, Settings


def key(settings: Settings, prefix: str, at: int, *, gzip: bool = False, name: str = "") -> str:
    """`<prefix>YYYY/MM/DD/HH/<stream>-<version>-<time>-<random>`; `at` in ms since the epoch, UTC.

    The same `name` gives the same random part.
    """
    when = datetime.fromtimestamp(at / 1000, UTC)
    random = uuid.uuid5(uuid.NAMESPACE_OID, name) if name else uuid.uuid4()
    file = f"{settings.name}-{settings.version}-{when:%Y-%m-%d-%H-%M-%S}-{random}"
    return f"{prefix}{when:%Y/%m/%d/%H}/{file}{'.gz' if gzip else ''}"


def manifest(bucket: str, keys: Iterable[str]) -> bytes:
    """docs.aws.amazon.com/redshift/latest/dg/loading-data-files-using-manifest.html"""
    entries = [{"url": f"s3://{bucket}/{key}", "mandatory": True} for key in keys]
    return json.dumps({"entries": entries}).encode()


def copy_statement(copy: Copy, bucket: str, manifest_key: str) -> str:
    """Return the COPY as Firehose issues it; table, columns and options are the stream's own, unchanged."""
    columns = f" ({copy.columns})" if copy.columns else ""
    source, role = f"s3://{bucket}/{manifest_key}", f"aws_iam_role={copy.role_arn}"
    return f"COPY {copy.table}{columns} FROM '{source}' CREDENTIALS '{role}' MANIFEST {copy.options}".rstrip()
