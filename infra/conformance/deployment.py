"""Check by CloudFormation's rules what `make deploy` would send to it. Nothing is created."""

from __future__ import annotations

from functools import lru_cache

from infra import data_plane, template
from infra.conformance.asking import DiffersError, Place, check

MOST_BYTES = 51_200
KEPT = {"Bucket": "BucketName", "Namespace": "NamespaceName", "AdminLogs": "LogGroupName"}
"""What outlives its stack, and which property names it."""
CREATE_ONLY = (
    *("DeliveryStreamName", "DeliveryStreamType", "DatabaseSourceConfiguration", "DirectPutSourceConfiguration"),
    *("KinesisStreamSourceConfiguration", "MSKSourceConfiguration"),
)
"""Of a delivery stream, beside properties of destinations that no stage has."""


@lru_cache(1)
def parsed(text: str) -> dict[str, template.Tree]:
    return template.loaded(text)


def sent(place: Place) -> dict[str, template.Tree]:
    """Return the template as CloudFormation would get it."""
    return parsed(data_plane.template(place.of))


@check
def the_template_fits_into_one_request(place: Place) -> str:
    """A template sent in the request has up to 51,200 bytes."""
    size = len(data_plane.template(place.of).encode())
    if size > MOST_BYTES:
        raise DiffersError(f"it has {size:,} bytes")
    return f"{size:,} bytes"


@check
def a_rolled_back_creation_keeps_nothing(place: Place) -> None:
    """`Retain` keeps a resource even when its creation is rolled back, and the next creation meets it."""
    for name, each in sent(place)["Resources"].items():
        if each.get("DeletionPolicy", "Delete") not in {"Delete", "RetainExceptOnCreate"}:
            raise DiffersError(f"{name} has DeletionPolicy {each['DeletionPolicy']}")
        if name in KEPT and each.get("DeletionPolicy") != "RetainExceptOnCreate":
            raise DiffersError(f"make destroy would delete {name}")


@check
def what_is_imported_has_a_literal_name(place: Place) -> None:
    """An existing resource is imported only if its name is a literal."""
    for name, named_by in KEPT.items():
        found = sent(place)["Resources"][name]["Properties"][named_by]
        if not isinstance(found, str):
            raise DiffersError(f"{named_by} of {name} is {found}")


@check
def no_delivery_replaces_the_stream(place: Place) -> None:  # noqa: ARG001 - every check takes it
    """A property that is create-only is the same whichever the delivery: else the stream would have to be made anew."""
    streams = [template.resources(Delivery=each)["Stream"]["Properties"] for each in ("reconcile", "firehose")]
    for name in CREATE_ONLY:
        one, other = (stream.get(name) for stream in streams)
        if one != other:
            raise DiffersError(f"{name} is {one} with reconcile and {other} with firehose")


@check
def no_region_is_looked_up(place: Place) -> None:
    """`Fn::FindInMap` fails for a missing entry, also in a branch that is not taken."""
    if "FindInMap" in data_plane.template(place.of):
        raise DiffersError("the template has a FindInMap")


@check
def copy_takes_no_statupdate(place: Place) -> None:
    """STATUPDATE in a COPY is for the table's owner alone; Firehose's user is not."""
    text = data_plane.template(place.of)
    if "STATUPDATE" in text.upper():
        raise DiffersError("the template's COPY options have STATUPDATE")
