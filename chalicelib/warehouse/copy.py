"""Build COPY statements. COPY takes no parameters, so the form of each value is checked.

Loading that doesn't hurt Redshift, and where each rule is kept:

* One COPY of many files at a time: several into one table run one after the other all the same, and leave it unsorted.
  Firehose has one under way a stream; the reconciler holds a lock, and loads a batch of files by one manifest.
* Files of 1 MB to 1 GB compressed, best up to 125 MB, as many as slices or a multiple. Firehose gathers 64 MB (before
  compression) or BufferSeconds, whichever comes first; what it failed at is loaded from the smaller tweet files, many
  by one manifest, which keeps all slices busy.
* By manifest, never by prefix: exactly the files meant, and an error rather than a gap where one is missing.
* In the order of the sort key: arrival, which is how files come.
* No analysis for compression: the last of OPTIONS. STATUPDATE is left out: only the table's owner may set it.

docs.aws.amazon.com/redshift/latest/dg/c_loading-data-best-practices.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence

OPTIONS = (
    "FORMAT JSON 'auto' "  # keys are the columns' names; nested ones go into SUPER whole
    "GZIP "
    "TIMEFORMAT 'auto' "  # YYYY-MM-DD HH:MM:SS.mmm
    "TRUNCATECOLUMNS "  # the transform cuts and marks what is too long; should it err, one text is cut, not a load lost
    "ACCEPTINVCHARS "  # likewise: a bad character becomes ?, the batch around it lands
    "COMPUPDATE OFF"  # encodings are chosen in the migrations: no sampling while loading
)
"""How every COPY reads tweet files: Firehose's CopyOptions and the reconciler's are these.

docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-load.html says what each does, and that only the table's
owner or a superuser may set STATUPDATE: those who load here are neither. COMPUPDATE is for empty tables.
"""

URL = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[\w!.*()/=+,:@-]{1,900}", re.ASCII)
ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,512}", re.ASCII)
NAME = re.compile(r"[a-z_][a-z0-9_]{0,126}")


class UnsafeLiteralError(ValueError):
    """A value that has no place in a COPY."""


def statement(
    url: str, role_arn: str, table: str, columns: Sequence[str], *, manifest: bool = True, options: str = OPTIONS
) -> str:
    """Return the COPY of what `url` names (a manifest, or with `manifest=False` a prefix) into `table` (may be
    qualified).

    Raises UnsafeLiteralError if a value isn't plainly an S3 URL, a role's ARN or an identifier. `options` are ours,
    never input.
    """
    names = ", ".join(_checked(NAME, column, "a column") for column in columns)
    into = ".".join(_checked(NAME, part, "a table") for part in table.split("."))
    source, role = _checked(URL, url, "an S3 URL"), _checked(ROLE, role_arn, "a role's ARN")
    return f"COPY {into} ({names}) FROM '{source}' IAM_ROLE '{role}' {'MANIFEST ' if manifest else ''}{options}"


def _checked(form: re.Pattern[str], value: str, what: str) -> str:
    if not form.fullmatch(value):
        raise UnsafeLiteralError(f"{value!r} can't be {what} in a COPY")
    return value
