"""Measure the transform's CPU time a tweet, with a lower bound, scikit-learn and the original's algorithm."""

from __future__ import annotations

import base64
import contextlib
import gc
import io
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from benchmarks import original, records
from chalicelib.sources import posts

BATCH = 500  # records an event
ROUNDS = 7  # a batch's best counts: in the others it was disturbed
ARN = "arn:aws:firehose:us-east-1:123456789012:deliverystream/disaster-tweets-local"

Events = list[dict[str, Any]]


def events(lines: list[bytes]) -> Events:
    """Return the tweets as Firehose would hand them over, `BATCH` at a time."""
    encoded = [base64.b64encode(line).decode() for line in lines]
    return [
        {
            "invocationId": f"bench-{start}",
            "deliveryStreamArn": ARN,
            "region": "us-east-1",
            "records": [
                {"recordId": f"{n:056}", "approximateArrivalTimestamp": 1_700_000_000_000 + n, "data": data}
                for n, data in enumerate(encoded[start : start + BATCH], start)
            ],
        }
        for start in range(0, len(encoded), BATCH)
    ]


def floor(event: dict[str, Any]) -> None:
    """Do what any transform must do: decode, parse, serialise, encode."""
    for record in event["records"]:
        base64.b64encode(orjson.dumps(orjson.loads(base64.b64decode(record["data"]))))


def scikit_learn(every: Events) -> list[Callable[[dict[str, Any]], object]]:
    """Return scikit-learn's own TF-IDF and logistic regression on ready texts, for the kinds the transform tells: of
    words, with their defaults; and of words and characters' 3- to 5-grams, which is what scores about as well as ours.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    from chalicelib.classifier import bundled
    from chalicelib.classifier.text import clean

    texts = {
        event["invocationId"]: [clean(orjson.loads(base64.b64decode(r["data"]))["text"]) for r in event["records"]]
        for event in every
    }
    corpus = [text for batch in texts.values() for text in batch]
    labels = [prediction.label for prediction in bundled.classify(corpus)]
    grams = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), min_df=3)

    def predict(vectors: Any) -> Callable[[dict[str, Any]], object]:
        pipeline = make_pipeline(vectors, LogisticRegression()).fit(corpus, labels)
        return lambda event: pipeline.predict_proba(texts[event["invocationId"]])

    return [predict(TfidfVectorizer()), predict(make_union(TfidfVectorizer(), grams))]


def proof_of_concept(event: dict[str, Any]) -> None:
    original.transform(event, lambda _: ("fire", 1.0))


def whole(event: dict[str, Any]) -> None:
    """Do everything the transform does but the I/O, with the accelerator if there is one."""
    from chalicelib.classifier import RELEVANT_SHARE
    from chalicelib.classifier.active import default
    from chalicelib.transform import handler

    answer_of(event, handler.drafter(default(), RELEVANT_SHARE))


def packed(every: Events) -> Callable[[dict[str, Any]], None]:
    """Return `whole` for the same tweets in records of up to 5 KB, as `producer.py --pack` sends them."""
    batches = {}
    for event in every:
        lines = [base64.b64decode(record["data"]) for record in event["records"]]
        (batches[event["invocationId"]],) = events([b"\n".join(group) for group in posts.packed(lines)])
    return lambda event: whole(batches[event["invocationId"]])


def in_python(event: dict[str, Any]) -> None:
    """Do the same without it."""
    from chalicelib.transform import batch

    answer_of(event, batch.in_python)


def answer_of(event: dict[str, Any], draft: Any) -> None:
    from chalicelib.classifier.active import default
    from chalicelib.transform import answer, handler
    from chalicelib.transform.batch import read

    outcome = handler.decide(read(event, draft), default(), deadline=0.0)
    answer.compose((s.record.id, s.result, outcome.lines[s.start : s.stop]) for s in outcome.shares)


def forget() -> None:
    """Begin as a function does that has just started: what is remembered of the texts so far is lost."""
    from chalicelib.classifier import RELEVANT_SHARE, bundled
    from chalicelib.transform import accelerator

    bundled._model()._rows.forget()
    accelerator.close()
    accelerator.drafts([b"{}"], [1], RELEVANT_SHARE)


def cpu() -> float:
    """Return the CPU seconds of this thread and of the accelerator, which is a process of its own."""
    from chalicelib.transform import accelerator

    process = accelerator.pid()
    return time.thread_time() + (time.clock_gettime((~process << 3) | 2) if process else 0.0)


def whole_with_file(event: dict[str, Any]) -> None:
    """Run all of it as Lambda does: tweet file, metrics and log line too."""
    from chalicelib.transform import handler

    with contextlib.redirect_stdout(io.StringIO()):
        handler.transform(event, None)


def another(event: dict[str, Any], turn: int) -> dict[str, Any]:
    """Return the same tweets as another batch, whose tweet file is not there yet."""
    first, *others = event["records"]
    return {**event, "records": [{**first, "recordId": f"{turn}-{first['recordId']}"}, *others]}


def measure(
    functions: Mapping[str, Callable[[dict[str, Any]], Any]],
    every: Events,
    clock: Callable[[], float],
    prepare: Callable[[], object] = lambda: None,
) -> dict[str, float]:
    """Return the microseconds a tweet of each function, every batch in its best round; they take turns, so that all see
    the same disturbances. `clock` in seconds. `prepare` before each round of a function; that isn't counted."""
    tweets = sum(len(event["records"]) for event in every)
    best = {name: [float("inf")] * len(every) for name in functions}
    for turn in range(ROUNDS):
        for name, function in functions.items():
            prepare()
            for n, event in enumerate(every):
                batch = another(event, turn)
                began = clock()
                function(batch)
                best[name][n] = min(best[name][n], clock() - began)
    return {name: sum(seconds) / tweets * 1e6 for name, seconds in best.items()}


