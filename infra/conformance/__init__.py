"""`python -m infra conformance`: asks an endpoint, the local AWS or AWS, what docs/fidelity.md says it does.

One list of checks from outside, and the whole flow. What a check makes is named after the run and deleted; the tweets
stay, told apart by `source_keyword`, like the smoke test's. What differed is written to a file that can be sent in: it
has no account number and no secret.
"""

from __future__ import annotations

import json
import platform
import re
import secrets
import subprocess
from collections.abc import Collection
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import botocore
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from rich.console import Console

from infra import admin, functions, warehouse
from infra.conformance import deployment, flow, others, redshift, streams  # noqa: F401 - each adds its checks
from infra.conformance.asking import CHECKS, DiffersError, NotAskedError, Place
from infra.stages import APP, ROOT, InfraError, Stage

__all__ = ["CHECKS", "Answer", "Place", "ask", "place_of", "report", "run"]


@dataclass(frozen=True)
class Answer:
    """`result` is same, differs or not_asked; `found` is what came, or why it was not asked."""

    check: str
    says: str
    result: str
    found: str


def run(of: Stage, *, api: str = "", out: Path | None = None) -> None:
    """Ask everything, print what differed, write the report. Raise InfraError if anything differed."""
    console = Console()
    place = place_of(of, api)
    with console.status("Asking ..."):
        answers = ask(place)
    path = out or ROOT / "build" / f"conformance-{of.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report(of, answers), indent=2) + "\n")
    for answer in answers:
        if answer.result != "same":
            console.print(f"{answer.result}: {answer.says}\n  {answer.found}", highlight=False)
    differ = [answer for answer in answers if answer.result == "differs"]
    same = sum(answer.result == "same" for answer in answers)
    console.print(
        f"{same} as on AWS, {len(differ)} differ, {len(answers) - same - len(differ)} not asked", highlight=False
    )
    if differ:
        raise InfraError(f"{len(differ)} differ from docs/fidelity.md: {path} says how; please send us this file")


def ask(place: Place, names: Collection[str] = tuple(CHECKS)) -> list[Answer]:
    """Ask the named checks, in the list's order, within the run's own schema."""
    asked = [name for name in CHECKS if name in names]
    own = any(CHECKS[name].__module__ == redshift.__name__ for name in asked)
    if own:
        redshift.prepare(place)
    try:
        return [one(place, name) for name in asked]
    finally:
        if own:
            redshift.clear(place)


def one(place: Place, name: str) -> Answer:
    says = " ".join((CHECKS[name].__doc__ or "").split())
    try:
        return Answer(name, says, "same", CHECKS[name](place) or "")
    except NotAskedError as error:
        return Answer(name, says, "not_asked", str(error))
    except DiffersError as error:
        return Answer(name, says, "differs", str(error))
    except (
        ClientError,
        BotoCoreError,
        ResponseParserError,
        InfraError,
        KeyError,
        IndexError,
        TypeError,
        ValueError,
    ) as error:
        return Answer(name, says, "differs", f"{type(error).__name__}: {error}")


def place_of(of: Stage, api: str = "", patience: float | None = None) -> Place:
    """Return where to ask, from the stage's settings in SSM. Raise InfraError where the stage is not deployed."""
    from infra import deploy

    found = boto3.client("ssm").get_parameters_by_path(Path=f"/{APP}/{of.name}/")["Parameters"]
    known = {each["Name"].rsplit("/", 1)[-1]: each["Value"] for each in found}
    if "bucket" not in known:
        raise InfraError(f"There is no stage {of.name} here: make deploy STAGE={of.name}, or make local")
    return Place(
        of=of,
        bucket=known["bucket"],
        stream=known["stream"],
        warehouse=login(of, known),
        role=stream_role(known["stream"]),
        copy_role=known["copy_role_arn"],
        api=admin_api(known["bucket"], api),
        patience=deploy.patience(of) if patience is None else patience,
        run=secrets.token_hex(4),
    )


def login(of: Stage, known: dict[str, str]) -> dict[str, str]:
    """Return the administrator's login; who may not look it up is in the database who he is in IAM."""
    with suppress(ClientError):
        return warehouse.administrator(of).target
    return {"WorkgroupName": known["workgroup"], "Database": known["database"]}


def stream_role(stream: str) -> str:
    """Return the role that Firehose works with."""
    described: Any = boto3.client("firehose").describe_delivery_stream(DeliveryStreamName=stream)
    destination = described["DeliveryStreamDescription"]["Destinations"][0]
    kinds = ("RedshiftDestinationDescription", "ExtendedS3DestinationDescription")
    return str(next(destination[kind] for kind in kinds if kind in destination)["RoleARN"])


def admin_api(bucket: str, api: str) -> admin.Admin | None:
    """Return the admin API: the one that was named, else the one that was deployed, if any."""
    if api:
        return admin.Admin(api.rstrip("/"))
    try:
        return admin.Admin(functions.url(bucket))
    except InfraError:
        return None


def report(of: Stage, answers: list[Answer]) -> dict[str, Any]:
    """Return what is written: versions, and each answer, without account numbers."""
    found = {
        "stage": of.name,
        "asked_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "botocore": botocore.__version__,
        "python": platform.python_version(),
        "region": boto3.Session().region_name,
        "answers": [asdict(answer) for answer in answers],
    }
    scrubbed: dict[str, Any] = json.loads(re.sub(r"(?<!\d)\d{12}(?!\d)", "000000000000", json.dumps(found)))
    return scrubbed


def commit() -> str:
    """Return the commit of this checkout, empty where there is none."""
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607
    except OSError:
        return ""
    return done.stdout.strip()
