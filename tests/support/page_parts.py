"""Parts of the reconciliation's page alone, without the line breaks of its template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chalicelib.pages import reconciliation, templating


def part(name: str, report: Mapping[str, Any], job_id: str = "", **more: Any) -> str:
    """Return one block of the page of a report, or of a part of one."""
    template = templating.environment().get_template("reconciliation.html")
    context = template.new_context({**reconciliation.context(report, job_id), **more})
    return flat("".join(template.blocks[name](context)))


def flat(html: str) -> str:
    """Return HTML without the line breaks and indents of its template."""
    without = re.sub(r"(?<=>)\s*\n\s*|\s*\n\s*(?=<)", "", html.strip())
    return re.sub(r"\s*\n\s*", " ", without)
