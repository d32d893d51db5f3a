"""The report as a page for people: one file, no scripts, nothing from the network, light and dark, good to print."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any


def render(report: Mapping[str, Any], job_id: str) -> str:
    """The page of a report of `report.build`."""
    return f"<!doctype html><html lang=en><body>{escape(job_id)} {escape(report['verdict'])}</body></html>"
