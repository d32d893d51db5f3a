"""COPY loads from S3 what Redshift's would, whole or not at all, and says which line is to blame."""

import gzip
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.warehouse.copy import OPTIONS
from local.aws.warehouse import WarehouseError
from local.aws.warehouse.copy import parse
from tests.support.warehouses import Scratch, scratch

COPY = "COPY t FROM 's3://bucket/in/' IAM_ROLE 'arn:aws:iam::123456789012:role/r' "


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Scratch]:
    with scratch(tmp_path) as made:
        made.run(
            "CREATE TABLE t (a INTEGER NOT NULL, b VARCHAR(5), c SUPER, d TIMESTAMP, e BOOLEAN, f DOUBLE PRECISION,"
            " g INTEGER DEFAULT 7)"
        )
        yield made


def put(house: Scratch, key: str, *lines: Any, zipped: bool = False) -> None:
    body = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines) + b"\n"
    house.objects[key] = gzip.compress(body) if zipped else body


def test_json_is_loaded_by_its_keys(house: Scratch) -> None:
    put(house, "in/1", {"a": 1, "b": "x", "c": [{"d": 1}], "d": "2026-01-02 03:04:05.678", "e": True, "f": 1.5, "z": 9})
    put(house, "in/2", {"a": "2", "b": None})
    assert house.warehouse.execute(COPY + "FORMAT JSON 'auto'") == 2
    assert house.run("SELECT * FROM t ORDER BY a") == [
        (1, "x", '[{"d":1}]', datetime(2026, 1, 2, 3, 4, 5, 678000), True, 1.5, None),
        (2, None, None, None, None, None, None),
    ]


def test_columns_that_are_not_named_take_their_default(house: Scratch) -> None:
    put(house, "in/1", {"a": 1, "b": "x"})
    house.warehouse.execute(COPY.replace("COPY t", "COPY t (a, b)") + "JSON 'auto'")
    assert house.run("SELECT a, b, g FROM t") == [(1, "x", 7)]


def test_a_manifest_names_the_files(house: Scratch) -> None:
    put(house, "in/1", {"a": 1}, zipped=True)
    put(house, "in/2", {"a": 2}, zipped=True)
    entries = [{"url": "s3://bucket/in/2", "mandatory": True}, {"url": "s3://bucket/in/gone", "mandatory": False}]
    house.objects["m"] = json.dumps({"entries": entries}).encode()
    sql = "COPY t FROM 's3://bucket/m' IAM_ROLE 'r' MANIFEST GZIP JSON 'auto'"
    assert house.warehouse.execute(sql) == 1
    house.objects["m"] = json.dumps({"entries": [*entries, {"url": "s3://bucket/in/x", "mandatory": True}]}).encode()
    with pytest.raises(WarehouseError, match="NoSuchKey"):
        house.warehouse.execute(sql)
    assert house.run("SELECT a FROM t") == [(2,)]


def test_jsonpaths_name_what_goes_where(house: Scratch) -> None:
    put(house, "in/1", {"x": {"y": 5}, "l": ["p", "q"]})
    house.objects["paths"] = json.dumps({"jsonpaths": ["$['x']['y']", "$.l[1]"]}).encode()
    sql = COPY.replace("COPY t", "COPY t (a, b)") + "JSON 's3://bucket/paths'"
    assert house.warehouse.execute(sql) == 1
    assert house.run("SELECT a, b FROM t") == [(5, "q")]
    with pytest.raises(WarehouseError, match="Number of jsonpaths"):
        house.warehouse.execute(COPY + "JSON 's3://bucket/paths'")


def test_csv_has_a_header_quotes_and_nulls(house: Scratch) -> None:
    put(house, "in/1", b"a;b", b'1;"x;y"', b"2;\\N")
    sql = COPY.replace("COPY t", "COPY t (a, b)") + "CSV DELIMITER ';' IGNOREHEADER 1"
    assert house.warehouse.execute(sql) == 2
    assert house.run("SELECT a, b FROM t ORDER BY a") == [(1, "x;y"), (2, None)]


@pytest.mark.parametrize(("form", "value"), [("epochsecs", 1767323045), ("epochmillisecs", 1767323045000)])
def test_moments_may_be_seconds_or_milliseconds(house: Scratch, form: str, value: int) -> None:
    put(house, "in/1", {"a": 1, "d": value})
    house.warehouse.execute(COPY + f"JSON 'auto' TIMEFORMAT '{form}'")
    assert house.run("SELECT d FROM t") == [(datetime(2026, 1, 2, 3, 4, 5),)]


