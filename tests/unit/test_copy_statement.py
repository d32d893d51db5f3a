"""COPY takes no parameters: its text is built from values that are plainly what they should be, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.warehouse.copy import OPTIONS, UnsafeLiteralError, statement

URL = "s3://disaster-tweets-dev/reports/work/files.manifest"
ROLE = "arn:aws:iam::123456789012:role/disaster-tweets-dev/copy+1=a,b.c@d-e"
TABLE, COLUMNS = "disaster.disaster_tweets", ("original_text", "s3_key")


def test_it_names_table_columns_source_role_and_how_to_read() -> None:
    how = "FORMAT JSON 'auto' GZIP TIMEFORMAT 'auto' TRUNCATECOLUMNS ACCEPTINVCHARS COMPUPDATE OFF"
    into = f"COPY disaster.disaster_tweets (original_text, s3_key) FROM '{URL}' IAM_ROLE '{ROLE}'"
    assert statement(URL, ROLE, TABLE, COLUMNS) == f"{into} MANIFEST {how}"
    assert statement(URL, ROLE, TABLE, COLUMNS, manifest=False) == f"{into} {how}"


def test_options_may_be_others() -> None:
    assert statement(URL, ROLE, "repair_file", COLUMNS, options="FORMAT CSV").endswith(f"'{ROLE}' MANIFEST FORMAT CSV")
    assert statement(URL, ROLE, TABLE, COLUMNS).endswith(OPTIONS)


@pytest.mark.parametrize(
    "url",
    [
        "s3://a/key", "s3://-bucket/key", "s3://bucket-/key", "s3://Bucket/key", "s3://bucket", "s3://bucket/",
        "http://bucket/key", f"s3://{'b' * 64}/key", f"s3://bucket/{'k' * 901}", "s3://bucket/a'b", "s3://bucket/a b",
        "s3://bucket/a;b", "s3://bucket/\u00e9", "s3://bucket/key\n", "",
    ],
)  # fmt: skip
def test_what_is_no_s3_url_is_refused(url: str) -> None:
    with pytest.raises(UnsafeLiteralError, match="can't be an S3 URL in a COPY"):
        statement(url, ROLE, TABLE, COLUMNS)


@pytest.mark.parametrize("url", [f"s3://{'b' * 63}/{'k' * 900}", "s3://b1b/!*()/=+,:@-._", "s3://a.b-c/k"])
def test_urls_of_any_tweet_file_or_manifest_are_taken(url: str) -> None:
    assert f"FROM '{url}' " in statement(url, ROLE, TABLE, COLUMNS)


@pytest.mark.parametrize(
    "role",
    [
        "arn:aws:iam::12345678901:role/copy", "arn:aws:iam::123456789012:user/copy", "arn:aws:iam::123456789012:role/",
        "arn:aws:iam::123456789012:role/a'b", "arn:aws:s3::123456789012:role/copy", "default",
        f"arn:aws:iam::123456789012:role/{'r' * 513}", "arn:aws:iam::\u0661\u0662\u0663456789012:role/copy",
    ],
)  # fmt: skip
def test_what_is_no_role_is_refused(role: str) -> None:
    with pytest.raises(UnsafeLiteralError, match="can't be a role's ARN in a COPY"):
        statement(URL, role, TABLE, COLUMNS)


def test_roles_of_other_partitions_are_taken() -> None:
    assert "aws-us-gov" in statement(URL, f"arn:aws-us-gov:iam::123456789012:role/{'r' * 512}", TABLE, COLUMNS)


@pytest.mark.parametrize("name", ["", "1a", "a-b", "A", "a b", "a;", 'a"', "a" * 128, "a.b.", "\u00e9"])
def test_what_is_no_identifier_is_refused(name: str) -> None:
    with pytest.raises(UnsafeLiteralError, match="can't be a table in a COPY"):
        statement(URL, ROLE, name, COLUMNS)
    with pytest.raises(UnsafeLiteralError, match="can't be a column in a COPY"):
        statement(URL, ROLE, TABLE, ["fine", name])


def test_the_longest_identifier_is_taken() -> None:
    assert statement(URL, ROLE, "_" + "a" * 126, ["b" * 127])


@given(st.text(), st.text(), st.text(), st.text())
def test_no_text_ends_a_literal(url: str, role: str, table: str, column: str) -> None:
    try:
        text = statement(f"s3://bucket/{url}", f"arn:aws:iam::123456789012:role/{role}", f"t{table}", [f"c{column}"])
    except UnsafeLiteralError:
        return
    assert text.count("'") == 4 + OPTIONS.count("'")
    assert ";" not in text
