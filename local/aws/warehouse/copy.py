"""COPY from S3: its text to a value, and files to rows of text with a reason for each line that can't be one.

docs.aws.amazon.com/redshift/latest/dg/r_COPY.html. (sqlglot pairs COPY's options wrongly, so they are read here.)
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
from isal import igzip
from isal.igzip_lib import IsalError
from sqlglot import tokenize
from sqlglot.tokenizer_core import Token, TokenType

from local.aws.warehouse.errors import UnsupportedError, WarehouseError

_VALUED = {
    "TIMEFORMAT",
    "DATEFORMAT",
    "REGION",
    "IAM_ROLE",
    "CREDENTIALS",
    "DELIMITER",
    "QUOTE",
    "NULL",
    "IGNOREHEADER",
}
_MAYBE_VALUED = {"ACCEPTINVCHARS", "COMPUPDATE", "STATUPDATE", "MAXERROR", "ENCODING"}
_PLAIN = {
    "MANIFEST",
    "GZIP",
    "TRUNCATECOLUMNS",
    "BLANKSASNULL",
    "EMPTYASNULL",
    "ACCEPTANYDATE",
    "IGNOREBLANKLINES",
    "EXPLICIT_IDS",
    "NOLOAD",
}
_FORMATS = {"JSON", "CSV", "AVRO", "ORC", "PARQUET", "FIXEDWIDTH", "SHAPEFILE"}


@dataclass(frozen=True)
class Copy:
    """A COPY statement. `options` in upper case; True for one without a value."""

    table: str
    columns: tuple[str, ...]
    source: str
    format: str = "DELIMITED"
    json: str = "auto"  # or "auto ignorecase", or the S3 URL of a jsonpaths file
    options: Mapping[str, Any] = field(default_factory=dict)


def parse(sql: str) -> Copy:
    """Parse a COPY. Raises WarehouseError with a syntax error, UnsupportedError."""
    tokens = tokenize(sql.strip().rstrip(";"), read="redshift")
    at = next((n for n, token in enumerate(tokens) if token.text.upper() == "FROM"), 0)
    if not at or at + 1 >= len(tokens):
        raise WarehouseError("ERROR: syntax error: COPY table [(columns)] FROM 's3://…' …")
    head = tokens[1:at]
    opening = next((n for n, token in enumerate(head) if token.token_type == TokenType.L_PAREN), len(head))
    columns = tuple(token.text.lower() for token in head[opening:] if token.text not in "(),")
    table, source = "".join(token.text for token in head[:opening]), tokens[at + 1].text
    if not source.startswith("s3://"):
        raise UnsupportedError(f"ERROR: the local warehouse copies from s3:// alone, not from {source}")
    kind, json_from, options = _options(tokens[at + 2 :])
    if kind not in ("JSON", "CSV", "DELIMITED"):
        raise UnsupportedError(f"ERROR: the local warehouse does not do COPY … {kind}")
    if json_from not in ("auto", "auto ignorecase") and not json_from.startswith("s3://"):
        raise UnsupportedError(f"ERROR: the local warehouse does not do COPY … JSON '{json_from}'")
    return Copy(table.lower().replace("#", "temporary_"), columns, source, kind, json_from, options)


def _options(tokens: Sequence[Token]) -> tuple[str, str, dict[str, Any]]:
    kind, json_from = "DELIMITED", "auto"
    options: dict[str, Any] = {}
    left = list(tokens)
    while left:
        word = left.pop(0).text.upper()
        if word in ("WITH", "AS", "FORMAT"):
            continue
        if word in _FORMATS:
            kind = word
            if left and left[0].text.upper() == "AS":
                left.pop(0)
            if word == "JSON" and left and left[0].token_type == TokenType.STRING:
                json_from = left.pop(0).text
        elif word in _VALUED or word in _MAYBE_VALUED:
            if left and left[0].text.upper() == "AS":
                left.pop(0)
            options[word] = left.pop(0).text if left and _is_value(left[0], word) else True
        elif word in _PLAIN:
            options[word] = True
        else:
            raise UnsupportedError(f"ERROR: the local warehouse knows no option {word} of COPY")
    return kind, json_from, options


def _is_value(token: Token, option: str) -> bool:
    if token.token_type in (TokenType.STRING, TokenType.NUMBER):
        return True
    return token.text.upper() in {"ON", "OFF", "TRUE", "FALSE", "PRESET", "DEFAULT"} and option not in ("NULL",)


# ------------------------------------------------------------------ from S3

Read = Callable[[str, str], bytes]
ListKeys = Callable[[str, str], list[str]]


def files(copy: Copy, read: Read, list_keys: ListKeys) -> Iterator[tuple[str, bytes]]:
    """(URL, content) of each object that a COPY names. Raises WarehouseError in the words of Redshift."""
    bucket, key = located(copy.source)
    if copy.options.get("MANIFEST"):
        try:
            entries = json.loads(_object(read, copy.source))["entries"]
            named = [(str(entry["url"]), bool(entry.get("mandatory"))) for entry in entries]
        except (ValueError, KeyError, TypeError) as error:
            raise WarehouseError(f"ERROR: The manifest {copy.source} is not one: {error}") from error
    else:
        named = [(f"s3://{bucket}/{found}", True) for found in list_keys(bucket, key)]
        if not named:
            raise WarehouseError(f"ERROR: The specified S3 prefix '{key}' does not exist")
    for url, mandatory in named:
        try:
            content = _object(read, url)
        except WarehouseError:
            if mandatory:
                raise
            continue
        if copy.options.get("GZIP"):
            try:
                content = igzip.decompress(content)  # type: ignore[no-untyped-call]
            except (OSError, EOFError, IsalError) as error:  # type: ignore[misc]  # its stub calls the class an instance
                raise WarehouseError(f"ERROR: {url} can't be decompressed: {error}") from error
        yield url, content


def _object(read: Read, url: str) -> bytes:
    try:
        return read(*located(url))
    except Exception as error:
        said = "S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey"
        raise WarehouseError(f"ERROR: {said}, {url}") from error


def located(url: str) -> tuple[str, str]:
    """Bucket and key. Raises WarehouseError."""
    match = re.fullmatch(r"s3://([^/]+)/?(.*)", url, re.DOTALL)
    if not match:
        raise WarehouseError(f"ERROR: {url} is no S3 URL")
    return match[1], match[2]


# ------------------------------------------------------------------ to rows


class Target(NamedTuple):
    """A column of the table: DuckDB's type, and for text how many bytes it holds."""

    name: str
    type: str
    bytes: int | None


