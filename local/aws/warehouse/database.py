"""Run transactions on a DuckDB file, with snapshots, COPY and UNLOAD."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import duckdb

from local.aws.faults import Faults
from local.aws.warehouse import copy as copying
from local.aws.warehouse import locks, rights, strict
from local.aws.warehouse import unload as unloading
from local.aws.warehouse.dialect import Like, Translation, Widths, bare, is_copy, read, translate
from local.aws.warehouse.errors import WarehouseError, in_words_of_redshift
from local.aws.warehouse.temporary import KEEPS, TemporaryTables

SYSTEM = """
CREATE SCHEMA IF NOT EXISTS public;
-- What DuckDB has no function for. An iteration over a value that is no array meets that value once.
CREATE OR REPLACE MACRO main.super_elements(x) AS CASE
    WHEN x IS NULL OR json_type(x) = 'NULL' THEN CAST([] AS JSON[])
    WHEN json_type(x) = 'ARRAY' THEN CAST(x AS JSON[])
    ELSE [x]
END;
CREATE OR REPLACE MACRO main.json_typeof(x) AS CASE json_type(x)
    WHEN 'ARRAY' THEN 'array' WHEN 'OBJECT' THEN 'object' WHEN 'VARCHAR' THEN 'string' WHEN 'BOOLEAN' THEN 'boolean'
    WHEN 'NULL' THEN 'null' ELSE CASE WHEN x IS NOT NULL THEN 'number' END
END;
CREATE OR REPLACE MACRO main.json_extract_array_element_text(x, n) AS json_extract_string(x, '$[' || n || ']');
CREATE OR REPLACE MACRO main.redshift_trunc
    (x TIMESTAMP) AS CAST(x AS DATE), (x DATE) AS x, (x BIGINT) AS x,
    (x DECIMAL(38, 9)) AS trunc(x), (x DOUBLE) AS trunc(x);
CREATE TABLE IF NOT EXISTS main.local_roles (role_name VARCHAR);
CREATE OR REPLACE VIEW main.svv_roles AS SELECT role_name, '' AS role_owner FROM main.local_roles;
CREATE TABLE IF NOT EXISTS main.local_encodings (table_name VARCHAR, column_name VARCHAR, encoding VARCHAR);
CREATE OR REPLACE VIEW main.svv_redshift_columns AS
SELECT
    'tweets' AS database_name, c.schema_name, c.table_name, c.column_name, c.column_index AS ordinal_position,
    c.data_type, c.column_default, CASE WHEN c.is_nullable THEN 'YES' ELSE 'NO' END AS is_nullable,
    COALESCE(e.encoding, 'none') AS encoding
FROM duckdb_columns() AS c
LEFT JOIN main.local_encodings AS e
    ON e.table_name = c.schema_name || '.' || c.table_name AND e.column_name = c.column_name
WHERE c.schema_name <> 'main' AND NOT c.internal;
CREATE TABLE IF NOT EXISTS main.stl_load_errors (
    starttime TIMESTAMP, filename VARCHAR, line_number BIGINT, colname VARCHAR, raw_line VARCHAR, err_reason VARCHAR
);
CREATE OR REPLACE VIEW main.sys_load_error_detail AS
SELECT starttime AS start_time, filename AS file_name, line_number, colname AS column_name, err_reason AS error_message
FROM main.stl_load_errors;
CREATE OR REPLACE VIEW main.stv_db_isolation_level AS
SELECT 'tweets' AS db_name, 'Snapshot Isolation' AS isolation_level;
CREATE OR REPLACE VIEW main.svv_tables AS
SELECT table_catalog, table_schema, table_name, table_type FROM information_schema.tables;
"""


class Column(NamedTuple):
    """A column of a result: its name and DuckDB's type."""

    name: str
    type: str


class Result(NamedTuple):
    """What a statement gave: rows and their columns, or how many rows it changed (-1 where that means nothing)."""

    changed: int
    columns: list[Column] | None = None
    rows: list[tuple[Any, ...]] | None = None


