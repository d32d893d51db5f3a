"""What is asked to be erased is gone from every store, and what brings it back is erased again."""

from __future__ import annotations

import base64
import gzip
import json
import secrets
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import boto3
import pytest
import requests as http

from chalicelib import clients
from chalicelib.erasures import requests, run
from chalicelib.settings import settings
from chalicelib.warehouse import data_api
from local.server import LocalAws
from tests.support import tweet_files
from tests.support.aws_in_memory import event
from tests.support.tweet_files import Context

TEXTS = """
SELECT t.table_schema || '.' || t.table_name AS place, c.column_name, c.data_type
FROM information_schema.tables AS t
INNER JOIN information_schema.columns AS c ON t.table_schema = c.table_schema AND t.table_name = c.table_name
WHERE t.table_schema = 'disaster' AND t.table_type = 'BASE TABLE' ORDER BY 1, 2
"""


class World:
    """The local AWS with a few posts in it, and a look into all its stores."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws, self.bucket = aws, settings().bucket
        self.s3: Any = clients.s3()
        self.before = {(each["Key"], each["VersionId"], each["ETag"]) for each in self._listed("")}
        """What can't hold a word of a post that isn't made yet; it is not read again for each look."""

    def post(self, **more: Any) -> dict[str, Any]:
        """A post with words and IDs of its own."""
        word = secrets.token_hex(8)
        tweet_id = f"{secrets.randbits(60) | 1 << 60}"
        return {
            "tweet_id": tweet_id,
            "user_id": f"u{secrets.token_hex(6)}",
            "text": f"flood w{word} over its banks",
            "location": f"town l{word}",
            "keyword": f"search k{word}",
            **more,
        }

    def send(self, *records: bytes, flushed: bool = True) -> None:
        boto3.client("firehose").put_record_batch(
            DeliveryStreamName=self.aws.stream, Records=[{"Data": each} for each in records]
        )
        if flushed:
            self.aws.flush()

    def erase(self, *posts: dict[str, Any], users: tuple[str, ...] = ()) -> str:
        ids = [post["tweet_id"] for post in posts]
        return requests.put(ids, users, "api", datetime.now(UTC))

    def put(self, key: str, body: bytes) -> str:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        return key

    def keys(self, prefix: str) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [each["Key"] for page in pages for each in page.get("Contents", ())]

    def versions(self, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        for each in self._listed(prefix):
            if (each["Key"], each["VersionId"], each["ETag"]) not in self.before:
                found = self.s3.get_object(Bucket=self.bucket, Key=each["Key"], VersionId=each["VersionId"])
                yield each["Key"], readable(found["Body"].read())

    def _listed(self, prefix: str) -> Iterator[dict[str, Any]]:
        pages = self.s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=prefix)
        return (each for page in pages for each in page.get("Versions", ()))

    def holding(self, *posts: dict[str, Any]) -> list[str]:
        """Where a word of these posts is still to be found."""
        needles = [value.split()[1].encode() for post in posts for value in (post["text"], post["location"])]
        needles += [post["keyword"].split()[1].encode() for post in posts]
        places = [key for key, body in self.versions() if any(each in body for each in needles)]
        places += [place for place, holds in texts().items() if data_api.query(holds, {"word": pattern(needles)})]
        for path in (self.aws.home / "logs").rglob("*"):
            if path.is_file() and any(each in path.read_bytes() for each in needles):
                places.append(path.name)
        return places


def pattern(needles: list[bytes]) -> str:
    return "|".join(sorted({each.decode() for each in needles}))  # of letters and digits


def texts() -> dict[str, str]:
    """For each table, a query that has a row if the pattern `:word` is in some text of it."""
    found: dict[str, list[str]] = {}
    for row in data_api.query(TEXTS):
        kind, name = row["data_type"].lower(), row["column_name"]
        if "char" in kind or "text" in kind:
            found.setdefault(row["place"], []).append(name)
        elif kind in ("super", "json"):
            found.setdefault(row["place"], []).append(f"JSON_SERIALIZE({name})")
    holds = {place: " OR ".join(f"REGEXP_COUNT({each}, :word) > 0" for each in told) for place, told in found.items()}
    return {place: f"SELECT 1 AS found FROM {place} WHERE {holds[place]} LIMIT 1" for place in found}


def readable(body: bytes) -> bytes:
    """A body with what is packed in it: gzip, and base64 in JSON lines."""
    try:
        plain = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
    except (OSError, EOFError, zlib.error):
        plain = body
    found = [plain]
    for line in plain.splitlines():
        try:
            said = json.loads(line)
        except ValueError:
            continue
        if isinstance(said, dict):
            found += [base64.b64decode(said[name]) for name in ("raw", "rawData") if name in said]
    return b"\n".join(found)


def record(*posts: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(post).encode() + b"\n" for post in posts)


def rows(*posts: dict[str, Any]) -> list[dict[str, Any]]:
    ids = ", ".join(f"'{post['tweet_id']}'" for post in posts)
    return data_api.query(f"SELECT * FROM disaster.disaster_tweets WHERE tweet_id IN ({ids}) ORDER BY s3_key, s3_line")


def erase() -> dict[str, Any]:
    return run.run(Context())


@pytest.fixture
def world(stack: LocalAws) -> World:
    """Without what other tests have left that can't be read, or that would only be looked at again."""
    made = World(stack)
    for prefix in ("rejected/", "delivery/", "source/", "erasures/"):
        for each in made.s3.list_object_versions(Bucket=made.bucket, Prefix=prefix).get("Versions", ()):
            made.s3.delete_object(Bucket=made.bucket, Key=each["Key"], VersionId=each["VersionId"])
    tweet_files.execute("DELETE FROM disaster.finding")
    return made


