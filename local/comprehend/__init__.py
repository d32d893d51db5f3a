"""Amazon Comprehend's custom classification, live: it trains, hosts and classifies with scikit-learn.

moto keeps classifiers and endpoints as plain records: never trained, in service at once, without ClassifyDocument.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path


def install(home: Path, throttle: bool | None = None) -> None:
    """Puts it into moto, with its state under `home`; before the server's first request.

    `throttle`: whether endpoints refuse what exceeds their inference units, 100 characters and 2 documents a second
    each. Left out, they do unless the environment variable `LOCAL_COMPREHEND_THROTTLE` is `off`.
    """
    from moto.comprehend import urls
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    from local.comprehend.responses import LiveComprehend
    from local.comprehend.service import Comprehend

    s3 = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]

    def read(bucket: str, prefix: str) -> bytes:
        """All objects under the prefix, one after the other: to Comprehend an S3Uri is a prefix."""
        keys = sorted(key for key in s3.get_bucket(bucket).keys if key.startswith(prefix))
        if not keys:
            raise KeyError(prefix)
        return b"\n".join(s3.get_object(bucket, key).value for key in keys)

    def write(bucket: str, key: str, data: bytes) -> None:
        s3.put_object(bucket, key, data)

    limited = os.environ.get("LOCAL_COMPREHEND_THROTTLE") != "off" if throttle is None else throttle
    LiveComprehend.service = Comprehend(home, read, write, limited)
    # ThrottlingException is common to all services and so in no service's model, which moto warns of at each.
    warnings.filterwarnings("ignore", r"Exception\(AwsError\) with code ThrottlingException")
    # moto finds a service's handler through its url_paths, read when the server gets its first request.
    urls.url_paths["{0}/$"] = LiveComprehend.dispatch
