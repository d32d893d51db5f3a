"""Check, from sent records and stored data, whether every part of every record was stored as it must be. Pure.

What is expected comes from the records as they were written (records.py) and from the contracts of
docs/architecture.md. The application's own reading of records is not asked: nothing of `chalicelib.transform` is
imported here.

Every tweet must be a line of a tweet file, that line a row with the same values, and both what the source says; every
piece of junk must be a line of a rejected file, with its reason. What Firehose gave up must be in its error records as
it was sent, and as many faults must have struck as that takes.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from binascii import Error
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any, NamedTuple

import orjson

from chalicelib.classifier.taxonomy import CODES
from local.soak.evidence import Evidence, Row
from local.soak.records import Junk, Tweet
from local.soak.sender import STREAMS, Sent

SHOWN = 5  # examples of a problem
NAME = re.compile(r"(?:tweets|rejected)/dt=(\d{4}-\d\d-\d\d)/hh=(\d\d)/[0-9a-f]{32}-(\d+)\.ndjson\.gz")
REFUSED = "Lambda.ProcessingFailedStatus"
"""Firehose's word for a record that the transform refused (docs.aws.amazon.com/firehose/latest/dev/
data-transformation-status-model.html). With any other code the transform gave no answer."""
CAUSES = (
    "transform_error", "transform_timeout", "s3_before", "s3_after", "firehose_throttled", "firehose_partial",
)  # fmt: skip
"""Faults that can make an invocation of the transform fail: its own, and those of the services that it writes to."""
TAKEOVER = timedelta(seconds=15)
"""A reconciliation's lock expires 20 seconds after its last sign of life, so no other one starts within this time."""
NOT_IN_FILES = {"loaded_at"}  # columns that the warehouse fills
TIMES = {"created_at", "arrived_at"}
KEYWORD = {"prefix", "word", "suffix", "theme"}


@dataclass
class Happened:
    """What was done: records sent, and the trouble meanwhile."""

    sent: Sequence[Sent] = ()
    resent: int = 0  # records that the producer sent again
    struck: Mapping[str, int] = field(default_factory=dict)  # faults, by kind
    kills: int = 0  # of the server
    killed_runs: int = 0  # kills while a reconciliation held the lock
    at_once: int = 0  # times that a reconciliation was asked for while another one ran, and both succeeded


class Verdict(NamedTuple):
    """No `problems`: all is as it must be. `measures`: how much there was of everything, for `missed`."""

    problems: list[str]
    measures: Mapping[str, int]


def judge(happened: Happened, evidence: Evidence) -> Verdict:
    """Compare everything that was sent with everything that is stored."""
    case = _Case(happened, evidence)
    problems = list(case.unreadable)
    for check in CHECKS:
        for what, which in check(case):
            if found := sorted(map(str, which)):
                more = " ..." if len(found) > SHOWN else ""
                problems.append(f"{len(found):,} {what}: {', '.join(found[:SHOWN])}{more}")
    return Verdict(problems, _measures(case))


def missed(measures: Mapping[str, int], demands: Mapping[str, int]) -> list[str]:
    """Return the demands that too little happened for; with any of them, a run without problems proves nothing."""
    return [
        f"{name}: {measures.get(name, 0):,}, at least {least:,}"
        for name, least in demands.items()
        if measures.get(name, 0) < least
    ]


# ------------------------------------------------------------------ what was sent and what is stored, side by side


class _Line(NamedTuple):
    key: str  # of the object
    number: int  # from 1
    said: Row

    def __str__(self) -> str:
        return f"{self.key}:{self.number}"


