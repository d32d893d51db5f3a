"""What the soak sends and strikes with is what it says; that the rest of it works, tests/test_faults.py shows."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

from rich.console import Console

from chalicelib.transform import answer, rows
from chalicelib.transform.unpack import unpack
from local import faults, soak
from local.audit import Audit


def test_junk_is_refused_and_tweets_are_taken() -> None:
    kinds: Counter[str] = Counter()
    ids: list[str | None] = []
    for item in islice(soak.items(), 400):
        tweets, refusals = unpack(item.data)
        if item.is_tweet:
            assert tuple(tweet.tweet_id for tweet in tweets) == item.markers
            assert not refusals
            ids += [tweet.tweet_id for tweet in tweets]
        else:
            assert not tweets
            (refusal,) = refusals
            assert item.markers[0].encode() in refusal.raw
            kinds[refusal.reason] += 1
    assert len(ids) == len(set(ids)) > 400
    assert set(kinds) == {"not_json", "not_an_object", "no_text"}


def test_a_dense_record_fits_into_a_put_and_not_into_an_answer() -> None:
    dense = max(islice(soak.items(dense_every=20), 15), key=lambda item: len(item.data))
    assert len(dense.markers) == soak.DENSE
    assert len(dense.data) < 1000 * 1024
    assert len(dense.markers) * rows.SMALLEST_ROW > answer.MOST_BYTES * 3 // 4


def test_faults_are_set_counted_and_lifted_over_restarts(tmp_path: Path) -> None:
    soak.set_faults(tmp_path, {"copy_fails": 1.0}, seed=3)
    for _ in range(2):
        assert faults.of(tmp_path).strikes("copy_fails")
    assert soak.struck(tmp_path) == {"copy_fails": 2}
    soak.set_faults(tmp_path, {})
    assert not faults.of(tmp_path).strikes("copy_fails")


def test_what_it_survived_is_told() -> None:
    console = Console(width=100)
    sender = soak.Sender("http://127.0.0.1:1", tweets={"1", "2"}, junk={"junk-0"}, resent=7)
    found = Audit(tweets=1, rows=3, files=2, given_up=1, refused=1, repaired=2, repairs=4)
    with console.capture() as captured:
        console.print(soak.survived(sender, found, Counter(copy_twice=9), 5, soak.Reconciliations(6, 8)))
    text = captured.get()
    for line in ("copy_twice", "kills (SIGKILL)", "reconciliations", "tweets in the view", "junk under rejected/"):
        assert line in text
    assert all(f" {number} " in text for number in range(1, 10))