class BadLine(NamedTuple):
    """A line that can't be a row, as in STL_LOAD_ERRORS."""

    url: str
    line: int
    column: str
    raw: str
    reason: str


def rows(
    copy: Copy,
    targets: Sequence[Target],
    content: Sequence[tuple[str, bytes]],
    paths: Sequence[str],
    scratch: duckdb.DuckDBPyConnection,
    folder: Path,
) -> tuple[Path | None, list[BadLine]]:
    """Return (a Parquet file in `folder` of what can be loaded or None if that is nothing, what can't be loaded).

    `paths` are the jsonpaths, one a target, if there are any. Reads all files in one statement, and only where that
    fails looks for the lines that are to blame.
    """
    reader = _Reader(copy, targets, paths, scratch, folder)
    try:
        return reader.table([data for _, data in content]), []
    except duckdb.Error:
        good: list[bytes] = []
        bad: list[BadLine] = []
        for url, data in content:
            lines = _lines(copy, data)
            faults = dict(reader.faults(lines))
            bad += [
                BadLine(url, n + 1, column, lines[n].decode("utf-8", "replace")[:1024], reason)
                for n, (column, reason) in sorted(faults.items())
            ]
            good.append(b"\n".join(line for n, line in enumerate(lines) if n not in faults))
        headless = Copy(
            copy.table, copy.columns, copy.source, copy.format, copy.json, {**copy.options, "IGNOREHEADER": 0}
        )
        return _Reader(headless, targets, paths, scratch, folder).table(good), bad


def _lines(copy: Copy, data: bytes) -> list[bytes]:
    return data.splitlines()[int(copy.options.get("IGNOREHEADER", 0)) :] if copy.format != "JSON" else data.split(b"\n")


_FILES = itertools.count()  # DuckDB remembers files by name: none is used twice