class Warehouse:
    """One database under snapshot isolation, Redshift's default; `locks` says who waits for whom."""

    def __init__(
        self, path: Path, read: copying.Read, list_keys: copying.ListKeys, put: unloading.Put, faults: Faults
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = duckdb.connect(str(path))
        self._read, self._list_keys, self._put, self._faults = read, list_keys, put, faults
        self.locks = locks.Locks()
        self._views: dict[str, frozenset[str]] | None = None
        self._connection.execute("SET GLOBAL integer_division = true")
        self._connection.execute("SET GLOBAL TimeZone = 'UTC'")
        self._connection.execute("SET GLOBAL preserve_insertion_order = false")
        self._connection.execute(SYSTEM + rights.SYSTEM)
        self.standing: list[str] = []
        """Grants that are given as soon as what they name is there, and given again after whatever makes it anew."""

    def close(self) -> None:
        """Wait for the transactions under way, then write everything into the file."""
        self.locks.wait_for_all()
        self._connection.close()

    def execute(self, sql: str, user: str | None = None) -> int:
        """Run one statement in a transaction of its own; return how many rows it loaded or changed.

        Raises WarehouseError. `user` is None for the administrator.
        """
        with self.session(user) as session:
            return session.run([sql], alone=True)[-1].changed

    @contextmanager
    def session(self, user: str | None = None) -> Iterator[Session]:
        """Open a connection; temporary tables live as long as it does. `user` is None for the administrator."""
        cursor = self._connection.cursor()
        try:
            cursor.execute("SET search_path = 'public,main'")
            yield Session(self, cursor, user)
        finally:
            cursor.close()

    def log_in(self, user: str, password: str) -> None:
        """Raise WarehouseError, in PostgreSQL 8.0's words (libpq/auth.c), where that is not the user's password."""
        found = self.ask("SELECT password FROM main.local_users WHERE usename = $user", {"user": user})
        if not found or not rights.fits(user, password, found[0][0]):
            raise WarehouseError(f'FATAL: password authentication failed for user "{user}"')

    def adopt(self, schema: str, owner: str) -> None:
        """Make what is in a schema and has no owner somebody's."""
        with self._catalog():
            self._connection.execute(ADOPT_TABLES, [owner, schema])
            self._connection.execute(ADOPT_SCHEMA, [owner, schema])

    def give_standing(self) -> None:
        """Give the standing grants as far as what they name is there."""
        with self._catalog():
            give_standing(self._connection, self.standing)

    @contextmanager
    def _catalog(self) -> Iterator[None]:
        turn = locks.Turn()
        self.locks.take(turn, {locks.CATALOG: locks.Mode.CHANGE})
        try:
            yield
        finally:
            self.locks.end(turn, committed=True)

    def views(self) -> Mapping[str, frozenset[str]]:
        """Return the tables that each view reads."""
        if self._views is None:
            cursor = self._connection.cursor()
            try:
                self._views = locks.views(cursor)
            finally:
                cursor.close()
        return self._views

    def forget_views(self) -> None:
        """Read the views again at their next use."""
        self._views = None

    def ask(self, sql: str, values: Mapping[str, str]) -> list[tuple[Any, ...]]:
        """Run a SELECT in DuckDB's own SQL; return its rows."""
        cursor = self._connection.cursor()
        try:
            return cursor.execute(sql, dict(values)).fetchall()
        finally:
            cursor.close()

    def limits(self, schema: str, table: str) -> dict[str, int]:
        """Return the bytes that each text column of a table holds."""
        return dict(self.ask(LIMITS, {"schema": schema, "table": table}))

    def load(self, cursor: duckdb.DuckDBPyConnection, sql: str) -> int:
        """Run a COPY within the cursor's transaction; return how many rows it loaded. Raises WarehouseError."""
        copy = copying.parse(sql)
        targets = _targets(cursor, copy)
        paths: list[str] = []
        if copy.format == "JSON" and copy.json.startswith("s3://"):
            paths = copying.jsonpaths(self._read(*copying.located(copy.json)), len(targets))
        content = list(copying.files(copy, self._read, self._list_keys))
        with tempfile.TemporaryDirectory() as folder:
            scratch = self._connection.cursor()  # a line that can't be read must not end the cursor's transaction
            try:
                table, bad = copying.rows(copy, targets, content, paths, scratch, Path(folder))
            finally:
                scratch.close()
            if bad:
                self._log(bad)
                if len(bad) > int(copy.options.get("MAXERROR", 0) or 0):
                    raise WarehouseError(
                        f"ERROR: Load into table '{copy.table}' failed. "
                        "Check 'sys_load_error_detail' system table for details. "
                        f"({bad[0].url} line {bad[0].line}: {bad[0].reason})"
                    )
            if table is None:
                return 0
            names = ", ".join(f'"{target.name}"' for target in targets)
            loaded = cursor.execute(f"INSERT INTO {copy.table} ({names}) FROM read_parquet('{table}')").fetchone()
            return int(loaded[0]) if loaded else 0

    def unload(self, cursor: duckdb.DuckDBPyConnection, unload: unloading.Unload, select: str) -> int:
        """Run an UNLOAD within the cursor's transaction; return how many rows it wrote. Raises WarehouseError."""
        return unloading.run(unload, select, cursor, self._list_keys, self._put)

    def _log(self, bad: Sequence[copying.BadLine]) -> None:
        """Load errors outlast the transaction that failed for them."""
        cursor = self._connection.cursor()
        try:
            cursor.executemany(
                "INSERT INTO main.stl_load_errors VALUES (CAST(now() AS TIMESTAMP), ?, ?, ?, ?, ?)", bad[:1000]
            )
        finally:
            cursor.close()

    def strikes(self, fault: str) -> bool:
        return self._faults.strikes(fault)


class Session:
    """Runs transactions on one connection."""

    def __init__(self, warehouse: Warehouse, cursor: duckdb.DuckDBPyConnection, user: str | None = None) -> None:
        self._warehouse, self._cursor = warehouse, cursor
        self._temporary = TemporaryTables(cursor)
        self._user, self._book = user, rights.Book(cursor, user, self._temporary)
        self._turn = locks.Turn()
        self._interrupted = False

    def interrupt(self) -> None:
        self._interrupted = True
        self._cursor.interrupt()

    def run(
        self, statements: Sequence[str], parameters: Mapping[str, str] | None = None, *, alone: bool = False
    ) -> list[Result]:
        """Run all statements as one transaction and return a result each. Raise StatementError, with nothing kept.

        `alone`: the one statement is not part of a transaction block.

        duckdb.InterruptException passes when somebody interrupts.
        """
        for number, sql in enumerate(statements):
            try:
                if not alone:
                    strict.check_transaction(bare(sql))
            except WarehouseError as error:
                raise StatementError(str(error), number) from error
        planned = [None if is_copy(sql) else self._translated(n, sql, parameters) for n, sql in enumerate(statements)]
        reads = all(each is not None and each.reads for each in planned)
        return self._transaction(f"BEGIN TRANSACTION{' READ ONLY' if reads else ''}", statements, planned)

    def _translated(self, number: int, sql: str, parameters: Mapping[str, str] | None) -> Translation:
        try:
            unload = unloading.parse(sql) if unloading.is_unload(sql) else None
            sql = unload.query if unload else sql
            translation = translate(sql, parameters)
            if unload and not translation.reads:
                raise WarehouseError(unloading.SYNTAX)
            if strict.FULL.search(sql) and translation.statements:
                strict.check_super(read(sql), self._super_columns())
            return translation
        except WarehouseError as error:
            raise StatementError(str(error), number) from error

    def _super_columns(self) -> set[str]:
        query = "SELECT DISTINCT lower(column_name) FROM duckdb_columns() WHERE data_type = 'JSON'"
        return {name for (name,) in self._cursor.execute(query).fetchall()}

    def _transaction(
        self, begin: str, statements: Sequence[str], planned: Sequence[Translation | None]
    ) -> list[Result]:
        results: list[Result] = []
        committed = False
        try:
            for number, (sql, translation) in enumerate(zip(statements, planned, strict=True)):
                self.ready(begin, number, sql)
                results.append(self.one(number, sql, translation))
                if strict.TRUNCATE.match(bare(sql)) and number + 1 < len(statements):
                    self.commit()
            if any(MAKES.match(bare(sql)) for sql in statements):
                give_standing(self._cursor, self._warehouse.standing)
            self.commit()
            committed = True
        except duckdb.InterruptException:
            raise
        except duckdb.Error as error:
            raise StatementError(in_words_of_redshift(error), len(results)) from error
        finally:
            if not committed:
                self.roll_back()
        if any(map(is_copy, statements)) and self._warehouse.strikes("copy_fails_after_commit"):
            raise StatementError("ERROR: connection to the leader node was lost (fault switch)", len(statements) - 1)
        return results

    def ready(self, begin: str, number: int, sql: str, *, wait: bool = True) -> bool:
        """Take what a statement locks, and the snapshot if it is the first that needs one.

        Return False where it would have to wait, and may not. LOCK takes no snapshot, and SET neither:
        docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html
        """
        wanted = self._wanted(number, sql)
        try:
            if wait:
                self._warehouse.locks.take(self._turn, wanted, lambda: self._interrupted)
            elif not self._warehouse.locks.taken(self._turn, wanted):
                return False
            for table, mode in wanted.items():
                if mode is locks.Mode.CHANGE and table != locks.CATALOG:
                    self._warehouse.locks.change(self._turn, table, type(read(sql)))
        except WarehouseError as error:
            raise StatementError(str(error), number) from error
        if self._turn.snapshot is None and not NO_SNAPSHOT.match(bare(sql)):
            self._cursor.execute(begin)
            self._warehouse.locks.see(self._turn)
            self._cursor.execute("SELECT COUNT(*) FROM main.local_roles").fetchall()  # DuckDB's snapshot is of now
        return True

    def commit(self) -> None:
        """Commit what was done so far, and give back what it held."""
        if self._turn.snapshot is not None:
            self._cursor.execute("COMMIT")
        self._end(committed=True)

    def roll_back(self) -> None:
        """Undo what was done and not committed, and give back what it held."""
        if self._turn.snapshot is not None:
            with suppress(duckdb.Error):  # the transaction has ended already
                self._cursor.execute("ROLLBACK")
            self._temporary.forget()
        self._end(committed=False)

    def _end(self, *, committed: bool) -> None:
        if locks.CATALOG in self._turn.held:
            self._warehouse.forget_views()
        self._warehouse.locks.end(self._turn, committed=committed)

    def _wanted(self, number: int, sql: str) -> dict[str, locks.Mode]:
        """Return what a statement locks: no temporary tables, which nobody else sees."""
        try:
            wanted = locks.wanted(sql, self._warehouse.views())
        except WarehouseError as error:
            raise StatementError(str(error), number) from error
        if any(name.startswith("public.") for name in wanted):
            for name in self._temporary.names:
                wanted.pop(f"public.{name}", None)
        return wanted

    def _permitted(self, sql: str, translation: Translation) -> bool:
        """Raise WarehouseError where the user may not; return whether the statement was about rights alone."""
        text = bare(sql)
        if become := rights.BECOME.match(text):
            if self._user is not None:
                raise WarehouseError("ERROR: permission denied to set session authorization")
            name = rights.unquoted(become["user"])
            self._book = rights.Book(self._cursor, None if name == "default" else name, self._temporary)
            return True
        if rights.UNREAD.match(text):
            self._book.check(text, None)
            return not translation.statements and self._book.change(text)
        if self._book.user is not None:
            self._book.check(text, read(text))
        return False

    def one(self, number: int, sql: str, translation: Translation | None) -> Result:
        if translation is None:
            return Result(self._copy(number, sql))
        try:
            if unloading.is_unload(sql):
                return Result(self._unload(sql, translation))
            if self._permitted(sql, translation):
                return Result(-1)
            result = self._run_one(number, sql, translation)
            if not translation.reads and not KEEPS.match(bare(sql)):
                self._temporary.forget()
            if DEFINES.match(bare(sql)) and not rights.UNREAD.match(bare(sql)):
                self._book.note(read(sql))
        except StatementError:
            raise
        except WarehouseError as error:
            raise StatementError(str(error), number) from error
        return result

    def _run_one(self, number: int, sql: str, translation: Translation) -> Result:
        done = None
        statements = translation.statements
        if translation.like:
            statements = (_create_like(self._cursor, translation.like),)
        before = _columns(self._cursor, translation.replaced)
        for statement in statements:
            done = self._cursor.execute(statement)
        if encoded := ENCODED.match(bare(sql)):
            alters = bool(ALTERS.search(bare(sql)))  # a column that is made has no encoding yet
            self._encode(number, encoded["table"], strict.encodings(bare(sql)), alters=alters)
        if translation.widths:
            _widen(self._cursor, translation.widths)
            return Result(-1)
        if before and (complaint := _replaced_wrongly(before, _columns(self._cursor, translation.replaced))):
            raise StatementError(complaint, number)
        if done is None or done.description is None:
            return Result(-1)
        if translation.reads:
            columns = [Column(each[0], str(each[1])) for each in done.description]
            rows = _rows(self._cursor, statements[-1], columns)
            return Result(len(rows), columns, rows)
        changed = done.fetchone()
        return Result(changed[0] if changed and isinstance(changed[0], int) else -1)

    def _encode(self, number: int, table: str, encodings: Mapping[str, str], *, alters: bool) -> None:
        """Remember encodings, for svv_redshift_columns; they mean nothing here.

        A column that has the encoding is refused: docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE.html
        """
        for column, encoding in encodings.items():
            given = {"table": table.lower(), "column": column, "encoding": encoding}
            if alters and self._cursor.execute(ENCODING, given).fetchone():
                raise StatementError(f'ERROR: column "{column}" has the encoding {encoding} already', number)
            self._cursor.execute(
                "DELETE FROM main.local_encodings WHERE table_name = ? AND column_name = ?", [*given.values()][:2]
            )
            self._cursor.execute("INSERT INTO main.local_encodings VALUES (?, ?, ?)", [*given.values()])

    def _copy(self, number: int, sql: str) -> int:
        if self._warehouse.strikes("copy_fails"):
            raise StatementError("ERROR: S3ServiceException:Please reduce your request rate. (fault switch)", number)
        try:
            table = copying.parse(sql).table
            temporary = table.rpartition(".")[2] in self._temporary.names
            if self._book.user is not None and not temporary:
                self._book.check_copy(table)
            loaded = self._warehouse.load(self._cursor, sql)
            # Who doesn't hear that a COPY was done does it again; never into a temporary table, which was gone by then.
            if not temporary and self._warehouse.strikes("copy_twice"):
                loaded += self._warehouse.load(self._cursor, sql)
        except StatementError:
            raise
        except WarehouseError as error:
            raise StatementError(str(error), number) from error
        return loaded

    def _unload(self, sql: str, translation: Translation) -> int:
        unload = unloading.parse(sql)
        self._permitted(unload.query, translation)
        return self._warehouse.unload(self._cursor, unload, translation.statements[-1])


ADOPT_TABLES = """
INSERT INTO main.local_owners SELECT 'table', table_schema || '.' || table_name, $1 FROM information_schema.tables
WHERE table_schema = $2 AND table_schema || '.' || table_name NOT IN (SELECT object FROM main.local_owners)
"""
ADOPT_SCHEMA = """
INSERT INTO main.local_owners SELECT DISTINCT 'schema', schema_name, $1 FROM duckdb_schemas()
WHERE schema_name = $2 AND schema_name NOT IN (SELECT object FROM main.local_owners)
"""


def give_standing(cursor: duckdb.DuckDBPyConnection, grants: Sequence[str]) -> None:
    book = rights.Book(cursor, None, TemporaryTables(cursor))
    for grant in grants:
        with suppress(WarehouseError):  # what it names is not there yet
            book.change(grant)


NO_SNAPSHOT = re.compile(r"(?:LOCK|SET)\b", re.IGNORECASE)
DEFINES = re.compile(r"(?:CREATE|DROP|ALTER)\b", re.IGNORECASE)
MAKES = re.compile(r"(?:CREATE\b(?!\s+(?:LOCAL\s+)?TEMP|\s+TABLE\s+#)|ALTER\b)", re.IGNORECASE)
"""What may be named by a standing grant afterwards: no temporary table is."""


class StatementError(WarehouseError):
    """Which statement of a transaction it was, from 0."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number


def _rows(done: duckdb.DuckDBPyConnection, statement: str, columns: Sequence[Column]) -> list[tuple[Any, ...]]:
    """Return all rows of the statement that was just run.

    With moments that have a zone it is run once more for them as UTC: DuckDB's own way needs pytz.
    """
    zoned = [column.type == "TIMESTAMP WITH TIME ZONE" for column in columns]
    if not any(zoned):
        return done.fetchall()
    cells = ", ".join(f"CAST(#{n} AS TIMESTAMP)" if zone else f"#{n}" for n, zone in enumerate(zoned, 1))
    found = done.execute(f"SELECT {cells} FROM ({statement.rstrip().rstrip(';')})").fetchall()  # noqa: S608
    return [
        tuple(cell.replace(tzinfo=UTC) if zone and cell else cell for cell, zone in zip(row, zoned, strict=True))
        for row in found
    ]


def _columns(cursor: duckdb.DuckDBPyConnection, view: str) -> list[Column]:
    """Return the columns of a view, none where there is no such view."""
    schema, _, name = view.replace('"', "").rpartition(".")
    found = cursor.execute(COLUMNS, {"schema": schema or "public", "view": name}) if view else None
    return [Column(*row) for row in found.fetchall()] if found else []


ENCODED = re.compile(
    r"(?:CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?|ALTER\s+TABLE\s+)(?P<table>\w+\.\w+)", re.IGNORECASE
)
ALTERS = re.compile(r"ALTER\s+COLUMN", re.IGNORECASE)
ENCODING = """
SELECT 1 FROM main.local_encodings WHERE table_name = $table AND column_name = $column AND encoding = $encoding
"""

COLUMNS = """
SELECT column_name, data_type FROM duckdb_columns()
WHERE database_name = current_database() AND schema_name = $schema AND table_name = $view ORDER BY column_index
"""


def _replaced_wrongly(before: Sequence[Column], after: Sequence[Column]) -> str:
    """Return what Redshift would say of a view replaced by one with other columns, nothing where they are the same.

    docs.aws.amazon.com/redshift/latest/dg/r_CREATE_VIEW.html: "the identical set of columns, using the same column
    names and data types"; the messages are those of PostgreSQL 8.0, src/backend/commands/view.c.
    """
    if len(before) != len(after):
        return "ERROR: cannot change number of columns in view"
    for old, new in zip(before, after, strict=True):
        if old.name != new.name:
            return f'ERROR: cannot change name of view column "{old.name}"'
        if old.type != new.type:
            return f'ERROR: cannot change data type of view column "{old.name}"'
    return ""


def _widen(cursor: duckdb.DuckDBPyConnection, widths: Widths) -> None:
    """Create the table again with these sizes. Raises WarehouseError for what Redshift refuses.

    Its message for a size that the column has already is reported in
    github.com/snowplow-incubator/snowplow-rdb-loader, the one for views is PostgreSQL 8.0's (tablecmds.c).
    """
    schema, _, table = widths.table.replace('"', "").rpartition(".")
    limits = dict(cursor.execute(LIMITS, {"table": table, "schema": schema}).fetchall())
    for column, size in widths.columns.items() if widths.widens else ():
        if column not in limits:
            raise WarehouseError(f'ERROR: column "{column}" of relation "{table}" does not exist')
        if limits[column] >= size:
            said = "different" if limits[column] == size else "larger"
            raise WarehouseError(
                f'ERROR: cannot alter column "{column}" of relation "{table}", target column size should be {said}'
            )
        views = cursor.execute(VIEWS, {"table": rf"\b{table}\b", "column": rf"\b{column}\b|\.\*|SELECT \*"}).fetchall()
        if views:
            raise WarehouseError("ERROR: cannot alter type of a column used by a view or rule")
    place = f'"{schema}".' if schema else ""
    copy = Like(f'CREATE TABLE {place}"{table}_anew"', widths.table, defaults=True)
    cursor.execute(_create_like(cursor, copy, widths.columns))
    cursor.execute(f'INSERT INTO {place}"{table}_anew" SELECT * FROM {widths.table}')  # noqa: S608
    cursor.execute(f"DROP TABLE {widths.table}")
    cursor.execute(f'ALTER TABLE {place}"{table}_anew" RENAME TO "{table}"')


VIEWS = """
SELECT view_name FROM duckdb_views()
WHERE NOT internal AND regexp_matches(sql, $table) AND regexp_matches(sql, $column)
"""


def _create_like(cursor: duckdb.DuckDBPyConnection, like: Like, sizes: Mapping[str, int] = MappingProxyType({})) -> str:
    """Return the table as Redshift makes it: types, lengths and NOT NULL are taken over, defaults where that was said.

    `sizes`: bytes of columns that are to have others than the source's.
    """
    schema, _, table = like.source.replace('"', "").rpartition(".")
    limits = {**dict(cursor.execute(LIMITS, {"table": table, "schema": schema}).fetchall()), **sizes}
    columns = []
    for name, kind, null, _, default, *_ in cursor.execute(f"DESCRIBE {like.source}").fetchall():
        parts = [f'"{name}" {kind}', "NOT NULL" if null == "NO" else ""]
        parts.append(f'CHECK (strlen("{name}") <= {limits[name]})' if name in limits else "")
        parts.append(f"DEFAULT {default}" if default and like.defaults else "")
        columns.append(" ".join(filter(None, parts)))
    return f"{like.create} ({', '.join(columns)})"


LIMITS = """
SELECT column_name, CAST(regexp_extract(constraint_text, '<= (\\d+)', 1) AS INTEGER)
FROM (
    SELECT unnest(constraint_column_names) AS column_name, constraint_text, database_name, schema_name, table_name
    FROM duckdb_constraints() WHERE constraint_type = 'CHECK'
)
WHERE constraint_text ILIKE '%strlen(%<=%' AND table_name = $table AND ($schema = '' OR schema_name = $schema)
"""


def _targets(cursor: duckdb.DuckDBPyConnection, copy: copying.Copy) -> list[copying.Target]:
    """Return the columns a COPY fills, in its order. Raises WarehouseError if one isn't the table's."""
    schema, _, table = copy.table.rpartition(".")
    described = cursor.execute(f"DESCRIBE {copy.table}").fetchall()
    types = {row[0]: row[1] for row in described}
    limits = dict(cursor.execute(LIMITS, {"table": table, "schema": schema}).fetchall())
    for name in copy.columns:
        if name not in types:
            raise WarehouseError(f'ERROR: column "{name}" of relation "{table}" does not exist')
    return [copying.Target(name, types[name], limits.get(name)) for name in copy.columns or types]
