"""Keep moto's Systems Manager parameters in `<home>/ssm.json` (the current version of each)."""

from __future__ import annotations

import json
import threading
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from moto.core import DEFAULT_ACCOUNT_ID

from local.aws import patches

with patches.without_ec2():
    from moto.ssm import urls
    from moto.ssm.models import Parameter, SimpleSystemManagerBackend, ssm_backends

KEPT = ("parameter_type", "description", "allowed_pattern", "keyid", "version", "data_type", "tier", "policies")


class KeptParameters(SimpleSystemManagerBackend):  # type: ignore[misc]
    """Parameters are on disk before their PUT is answered. One file: the app lives in one region."""

    _url_module = urls  # moto derives it from the module's name, which is another here
    file: ClassVar[Path]
    _changing: ClassVar[threading.Lock] = threading.Lock()

    def put_parameter(self, *args: Any, **kwargs: Any) -> Any:
        with self._changing:
            answer = super().put_parameter(*args, **kwargs)
            self._keep()
        return answer

    def delete_parameter(self, *args: Any, **kwargs: Any) -> None:
        with self._changing:
            super().delete_parameter(*args, **kwargs)
            self._keep()

    def delete_parameters(self, *args: Any, **kwargs: Any) -> Any:
        with self._changing:
            answer = super().delete_parameters(*args, **kwargs)
            self._keep()
        return answer

    def _keep(self) -> None:
        newest = [versions[-1] for name, versions in self._parameters.items() if versions and name[:5] != "/aws/"]
        kept = [
            {name: getattr(parameter, name) for name in ("name", *KEPT)}
            | {"value": parameter.decrypt(parameter.value), "changed": parameter.last_modified_date.isoformat()}
            for parameter in newest
        ]
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps(kept, indent=1))
        new.replace(self.file)

    def load(self) -> None:
        for kept in json.loads(self.file.read_bytes()) if self.file.exists() else ():
            changed = datetime.fromisoformat(kept.pop("changed"))
            parameter = Parameter(account_id=self.account_id, last_modified_date=changed, **kept)
            self._parameters[self._parameters.normalize_name(parameter.name)] = [parameter]


def install(home: Path, region: str) -> None:
    """Put it into moto, with its state under `home`; before the server's first request."""
    KeptParameters.file = home / "ssm.json"
    ssm_backends.backend = KeptParameters
    ssm_backends.clear()
    ssm_backends[DEFAULT_ACCOUNT_ID][region].load()
