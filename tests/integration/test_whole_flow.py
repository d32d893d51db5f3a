"""From a put to the warehouse, with the real code: nothing is lost, and every row is where it says it is."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import boto3
import requests

import producer
from chalicelib.transform.unpack import unpack
from tests.support import ROOT
from tests.support.admin_api import finished
from tests.support.homes import copied
from tests.support.plain_client import NAME, TABLE, files, keys, put, query, until
from tests.support.served import Served, ended, served

REAL = ROOT.parent / "shared" / "data" / "crowdflower" / "disasters_on_social_media.csv"
TWEETS = 2000  # of the file
SAMPLE = ROOT / "data" / "sample_tweets.csv"


def test_a_kill_in_the_middle_loses_nothing_and_every_row_points_at_itself(prepared: Path, tmp_path: Path) -> None:
    source = REAL if REAL.exists() else SAMPLE
    records = [json.loads(line) | {"tweet_id": f"t{n}"} for n, line in enumerate(islice(producer.read(source), TWEETS))]
    lines = [json.dumps(record).encode() for record in records]
    half = len(lines) // 2
    with served(copied(prepared, tmp_path), "--delivery", "firehose", "--look-every", "1") as aws:
        put(aws.client("firehose"), lines[:half])
        until(lambda: count(aws) > 0)
        until(lambda: scheduled(aws))
        put(aws.client("firehose"), lines[half : half + half // 2])
        aws.kill()  # of these, some are on their way and some still in the buffer
    with served(tmp_path, "--delivery", "firehose") as aws:
        put(aws.client("firehose"), lines[half + half // 2 :])
        s3 = aws.client("s3")

        def rejected() -> int:
            return sum(len(found) for _, found in files(s3, "rejected/dt="))

        until(lambda: count(aws) + rejected() >= len(lines))
        finished(aws.admin_url, "/reconciliations", {"repair": True, "grace_seconds": 0})

        usable = [record["tweet_id"] for record, line in zip(records, lines, strict=True) if unpack(line)[0]]
        without_text = len(lines) - len(usable)
        assert rejected() == without_text
        rows = query(aws, f"SELECT tweet_id, s3_key, s3_line, original_text FROM {TABLE}")
        assert len(rows) == len(lines) - without_text
        assert {row[0] for row in rows} == set(usable)
        stored = dict(files(s3, "tweets/"))
        assert {(key, line) for _, key, line, _ in rows} == {
            (key, line) for key, found in stored.items() for line in range(1, len(found) + 1)
        }
        for tweet_id, key, line, text in rows:
            assert (stored[key][line - 1]["tweet_id"], stored[key][line - 1]["original_text"]) == (tweet_id, text)
        names = [re.fullmatch(r"tweets/dt=\d{4}-\d\d-\d\d/hh=\d\d/.+-(\d+)\.ndjson\.gz", key) for key in stored]
        named = [int(name[1]) for name in names if name]
        assert len(named) == len(stored)
        assert sum(named) == len(rows)


def scheduled(aws: Served) -> bool:
    """Whether the schedule's reconciliation has been there; nobody has asked for one."""
    found = requests.get(f"{aws.admin_url}/reconciliations", timeout=30).json()["reconciliations"]
    return any(each["status"] == "succeeded" for each in found)


def count(aws: Served) -> int:
    """Tweets that have arrived: a COPY that the kill cut off from its answer has loaded some of them twice."""
    return int(query(aws, f"SELECT COUNT(DISTINCT tweet_id) FROM {TABLE}")[0][0])


def test_junk_is_rejected_with_its_reason_and_its_neighbours_land(stack: Any) -> None:
    junk = [b"not JSON", b'{"user_id": "no text"}', b"\0\0\0", b"", b"[1, 2, 3]", b'{"text": "\\u0000"}', b"\xff\xfe"]
    good = [json.dumps({"tweet_id": f"among-junk-{n}", "text": f"flood in street {n}"}).encode() for n in range(7)]
    s3 = boto3.client("s3", endpoint_url=stack.endpoint_url)
    before = keys(s3, "rejected/dt=")

    mixed = [each for pair in zip(junk, good, strict=True) for each in pair]
    put(boto3.client("firehose", endpoint_url=stack.endpoint_url), mixed)
    stack.flush()

    landed = query(stack, f"SELECT tweet_id FROM {TABLE} WHERE tweet_id LIKE 'among-junk-%'")
    assert sorted(landed) == [[f"among-junk-{n}"] for n in range(7)]
    bodies = [s3.get_object(Bucket=NAME, Key=key)["Body"].read() for key in keys(s3, "rejected/dt=") - before]
    rejected = [json.loads(line) for body in bodies for line in gzip.decompress(body).splitlines()]
    assert len(rejected) == len(junk)
    assert all(line["reason"] and line["message"] for line in rejected)


def test_a_text_of_900_kb_is_stored_cut_and_marked(stack: Any) -> None:
    text = "flöod " * 131_000  # 917 kB
    record = json.dumps({"tweet_id": "huge", "text": text}, ensure_ascii=False).encode()
    assert 900_000 < len(record) < producer.MAX_RECORD_BYTES
    firehose = boto3.client("firehose", endpoint_url=stack.endpoint_url)
    firehose.put_record(DeliveryStreamName=NAME, Record={"Data": record})
    stack.flush()
    ((truncated, stored),) = query(stack, f"SELECT truncated, original_text FROM {TABLE} WHERE tweet_id = 'huge'")
    assert truncated is True
    assert 65_000 < len(stored.encode()) <= 65_535
    assert text.startswith(stored)


def test_producer_py_and_python_m_local_sql_are_plain_clients(stack: Any, tmp_path: Path) -> None:
    tweets = tmp_path / "tweets.csv"
    tweets.write_text("tweet_id,text\n" + "".join(f"by-kinesis-{n},wildfire near hill {n}\n" for n in range(30)))
    environment = os.environ | stack.environment
    command = [sys.executable, "producer.py", str(tweets), "--kinesis-stream", NAME, "--rate", "0"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    sql = f"SELECT COUNT(*) AS found FROM {TABLE} WHERE tweet_id LIKE 'by-kinesis-%'"
    until(lambda: query(stack, sql) == [[30]])
    status, said = ended("sql", sql, "--home", str(stack.home))
    assert status == 0, said
    assert "found" in said
    assert re.search(r"\b30\b", said)
