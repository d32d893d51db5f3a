"""Sign requests: a function as its role, as on AWS; everybody else with the environment's key.

All of them are one process here with one environment, so the key is chosen when a request is signed.
"""

from __future__ import annotations

from collections.abc import Callable

import boto3
from botocore.credentials import Credentials, ReadOnlyCredentials

from local.aws import logs

ROLE_KEY = "role."
"""What a role's access key begins with; its name follows."""


class CallerCredentials(Credentials):
    """The credentials of whoever is running just now. Threads that a function starts don't know whose they are."""

    def __init__(self, role_of: Callable[[str], str], key: str) -> None:
        super().__init__(key, key)
        self._role_of = role_of

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        if function := logs.running():
            return ReadOnlyCredentials(f"{ROLE_KEY}{self._role_of(function)}", self.secret_key, None)
        return ReadOnlyCredentials(self.access_key, self.secret_key, None)


def install(role_of: Callable[[str], str], key: str) -> None:
    """Make boto3's clients of this process sign so. `role_of`: the name of a function's role."""
    boto3.setup_default_session()
    boto3.DEFAULT_SESSION._session._credentials = CallerCredentials(role_of, key)  # type: ignore[union-attr]


def forget() -> None:
    """Have the next client read the environment again."""
    boto3.DEFAULT_SESSION = None
