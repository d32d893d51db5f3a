"""Every answer of the local AWS against botocore's models: its output shapes, and the errors that an operation has.

The check hangs where botocore has just read an answer: it sees what the clients of this process get, functions too.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock
from xml.etree import ElementTree

import botocore.endpoint

COMMON = {
    *("AccessDeniedException", "IncompleteSignature", "InternalFailure", "InvalidAction", "InvalidClientTokenId"),
    *("MalformedHttpRequestException", "NotAuthorized", "OptInRequired", "RequestAbortedException"),
    *("RequestEntityTooLargeException", "RequestExpired", "RequestTimeoutException", "ServiceUnavailable"),
    *("ThrottlingException", "UnknownOperationException", "UnrecognizedClientException", "ValidationError"),
    *("ValidationException", "SerializationException", "ServiceUnavailableException"),
}
"""Of every service: docs.aws.amazon.com/firehose/latest/APIReference/CommonErrors.html, and SerializationException."""
S3_COMMON = {
    "NoSuchBucket",
    "NoSuchKey",
    "NoSuchVersion",
    "PreconditionFailed",
    "InternalError",
    "AccessDenied",
    "SlowDown",
    "InvalidRange",
}
S3_COMMON |= {"404", "412", "NotModified", "304", "BucketNotEmpty", "InvalidRequest", "ConditionalRequestConflict"}
"""S3's model names few of its errors: docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"""
REFUSED_BY_NAME = "NotImplemented"
"""What the local AWS says of what it does not do."""
MOST_ITEMS = 20  # of a list: its first and its last
Complaints = Iterator[str]


def complaints(operation: Any, status: int, headers: Mapping[str, str], body: bytes) -> Complaints:
    """Yield what is wrong with an answer, by the model of its operation."""
    if status >= 300:
        yield from wrong_error(operation, status, headers, body)
        return
    shape, protocol = operation.output_shape, operation.service_model.resolved_protocol
    if shape is None or shape.serialization.get("payload"):
        return
    if protocol in {"json", "rest-json"}:
        yield from of_value(shape, json.loads(body or b"{}"), operation.name, top=True)
    elif body:
        answer = ElementTree.fromstring(body)
        for each in answer.findall("{*}requestId") if protocol == "ec2" else ():  # of the protocol, in every answer
            answer.remove(each)
        if wrapper := shape.serialization.get("resultWrapper"):
            answer = next((each for each in answer if each.tag.rpartition("}")[2] == wrapper), ElementTree.Element(""))
        yield from of_structure_in_xml(shape, answer, operation.name)


def wrong_error(operation: Any, status: int, headers: Mapping[str, str], body: bytes) -> Complaints:
    """Yield a complaint unless the error is one of the operation's, or one of every service's."""
    code = error_code(status, headers, body)
    known = {shape.metadata.get("error", {}).get("code", shape.name) for shape in operation.error_shapes}
    known |= {shape.name for shape in operation.error_shapes} | COMMON
    if operation.service_model.service_name == "s3":
        known |= S3_COMMON
    if code not in known and not code.startswith(REFUSED_BY_NAME):
        yield f"{operation.name}: the error {code} is none of its errors ({', '.join(sorted(known - COMMON))})"


def error_code(status: int, headers: Mapping[str, str], body: bytes) -> str:
    if code := headers.get("x-amzn-errortype"):
        return code.split(":")[0].rpartition("#")[2]
    text = body.decode("utf-8", "replace")
    if text.startswith("{"):
        found = json.loads(text)
        return str(found.get("__type") or found.get("code") or status).rpartition("#")[2]
    match = re.search(r"<Code>([^<]*)</Code>", text)
    return match[1] if match else str(status)


def of_value(shape: Any, value: Any, at: str, *, top: bool = False) -> Complaints:
    """Yield what is wrong with a JSON value. `top`: members may be headers, or the status."""
    if value is None:
        return  # a member that is null is one that is not there
    if shape.type_name in SIMPLE:
        if wrong := SIMPLE[shape.type_name](shape, value):
            yield f"{at}: {wrong}"
    elif shape.type_name == "list":
        if not isinstance(value, list):
            yield f"{at}: no list: {str(value)[:80]}"
            return
        for number, item in enumerate(value[: MOST_ITEMS - 1] + value[-1:] if len(value) > MOST_ITEMS else value):
            yield from of_value(shape.member, item, f"{at}[{number}]")
    elif shape.type_name == "map":
        if not isinstance(value, dict):
            yield f"{at}: no map: {str(value)[:80]}"
            return
        for key, item in value.items():
            yield from of_value(shape.value, item, f"{at}[{key}]")
    else:
        yield from of_structure(shape, value, at, top)


