"""Emulate Amazon Comprehend's custom classification: train, host and classify with scikit-learn.

moto keeps classifiers and endpoints as plain records: never trained, in service at once, without ClassifyDocument.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path

from local.aws.faults import Faults


def install(
    home: Path,
    read: Callable[[str, str], bytes],
    list_keys: Callable[[str, str], list[str]],
    put: Callable[[str, str, bytes], None],
    faults: Faults,
    throttle: bool | None = None,
) -> None:
    """Put it into moto, with its state under `home`; before the server's first request.

    `read`, `list_keys` and `put` are S3's. `throttle`: whether endpoints refuse what exceeds their inference units, 100
    characters and 2 documents a second each. Left out, they do unless the environment variable
    `LOCAL_COMPREHEND_THROTTLE` is `off`.
    """
    from moto.comprehend import urls

    from local.aws.comprehend.responses import LiveComprehend
    from local.aws.comprehend.service import Comprehend

    def read_all(bucket: str, prefix: str) -> bytes:
        """Return all objects under the prefix, one after the other: to Comprehend an S3Uri is a prefix."""
        keys = list_keys(bucket, prefix)
        if not keys:
            raise KeyError(prefix)
        return b"\n".join(read(bucket, key) for key in keys)

    limited = os.environ.get("LOCAL_COMPREHEND_THROTTLE") != "off" if throttle is None else throttle
    LiveComprehend.service = Comprehend(home, read_all, put, faults, limited)
    # ThrottlingException is common to all services and so in no service's model, which moto warns of at each.
    warnings.filterwarnings("ignore", r"Exception\(AwsError\) with code ThrottlingException")
    # moto finds a service's handler through its url_paths, read when the server gets its first request.
    urls.url_paths["{0}/$"] = LiveComprehend.dispatch
