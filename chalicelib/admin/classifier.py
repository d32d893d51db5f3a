"""Train, host, switch and compare classifiers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from chalice.app import BadRequestError, ChaliceViewError, ConflictError, NotFoundError

from chalicelib import jobs
from chalicelib.admin.http import Answer, Request, accepted, report
from chalicelib.admin.validation import validate
from chalicelib.classifier import activation, bundled
from chalicelib.classifier.active import TIME_TO_LIVE, Active
from chalicelib.comprehend import RefusedError, client, endpoints, fallbacks, labelled, training, versions

S3_URI = {
    "type": "string",
    "pattern": r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/classifier/[A-Za-z0-9!_.*'()/=+,@:-]{1,900}$",
    "description": "an object in S3, s3://bucket/classifier/name, its name of letters, digits and !_.*'()/=+,@:-",
}
VERSION = {"type": "string", "minLength": 1, "maxLength": 63, "description": "one of GET /classifier/versions"}
TRAIN = {
    "type": "object",
    "additionalProperties": False,
    "required": ["data"],
    "properties": {
        "data": S3_URI,
        "test_data": S3_URI,
        "language": {"enum": list(client.LANGUAGES), "default": "en"},
        "name": {
            "type": "string",
            "pattern": "^(?!bundled)[a-zA-Z0-9](-?[a-zA-Z0-9])*$",
            "maxLength": 40,
            "default": "comprehend",
            "description": "letters, digits and single hyphens, not beginning with bundled",
        },
    },
}
ENDPOINT = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "inference_units": {"type": "integer", "minimum": 1, "maximum": client.MAX_UNITS, "default": 1},
    },
}
ACTIVATE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["version"],
    "properties": {"version": VERSION, "relevance_version": VERSION},
}
EVALUATE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["data", "versions"],
    "properties": {
        "data": S3_URI,
        "versions": {"type": "array", "items": VERSION, "minItems": 1, "maxItems": 5, "uniqueItems": True},
        "sample": {"type": "integer", "minimum": 10, "maximum": 10_000, "default": 500},
    },
}


def train(request: Request) -> Answer:
    """Check the file and start a training: 202 with the version, which is the same for the same data."""
    body = validate(request.body(), TRAIN)
    try:
        version, checked = training.start(body["data"], body.get("test_data"), body["language"], body["name"])
    except labelled.DataError as error:
        raise refused(error) from error
    except RefusedError as error:
        raise ConflictError(str(error)) from error
    created = existing(version)
    looked_at = {"documents": dict(checked.classes.most_common()), "complete": checked.complete}
    return accepted(
        request, as_job(version, created["status"]), checked=looked_at, head=checked.head, message=use(version)
    )


def list_versions(request: Request) -> Answer:  # noqa: ARG001 - every view takes it
    return Answer({"versions": versions.all_versions()})


def show_version(request: Request, version: str) -> Answer:  # noqa: ARG001
    return Answer(existing(version))


def create_endpoint(request: Request, version: str) -> Answer:
    """Create or resize an endpoint: 202 while it changes, 200 when it has these units already."""
    units = int(validate(request.body(), ENDPOINT)["inference_units"])
    properties = trained(version)
    try:
        started = endpoints.provide(properties, units, request.caller)
    except RefusedError as error:
        raise ConflictError(str(error)) from error
    price = versions.usd_a_day(units)
    message = f"{units} inference unit(s) cost {price:.2f} USD a day, asked or not, until the endpoint is deleted"
    return accepted(
        request,
        as_job(version, "running" if started else "succeeded"),
        status=202 if started else 200,
        inference_units=units,
        usd_a_day=price,
        message=message,
    )


def delete_endpoint(request: Request, version: str) -> Answer:
    endpoint = client.endpoints().get(trained(version)["DocumentClassifierArn"])
    if not endpoint:
        raise NotFoundError(f"{version} has no endpoint")
    switched = endpoints.remove(endpoint, request.caller)
    return accepted(request, as_job(version, "running"), switched_to_bundled=switched)


def show_active(request: Request) -> Answer:  # noqa: ARG001
    """Return the active classifier, and how often the bundled one stood in for it within the last hour."""
    return Answer(shown(activation.current()) | {"fallbacks_last_hour": fallbacks.of_last_hour()})


def activate(request: Request) -> Answer:
    """Switch to a version that is ready and answers a probe; 409 otherwise."""
    body = validate(request.body(), ACTIVATE)
    version, relevance = bundled.resolve(body["version"]), body.get("relevance_version")
    try:
        wanted = Active(version=version) if version == bundled.version() else hosted(version, "kind")
        if relevance:
            if wanted.backend == "bundled":
                raise RefusedError("relevance_version needs a Comprehend version; the bundled one predicts both")
            arn = hosted(relevance, "relevance").endpoint_arn
            wanted = Active(version, "comprehend", wanted.endpoint_arn, wanted.inference_units, arn)
    except RefusedError as error:
        raise ConflictError(str(error)) from error
    active = activation.activate(wanted, request.caller)
    if wanted.backend != "bundled" and (gone := endpoints.leave_deleted(active, request.caller)):
        now = activation.current().version
        raise ConflictError(f"{', '.join(gone)} was deleted meanwhile; {now} is active. POST the endpoint again first")
    return Answer(shown(active) | {"takes_effect_within_seconds": int(TIME_TO_LIVE)})


def evaluate(request: Request) -> Answer:
    """Start a comparison of versions on labelled tweets."""
    body = validate(request.body(), EVALUATE)
    body["versions"] = list(map(bundled.resolve, body["versions"]))
    try:
        labelled.locate(body["data"])
        for version in body["versions"]:
            if version != bundled.version():
                hosted(version, versions.head(version), ask=False)
    except labelled.DataError as error:
        raise refused(error) from error
    except RefusedError as error:
        raise ConflictError(str(error)) from error
    return accepted(request, jobs.start("evaluations", body))


def show_evaluation(request: Request, job_id: str) -> Answer:
    """Return status and report of an evaluation; for Accept: text/html its page once it has succeeded."""
    job = jobs.get("evaluations", job_id)
    if not job:
        raise NotFoundError(f"There is no evaluation {job_id}")
    return report(request, job)


def as_job(version: str, status: str) -> dict[str, str]:
    """Return a version in the form of a job. Comprehend runs its training and hosting."""
    return {"id": version, "status": status, "status_url": f"/classifier/versions/{version}"}


def use(version: str) -> str:
    """Return the request that activates a trained version of this head."""
    host = f"Once it is trained: POST /classifier/versions/{version}/endpoint, then PUT /classifier/active with "
    if versions.head(version) == "kind":
        return host + f'{{"version": "{version}"}}'
    kind = '"version": "<a Comprehend version that tells the kind>"'
    return host + f'{{{kind}, "relevance_version": "{version}"}}: it tells relevance, and needs one beside it'


def refused(error: labelled.DataError) -> ChaliceViewError:
    """Return the error for a file that can't be used: 404 not there, 409 its key begins others, 400 its content."""
    if isinstance(error, labelled.NotThereError):
        return NotFoundError(str(error))
    return ConflictError(str(error)) if isinstance(error, labelled.SharedError) else BadRequestError(str(error))


