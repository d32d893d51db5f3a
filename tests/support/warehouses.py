"""A warehouse without the rest of AWS: DuckDB behind Redshift's SQL, with S3 a dictionary."""

from __future__ import annotations

import gzip
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import orjson

from chalicelib.columns import NAMES
from chalicelib.reconcile import repeats
from chalicelib.warehouse import copy, migrations
from local.aws.faults import Faults
from local.aws.warehouse import Warehouse

ROLE = "arn:aws:iam::123456789012:role/copy"


class Scratch:
    """One warehouse and the objects of its one bucket, called `bucket`."""

    def __init__(self, home: Path) -> None:
        self.objects: dict[str, bytes] = {}
        self.faults = Faults()
        self._file = home / "w.duckdb"

    @cached_property
    def warehouse(self) -> Warehouse:
        """The warehouse, opened when it is first asked for."""
        return Warehouse(self._file, lambda _, key: self.objects[key], self._keys, self._put, self.faults)

    def _put(self, bucket: str, key: str, content: bytes) -> None:
        if bucket != "bucket":
            raise KeyError(bucket)
        self.objects[key] = content

    def _keys(self, _: str, prefix: str) -> list[str]:
        return sorted(key for key in self.objects if key.startswith(prefix))

    def run(self, *statements: str, **parameters: str) -> list[tuple[Any, ...]]:
        """The rows of the last of these statements, run as one transaction."""
        with self.warehouse.session() as session:
            return session.run(statements, parameters, alone=len(statements) == 1)[-1].rows or []

    def set_up(self) -> Scratch:
        """Apply the migrations, before anything else; a process does that once, and copies the file."""
        assert "warehouse" not in vars(self), "it is open already"
        shutil.copyfile(_migrated(), self._file)
        return self

    def load(self, *tweets: Mapping[str, Any], key: str = "tweets/dt=2026-01-02/hh=03/a-1.ndjson.gz") -> int:
        """Rows as the transform would write them: what isn't said of a tweet is made up."""
        rows = [row(key, line, tweet) for line, tweet in enumerate(tweets, 1)]
        return self.copy(key, gzip.compress(b"\n".join(map(orjson.dumps, rows))))

    def copy(self, key: str, body: bytes) -> int:
        """Puts a tweet file and loads it: how many rows."""
        self.objects[key] = body
        return self.warehouse.execute(
            copy.statement(f"s3://bucket/{key}", ROLE, "disaster.disaster_tweets", NAMES, manifest=False)
        )

    def find_repeats(self) -> Scratch:
        """What a run with a sweep does about tweets that came more than once."""
        asked = (repeats.SQL["new_and_known"], repeats.SQL["repeats"], repeats.SQL["outdated"], repeats.SQL["found"])
        self.run(*asked, **dict.fromkeys(("since", "loaded_since", "last_since"), "1970-01-01 00:00:00"))
        return self

    def line(self, key: str, number: int) -> dict[str, Any]:
        """What the line of a tweet file says, counted from 1."""
        found: dict[str, Any] = orjson.loads(gzip.decompress(self.objects[key]).splitlines()[number - 1])
        return found


def row(key: str, line: int, tweet: Mapping[str, Any]) -> dict[str, Any]:
    made_up = {
        "original_text": "River over its banks",
        "cleaning_text": "River over its banks",
        "disaster_label": "flood",
        "classifier_score": 0.9,
        "arrived_datetime_from_kinesis": 1_767_322_800_000,
        "processing_time": 0.00001,
        "relevance_label": "relevant",
        "relevance_score": 0.8,
        "tweet_key": f"{abs(hash((key, line))):032x}"[:32],
        "keywords": [{"prefix": "", "word": "river", "suffix": "over its banks", "theme": "flood"}],
        "classifier_version": "bundled-1",
        "s3_key": key,
        "s3_line": line,
        "truncated": False,
        "arrived_at": "2026-01-02 03:00:00.000",
    }
    return {**dict.fromkeys(NAMES), **made_up, **tweet}


@cache
def _migrated() -> Path:
    """Return the file of a warehouse that has all migrations, and nobody open."""
    made = Scratch(Path(tempfile.mkdtemp(prefix="migrated-")))
    with made.warehouse.session() as session:
        for migration in migrations.read():
            planned = migrations.transaction(migration)
            if planned.alone:
                session.run([planned.alone], alone=True)
            session.run(planned.statements, planned.parameters)
    made.warehouse.close()
    return made._file


@contextmanager
def scratch(home: Path) -> Iterator[Scratch]:
    made = Scratch(home)
    try:
        yield made
    finally:
        made.warehouse.close()


def packed(*rows: Mapping[str, Any]) -> bytes:
    """Return rows as the content of a tweet file."""
    return gzip.compress(b"\n".join(map(orjson.dumps, rows)))


def hours_in(url: str) -> str:
    """Return the COPY of a comparison's hours."""
    return copy.statement(url, ROLE, "listed_hour", ("hour", "hour_key"), manifest=False)


def keys_in(url: str) -> str:
    """Return the COPY of the keys of files that are repaired."""
    return copy.statement(url, ROLE, "repair_file", ("s3_key", "expected_rows"), manifest=False)
