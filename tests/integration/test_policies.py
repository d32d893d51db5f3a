"""Least privilege: every call that a function makes is allowed, and nothing is allowed that none makes.

The scenario drives all that the functions can do against the local AWS, and records the calls.
"""

import base64
import copy
import gzip
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
import requests

from infra import policies
from infra.stages import FUNCTIONS, stage
from local.aws import schedule
from local.network.generated import Generated
from local.network.jetstream import Jetstream
from local.server import LocalAws
from tests.support.admin_api import finished
from tests.support.aws_in_memory import event
from tests.support.deliveries import loading
from tests.support.recorded_calls import Need, denied, recorded, unused

STAGES = ("local", "dev", "prod")
LOCAL = {function: policies.policy(stage("local"), function) for function in FUNCTIONS}
BUCKET = "disaster-tweets-local"
WORDS = {"wildfire": "wildfire smoke blaze", "flood": "flood water river", "not_disaster": "pizza song movie"}


class Scenario:
    """What an operator and a stream of tweets can make the functions do."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        self.s3, self.lambda_, self.data = boto3.client("s3"), boto3.client("lambda"), boto3.client("redshift-data")

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        answer = requests.request(method, self.aws.admin_url + path, json=body, timeout=60)
        assert answer.status_code < 300, f"{method} {path}: {answer.text}"
        return answer.json()

    def until_done(self, path: str) -> None:
        deadline = time.monotonic() + 60
        while (found := self.admin("GET", path))["status"] == "running":
            assert time.monotonic() < deadline, found
            time.sleep(0.1)
        assert found["status"] == "succeeded", found

    def invoke(self, function: str, payload: Any) -> Any:
        name = f"disaster-tweets-local-{function}"
        answer = self.lambda_.invoke(FunctionName=name, Payload=json.dumps(payload).encode())
        assert "FunctionError" not in answer, answer["Payload"].read()
        return json.loads(answer["Payload"].read())

    def labelled(self, name: str, each: int) -> str:
        rows = "".join(f"{label},{words} number {n}\n" for n in range(each) for label, words in WORDS.items())
        self.s3.put_object(Bucket=BUCKET, Key=f"classifier/data/{name}", Body=rows.encode())
        return f"s3://{BUCKET}/classifier/data/{name}"

    def classifier(self) -> None:
        """A version is trained, hosted, made active, used, evaluated, resized, and at last deleted."""
        train, test = self.labelled("policies-train.csv", 60), self.labelled("policies-test.csv", 3)
        started = self.admin("POST", "/classifier/train", {"data": train, "test_data": test})
        self.until_done(started["status_url"])
        self.admin("POST", f"{started['status_url']}/endpoint", {"inference_units": 10})
        self.until_done(started["status_url"])
        self.admin("PUT", "/classifier/active", {"version": started["id"]})
        self.admin("GET", "/classifier/active")
        bundled = self.admin("GET", "/classifier/versions")["versions"][0]["version"]
        finished(self.aws.admin_url, "/classifier/evaluate", {"data": test, "versions": [bundled, started["id"]]})
        self.stream()
        self.reconciliation()
        self.admin("POST", f"{started['status_url']}/endpoint", {"inference_units": 9})
        self.until_done(started["status_url"])
        self.admin("DELETE", f"{started['status_url']}/endpoint")

    def stream(self) -> None:
        """A batch, and the same again."""
        tweet = json.dumps({"tweet_id": "1", "text": "Forest fire near La Ronge", "lang": "en"}).encode()
        for _ in range(2):
            self.invoke("transform", event(tweet, b"no tweet"))

    def collection(self) -> None:
        """A minute of a network in which posts are deleted: into Firehose, and into Kinesis."""
        ssm, path = boto3.client("ssm"), "/disaster-tweets/local/"
        source = f"arn:aws:kinesis:us-east-1:123456789012:stream/{BUCKET}"
        self.s3.delete_object(Bucket=BUCKET, Key="collect/bluesky.json")  # another test's, of another network
        with Jetstream(Generated(rate=2)) as jetstream:
            for name, value in (("bluesky", "everything"), ("jetstream", jetstream.url), ("source_stream_arn", source)):
                ssm.put_parameter(Name=path + name, Value=value, Type="String", Overwrite=True)
                if name != "bluesky":
                    self.collect_both()
        ssm.delete_parameters(Names=[path + name for name in ("bluesky", "jetstream", "source_stream_arn")])

    def collect_both(self) -> None:
        """Posts and deletions: the network makes both, in its own time."""
        deadline = time.monotonic() + 30
        forwarded = deletions = 0
        while not (forwarded and deletions):
            assert time.monotonic() < deadline, (forwarded, deletions)
            collected = self.invoke("collect", schedule.event())
            forwarded, deletions = forwarded + collected["forwarded"], deletions + collected["deletions"]

    def large_batches(self) -> None:
        """Too large for an answer: out of Firehose, and out of Kinesis."""
        many = b"\n".join(json.dumps({"tweet_id": str(n), "text": "flood " * 300}).encode() for n in range(400))
        source = f"arn:aws:kinesis:us-east-1:123456789012:stream/{BUCKET}"
        self.invoke("transform", event(*[many] * 6))
        self.invoke("transform", event(*[many] * 6, source=source))

    def reconciliation(self) -> None:
        """Files without rows: one that can be loaded, one that cannot; and a record that no transform answered for."""
        self.s3.put_object(
            Bucket=BUCKET, Key="tweets/dt=2026-01-02/hh=03/broken-5.ndjson.gz", Body=gzip.compress(b"{}\n")
        )
        unanswered = {"errorCode": "Lambda.FunctionError", "rawData": base64.b64encode(b'{"text":"flood"}').decode()}
        failed = "delivery/processing-failed/2026/01/02/03/disaster-tweets-local-1"
        self.s3.put_object(Bucket=BUCKET, Key=failed, Body=json.dumps(unanswered).encode() + b"\n")
        news = json.dumps({"text": "Forest fire near La Ronge Sask. Canada, homes evacuated"}).encode()
        self.invoke("transform", event(news, arrived=int(time.time() * 1000) - 1000))
        finished(self.aws.admin_url, "/reconciliations", {"repair": True, "grace_seconds": 0})
        assert self.admin("GET", "/overview")["posts"][0]["text"]
        self.admin("GET", "/reconciliations")
        self.admin("GET", "/reconciliations/latest")

    def erasures(self) -> None:
        """A post that is in every store, with old versions, and in a file that can't be read for a while."""
        post = {"tweet_id": "77", "user_id": "7", "text": "flood"}
        line, lost = json.dumps(post).encode() + b"\n", {"errorCode": "Lambda.FunctionError"}
        raw, folder = base64.b64encode(line).decode(), datetime.now(UTC).strftime("%Y/%m/%d/%H")
        self.versions("Enabled")
        try:
            self.put(f"source/{folder}/erased", line)
            self.put("delivery/processing-failed/2026/01/02/03/erased", json.dumps({**lost, "rawData": raw}).encode())
            self.put(
                "rejected/dt=2026-01-02/hh=03/erased-1.ndjson.gz",
                json.dumps({"reason": "no_text", "raw": raw}).encode(),
            )
            answer = self.invoke("transform", event(line))
            row = json.loads(base64.b64decode(answer["records"][0]["data"]))
            finished(self.aws.admin_url, "/reconciliations", {"repair": True, "grace_seconds": 0})
            whole = self.s3.get_object(Bucket=BUCKET, Key=row["s3_key"])["Body"].read()
            self.put(row["s3_key"], b"\x1f\x8bbroken")
            asked = self.admin("POST", "/erasures", {"tweet_ids": ["77"], "user_ids": ["8"]})
            self.erase()
            self.admin("GET", "/erasures")
            self.admin("GET", asked["status_url"])
            self.put(row["s3_key"], whole)
            self.erase()
            self.until_done(asked["status_url"])
        finally:
            self.versions("Suspended")

    def erase(self) -> None:
        """A whole pass, after the one that is under way."""
        while self.invoke("erase", schedule.event()).get("held"):
            time.sleep(0.1)

    def versions(self, status: Any) -> None:
        self.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": status})

    def put(self, key: str, body: bytes) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)

    def loader(self) -> None:
        """A surge, of which the transform tells, and a look on schedule."""
        many = b"\n".join(json.dumps({"text": f"Flood in street {n}, houses under water"}).encode() for n in range(99))
        with loading():
            self.invoke("transform", event(many))
            self.invoke("reconcile", schedule.event())

    def sql(self, statement: str) -> None:
        ran = self.data.execute_statement(Sql=statement, WorkgroupName=BUCKET, Database="tweets")["Id"]
        while (found := self.data.describe_statement(Id=ran))["Status"] != "FINISHED":
            assert found["Status"] not in {"FAILED", "ABORTED"}, found

    def situation(self) -> None:
        """One that no message was about: the next run that loads something tells of it."""
        times = ("began_at", "peak_at", "last_at", "opened_at", "seen_at")
        counts = ("posts", "distinct_texts", "peak_posts", "peak_texts", "expected_texts")
        self.sql(
            f"INSERT INTO disaster.situation (situation_id, kind, severity, opened_by, {', '.join(times + counts)})"
            f" VALUES ('1', 'flood', 'minor', 'nobody', {', '.join(['GETDATE()'] * 5 + ['1'] * 5)})"
        )
        self.admin("GET", "/situations")

    def warehouse(self) -> None:
        """From nothing."""
        self.sql("DROP SCHEMA disaster CASCADE")
        finished(self.aws.admin_url, "/warehouse/setup")
        self.admin("GET", "/warehouse")
        self.admin("GET", "/")