def test_a_line_that_is_to_blame_is_named_and_nothing_is_loaded(house: Scratch) -> None:
    put(house, "in/1", *({"a": n} for n in range(50)), b"not json", *({"a": n} for n in range(50)))
    with pytest.raises(WarehouseError, match=r"s3://bucket/in/1 line 51: Invalid JSON"):
        house.warehouse.execute(COPY + "JSON 'auto'")
    assert house.run("SELECT COUNT(*) FROM t") == [(0,)]
    logged = house.run("SELECT filename, line_number, raw_line FROM stl_load_errors")
    assert logged == [("s3://bucket/in/1", 51, "not json")]


def test_maxerror_lets_so_many_lines_go(house: Scratch) -> None:
    put(house, "in/1", {"a": 1}, b"{", {"a": "x"}, {"a": 2})
    assert house.warehouse.execute(COPY + "JSON 'auto' MAXERROR 2") == 2
    with pytest.raises(WarehouseError, match="failed"):
        house.warehouse.execute(COPY + "JSON 'auto' MAXERROR 1")
    assert house.run("SELECT a FROM t ORDER BY a") == [(1,), (2,)]


def test_bytes_are_counted_not_characters(house: Scratch) -> None:
    put(house, "in/1", {"a": 1, "b": "ééé"})
    with pytest.raises(WarehouseError, match="String length exceeds DDL length"):
        house.warehouse.execute(COPY + "JSON 'auto'")
    assert house.warehouse.execute(COPY + "JSON 'auto' TRUNCATECOLUMNS") == 1
    assert house.run("SELECT b FROM t") == [("éé",)]  # four bytes: the fifth would be half a character


def test_a_null_where_none_may_be_loads_nothing(house: Scratch) -> None:
    put(house, "in/1", {"b": "x"}, {"a": 1})
    with pytest.raises(WarehouseError, match="NULL value into column a"):
        house.warehouse.execute(COPY + "JSON 'auto'")
    assert house.run("SELECT * FROM t") == []


def test_a_file_that_is_no_gzip_is_named(house: Scratch) -> None:
    put(house, "in/1", {"a": 1})
    with pytest.raises(WarehouseError, match="in/1 can't be decompressed"):
        house.warehouse.execute(COPY + "JSON 'auto' GZIP")


def test_a_prefix_without_objects_is_an_error(house: Scratch) -> None:
    with pytest.raises(WarehouseError, match="prefix 'in/' does not exist"):
        house.warehouse.execute(COPY + "JSON 'auto'")


def test_invalid_characters_become_question_marks_where_that_is_asked_for(house: Scratch) -> None:
    put(house, "in/1", b'{"a": 1, "b": "x\xff\\u0000y"}')
    assert house.warehouse.execute(COPY + "JSON 'auto' ACCEPTINVCHARS") == 1
    assert house.run("SELECT b FROM t") == [("x??y",)]


def test_a_backslash_before_u0000_is_text_about_it_and_no_nul(house: Scratch) -> None:
    house.run("CREATE TABLE wide (a INTEGER, b VARCHAR(20))")
    put(house, "in/1", {"a": 1, "b": r"\u0000"}, {"a": 2, "b": "\0"}, {"a": 3, "b": "\\\0"})
    assert house.warehouse.execute(COPY.replace("COPY t", "COPY wide") + "JSON 'auto' ACCEPTINVCHARS") == 3
    assert house.run("SELECT b FROM wide ORDER BY a") == [(r"\u0000",), ("?",), ("\\?",)]


def test_a_nul_is_refused_where_no_character_may_stand_for_it(house: Scratch) -> None:
    put(house, "in/1", {"a": 1, "b": "x"}, {"a": 2, "b": "x\0"})
    with pytest.raises(WarehouseError, match="line 2: Invalid null byte"):
        house.warehouse.execute(COPY + "JSON 'auto'")


def test_a_line_that_is_no_object_is_refused_in_a_table_of_one_column_too(house: Scratch) -> None:
    house.run("CREATE TABLE one (b VARCHAR(9))")
    put(house, "in/1", {"b": "x"}, b"5")
    with pytest.raises(WarehouseError, match="line 2: Invalid JSON"):
        house.warehouse.execute(COPY.replace("COPY t", "COPY one") + "JSON 'auto'")


