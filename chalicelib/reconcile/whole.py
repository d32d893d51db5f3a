"""Whether a file's rows are its lines 1 to n, each once, told from sums: each slice adds up its own rows.

COUNT(DISTINCT s3_line) would send every row, by file and line, from where it lies to where its file's are counted.
Count, least, greatest, sum and sum of squares tell the same, but for one case: three or more lines lost and as many
doubled, with the same sum and the same sum of squares (such sets need three members at least: Prouhet, Tarry and
Escott). Where these differ, distinct lines are counted.
"""

from __future__ import annotations

MOST_LINES = 1_000_000
"""Lines up to which the sums fit a BIGINT. A transform's answer has 6 MB, so a file has fewer."""

SUMS = """COUNT(s3_line) AS found_rows, MIN(s3_line) AS first_line, MAX(s3_line) AS last_line,
        SUM(CAST(s3_line AS BIGINT)) AS sum_of_lines, SUM(CAST(s3_line AS BIGINT) * s3_line) AS sum_of_squares"""
"""Of the rows of a file."""


def whole(expected: str) -> str:
    """Return the SQL condition that SUMS are those of `expected` lines, an integer. Null where nothing was found."""
    n = f"CAST(LEAST({expected}, {MOST_LINES}) AS BIGINT)"
    return (
        f"(found_rows = {expected} AND {expected} <= {MOST_LINES} AND first_line = 1 AND last_line = {expected}"
        f" AND sum_of_lines = {n} * ({n} + 1) / 2 AND sum_of_squares = {n} * ({n} + 1) * (2 * {n} + 1) / 6)"
    )
