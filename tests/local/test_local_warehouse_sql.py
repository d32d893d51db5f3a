"""The local warehouse answers Redshift's SQL as Redshift would, or refuses it by name."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from local.aws.warehouse import UnsupportedError, WarehouseError, query
from local.aws.warehouse.dialect import names
from local.aws.warehouse.locks import Mode, Turn
from tests.support.warehouses import Scratch, scratch

pytestmark = pytest.mark.filterwarnings("ignore:Arrow output on a DB-API result")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scratch]:
    with scratch(tmp_path_factory.mktemp("sql")) as made:
        made.run(
            """CREATE TABLE t (
                id INTEGER IDENTITY(1, 1) ENCODE RAW,
                word VARCHAR(5) ENCODE ZSTD NOT NULL,
                tags SUPER,
                at TIMESTAMP DEFAULT GETDATE() ENCODE AZ64,
                PRIMARY KEY (word)
            ) DISTSTYLE KEY DISTKEY (word) COMPOUND SORTKEY (at)"""
        )
        made.run(
            "INSERT INTO t (word, tags, at) VALUES"
            """ ('a', JSON_PARSE('[{"n": "x", "m": 1}, {"n": "y", "m": 2}]'), '2026-01-02 03:04:05'),"""
            """ ('a', JSON_PARSE('{"n": {"deep": ["z"]}}'), '2026-01-03'), ('b', NULL, NULL)"""
        )
        yield made


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("SELECT 1 / 2, 7 % 4, -7 / 2", [(0, 3, -3)]),
        ("SELECT AVG(n) FROM (SELECT 1 AS n UNION ALL SELECT 2) AS a", [(1,)]),
        ("SELECT AVG(n) FROM (SELECT 1.5 AS n UNION ALL SELECT 2.5) AS a", [(2,)]),
        ("SELECT COUNT(*) FROM t WHERE word = 'a'", [(2,)]),  # keys are not enforced
        ("SELECT tags[0].n::VARCHAR, tags[1].m::INTEGER FROM t WHERE id = 1", [("x", 2)]),  # arrays begin at 0
        ("SELECT t.tags.n.deep[0]::VARCHAR FROM t WHERE id = 2", [("z",)]),
        ("SELECT s.tags.n.deep[0]::VARCHAR FROM t AS s WHERE s.id = 2", [("z",)]),
        ("SELECT k.n::VARCHAR FROM t, t.tags AS k WHERE t.id = 1 AND k.m > 1", [("y",)]),
        ("SELECT COUNT(*) FROM t AS s, s.tags AS k WHERE k.n = 'x' AND s.id = 1", [(1,)]),
        ("SELECT GET_ARRAY_LENGTH(tags) FROM t WHERE id = 1", [(2,)]),
        ("SELECT DATEDIFF(HOUR, at, '2026-01-02 05:00:00') FROM t WHERE id = 1", [(2,)]),
        ("SELECT DATEADD(DAY, -1, at) FROM t WHERE id = 1", [(datetime(2026, 1, 1, 3, 4, 5),)]),
        ("SELECT DATE_TRUNC('hour', at) FROM t WHERE id = 1", [(datetime(2026, 1, 2, 3),)]),
        ("SELECT NVL(NULL, 2), DECODE(1, 1, 'one', 'other'), LEN('abc')", [(2, "one", 3)]),
        ("SELECT LISTAGG(word, ',') WITHIN GROUP (ORDER BY word) FROM t", [("a,a,b",)]),
        ("SELECT ROUND(RATIO_TO_REPORT(id) OVER (), 2) FROM t ORDER BY 1 LIMIT 1", [(0.17,)]),
        ("SELECT MEDIAN(id) FROM t", [(2,)]),
        ('SELECT COUNT(*) FROM "tweets"."public"."t"', [(3,)]),
        ("SELECT OCTET_LENGTH('é'), LEN('é')", [(2, 1)]),
        ("-- why; and how\n/* at\nlength */ SELECT 1;", [(1,)]),
        ("WITH w AS (SELECT word FROM t) SELECT w.word FROM w WHERE w.word = 'b'", [("b",)]),
        ("SELECT GETDATE() - GETDATE() = INTERVAL '0 days', SYSDATE <= GETDATE()", [(True, True)]),
        ("SELECT word FROM t QUALIFY ROW_NUMBER() OVER (PARTITION BY word ORDER BY id) = 2", [("a",)]),
        ("SELECT '#flood in #town'", [("#flood in #town",)]),  # no temporary tables
        ("SELECT AVG(id) OVER () FROM t WHERE word = 'a'", [(1,), (1,)]),  # of integers, cut off
        ("SELECT AVG(DISTINCT id) FROM t WHERE word = 'a'", [(1,)]),
        ("SELECT COUNT(*) FROM t, t.tags AS k", [(3,)]),  # an object is met once, null never
        ("SELECT k.n, COUNT(*) FROM t, t.tags AS k WHERE id = 1 GROUP BY k.n ORDER BY k.n", [('"x"', 1), ('"y"', 1)]),
        (
            "SELECT k::VARCHAR, i FROM (SELECT JSON_PARSE('[\"p\", 7]') AS v) AS s, s.v AS k AT i ORDER BY i",
            [("p", 0), ("7", 1)],
        ),
        ("SELECT COUNT(*) FROM (SELECT JSON_PARSE('[\"p\", 7]') AS v) AS s, s.v AS k WHERE k = 'p'", [(1,)]),
        (
            "SELECT t.id, k.n::VARCHAR FROM t LEFT JOIN t.tags AS k ON k.n = 'y' ORDER BY 1",
            [(1, "y"), (2, None), (3, None)],
        ),
        ("SELECT id FROM t WHERE EXISTS (SELECT 1 FROM t.tags AS k WHERE k.n = 'y')", [(1,)]),
        ("SELECT COUNT(*) FROM t JOIN public.t AS s ON s.id = t.id WHERE t.id IN (SELECT id FROM t)", [(3,)]),
        ("SELECT tags[0].n::INTEGER FROM t WHERE id = 1", [(None,)]),  # another type: null
        ("SELECT JSON_TYPEOF(tags), JSON_TYPEOF(tags[0].m) FROM t WHERE id = 1", [("array", "number")]),
        ("SELECT REGEXP_REPLACE('a1b2', '[0-9]', '-')", [("a-b-",)]),
        ("SELECT LISTAGG(DISTINCT word, ', ') WITHIN GROUP (ORDER BY word) FROM t", [("a, b",)]),
        ("SELECT TRUNC(at), TRUNC(1.5) FROM t WHERE id = 1", [(date(2026, 1, 2), 1)]),
        ("SELECT TO_CHAR(at, 'YYYY-MM-DD\"T\"HH24:MI:SS.MS') FROM t WHERE id = 1", [("2026-01-02T03:04:05.000",)]),
        ("SELECT EXTRACT(EPOCH FROM at) FROM t WHERE id = 1", [(1767323045,)]),
        ("SELECT CAST(at AS TIMESTAMPTZ) FROM t WHERE id = 1", [(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),)]),
        ("SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname = 'public'", [("public",)]),
    ],
)
def test_the_answer_is_that_of_redshift(house: Scratch, sql: str, wanted: list[Any]) -> None:
    assert house.run(sql) == wanted


def test_now_is_a_timestamp_without_a_zone_in_utc(house: Scratch) -> None:
    ((now,),) = house.run("SELECT GETDATE()")
    assert now.tzinfo is None


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT * FROM nowhere", 'relation "nowhere" does not exist'),
        ("SELECT nothing FROM t", 'column "nothing" does not exist'),
        ("INSERT INTO t (word) VALUES ('ééé')", "value too long for type character varying(5)"),
        ("INSERT INTO t (word) VALUES (NULL)", "Cannot insert a NULL value into column word"),
        ("SELECT FROM WHERE", "syntax error"),
        ("DELETE FROM t; SELECT 1", "one statement is wanted"),
        ("SELECT 1 / (id - id) FROM t", "Divide by zero"),
        ("SELECT CAST(word AS INTEGER) FROM t", 'invalid input syntax for integer: "a"'),
        ("CREATE TABLE t (a INTEGER)", "already exists"),
    ],
)
def test_errors_are_in_the_words_of_redshift(house: Scratch, sql: str, message: str) -> None:
    with pytest.raises(WarehouseError) as raised:
        house.run(sql)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT SUM(id) OVER (ORDER BY id) FROM t", "require a frame clause"),
        ("SELECT COUNT(*) FILTER (WHERE id > 1) FROM t", 'near "FILTER"'),
        ("SELECT DISTINCT ON (word) word, id FROM t", "DISTINCT ON is not supported"),
        ("INSERT INTO t (word) VALUES ('x') RETURNING id", 'near "RETURNING"'),
        ("INSERT INTO t (word) VALUES ('x') ON CONFLICT DO NOTHING", 'near "ON CONFLICT"'),
        ("SELECT id FROM t, generate_series(1, 3) AS n", "on the leader node alone"),
        ("CREATE INDEX i ON t (id)", "CREATE INDEX"),
        ("CREATE TABLE u (a VARCHAR(9) ENCODE AZ64)", 'invalid encoding type specified for column "a"'),
        (
            "CREATE TABLE u (a INTEGER NOT NULL, b DECIMAL(9, 2) ENCODE TEXT255)",
            'encoding type specified for column "b"',
        ),
        ("ALTER TABLE t ADD COLUMN flag BOOLEAN ENCODE BYTEDICT", 'encoding type specified for column "flag"'),
        ("CREATE TABLE u (a INTEGER, b SUPER SORTKEY)", 'column "b" of type super cannot be a sortkey'),
        (
            "SELECT id FROM t AS a WHERE EXISTS (SELECT 1 FROM t AS b WHERE EXISTS (SELECT 1 FROM t WHERE id = a.id))",
            "correlated subquery",
        ),
        (
            "SELECT a.id FROM t AS a LEFT JOIN t AS b ON b.id = (SELECT MAX(c.id) FROM t AS c WHERE c.id = b.id)",
            "correlated subquery",
        ),
        (
            "SELECT a.id FROM t AS a WHERE a.id IN (SELECT SUM(b.id) OVER () FROM t AS b WHERE b.id = a.id)",
            "correlated subquery",
        ),
        ("SELECT k FROM t AS a FULL JOIN t AS b ON a.id = b.id, a.tags AS k", "not supported in right or full"),
        ("SELECT b.tags FROM t AS a RIGHT JOIN t AS b ON a.id = b.id", "not supported in right or full"),
        ("CREATE TABLE u (a INTEGER, b SUPER) SORTKEY (a, b)", 'column "b" of type super cannot be a sortkey'),
        (
            "SELECT MEDIAN(id), PERCENTILE_CONT(0.9) WITHIN GROUP (ORDER BY LEN(word)) FROM t",
            "within group ORDER BY clauses for aggregate functions must be the same",
        ),
    ],
)
def test_what_redshift_would_not_take_is_refused_though_duckdb_would(house: Scratch, sql: str, message: str) -> None:
    with pytest.raises(WarehouseError) as raised:
        house.run(sql)
    assert message in str(raised.value)


def test_correlated_subqueries_of_one_level_and_joins_without_super_are_taken(house: Scratch) -> None:
    correlated = "SELECT COUNT(*) FROM t AS a WHERE EXISTS (SELECT 1 FROM t AS b WHERE b.id = a.id AND b.word = 'a')"
    assert house.run(correlated) == [(2,)]
    derived = (
        "SELECT COUNT(*) FROM (SELECT a.id FROM t AS a WHERE EXISTS (SELECT 1 FROM t AS b WHERE b.id = a.id)) AS c"
    )
    assert house.run(derived) == [(3,)]
    assert house.run("SELECT COUNT(*) FROM t AS a FULL JOIN t AS b ON a.id = b.id") == [(3,)]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ("1 AS n", "cannot change number of columns in view"),
        ("1 AS m, 'a' AS word", 'cannot change name of view column "n"'),
        ("'a' AS n, 'a' AS word", 'cannot change data type of view column "n"'),
    ],
)
def test_a_view_is_replaced_by_one_of_the_same_columns_only(house: Scratch, columns: str, message: str) -> None:
    house.run("CREATE OR REPLACE VIEW public.shown AS SELECT 1 AS n, 'a' AS word", "SELECT n FROM public.shown")
    with pytest.raises(WarehouseError, match=message):
        house.run(f"CREATE OR REPLACE VIEW public.shown AS SELECT {columns}")
    house.run("CREATE OR REPLACE VIEW public.shown AS SELECT 2 AS n, 'b' AS word")
    assert house.run("SELECT * FROM public.shown") == [(2, "b")]


def test_windows_that_need_no_frame_and_those_that_have_one_are_taken(house: Scratch) -> None:
    framed = "SUM(id) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING)"
    assert house.run(f"SELECT {framed}, RANK() OVER (ORDER BY id), COUNT(*) OVER () FROM t ORDER BY 1") == [
        (1, 1, 3),
        (3, 2, 3),
        (6, 3, 3),
    ]


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("UNLOAD ('SELECT 1') TO 's3://bucket/x' IAM_ROLE 'r' FORMAT CSV", "CSV"),
        ("UNLOAD ('SELECT 1') TO 's3://bucket/x' IAM_ROLE 'r'", "UNLOAD"),
        ("CREATE OR REPLACE PROCEDURE p() AS $$ BEGIN END; $$ LANGUAGE plpgsql", "CREATE OR REPLACE PROCEDURE"),
        ("CALL p()", "CALL"),
        ("CREATE EXTERNAL SCHEMA s FROM DATA CATALOG", "CREATE EXTERNAL SCHEMA"),
        ("BEGIN", "BEGIN"),
        ("COPY t FROM 's3://bucket/x' IAM_ROLE 'r' FORMAT AVRO", "AVRO"),
        ("COPY t FROM 's3://bucket/x' IAM_ROLE 'r' ROUNDEC", "ROUNDEC"),
        ("COPY t FROM 'dynamodb://x' IAM_ROLE 'r'", "dynamodb"),
    ],
)
def test_what_it_cannot_do_it_refuses_by_name(house: Scratch, sql: str, name: str) -> None:
    with pytest.raises(WarehouseError, match="local warehouse") as raised:
        house.run(sql)
    assert name in str(raised.value)
    assert isinstance(raised.value.__cause__ or raised.value, UnsupportedError)


@pytest.mark.parametrize(
    "sql",
    [
        "VACUUM t",
        "ANALYZE t",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC",
        "ALTER TABLE t ALTER SORTKEY (word)",
        "COMMENT ON TABLE t IS 'x'",
    ],
)
def test_what_means_nothing_here_is_accepted(house: Scratch, sql: str) -> None:
    assert house.run(sql) == []


def test_a_parameter_takes_its_type_from_where_it_stands(house: Scratch) -> None:
    assert house.run("SELECT word FROM t WHERE id = :id", id="3") == [("b",)]
    assert house.run("SELECT word FROM t WHERE at >= :at AND word = :word", at="2026-01-03", word="a") == [("a",)]
    assert house.run("SELECT CAST(:n AS DECIMAL(5, 2))", n="1.25") == [(Decimal("1.25"),)]


def test_a_parameter_is_a_value_and_never_sql(house: Scratch) -> None:
    hostile = "' OR 1 = 1; DROP TABLE t; --"
    assert house.run("SELECT word FROM t WHERE word = :text", text=hostile) == []
    assert house.run("SELECT :text", text=hostile) == [(hostile,)]


def test_parameters_are_not_looked_for_in_strings_and_casts() -> None:
    assert names("SELECT ':a', b::varchar, :c FROM t WHERE x = :d -- :e") == {"c", "d"}


def test_a_transaction_that_fails_leaves_nothing(house: Scratch) -> None:
    with pytest.raises(WarehouseError):
        house.run("INSERT INTO t (word) VALUES ('c')", "INSERT INTO t (word) VALUES ('far too long')")
    assert house.run("SELECT * FROM t WHERE word = 'c'") == []


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("VACUUM t", "VACUUM"),
        ("-- wider\nALTER TABLE t ALTER COLUMN word TYPE VARCHAR(9)", "ALTER TABLE ALTER COLUMN"),
        ("ALTER TABLE t ALTER COLUMN word ENCODE LZO", "ALTER TABLE ALTER COLUMN"),
        ("CREATE DATABASE other", "CREATE DATABASE"),
        ("ALTER TABLE t APPEND FROM s", "ALTER TABLE APPEND"),
        ("COPY t FROM 's3://bucket/x/' IAM_ROLE 'r' JOB CREATE j AUTO ON", "COPY JOB"),
    ],
)
def test_some_statements_run_in_no_transaction(house: Scratch, sql: str, name: str) -> None:
    with pytest.raises(WarehouseError, match=f"{name} cannot run inside a transaction block"):
        house.run("SELECT 1", sql)


def test_truncate_commits_what_came_before_it(house: Scratch) -> None:
    house.run("CREATE TABLE emptied (a INTEGER)", "CREATE TABLE kept (a INTEGER)")
    with pytest.raises(WarehouseError):
        house.run("INSERT INTO kept VALUES (1)", "TRUNCATE emptied", "SELECT 1 FROM nowhere")
    assert house.run("SELECT a FROM kept") == [(1,)]


def test_a_percentile_and_the_median_of_the_same_values_are_taken(house: Scratch) -> None:
    assert house.run("SELECT MEDIAN(id), PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY id) FROM t") == [(2, 2)]


def test_a_temporary_table_lives_as_long_as_its_session(house: Scratch) -> None:
    assert house.run("CREATE TEMP TABLE s (LIKE t)", "INSERT INTO s SELECT * FROM t", "SELECT COUNT(*) FROM s") == [
        (3,)
    ]
    assert house.run("CREATE TABLE #s (a INTEGER)", "INSERT INTO #s VALUES (1)", "SELECT a FROM #s") == [(1,)]
    for name in ("s", "#s"):
        with pytest.raises(WarehouseError, match="does not exist"):
            house.run(f"SELECT * FROM {name}")


def test_a_table_like_another_holds_as_many_bytes_and_no_nulls(house: Scratch) -> None:
    for word, message in (("'longer'", "value too long"), ("NULL", "NULL value into column word")):
        with pytest.raises(WarehouseError, match=message):
            house.run("CREATE TEMP TABLE s (LIKE t)", f"INSERT INTO s (word) VALUES ({word})")


def test_identities_begin_where_they_were_told_to_whatever_was_there_before(house: Scratch) -> None:
    for _ in range(2):
        house.run("CREATE TABLE n (id BIGINT IDENTITY(5, 2), v INTEGER)", "INSERT INTO n (v) VALUES (1), (2)")
        assert house.run("SELECT id FROM n ORDER BY id") == [(5,), (7,)]
        house.run("DROP TABLE n")


def test_rows_are_merged_deleted_and_updated_by_other_tables(house: Scratch) -> None:
    house.run("CREATE TABLE a (k INTEGER, v VARCHAR(9))", "INSERT INTO a VALUES (1, 'old'), (2, 'keep'), (3, 'gone')")
    house.run(
        "CREATE TEMP TABLE b (k INTEGER, v VARCHAR(9))",
        "INSERT INTO b VALUES (1, 'new'), (4, 'more')",
        "MERGE INTO a USING b ON a.k = b.k WHEN MATCHED THEN UPDATE SET v = b.v"
        " WHEN NOT MATCHED THEN INSERT (k, v) VALUES (b.k, b.v)",
        "DELETE FROM a USING (SELECT 3 AS k) AS c WHERE a.k = c.k",
        "UPDATE a SET v = 'kept' FROM (SELECT 2 AS k) AS d WHERE a.k = d.k",
    )
    assert house.run("SELECT k, v FROM a ORDER BY k") == [(1, "new"), (2, "kept"), (4, "more")]


def test_what_was_committed_is_there_after_a_restart(tmp_path: Path) -> None:
    with scratch(tmp_path) as made:
        made.run("CREATE TABLE kept (a INTEGER)", "INSERT INTO kept VALUES (1)")
    (tmp_path / "w.duckdb").rename(tmp_path / "warehouse.duckdb")
    columns, records = query(tmp_path, "SELECT a, COUNT(*) FROM kept GROUP BY a")
    assert [column["name"] for column in columns] == ["a", "count"]
    assert records == [[{"longValue": 1}, {"longValue": 1}]]


def test_who_is_interrupted_while_waiting_for_a_table_never_writes(house: Scratch) -> None:
    house.run("CREATE TABLE waiting (a INTEGER)")
    house.warehouse.locks.take(other := Turn(), {"public.waiting": Mode.ALONE})
    with house.warehouse.session() as session, ThreadPoolExecutor() as pool:
        writing = pool.submit(session.run, ["INSERT INTO waiting VALUES (1)"])
        session.interrupt()
        with pytest.raises(duckdb.InterruptException):
            writing.result(10)
    house.warehouse.locks.end(other, committed=True)
    assert house.run("SELECT * FROM waiting") == []
