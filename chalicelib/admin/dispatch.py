"""Call a view for a Chalice request: log the call, and turn errors of AWS into clear messages, never a stack trace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from chalice.app import ChaliceError, ChaliceViewError, Response

from chalicelib.admin.http import Answer, Request
from chalicelib.telemetry import logger, metrics

UNAUDITED = frozenset({"erasures.start"})  # the IDs of what is to be forgotten
MOST_AUDITED = 1000  # bytes of a body: more than any that is accepted needs


def read(chalice_request: Any) -> Request:
    """Return Chalice's current request as ours."""
    context = chalice_request.context
    return Request(
        base=base(context.get("path", ""), context.get("resourcePath", "")),
        caller=(context.get("identity") or {}).get("userArn") or "anonymous",
        request_id=context.get("requestId", ""),
        raw_body=chalice_request.raw_body,
        query=chalice_request.query_params or {},
        accept=chalice_request.headers.get("accept", ""),
    )


def base(path: str, resource: str) -> str:
    """Return the part of a request's path before the route: "/api" of "/api/warehouse/setup/7", else "".

    `resource` is the route, "/warehouse/setup/{job_id}". API Gateway's request context has both; its `path` begins with
    the stage, or with what a domain of one's own is mapped at:
    docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
    """
    parts, own = path.strip("/").split("/"), [part for part in resource.split("/") if part]
    before = [part for part in parts[: len(parts) - len(own)] if part]
    return "".join(f"/{part}" for part in before)


def answer(view: Callable[..., Answer], chalice_request: Any, arguments: Mapping[str, str]) -> Response:
    """Call a view with the request and the path's parameters."""
    name = f"{view.__module__.rpartition('.')[2]}.{view.__name__}"
    request = read(chalice_request)
    audit = {
        "view": name,
        "caller": request.caller,
        "request_id": request.request_id,
        "body": "" if name in UNAUDITED else request.raw_body[:MOST_AUDITED].decode(errors="replace"),
        **arguments,
    }
    logger.info("admin call", extra=audit)
    try:
        result: Answer = view(request, **arguments)
    except ChaliceError:
        raise
    except ClientError as error:
        return from_aws(error)
    except BotoCoreError as error:
        logger.exception("AWS unreachable")
        return failure(503, "ServiceUnavailable", f"AWS could not be reached: {error}")
    except Exception as error:
        logger.exception("unexpected")
        message = f"{type(error).__name__}; the log has the details under request id {request.request_id}"
        return failure(500, ChaliceViewError.__name__, message)
    headers = {"Content-Type": result.content_type, **result.headers}
    return Response(result.body, status_code=result.status, headers=headers)


def explained(response: Response) -> Response:
    """Return the response. If Chalice refused a body's type or a method, its message says what to send."""
    if response.status_code == 415:
        said = response.body["Message"]
        response.body["Message"] = f"{said}. Send JSON with the header Content-Type: application/json; curl --json does"
    elif response.status_code == 405:
        said, allowed = response.body["Message"], response.headers.get("Allow", "none")
        response.body["Message"] = f"{said}. Allowed here: {allowed}; GET / lists every route"
    return response


STATUSES = {
    "AccessDenied": 502,  # ours, not the caller's: the function's role lacks it
    "AccessDeniedException": 502,
    "UnauthorizedOperation": 502,
    "ResourceNotFoundException": 404,
    "ResourceInUseException": 409,
    "ResourceUnavailableException": 409,
    "ConflictException": 409,
    "PreconditionFailed": 409,  # an object in S3 that has changed since it was looked at
    "ServiceQuotaExceededException": 429,
}
"""Where AWS's own status would mislead: most of its services answer 400 to all of these."""


def from_aws(error: ClientError) -> Response:
    """AWS's own words and request id; its status where it blames the caller, 502 where it doesn't."""
    detail, meta = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    code, given = str(detail.get("Code", "Unknown")), int(meta.get("HTTPStatusCode", 500))
    throttled = any(word in code for word in ("Throttl", "TooMany", "LimitExceeded", "SlowDown"))
    status = 429 if throttled else STATUSES.get(code, given if given in (400, 404, 409) else 502)
    message = f"{error.operation_name}: {detail.get('Message', '')} (AWS request id {meta.get('RequestId', 'unknown')})"
    logger.warning("AWS refused", extra={"operation": error.operation_name, "code": code, "status": status})
    return failure(status, code, message)


def failure(status: int, code: str, message: str) -> Response:
    """Return an error as Chalice shapes it. One that is not the caller's counts as `ServerErrors`, which alarms."""
    if status >= 500:
        emf = metrics()
        emf.add_metric("ServerErrors", "Count", 1)
        emf.flush_metrics()
    headers = {"Content-Type": "application/json"}
    return Response({"Code": code, "Message": message}, status_code=status, headers=headers)
