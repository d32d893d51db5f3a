"""UNLOAD writes an answer to S3 as Parquet, and refuses what Redshift does."""

import io
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from local.aws.warehouse import WarehouseError
from tests.support.warehouses import Scratch, scratch

TO = "TO 's3://bucket/out/' IAM_ROLE 'arn:aws:iam::123456789012:role/r' "


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Scratch]:
    with scratch(tmp_path) as made:
        made.run("CREATE TABLE t (a INTEGER, b VARCHAR(20), c SUPER, d TIMESTAMP)")
        made.run("INSERT INTO t VALUES (1, 'it''s', JSON_PARSE('[1]'), '2026-01-02 03:04:05'), (2, NULL, NULL, NULL)")
        yield made


@pytest.mark.parametrize(
    "query", ["'SELECT * FROM t WHERE b <> '''' OR b IS NULL ORDER BY a'", "$$SELECT * FROM t ORDER BY a$$"]
)
def test_the_answer_is_a_parquet_file(house: Scratch, query: str) -> None:
    assert house.warehouse.execute(f"UNLOAD ({query}) {TO} FORMAT AS PARQUET") == 2
    assert list(house.objects) == ["out/0000_part_00.parquet"]
    found = pq.read_table(io.BytesIO(house.objects["out/0000_part_00.parquet"]))
    assert found.to_pydict() == {
        "a": [1, 2],
        "b": ["it's", None],
        "c": ["[1]", None],
        "d": [datetime(2026, 1, 2, 3, 4, 5), None],
    }


def test_what_is_there_is_overwritten_only_where_that_is_said(house: Scratch) -> None:
    unload = f"UNLOAD ('SELECT a FROM t') {TO} PARQUET PARALLEL OFF "
    house.objects["out/000.parquet"] = b"old"
    with pytest.raises(WarehouseError, match="destination on S3 is not empty"):
        house.warehouse.execute(unload)
    assert house.objects["out/000.parquet"] == b"old"
    house.warehouse.execute(unload + "ALLOWOVERWRITE")
    assert pq.read_table(io.BytesIO(house.objects["out/000.parquet"])).num_rows == 2


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        (f"UNLOAD ('SELECT a FROM t LIMIT 1') {TO} PARQUET", "Limit clause"),
        (f"UNLOAD ('SELECT a FROM t') {TO} PARQUET GZIP", "GZIP is not supported"),
        (f"UNLOAD ('SELECT a FROM t') {TO} PARQUET HEADER", "HEADER is not supported"),
        (f"UNLOAD ('DELETE FROM t') {TO} PARQUET", "syntax error"),
        ("UNLOAD ('SELECT a FROM t') TO 's3://bucket/out/' PARQUET", "syntax error"),
        ("UNLOAD ('SELECT a FROM t') TO 'out' IAM_ROLE DEFAULT PARQUET", "no S3 URL"),
        ("UNLOAD ('SELECT a FROM t') TO 's3://nowhere/out/' IAM_ROLE DEFAULT PARQUET", "NoSuchBucket"),
        (f"UNLOAD ('SELECT z FROM t') {TO} PARQUET", 'column "z" does not exist'),
    ],
)
def test_what_redshift_refuses_is_refused(house: Scratch, sql: str, said: str) -> None:
    with pytest.raises(WarehouseError, match=said):
        house.run(sql)
    assert not house.objects and house.run("SELECT COUNT(*) FROM t") == [(2,)]


def test_an_inner_limit_is_taken(house: Scratch) -> None:
    assert house.warehouse.execute(f"UNLOAD ('SELECT * FROM (SELECT a FROM t ORDER BY a LIMIT 1)') {TO} PARQUET") == 1


def test_who_may_not_read_may_not_unload(house: Scratch) -> None:
    house.run("CREATE USER reader PASSWORD DISABLE")
    unload = f"UNLOAD ('SELECT a FROM public.t') {TO} PARQUET"
    with pytest.raises(WarehouseError, match="permission denied"):
        house.warehouse.execute(unload, "reader")
    house.run("GRANT SELECT ON public.t TO reader")
    assert house.warehouse.execute(unload, "reader") == 2
