"""The shared local AWS with the delivery in which the loader loads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from chalicelib import clients
from chalicelib.settings import parameter_path, settings


@contextmanager
def loading(load_seconds: int = 0) -> Iterator[None]:
    """The functions' settings say that the reconciler loads; the streams stay as they are."""
    before = settings()
    try:
        _set("reconcile", load_seconds)
        yield
    finally:
        _set(before.delivery, before.load_seconds)


def _set(delivery: str, load_seconds: int) -> None:
    for name, value in {"delivery": delivery, "load_seconds": str(load_seconds)}.items():
        path = parameter_path("local") + name
        clients.ssm().put_parameter(Name=path, Value=value, Type="String", Overwrite=True)
    settings.cache_clear()