class _Reader:
    def __init__(
        self,
        copy: Copy,
        targets: Sequence[Target],
        paths: Sequence[str],
        scratch: duckdb.DuckDBPyConnection,
        folder: Path,
    ) -> None:
        self.copy, self.targets, self.paths, self.scratch, self.folder = copy, targets, paths, scratch, folder
        self.nul = False  # whether some text may have one
        self.cuts = False  # whether texts that are too long are cut, not refused

    def table(self, content: Sequence[bytes]) -> Path | None:
        """Return a Parquet file of the rows, None if there are none. Raises duckdb.Error.

        Texts are cut only once one was too long: a statement that can cut each takes DuckDB twice as long to plan.
        """
        try:
            return self._table(content)
        except duckdb.Error as error:
            if self.cuts or not self.copy.options.get("TRUNCATECOLUMNS") or _TOO_LONG not in str(error):
                raise
            self.cuts = True
            return self._table(content)

    def _table(self, content: Sequence[bytes]) -> Path | None:
        replaced = self.copy.options.get("ACCEPTINVCHARS")
        self.nul = not replaced and any(map(_may_have_nul, content))
        names = [self._write(data) for data in content if data and not data.isspace()]
        if not names:
            return None
        cells = ", ".join(f"{self._cell(n, target)} AS c{n}" for n, target in enumerate(self.targets))
        path = self.folder / f"{next(_FILES)}.parquet"
        rows = f"SELECT {cells} FROM {self._source(names)}"  # noqa: S608
        self.scratch.execute(f"COPY ({rows}) TO '{path}' (FORMAT parquet, COMPRESSION uncompressed)")
        return path

    def faults(self, lines: Sequence[bytes], start: int = 0) -> Iterator[tuple[int, tuple[str, str]]]:
        """(line from 0, (column, reason)) of the lines that can't be read, found by halving."""
        try:
            self.table([b"\n".join(lines)])
        except duckdb.Error as error:
            if len(lines) == 1:
                yield start, _blame(str(error))
                return
            half = len(lines) // 2
            yield from self.faults(lines[:half], start)
            yield from self.faults(lines[half:], start + half)

    def _write(self, data: bytes) -> str:
        if self.copy.options.get("ACCEPTINVCHARS"):
            data = _valid(data)
        if self.copy.json == "auto ignorecase":
            data = b"\n".join(map(_lower_keys, data.split(b"\n")))
        path = self.folder / f"{next(_FILES)}.txt"
        path.write_bytes(data if data.endswith(b"\n") else data + b"\n")  # a last line cut short is an error too
        return str(path)

    def _source(self, names: Sequence[str]) -> str:
        listed = "[" + ", ".join(f"'{name}'" for name in names) + "]"
        if self.copy.format == "JSON" and self.paths:
            return f"read_ndjson_objects({listed}, maximum_object_size=33554432)"
        if self.copy.format == "JSON":
            columns = ", ".join(f"'{t.name}': '{_as_read(t)}'" for t in self.targets)
            return f"read_ndjson({listed}, columns={{{columns}}}, records='true', maximum_object_size=33554432)"
        options = self.copy.options
        csv = self.copy.format == "CSV"
        delimiter = str(options.get("DELIMITER", "," if csv else "|")).replace("'", "''")
        quote = str(options.get("QUOTE", '"')).replace("'", "''") if csv else ""
        null = str(options.get("NULL", r"\N")).replace("'", "''")
        columns = ", ".join(f"'c{n}': 'VARCHAR'" for n in range(len(self.targets)))
        return (
            f"read_csv({listed}, columns={{{columns}}}, auto_detect=false, header=false, delim='{delimiter}', "
            f"quote='{quote}', escape='{quote}', nullstr='{null}', skip={int(options.get('IGNOREHEADER', 0))})"
        )

    def _cell(self, number: int, target: Target) -> str:
        if self.copy.format != "JSON":
            value = f"c{number}" if target.type != "JSON" else f"NULLIF(TRIM(c{number}), '')"
        elif self.paths:
            function = "json_extract" if target.type == "JSON" else "json_extract_string"
            value = f"{function}(json, '{_duckdb_path(self.paths[number])}')"
        else:
            value = f'"{target.name}"'
        if target.type == "JSON":
            return f"CAST({value} AS VARCHAR)"
        if target.type == "VARCHAR":
            return self._text(value, target)
        value = f"NULLIF({value}, '')" if self.copy.format == "JSON" else f"NULLIF(TRIM({value}), '')"
        # Nothing is NULL where the type isn't text, whatever the options are
        if target.type in _INTEGERS:
            said = f"[{target.name}] Invalid digit, Type: {'Long' if target.type == 'BIGINT' else 'Integer'}"
            return f"CASE WHEN contains({value}, '.') THEN error('{said}') ELSE CAST({value} AS {target.type}) END"
        if target.type.startswith("TIMESTAMP"):
            return _moment(value, str(self.copy.options.get("TIMEFORMAT", "auto")).lower(), target.type)
        return f"CAST({value} AS {target.type})"

    def _text(self, value: str, target: Target) -> str:
        if self.nul:
            value = (
                f"CASE WHEN contains({value}, chr(0)) THEN error('[{target.name}] Invalid null byte') ELSE {value} END"
            )
        if self.copy.format == "JSON" and isinstance(null := self.copy.options.get("NULL"), str):
            escaped = null.replace("'", "''")
            value = f"NULLIF({value}, '{escaped}')"
        if self.copy.options.get("EMPTYASNULL"):
            value = f"NULLIF({value}, '')"
        if self.copy.options.get("BLANKSASNULL"):
            value = f"CASE WHEN TRIM({value}) = '' THEN NULL ELSE {value} END"
        if not target.bytes:
            return value
        if not self.cuts:
            said = f"[{target.name}] {_TOO_LONG}"
            return f"CASE WHEN STRLEN({value}) > {target.bytes} THEN error('{said}') ELSE {value} END"
        cut = f"decode(unhex(regexp_replace(left(hex({value}), {2 * target.bytes}), '{_CUT_CHARACTER}', '')))"
        return f"CASE WHEN STRLEN({value}) > {target.bytes} THEN {cut} ELSE {value} END"


