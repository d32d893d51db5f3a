"""The stages: what differs between them is in `stages.json` (template parameters) and `.chalice/config.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

ROOT = Path(__file__).resolve().parent.parent
APP = "disaster-tweets"
FUNCTIONS = ("transform", "collect", "reconcile", "erase", "jobs", "api_handler")


class InfraError(Exception):
    """Something that the operator can put right; the message says how."""


@dataclass(frozen=True)
class Stage:
    """A stage by name, with the data plane's parameters that it sets (the template's defaults hold for the others)."""

    name: str
    parameters: dict[str, str]

    @property
    def stack(self) -> str:
        return f"{APP}-{self.name}-data"

    @property
    def delivery(self) -> str:
        """Who loads: `reconcile` (the template's default) or `firehose`."""
        return self.parameters.get("Delivery", "reconcile")

    @property
    def owns_warehouse(self) -> bool:
        """Return whether the warehouse is the stage's own, and not one that was there."""
        return not (self.parameters.get("ExistingWorkgroup") or self.parameters.get("ExistingCluster"))

    @property
    def protected(self) -> bool:
        """Return whether `make destroy` has to be told to lift the stack's termination protection first."""
        return self.name == "prod"

    @property
    def prefix(self) -> str:
        return f"{APP}-{self.name}"

    def function_name(self, function: str) -> str:
        """Return the function's name as Chalice gives it: the handler of the REST API has no suffix."""
        return self.prefix if function == "api_handler" else f"{self.prefix}-{function}"


def stage(name: str) -> Stage:
    """Return a stage that both files know. Raises InfraError."""
    parameters = cast("dict[str, dict[str, str]]", json.loads((ROOT / "infra" / "stages.json").read_text()))
    if name not in parameters or name not in chalice_config()["stages"]:
        known = ", ".join(sorted(parameters))
        raise InfraError(f"There is no stage {name} ({known}): add it to infra/stages.json and .chalice/config.json")
    return Stage(name, parameters[name])


def chalice_config() -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads((ROOT / ".chalice" / "config.json").read_text()))
