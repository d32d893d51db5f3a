"""Apply the migrations, `sql/migrations/NNNN_name.sql`, in order, each once and in a transaction.

A transaction ends by recording its migration in `disaster.migration`, so it can't be recorded without having been
applied, nor the reverse. A migration is never changed once it has been applied anywhere: the next one changes things.

What Redshift runs in no transaction (ALONE) is a migration of its own, one statement: it runs first, by itself, and
is recorded afterwards. If that is interrupted it runs again, so doing it twice must do no harm.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from chalicelib import jobs
from chalicelib.settings import settings
from chalicelib.warehouse import data_api
from chalicelib.warehouse.statements import sections

FOLDER = Path(__file__).parents[2] / "sql" / "migrations"
"""At the root of the repository, and of the bundle."""

SQL = sections("warehouse/migrations")
FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]{1,100})\.sql")
CREATE_ROLE = re.compile(r"CREATE\s+ROLE\s+(\w+)", re.IGNORECASE)
ALONE = re.compile(r"ALTER\s+TABLE\s+\S+\s+ALTER\s+COLUMN\s+\S+\s+(?:TYPE|ENCODE)\b|VACUUM\b", re.IGNORECASE)
"""docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE.html, r_VACUUM_command.html"""
DONE_ALREADY = "target column size should be different"
"""What Redshift says where a column has the size already: github.com/snowplow-incubator/snowplow-rdb-loader"""
ENCODED = re.compile(r"ALTER\s+COLUMN\s+(\w+)\s+ENCODE\s+(\w+)", re.IGNORECASE)
ATTEMPTS = 3  # at a migration whose statement the Data API has lost


class MigrationError(Exception):
    """The migrations can't be applied as they are; the message says what to do."""


@dataclass(frozen=True)
class Migration:
    """One file."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text in hex; how the checkout ends lines makes no difference."""
        return hashlib.sha256("\n".join(self.sql.splitlines()).encode()).hexdigest()

    def __str__(self) -> str:
        return f"{self.version:04}_{self.name}"


@dataclass(frozen=True)
class Applied:
    """One row of `disaster.migration`. `applied_at` in UTC."""

    version: int
    name: str
    checksum: str
    applied_at: datetime

    def __str__(self) -> str:
        return f"{self.version:04}_{self.name}"


@dataclass(frozen=True)
class Transaction:
    """What applies one migration: statements for `data_api.run`, and their parameters."""

    statements: tuple[str, ...]
    parameters: Mapping[str, str]
    alone: str = ""  # to be run before, by itself


def read(folder: Path = FOLDER) -> list[Migration]:
    """Read the migrations in order. Raises MigrationError unless they are numbered 1, 2, 3, ..."""
    migrations = []
    for path in sorted(folder.glob("*.sql")):
        match = FILE_NAME.fullmatch(path.name)
        if not match:
            raise MigrationError(f"{path.name} is not a migration file name; expected NNNN_name.sql")
        migrations.append(Migration(int(match[1]), match[2], path.read_text(encoding="utf-8")))
    numbers = [migration.version for migration in migrations]
    if not migrations or numbers != list(range(1, len(migrations) + 1)):
        raise MigrationError(f"Migrations in {folder} must be numbered 1, 2, 3, ..., but are {numbers}")
    return migrations


def plan(migrations: Sequence[Migration], applied: Sequence[Applied]) -> list[Migration]:
    """Return the pending migrations, in order. What a newer version of this app has applied beyond that is left alone.

    Raises MigrationError if an applied migration was changed, renamed or removed since, or one before it is missing.
    """
    files = {migration.version: migration for migration in migrations}
    last = max(files, default=0)
    for row in applied:
        file = files.get(row.version)
        if row.version <= last and (file is None or file.checksum != row.checksum):
            what = f"{'removed' if file is None else 'changed'} after it was applied on {row.applied_at:%Y-%m-%d %H:%M}"
            raise MigrationError(
                f"Migration {row} was {what}. Restore the file, and put the change into a new migration"
            )
    done = {row.version for row in applied}
    pending = [migration for migration in migrations if migration.version not in done]
    if pending and done and pending[0].version < max(done):
        newest = max(applied, key=lambda row: row.version)
        raise MigrationError(
            f"Migration {pending[0]} is pending, but the later {newest} was applied: give it the next number"
        )
    return pending


def transaction(migration: Migration, roles: Collection[str] = ()) -> Transaction:
    """Return the transaction that applies a migration, once. `roles` exist already.

    CREATE ROLE knows no IF NOT EXISTS, and a role belongs to the namespace, so it outlives schema and database: one
    that is there is not made again. Raises MigrationError if it wouldn't fit the Data API's limits.
    """
    own = [sql for sql in statements(migration.sql) if not ((m := CREATE_ROLE.match(sql)) and m[1].lower() in roles)]
    alone = next((sql for sql in own if ALONE.match(sql)), "")
    if alone and len(own) > 1:
        raise MigrationError(
            f"Migration {migration}: {alone[:60]} runs in no transaction, so it needs a file of its own"
        )
    if alone:
        own = []
    # The first makes the table that these look at.
    before = [] if migration.version == 1 else [SQL["lock"], SQL["guard"]]
    every = (*before, *own, SQL["record"])
    if len(every) > data_api.MOST_STATEMENTS:
        most = data_api.MOST_STATEMENTS - len(before) - 1
        raise MigrationError(f"Migration {migration} has {len(own)} statements, more than {most}: split it into two")
    for sql in (*own, alone):
        if len(sql.encode()) > data_api.MOST_BYTES:
            raise MigrationError(f"Migration {migration}: a statement has over {data_api.MOST_BYTES} bytes: {sql[:60]}")
    parameters = {"version": str(migration.version), "name": migration.name, "checksum": migration.checksum}
    return Transaction(every, parameters, alone)


