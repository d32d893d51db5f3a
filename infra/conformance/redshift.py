"""Check SQL, transactions, rights and requests of Redshift and its Data API."""

from __future__ import annotations

from typing import Any

from infra.conformance.asking import DiffersError, Place, answers, check, refused, refuses, sql

INVALID = ("ValidationException",)
ALONE = "cannot run inside a transaction block"
UNFRAMED = "SELECT SUM(n) OVER (ORDER BY n) FROM {schema}.t"


def prepare(place: Place) -> None:
    """Make the run's own schema with two tables. Raise DiffersError."""
    done = sql(
        place,
        f"CREATE SCHEMA {place.schema}",
        f"CREATE TABLE {place.schema}.t (n INTEGER PRIMARY KEY, word VARCHAR(5), many SUPER)",
        f"CREATE TABLE {place.schema}.u (n INTEGER, word VARCHAR(5), many SUPER)",
        f"INSERT INTO {place.schema}.t VALUES (1, 'a', JSON_PARSE('[7, 8]')), (2, 'b', NULL)",  # noqa: S608
    )
    if done.error:
        raise DiffersError(done.error)


def clear(place: Place) -> None:
    """Take the run's own schema and user away again."""
    sql(place, f"DROP SCHEMA {place.schema} CASCADE")
    sql(place, f"DROP USER {place.schema}")


def no(place: Place, *statements: str, words: str = "") -> str:
    """`refuses`, with `{schema}` filled in."""
    return refuses(place, *(each.replace("{schema}", place.schema) for each in statements), words=words)


def yes(place: Place, wanted: list[list[Any]], *statements: str) -> None:
    """`answers`, with `{schema}` filled in."""
    answers(place, wanted, *(each.replace("{schema}", place.schema) for each in statements))


@check
def some_statements_run_in_no_transaction(place: Place) -> str:
    """VACUUM, ALTER COLUMN TYPE, ALTER COLUMN ENCODE, CREATE DATABASE and ALTER TABLE APPEND run in no transaction."""
    for statement in (
        "ALTER TABLE {schema}.t ALTER COLUMN word TYPE VARCHAR(9)",
        "ALTER TABLE {schema}.t ALTER COLUMN word ENCODE LZO",
        "CREATE DATABASE {schema}",
        "ALTER TABLE {schema}.t APPEND FROM {schema}.u",
    ):
        no(place, "SELECT 1", statement, words=ALONE)
    return no(place, "SELECT 1", "VACUUM {schema}.t", words=ALONE)


@check
def a_column_is_not_given_the_size_that_it_has(place: Place) -> str:
    """ALTER COLUMN TYPE refuses the size that the column has already."""
    return no(place, "ALTER TABLE {schema}.t ALTER COLUMN word TYPE VARCHAR(5)", words="should be different")


@check
def isolation_is_by_snapshots(place: Place) -> None:
    """The isolation level of a new database is Snapshot Isolation."""
    query = "SELECT TRIM(isolation_level) FROM stv_db_isolation_level WHERE db_name = 'tweets'"
    yes(place, [["Snapshot Isolation"]], query)


@check
def truncate_commits(place: Place) -> None:
    """TRUNCATE commits the transaction that it is in, and what came before it."""
    no(place, "INSERT INTO {schema}.u (n) VALUES (1)", "TRUNCATE {schema}.u", "SELECT * FROM {schema}.nowhere")
    yes(place, [[0]], "SELECT COUNT(*) FROM {schema}.u")
    no(place, "INSERT INTO {schema}.u (n) VALUES (1)", "SELECT * FROM {schema}.nowhere")
    yes(place, [[0]], "SELECT COUNT(*) FROM {schema}.u")
    no(
        place,
        "INSERT INTO {schema}.t (n) VALUES (3)",
        "TRUNCATE {schema}.u",
        "SELECT * FROM {schema}.nowhere",
    )
    yes(place, [[1]], "SELECT COUNT(*) FROM {schema}.t WHERE n = 3")


@check
def an_encoding_fits_its_type(place: Place) -> str:
    """An encoding has to fit its column's type."""
    no(place, "CREATE TABLE {schema}.e1 (a DOUBLE PRECISION ENCODE AZ64)")
    no(place, "CREATE TABLE {schema}.e2 (a INTEGER ENCODE TEXT255)")
    no(place, "CREATE TABLE {schema}.e3 (a BOOLEAN ENCODE BYTEDICT)")
    return no(place, "CREATE TABLE {schema}.e4 (a VARCHAR(9) ENCODE AZ64)")


