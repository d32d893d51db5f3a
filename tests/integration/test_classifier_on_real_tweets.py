"""A classifier trained on real tweets, over the admin API: trained, hosted, active, compared with the bundled one."""

import csv
import hashlib
import io
from collections import Counter, defaultdict
from typing import Any

import boto3
import pytest

import producer
from chalicelib.classifier import bundled
from chalicelib.classifier.text import clean
from infra.stages import ROOT
from tests.support.admin_api import BUCKET, Api, sent

REAL = ROOT.parent / "shared" / "data" / "crowdflower" / "disasters_on_social_media.csv"
pytestmark = pytest.mark.skipif(not REAL.exists(), reason=f"the real tweets are not there: {REAL}")

KEYWORDS = {
    "attack": ["suicide bomb", "suicide bomber", "suicide bombing", "bombing", "terrorist", "terrorism", "massacre"],
    "fire": ["buildings on fire", "buildings burning", "burning buildings", "arson"],
    "flood": ["flood", "flooding", "floods", "deluged", "inundated", "inundation"],
    "storm": ["typhoon", "cyclone", "hurricane", "tornado", "thunderstorm", "violent storm", "hailstorm", "rainstorm"],
    "transport_accident": ["derailment", "derailed", "airplane accident", "collision"],
    "wildfire": ["wildfire", "wild fires", "forest fire", "forest fires", "bush fires"],
}
"""What the tweets of a kind were found by. Whether they speak of a disaster, people have judged."""
MOST = 250  # tweets a kind: enough to learn from, soon trained
UNITS = 10  # 20 documents a second

Labelled = list[tuple[str, str]]
"""Kind and text of tweets."""


def labelled() -> tuple[Labelled, Labelled]:
    """Tweets to train on and, a fifth, to test with: the same ones every time."""
    kinds = {word: kind for kind, words in KEYWORDS.items() for word in words}
    found: dict[str, dict[str, str]] = defaultdict(dict)
    with REAL.open(encoding=producer.encoding_of(REAL), newline="") as file:
        for row in csv.DictReader(file):
            kind = kinds.get(row["keyword"].replace("%20", " "))
            if row["choose_one"] == "Not Relevant":
                kind = "not_disaster"
            elif row["choose_one"] != "Relevant" or kind is None:
                continue
            if len(found[kind]) < MOST and (text := clean(row["text"])):
                found[kind][text] = row["text"]
    tweets = [(kind, text) for kind, texts in found.items() for text in texts.values()]
    tweets.sort(key=lambda tweet: hashlib.sha256(tweet[1].encode()).digest())
    fifth = len(tweets) // 5
    return tweets[fifth:], tweets[:fifth]


def as_csv(tweets: Labelled) -> bytes:
    """As Comprehend trains on it, and `label_prep` writes it."""
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\n").writerows((kind, clean(text)) for kind, text in tweets)
    return file.getvalue().encode()


def test_train_host_activate_label_compare_delete(stack: Any) -> None:
    api, s3 = Api(stack.admin_url), boto3.client("s3", endpoint_url=stack.endpoint_url)
    train, test = labelled()
    assert min(Counter(kind for kind, _ in train).values()) >= 50
    for name, tweets in (("real-train.csv", train), ("real-test.csv", test)):
        s3.put_object(Bucket=BUCKET, Key=f"classifier/data/{name}", Body=as_csv(tweets))
    data, test_data = (f"s3://{BUCKET}/classifier/data/real-{name}.csv" for name in ("train", "test"))

    started = api("POST", "/classifier/train", {"data": data, "test_data": test_data, "name": "real"}, expect=202)
    version, url = started["id"], started["status_url"]
    assert sum(started["checked"]["documents"].values()) == len(train)
    trained = api.until(url)
    assert (trained["aws_status"], trained["head"]) == ("TRAINED", "kind")
    assert trained["documents"] == {"trained": len(train), "tested": len(test)}
    assert trained["metrics"]["f1_macro"] > 0.6
    assert set(trained["labels"]) == {*KEYWORDS, "not_disaster"}

    api("POST", f"{url}/endpoint", {"inference_units": UNITS}, expect=202)
    assert api.until(url)["ready"]
    assert api("PUT", "/classifier/active", {"version": version})["version"] == version

    some = {text: kind for kind, text in test[:20]}
    rows = sent(stack, *some)
    assert [row["original_text"] for row in rows] == list(some)
    assert {row["classifier_version"] for row in rows} == {version}
    assert sum(row["disaster_label"] == some[row["original_text"]] for row in rows) > 0.6 * len(some)

    body = {"data": test_data, "versions": [bundled.version(), version], "sample": 40}
    report = api.until(api("POST", "/classifier/evaluate", body, expect=202)["status_url"])
    assert report["status"] == "succeeded", report
    assert (report["documents"], report["scored"]) == (len(test), 40)
    ours, paid = report["versions"]
    assert (ours["version"], paid["version"]) == (bundled.version(), version)
    assert min(ours["accuracy"], paid["accuracy"]) > 0.6
    assert (ours["usd_a_day"], paid["usd_a_day"]) == (0, 432)
    assert 0 <= report["comparisons"][0]["p"] <= 1

    assert api("DELETE", f"{url}/endpoint", expect=202)["switched_to_bundled"]
    assert api("GET", "/classifier/active")["backend"] == "bundled"
    assert api.until(url, lambda found: found["endpoint"] is None)["ready"] is False
    (row,) = sent(stack, next(text for _, text in test[20:]))
    assert row["classifier_version"] == bundled.version()