class _Case:
    """Everything that was sent and everything that is stored, indexed."""

    def __init__(self, happened: Happened, evidence: Evidence) -> None:
        self.happened, self.evidence = happened, evidence
        self.tweets: dict[str, tuple[Tweet, int]] = {}  # by tweet_key, each with when it was first sent
        self.junk: dict[bytes, Junk] = {}  # by source
        self.parts: dict[bytes, Sequence[Tweet | Junk]] = {}  # of each record and of each part, by its bytes
        for record, first, _ in happened.sent:
            self.tweets |= {tweet.key: (tweet, first) for tweet in record.tweets}
            self.junk |= {junk.raw: junk for junk in record.junk}
            self.parts |= {tweet.raw: [tweet] for tweet in record.tweets}
            self.parts |= {junk.raw: [junk] for junk in record.junk}
            self.parts[record.data] = [*record.tweets, *record.junk]
        self.unreadable: list[str] = []
        self.lines = self._read(evidence.files)
        self.refusals = [(line, _decoded(line.said.get("raw"))) for line in self._read(evidence.rejected)]
        self.errors = [(line, _decoded(line.said.get("rawData"))) for line in self._read(evidence.errors)]
        self.rows: dict[tuple[str, int], list[Row]] = defaultdict(list)  # by file and line
        self.files_of: dict[str, set[str]] = defaultdict(set)  # tweet_key → the files that it has rows of
        for row in evidence.rows:
            self.rows[row["s3_key"], row["s3_line"]].append(row)
            self.files_of[row["tweet_key"]].add(row["s3_key"])
        self.refused = {raw for _, raw in self.refusals}
        self.given_up: set[bytes] = set()  # sources of tweets and junk that the transform gave no answer for
        for line, data in self.errors:
            if line.said.get("errorCode") != REFUSED:
                self.given_up |= {part.raw for part in self.parts_of(data) or ()}

    def parts_of(self, data: bytes) -> list[Tweet | Junk] | None:
        """Return the parts of a record as it was sent, or as the transform put a part of it back; None: of no such."""
        if data in self.parts:
            return list(self.parts[data])
        pieces = [self.parts.get(piece) for piece in data.splitlines()]
        return [part for piece in pieces for part in piece or ()] if pieces and all(pieces) else None

    def _read(self, objects: Mapping[str, bytes]) -> list[_Line]:
        found = []
        for key, body in objects.items():
            try:
                rows = [orjson.loads(line) for line in body.splitlines()]
            except orjson.JSONDecodeError as error:
                self.unreadable.append(f"{key} can't be read: {error}")
                continue
            found += [_Line(key, number, row if isinstance(row, dict) else {}) for number, row in enumerate(rows, 1)]
        return found


def _decoded(text: Any) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (Error, TypeError, ValueError):
        return b"?"


# ------------------------------------------------------------------ what must be

Complaints = Iterator[tuple[str, Iterable[object]]]
"""What is wrong, and with which."""


def _names(case: _Case) -> Complaints:
    """Check that a file's name says how many lines it has, a tweet file's also the hour of its earliest arrival."""
    arrivals: dict[str, int] = {}
    for line in case.lines:
        arrived = _arrived(line)
        arrivals[line.key] = min(arrived, arrivals.get(line.key, arrived))
    wrong = []
    for key, body in {**case.evidence.files, **case.evidence.rejected}.items():
        name = NAME.fullmatch(key)
        if name is None or int(name[3]) != len(body.splitlines()):
            wrong.append(key)
        elif key in arrivals:
            # The earliest record of the batch may be one without a row, in the hour before.
            early = _moment(arrivals[key]) - datetime.fromisoformat(f"{name[1]}T{name[2]}:00+00:00")
            if not timedelta() <= early < timedelta(hours=2):
                wrong.append(key)
    yield "files whose names don't say what they hold", wrong


def _sources(case: _Case) -> Complaints:
    """Check that every line is of a tweet that was sent, says what its source says, and where it stands itself."""
    moved, strange, differing, late = [], [], [], []
    for line in case.lines:
        said = line.said
        if (said.get("s3_key"), said.get("s3_line")) != (line.key, line.number):
            moved.append(line)
        tweet, first = case.tweets.get(said.get("tweet_key", ""), (None, 0))
        if tweet is None:
            strange.append(line)
            continue
        if wrong := [name for name, value in tweet.columns.items() if name not in said or said[name] != value]:
            differing.append(f"{line} ({', '.join(wrong)})")
        arrived = _arrived(line)
        stamp = _moment(arrived).replace(tzinfo=None).isoformat(" ", "milliseconds")
        if not first <= arrived <= case.evidence.at or said.get("arrived_at") != stamp:
            late.append(line)
    yield "lines that don't say where they stand", moved
    yield "lines of tweets that nobody sent", strange
    yield "lines that differ from what was sent", differing
    yield "lines with an arrival that can't be", late


def _labels(case: _Case) -> Complaints:
    """Check that what the classifier says of a line is possible."""
    yield "lines with a label or a score that can't be", (line for line in case.lines if not _plausible(line.said))


