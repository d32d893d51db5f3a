"""Serve the admin API over HTTP as API Gateway does, from the app's own routes.

A call without a signature is let in, where API Gateway answers 403 "Missing Authentication Token": 127.0.0.1 is the
only way here, and curl should do. What is sent as a signature must have Signature Version 4's form and scope, or it is
refused as API Gateway refuses it. The signature itself can't be checked, for any two words are a key; whoever signs is
known by the access key's name.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any
from urllib.parse import unquote

from chalice.local import LambdaEventConverter, LocalChalice, RouteMatcher
from moto.core import DEFAULT_ACCOUNT_ID
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Request, Response

from local.aws.context import Context
from local.aws.logs import Logs

MOST_BYTES = 10 * 1024 * 1024
TIMEOUT = 29  # seconds
"""docs.aws.amazon.com/apigateway/latest/developerguide/limits.html"""
ALGORITHM = "AWS4-HMAC-SHA256"
PARTS = ("Credential", "Signature", "SignedHeaders")
CREDENTIAL = re.compile(r"(?P<key>[\w.-]{1,128})/\d{8}/[a-z0-9-]+/(?P<service>[a-z0-9-]+)/aws4_request", re.ASCII)
"""docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-signing-elements.html"""


def application(logs: Logs) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    """Return the admin API as a WSGI application."""
    app = import_module("app").app
    app.__class__ = LocalChalice  # the current request is the thread's own then
    events = LambdaEventConverter(RouteMatcher(list(app.routes)), app.api.binary_types)

    @Request.application
    def answer(request: Request) -> Response:
        if (request.content_length or 0) > MOST_BYTES:
            return failure(413, "RequestEntityTooLargeError", f"A body has {MOST_BYTES:,} bytes at most")
        try:
            event = event_of(events, request)
        except ValueError:
            return failure(404, "NotFoundError", f"There is no {request.path}; GET / tells what there is")
        if wrong := signature_fault(request.headers):
            return gateway_failure(*wrong)
        context = Context("disaster-tweets-local", 512, time.monotonic() + TIMEOUT)
        with logs.of("api_handler"):
            found = app(event, context)
        headers = {**found["headers"], **found["multiValueHeaders"]}
        headers.setdefault("Content-Type", "application/json")
        return Response(found["body"], found["statusCode"], headers)

    return answer


def event_of(events: LambdaEventConverter, request: Request) -> dict[str, Any]:
    """Return the request as API Gateway hands it to Lambda. Raises ValueError when there is no such path."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    path = "/" + request.environ["RAW_URI"].lstrip("/")
    event: dict[str, Any] = events.create_lambda_event(request.method, path, headers, request.get_data() or None)
    event["pathParameters"] = {name: unquote(value) for name, value in event["pathParameters"].items()}
    event["requestContext"]["requestId"] = str(uuid.uuid4())
    if signed := CREDENTIAL.search(headers.get("authorization", "").partition("Credential=")[2]):
        event["requestContext"]["identity"]["userArn"] = f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:user/{signed['key']}"
    return event


def signature_fault(headers: Headers) -> tuple[str, str] | None:
    """Return AWS's error code and message for an Authorization header without a signature for API Gateway, else None.

    AWS's words, as people report them: repost.aws/knowledge-center/api-gateway-troubleshoot-403-forbidden and
    repost.aws/knowledge-center/api-gateway-authentication-token-errors
    """
    given = headers.get("Authorization")
    if given is None:
        return None
    algorithm, _, rest = given.strip().partition(" ")
    parts = dict[str, str]()
    for part in filter(None, (piece.strip() for piece in rest.split(","))):
        name, equals, value = part.partition("=")
        if not equals:
            message = f"{part!r} not a valid key=value pair (missing equal-sign) in Authorization header: {given!r}."
            return "IncompleteSignatureException", message
        parts[name] = value
    missing = [f"Authorization header requires '{name}' parameter." for name in PARTS if not parts.get(name)]
    if "X-Amz-Date" not in headers and "Date" not in headers:
        missing.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    if missing:
        return "IncompleteSignatureException", f"{' '.join(missing)} Authorization={given}"
    if algorithm != ALGORITHM:
        return "MissingAuthenticationTokenException", "Missing Authentication Token"
    scope = CREDENTIAL.fullmatch(parts["Credential"])
    if not scope or scope["service"] != "execute-api":
        return "InvalidSignatureException", "Credential should be scoped to correct service: 'execute-api'."
    return None


def gateway_failure(code: str, message: str) -> Response:
    """Return a 403 in API Gateway's own form, which is not the app's.

    docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
    """
    body, headers = json.dumps({"message": message}), {"x-amzn-ErrorType": code}
    return Response(body, 403, headers, content_type="application/json")


def failure(status: int, code: str, message: str) -> Response:
    return Response(json.dumps({"Code": code, "Message": message}), status, content_type="application/json")