def test_what_is_erased_is_in_no_store_and_its_row_stays_as_a_tombstone(world: World) -> None:
    gone, stays = world.post(), world.post()
    world.send(record(gone, stays), record({**world.post(), "text": ""} | {"tweet_id": gone["tweet_id"]}))
    (row,), (other,) = rows(gone), rows(stays)
    assert {key.split("/")[0] for key in world.holding(gone)} >= {"tweets", "source", "delivery"}
    asked = world.erase(gone)
    report = erase()
    assert (report["complete"], report["rows_erased"], report["trouble"]) == (True, 1, {})
    assert world.holding(gone) == []
    assert rows(stays) == [other]
    key, line = row["s3_key"], row["s3_line"]
    given = f"SELECT * FROM disaster.disaster_tweets WHERE s3_key = '{key}' AND s3_line = {line}"
    (tombstone,) = data_api.query(given)
    assert tombstone["erased_at"] and tombstone["tweet_key"] == row["tweet_key"]
    assert [name for name in ("original_text", "tweet_id", "user_id", "keywords", "location") if tombstone[name]] == []
    done = requests.outcome(world.bucket, asked)
    assert done and (done["status"], done["tweet_ids"], done["proof"]["rows_erased"]) == ("succeeded", 1, 1)
    assert list(world.versions(requests.key(asked))) == []


def test_a_situation_is_shown_by_no_post_that_was_erased(world: World) -> None:
    gone, stays = world.post(), world.post()
    world.send(record(gone, stays))
    keys = [row["tweet_key"] for post in (gone, stays) for row in rows(post)]
    for nth, key in enumerate(keys, 1):
        tweet_files.execute(f"INSERT INTO disaster.situation_post VALUES ('{gone['user_id']}', {nth}, '{key}', 2)")
    world.erase(gone)
    erase()
    query = f"SELECT tweet_key FROM disaster.situation_post WHERE situation_id = '{gone['user_id']}'"
    assert [row["tweet_key"] for row in data_api.query(query)] == keys[1:]


def test_all_of_a_user_goes_and_nobody_elses(world: World) -> None:
    user = f"did:plc:{secrets.token_hex(12)}"
    gone = [world.post(user_id=user) for _ in range(3)]
    stays = world.post()
    world.send(record(*gone[:2], stays), record(gone[2]))
    (before,) = rows(stays)
    world.erase(users=(user,))
    assert erase()["rows_erased"] == 3
    assert world.holding(*gone) == [] and rows(stays) == [before]