def _plausible(said: Row) -> bool:
    scores = [said.get(name) for name in ("classifier_score", "relevance_score")]
    if not all(isinstance(score, float) and 0 <= score <= 1 for score in scores):
        return False
    relevance = said["relevance_score"]
    near = abs(relevance - 0.5) < 1e-5  # there rounding decides
    keywords = said.get("keywords")
    return (
        said.get("disaster_label") in CODES
        and said.get("relevance_label") in {"relevant", "not_relevant"}
        and (near or (said["relevance_label"] == "relevant") == (relevance > 0.5))
        and isinstance(said.get("cleaning_text"), str)
        and isinstance(said.get("processing_time"), float)
        and said["processing_time"] >= 0
        and bool(said.get("classifier_version"))
        and isinstance(keywords, list)
        and all(keyword.keys() == KEYWORD and keyword["theme"] in CODES for keyword in keywords)
    )


def _rows(case: _Case) -> Complaints:
    """Check that every line has one row, which says the same in every column; and there are no other rows."""
    absent, doubled, differing = [], [], []
    for line in case.lines:
        found = case.rows.get((line.key, line.number), [])
        if not found:
            absent.append(line)
        elif len(found) > 1:
            doubled.append(f"{line} ({len(found)})")
        elif wrong := _differences(line.said, found[0]):
            differing.append(f"{line} ({', '.join(wrong)})")
    yield "lines without a row", absent
    yield "lines with several rows", doubled
    yield "rows that differ from their lines", differing
    there = {(line.key, line.number) for line in case.lines}
    yield "rows of lines that don't exist", (f"{key}:{line}" for key, line in case.rows if (key, line) not in there)


def _differences(said: Row, row: Row) -> list[str]:
    names = said.keys() | (row.keys() - NOT_IN_FILES)
    return sorted(name for name in names if not _same(name, said.get(name), row.get(name)))


def _same(name: str, said: Any, stored: Any) -> bool:
    if said == stored:
        return True
    if name in TIMES and isinstance(said, str) and isinstance(stored, str):
        return datetime.fromisoformat(said) == datetime.fromisoformat(stored)
    if isinstance(said, list | dict) and isinstance(stored, str):  # SUPER, which the Data API answers as text
        return bool(json.loads(stored) == said)
    return False


def _view(case: _Case) -> Complaints:
    """Check that the view shows each tweet that has rows once, as one of them."""
    shown = Counter(row["tweet_key"] for row in case.evidence.view)
    yield "tweets more than once in the view", (f"{key} ({times})" for key, times in shown.items() if times > 1)
    yield "tweets with rows that the view doesn't show", case.files_of.keys() - shown.keys()
    strange = (
        row["tweet_key"]
        for row in case.evidence.view
        if row["tweet_key"] not in {each["tweet_key"] for each in case.rows.get((row["s3_key"], row["s3_line"]), [])}
    )
    yield "tweets in the view that have no such row", strange


def _refusals(case: _Case) -> Complaints:
    """Check that what the transform refused is junk that was sent, and refused for the right reason."""
    good: list[object] = []
    strange: list[object] = []
    wrong: list[object] = []
    for line, raw in case.refusals:
        if (junk := case.junk.get(raw)) is None:
            (good if case.parts_of(raw) else strange).append(line)
        elif line.said.get("reason") != junk.reason or not line.said.get("message") or not line.said.get("record_id"):
            wrong.append(f"{line} ({line.said.get('reason')}, not {junk.reason})")
    yield "refusals of good tweets", good
    yield "refusals of what nobody sent", strange
    yield "refusals with a wrong reason, or without a message", wrong


def _errors(case: _Case) -> Complaints:
    """Firehose's error records hold records as they were sent. What the transform refused there is junk."""
    strange, good = [], []
    for line, data in case.errors:
        parts = case.parts_of(data)
        if parts is None:
            strange.append(line)
        elif line.said.get("errorCode") == REFUSED and any(isinstance(part, Tweet) for part in parts):
            good.append(line)
    yield "error records of what nobody sent", strange
    yield "error records of tweets that the transform refused", good


def _causes(case: _Case) -> Complaints:
    """Firehose gives a batch up after several attempts only, and for each a fault must have struck."""
    attempts: dict[str, int] = {}  # by object, which is a batch
    for line, _ in case.errors:
        if line.said.get("errorCode") != REFUSED:
            attempts[line.key] = max(attempts.get(line.key, 0), line.said.get("attemptsMade", 0))
    struck = sum(case.happened.struck.get(kind, 0) for kind in CAUSES)
    if sum(attempts.values()) > struck:
        yield f"batches given up, in {sum(attempts.values()):,} attempts though {struck:,} faults struck", attempts


