"""Write the error records of records that could not be transformed.

docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable

import orjson

from local.aws.firehose.transform import Failure


def lines(failures: Iterable[Failure], attempts: int, ended: int, function_arn: str) -> bytes:
    """JSON lines, one a record; `ended`: when the last attempt ended, ms since the epoch."""
    return b"".join(
        orjson.dumps(
            {
                "attemptsMade": attempts,
                "arrivalTimestamp": failure.record.arrived,
                "errorCode": failure.code,
                "errorMessage": failure.message,
                "attemptEndingTimestamp": ended,
                "rawData": b64encode(failure.record.data).decode(),
                "lambdaArn": function_arn,
            }
        )
        + b"\n"
        for failure in failures
    )
