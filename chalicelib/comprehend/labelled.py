"""Read and check labelled tweets in S3, in Comprehend's form: UTF-8, no header, a line a document, `label,text`.

They are checked before anything costs money: Comprehend itself says what is wrong with a file when its training has
failed, and not where. Limits: https://docs.aws.amazon.com/comprehend/latest/dg/guidelines-and-limits.html and
https://docs.aws.amazon.com/comprehend/latest/dg/prep-classifier-data-multi-class.html
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from io import BufferedReader
from itertools import takewhile
from typing import NamedTuple, cast

from chalicelib import clients, layout
from chalicelib.classifier.taxonomy import CODES
from chalicelib.settings import settings

RELEVANCE_LABELS = ("relevant", "not_relevant")
LABELS = {"kind": tuple(CODES), "relevance": RELEVANCE_LABELS}
"""What each head of the classifier may answer; anything else would be no label the warehouse knows."""

MIN_DOCUMENTS = 50  # a class
MAX_DOCUMENTS = 1_000_000
MAX_DOCUMENT_BYTES = 10 * 1024**2
MAX_TOTAL_BYTES = 5 * 1024**3
CHECKED_BYTES = 32 * 1024**2
"""A request must be answered soon, so a longer file is checked this far (some 250,000 tweets), as the answer says."""
MAX_COMPLAINTS = 10
ENOUGH_COMPLAINTS = 1_000
"""Then a check looks no further: 32 MB of newlines would take 27 of a request's 29 seconds."""
MAX_LABELS = 1_000
"""Of a custom classifier, by the same page of limits; more than there are kinds."""

Complain = Callable[[int, int, str], None]
"""Takes line and column (1: label, 2: text) and what is wrong there."""


class DataError(Exception):
    """The file can't be used; the message says why and what to do."""


class NotThereError(DataError):
    """There is no such object, or none that this stage may read."""


class SharedError(DataError):
    """Other objects' keys begin with this one's key, and Comprehend would read them too."""


class Located(NamedTuple):
    """An object in S3, as it is now."""

    bucket: str
    key: str
    size: int
    etag: str

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class Document(NamedTuple):
    """A labelled text and the line it begins on."""

    line: int
    label: str
    text: str


@dataclass
class Checked:
    """What a check found: documents a class, and the first complaints."""

    complete: bool  # whether all of the file was looked at
    classes: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    problems: int = 0  # complaints in all

    @property
    def head(self) -> str:
        """Return the head that these labels are for, `kind` or `relevance`: that of most documents."""
        relevance = sum(self.classes[label] for label in RELEVANCE_LABELS)
        return "relevance" if relevance * 2 > self.classes.total() else "kind"

    def complain(self, line: int, column: int, problem: str) -> None:
        self._add(f"line {line}, column {column}: {problem}")

    def _add(self, complaint: str) -> None:
        self.problems += 1
        if len(self.complaints) < MAX_COMPLAINTS:
            self.complaints.append(complaint)

    def message(self, uri: str) -> str:
        more = f"; and {self.problems - len(self.complaints)} more" if self.problems > len(self.complaints) else ""
        if self.problems >= ENOUGH_COMPLAINTS:
            more += ", and no more was looked at"
        return f"{uri}: {'; '.join(self.complaints)}{more}"


def locate(uri: str) -> Located:
    """Return the one object that `uri` (`s3://bucket/key`) names. Raises NotThereError, SharedError."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if bucket != settings().bucket or not key.startswith(layout.CLASSIFIER):
        raise NotThereError(
            f"{uri} is out of Comprehend's reach: put it under s3://{settings().bucket}/{layout.CLASSIFIER}"
        )
    items = clients.s3().list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=2).get("Contents", [])
    exact = [item for item in items if item["Key"] == key]
    if not exact:
        raise NotThereError(f"There is nothing at {uri}")
    if len(items) > 1:
        others = ", ".join(item["Key"] for item in items if item["Key"] != key)
        raise SharedError(f"Comprehend takes {uri} as a prefix, which {others} shares: move one of them")
    return Located(bucket, key, exact[0]["Size"], exact[0]["ETag"].strip('"'))


def csv_lines(file: Located, most: int = CHECKED_BYTES) -> Iterator[bytes]:
    """Yield the file's lines, streamed; a line that goes on after `most` bytes is left out."""
    last = min(file.size, most) - 1
    if last < 0:
        return
    body = clients.s3().get_object(Bucket=file.bucket, Key=file.key, IfMatch=file.etag, Range=f"bytes=0-{last}")["Body"]
    for line in BufferedReader(cast("BufferedReader", body), 1 << 20):
        if line.endswith(b"\n") or file.size <= most:
            yield line


