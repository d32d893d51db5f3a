"""Labelled tweets are checked before they cost money; each complaint names line and column."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.comprehend import labelled
from chalicelib.comprehend.labelled import Document, check, documents


def good(each: int = 50) -> list[bytes]:
    return [f"{label},text {i}\n".encode() for i in range(each) for label in ("flood", "not_disaster")]


def test_a_good_file_has_no_complaint() -> None:
    checked = check([*good(), b'flood,"water, and more"\r\n'], complete=True)
    assert checked.complaints == []
    assert checked.classes == {"flood": 51, "not_disaster": 50}
    assert checked.head == "kind"


def test_relevance_labels_make_a_relevance_version() -> None:
    lines = [f"{label},text {i}\n".encode() for i in range(50) for label in ("relevant", "not_relevant")]
    checked = check(lines, complete=True)
    assert (checked.head, checked.complaints) == ("relevance", [])


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"flood\n", "line 101, column 1: there must be two columns"),
        (b"flood,one,two\n", "line 101, column 3: there must be two columns"),
        (b"flood, \n", "line 101, column 2: the text is empty"),
        (b",text\n", "line 101, column 1: the label is empty"),
        (b" flood,text\n", "line 101, column 1: the label is empty or has spaces"),
        (b"flooding,text\n", "line 101, column 1: unknown label 'flooding'; allowed: attack,"),
        (b"relevant,text\n", "line 101, column 1: unknown label 'relevant'"),
        (b"wildfire,text\n", "line 101, column 1: label wildfire has 1 documents, 50 are needed"),
        (b"\n", "line 101, column 1: the line is empty"),
        (b"flood,caf\xe9\n", "line 101, column 2: not UTF-8: byte 10 of the line"),
        (b"fl\xf6d,text\n", "line 101, column 1: not UTF-8: byte 3 of the line"),
        (b'flood,"two\nlines"\n', "line 101, column 2: the text goes on for 1 lines"),
        (b'flood,"a" b\n', "line 101, column 2: not valid CSV"),
        (b'flood,"open\n', "line 101, column 2: not valid CSV: unexpected end of data"),
    ],
)
def test_a_complaint_names_line_and_column(line: bytes, complaint: str) -> None:
    found = check([*good(), *line.splitlines(keepends=True)], complete=True).complaints
    assert found and found[0].startswith(complaint)


def test_a_header_and_a_byte_order_mark_are_named_as_such() -> None:
    assert "no header" in check([b"label,text\n", *good()], complete=True).complaints[0]
    bom = check([b"\xef\xbb\xbf" + good()[0], *good()[1:]], complete=True)
    assert bom.complaints == ["line 1, column 1: the file begins with a byte order mark: save it as UTF-8 without one"]


def test_what_needs_the_whole_file_is_left_out_when_only_a_part_is_seen() -> None:
    part = [*good(), b"wildfire,smoke\n"]
    assert check(part, complete=False).complaints == []
    assert check([b"flood,water\n"] * 50, complete=True).complaints[0].endswith("at least two labels, but here are 1")


def test_a_test_file_may_be_small_but_has_no_classes_of_its_own() -> None:
    assert check([b"flood,water\n"], complete=True, least=1, among=["flood", "not_disaster"]).complaints == []
    assert "unknown label" in check([b"storm,wind\n"], True, 1, ["flood", "not_disaster"]).complaints[0]


def test_only_the_first_complaints_are_listed_and_the_rest_counted() -> None:
    checked = check([*good(), *[b"flood\n"] * 30], complete=True)
    assert (len(checked.complaints), checked.problems) == (labelled.MAX_COMPLAINTS, 30)
    assert checked.message("s3://b/k").endswith("; and 20 more")


@pytest.mark.parametrize("line", [b"\n", b"\xff\n", b'"\n', b'flood,"a" b\n', b"flood\n"])
def test_a_file_of_nothing_but_faults_is_not_looked_at_to_its_end(line: bytes) -> None:
    looked_at = 0

    def lines() -> Iterator[bytes]:
        nonlocal looked_at
        for looked_at in range(1, 100_001):  # noqa: B007
            yield line

    checked = check(lines(), complete=True)
    assert looked_at <= 2 * labelled.ENOUGH_COMPLAINTS + 10
    assert labelled.ENOUGH_COMPLAINTS <= checked.problems <= labelled.ENOUGH_COMPLAINTS + 10
    assert checked.message("s3://b/k").endswith(" more, and no more was looked at")


def test_a_file_of_too_many_labels_is_not_looked_at_to_its_end() -> None:
    checked = check((b"%d,text\n" % n for n in range(100_000)), complete=True)
    assert len(checked.classes) == labelled.MAX_LABELS + 1
    assert "more than 1,000 labels" in checked.complaints[0]


def test_a_file_of_too_many_documents_is_not_looked_at_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labelled, "MAX_DOCUMENTS", 1_000)
    checked = check(good(10_000), complete=True)
    assert checked.classes.total() == 1_001
    assert checked.complaints == ["line 1001, column 1: more than 1,000 documents"]


@given(st.lists(st.binary(max_size=60).map(lambda line: line.replace(b"\n", b"") + b"\n"), max_size=20))
def test_any_bytes_give_documents_or_complaints(lines: list[bytes]) -> None:
    complaints: list[int] = []
    found = list(documents(lines, lambda line, column, problem: complaints.append(line)))
    assert all(isinstance(d, Document) and d.label and d.text.strip() for d in found)
    assert len(found) + len(complaints) >= (1 if lines else 0)
    assert all(1 <= line <= len(lines) for line in complaints)
