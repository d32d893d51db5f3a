"""docs/glossary.md names each term once, with a place in which it is written down."""

import re
import subprocess

import pytest

from tests.support import ROOT

PAGE = (ROOT / "docs" / "glossary.md").read_text()
TERMS = re.findall(r"^\| ([^|]+) \| `([^`]+)` \| ([^|]+) \|$", PAGE, re.MULTILINE)
SOURCES = ["chalicelib", "sql", "infra", "docs/openapi.yaml", "docs/reconciliation-report.schema.json", "producer.py"]


def test_each_term_is_there_once_and_in_a_sentence() -> None:
    terms = [term for term, _, _ in TERMS]
    assert len(terms) > 40 and len(set(terms)) == len(terms)
    assert all(meaning.strip()[0].isupper() or meaning[0] == "`" for _, _, meaning in TERMS)
    assert all(meaning.strip().endswith(".") for _, _, meaning in TERMS)


@pytest.mark.parametrize(("term", "where"), [(term, where) for term, where, _ in TERMS])
def test_what_a_term_is_written_down_in_is_there(term: str, where: str) -> None:
    if where.endswith((".py", ".toml")):
        assert (ROOT / where).is_file(), (term, where)
    else:
        found = subprocess.run(["grep", "-rqwF", where.removesuffix("/"), *SOURCES], cwd=ROOT)
        assert found.returncode == 0, (term, where)