def run(console: Console) -> None:
    """Print the tables. Needs the ports of a local stack, which it starts itself."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    from chalicelib.transform import accelerator
    from local.server import LocalAws

    every = events([line for line in records() if json.loads(line).get("text", "").strip()])
    tweets = sum(len(event["records"]) for event in every)
    words, grams = scikit_learn(every)
    functions: dict[str, Callable[[dict[str, Any]], object]] = {
        "(a) floor: decode, orjson.loads, orjson.dumps, encode": floor,
        "(b) scikit-learn: predict_proba of TF-IDF of words and logistic regression": words,
        "(b') the same of words and 3- to 5-grams of characters": grams,
        "(c) the original's algorithm, with a classifier that costs nothing": proof_of_concept,
        "(d) the whole transform, without I/O": whole,
        "(d') the same in Python alone": in_python,
        "(g) (d) of tweets that are packed into records": packed(every),
    }
    first = {
        "(f) the first pass of (d): no text was seen before": whole,
        "(f') the first pass of (d')": in_python,
    }
    with_file = {"(e) the same with its file written to the local S3, by the clock": whole_with_file}
    with tempfile.TemporaryDirectory() as home, LocalAws(Path(home), port=0, api_port=0) as stack:
        os.environ.update(environment(stack.endpoint_url))
        gc.collect()
        gc.freeze()  # a Lambda's collector has not all of the local stack and scikit-learn to look through
        with threadpool_limits(1):
            found = measure(functions, every, cpu)  # other processes don't count
            found |= measure(first, every, cpu, forget)
            found |= measure(with_file, every, time.perf_counter)
        gc.unfreeze()

    a, b, _, c, d, _, _, f, *_ = found.values()
    table = Table(title=f"{tweets:,} tweets in batches of {BATCH}, CPU time, each in the best of {ROUNDS} rounds")
    table.add_column("")
    for column in ("µs a tweet", "tweets a second", "times the floor"):
        table.add_column(column, justify="right")
    for name, microseconds in found.items():
        table.add_row(name, f"{microseconds:.1f}", f"{1e6 / microseconds:,.0f}", f"{microseconds / a:.1f}")
    console.print(table)
    console.print(
        f"(d) takes {d / b:.2f} of (b)'s time and {d / c:.2f} of (c)'s; (f) takes {f / c:.2f} of (c)'s. "
        f"The accelerator is {'there' if accelerator.present() else 'absent'}."
    )


def environment(endpoint_url: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_DEFAULT_REGION": "us-east-1",
        "STAGE": "local",
    }
