"""Read tweets from the files that people have, each as one line of JSON.

CSV with commas, semicolons, tabs or bars; Excel's xlsx; JSON Lines; X API v2 payloads; any of these gzipped; a folder
of them. Text may be UTF-8, UTF-16, UTF-32, cp1252 or latin-9. What can't be read raises InputError: one line that says
why.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson

FIELDS = {
    "tweet_id": ("tweet_id", "id", "id_str", "status_id"),
    "text": (
        "text",
        "full_text",
        "tweet_text",
        "tweet",
        "original_text",
        "content",
        "tweet_content",
        "message",
        "post",
        "body",
    ),
    "user_id": ("user_id", "author_id"),
    "created_at": ("created_at", "timestamp", "tweet_created_at", "datetime", "date"),
    "location": ("location", "user_location"),
    "lang": ("lang", "language"),
    "source_keyword": ("source_keyword", "keyword"),
}
"""What a record calls each field, and the headers it may come from, best first; case, spaces and `_` don't matter."""

DELIMITERS = (",", ";", "\t", "|")
NONE = "\x1f"  # the delimiter of a file whose lines are one cell each: no text has it
SAMPLE_ROWS = 20  # at the beginning, by which the delimiter is told
LOOK = 64 * 1024  # bytes at the beginning of a file by which its kind is told
SHOWN_COLUMNS = 12  # of those that a message names
GZIP = b"\x1f\x8b"
ZIP = b"PK\x03\x04"
KINDS = {
    b"%PDF": "a PDF",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (.xls): save it as .xlsx or CSV",
    b"PAR1": "a Parquet file: convert it to CSV or JSON Lines",
    b"SQLite format 3": "an SQLite database",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"BZh": "bzip2: unpack it first",
    b"\xfd7zXZ": "xz: unpack it first",
    b"(\xb5/\xfd": "zstd: unpack it first",
    ZIP: "a zip archive: unpack it first",
}
"""How files begin that are no text, and what to say of them."""


class InputError(Exception):
    """The file can't be read as tweets."""


# ------------------------------------------------------------------ files


def read(path: Path, text_column: str = "") -> Iterator[bytes]:
    """Yield the tweets of a file or of all files in a folder, each one line of JSON ending in a newline.

    `text_column` names the column of the text where its header is none of FIELDS; a number, from 1, says that the file
    has no header. Raises InputError, OSError.
    """
    if path.is_dir():
        files = sorted(each for each in path.rglob("*") if each.is_file() and not hidden(each, path))
        if not files:
            raise InputError(f"{path} holds no files")
        return itertools.chain.from_iterable(_read_file(each, text_column) for each in files)
    return _read_file(path, text_column)


def hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def _read_file(path: Path, text_column: str) -> Iterator[bytes]:
    with _open(path) as file, _refusing(path):
        start = file.read(LOOK)
    if start.startswith(ZIP) and _is_xlsx(path):
        return _tweets(path, _sheet(path), text_column)
    check_text(path, start)
    suffix = Path(path.stem if path.suffix.lower() == ".gz" else path.name).suffix.lower()
    head = start.decode(_wide(start) or "latin-1", "ignore").lstrip("\ufeff\xef\xbb\xbf \t\r\n")
    if suffix in (".json", ".jsonl", ".ndjson") or (suffix not in (".csv", ".tsv") and head[:1] in ("{", "[")):
        return read_json(path)
    return read_csv(path, text_column)