def test_keys_are_the_names_of_columns_unless_case_is_ignored(house: Scratch) -> None:
    put(house, "in/1", {"A": 1, "B": "x"})
    with pytest.raises(WarehouseError, match="NULL value into column a"):
        house.warehouse.execute(COPY + "JSON 'auto'")
    assert house.warehouse.execute(COPY + "JSON 'auto ignorecase'") == 1
    assert house.run("SELECT a, b FROM t") == [(1, "x")]


def test_a_fraction_is_no_integer_and_an_empty_text_no_moment(house: Scratch) -> None:
    put(house, "in/1", {"a": 1, "d": ""}, {"a": 1.5})
    assert house.warehouse.execute(COPY + "JSON 'auto' MAXERROR 1") == 1
    assert house.run("SELECT a, d FROM t") == [(1, None)]
    assert house.run("SELECT colname FROM stl_load_errors WHERE err_reason LIKE 'Invalid digit%'") == [("a",)]


def test_options_are_read_in_any_order() -> None:
    found = parse(
        "copy s.t (a, B) from 's3://b/k' credentials 'aws_iam_role=r' manifest FORMAT AS JSON 'auto' GZIP "
        "TIMEFORMAT AS 'auto' ACCEPTINVCHARS AS '^' COMPUPDATE OFF STATUPDATE OFF MAXERROR 3"
    )
    assert (found.table, found.columns, found.source) == ("s.t", ("a", "b"), "s3://b/k")
    assert (found.format, found.json) == ("JSON", "auto")
    wanted = ["MANIFEST", "GZIP", "TIMEFORMAT", "ACCEPTINVCHARS", "COMPUPDATE", "STATUPDATE", "MAXERROR", "CREDENTIALS"]
    assert sorted(found.options) == sorted(wanted)


@pytest.mark.parametrize(
    ("fault", "loaded", "fails"),
    [("copy_fails", 0, True), ("copy_fails_after_commit", 1, True), ("copy_twice", 2, False)],
)
def test_faults_do_what_they_are_called(house: Scratch, fault: str, loaded: int, fails: bool) -> None:
    put(house, "in/1", {"a": 1})
    house.faults.set({fault: 1.0})
    if fails:
        with pytest.raises(WarehouseError):
            house.warehouse.execute(COPY + "JSON 'auto'")
    else:
        house.warehouse.execute(COPY + "JSON 'auto'")
    assert house.run("SELECT COUNT(*) FROM t") == [(loaded,)]


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
supers = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.tuples(texts, supers), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_and_any_super_come_back_as_they_were(house: Scratch, rows: list[tuple[str, Any]]) -> None:
    house.run("DROP TABLE IF EXISTS u", "CREATE TABLE u (n INTEGER, b VARCHAR(MAX), c SUPER)")
    put(house, "in/1", *({"n": n, "b": text, "c": value} for n, (text, value) in enumerate(rows)))
    house.warehouse.execute(COPY.replace("COPY t", "COPY u") + "JSON 'auto'")
    found = house.run("SELECT b, c FROM u ORDER BY n")
    assert [(b, None if c is None else json.loads(c)) for b, c in found] == rows


hostile = st.lists(
    st.sampled_from(["\0", "\\", "u0000", "\\u0000", "é", "😀", '"', "{", "\n", "\u2028", " ", "\x7f"])
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
    max_size=12,
).map("".join)


def fitted(text: str, most: int) -> str:
    return text.encode()[:most].decode(errors="ignore")


@given(st.lists(st.tuples(hostile, st.integers(-(10**30), 10**30)), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_stops_a_load_with_the_options_of_the_app(house: Scratch, rows: list[tuple[str, int]]) -> None:
    house.run("DROP TABLE IF EXISTS u", "CREATE TABLE u (n INTEGER, b VARCHAR(11), c SUPER)")
    put(house, "in/1", *({"n": n, "b": text, "c": [number]} for n, (text, number) in enumerate(rows)), zipped=True)
    assert house.warehouse.execute(COPY.replace("COPY t", "COPY u") + OPTIONS) == len(rows)
    found = house.run("SELECT b, c FROM u ORDER BY n")
    assert [b for b, _ in found] == [fitted(text.replace("\0", "?"), 11) for text, _ in rows]
    assert [json.loads(c) for _, c in found] == [[number] for _, number in rows]
