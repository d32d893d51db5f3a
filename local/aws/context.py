"""Build a function's Lambda context, and the names of functions and their logs on AWS."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field

ACCOUNT = "123456789012"  # moto's


@dataclass(frozen=True)
class Context:
    """A function's context. Processes of one machine share the clock of its deadline."""

    function_name: str
    memory_limit_in_mb: int
    deadline: float  # of time.monotonic()
    function_version: str = "$LATEST"
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def invoked_function_arn(self) -> str:
        return arn(self.function_name)

    @property
    def log_group_name(self) -> str:
        return log_group(self.function_name)

    log_stream_name: str = "local"

    def get_remaining_time_in_millis(self) -> int:
        return int((self.deadline - time.monotonic()) * 1000)


def arn(name: str) -> str:
    return f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}"


def log_group(name: str) -> str:
    return f"/aws/lambda/{name}"
