"""docs/fidelity.md lists what the local AWS refuses as AWS does: each line has a source, a module and a test."""

from __future__ import annotations

import re

import pytest

from infra.conformance import CHECKS
from tests.support import ROOT

SOURCE = re.compile(r"(docs\.aws\.amazon\.com|repost\.aws/knowledge-center|github\.com)/\S+")
TESTS = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))


def lines() -> list[list[str]]:
    """Return the cells of every table row: what AWS does, source, module, test, check."""
    page = (ROOT / "docs" / "fidelity.md").read_text().splitlines()
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in page if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows if row[0].strip() != "AWS"]


@pytest.mark.parametrize("row", lines(), ids=lambda row: row[0][:40])
def test_each_line_has_a_source_and_what_it_names_exists(row: list[str]) -> None:
    _, source, module, test, asked = row
    assert all(SOURCE.fullmatch(each) for each in source.split(", "))
    assert (ROOT / module.strip("`")).is_file()
    assert re.search(rf"def {test.strip('`')}\(", TESTS)
    assert asked == "–" or asked.strip("`") in CHECKS


def test_the_page_has_lines_for_every_service() -> None:
    page = (ROOT / "docs" / "fidelity.md").read_text()
    assert len(lines()) > 30
    for service in ("Firehose", "Redshift", "CloudFormation", "Comprehend", "Lambda, S3, Kinesis"):
        assert service in page


def test_most_lines_are_asked_from_outside() -> None:
    asked = [row for row in lines() if row[4] != "–"]
    assert len(asked) >= 0.7 * len(lines())
