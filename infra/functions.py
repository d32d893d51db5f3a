"""Deploy functions, schedules and the admin API with Chalice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast
from zipfile import ZipFile

import boto3
from botocore.exceptions import ClientError

from infra import package, policies, state
from infra.stages import APP, FUNCTIONS, InfraError, Stage, chalice_config


def apply(of: Stage, bucket: str, bundle: Path) -> bool:
    """Run `chalice deploy`, unless exactly this is deployed; return whether it ran. Raises InfraError."""
    known, wanted = state.read(bucket), fingerprint(of, bundle)
    if known.get("functions") == wanted and all(exists(of.function_name(function)) for function in FUNCTIONS):
        return False
    with package.staged() as project:
        deployed = remember(project, of, known.get("chalice"))
        before = apis(of)
        done = package.chalice(project, "deploy", "--stage", of.name)
        if deployed.exists():  # also after a failure: what was made has to be known to the next attempt
            state.write(bucket, chalice=json.loads(deployed.read_text()), functions=None if done.returncode else wanted)
    if done.returncode:
        for orphan in apis(of) - before:  # Chalice records what it made only once all of it is made
            boto3.client("apigateway").delete_rest_api(restApiId=orphan)
        raise InfraError(f"chalice deploy failed:\n{done.stdout}{done.stderr}".rstrip())
    return True


def apis(of: Stage) -> set[str]:
    """Return the ids of this stage's REST APIs: those of the app whose first route calls the stage's function."""
    gateway = boto3.client("apigateway")
    pages = gateway.get_paginator("get_rest_apis").paginate()
    named = [api["id"] for page in pages for api in page["items"] if api["name"] == APP]
    return {api for api in named if f":{of.function_name('api_handler')}/" in called_by(api)}


def called_by(api: str) -> str:
    """Return the URI of what the API's root path calls; empty where there is none."""
    gateway = boto3.client("apigateway")
    for resource in gateway.get_resources(restApiId=api, embed=["methods"])["items"]:
        if resource["path"] == "/":
            methods = resource.get("resourceMethods", {})
            return str(methods.get("GET", {}).get("methodIntegration", {}).get("uri", ""))
    return ""


def fingerprint(of: Stage, bundle: Path) -> str:
    """Return the digest of all that decides what `chalice deploy` makes: the bundle's files, the stage's settings, the
    policies.
    """
    with ZipFile(bundle) as files:
        # Bytecode follows from the sources, but not to the same bytes at each compilation.
        sources = [entry for entry in files.infolist() if not entry.filename.endswith(".pyc")]
        contents = sorted(f"{entry.filename} {entry.CRC:08x}" for entry in sources)
    config = chalice_config()
    settings = json.dumps([{**config, "stages": None}, config["stages"][of.name]], sort_keys=True)
    return state.fingerprint([*contents, settings, *(policies.text(of, function) for function in FUNCTIONS)])


def url(bucket: str) -> str:
    """Return the URL of the admin API, without a slash at its end. Raises InfraError when it was not deployed."""
    for resource in state.read(bucket).get("chalice", {}).get("resources", []):
        if resource["resource_type"] == "rest_api":
            return cast("str", resource["rest_api_url"]).rstrip("/")
    raise InfraError(f"s3://{bucket}/{state.KEY} has no admin API: make deploy")


def delete(of: Stage, bucket: str) -> None:
    """Run `chalice delete`: functions, their roles, the schedule and the API. Raises InfraError."""
    known = state.read(bucket).get("chalice")
    if not known:
        return
    with package.staged() as project:
        remember(project, of, known)
        done = package.chalice(project, "delete", "--stage", of.name)
    if done.returncode:
        raise InfraError(f"chalice delete failed:\n{done.stdout}{done.stderr}".rstrip())
    state.write(bucket, chalice=None, functions=None)


def remember(project: Path, of: Stage, deployed: dict[str, Any] | None) -> Path:
    """Put what was deployed where Chalice looks for it, and will write it again; return that file."""
    file = project / ".chalice" / "deployed" / f"{of.name}.json"
    if deployed:
        file.parent.mkdir()
        file.write_text(json.dumps(deployed))
    return file


def exists(function: str) -> bool:
    try:
        boto3.client("lambda").get_function_configuration(FunctionName=function)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return False
        raise
    return True
