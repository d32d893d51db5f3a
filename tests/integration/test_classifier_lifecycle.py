"""A classifier's whole life over the admin API: train, host, switch, compare, delete."""

import json
import random
from typing import Any

import boto3
import pytest

from chalicelib.classifier import bundled
from tests.support.admin_api import BUCKET, Api, sent

WORDS = {
    "wildfire": ["wildfire", "smoke", "blaze", "acres"],
    "flood": ["flood", "water", "river", "rain"],
    "not_disaster": ["pizza", "song", "movie", "coffee"],
}


RELEVANCE = {"relevant": "flood water in the streets", "not_relevant": "pizza and a movie"}


def labelled(each: int, seed: int) -> str:
    rng = random.Random(seed)
    rows = [f"{k},the {' '.join(rng.sample(w, 2))} of today {i}" for i in range(each) for k, w in WORDS.items()]
    return "\n".join(rows) + "\n"


@pytest.fixture(scope="module")
def api(stack: Any) -> Api:
    s3 = boto3.client("s3", endpoint_url=stack.endpoint_url)
    for name, text in {
        "train.csv": labelled(60, 1),
        "test.csv": labelled(20, 2),
        "few.csv": labelled(49, 3),
        "latin.csv": labelled(60, 4),
    }.items():
        data = text.encode() if name != "latin.csv" else text.replace("river", "río").encode("cp1252")
        s3.put_object(Bucket=BUCKET, Key=f"classifier/data/{name}", Body=data)
    return Api(stack.admin_url)


@pytest.fixture(scope="module")
def version(api: Api) -> str:
    """A trained version that is hosted on one inference unit."""
    body = {"data": f"s3://{BUCKET}/classifier/data/train.csv", "test_data": f"s3://{BUCKET}/classifier/data/test.csv"}
    started = api("POST", "/classifier/train", body, expect=202)
    assert api.headers["Location"] == started["status_url"] == f"/classifier/versions/{started['id']}"
    assert started["checked"] == {"documents": {"wildfire": 60, "flood": 60, "not_disaster": 60}, "complete": True}

    again = api("POST", "/classifier/train", body, expect=202)
    assert again["id"] == started["id"]
    assert api("PUT", "/classifier/active", {"version": started["id"]}, expect=409)["Code"] == "ConflictError"

    trained = api.until(started["status_url"])
    assert (trained["status"], trained["aws_status"], trained["ready"]) == ("succeeded", "TRAINED", False), trained
    assert [v["version"] for v in api("GET", "/classifier/versions")["versions"]].count(started["id"]) == 1

    endpoint = f"{started['status_url']}/endpoint"
    hosting = api("POST", endpoint, {"inference_units": 1}, expect=202)
    assert (hosting["status"], hosting["usd_a_day"]) == ("running", 43.2)
    assert api.until(started["status_url"])["ready"]
    assert api("POST", endpoint, {"inference_units": 1})["status"] == "succeeded"
    return str(started["id"])


def test_a_version_shows_scores_confusion_matrix_and_costs(api: Api, version: str) -> None:
    found = api("GET", f"/classifier/versions/{version}")
    assert found["metrics"]["accuracy"] > 0.9
    assert found["documents"] == {"trained": 180, "tested": 60}
    assert found["confusion_matrix"]["labels"] == sorted(WORDS)
    assert sum(map(sum, found["confusion_matrix"]["matrix"])) == 60
    assert found["labels"]["flood"]["support"] == 20
    assert found["cost"]["endpoint_usd_a_day"] == 43.2
    assert found["endpoint"]["aws_status"] == "IN_SERVICE"


def test_the_bundled_classifier_is_a_version_like_any_other(api: Api) -> None:
    ours = api("GET", "/classifier/versions")["versions"][0]
    assert (ours["backend"], ours["ready"], ours["endpoint"]) == ("bundled", True, None)
    assert api("GET", f"/classifier/versions/{ours['version']}")["metrics"] == ours["metrics"]
    assert {"accuracy", "precision_macro", "recall_macro", "f1_macro"} <= set(ours["metrics"])
    assert api("POST", f"/classifier/versions/{ours['version']}/endpoint", {}, expect=409)


