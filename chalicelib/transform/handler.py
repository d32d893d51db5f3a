"""The transform, end to end: reads a batch, decides, writes, answers. All it does to the outside is done here."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from chalicelib import clients
from chalicelib.classifier import backends
from chalicelib.classifier.active import Active, active
from chalicelib.classifier.bundled import RELEVANT_SHARE
from chalicelib.classifier.text import clean
from chalicelib.columns import BYTES, cut
from chalicelib.settings import settings
from chalicelib.telemetry import logger, metrics
from chalicelib.transform import answer, files, plan, rows
from chalicelib.transform.batch import Batch, read
from chalicelib.transform.put_back import put_back
from chalicelib.transform.unpack import Tweet

PATIENCE = 0.75  # of the time the invocation has left, for Comprehend; the rest is for S3 and the stream
SECONDS_WITHOUT_CONTEXT = 60.0


class Outcome(NamedTuple):
    """What is to become of a batch: decided, not yet done."""

    batch: Batch
    shares: list[plan.Share]
    key: str  # of the tweet file
    lines: Sequence[bytes]  # of the tweet file
    rejected: list[bytes]  # lines of the rejected file
    put_back: list[plan.PutBack]
    verdicts: backends.Verdicts


def transform(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Firehose's answer to a batch. By then its rows are in their tweet file, what was refused is in the rejected file,
    and what an answer can't hold is back in the stream.

    A retried batch has the same key and the same decisions, and is answered from the file its first attempt wrote. What
    that put back is put back again, for nobody knows how far it came: the tweet's key is the same, and the view of the
    tweets shows it once. Raises when S3 or the stream fails: then Firehose invokes again, with the same batch.
    """
    began = time.perf_counter()
    batch = read(event)
    if not batch.records:
        return {"records": []}
    outcome = decide(batch, active(), _deadline(context), settings().relevant_share)
    lines, repeated = outcome.lines, False
    if outcome.rejected:
        key = files.rejected_key(batch, len(outcome.rejected))
        files.write(clients.s3(), settings().bucket, key, outcome.rejected)
    if lines:
        lines, repeated = files.write_once(clients.s3(), settings().bucket, outcome.key, lines)
    if outcome.put_back:
        put_back(outcome.put_back, batch.stream, batch.source_arn)
    response = answer.compose((s.record.id, s.result, lines[s.start : s.stop]) for s in outcome.shares)
    _report(outcome, repeated, sum(map(len, lines)), time.perf_counter() - began)
    return response


def decide(batch: Batch, by: Active, deadline: float, relevant_share: float = RELEVANT_SHARE) -> Outcome:
    """Classify the batch's tweets and decide what becomes of each.

    `deadline`: on the clock of time.monotonic(). `relevant_share`: of the stream's posts that are about a disaster.
    """
    capacity = answer.capacity(record.id for record in batch.records)
    candidates = [(record.arrived, tweet) for record in batch.records for tweet in record.tweets]
    del candidates[capacity // rows.SMALLEST_ROW :]
    cleaned = [clean(tweet.text) for _, tweet in candidates]
    _cut(candidates, cleaned)
    own = backends.bundled_verdicts(cleaned, relevant_share)
    facts = [
        rows.facts(tweet, arrived, text, verdict.prediction.keywords)
        for (arrived, tweet), text, verdict in zip(candidates, cleaned, own, strict=True)
    ]
    kept = plan.fitting(facts, capacity)
    languages = [tweet.lang for _, tweet in candidates[:kept]]
    verdicts = backends.classify(cleaned[:kept], languages, own[:kept], by, deadline)

    key = files.tweets_key(batch, kept)
    link = rows.link(key)
    lines = [
        fact + rows.verdict(*verdict) + link % number
        for number, (fact, verdict) in enumerate(zip(facts[:kept], verdicts.verdicts, strict=True), 1)
    ]
    shares = plan.shares(batch.records, kept)
    rejected, again = [], []
    for share in shares:
        if share.record.refusals or share.stop - share.start < len(share.record.tweets):
            left, refusals = plan.leftovers(share)
            again += left
            rejected += [files.refusal_line(share.record, refusal) for refusal in refusals]
    return Outcome(batch, shares, key, lines, rejected, again, verdicts)


def _cut(candidates: list[tuple[int, Tweet]], cleaned: list[str]) -> None:
    """Cut cleaned texts to their column and mark their tweets as truncated, both in place.

    The tweets' own texts are within their column already, but a cleaned one may be longer: `#aBaB` becomes `a Ba B`.
    """
    size = BYTES["cleaning_text"]
    for at, text in enumerate(cleaned):
        if len(text) * 4 > size and (kept := cut(text, size)) != text:
            arrived, tweet = candidates[at]
            cleaned[at], candidates[at] = kept, (arrived, tweet._replace(truncated=True))


def _deadline(context: Any) -> float:
    left = context.get_remaining_time_in_millis() / 1000 if context else SECONDS_WITHOUT_CONTEXT
    return time.monotonic() + left * PATIENCE


def _report(outcome: Outcome, repeated: bool, bytes_out: int, seconds: float) -> None:
    """One line in the log, and one of metrics in CloudWatch's embedded format."""
    results = Counter(share.result for share in outcome.shares)
    kinds = Counter(verdict.prediction.label for verdict in outcome.verdicts.verdicts)
    counts = {
        "Records": len(outcome.shares),
        "Tweets": len(outcome.lines),
        "Rejected": len(outcome.rejected),
        "RecordsFailed": results["ProcessingFailed"],
        "RecordsPutBack": len(outcome.put_back),
        "Repeated": int(repeated),
        "Fallbacks": outcome.verdicts.fallbacks,
        **{f"Backend_{name}": count for name, count in outcome.verdicts.backends.items()},
        **{f"Kind_{label}": count for label, count in kinds.items()},
    }
    emf = metrics()
    for name, count in counts.items():
        emf.add_metric(name, "Count", count)
    emf.add_metric("BytesIn", "Bytes", outcome.batch.bytes_in)
    emf.add_metric("BytesOut", "Bytes", bytes_out)
    emf.add_metric("Seconds", "Seconds", seconds)
    emf.flush_metrics()
    logger.info(
        "batch",
        extra={
            "batch": outcome.batch.name,
            "tweet_file": outcome.key if outcome.lines else None,
            **counts,
            "bytes_in": outcome.batch.bytes_in,
            "bytes_out": bytes_out,
            "seconds": round(seconds, 3),
            "comprehend_failures": dict(outcome.verdicts.failures),
        },
    )
