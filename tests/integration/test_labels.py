"""Labels by people: posts are offered, who says what is kept, and `label_prep evaluate` takes it."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from chalice.app import BadRequestError, NotFoundError

from chalicelib.admin import labels
from chalicelib.admin.http import Request
from chalicelib.erasures import rows
from chalicelib.warehouse import data_api
from chalicelib.warehouse.statements import named
from local.server import LocalAws
from tests.support import tweet_files as files
from tests.support.later import Later
from tests.support.warehouses import Scratch, scratch

if TYPE_CHECKING:
    from label_prep import files as sets
else:
    sets = Later("label_prep.files")

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ANN, BEN = (f"arn:aws:iam::123456789012:user/{name}" for name in ("ann", "ben"))
FLOOD = {"disaster_label": "flood", "relevance_label": "relevant"}


# ---- which posts are offered


def post(number: int, hours_ago: float = 1, **more: Any) -> dict[str, Any]:
    at = f"{NOW - timedelta(hours=hours_ago):%Y-%m-%d %H:%M:%S.000}"
    return {"tweet_key": f"{number:032x}", "text_key": f"{number:016x}", "arrived_at": at, **more}


def keyword(theme: str) -> list[dict[str, str]]:
    return [{"prefix": "", "word": "water", "suffix": "", "theme": theme}]


POSTS = [
    post(1, relevance_score=0.51),
    post(2, relevance_score=0.55),
    post(3, relevance_score=0.55, text_key=f"{2:016x}"),  # says the same
    post(4, relevance_score=0.52, disaster_label="storm", keywords=keyword("storm")),
    post(5, relevance_score=0.9, keywords=keyword("tsunami")),
    post(6, relevance_score=0.5, text_key=f"{7:016x}"),  # says what was reviewed
    post(7, relevance_score=0.5),
    post(8, hours_ago=200, relevance_score=0.5),
    post(9, hours_ago=-1, relevance_score=0.5),
]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scratch]:
    with scratch(tmp_path_factory.mktemp("house")) as made:
        made.set_up()
        made.load(*POSTS)
        say(made, 7)
        yield made


def say(house: Scratch, number: int, caller: str = ANN, **said: str) -> list[tuple[Any, ...]]:
    """What the admin API does for a review."""
    given = {
        "label": "flood",
        "relevance": "relevant",
        "information": " ",
        "note": " ",
        "request": "1",
        "tweet": f"{number:032x}",
        "caller": caller,
        "now": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}",
    }
    asked = {"tweet": given["tweet"], "caller": caller}
    house.run(named("labels/review"), **given | said)
    return house.run(named("labels/reviewed"), **asked)


def test_offered_are_doubtful_posts_of_distinct_texts_kinds_in_turn(house: Scratch) -> None:
    offered = house.run(named("labels/queue"), now=f"{NOW:%Y-%m-%d %H:%M:%S}")
    assert [(int(row[0], 16), row[7]) for row in offered] == [
        (1, "relevance_in_doubt"),
        (4, "relevance_in_doubt"),
        (5, "kinds_disagree"),
        (2, "relevance_in_doubt"),
    ]


# ---- what is kept


def kept(house: Scratch, number: int) -> list[tuple[Any, ...]]:
    columns = "reviewed_by, disaster_label, relevance_label, information_type, note, told_label, classifier_version"
    return house.run(
        f"SELECT {columns} FROM disaster.label_review WHERE tweet_key = :key ORDER BY reviewed_at", key=f"{number:032x}"
    )


def test_saying_it_again_changes_nothing_and_the_last_word_of_each_counts(house: Scratch) -> None:
    for _ in range(2):
        say(house, 1, information="caution_and_advice", note="a road sign")
    say(house, 1, BEN, label="storm")
    say(house, 1, relevance="not_relevant")
    model = ("flood", "bundled-1")
    assert kept(house, 1) == [
        (ANN, "flood", "relevant", "caution_and_advice", "a road sign", *model),
        (BEN, "storm", "relevant", None, None, *model),
        (ANN, "flood", "not_relevant", None, None, *model),
    ]
    told = house.run(
        "SELECT reviewed_by, disaster_label, relevance_label FROM disaster.reviewed_tweet"
        f" WHERE tweet_key = '{1:032x}' ORDER BY reviewed_by"
    )
    assert told == [(ANN, "flood", "not_relevant"), (BEN, "storm", "relevant")]


def test_of_an_erased_post_no_note_and_no_text_is_kept(house: Scratch) -> None:
    key = "tweets/dt=2026-03-02/hh=05/erased-2.ndjson.gz"
    house.load(post(20), post(21), key=key)
    for number in (20, 21):
        say(house, number, note="it says: our house is gone")
    lines = f"INSERT INTO erased_line VALUES ('{key}', 1)"
    erase = [rows.SQL[name] for name in rows.ERASE]
    house.run(rows.SQL["erased_line"], lines, *erase, now="2026-03-02 13:00:00")
    assert [row[1:5] for row in kept(house, 20)] == [("flood", "relevant", None, None)]
    assert kept(house, 21)[0][4] == "it says: our house is gone"
    texts = house.run(f"SELECT original_text FROM disaster.reviewed_tweet WHERE tweet_key >= '{20:032x}'")
    assert texts == [("River over its banks",)]
    assert say(house, 20) == []


def test_evaluate_takes_them_as_a_csv(house: Scratch, tmp_path: Path) -> None:
    say(house, 4, label="storm")
    say(house, 5, relevance="not_relevant", label="not_disaster")
    names = ["original_text", "disaster_label", "relevance_label", "information_type", "lang"]
    said = house.run(f"SELECT {', '.join(names)} FROM disaster.reviewed_tweet WHERE reviewed_by = '{ANN}'")
    path = tmp_path / "reviews.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([names, *said])
    judged = sets.judged(path)
    assert sorted(judged["gold_kind"]) == sorted(row[1] for row in said)
    assert sorted(judged["relevant"]) == sorted(float(row[2] == "relevant") for row in said)
    assert {"storm", "not_disaster"} <= set(judged["gold_kind"])


# ---- over the admin API


def test_who_says_it_is_the_caller_whom_iam_knows(stack: LocalAws) -> None:
    key = files.put(files.an_hour(), 1)
    files.load(key)
    ((tweet_key,),) = [row.values() for row in data_api.query(
        "SELECT tweet_key FROM disaster.disaster_tweets WHERE s3_key = :key", {"key": key}
    )]  # fmt: skip
    body = {"tweet_key": tweet_key, **FLOOD, "information_type": "caution_and_advice", "note": "dike"}
    said = labels.review(Request(ANN, "request", raw_body=json.dumps(body).encode())).body
    assert said["reviewed_by"] == ANN and said["note"] == "dike" and said["told_label"] == "flood"
    answer = requests.post(f"{stack.admin_url}/labels", json=body, timeout=30)
    assert answer.status_code == 200 and answer.json()["reviewed_by"] not in (ANN, "")
    shown = requests.get(f"{stack.admin_url}/labels", timeout=30).json()
    assert shown["reviewed"]["posts"] >= 1 and shown["reviewed"]["reviewers"] >= 2
    assert len(shown["queue"]) <= 20


@pytest.mark.parametrize(
    ("change", "named_field"),
    [
        ({"tweet_key": "x"}, "tweet_key"),
        ({"disaster_label": "rain"}, "disaster_label"),
        ({"relevance_label": "maybe"}, "relevance_label"),
        ({"information_type": "rumour"}, "information_type"),
        ({"note": "two\nlines"}, "note"),
        ({"who": ANN}, "who"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_is_allowed(change: dict[str, str], named_field: str) -> None:
    body = {"tweet_key": "0" * 32, **FLOOD, **change}
    with pytest.raises(BadRequestError, match=named_field):
        labels.review(Request(ANN, "request", raw_body=json.dumps(body).encode()))


def test_a_post_that_is_not_there_is_said_so(stack: LocalAws) -> None:
    body = json.dumps({"tweet_key": "f" * 32, **FLOOD}).encode()
    with pytest.raises(NotFoundError, match="GET /labels"):
        labels.review(Request(ANN, "request", raw_body=body))