def documents(raw: Iterable[bytes], complain: Complain) -> Iterator[Document]:
    """Yield the usable documents; tell `complain` of each other."""
    csv.field_size_limit(MAX_DOCUMENT_BYTES)
    reader = csv.reader(_decoded(raw, complain), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            complain(line, 2, f"not valid CSV: {error}")
            continue
        if problem := _problem(row, reader.line_num - line):
            complain(line, *problem)
        else:
            yield Document(line, *row)


def _decoded(raw: Iterable[bytes], complain: Complain) -> Iterator[str]:
    for number, line in enumerate(raw, 1):
        if number == 1 and line.startswith(b"\xef\xbb\xbf"):
            complain(1, 1, "the file begins with a byte order mark: save it as UTF-8 without one")
            line = line[3:]
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            complain(number, 2 if b"," in line[: error.start] else 1, f"not UTF-8: byte {error.start + 1} of the line")
            yield line.decode(errors="replace")


def _problem(row: list[str], further_lines: int) -> tuple[int, str] | None:
    """Return the column and the error of a row; None if it can be used."""
    if not row:
        return 1, "the line is empty"
    if len(row) != 2:
        return len(row), f"there must be two columns, label and text, but here are {len(row)}: quote texts with commas"
    label, text = row
    if label != label.strip() or not label:
        return 1, "the label is empty or has spaces around it"
    if further_lines:
        return 2, f"the text goes on for {further_lines} lines: one document a line (or is a quote left open?)"
    if not text.strip():
        return 2, "the text is empty"
    return None


def check(
    raw: Iterable[bytes], complete: bool, least: int = MIN_DOCUMENTS, among: Iterable[str] | None = None
) -> Checked:
    """Check a file's lines, up to ENOUGH_COMPLAINTS.

    `least`: documents a class must have; `among`: the classes there may be (of training).
    """
    checked, first_seen = Checked(complete), dict[str, int]()
    looked_at = takewhile(lambda _: checked.problems < ENOUGH_COMPLAINTS, raw)
    for number, document in enumerate(documents(looked_at, checked.complain), 1):
        checked.classes[document.label] += 1
        first_seen.setdefault(document.label, document.line)
        if number > MAX_DOCUMENTS:
            checked.complain(document.line, 1, f"more than {MAX_DOCUMENTS:,} documents")
            break
        if len(first_seen) > MAX_LABELS:
            checked.complain(document.line, 1, f"more than {MAX_LABELS:,} labels")
            break
    allowed = set(among if among is not None else LABELS[checked.head])
    for label, line in first_seen.items():
        if label not in allowed:
            hint = "; Comprehend wants no header" if line == 1 and checked.classes[label] == 1 else ""
            checked.complain(line, 1, f"unknown label {label[:80]!r}{hint}; allowed: {', '.join(sorted(allowed))}")
        elif complete and checked.classes[label] < least:
            have = checked.classes[label]
            checked.complain(
                line, 1, f"label {label} has {have} documents, {least} are needed: add some or leave it out"
            )
    if complete and among is None and len(first_seen) < 2:
        checked.complain(1, 1, f"there must be at least two labels, but here are {len(first_seen)}")
    return checked


def check_file(file: Located, least: int = MIN_DOCUMENTS, among: Iterable[str] | None = None) -> Checked:
    """Check a file in S3, the first `CHECKED_BYTES` of it. Raises DataError with the complaints."""
    if file.size > MAX_TOTAL_BYTES:
        raise DataError(f"{file.uri} has {file.size:,} bytes; Comprehend takes {MAX_TOTAL_BYTES:,}")
    checked = check(csv_lines(file), file.size <= CHECKED_BYTES, least, among)
    if checked.problems:
        raise DataError(checked.message(file.uri))
    return checked
