"""Transform a batch: read, decide, write, answer. All calls of AWS are made here."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from chalicelib import clients
from chalicelib.classifier import RELEVANT_SHARE, backends
from chalicelib.classifier.active import Active, active
from chalicelib.classifier.text import clean
from chalicelib.columns import BYTES, cut
from chalicelib.settings import settings
from chalicelib.telemetry import logger, metrics
from chalicelib.transform import accelerator, answer, files, plan, rows, surge
from chalicelib.transform.batch import Batch, Drafter, in_python, read
from chalicelib.transform.put_back import put_back
from chalicelib.transform.told import told
from chalicelib.transform.unpack import Tweet

PATIENCE = 0.75  # of the time the invocation has left, for Comprehend; the rest is for S3 and the stream
SECONDS_WITHOUT_CONTEXT = 60.0


class Outcome(NamedTuple):
    """The decision about a batch, before it is carried out."""

    batch: Batch
    shares: list[plan.Share]
    key: str  # of the tweet file
    lines: Sequence[bytes]  # of the tweet file
    rejected: list[bytes]  # lines of the rejected file
    put_back: list[plan.PutBack]
    labels: list[str]  # of the lines
    accelerated: int  # lines that the accelerator drafted
    classified: backends.Classified


def transform(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Return the answer to a batch of Firehose.

    Before it answers, it writes the rows to the tweet file and the refusals to the rejected file, and puts the records
    back into the stream that don't fit into the answer. Where the reconciler loads, nobody but the reconciler reads the
    rows, so Firehose is told to drop the records in the tweet file (`answered`).

    A retried batch has the same key and the same decisions, and is answered from the file that its first attempt wrote.
    Its records are put back once more, because the first attempt may have failed before that: the tweet key stays the
    same, so the view shows the tweet once. Raises when S3 or the stream fails: then Firehose invokes again.
    """
    began = time.perf_counter()
    if not event["records"]:
        return {"records": []}
    by, share = active(), settings().relevant_share
    batch = read(event, drafter(by, share))
    outcome = decide(batch, by, _deadline(context), share)
    lines, repeated = outcome.lines, False
    if outcome.rejected:
        key = files.rejected_key(batch, len(outcome.rejected))
        files.write(clients.s3(), settings().bucket, key, outcome.rejected)
    if lines:
        lines, repeated = files.write_once(clients.s3(), settings().bucket, outcome.key, lines)
    if outcome.put_back:
        put_back(outcome.put_back, batch.stream, batch.source_arn)
    loads = settings().delivery == "reconcile"
    if loads:
        surge.tell(lines, [record.arrived for record in batch.records])
    response = answer.compose(answered(share, lines, loads) for share in outcome.shares)
    _report(outcome, repeated, sum(map(len, lines)), time.perf_counter() - began)
    return response


def answered(share: plan.Share, lines: Sequence[bytes], loads: bool) -> tuple[str, str, Sequence[bytes]]:
    """Return a record's answer as `answer.compose` takes it. `loads`: whether the reconciler loads from the tweet file.

    Firehose counts `Dropped` as processed, and delivers nothing for it:
    docs.aws.amazon.com/firehose/latest/dev/data-transformation.html
    """
    if loads and share.result == "Ok":
        return share.record.id, "Dropped", ()
    return share.record.id, share.result, lines[share.start : share.stop]


