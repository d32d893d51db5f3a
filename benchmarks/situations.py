"""Measure how soon crises are found in a stream of everyday posts, and how often a situation is false.

Texts go through the transform as it is: country, place and `text_key` are those of rows. Kind and relevance are told by
models that saw neither the crisis, or the collection of everyday posts, nor anything like it (`evaluate.held_out`);
with `SITUATIONS_SERVED=1` they are those of rows too, by the model that is served and was trained on all of these.

A crisis has its own posts at their own times, which their IDs hold. Everyday posts are drawn anew each five minutes,
each with a text of its own, as many as a rate says that goes up and down by half over a day. Counts are those of
`sql/situations/counts.sql` (a test compares the two), and the planner is the detector's own, run once a day: it decides
step by step as runs every five minutes would have. `SITUATIONS_RATES` sets other rates, in posts an hour.
"""

from __future__ import annotations

import base64
import csv
import math
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson
from rich.console import Console
from rich.table import Table

from benchmarks import REAL
from chalicelib.situations.counts import ANY_KIND, ANYWHERE, HOUR, PAST, RECENT, STEP, Count
from chalicelib.situations.planner import KINDRED, QUIET, UNTOLD, Situation, plan

RATES = (10_000,)  # everyday posts an hour; all of Bluesky has 90,000
SEED = 20260131
WEEK = 7 * 24 * HOUR
WEEKS = 4  # of everyday posts
BATCH = 500
ARRIVED = 1_780_000_000_000  # ms since 1970: after all the IDs' times
MANY = 50  # posts of a crisis in an hour
GOAL = 15  # minutes after the last of these
LONGEST = 7 * 24 * HOUR  # of a crisis that never has MANY posts in an hour
AFTER = 24 * HOUR  # of a crisis that has
KINDS = {
    "hurricane": "storm",
    "typhoon": "storm",
    "tornado": "storm",
    "floods": "flood",
    "flood": "flood",
    "wildfires": "wildfire",
    "bushfire": "wildfire",
    "earthquake": "earthquake",
    "earthquakes": "earthquake",
    "bombings": "attack",
    "shooting": "attack",
    "shootings": "attack",
    "refinery": "explosion",
    "explosion": "explosion",
    "fire": "fire",
    "haze": "haze",
    "meteor": "meteorite",
    "collapse": "building_collapse",
    "crash": "transport_accident",
}
"""By a word of a crisis's name: what it is of."""
NOT_OF_IT = {"off-topic", "Not related"}


class Post(NamedTuple):
    """A row as far as it counts. `step`: when it was written; `of_it`: a person said that it is of the crisis."""

    step: float
    kind: str
    country: str
    text: str
    relevant: bool
    of_it: bool = True
    place: str = ""


class Outcome(NamedTuple):
    """What became of a crisis. `many`: when it had MANY posts within an hour for the first time, None if never;
    `by`: the situation by which it was found; `posts`: of its posts, those written until then; `more`: further ones.
    """

    crisis: str
    kind: str
    many: float | None
    by: Situation | None
    posts: int
    more: Sequence[Situation]

    @property
    def minutes(self) -> float | None:
        """Return the minutes from `many` until it was found; below 0 where it was found before."""
        if self.many is None or self.by is None:
            return None
        return (self.by.opened + 1 - self.many) * STEP / 60


Told = Mapping[str, tuple[str, bool]]
"""Kind and relevance of texts, by their `cleaning_text`."""


def told_unseen() -> Told:
    """Return what texts are taken for by models that didn't see them, nor what they are part of."""
    from benchmarks.classifier import SEED, tweets_of
    from label_prep import evaluate, train

    frame = tweets_of()
    read = train.read(frame["cleaning_text"].tolist())
    logits = evaluate.held_out(frame, read, 1, SEED, lambda *_: None)
    rows = evaluate.score(frame, read, logits, SEED).rows
    texts = frame["cleaning_text"].to_numpy()[rows["at"]]
    return dict(zip(texts, zip(rows["told"], rows["probability"] >= 0.5, strict=True), strict=True))


def transformed(posts: Sequence[dict[str, str]]) -> Iterator[dict[str, object]]:
    """Yield the rows of records, as the transform makes them. A record without words has none."""
    from chalicelib.classifier.active import default
    from chalicelib.transform import batch, handler

    for start in range(0, len(posts), BATCH):
        records = [
            {"recordId": str(n), "approximateArrivalTimestamp": ARRIVED, "data": base64.b64encode(orjson.dumps(post))}
            for n, post in enumerate(posts[start : start + BATCH])
        ]
        outcome = handler.decide(batch.read({"records": records}, batch.in_python), default(), deadline=0.0)
        yield from map(orjson.loads, outcome.lines)