def test_an_endpoint_takes_other_units(api: Api, version: str) -> None:
    assert (
        api("POST", f"/classifier/versions/{version}/endpoint", {"inference_units": 2}, expect=202)["usd_a_day"] == 86.4
    )
    assert api.until(f"/classifier/versions/{version}")["endpoint"]["inference_units"] == 2


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("few.csv", "line 1, column 1: label wildfire has 49 documents, 50 are needed"),
        ("latin.csv", "column 2: not UTF-8"),
    ],
)
def test_a_file_that_cannot_train_is_refused_before_it_costs(api: Api, name: str, complaint: str) -> None:
    answer = api("POST", "/classifier/train", {"data": f"s3://{BUCKET}/classifier/data/{name}"}, expect=400)
    assert answer["Code"] == "BadRequestError" and complaint in answer["Message"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/classifier/train", {"data": "file.csv"}, 400),
        ("POST", "/classifier/versions/nope/endpoint", {}, 404),
        ("POST", "/classifier/versions/nope/endpoint", {"inference_units": 0}, 400),
        ("DELETE", "/classifier/versions/nope/endpoint", None, 404),
        ("GET", "/classifier/versions/nope", None, 404),
        ("GET", "/classifier/evaluations/nope", None, 404),
        ("PUT", "/classifier/active", {"version": "nope"}, 404),
        ("PUT", "/classifier/active", {"version": "bundled", "endpoint": 1}, 400),
        ("POST", "/classifier/train", {"data": f"s3://{BUCKET}/tweets/train.csv"}, 400),
        ("POST", "/classifier/evaluate", {"data": f"s3://{BUCKET}/classifier/none", "versions": ["bundled"]}, 404),
        ("POST", "/classifier/train", {"data": f"s3://{BUCKET}/classifier/data/none.csv"}, 404),
        ("POST", "/classifier/train", {"data": "s3://somebody-elses/classifier/data/train.csv"}, 404),
        ("POST", "/classifier/train", {"data": f"s3://{BUCKET}/classifier/data/t"}, 404),
    ],
)
def test_what_cannot_be_done_is_answered_with_the_reason(
    api: Api, method: str, path: str, body: Any, status: int
) -> None:
    answer = api(method, path, body, expect=status)
    assert set(answer) == {"Code", "Message"} and len(answer["Message"]) > 10


def test_versions_are_compared_on_the_same_tweets(api: Api, version: str) -> None:
    body = {"data": f"s3://{BUCKET}/classifier/data/test.csv", "versions": ["bundled", version], "sample": 20}
    started = api("POST", "/classifier/evaluate", body, expect=202)
    report = api.until(started["status_url"])
    assert report["status"] == "succeeded", report
    assert (report["documents"], report["sampled"], report["scored"], report["head"]) == (60, 20, 20, "kind")
    assert [v["version"] for v in report["versions"]] == [bundled.version(), version]
    assert report["versions"][1]["accuracy"] > 0.9
    assert report["versions"][0]["usd_a_day"] == 0 < report["versions"][1]["usd_a_day"]
    page = api("GET", started["status_url"], Accept="text/html")
    assert page.startswith("<!doctype html>") and version in page


def batches(stack: Any) -> list[dict[str, Any]]:
    """The transform's line in its log for each batch so far."""
    log = (stack.home / "logs" / "transform.log").read_text().split("\n")
    lines = [json.loads(line) for line in log if line.startswith("{")]
    return [line for line in lines if line.get("message") == "batch"]


def test_tweets_are_labelled_by_the_active_version(stack: Any, api: Api, version: str) -> None:
    api("PUT", "/classifier/active", {"version": version})
    rows = sent(stack, "smoke and acres", "river and rain")
    assert [row["disaster_label"] for row in rows] == ["wildfire", "flood"]
    assert {row["classifier_version"] for row in rows} == {version}