@pytest.fixture(scope="module")
def needed(stack: LocalAws) -> Iterator[set[Need]]:
    """What the functions' calls need, all of them."""
    with recorded() as found:
        scenario = Scenario(stack)
        scenario.warehouse()
        scenario.situation()
        scenario.classifier()
        scenario.large_batches()
        scenario.collection()
        scenario.erasures()
        scenario.loader()
    yield found


IMPLIED = {"Log logs:CreateLogStream", "Log logs:PutLogEvents"}
"""What Lambda itself does for every function."""


def unneeded(needed: set[Need], of: dict[str, Any]) -> list[str]:
    return sorted(line for line in unused(needed, of) if " ".join(line.split()[1:3]) not in IMPLIED)


def test_every_call_is_allowed(needed: set[Need]) -> None:
    assert sorted(denied(needed, LOCAL)) == []


def test_nothing_is_allowed_that_no_call_needs(needed: set[Need]) -> None:
    assert unneeded(needed, LOCAL) == []


def test_all_functions_were_driven(needed: set[Need]) -> None:
    assert {need.function for need in needed} == set(FUNCTIONS)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_removed_permission_is_noticed(needed: set[Need], function: str) -> None:
    for number, statement in enumerate(LOCAL[function]["Statement"]):
        for action in statement["Action"]:
            less = copy.deepcopy(LOCAL)
            less[function]["Statement"][number]["Action"].remove(action)
            if statement["Sid"] != "Log":
                assert {(need.function, need.action) for need in denied(needed, less)} == {(function, action)}


