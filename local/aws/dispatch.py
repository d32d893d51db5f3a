"""Dispatch requests to the services with moto's dispatcher, with a clear error for operations that don't exist here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from html import escape
from typing import Any
from urllib.parse import parse_qs

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.wrappers import Response

from local.aws import patches

CODE = "NotImplemented"
STATUS = (
    501  # clients try 500, 502, 503 and 504 again: docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
)
REST_XML = {
    "s3",
    "s3-control",
    "route53",
    "cloudfront",
}  # by `protocol` in botocore's service models; others speak JSON
SCOPE = re.compile(r"Credential=[^/]*/\d{8}/[^/]+/([^/]+)/aws4_request")


class UnknownServiceError(Exception):
    """moto has no such service."""


class Dispatcher(DomainDispatcherApplication):  # type: ignore[misc]
    """A WSGI application for all services."""

    def __init__(self) -> None:
        super().__init__(_application)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            answer: Iterable[bytes] = super().__call__(environ, start_response)
            return answer
        except (NotImplementedError, UnknownServiceError):
            return refusal(environ)(environ, start_response)


def _application(service: Any) -> Any:
    if service is None:
        raise UnknownServiceError
    if service == "apigateway":
        patches.import_chalices_api()
    if service == "events":
        patches.rules_as_they_are_listed()
    if service == "cloudformation":
        patches.change_sets_of_one_name()
    application = create_backend_app(service)
    application.debug = False  # in which Flask makes a class at every request
    application.config["PROPAGATE_EXCEPTIONS"] = True  # as in debugging: the Dispatcher and the server answer them
    return application


def refusal(environ: dict[str, Any]) -> Response:
    """Return the error that names the missing operation and its service, in the service's protocol."""
    signed = SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    service = signed[1] if signed else str(environ.get("HTTP_HOST", "")).split(".")[0]
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    form = str(environ.get("CONTENT_TYPE", "")).startswith("application/x-www-form-urlencoded")
    if target:
        operation = target.rpartition(".")[2]
    elif form:
        environ["wsgi.input"].seek(0)
        operation = parse_qs(environ["wsgi.input"].read().decode("utf-8", "replace")).get("Action", ["?"])[0]
    else:
        operation = f"{environ.get('REQUEST_METHOD')} {environ.get('PATH_INFO')}"
    message = f"The local AWS does not do {operation} of {service}; local/README.md lists what it does"
    if form or (not target and service in REST_XML):
        error = f"<Error><Type>Sender</Type><Code>{CODE}</Code><Message>{escape(message)}</Message></Error>"
        body = error if service in REST_XML else f"<ErrorResponse>{error}</ErrorResponse>"
        return Response(body, STATUS, content_type="text/xml")
    body = json.dumps({"__type": CODE, "message": message})
    return Response(body, STATUS, {"x-amzn-errortype": CODE}, content_type="application/json")