def _open(path: Path) -> BinaryIO:
    """Open a file, unpacked if it is gzipped."""
    with path.open("rb") as file:
        packed = file.read(len(GZIP)) == GZIP
    return cast(BinaryIO, gzip.open(path)) if packed else path.open("rb")


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Raise InputError for what a damaged or hostile file raises."""
    try:
        yield
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise InputError(f"{path} is gzipped and damaged: {error}") from error
    except csv.Error as error:
        raise InputError(f"{path} is no CSV: {error}") from error


def check_text(path: Path, start: bytes) -> None:
    """Raise InputError unless the beginning of a file is text: nothing else belongs into a stream or a terminal."""
    for magic, kind in KINDS.items():
        if start.startswith(magic):
            raise InputError(f"{path} is {kind}")
    if _wide(start):
        return
    controls = len(re.findall(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", start))
    if b"\0" in start or controls * 20 > len(start):
        raise InputError(f"{path} is no text: CSV, JSON Lines, xlsx, each gzipped or not, can be read")


def _wide(start: bytes) -> str:
    """Return the name of UTF-16 or UTF-32, by its mark or by its zeros; empty for any other encoding."""
    if start.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "utf-32"
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    even, odd = start[::2].count(0), start[1::2].count(0)
    if len(start) >= 8 and max(even, odd) * 5 > len(start) * 2 and min(even, odd) * 20 < len(start):
        return "utf-16-le" if odd > even else "utf-16-be"
    return ""


def encoding_of(path: Path) -> str:
    """Return the first of UTF-16 and UTF-32, UTF-8, cp1252 and latin-9 that can decode the whole file.

    The last can decode anything.
    """
    with _open(path) as file, _refusing(path):
        wide = _wide(file.read(LOOK))
    for encoding in filter(None, (wide, "utf-8-sig", "cp1252")):
        try:
            with _open(path) as file, _refusing(path), io.TextIOWrapper(file, encoding, newline="") as text:
                while text.read(1 << 20):
                    pass
        except UnicodeError:
            continue
        return encoding
    return "iso8859-15"


# ------------------------------------------------------------------ tables


def read_csv(path: Path, text_column: str = "") -> Iterator[bytes]:
    """Yield a line of JSON per row, without its empty fields. A row without text goes too: the transform refuses it."""
    csv.field_size_limit(1 << 30)
    encoding = encoding_of(path)
    with _open(path) as file, _refusing(path), io.TextIOWrapper(file, encoding, newline="") as text:
        beginning = text.read(LOOK)
    delimiter = delimiter_of(beginning, text_column, tabs=".tsv" in path.suffixes)

    def rows() -> Iterator[Sequence[str]]:
        # newline="": CR, LF and CRLF all end a row
        with _open(path) as file, _refusing(path), io.TextIOWrapper(file, encoding, newline="") as text:
            width = 0
            for row in csv.reader(text, delimiter=delimiter):
                width = width or len(row)
                # A text that stands alone and has the delimiter in it is one cell all the same
                yield [delimiter.join(row)] if width == 1 and len(row) > 1 else row

    return _tweets(path, rows(), text_column)


def delimiter_of(beginning: str, text_column: str, *, tabs: bool = False) -> str:
    """Return the delimiter under which the first row names the text.

    Where there is none: the one that makes as many cells, two or more, of each of the first rows; else NONE.
    """
    found: dict[str, list[list[str]]] = {}
    for delimiter in ("\t", *DELIMITERS) if tabs else DELIMITERS:
        with suppress(csv.Error):
            rows = csv.reader(io.StringIO(beginning, newline=""), delimiter=delimiter)
            found[delimiter] = list(itertools.islice(filter(None, rows), SAMPLE_ROWS)) or [[]]
    for delimiter, rows_found in found.items():
        header = rows_found[0]
        if text_column in header if text_column else "text" in _columns(header):
            return delimiter
    widths = {each: {len(row) for row in rows} for each, rows in found.items()}
    even = {each: max(widths[each]) for each in found if len(widths[each]) == 1 and widths[each] != {1}}
    return max(even, key=lambda each: even[each], default=NONE)


def _columns(header: Sequence[str]) -> dict[str, int]:
    """Return where each field stands, by its name in the header."""
    names = [_plain(name) for name in header]
    return {
        field: names.index(_plain(alias))
        for field, aliases in FIELDS.items()
        for alias in reversed(aliases)
        if _plain(alias) in names
    }


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def _tweets(path: Path, rows: Iterable[Sequence[str]], text_column: str) -> Iterator[bytes]:
    """Yield a line of JSON per row of a table. Raises InputError where no column is known to hold the text."""
    remaining = iter(rows)
    header = list(next((row for row in remaining if any(map(str.strip, row))), []))
    if not header:
        return
    columns = _columns(header)
    if text_column and text_column in header:
        columns["text"] = header.index(text_column)
    elif text_column.isdecimal() and 0 < int(text_column) <= len(header):
        columns = {"text": int(text_column) - 1}
        remaining = itertools.chain([header], remaining)
    elif text_column:
        raise InputError(f"{path} has no column {text_column}. Found: {shown(header)}")
    if "text" not in columns:
        raise InputError(
            f"{path} has no column for the text. Found: {shown(header)}. Name it with --text-column NAME, or with its "
            "number if the file has no header"
        )
    for row in remaining:
        if row:
            yield line_of({name: row[at] for name, at in columns.items() if at < len(row) and row[at]})


def shown(header: Sequence[str]) -> str:
    """Return the columns of a header as a message may name them: printable, and not without end."""
    names = ["".join(c if c.isprintable() else "?" for c in name.strip()[:40]) for name in header]
    more = f" and {len(names) - SHOWN_COLUMNS:,} more" if len(names) > SHOWN_COLUMNS else ""
    return ", ".join(f"{n} {name}" for n, name in enumerate(names[:SHOWN_COLUMNS], 1)) + more


def _is_xlsx(path: Path) -> bool:
    try:
        with _open(path) as file, zipfile.ZipFile(file) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return False


def _sheet(path: Path) -> Iterator[Sequence[str]]:
    """Yield the rows of a workbook's first sheet, as text."""
    try:
        import openpyxl
    except ImportError as error:
        install = ".venv/bin/python -m pip install openpyxl"
        raise InputError(f"{path}: reading xlsx needs openpyxl: {install}") from error
    with _open(path) as file:
        try:
            sheet = openpyxl.load_workbook(file, read_only=True, data_only=True).worksheets[0]
            for row in sheet.iter_rows(values_only=True):
                yield [_cell(value) for value in row]
        except InputError:
            raise
        except Exception as error:  # whatever a broken workbook makes openpyxl raise
            raise InputError(f"{path} is a damaged workbook: {type(error).__name__}: {error}") from error


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