def _as_read(target: Target) -> str:
    return "JSON" if target.type == "JSON" else "VARCHAR"


def _moment(value: str, form: str, kind: str) -> str:
    if form == "epochsecs":
        return f"make_timestamp(CAST(CAST({value} AS DOUBLE) * 1000000 AS BIGINT))"
    if form == "epochmillisecs":
        return f"make_timestamp(CAST(CAST({value} AS DOUBLE) * 1000 AS BIGINT))"
    return f"CAST({value} AS {kind})"


_CUT_CHARACTER = "(?:[CD].|E.(?:[89AB].)?|F.(?:[89AB].){0,2})$"
"""The first bytes of a UTF-8 character, at the end of a text in hexadecimal, without its last ones."""

_TOO_LONG = "String length exceeds DDL length"
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000|\0")
"""NUL in JSON or as it is; after an odd number of backslashes only: two are one backslash in a text about `u0000`."""


def _may_have_nul(data: bytes) -> bool:
    return b"\0" in data or b"\\u0000" in data


def _lower_keys(line: bytes) -> bytes:
    """Return a JSON object with its own keys in lower case; what is none stays, to be refused where it is read."""
    try:
        found = json.loads(line)
        return json.dumps({key.lower(): value for key, value in found.items()}).encode()
    except (ValueError, AttributeError):
        return line


def _valid(data: bytes) -> bytes:
    """ACCEPTINVCHARS: a question mark for each byte that isn't UTF-8, and for NUL."""
    try:
        data.decode()
    except UnicodeDecodeError:
        data = data.decode("utf-8", "replace").replace("\ufffd", "?").encode()
    return _NUL.sub(rb"\1?", data) if _may_have_nul(data) else data


def _duckdb_path(path: str) -> str:
    """`$['a'][0]['b']` and `$.a[0].b` as DuckDB writes them."""
    return re.sub(r"\[['\"]([^'\"]+)['\"]\]", r'."\1"', path).replace("'", "''")


def jsonpaths(text: bytes, columns: int) -> list[str]:
    """Return the paths in a jsonpaths file. Raises WarehouseError."""
    try:
        paths = [str(path) for path in json.loads(text)["jsonpaths"]]
    except (ValueError, KeyError, TypeError) as error:
        raise WarehouseError(f"ERROR: The jsonpaths file is not one: {error}") from error
    if len(paths) != columns:
        said = "Number of jsonpaths and the number of columns should match."
        raise WarehouseError(
            f"ERROR: {said} JSONPath size: {len(paths)}, Number of columns in table or column list: {columns}"
        )
    return paths


def _blame(message: str) -> tuple[str, str]:
    """(column, reason) from DuckDB's message."""
    first = message.splitlines()[0]
    if match := re.search(r"\[(\w+)\] (\w.*)", first):
        return match[1], match[2]
    if "Malformed JSON" in first:
        return "", "Invalid JSON"
    if match := re.search(r"JSON transform error in file .* in line \d+: (.*)", first):
        return "", f"Invalid JSON: {match[1]}"
    reason, _, column = first.partition(" when casting from source column ")
    return column, reason.partition(": ")[2] or reason
