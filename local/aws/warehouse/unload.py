"""UNLOAD to S3: its text to what is asked and where the answer goes, and the answer as a Parquet file.

docs.aws.amazon.com/redshift/latest/dg/r_UNLOAD.html. Of the formats there is Parquet alone, and of files one, as of a
warehouse with one slice.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import duckdb
from sqlglot import tokenize
from sqlglot.tokenizer_core import TokenType

from local.aws.warehouse.copy import ListKeys, located
from local.aws.warehouse.dialect import bare, read
from local.aws.warehouse.errors import UnsupportedError, WarehouseError

Put = Callable[[str, str, bytes], None]
"""Stores an object: bucket, key, content."""

SYNTAX = "ERROR: syntax error: UNLOAD ('SELECT …') TO 's3://…' IAM_ROLE '…' [options]"
NOT_WITH_PARQUET = {"DELIMITER", "FIXEDWIDTH", "ADDQUOTES", "ESCAPE", "NULL", "HEADER", "GZIP", "BZIP2", "ZSTD"}


class Unload(NamedTuple):
    """An UNLOAD statement. `parallel`: each slice writes files of its own."""

    query: str
    bucket: str
    prefix: str
    overwrites: bool = False
    parallel: bool = True

    @property
    def key(self) -> str:
        """Return the key of its one file."""
        return f"{self.prefix}{'0000_part_00' if self.parallel else '000'}.parquet"


def is_unload(sql: str) -> bool:
    """Return whether a statement is an UNLOAD."""
    return bare(sql)[:6].upper() == "UNLOAD"


def parse(sql: str) -> Unload:
    """Parse an UNLOAD. Raises WarehouseError with a syntax error, UnsupportedError."""
    tokens = tokenize(bare(sql)[len("UNLOAD") :], read="redshift")  # which takes it as one piece with its first word
    words = [token.text.upper() for token in tokens]
    texts = [token.token_type in (TokenType.STRING, TokenType.HEREDOC_STRING) for token in tokens]
    if [words[at : at + 1] for at in (0, 2, 3, 5)] != [["("], [")"], ["TO"], ["IAM_ROLE"]]:
        raise WarehouseError(SYNTAX)
    if len(tokens) < 7 or not (texts[1] and texts[4] and (texts[6] or words[6] == "DEFAULT")):
        raise WarehouseError(SYNTAX)
    query, to = tokens[1].text, tokens[4].text
    if read(query).args.get("limit"):
        raise WarehouseError("ERROR: Limit clause is not supported in the outer SELECT of UNLOAD")
    options = _options(words[7:])
    if "PARQUET" not in options:
        raise UnsupportedError("ERROR: the local warehouse does no UNLOAD but FORMAT PARQUET")
    if wrong := NOT_WITH_PARQUET & options.keys():
        raise WarehouseError(f"ERROR: {min(wrong)} is not supported for UNLOAD to PARQUET")
    return Unload(query, *located(to), "ALLOWOVERWRITE" in options, options.get("PARALLEL") not in ("OFF", "FALSE"))


def _options(words: Sequence[str]) -> dict[str, str]:
    """Return the options, each with its value or nothing."""
    found: dict[str, str] = {}
    left = list(words)
    while left:
        word = left.pop(0)
        if word in ("FORMAT", "AS"):
            continue
        if word not in {"PARQUET", "ALLOWOVERWRITE", "PARALLEL", *NOT_WITH_PARQUET}:
            raise UnsupportedError(f"ERROR: the local warehouse knows no option {word} of UNLOAD")
        valued = word == "PARALLEL" and left and left[0] in ("ON", "TRUE", "OFF", "FALSE")
        found[word] = left.pop(0) if valued else ""
    return found


def run(unload: Unload, select: str, cursor: duckdb.DuckDBPyConnection, list_keys: ListKeys, put: Put) -> int:
    """Write the answer of a SELECT in DuckDB's SQL; return how many rows it has. Raises WarehouseError.

    It may not lie under the prefix of what is there already, unless that may be overwritten.
    """
    if not unload.overwrites and list_keys(unload.bucket, unload.prefix):
        raise WarehouseError(
            "ERROR: Specified unload destination on S3 is not empty. Consider using a different bucket / prefix, "
            "manually removing the target files in S3, or using the ALLOWOVERWRITE option."
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "answer.parquet")
        done = cursor.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet)").fetchone()
        try:
            put(unload.bucket, unload.key, path.read_bytes())
        except Exception as error:
            said = "S3ServiceException:The specified bucket does not exist,Status 404,Error NoSuchBucket"
            raise WarehouseError(f"ERROR: {said}, s3://{unload.bucket}/{unload.key}") from error
    return int(done[0]) if done else 0
