"""Find Firehose's login in Redshift: the user and password of the stream, or those of a secret."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable

from local.aws.firehose.settings import Copy, Login

KEPT_SECONDS = 600.0
"""How long Firehose uses a secret before it reads it again: a password that was changed fails until then.
docs.aws.amazon.com/firehose/latest/dev/secrets-manager-how.html"""


class Logins:
    """Logins of all streams. `read` gives a secret's text by its ARN, and raises where it can't."""

    def __init__(self, read: Callable[[str], str], clock: Callable[[], float] = time.monotonic) -> None:
        self._read, self._clock = read, clock
        self._kept: dict[str, tuple[float, Login]] = {}
        self._lock = threading.Lock()

    def __call__(self, copy: Copy) -> Login:
        if isinstance(copy.login, Login):
            return copy.login
        with self._lock:
            at, login = self._kept.get(copy.login, (float("-inf"), Login("", "")))
            if self._clock() - at >= KEPT_SECONDS:
                said = json.loads(self._read(copy.login))
                login = Login(said["username"], said["password"])
                self._kept[copy.login] = (self._clock(), login)
            return login


def secret(arn: str) -> str:
    """Return the text of a secret of the local AWS."""
    from moto.secretsmanager.models import secretsmanager_backends

    _, _, _, region, account, _, _ = arn.split(":", 6)
    return str(secretsmanager_backends[account][region].get_secret_value(arn, "", "")["SecretString"])
