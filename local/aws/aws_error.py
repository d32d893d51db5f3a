"""An error of a service. It must live outside moto to be serialised as such."""

from __future__ import annotations

from moto.core.exceptions import ServiceException


class AwsError(ServiceException):  # type: ignore[misc]
    """An error with its code and message, as `AwsError(code, message)`."""