def test_what_no_row_leads_to_is_found(world: World) -> None:
    """Refused records, records without an answer, and what is no JSON."""
    refused, failed, broken = world.post(), world.post(), world.post()
    del refused["text"]
    cut = record(broken)[:-3] + b"\n"
    world.send(record(refused), cut, record(world.post()))
    failure = {
        "errorCode": "Lambda.FunctionError",
        "arrivalTimestamp": 1_767_322_800_000,
        "rawData": base64.b64encode(record(failed, world.post())).decode(),
    }
    key = world.put("delivery/processing-failed/2026/01/02/03/x-1", json.dumps(failure).encode() + b"\n")
    refused["text"] = refused["location"]  # what to look for
    assert {place.split("/")[0] for place in world.holding(refused)} == {"rejected", "source", "delivery"}
    assert {place.split("/")[0] for place in world.holding(broken)} == {"rejected", "source", "delivery"}
    world.erase(refused, failed, broken)
    assert erase()["complete"]
    assert world.holding(refused, failed, broken) == []
    ((_, left),) = world.versions(key)
    assert b"erased_at" in left and left.count(b"flood") == 1
    for key in world.keys("rejected/"):  # as many lines as the name says
        body = gzip.decompress(world.s3.get_object(Bucket=world.bucket, Key=key)["Body"].read())
        assert body.count(b"\n") == int(key.rpartition("-")[2].partition(".")[0])


def test_old_versions_go_and_deleted_files_too(world: World) -> None:
    gone = world.post()
    world.s3.put_bucket_versioning(Bucket=world.bucket, VersioningConfiguration={"Status": "Enabled"})
    try:
        world.send(record(gone, world.post()))
        (row,) = rows(gone)
        holding = world.holding(gone)
        for key in {key for key, _ in world.versions() if key in holding}:
            body = world.s3.get_object(Bucket=world.bucket, Key=key)["Body"].read()
            world.put(key, body)
        world.s3.delete_object(Bucket=world.bucket, Key=row["s3_key"])  # by hand: now there is a marker
        assert len(world.holding(gone)) > 5
        world.erase(gone)
        report = erase()
        assert report["versions_removed"] >= 4 and world.holding(gone) == []
    finally:
        world.s3.put_bucket_versioning(Bucket=world.bucket, VersioningConfiguration={"Status": "Suspended"})


def test_what_is_sent_again_is_erased_again(world: World) -> None:
    """A replay, a second copy, a late delivery: the next pass finds it, with no request."""
    gone, stays = world.post(), world.post()
    world.send(record(gone, stays))
    world.erase(gone)
    erase()
    world.send(record(gone), record(world.post(), gone))
    assert len(rows(gone)) == 2 and world.holding(gone)
    assert erase()["rows_erased"] == 2
    assert world.holding(gone) == []
    assert rows(stays)


def test_a_backup_that_is_written_after_the_row_was_erased_is_found_too(world: World) -> None:
    gone = world.post()
    world.send(record(gone))
    world.erase(gone)
    erase()
    late = f"source/{datetime.now(UTC) - timedelta(hours=20):%Y/%m/%d/%H}/late"
    world.put(late, gzip.compress(record(world.post(), gone)))
    assert world.holding(gone) == [late]
    assert erase()["objects_rewritten"] == 1
    assert world.holding(gone) == []


def test_a_repair_does_not_bring_it_back_and_nothing_counts_as_lost(world: World) -> None:
    gone = world.post()
    world.send(record(gone, world.post()))
    (row,) = rows(gone)
    world.erase(gone)
    erase()
    hour = datetime.strptime(row["s3_key"][7:27], "dt=%Y-%m-%d/hh=%H/").replace(tzinfo=UTC)
    data_api.execute("DELETE FROM disaster.disaster_tweets WHERE s3_key = :key", {"key": row["s3_key"]})
    report = tweet_files.reconcile(hour, repair=True)
    assert report["tweets"]["lost"] == 0 and report["tweets"]["repaired"] >= 2
    assert world.holding(gone) == []
    again = data_api.query(
        "SELECT erased_at FROM disaster.disaster_tweets WHERE s3_key = :key ORDER BY s3_line", {"key": row["s3_key"]}
    )
    assert [bool(each["erased_at"]) for each in again] == [True, False]


def test_a_batch_that_is_transformed_again_is_answered_with_its_tombstones(world: World) -> None:
    gone = world.post()
    batch = event(record(gone))
    invoke = boto3.client("lambda").invoke
    for erased in (False, True):
        answer = invoke(FunctionName="disaster-tweets-local-transform", Payload=json.dumps(batch).encode())
        (told,) = json.loads(answer["Payload"].read())["records"]
        said = json.loads(base64.b64decode(told["data"]))
        assert bool(said.get("erased_at")) is erased and ("original_text" in said) is not erased
        key = f"tweets/{said['s3_key'].partition('/')[2]}"
        tweet_files.load(key)
        world.erase(gone)
        erase()
    assert world.holding(gone) == []