def everyday(folder: Path, told: Told) -> list[Post]:
    """Return the everyday posts: what they are taken for, without a time."""
    texts = [row["text"] for path in sorted(folder.glob("*.csv")) for row in _read(path) if row["text"].strip()]
    return [_post(row, told, 0.0) for row in transformed([{"text": text} for text in texts])]


def crises(folder: Path, told: Told) -> dict[str, list[Post]]:
    """Return the posts of each crisis, by their times. Posts whose IDs hold none are left out."""
    found: dict[str, list[Post]] = defaultdict(list)
    for path in sorted(folder.glob("*.csv")):
        rows = {row["tweet_id"]: row for row in _read(path) if row["text"].strip()}
        for row in transformed([{"tweet_id": id, "text": own["text"]} for id, own in rows.items()]):
            own = rows[str(row["tweet_id"])]
            if row["created_at"]:
                written = datetime.fromisoformat(str(row["created_at"])).replace(tzinfo=UTC).timestamp() / STEP
                said = own.get("label") or own["informativeness"]
                found[f"{path.stem[:3].rstrip('_')} {own['event']}"].append(
                    _post(row, told, written, said not in NOT_OF_IT)
                )
    return {event: sorted(posts) for event, posts in found.items()}


def _read(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        yield from csv.DictReader(file)


def _post(row: dict[str, object], told: Told, step: float, of_it: bool = True) -> Post:
    served = str(row["disaster_label"]), row["relevance_label"] == "relevant"
    kind, relevant = told.get(str(row["cleaning_text"]), served)
    relevant = bool(relevant) and kind != "not_disaster"
    country, text = row.get("country_code") or "", row.get("text_key") or row["tweet_key"]
    return Post(step, kind, str(country), str(text), relevant, of_it, str(row.get("place") or ""))


class Stream:
    """Everyday posts of some time: those that count, and how many there are in each step."""

    def __init__(self, pool: Sequence[Post], rate: float, begin: int, end: int, seed: int) -> None:
        chance = np.random.default_rng(seed)
        counting = [post for post in pool if post.relevant]
        self.volume: dict[int, int] = {}
        self.posts: list[Post] = []
        for step in range(begin, end):
            of_day = 1 + 0.5 * math.sin(2 * math.pi * step / (24 * HOUR))
            number = int(chance.poisson(rate / HOUR * of_day))
            self.volume[step] = number
            for drawn in chance.integers(len(counting), size=chance.binomial(number, len(counting) / len(pool))):
                self.posts.append(counting[drawn]._replace(step=step + 0.5, text=f"{step} {len(self.posts)}"))

    def add(self, posts: Iterable[Post]) -> None:
        """Mix in a crisis."""
        for post in posts:
            self.volume[int(post.step)] = self.volume.get(int(post.step), 0) + 1
            if post.relevant:
                self.posts.append(post)
        self.posts.sort(key=lambda post: post.step)

    def counts(self, now: int) -> list[Count]:
        """Return what sql/situations/counts.sql would have answered at a step, of all cells; no two have one author."""
        recent = (now - RECENT) // HOUR * HOUR - HOUR
        sums: dict[tuple[str, str, int], list[int]] = defaultdict(lambda: [0, 0, 0])
        known = set()
        for post in self.posts:
            step = int(post.step)
            if not now - PAST <= step <= now:
                continue
            at = step if step >= recent else step // HOUR * HOUR
            spot = f"{post.country}/{post.place}" if post.country and post.place else ""
            cells = {(post.kind, where) for where in (post.country, spot, ANYWHERE) if where}
            for cell in cells | ({(ANY_KIND, spot)} if spot else set()):
                new = (*cell, post.text) not in known
                known.add((*cell, post.text))
                own = sums[*cell, at]
                own[:] = own[0] + 1, own[1] + new, own[2] + (new and bool(post.country))
        for step, number in self.volume.items():
            if now - PAST <= step <= now and number:
                own = sums["", "", step if step >= recent else step // HOUR * HOUR]
                own[:] = own[0] + number, own[1] + number, 0
        return [Count(*cell, *parts) for cell, parts in sums.items()]


def follow(stream: Stream, begin: int, end: int) -> list[Situation]:
    """Return the situations that are found from one step to another, in the order in which they are."""
    known: dict[str, Situation] = {}
    for now in (*range(begin + RECENT, end, RECENT), end):
        found = plan(stream.counts(now), known.values(), now)
        known |= {each.id: each for each in (*found.opened, *found.going_on, *found.closed)}
    return sorted(known.values(), key=lambda each: each.opened)


def first_with_many(posts: Sequence[Post]) -> float | None:
    """Return when there were MANY posts of the crisis within an hour for the first time."""
    times = [post.step for post in posts if post.of_it]
    return next((last for first, last in zip(times, times[MANY - 1 :], strict=False) if last - first < HOUR), None)


def outcome(crisis: str, posts: Sequence[Post], pool: Sequence[Post], rate: float, seed: int) -> Outcome:
    """Mix a crisis into a stream that has a week behind it, and say how it is found."""
    many = first_with_many(posts)
    begin = int(posts[0].step)
    until = int(many) + AFTER if many else min(int(posts[-1].step), begin + LONGEST)
    stream = Stream(pool, rate, begin - WEEK, until, seed)
    stream.add(post for post in posts if post.step < until)
    found = follow(stream, begin, until)
    kind = next((KINDS[word] for word in crisis.lower().split("_") if word in KINDS), "")
    kindred = {kind} | UNTOLD | {each for kinds in KINDRED if kind in kinds for each in kinds}
    # Of a crisis with many posts: the one that goes on when it has them.
    own = [each for each in found if (each.kind in kindred or not kind) and (many is None or each.last + QUIET >= many)]
    by = own[0] if own else None
    written = sum(post.of_it and post.step < by.opened + 1 for post in posts) if by else 0
    return Outcome(crisis, kind, many, by, written, [each for each in found if each is not by])


def table(rate: int, outcomes: Sequence[Outcome], false: Sequence[Situation]) -> Table:
    """Return what became of each crisis at a rate of everyday posts."""
    large = [each for each in outcomes if each.many is not None]
    good = sum(each.minutes is not None and each.minutes <= GOAL for each in large)
    small = [each for each in outcomes if each.many is None]
    seen = [each for each in small if each.by]
    made = Table(
        title=f"{rate:,} everyday posts an hour. Of {len(large)} crises with {MANY} posts in an hour, {good} were found"
        f" within {GOAL} minutes of the {MANY}th; of {len(small)} smaller ones {len(seen)} were found at all."
        f" False situations in {WEEKS} weeks of everyday posts: {len(false)}",
        title_justify="left",
    )
    for name in ("crisis", f"minutes after the {MANY}th", "posts until then", "found as", "peak", "usual", "more"):
        made.add_column(name, justify="left" if name in {"crisis", "found as"} else "right")
    for each in sorted(outcomes, key=lambda each: (each.many is None, each.crisis)):
        minutes = "" if each.minutes is None else f"{each.minutes:.0f}"
        by = each.by
        cells = (f"{by.kind} {by.country}", str(by.peak_texts), f"{by.expected:.1f}") if by else ("not found", "", "")
        made.add_row(each.crisis, minutes, f"{each.posts:,}" if by else "", *cells, str(len(each.more)))
    return made


def run(console: Console) -> None:
    if not REAL.exists():
        console.print("The CrisisLex tweets and the everyday posts are not beside the repository.")
        return
    told = {} if os.environ.get("SITUATIONS_SERVED") else told_unseen()
    pool, every = everyday(REAL / "everyday", told), crises(REAL / "crisislex", told)
    console.print(
        f"{len(pool):,} everyday posts, {sum(post.relevant for post in pool) / len(pool):.2%} of them relevant"
    )
    named = os.environ.get("SITUATIONS_RATES", "")
    for rate in [int(text) for text in named.split(",") if text] or RATES:
        false = []
        for seed in range(WEEKS):
            stream = Stream(pool, rate, 0, 2 * WEEK, SEED + seed)
            false += follow(stream, WEEK, 2 * WEEK)
        outcomes = [outcome(name, posts, pool, rate, SEED) for name, posts in every.items()]
        console.print(table(rate, outcomes, false))
        for each in false:
            console.print(f"false: {each.kind} {each.country} {each.peak_texts} texts, {each.expected:.1f} usual")