@pytest.mark.parametrize(
    ("faults", "answered"),
    [
        ({"comprehend_throttled": 0.5, "comprehend_fails": 1.0}, False),
        ({"comprehend_gone": 1.0}, False),
        ({"comprehend_slow": 1.0}, True),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_whatever_comprehend_does_every_tweet_is_labelled(
    stack: Any, api: Api, version: str, faults: dict[str, float], answered: bool
) -> None:
    api("PUT", "/classifier/active", {"version": version})
    failed_before = keys(stack, "delivery/processing-failed/")
    stack.faults.set(faults)
    try:
        (row,) = sent(stack, f"blaze under {'+'.join(faults)}")
    finally:
        stack.faults.set({})
    fallback = f"{bundled.version()} (fallback from {version})"
    assert row["classifier_version"] == (version if answered else fallback)
    assert row["disaster_label"]
    assert batches(stack)[-1]["Fallbacks"] == (0 if answered else 1)
    assert keys(stack, "delivery/processing-failed/") == failed_before, "no batch failed"


def keys(stack: Any, prefix: str) -> list[str]:
    s3 = boto3.client("s3", endpoint_url=stack.endpoint_url)
    return [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]


def test_a_version_labels_tweets_until_its_endpoint_is_deleted(api: Api, version: str) -> None:
    active = api("PUT", "/classifier/active", {"version": version})
    assert (active["version"], active["backend"], active["takes_effect_within_seconds"]) == (version, "comprehend", 60)
    assert active["by"] and active["since"]
    assert api("PUT", "/classifier/active", {"version": version})["since"] == active["since"]
    shown = api("GET", "/classifier/active")
    assert shown.pop("fallbacks_last_hour") >= 0
    assert shown == {name: active[name] for name in shown}
    assert api("GET", f"/classifier/versions/{version}")["active"]

    deleted = api("DELETE", f"/classifier/versions/{version}/endpoint", expect=202)
    assert deleted["switched_to_bundled"]
    assert api("GET", "/classifier/active")["backend"] == "bundled"
    assert api.until(f"/classifier/versions/{version}", lambda body: body["endpoint"] is None)["ready"] is False
    api("DELETE", f"/classifier/versions/{version}/endpoint", expect=404)


def test_relevance_labels_lead_to_a_next_step_at_every_turn(api: Api, version: str) -> None:
    lines = [f"{label},{text} of today {i}\n" for i in range(55) for label, text in RELEVANCE.items()]
    s3 = boto3.client("s3")
    s3.put_object(Bucket=BUCKET, Key="classifier/data/relevance.csv", Body="".join(lines).encode())
    started = api("POST", "/classifier/train", {"data": f"s3://{BUCKET}/classifier/data/relevance.csv"}, expect=202)
    mine = started["id"]
    beside = f'"relevance_version": "{mine}"'
    assert started["head"] == "relevance" and beside in started["message"]
    assert f"/classifier/versions/{mine}/endpoint" in started["message"]
    assert api.until(started["status_url"])["head"] == "relevance"

    refused = api("PUT", "/classifier/active", {"version": mine}, expect=409)["Message"]
    assert beside in refused and version in refused, "names the versions that go with it"
    other = api("PUT", "/classifier/active", {"version": version, "relevance_version": version}, expect=409)["Message"]
    assert other

    for each in (version, mine):
        api("POST", f"/classifier/versions/{each}/endpoint", {}, expect=202)
        api.until(f"/classifier/versions/{each}", lambda body: body["ready"])
    said = json.loads("{" + f'"version": "{version}", {beside}' + "}")
    try:
        assert api("PUT", "/classifier/active", said)["relevance_endpoint_arn"]
    finally:
        for each in (version, mine):
            api("DELETE", f"/classifier/versions/{each}/endpoint", expect=202)
            api.until(f"/classifier/versions/{each}", lambda body: body["endpoint"] is None)