def _accounts(case: _Case) -> Complaints:
    """Nothing is lost: a tweet is in a row, junk in a rejected file, or either in Firehose's error records."""
    lost = (
        tweet.columns["tweet_id"]
        for key, (tweet, _) in case.tweets.items()
        if key not in case.files_of and tweet.raw not in case.given_up
    )
    yield "tweets lost", lost
    answered = case.refused | case.given_up
    yield "pieces of junk that no rejected file names", (raw for raw in case.junk if raw not in answered)


def _known_files(case: _Case) -> Complaints:
    """Check that the reconciler knows every tweet file once, with its number of rows, as loaded."""
    known = Counter(row["s3_key"] for row in case.evidence.known)
    yield "tweet files that the reconciler knows more than once", (key for key, times in known.items() if times > 1)
    yield "tweet files that the reconciler doesn't know", case.evidence.files.keys() - known.keys()
    yield "files that the reconciler knows and nobody wrote", known.keys() - case.evidence.files.keys()
    sizes = Counter(line.key for line in case.lines)
    wrong = (
        f"{row['s3_key']} ({row['state']}, {row['expected_rows']} rows)"
        for row in case.evidence.known
        if row["state"] != "loaded" or row["expected_rows"] != sizes[row["s3_key"]]
    )
    yield "tweet files that the reconciler takes for something else than loaded", wrong


def _one_at_a_time(case: _Case) -> Complaints:
    """Check that no two reconciliations are at work at once, unless the first may have lost its lock by then."""
    time = datetime.fromisoformat
    spans = sorted(
        (time(row["started_at"]), time(row["finished_at"]), row["reconciliation_id"])
        for row in case.evidence.runs
        if row["finished_at"]  # of others it isn't known when they ended
    )
    both = (
        f"{first} and {second}"
        for (began, ended, first), (next_began, _, second) in combinations(spans, 2)
        if next_began < ended and next_began - began < TAKEOVER
    )
    yield "pairs of reconciliations at work at once", both


CHECKS: Sequence[Callable[[_Case], Complaints]] = (
    _accounts,
    _names,
    _sources,
    _labels,
    _rows,
    _view,
    _refusals,
    _errors,
    _causes,
    _known_files,
    _one_at_a_time,
)


def _arrived(line: _Line) -> int:
    """Return the arrival that a line says, ms since the epoch; 0: none."""
    said = line.said.get("arrived_datetime_from_kinesis")
    return said if isinstance(said, int) else 0


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms // 1000, UTC) + timedelta(milliseconds=ms % 1000)


# ------------------------------------------------------------------ how much of everything there was


def _measures(case: _Case) -> dict[str, int]:
    """Count what happened, by the names that demands use."""
    happened, evidence = case.happened, case.evidence
    in_view = {row["tweet_key"] for row in evidence.view} & case.tweets.keys()
    records = [sent.record for sent in happened.sent]
    return {
        "records sent": len(records),
        "tweets sent": len(case.tweets),
        "records of several tweets": sum(len(record.tweets) > 1 for record in records),
        "junk sent": len(case.junk),
        "junk among tweets": sum(bool(record.tweets and record.junk) for record in records),
        "records sent again": happened.resent,
        **{f"records put back into {STREAMS[n]}": _put_back(case, n) for n in range(len(STREAMS))},
        **{f"fault {kind}": times for kind, times in sorted(happened.struck.items())},
        "kills (SIGKILL)": happened.kills,
        "reconciliations killed": happened.killed_runs,
        "reconciliations": sum(row["finished_at"] is not None for row in evidence.runs),
        "reconciliations at once": happened.at_once,
        **{f"files repaired, {state}": files for state, files in sorted(evidence.repaired.items())},
        "tweet files": len(evidence.files),
        "rows": len(evidence.rows),
        "tweets in the view": len(in_view),
        "% of the tweets in the view": len(in_view) * 100 // max(1, len(case.tweets)),
        "junk refused": len(case.refused & case.junk.keys()),
        "tweets that Firehose gave up": sum(
            tweet.raw in case.given_up and key not in case.files_of for key, (tweet, _) in case.tweets.items()
        ),
    }


def _put_back(case: _Case, stream: int) -> int:
    """Count the records of a stream whose tweets all have rows, but no file has them all.

    The transform writes all tweets of a batch into one file, so the others came again in a later batch.
    """
    count = 0
    for record, _, its_stream in case.happened.sent:
        files = [case.files_of.get(tweet.key, set()) for tweet in record.tweets]
        if its_stream == stream and len(files) > 1 and all(files) and not set.intersection(*files):
            count += 1
    return count