def test_an_unused_permission_is_noticed(needed: set[Need]) -> None:
    more = copy.deepcopy(LOCAL)
    more["transform"]["Statement"][0]["Action"].append("ssm:DeleteParameter")
    more["jobs"]["Statement"][1]["Resource"].append("arn:aws:s3:::disaster-tweets-local/tweets/*")
    assert [line.split()[:3] for line in unneeded(needed, more)] == [
        ["jobs", "WriteReports", "s3:PutObject"],
        *[["transform", "ReadSettings", "ssm:DeleteParameter"]] * 2,
    ]


# ---- what the policies say, whatever is called


@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_files_are_what_the_grants_say(name: str, function: str) -> None:
    assert policies.written(stage(name), function), "python -m infra policies --stage " + name


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_action_is_a_wildcard_and_each_wide_resource_says_why(function: str) -> None:
    for grant in (*policies.GRANTS[function], policies.logs(function)):
        assert not [action for action in grant.actions if "*" in action]
        if "*" in grant.resources or any(resource.endswith(":*") for resource in grant.resources):
            assert len(grant.why.split()) > 4, grant.sid


@pytest.mark.parametrize("name", STAGES)
def test_stages_are_kept_apart(name: str) -> None:
    """A function of one stage can't touch what is another's."""
    others = [other for other in STAGES if other != name]
    for function in FUNCTIONS:
        assert not [other for other in others if f"tweets-{other}" in policies.text(stage(name), function)]


def test_a_cluster_is_named_where_there_is_one() -> None:
    from infra.stages import Stage

    with_cluster = Stage("dev", {"ExistingCluster": "ours", "DatabaseUser": "loader"})
    text = policies.text(with_cluster, "reconcile")
    assert "arn:aws:redshift:*:*:cluster:ours" in text and "dbuser:ours/loader" in text
    assert "redshift-serverless" not in text
