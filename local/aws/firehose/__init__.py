"""Emulate Amazon Data Firehose: buffer, transform, back up and deliver to S3 and Redshift.

moto keeps delivery streams as plain records; what it does for their control (Describe, List, tags) stays its own.

    responses.py      the wire protocol: limits, errors, and answers to puts without moto's slow serialiser
    settings.py       what a stream is set to do, read from its description; what the local Firehose refuses
    deliveries.py     all streams, and their descriptions kept over a restart
    stream.py         one stream at work: what is done when, and by which thread
    journal.py        what was acknowledged and how far its delivery came, on disk
    buffer.py         when a buffer is full or old enough, and what goes together
    transform.py      invokes the function and sorts its answers
    delivery.py       writes objects and error records, runs the COPY; tries again
    logins.py         who runs the COPY
    errors.py         the objects under processing-failed/
    objects.py        names of objects, the manifest, the COPY
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from local.aws.faults import Faults
from local.aws.firehose.deliveries import Deliveries
from local.aws.firehose.delivery import Outside
from local.aws.firehose.logins import Logins, secret
from local.aws.firehose.settings import Login


def install(
    home: Path,
    invoke: Callable[[str, dict[str, Any]], Any],
    put: Callable[[str, str, bytes], None],
    run_sql: Callable[[str, Login], int],
    faults: Faults,
) -> Deliveries:
    """Put it into moto, with its state under `<home>/firehose`; before the server's first request.

    `invoke` calls a function by its ARN and answers what it answers or raises; `put` writes an object (bucket, key,
    bytes); `run_sql` runs a COPY as its own transaction, with a login, and raises when it fails.
    """
    from moto.firehose import urls

    from local.aws.firehose.responses import LiveFirehose

    LiveFirehose.deliveries = Deliveries(home / "firehose", Outside(invoke, put, Logins(secret), run_sql), faults)
    LiveFirehose.faults = faults
    urls.url_paths["{0}/$"] = LiveFirehose.dispatch
    return LiveFirehose.deliveries