class Stop(BaseException):
    """As kill -9: nothing is tidied up."""


@pytest.mark.parametrize("writes", range(1, 15, 3))
def test_a_pass_that_is_killed_at_any_write_is_finished_by_the_next(world: World, writes: int) -> None:
    gone, refused = world.post(), world.post()
    text = refused.pop("text")
    world.send(record(gone, world.post()), record(refused))
    refused["text"] = text
    asked = world.erase(gone, refused)
    left = [writes]

    def counted(write: Callable[..., Any]) -> Callable[..., Any]:
        def call(**given: Any) -> Any:
            if not left[0]:
                raise Stop
            left[0] -= 1
            return write(**given)

        return call

    killed = False
    with mock.patch.object(clients, "s3") as s3, mock.patch.object(run, "Lock", mock.MagicMock()):
        s3.return_value = Counted(world.s3, counted)
        try:
            erase()
        except Stop:
            killed = True
    assert killed
    assert erase()["complete"]
    assert world.holding(gone, refused) == []
    done = requests.outcome(world.bucket, asked)
    assert done and done["status"] == "succeeded"


def test_a_pass_that_has_no_time_for_all_refusals_is_gone_on_with(world: World) -> None:
    """It does not begin anew, or it would never end where there are many."""
    refused = [world.post() for _ in range(4)]
    for number, post in enumerate(refused):
        line = {"reason": "no_text", "raw": base64.b64encode(record(post)).decode()}
        world.put(f"rejected/dt=2026-01-02/hh=03/{number}-1.ndjson.gz", json.dumps(line).encode() + b"\n")
    asked = world.erase(*refused)
    looked_at: list[list[str]] = []
    clean = run.each_version

    def one_page(bucket: str, this: run.Pass, erased: set[str], page: Any, threads: int = 1) -> Any:
        page = list(page)
        if page and page[0].key.startswith("rejected/"):
            looked_at[-1] += [version.key[-13] for version in page]
            this.deadline = 0  # no time for another one
        this.deadline, left = float("inf"), this.deadline
        found = list(clean(bucket, this, erased, page, threads))
        this.deadline = left
        return found

    with mock.patch.object(run, "PAGE", 2), mock.patch.object(run, "each_version", one_page):
        while not requests.outcome(world.bucket, asked):
            looked_at.append([])
            erase()
            assert len(looked_at) < 9
    assert [page[0] for page in looked_at if page][:3] == ["0", "1", "2"]  # of a page's last key there may be versions
    assert world.holding(*refused) == []


class Counted:
    """A client whose calls go through a function."""

    def __init__(self, client: Any, through: Any) -> None:
        self._client, self._through = client, through

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        return self._through(found) if name in ("put_object", "delete_object") else found


def test_what_cannot_be_read_keeps_a_request_open_until_it_is_gone(world: World) -> None:
    gone = world.post()
    world.send(record(gone))
    key = world.put("rejected/dt=2026-01-02/hh=03/broken-1.ndjson.gz", b"\x1f\x8bbroken")
    asked = world.erase(gone)
    report = erase()
    assert list(report["trouble"]) == [key] and world.holding(gone) == []
    assert requests.outcome(world.bucket, asked) is None
    world.s3.delete_object(Bucket=world.bucket, Key=key)
    assert erase()["trouble"] == {}
    assert requests.outcome(world.bucket, asked)


def test_a_warehouse_made_anew_knows_the_list_again(world: World) -> None:
    gone = world.post()
    world.erase(gone)
    erase()
    data_api.execute("DELETE FROM disaster.erased_id")
    world.send(record(gone))
    assert erase()["rows_erased"] == 1
    assert world.holding(gone) == []


def test_the_copy_of_a_tweet_that_came_twice_goes_too(world: World) -> None:
    gone = world.post()
    world.send(record(gone))
    world.send(record(gone))
    hours = {datetime.strptime(row["s3_key"][7:27], "dt=%Y-%m-%d/hh=%H/").replace(tzinfo=UTC) for row in rows(gone)}
    tweet_files.reconcile(*hours, repair=True)
    assert "disaster.repeated_tweet" in world.holding(gone)
    world.erase(gone)
    erase()
    assert world.holding(gone) == []


