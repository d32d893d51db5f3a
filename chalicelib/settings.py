"""Read the settings of this stage's data plane.

The one environment variable is `STAGE`. Everything else is read once a cold start from the SSM parameters under
`/disaster-tweets/<stage>/`, written by the data plane (`infra/data-plane.yaml`, or `local/`): no ARN is copied by hand.
"""

from __future__ import annotations

import os
from dataclasses import MISSING, dataclass, fields
from functools import lru_cache

from chalicelib import clients
from chalicelib.classifier import RELEVANT_SHARE


@dataclass(frozen=True)
class Settings:
    """One field per SSM parameter `/disaster-tweets/<stage>/<field>`; a field with a default may be absent there."""

    stage: str
    bucket: str
    stream: str
    database: str
    copy_role_arn: str
    comprehend_role_arn: str = ""
    alert_topic_arn: str = ""
    situation_topic_arn: str = ""  # where new situations are published
    workgroup: str = ""
    cluster: str = ""  # a provisioned cluster instead of a workgroup
    database_user: str = ""  # with a cluster
    delivery: str = "reconcile"  # the reconciler loads tweet files; or "firehose": Firehose runs the COPY
    grace_seconds: int = 900  # younger tweet files are still on their way, where Firehose loads
    load_seconds: int = 900  # from a tweet's arrival to its row, where the reconciler loads
    relevant_share: float = RELEVANT_SHARE  # of the stream's posts, about a disaster: probabilities are for it
    bluesky: str = "off"  # what is forwarded: "everything", "lexicon", or languages ("en,es")
    jetstream: str = "wss://jetstream2.us-east.bsky.network/subscribe"  # or several, the preferred one first
    source_stream_arn: str = ""  # the Kinesis data stream that feeds `stream`, where there is one

    row_days: int = 36_500  # older rows are removed; so many where the data plane is older than this setting
    erasure_days: int = 36_500  # for so long the IDs of what was erased are remembered

    def function_name(self, function: str) -> str:
        return f"disaster-tweets-{self.stage}-{function}"


class SettingsError(Exception):
    """The data plane of this stage is missing or incomplete."""


def parameter_path(stage: str) -> str:
    return f"/disaster-tweets/{stage}/"


def from_parameters(stage: str, parameters: dict[str, str]) -> Settings:
    """Return settings from parameter names (without the path) and values. Raises SettingsError naming what is
    missing.
    """
    known = {field.name: field for field in fields(Settings)}
    values: dict[str, str | int | float] = {k: v for k, v in parameters.items() if k in known}
    for name in {"grace_seconds", "load_seconds", "row_days", "erasure_days"} & set(values):
        values[name] = int(values[name])
    if "relevant_share" in values:
        values["relevant_share"] = _share(parameters["relevant_share"])
    values["stage"] = stage
    if missing := [name for name, field in known.items() if field.default is MISSING and name not in values]:
        raise SettingsError(
            f"SSM parameters under {parameter_path(stage)} are incomplete: {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing. Deploy the data plane: make deploy"
        )
    return Settings(**values)  # type: ignore[arg-type]


def _share(value: str) -> float:
    """Return a share above 0 and below 1. Raise SettingsError for anything else."""
    try:
        if 0 < float(value) < 1:
            return float(value)
    except ValueError:
        pass
    raise SettingsError(f"the SSM parameter relevant_share must be a number above 0 and below 1, not {value!r}")


@lru_cache
def settings() -> Settings:
    """Return this stage's settings, read once a process. Raises SettingsError."""
    stage = os.environ["STAGE"]
    pages = clients.ssm().get_paginator("get_parameters_by_path").paginate(Path=parameter_path(stage))
    parameters = {p["Name"].rsplit("/", 1)[-1]: p["Value"] for page in pages for p in page["Parameters"]}
    return from_parameters(stage, parameters)
