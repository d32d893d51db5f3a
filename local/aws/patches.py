"""Patch moto, each patch with its reason. What replaces a whole service stands in that service's module.

tests/local/test_local_patches.py fails when a new moto no longer has what is changed here, or no longer needs it.
"""

from __future__ import annotations

import json
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from types import ModuleType
from typing import Any


@cache
def install() -> None:
    """Once a process, before moto's first request."""
    cache_modules()
    cache_hosts()
    cache_methods()
    etag_at_birth()
    bytes_until_the_last_reader()
    list_objects_by_bisection()
    list_versions_without_bytes()


@contextmanager
def without_ec2() -> Iterator[None]:
    """Import moto.ssm without moto.ec2, which takes a third of the time that the local AWS starts in.

    Run Command alone needs EC2's instances, and nothing here runs commands.
    """
    absent = "moto.ec2" not in sys.modules
    if absent:
        sys.modules["moto.ec2"] = ModuleType("moto.ec2")
        sys.modules["moto.ec2"].__dict__["ec2_backends"] = {}
    try:
        yield
    finally:
        if absent:
            del sys.modules["moto.ec2"]


def cache_modules() -> None:
    """moto looks for its services' folders at every request: 180 calls of stat()."""
    from moto import backends

    modules = tuple(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: modules


def cache_hosts() -> None:
    """At every request moto tries 180 regular expressions on the service's host name."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication as Dispatcher

    Dispatcher.get_backend_for_host = lru_cache(maxsize=4096)(Dispatcher.get_backend_for_host)


def cache_methods() -> None:
    """At every request moto asks each attribute of the service's class whether it is a method."""
    from moto.core import responses

    responses.method_names_from_class = cache(responses.method_names_from_class)


def etag_at_birth() -> None:
    """moto computes an object's ETag when first asked, from the buffer that others read it from, without a lock.

    A thread that reads the object just then gets a piece of it, or the ETag is that of a piece.
    """
    from moto.s3.models import FakeKey

    init = FakeKey.__init__

    def with_etag(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        _ = self.etag

    FakeKey.__init__ = with_etag


def bytes_until_the_last_reader() -> None:
    """moto closes the buffer of an object that is overwritten or deleted, also while another thread reads from it.

    Python closes it when nobody has it any more.
    """
    from moto.s3.models import FakeKey

    def dispose(self: Any, garbage: bool = False) -> None:
        """Leave it open."""

    FakeKey.dispose = dispose


def list_objects_by_bisection() -> None:
    """For each page of 1,000 moto walks through all objects of the bucket; the reconciler lists tens of thousands."""
    from moto.s3.models import FakeDeleteMarker, FakeTableStorageBucket, S3Backend

    original = S3Backend.list_objects_v2

    def list_objects_v2(
        self: Any,
        bucket: Any,
        prefix: str | None,
        delimiter: str | None,
        continuation_token: str | None,
        start_after: str | None,
        max_keys: int,
    ) -> Any:
        if delimiter or isinstance(bucket, FakeTableStorageBucket):
            return original(self, bucket, prefix, delimiter, continuation_token, start_after, max_keys)
        after = self._pagination_tokens.get(continuation_token) if continuation_token else start_after
        names, prefix = sorted(bucket.keys), prefix or ""
        start = max(bisect_left(names, prefix), bisect_right(names, after) if after else 0)
        found: list[Any] = []
        for name in names[start:]:
            if len(found) > max_keys or not name.startswith(prefix):
                break
            key = bucket.keys.get(name)
            if key is not None and not isinstance(key, FakeDeleteMarker):
                found.append(key)
        return self._truncate_result(found, max_keys)

    S3Backend.list_objects_v2 = list_objects_v2


def list_versions_without_bytes() -> None:
    """To list versions moto copies every object of the bucket, bytes too: it notes on the copy which is the latest."""
    from moto.s3.models import FakeKey

    def listed(self: Any, _: dict[int, Any]) -> Any:
        found = object.__new__(FakeKey)
        found.__dict__.update(self.__dict__)
        return found

    FakeKey.__deepcopy__ = listed


@cache
def import_chalices_api() -> None:
    """Once a process, before API Gateway's first request: moto's takes long to import, and only a deployment needs it.

    `chalice deploy` imports its API as Swagger 2.0; moto's import takes OpenAPI 3 with a description only.
    AWS takes both: docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-import-api.html
    """
    from moto.apigateway.models import APIGatewayBackend

    def accepting(original: Callable[..., Any], position: int) -> Callable[..., Any]:
        def imported(*args: Any, **kwargs: Any) -> Any:
            given = list(args)
            if "api_doc" in kwargs:
                kwargs["api_doc"] = as_openapi3(kwargs["api_doc"])
            else:
                given[position] = as_openapi3(given[position])
            return original(*given, **kwargs)

        return imported

    APIGatewayBackend.import_rest_api = accepting(APIGatewayBackend.import_rest_api, 1)
    APIGatewayBackend.put_rest_api = accepting(APIGatewayBackend.put_rest_api, 2)


def as_openapi3(document: dict[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI document with what moto insists on; its paths are the same in both versions.

    What a method calls is of the types that the API's own enumeration has, in capitals.
    """
    document = {**document, "info": {"description": "", **document.get("info", {})}}
    if document.pop("swagger", None):
        document["openapi"] = "3.0.1"
    for methods in document.get("paths", {}).values():
        for method in methods.values():
            if isinstance(method, dict) and (integration := method.get("x-amazon-apigateway-integration")):
                integration["type"] = integration["type"].upper()
    return document


@cache
def rules_as_they_are_listed() -> None:
    """Once a process, before EventBridge's first request. moto lists who made a rule, which DescribeRule alone tells.

    docs.aws.amazon.com/eventbridge/latest/APIReference/API_Rule.html
    """
    from moto.events.responses import EventsHandler

    original = EventsHandler.list_rules

    def list_rules(self: Any) -> Any:
        body, *rest = original(self)
        said = json.loads(body)
        for rule in said["Rules"]:
            rule.pop("CreatedBy", None)
        return json.dumps(said), *rest

    EventsHandler.list_rules = list_rules


@cache
def change_sets_of_one_name() -> None:
    """Once a process, before CloudFormation's first request. moto makes a second change set of a name.

    docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html
    """
    from moto.cloudformation.models import CloudFormationBackend

    from local.aws.aws_error import AwsError

    original = CloudFormationBackend.create_change_set

    def create_change_set(self: Any, stack_name: str, change_set_name: str, *args: Any, **kwargs: Any) -> Any:
        for known in self.change_sets.values():
            if (known.stack.name, known.change_set_name) == (stack_name, change_set_name):
                raise AwsError("AlreadyExistsException", f"ChangeSet {change_set_name} already exists")
        return original(self, stack_name, change_set_name, *args, **kwargs)

    CloudFormationBackend.create_change_set = create_change_set