# ------------------------------------------------------------------ JSON


def line_of(record: Any) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace") + b"\n"


def read_json(path: Path) -> Iterator[bytes]:
    """Yield lines of a JSON Lines file as they stand, broken ones too; or one document, split into single tweets."""
    with _open(path) as file:
        wide = _wide(file.read(LOOK))

    def lines(file: BinaryIO) -> Iterator[bytes]:
        if wide:
            decoded = io.TextIOWrapper(file, wide, errors="replace", newline="")
            yield from (line.removeprefix("\ufeff").strip().encode() for line in decoded)
        else:
            yield from (line.strip().removeprefix(b"\xef\xbb\xbf") for line in file)

    with _open(path) as file, _refusing(path):
        stripped = lines(file)
        first = next((line for line in stripped if line), b"")
        if _document(first) is None:
            with _open(path) as whole:
                payload = _document(whole.read())
            if payload is not None:  # one document over many lines
                try:
                    yield from split_payload(payload)
                except RecursionError as error:
                    raise InputError(f"{path} is nested too deeply") from error
                return
        for line in itertools.chain([first], stripped):
            if line:
                yield from split_line(line)


def parsed(line: bytes) -> Any:
    """Parse JSON; an integer of more than 64 bits may come as a float. Raises ValueError, RecursionError."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:  # NaN, a lone surrogate, deep nesting, or no JSON
        return json.loads(line)


def _document(text: bytes) -> Any:
    """Parse JSON; return None for null, for invalid JSON and for JSON that is nested too deeply."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def split_line(line: bytes) -> Iterator[bytes]:
    """Yield the single tweets of a line, or the line as it stands."""
    try:
        if _holds_tweets(parsed(line)):
            yield from list(split_payload(json.loads(line)))  # with every integer as it was written
            return
    except (ValueError, RecursionError):
        pass
    yield line + b"\n"


def _holds_tweets(payload: Any) -> bool:
    return isinstance(payload, list) or (isinstance(payload, dict) and isinstance(payload.get("data"), list))


def split_payload(payload: Any) -> Iterator[bytes]:
    """Yield single tweets of an X API v2 payload (each with its author), a list of records, or one flat record."""
    if isinstance(payload, list):
        for each in payload:
            yield from split_payload(each)
    elif isinstance(payload, dict) and isinstance(payload.get("data"), list):
        authors = authors_of(payload)
        for tweet in payload["data"]:
            author_id = tweet.get("author_id") if isinstance(tweet, dict) else None
            author = authors.get(author_id) if isinstance(author_id, str | int) else None
            yield line_of({"data": tweet, **({"includes": {"users": [author]}} if author else {})})
    else:
        yield line_of(payload)


def authors_of(payload: dict[str, Any]) -> dict[str | int, dict[str, Any]]:
    """Return the users beside an X API v2 payload's tweets, by id."""
    includes = payload.get("includes")
    users = includes.get("users") if isinstance(includes, dict) else None
    found = users if isinstance(users, list) else []
    return {user["id"]: user for user in found if isinstance(user, dict) and isinstance(user.get("id"), str | int)}
