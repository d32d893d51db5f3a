"""Files that people have: each is read as its tweets, or refused in one line that says why and what was found."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import producer
import readers
from readers import InputError, read

TEXTS = ["Flood in Lima; water rising, again", 'She said "run"', "two\nlines", "Inundación"]


def texts_of(path: Path, text_column: str = "") -> list[str]:
    return [json.loads(line).get("text") for line in read(path, text_column)]


def table(delimiter: str, header: str) -> str:
    rows = [f'7{delimiter}"{text.replace(chr(34), chr(34) * 2)}"' for text in TEXTS]
    return "\n".join([delimiter.join(("Tweet ID", header)), *rows, ""])


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("header", ["text", "Tweet Text", "full_text", "TweetText", " Content "])
def test_any_delimiter_and_the_headers_people_use(tmp_path: Path, delimiter: str, header: str) -> None:
    file = tmp_path / "tweets.csv"
    file.write_text(table(delimiter, header))
    assert texts_of(file) == TEXTS
    assert json.loads(next(read(file)))["tweet_id"] == "7"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("packed", [False, True])
def test_unicode_of_any_width_gzipped_or_not(tmp_path: Path, encoding: str, packed: bool) -> None:
    data = table(";", "Tweet Text").encode(encoding)
    file = tmp_path / ("tweets.csv.gz" if packed else "tweets.csv")
    file.write_bytes(gzip.compress(data) if packed else data)
    assert texts_of(file) == TEXTS


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_gzipped_json_lines(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "tweets.jsonl.gz"
    file.write_bytes(gzip.compress("".join(json.dumps({"text": t}) + "\n" for t in TEXTS).encode(encoding)))
    assert texts_of(file) == TEXTS


def test_a_workbook(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["Tweet ID", "Created At", "Tweet Text"])
    for text in TEXTS:
        book.active.append([7.0, datetime(2026, 1, 2, 3), text])
    file = tmp_path / "tweets.xlsx"
    book.save(file)
    first = json.loads(next(read(file)))
    assert first == {"tweet_id": "7", "text": TEXTS[0], "created_at": "2026-01-02T03:00:00"}
    assert texts_of(file) == TEXTS


def test_a_folder_is_all_its_files_in_order(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "part-0002").write_text('{"text": "third"}\n')
    (tmp_path / "a.csv").write_text("text\nfirst\nsecond\n")
    (tmp_path / ".DS_Store").write_bytes(b"\0\0")
    assert texts_of(tmp_path) == ["first", "second", "third"]


def test_a_file_without_a_header_and_a_column_of_another_name(tmp_path: Path) -> None:
    file = tmp_path / "tweets.csv"
    file.write_text("1;a, b\n2;c\n")
    assert texts_of(file, "2") == ["a, b", "c"]
    file.write_text("one, two\nthree\nfour, five, six\n")
    assert texts_of(file, "1") == ["one, two", "three", "four, five, six"]
    file.write_text("id;Texto\n1;hola, tú\n")
    assert texts_of(file, "Texto") == ["hola, tú"]


def test_a_text_that_stands_alone_keeps_its_commas(tmp_path: Path) -> None:
    file = tmp_path / "tweets.csv"
    file.write_text("text\nFlood in Lima, water rising\n")
    assert texts_of(file) == ["Flood in Lima, water rising"]


def zipped(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, "x")
    return buffer.getvalue()


def database(folder: Path) -> bytes:
    with sqlite3.connect(folder / "db") as connection:
        connection.execute("CREATE TABLE t (x)")
    return (folder / "db").read_bytes()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"id;Texto;\x1b[31mred\n1;hola;x\n", "Found: 1 id, 2 Texto, 3 ?[31mred"),
        (b"a,b\n", "no column for the text. Found: 1 a, 2 b"),
        (b"%PDF-1.7 ...", "is a PDF"),
        (b"PAR1\x15\x04", "is a Parquet file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "old Excel workbook"),
        (zipped("tweets.csv"), "zip archive"),
        (zipped("xl/workbook.xml"), "workbook"),
        (bytes(range(256)) * 20, "is no text"),
        (gzip.compress(b"text\nhello\n" * 1000, mtime=0)[:-20], "damaged"),
        (gzip.compress(bytes(range(256)), mtime=0), "is no text"),
        (b"\n\n", "holds no tweets"),
        (b"text,id\n", "holds no tweets"),
        (b"", "holds no tweets"),
    ],
)
def test_what_cant_be_read_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, data: bytes, says: str
) -> None:
    monkeypatch.setattr(producer, "stream_of", lambda arguments: None)
    file = tmp_path / "tweets.csv"
    file.write_bytes(data)
    assert producer.main([str(file), "--stream", "s"]) == 2
    out, err = capsys.readouterr()
    assert says in err
    assert str(file) in err
    assert (out, err.count("\n")) == ("", 1)
    assert all(c.isprintable() or c == "\n" for c in err)


def test_a_database_is_named(tmp_path: Path) -> None:
    file = tmp_path / "tweets.db"
    file.write_bytes(database(tmp_path))
    with pytest.raises(InputError, match="SQLite"):
        list(read(file))


def test_an_unknown_column_is_refused_with_those_that_are_there(tmp_path: Path) -> None:
    file = tmp_path / "tweets.csv"
    file.write_text("id,text\n1,a\n")
    for wrong in ("Texto", "3", "0"):
        with pytest.raises(InputError, match=f"no column {wrong}. Found: 1 id, 2 text"):
            list(read(file, wrong))


@pytest.mark.parametrize("deep", [b"[" * 100_000, b'{"a":' * 100_000, b"[" * 900 + b"1" + b"]" * 900])
def test_what_is_nested_without_end_is_sent_as_it_stands_with_its_neighbours(tmp_path: Path, deep: bytes) -> None:
    file = tmp_path / "tweets.jsonl"
    file.write_bytes(b'{"text":"before"}\n' + deep + b'\n{"text":"after"}\n')
    lines = list(read(file))
    assert (lines[0], lines[-1]) == (b'{"text":"before"}\n', b'{"text":"after"}\n')
    assert len(lines) == 3
    file.write_bytes(deep + b'\n{"text":"after"}\n')
    assert list(read(file))[-1] == b'{"text":"after"}\n'


def test_a_dry_run_never_steers_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "tweets.jsonl"
    file.write_bytes(b'{"text":"\x1b]0;owned\x07\xc2\x9b31m"}\n')
    assert producer.main([str(file), "--dry-run"]) == 0
    assert all(c.isprintable() or c == "\n" for c in capsys.readouterr().out)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(
    st.binary(max_size=300) | st.text(alphabet='text,;\t"\n\r[{:}]', max_size=60).map(str.encode),
    st.sampled_from(["a.csv", "a.json", "a.jsonl", "a", "a.tsv", "a.xlsx"]),
    st.sampled_from(["", "1", "text"]),
    st.sampled_from([bytes, gzip.compress]),
)
def test_no_file_raises_anything_but_a_refusal(tmp_path: Path, data: bytes, name: str, column: str, pack: Any) -> None:
    file = tmp_path / name
    file.write_bytes(pack(data))
    try:
        assert all(line.endswith(b"\n") for line in read(file, column))
    except InputError as error:
        assert "\n" not in str(error).replace(str(file), "")


def test_the_names_of_the_fields_are_distinct() -> None:
    aliases = [readers._plain(alias) for names in readers.FIELDS.values() for alias in names]
    assert len(aliases) == len(set(aliases))
