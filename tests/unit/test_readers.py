"""Files that people have: each is read as its tweets, or refused in one line that says why and what was found."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
import zipfile
from datetime import date, datetime
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


@pytest.mark.parametrize(
    ("field", "headers"),
    [
        ("tweet_id", "tweet_id id id_str status_id"),
        (
            "text",
            "text full_text tweet_text tweet original_text content tweet_content message post body",
        ),
        ("user_id", "user_id author_id"),
        ("created_at", "created_at timestamp tweet_created_at datetime date"),
        ("location", "location user_location"),
        ("lang", "lang language"),
        ("source_keyword", "source_keyword keyword"),
    ],
)
def test_each_field_goes_by_the_headers_that_people_give_it_the_best_one_first(
    tmp_path: Path, field: str, headers: str
) -> None:
    file = tmp_path / "tweets.csv"
    names = headers.split()
    for at, name in enumerate(names):
        others = [*reversed(names[at + 1 :]), "text"] if field != "text" else [*reversed(names[at + 1 :])]
        file.write_text(f"{','.join(others)},{name.upper()}\n{','.join(['x'] * len(others))},this\n")
        [line] = read(file)
        assert json.loads(line)[field] == "this"


def test_a_header_of_many_columns_is_shown_in_part(tmp_path: Path) -> None:
    file = tmp_path / "tweets.csv"
    file.write_text(",".join(f"c{n}" for n in range(11)) + f",{'x' * 50}\n")
    with pytest.raises(InputError, match=f"11 c10, 12 {'x' * 40}. Name it with --text-column NAME, or with its number"):
        list(read(file))
    file.write_text(",".join(f"c{n}" for n in range(1013)) + "\n")
    with pytest.raises(InputError, match=r"12 c11 and 1,001 more\. Name"):
        list(read(file))


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"%PDF-1.7", "a PDF"),
        (b"\xd0\xcf\x11\xe0\xa1", "an old Excel workbook (.xls): save it as .xlsx or CSV"),
        (b"PAR1", "a Parquet file: convert it to CSV or JSON Lines"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"\x89PNG\r\n", "a picture"),
        (b"\xff\xd8\xff\xe0", "a picture"),
        (b"BZh9", "bzip2: unpack it first"),
        (b"\xfd7zXZ\0", "xz: unpack it first"),
        (b"(\xb5/\xfd", "zstd: unpack it first"),
        (b"PK\x03\x04", "a zip archive: unpack it first"),
    ],
)
def test_what_is_no_text_is_named_with_what_to_do(tmp_path: Path, start: bytes, kind: str) -> None:
    with pytest.raises(InputError) as refused:
        readers.check_text(tmp_path / "f", start)
    assert str(refused.value) == f"{tmp_path / 'f'} is {kind}"


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


def test_of_a_workbook_the_first_sheet_counts_and_of_a_formula_the_value_that_was_kept(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["id", "text", "date"], [7.5, "a", date(2026, 1, 2)], [8, '="a"&"b"', None], [9, True, None]):
        book.active.append(row)
    book.create_sheet("other").append(["text"])
    file = tmp_path / "tweets.xlsx"
    book.save(file)
    assert [json.loads(line) for line in read(file)] == [
        {"tweet_id": "7.5", "text": "a", "created_at": "2026-01-02T00:00:00"},
        {"tweet_id": "8"},
        {"tweet_id": "9", "text": "True"},
    ]


def test_a_folder_is_all_its_files_in_order(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "part-0002").write_text('{"text": "third"}\n')
    (tmp_path / "a.csv").write_text("text\nfirst\nsecond\n")
    (tmp_path / ".DS_Store").write_bytes(b"\0\0")
    assert texts_of(tmp_path) == ["first", "second", "third"]


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("x")
    with pytest.raises(InputError, match=f"{tmp_path} holds no files"):
        list(read(tmp_path))


@pytest.mark.parametrize("name", ["tweets.json", "tweets", "tweets.txt"])
def test_a_json_document_over_many_lines_is_its_tweets_whatever_the_name(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    first, second, payload = {"text": "á"}, {"text": "\ud800"}, {"data": [{"text": "c"}]}
    lines = ['{"text":"á"}\n'.encode(), b'{"text":"\\ud800"}\n', b'{"data":{"text":"c"}}\n']
    for document, wanted in (([first, [second, payload]], lines), (first, lines[:1]), (second, lines[1:2])):
        for mark in ("", "\ufeff", " \r\n\t"):
            file.write_bytes(mark.encode() + json.dumps(document, indent=2).encode())
            assert list(read(file)) == wanted


def test_a_table_is_no_json_though_it_begins_like_it(tmp_path: Path) -> None:
    for name in ("tweets.csv", "tweets.tsv", "tweets.csv.gz"):
        file = tmp_path / name
        file.write_bytes(b"[id],text\n1,a\n")
        assert texts_of(file) == ["a"]


def test_line_ends_within_a_text_stay_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "tweets.csv"
    file.write_bytes(b'text\r\n"two\r\nlines\rmore"\r\n')
    assert texts_of(file) == ["two\r\nlines\rmore"]


def test_the_delimiter_is_the_one_under_which_the_header_names_the_text_though_rows_differ(tmp_path: Path) -> None:
    file = tmp_path / "tweets.csv"
    file.write_text("id;text\n1;a;b\n")
    assert texts_of(file) == ["a"]
    file.write_text("id;Texto\n1;hola, tú;x\n")
    assert texts_of(file, "Texto") == ["hola, tú"]


def test_where_nothing_is_named_the_delimiter_makes_most_cells_and_tabs_are_the_first_in_a_file_of_tabs(
    tmp_path: Path,
) -> None:
    csv, tsv = tmp_path / "tweets.csv", tmp_path / "tweets.tsv"
    for file, wanted in ((tsv, ["a, b", "c, d"]), (csv, ["b", "d"])):
        file.write_text("1\ta, b\n2\tc, d\n")
        assert [text.strip() for text in texts_of(file, "2")] == wanted
    csv.write_text("1,a;b;c\n2,d;e;f\n")
    assert texts_of(csv, "2") == ["b", "e"]


def test_a_file_is_told_by_its_beginning_and_never_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its size doesn't matter: memory stays flat."""
    asked: list[int | None] = []

    class Noting(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            asked.append(size)
            return super().read(size)

        def read1(self, size: int | None = -1) -> bytes:
            asked.append(size)
            return super().read1(size)

    monkeypatch.setattr(readers, "_open", lambda path: Noting(path.read_bytes()))
    for name, line in (("a.csv", "text\nhello\n"), ("a.jsonl", '{"text":"hello"}\n')):
        for encoding in ("utf-8", "utf-16"):
            file = tmp_path / name
            file.write_bytes((line * 100).encode(encoding))
            assert texts_of(file)[0] == "hello"
    assert max(size if size and size >= 0 else 1 << 60 for size in asked) <= 4 << 20


@pytest.mark.parametrize(
    ("start", "wanted"),
    [
        (("a" * 9 + "漢").encode("utf-16-le"), "utf-16-le"),  # more than four of five characters are ASCII
        (("a" * 9 + "漢").encode("utf-16-be"), "utf-16-be"),
        (("a" * 8 + "漢漢").encode("utf-16-le"), ""),
        ("aaaa".encode("utf-16-le"), "utf-16-le"),
        ("aaa".encode("utf-16-le"), ""),
        (("a" * 9 + "\0").encode("utf-16-le"), ""),  # zeros on both sides
        (("a" * 20 + "\0").encode("utf-16-le"), "utf-16-le"),
        ("漢".encode("utf-16"), "utf-16"),
        (b"\xfe\xff" + "漢".encode("utf-16-be"), "utf-16"),
        ("漢".encode("utf-32"), "utf-32"),
        (b"\0\0\xfe\xff" + "漢".encode("utf-32-be"), "utf-32"),
        (b"plain text", ""),
    ],
)
def test_wide_characters_are_told_by_their_mark_or_their_zeros(start: bytes, wanted: str) -> None:
    assert readers._wide(start) == wanted


@pytest.mark.parametrize(("controls", "text"), [(5, True), (6, False)])
def test_a_text_may_have_a_control_character_in_twenty(tmp_path: Path, controls: int, text: bool) -> None:
    start = b"\x01" * controls + b"x" * (100 - controls)
    if text:
        readers.check_text(tmp_path, start)
    else:
        with pytest.raises(InputError, match=f"{tmp_path} is no text: CSV, JSON Lines, xlsx, each gzipped or not"):
            readers.check_text(tmp_path, start)


def test_a_file_without_a_header_and_a_column_of_another_name(tmp_path: Path) -> None:
    file = tmp_path / "tweets.csv"
    file.write_text("1;a, b\n2;c\n")
    assert texts_of(file, "2") == ["a, b", "c"]
    file.write_text("one, two\nthree\nfour, five, six\n")
    assert texts_of(file, "1") == ["one, two", "three", "four, five, six"]
    file.write_text("id;Texto\n1;hola, tú\n")
    assert texts_of(file, "Texto") == ["hola, tú"]


def test_a_column_without_a_name_is_not_the_text(tmp_path: Path) -> None:
    """pandas writes its index so."""
    file = tmp_path / "tweets.csv"
    file.write_text(",id,text\n0,7,hello\n1,8,you\n")
    assert texts_of(file) == ["hello", "you"]


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
        (b"text\n" + b"hello " * 50 + b"\0\n", "is no text"),
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


@pytest.mark.parametrize("name", ["tweets.jsonl.gz", "tweets.csv.gz"])
def test_a_file_that_is_damaged_far_from_its_beginning_is_refused_once_that_is_reached(
    tmp_path: Path, name: str
) -> None:
    file = tmp_path / name
    random_lines = b"".join(b'{"text":"%d"}\n' % (n * 7_919_999) for n in range(20_000))
    file.write_bytes(gzip.compress(b"text\n" + random_lines)[:-20])
    with pytest.raises(InputError, match=f"{file} is gzipped and damaged: Compressed file ended"):
        list(read(file))


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
