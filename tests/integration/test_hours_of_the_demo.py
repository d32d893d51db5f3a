"""The hours that `make demo` sends: the network's crises are situations, the sample spread over them is none."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

import producer
from chalicelib.classifier.bundled import names_a_kind
from chalicelib.classifier.text import clean
from chalicelib.situations.counts import STEP
from chalicelib.situations.planner import plan
from local.demo import SAMPLE
from local.network import history, sentences

NOW = 1_770_003_000.0


def test_the_hours_of_the_network_are_told_in_order_until_now(tmp_path: Path) -> None:
    history.write(tmp_path / "posts.jsonl", NOW)
    records = [json.loads(line) for line in producer.read(tmp_path / "posts.jsonl")]
    times = [datetime.fromisoformat(record["created_at"]).timestamp() for record in records]
    assert times == sorted(times) and times[0] >= NOW - 3600 * history.HOURS and times[-1] <= NOW
    assert len(records) == pytest.approx(3600 * history.HOURS * history.RATE, rel=0.05)
    assert all(record["text"] and record["lang"] in sentences.PLACES for record in records)


def test_the_sample_is_spread_evenly(tmp_path: Path) -> None:
    history.spread(tmp_path / "sample.jsonl", [b'{"text": "a", "created_at": "x"}', b'{"id": 7}'], NOW)
    first, second = map(json.loads, (tmp_path / "sample.jsonl").read_text().splitlines())
    assert (first["text"], second["id"]) == ("a", 7)
    times = [datetime.fromisoformat(each["created_at"]).timestamp() for each in (first, second)]
    assert times == [NOW - 3600 * history.HOURS, NOW - 1800 * history.HOURS]


def test_crises_of_these_hours_are_situations_and_the_sample_is_none(tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    from benchmarks.situations import Post, Stream, transformed

    history.write(tmp_path / "posts.jsonl", NOW)
    history.spread(tmp_path / "sample.jsonl", producer.read(SAMPLE), NOW)
    posts = [json.loads(line) for name in ("posts", "sample") for line in (tmp_path / f"{name}.jsonl").open()]
    now = int(NOW) // STEP
    named: dict[bool, list[dict[str, str]]] = {True: [], False: []}
    for post in posts:
        named[names_a_kind(clean(post.get("text") or ""))].append(post)
    told = [Post(step(post["created_at"]), "", "", "", False) for post in named[False]]
    for row in transformed(named[True]):
        what, country, text = (str(row.get(name) or "") for name in ("disaster_label", "country_code", "text_key"))
        relevant = row["relevance_label"] == "relevant"
        told.append(Post(step(str(row["created_at"])), what, country, text, relevant))
    stream = Stream([Post(0.0, "", "", "", False)], 0, now, now, seed=0)
    stream.add(told)
    found = plan(stream.counts(now), [], now).opened
    assert found and {each.kind for each in found} <= set(sentences.CRISES)
    assert all(each.country for each in found)


def step(written: str) -> float:
    at = datetime.fromisoformat(written)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() / STEP