def decide(batch: Batch, by: Active, deadline: float, relevant_share: float = RELEVANT_SHARE) -> Outcome:
    """Classify the batch's tweets and decide what to do with each.

    `deadline`: on the clock of time.monotonic(). `relevant_share`: of the stream's posts that are about a disaster.
    """
    capacity = answer.capacity(record.id for record in batch.records)
    candidates = [(record.arrived, tweet) for record in batch.records for tweet in record.tweets]
    del candidates[capacity // rows.SMALLEST_ROW :]
    made = iter(drafts([(arrived, tweet) for arrived, tweet in candidates if isinstance(tweet, Tweet)], relevant_share))
    every = [tweet if isinstance(tweet, rows.Draft) else next(made) for _, tweet in candidates]
    kept = plan.fitting((draft.size for draft in every), capacity)
    judged, classified = judge(every[:kept], by, deadline)
    key = files.tweets_key(batch, kept)
    lines = rows.file_lines(judged, key)
    shares = plan.shares(batch.records, kept)
    rejected, again = [], []
    for share in shares:
        if share.record.refusals or share.stop - share.start < len(share.record.tweets):
            left, refusals = plan.leftovers(share)
            again += left
            rejected += [files.refusal_line(share.record, refusal) for refusal in refusals]
    labels = [draft.label for draft in judged]
    accelerated = sum(draft.classification is None for draft in judged)
    return Outcome(batch, shares, key, lines, rejected, again, labels, accelerated, classified)


def drafter(by: Active, relevant_share: float) -> Drafter:
    """Return what drafts the rows of plain records: the accelerator, where the bundled classifier is the active one."""
    if by.backend != "bundled":
        return in_python
    return lambda datas, arrivals: accelerator.drafts(datas, arrivals, relevant_share)


def drafts(candidates: list[tuple[int, Tweet]], relevant_share: float) -> list[rows.Draft]:
    """Clean and classify tweets, each with its arrival (ms since the epoch)."""
    cleaned = [clean(tweet.text) for _, tweet in candidates]
    _cut(candidates, cleaned)
    own = backends.bundled_classifications(cleaned, relevant_share)
    return [
        rows.Draft.of(
            rows.facts(tweet, arrived, text, classification.prediction.keywords) + told(tweet, text),
            classification,
            text,
            tweet.lang,
        )
        for (arrived, tweet), text, classification in zip(candidates, cleaned, own, strict=True)
    ]


def judge(every: list[rows.Draft], by: Active, deadline: float) -> tuple[list[rows.Draft], backends.Classified]:
    """Return the drafts with the active classifier's labels, and how they came about."""
    own = [draft.classification for draft in every if draft.classification]
    if len(own) < len(every):  # the accelerator is only asked where the bundled classifier is the active one
        return every, backends.Classified([], {"bundled": len(every)})
    classified = backends.classify([draft.text for draft in every], [draft.lang for draft in every], own, by, deadline)
    judged = [
        draft if classification is draft.classification else draft.judged(classification)
        for draft, classification in zip(every, classified.classifications, strict=True)
    ]
    return judged, classified


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
    """Write one line in the log, and one of metrics in CloudWatch's embedded format."""
    results = Counter(share.result for share in outcome.shares)
    kinds = Counter(outcome.labels)
    counts = {
        "Records": len(outcome.shares),
        "Tweets": len(outcome.lines),
        "Rejected": len(outcome.rejected),
        "RecordsFailed": results["ProcessingFailed"],
        "RecordsPutBack": len(outcome.put_back),
        "Repeated": int(repeated),
        "Fallbacks": outcome.classified.fallbacks,
        **{f"Backend_{name}": count for name, count in outcome.classified.backends.items()},
        **{f"Kind_{label}": count for label, count in kinds.items()},
    }
    emf = metrics()
    for name, count in counts.items():
        emf.add_metric(name, "Count", count)
    emf.add_metric("BytesIn", "Bytes", outcome.batch.bytes_in)
    emf.add_metric("BytesOut", "Bytes", bytes_out)
    emf.add_metric("Seconds", "Seconds", seconds)
    oldest = min(record.arrived for record in outcome.batch.records)
    emf.add_metric("OldestSeconds", "Seconds", max(0.0, time.time() - oldest / 1000))
    emf.flush_metrics()
    logger.info(
        "batch",
        extra={
            "batch": outcome.batch.name,
            "tweet_file": outcome.key if outcome.lines else None,
            **counts,
            "accelerated": outcome.accelerated,
            "bytes_in": outcome.batch.bytes_in,
            "bytes_out": bytes_out,
            "seconds": round(seconds, 3),
            "comprehend_failures": dict(outcome.classified.failures),
        },
    )