def apply(migrations: Sequence[Migration], patience: float = data_api.PATIENCE) -> list[Migration]:
    """Apply the pending migrations and return them; somebody else may be doing the same. `patience` in seconds for all.

    Raises MigrationError as `plan` and `transaction`, or with Redshift's message; StillRunningError.
    """
    deadline = time.monotonic() + patience
    done: list[Migration] = []
    lost = 0
    while pending := plan(migrations, applied(deadline - time.monotonic())):
        migration = pending[0]
        jobs.progress("migrations applied", len(migrations) - len(pending), len(migrations))
        planned = transaction(migration, existing_roles(migration, deadline - time.monotonic()))
        try:
            if planned.alone:
                _run_alone(planned.alone, deadline - time.monotonic())
            data_api.run(planned.statements, planned.parameters, patience=deadline - time.monotonic())
            done.append(migration)
        except data_api.StillRunningError:
            raise
        except data_api.StatementLostError:
            # It may have run or not, or may yet: the record tells, and the guard keeps it from running twice.
            lost += 1
            if lost == ATTEMPTS:
                raise
        except data_api.WarehouseError as error:
            if migration.version not in {row.version for row in applied(deadline - time.monotonic())}:
                raise MigrationError(f"Migration {migration}: {error}") from error
    return done


def _run_alone(sql: str, patience: float) -> None:
    """Run a statement outside of a transaction; that it was done before is no error."""
    if ENCODED.search(sql):
        table = sql.split()[2]
        given = {"database": settings().database, "table": table.rpartition(".")[2]}
        columns = data_api.query(SQL["encodings"], given, patience=patience)
        sql = encodings_left(sql, {row["column_name"]: row["encoding"] for row in columns})
    if not sql:
        return
    try:
        data_api.execute(sql, patience=patience)
    except data_api.WarehouseError as error:
        if DONE_ALREADY not in str(error):
            raise


def encodings_left(sql: str, encodings: Mapping[str, str]) -> str:
    """Return an ALTER TABLE without the encodings that the columns have already, for Redshift refuses those; empty
    where nothing is left. docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE.html
    """
    left = [(name, kind) for name, kind in ENCODED.findall(sql) if encodings.get(name, "").lower() != kind.lower()]
    actions = ", ".join(f"ALTER COLUMN {name} ENCODE {kind}" for name, kind in left)
    return f"ALTER TABLE {sql.split()[2]} {actions}" if left else ""


def applied(patience: float = data_api.PATIENCE) -> list[Applied]:
    """Return what the warehouse says was applied, in order; nothing where it was never set up."""
    if "migration" not in tables(patience):
        return []
    return [Applied(**row) for row in data_api.query(SQL["applied"], patience=patience)]


def tables(patience: float = data_api.PATIENCE) -> list[str]:
    """Return the names of the tables that the schema has."""
    return [row["name"] for row in data_api.query(SQL["tables"], patience=patience)]


def existing_roles(migration: Migration, patience: float) -> set[str]:
    """Return the database's roles, asked for only where the migration makes any."""
    if not CREATE_ROLE.search(migration.sql):
        return set()
    return {row["role_name"] for row in data_api.query(SQL["roles"], patience=patience)}


TOKEN = re.compile(
    r"""
    (?P<comment> --[^\n]* )
    | (?P<block> /\* )
    | (?P<end> ; )
    | '(?: [^'\\] | '' | \\. )*'        # backslashes escape in Redshift's strings
    | "(?: [^"] | "" )*"
    | (?P<dollar> \$\w*\$ ) .*? (?P=dollar)  # the body of a procedure
    | (?P<open> ['"] )                   # of one that isn't closed
    | [^-/;'"$]+ | .
    """,
    re.VERBOSE | re.DOTALL,
)


def statements(sql: str) -> list[str]:
    """Return the statements of a script, without comments (the Data API would look for :parameters in them).

    Semicolons within strings, quoted names, comments and $$ bodies end nothing. Raises MigrationError for a string or
    comment that is not closed.
    """
    parts = ("".join(statement).strip() for statement in _split(sql))
    return [statement for statement in parts if statement]


def _split(sql: str) -> Iterator[list[str]]:
    statement: list[str] = []
    at = 0
    while token := TOKEN.match(sql, at):
        at = token.end()
        if token["open"]:
            raise MigrationError(f"A quote is not closed: {sql[token.start() :][:40]!r}")
        if token["block"]:
            at = _comment_end(sql, token.start())
            statement.append(" ")
        elif token["end"]:
            yield statement
            statement = []
        elif not token["comment"]:
            statement.append(token[0])
    yield statement


def _comment_end(sql: str, start: int) -> int:
    """Return where the comment ends that begins at `start`; comments nest."""
    depth = 0
    for mark in re.compile(r"/\*|\*/").finditer(sql, start):
        depth += 1 if mark[0] == "/*" else -1
        if not depth:
            return mark.end()
    raise MigrationError(f"A comment is not closed: {sql[start:][:40]!r}")