@check
def bytedict_suits_text(place: Place) -> None:
    """BYTEDICT is an encoding for VARCHAR."""
    done = sql(place, f"CREATE TABLE {place.schema}.b (a VARCHAR(9) ENCODE BYTEDICT)")
    if done.error:
        raise DiffersError(done.error)


@check
def super_is_no_key(place: Place) -> str:
    """A SUPER column is no sort key and no distribution key."""
    no(place, "CREATE TABLE {schema}.s1 (a SUPER, b INTEGER) DISTKEY (a)")
    no(place, "CREATE TABLE {schema}.s3 (a SUPER SORTKEY, b INTEGER)")
    return no(place, "CREATE TABLE {schema}.s2 (a SUPER, b INTEGER) SORTKEY (a)")


@check
def percentiles_have_one_order(place: Place) -> str:
    """LISTAGG, PERCENTILE_CONT and MEDIAN of one SELECT are ordered by the same values."""
    other = "SELECT MEDIAN(n), PERCENTILE_CONT(0.9) WITHIN GROUP (ORDER BY -n) FROM {schema}.t"
    return no(place, other, words="within group order by")


@check
def a_running_sum_needs_its_frame(place: Place) -> str:
    """An aggregate window function with ORDER BY needs a frame."""
    return no(place, UNFRAMED, words="frame clause")


@check
def some_of_postgresql_is_not_there(place: Place) -> str:
    """There is no FILTER, RETURNING, ON CONFLICT, DISTINCT ON, CREATE INDEX."""
    for statement in (
        "SELECT COUNT(*) FILTER (WHERE n > 1) FROM {schema}.t",
        "SELECT DISTINCT ON (word) word, n FROM {schema}.t",
        "INSERT INTO {schema}.u (n) VALUES (9) RETURNING n",
        "INSERT INTO {schema}.u (n) VALUES (9) ON CONFLICT DO NOTHING",
        "SELECT n FROM {schema}.t, generate_series(1, 3) AS g",
    ):
        no(place, statement)
    return no(place, "CREATE INDEX i ON {schema}.t (n)")


@check
def subqueries_skip_no_level(place: Place) -> str:
    """A correlated subquery refers to its own parent query, not to one further out."""
    skips = (
        "SELECT n FROM {schema}.t AS a WHERE EXISTS (SELECT 1 FROM {schema}.u AS b WHERE EXISTS "
        "(SELECT 1 FROM {schema}.u AS c WHERE c.n = a.n))"
    )
    return no(place, skips, words="not supported")


@check
def super_goes_through_no_full_join(place: Place) -> str:
    """An array in a SUPER column is not unnested from a FULL JOIN."""
    joined = "SELECT k FROM {schema}.t AS a FULL JOIN {schema}.u AS b ON a.n = b.n, a.many AS k"
    return no(place, joined)


@check
def text_is_counted_in_bytes(place: Place) -> str:
    """VARCHAR counts bytes; a longer value is refused."""
    yes(place, [["ab", 2]], "SELECT 'ab', OCTET_LENGTH('é')")
    return no(
        place, "INSERT INTO {schema}.u (word) VALUES ('ééé')", words="value too long for type character varying(5)"
    )


@check
def keys_are_not_enforced(place: Place) -> None:
    """A primary key is not enforced."""
    yes(place, [[2]], "INSERT INTO {schema}.t (n) VALUES (1)", "SELECT COUNT(*) FROM {schema}.t WHERE n = 1")


@check
def whole_numbers_stay_whole(place: Place) -> None:
    """1 / 2 is 0, an average of integers is an integer, arrays begin at 0."""
    yes(place, [[0, 1]], "SELECT 1 / 2, CAST(AVG(n) AS INTEGER) FROM (SELECT 1 AS n UNION ALL SELECT 2) AS a")
    yes(place, [[7]], "SELECT many[0]::INTEGER FROM {schema}.t WHERE n = 1 AND many IS NOT NULL")


@check
def a_view_keeps_its_columns(place: Place) -> str:
    """CREATE OR REPLACE VIEW needs the identical set of columns."""
    made = sql(place, f"CREATE VIEW {place.schema}.v AS SELECT n FROM {place.schema}.t")  # noqa: S608
    if made.error:
        raise DiffersError(made.error)
    return no(place, "CREATE OR REPLACE VIEW {schema}.v AS SELECT n, word FROM {schema}.t", words="cannot change")