def of_structure(shape: Any, value: Any, at: str, top: bool) -> Complaints:
    if not isinstance(value, dict):
        yield f"{at}: no structure: {str(value)[:80]}"
        return
    by_name = {member.serialization.get("name", name): (name, member) for name, member in shape.members.items()}
    here = {key: each for key, each in value.items() if each is not None}
    for key, each in here.items():
        if key not in by_name:
            yield f"{at}: {shape.name} has no member {key}"
        else:
            yield from of_value(by_name[key][1], each, f"{at}.{key}")
    if getattr(shape, "is_tagged_union", False) and len(here) != 1:
        yield f"{at}: {shape.name} holds one of its members, not {sorted(here)}"
    for name in shape.required_members:
        member = shape.members[name]
        if member.serialization.get("name", name) not in here and not (top and "location" in member.serialization):
            yield f"{at}: {shape.name} needs {name}"


def of_structure_in_xml(shape: Any, element: Any, at: str) -> Complaints:
    """Yield what is wrong with an element: members that the shape has not, and values that are not its members'."""
    by_name = {}
    for name, member in shape.members.items():
        tag = member.serialization.get("name", name)
        if member.type_name == "list" and member.serialization.get("flattened"):
            tag = member.member.serialization.get("name", tag)
        by_name[tag] = member
        by_name[member.serialization.get("name", name)] = member
    for child in element:
        tag = child.tag.rpartition("}")[2]
        if tag not in by_name:
            yield f"{at}: {shape.name} has no member {tag}"
            continue
        member = by_name[tag]
        if member.type_name == "structure":
            yield from of_structure_in_xml(member, child, f"{at}.{tag}")
        elif member.type_name == "list" and member.member.type_name == "structure":
            for item in [child] if member.serialization.get("flattened") else list(child)[:MOST_ITEMS]:
                yield from of_structure_in_xml(member.member, item, f"{at}.{tag}")
        elif member.type_name in {"integer", "long"} and not re.fullmatch(r"-?\d+", child.text or ""):
            yield f"{at}.{tag}: no integer: {child.text}"
        elif member.type_name == "boolean" and child.text not in {"true", "false"}:
            yield f"{at}.{tag}: no boolean: {child.text}"


def text(shape: Any, value: Any) -> str:
    if not isinstance(value, str):
        return f"no text: {value!r}"
    if shape.enum and value not in shape.enum:
        return f"{value} is none of {', '.join(shape.enum)}"
    return ""


def kind(*types: type) -> Callable[[Any, Any], str]:
    def wrong(shape: Any, value: Any) -> str:
        fits = isinstance(value, types) and (bool in types or not isinstance(value, bool))
        return "" if fits else f"no {shape.type_name}: {value!r}"

    return wrong


def blob(_: Any, value: Any) -> str:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError):
        return f"no base64: {str(value)[:80]}"
    return ""


SIMPLE: dict[str, Callable[[Any, Any], str]] = {
    "string": text,
    "character": text,
    "integer": kind(int),
    "long": kind(int),
    "float": kind(int, float),
    "double": kind(int, float),
    "boolean": kind(bool),
    "timestamp": kind(int, float, str),
    "blob": blob,
}


@contextmanager
def checked() -> Iterator[list[str]]:
    """Collect what is wrong with the answers that botocore gets, from `with` to its end."""
    found: list[str] = []
    original = botocore.endpoint.convert_to_response_dict

    def convert(response: Any, operation: Any) -> Any:
        given = original(response, operation)
        service = operation.service_model.service_name
        if isinstance(given.get("body"), bytes):
            for complaint in complaints(operation, given["status_code"], given["headers"], given["body"]):
                if len(found) < 20:
                    found.append(f"{service}: {complaint}")
        return given

    with mock.patch.object(botocore.endpoint, "convert_to_response_dict", convert):
        yield found