def existing(version: str) -> dict[str, Any]:
    description = versions.describe(bundled.resolve(version))
    if not description:
        raise NotFoundError(f"There is no version {version}; GET /classifier/versions lists them")
    return description


def trained(version: str) -> dict[str, Any]:
    """Return DocumentClassifierProperties of a Comprehend version; 404 or 409 otherwise."""
    if bundled.resolve(version) == bundled.version():
        raise ConflictError("The bundled classifier runs in the Lambda itself and needs no endpoint")
    properties = client.find(version)
    if not properties:
        raise NotFoundError(f"There is no version {version}; GET /classifier/versions lists them")
    return properties


def hosted(version: str, head: str, ask: bool = True) -> Active:
    """Return a version for a head whose endpoint is in service (and answers, when asked).

    Raises RefusedError, NotFoundError.
    """
    endpoint = client.endpoints().get(trained(version)["DocumentClassifierArn"])
    if versions.head(version) != head:
        raise RefusedError(other_head(version))
    if not endpoint:
        raise RefusedError(f"{version} has no endpoint: POST /classifier/versions/{version}/endpoint")
    if endpoint["Status"] not in client.SERVING:
        raise RefusedError(f"The endpoint of {version} is {endpoint['Status']}: wait until it is IN_SERVICE")
    if ask:
        endpoints.probe(endpoint, head)
    return Active(version, "comprehend", endpoint["EndpointArn"], client.inference_units(endpoint))


def other_head(version: str) -> str:
    """Return the message for a version in the field of the other head, with the field for it."""
    if versions.head(version) == "kind":
        return f'{version} tells the kind of disaster, not relevance: it goes into "version"'
    kinds = [p["VersionName"] for p in client.trained_here() if versions.head(p["VersionName"]) == "kind"]
    first = f"one of {', '.join(kinds)}" if kinds else "none yet: POST /classifier/train with labels like flood"
    return (
        f"{version} tells relevance, not the kind of disaster. Activate it beside a Comprehend version that tells the"
        f' kind ({first}): {{"version": "<that one>", "relevance_version": "{version}"}}'
    )


def shown(active: Active) -> dict[str, Any]:
    return asdict(active) | {"since": active.since or None, "by": active.by or None}