@check
def who_has_no_right_is_refused(place: Place) -> str:
    """Who has no right to a table can neither read it nor write to it; INSERT alone is a right of its own."""
    user = place.schema
    made = sql(
        place,
        f"CREATE USER {user} PASSWORD DISABLE",
        f"GRANT USAGE ON SCHEMA {place.schema} TO {user}",
        f"GRANT INSERT ON {place.schema}.u TO {user}",
    )
    if made.error:
        raise DiffersError(made.error)
    become = f"SET SESSION AUTHORIZATION {user}"
    done = sql(place, become, f"INSERT INTO {place.schema}.u (n) VALUES (4)")  # noqa: S608
    if done.error:
        raise DiffersError(done.error)
    no(place, become, "INSERT INTO {schema}.t (n) VALUES (4)", words="permission denied")
    no(place, become, "DELETE FROM {schema}.u", words="permission denied")
    no(place, become, "DROP TABLE {schema}.u", words="must be owner")
    source = f"'s3://{place.bucket}/{place.name}/none' IAM_ROLE '{place.copy_role}'"
    no(place, become, f"COPY {{schema}}.t FROM {source} FORMAT JSON 'auto'", words="permission denied")
    return no(place, become, "SELECT * FROM {schema}.u", words="permission denied")


# ---- the Data API


@check
def an_unknown_warehouse_is_refused(place: Place) -> str:
    """A workgroup that there is none of is refused."""
    elsewhere: Any = {"WorkgroupName": place.name, "Database": "tweets"}
    api = place.client("redshift-data")
    codes = (*INVALID, "ResourceNotFoundException")
    return refused(lambda: api.execute_statement(Sql="SELECT 1", **elsewhere), *codes)


@check
def an_unknown_database_is_refused(place: Place) -> str:
    """A database that there is none of is refused: by the call, or by the statement."""
    api = place.client("redshift-data")
    elsewhere: Any = {**place.warehouse, "Database": place.schema}
    try:
        given = api.execute_statement(Sql="SELECT 1", **elsewhere)["Id"]
    except api.exceptions.ValidationException as error:
        return str(error.response["Error"].get("Message", ""))
    found = api.describe_statement(Id=given)
    while found["Status"] in {"SUBMITTED", "PICKED", "STARTED"}:
        found = api.describe_statement(Id=given)
    if found["Status"] == "FINISHED":
        raise DiffersError("accepted")
    return str(found.get("Error", ""))


@check
def a_batch_is_one_transaction(place: Place) -> None:
    """A batch is one transaction, and a temporary table lives as long as it."""
    no(place, "INSERT INTO {schema}.u (n) VALUES (77)", "SELECT * FROM {schema}.nowhere")
    yes(place, [[0]], "SELECT COUNT(*) FROM {schema}.u WHERE n = 77")
    yes(place, [[2]], "CREATE TEMP TABLE a AS SELECT 1 AS n", "SELECT n + 1 FROM a")
    no(place, "SELECT n FROM a")


@check
def a_batch_has_bounds(place: Place) -> str:
    """A batch has up to 40 statements of up to 100 KB each."""
    long = f"SELECT '{'x' * 100_000}'"
    refused(lambda: sql(place, long), *INVALID)
    return refused(lambda: sql(place, *["SELECT 1"] * 41), *INVALID, "BatchExecuteStatementException")


@check
def every_parameter_is_given_and_used(place: Place) -> str:
    """Every parameter is given and used, and a value is never SQL."""
    value = [{"name": "a", "value": "1; DROP TABLE t"}]
    found = sql(place, "SELECT :a AS a", Parameters=value)
    if found.rows != [["1; DROP TABLE t"]]:
        raise DiffersError(found.error or f"answered {found.rows}")
    refused(lambda: sql(place, "SELECT :a, :b", Parameters=value), *INVALID)
    return refused(lambda: sql(place, "SELECT 1", Parameters=value), *INVALID)


@check
def the_same_token_runs_once(place: Place) -> None:
    """Call with the same ClientToken run once."""
    ids = {sql(place, "SELECT 1", ClientToken=place.name).id for _ in range(2)}
    if len(ids) != 1:
        raise DiffersError("two statements ran")


@check
def what_has_ended_is_not_cancelled(place: Place) -> str:
    """A statement that ended can't be cancelled, and one that never was is not found."""
    api = place.client("redshift-data")
    ended = sql(place, "SELECT 1").id
    unknown = "00000000-0000-0000-0000-000000000000"
    refused(lambda: api.describe_statement(Id=unknown), "ResourceNotFoundException")
    return refused(lambda: api.cancel_statement(Id=ended), *INVALID)


@check
def a_row_has_a_bound(place: Place) -> str:
    """A row of a result has up to 64 KB."""
    wide = sql(place, f"SELECT REPEAT('x', 40000) AS a, REPEAT('y', 40000) AS b FROM {place.schema}.t LIMIT 1")  # noqa: S608
    if not wide.error:
        raise DiffersError("accepted")
    return wide.error
