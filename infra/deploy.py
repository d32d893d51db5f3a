"""Run `make deploy`: checks, data plane, functions, warehouse, smoke test. Each step changes only what differs."""

from __future__ import annotations

from rich.console import Console

from infra import admin, checks, data_plane, functions, package, policies, regions, smoke, warehouse
from infra.stages import FUNCTIONS, InfraError, Stage

SLACK = 300  # seconds beside all buffers: a warehouse that wakes, a COPY, cold starts


def deploy(of: Stage) -> None:
    """Deploy the stage. Raises InfraError; what was done by then stays, and the next run goes on from there."""
    console = Console()
    policies_are_written(of)
    checks.report(of, console)
    bundle = package.package(of)

    changed = data_plane.apply(of, console)
    console.print("The data plane " + ("is up to date" if changed else "needed no change"))
    if of.protected and changed:
        data_plane.protect(of, True)
    made = data_plane.outputs(of)
    bucket, stream = made["Bucket"], made["Stream"]

    with console.status("chalice deploy ..."):
        deployed = functions.apply(of, bucket, bundle.path)
    console.print("Functions and admin API " + ("are deployed" if deployed else "needed no change"))
    api = admin.Admin(functions.url(bucket))

    with console.status("Setting up the warehouse (it may have to wake) ..."):
        administrator = warehouse.administrator(of)
        if warehouse.make_database(of, administrator):
            console.print(f"The database {warehouse.DATABASE} did not exist: it is created")
        attached = warehouse.attach_copy_role(of, made["CopyRole"])
        limited = warehouse.limit_usage(of)
        secret = made.get("FirehoseLogin")
        login = warehouse.firehose_login(secret) if secret else None
        set_up = warehouse.apply(of, bucket, administrator, api, login)
    console.print("The warehouse " + ("is set up" if set_up or attached or limited else "needed no change"))

    if changed or deployed or set_up or attached:
        smoke.test(of, stream, administrator, api, patience(of), console)
    else:
        console.print("Nothing has changed, so nothing is tested")
    call = admin.curl(api.url, regions.region())
    console.print(f"\nAdmin API: {api.url}/\nCall it:   {call}", soft_wrap=True, highlight=False)
    if not of.parameters.get("AlertEmail"):
        console.print(f"Alarms are sent to nobody: set AlertEmail of stage {of.name} in infra/stages.json")
    if (chosen := of.parameters.get("Bluesky", "lexicon")) != "off":
        console.print(
            f"Posts of Bluesky are collected ({chosen}), so the stage is not idle: docs/operations.md has its costs. "
            f'Set "Bluesky": "off" of stage {of.name} in infra/stages.json to stop it',
            soft_wrap=True,
        )


def policies_are_written(of: Stage) -> None:
    """Raise InfraError where `.chalice/policy-*.json` is not what infra/policies.py says."""
    stale = [policies.path(of, function) for function in FUNCTIONS if not policies.written(of, function)]
    if stale:
        names = ", ".join(path.name for path in stale)
        raise InfraError(
            f"{names} differ from infra/policies.py: python -m infra policies --stage {of.name}, and commit"
        )


def patience(of: Stage) -> float:
    """Return seconds that a tweet may take to its row: the buffers of transform and delivery, and some slack."""
    return checks.TRANSFORM_BUFFER + checks.buffer_seconds(of) + SLACK
