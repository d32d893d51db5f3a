"""Run a function over the attack corpus in this process; print for each attack its CPU seconds and the peak so far.

python -m tests.support.peak transform|reconcile|erase|jobs|api_handler [ATTACK...]
"""

from __future__ import annotations

import gzip
import io
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import boto3

from chalicelib import clients, layout
from tests.support import attack_corpus
from tests.support.aws_in_memory import SETTINGS, aws, event, results

NOW = datetime(2026, 2, 3, 4, tzinfo=UTC)


def transform(name: str) -> None:
    """Transform a batch of the corpus; every record is answered."""
    from chalicelib.transform import handler

    records = attack_corpus.BATCHES[name]()
    sent = event(*records)
    assert len(json.dumps(sent)) <= 6_000_000, "Lambda takes no larger request"
    with aws():
        answered = handler.transform(sent, None)
    assert len(results(answered)) == len(records)


class Bucket:
    """An S3 client whose bucket holds `count` objects of one body under a prefix, and forgets what is put."""

    def __init__(self, body: bytes, prefix: str, count: int) -> None:
        self.body = body
        self.keys = [f"{prefix}{n:02}-1000000.ndjson.gz" for n in range(count)]

    def get_object(self, **_: Any) -> dict[str, Any]:
        return {"Body": io.BytesIO(self.body)}

    def put_object(self, **_: Any) -> None:
        pass

    def get_paginator(self, _: str) -> Bucket:
        return self

    def paginate(self, **_: Any) -> Iterator[dict[str, Any]]:
        yield {"Contents": [{"Key": key, "Size": len(self.body), "LastModified": NOW} for key in self.keys]}


def reconcile(name: str) -> None:
    """Read rejected files, sixteen of them, or one file of Firehose's, as a reconciliation of their hour does."""
    from chalicelib.reconcile import firehose_failures, refusals
    from chalicelib.reconcile.hours import Range
    from chalicelib.reconcile.job import Deadlines, Job, Run

    spans, deadline = [Range(NOW, NOW + timedelta(hours=1))], time.monotonic() + 900
    if made := attack_corpus.REJECTED.get(name):
        bucket = Bucket(made(), "rejected/dt=2026-02-03/hh=04/", 16)
    else:
        bucket = Bucket(attack_corpus.GIVEN_UP[name](), f"{layout.FAILED}2026/02/03/04/", 1)
    with (
        mock.patch.object(clients, "s3", lambda: bucket),
        mock.patch.object(firehose_failures, "missing", lambda *_: {}),
    ):
        if made:
            assert refusals.count("bucket", spans, deadline).files == 16
        else:
            job = Job("peak", NOW, timedelta(), repair=True, asked_for=False, sweep=False)
            run = Run(job, "bucket", "reports/", SETTINGS.copy_role_arn, Deadlines(deadline, deadline))
            assert len(firehose_failures.find(run, spans)) == 1


def api_handler(name: str) -> None:
    """Check labelled data of as many bytes as a request checks."""
    from chalicelib.comprehend import labelled

    line = {"newlines": "\n", "short documents": "relevant,a\n", "labels": "{n},x\n", "no UTF-8": "\udcff\n"}[name]
    size, made = 0, re.compile("{n}")

    def lines() -> Iterator[bytes]:
        nonlocal size
        while size < labelled.CHECKED_BYTES:
            yield (found := made.sub(str(size), line).encode(errors="surrogateescape"))
            size += len(found)

    assert labelled.check(lines(), complete=True).problems


def jobs(name: str) -> None:
    """Draw the sample of an evaluation from labelled data of more bytes than the function may take memory."""
    from chalicelib.comprehend import evaluation, labelled

    document = b"flood,%d " + {"long documents": b"water " * 1600}[name] + b"\n"
    lines = (document % number for number in range(600 * 1024**2 // len(document)))
    assert len(evaluation.draw(lines, labelled.Checked(complete=False), 500)) == 500


ONE_LINE = "a backup of one line"


def erase(name: str) -> None:
    """Look through refused or failed records, one file more than are read at once or one, and a backup of one line."""
    from chalicelib.erasures import run, stores

    kind, count, threads = stores.FAILED, 1, run.THREADS_OF_LARGE
    if name == ONE_LINE:
        tweet = b'{"tweet_id":"1","text":"\xc3\xa9 %b"}' % (b"flood " * 54)
        kind, count, body = stores.SOURCE, threads + 1, gzip.compress(tweet * 160_000, 1)
    elif made := attack_corpus.REJECTED.get(name):
        threads = run.THREADS_OF_REFUSED
        kind, count, body = stores.REJECTED, threads + 1, made()
    else:
        body = attack_corpus.GIVEN_UP[name]()
    bucket = Bucket(body, kind.prefix, count)
    versions = [stores.Version(kind, key, "null", True, len(body), NOW) for key in bucket.keys]
    this = run.Pass("", NOW, time.monotonic() + 900, NOW)
    with mock.patch.object(clients, "s3", lambda: bucket):
        assert len(list(run.each_version("bucket", this, {"0" * 64}, versions, threads))) == count


FUNCTIONS: dict[str, tuple[Callable[[str], None], list[str]]] = {
    "transform": (transform, [*attack_corpus.BATCHES]),
    "reconcile": (reconcile, [*attack_corpus.REJECTED, *attack_corpus.GIVEN_UP]),
    "erase": (erase, ["files of many refusals", "files of one long line", *attack_corpus.GIVEN_UP, ONE_LINE]),
    "jobs": (jobs, ["long documents"]),
    "api_handler": (api_handler, ["newlines", "short documents", "labels", "no UTF-8"]),
}


def main(function: str, *names: str) -> None:
    run, every = FUNCTIONS[function]
    boto3.client("s3", region_name="us-east-1")  # what every function has in memory
    for name in names or every:
        began = time.process_time()
        run(name)
        peak = most_memory() / 1024
        found = {"attack": name, "seconds": round(time.process_time() - began, 2), "peak_mib": round(peak)}
        sys.stderr.write(json.dumps(found) + "\n")


def most_memory() -> int:
    """Return the most memory that this process has had, in KiB.

    Not `ru_maxrss`: a process takes that over from the one that started it, which may be a large test runner (proc(5)).
    """
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])  # type: ignore[index]


if __name__ == "__main__":
    main(*sys.argv[1:])
