"""API Gateway: the admin API over HTTP, from the app's own routes.

Signatures are not checked, and calls without one are let in: 127.0.0.1 is the only way here. Whoever signs is known by
the access key's name.
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
from werkzeug.wrappers import Request, Response

from local.functions import Context
from local.logs import Logs

MOST_BYTES = 10 * 1024 * 1024
TIMEOUT = 29  # seconds
"""docs.aws.amazon.com/apigateway/latest/developerguide/limits.html"""
CREDENTIAL = re.compile(r"Credential=([\w+=,.@-]{1,64}?)/")


def application(logs: Logs) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    """The admin API as a WSGI application."""
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
        context = Context("disaster-tweets-local", 512, time.monotonic() + TIMEOUT)
        with logs.of("api_handler"):
            found = app(event, context)
        headers = {**found["headers"], **found["multiValueHeaders"]}
        headers.setdefault("Content-Type", "application/json")
        return Response(found["body"], found["statusCode"], headers)

    return answer


def event_of(events: LambdaEventConverter, request: Request) -> dict[str, Any]:
    """The request as API Gateway hands it to Lambda. Raises ValueError when there is no such path."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    path = "/" + request.environ["RAW_URI"].lstrip("/")
    event: dict[str, Any] = events.create_lambda_event(request.method, path, headers, request.get_data() or None)
    event["pathParameters"] = {name: unquote(value) for name, value in event["pathParameters"].items()}
    event["requestContext"]["requestId"] = str(uuid.uuid4())
    if signed := CREDENTIAL.search(headers.get("authorization", "")):
        event["requestContext"]["identity"]["userArn"] = f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:user/{signed[1]}"
    return event


def failure(status: int, code: str, message: str) -> Response:
    return Response(json.dumps({"Code": code, "Message": message}), status, content_type="application/json")