def test_the_admin_api_takes_a_request_and_says_how_far_it_is(world: World) -> None:
    gone = world.post()
    world.send(record(gone))
    url = f"{world.aws.admin_url}/erasures"
    answer = http.post(url, json={"tweet_ids": [gone["tweet_id"]]}, timeout=30)
    asked = answer.json()
    assert (answer.status_code, asked["status"], answer.headers["Location"]) == (202, "running", asked["status_url"])
    deadline = time.monotonic() + 60
    while (found := http.get(url + "/" + asked["id"], timeout=30).json())["status"] == "running":
        assert time.monotonic() < deadline and found["due_at"] == asked["due_at"] and not found["late"]
        time.sleep(0.1)
    assert (found["status"], found["proof"]["rows_erased"], found["tweet_ids"]) == ("succeeded", 1, 1)
    assert asked["id"] in [each["id"] for each in http.get(url, timeout=30).json()["done"]]
    assert world.holding(gone) == []
    for log in (world.aws.home / "logs").iterdir():  # nor is it written down whose it was
        assert gone["tweet_id"].encode() not in log.read_bytes(), log


def test_what_is_late_is_told(world: World) -> None:
    at = datetime.now(UTC) - timedelta(hours=25)
    asked = requests.put(["1"], [], "bluesky", at)
    url = f"{world.aws.admin_url}/erasures"
    found = http.get(url, timeout=30).json()
    assert (found["pending_count"], found["late_count"]) == (1, 1)
    assert [(each["id"], each["late"]) for each in found["pending"]] == [(asked, True)]
    shown = http.get(f"{url}/{asked}", timeout=30).json()
    assert (shown["status"], shown["source"], shown["tweet_ids"]) == ("running", "bluesky", 1)
    world.put(requests.key(asked), b"no request")
    assert http.get(f"{url}/{asked}", timeout=30).json()["status"] == "failed"
    with mock.patch.object(run, "metrics") as emf:
        erase()
    told = {call.args[0]: call.args[2] for call in emf.return_value.add_metric.call_args_list}
    assert told["ErasuresPending"] == 1 and 90_000 <= told["ErasureAge"] < 91_000


@pytest.mark.parametrize(
    "body",
    [{}, {"tweet_ids": []}, {"tweet_ids": [1]}, {"tweet_ids": ["a b"]}, {"ids": ["1"]}, {"user_ids": ["x" * 257]}],
)
def test_a_request_that_names_nothing_is_refused(stack: LocalAws, body: Any) -> None:
    answer = http.post(f"{stack.admin_url}/erasures", json=body, timeout=30)
    assert answer.status_code == 400 and answer.json()["Message"]


def test_an_erasure_that_was_never_asked_for_is_a_404(stack: LocalAws) -> None:
    for name in ("x", f"20260101T000000Z-{'0' * 32}"):
        assert http.get(f"{stack.admin_url}/erasures/{name}", timeout=30).status_code == 404


def test_a_stage_that_was_never_asked_anything_leaves_the_warehouse_asleep(world: World) -> None:
    world.send(record(world.post()))
    with (
        mock.patch.object(clients, "redshift_data", side_effect=AssertionError),
        mock.patch.object(run, "LAST_HOUR", 24),
    ):
        assert erase()["complete"]


X = "1700000000000000001"  # of 8 September 2023


@pytest.mark.parametrize(
    ("tweet_ids", "user_ids", "source", "found"),
    [
        ([X, "1800000000000000001"], [], "x", datetime(2023, 9, 8, tzinfo=UTC)),
        ([X], [], "api", None),
        ([X, "12"], [], "x", None),
        ([X], ["9"], "x", None),
    ],
)
def test_rows_from_before_a_tweet_was_written_are_not_read(
    tweet_ids: list[str], user_ids: list[str], source: str, found: datetime | None
) -> None:
    asked = requests.ErasureRequest("", datetime(2026, 1, 1, tzinfo=UTC), source, tweet_ids, user_ids)
    at = run.earliest([asked])
    assert at == found if found is None else at is not None and abs(at - found) < timedelta(days=1)
