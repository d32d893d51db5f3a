"""From red to green: each kind of finding is closed when it is mended, or resolved by somebody, with who, when and why.

GET /findings says what is outstanding and what to do, POST /findings/{finding_id}/resolve accepts it as it is. What is
resolved stays so in later runs, until it comes back different.
"""

import json
from base64 import b64encode
from datetime import datetime
from typing import Any
from unittest import mock

import pytest
import requests

from chalicelib import clients, layout
from chalicelib.admin import findings
from chalicelib.admin.http import Request
from chalicelib.settings import settings
from chalicelib.warehouse import data_api
from local.server import LocalAws
from tests.support import tweet_files as files

pytestmark = pytest.mark.usefixtures("stack")
REASON = "Its hour was replayed, and all five tweets are rows again"


def listed(stack: LocalAws, status: str = "outstanding") -> dict[str, dict[str, Any]]:
    """The findings of GET /findings, by their files."""
    answer = requests.get(f"{stack.admin_url}/findings", timeout=30)
    assert answer.status_code == 200, answer.text
    return {finding["s3_key"]: finding for finding in answer.json()[status]}


def resolve(stack: LocalAws, finding_id: str, body: Any = None) -> requests.Response:
    url = f"{stack.admin_url}/findings/{finding_id}/resolve"
    return requests.post(url, json=body or {"reason": REASON}, timeout=30)


def orphaned(hour: datetime) -> str:
    key = files.loaded(hour)
    clients.s3().delete_object(Bucket=settings().bucket, Key=key)
    return key


def unreadable(hour: datetime) -> str:
    return files.put(hour, body=b"broken")


def refused(hour: datetime) -> str:
    key = files.put(hour)
    lines = [line.replace(b'"arrived_at":"2025', b'"arrived_at":"soon') for line in files.lines(key, 5, hour)]
    files.put_object(key, files.body_of(lines))
    return key


def unsent(hour: datetime, *texts: str) -> str:
    key = f"{layout.FAILED}{hour:%Y/%m/%d/%H}/disaster-tweets-local-1-{files.an_id()}"
    records = [json.dumps({"text": text}).encode() for text in texts or ("nobody has me",)]
    lines = [{"errorCode": "Lambda.FunctionError", "rawData": b64encode(record).decode()} for record in records]
    files.put_object(key, b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    return key


@pytest.mark.parametrize(
    ("damage", "lost"),
    [(orphaned, 0), (unreadable, 5), (refused, 5), (unsent, 1)],
    ids=["orphaned", "unreadable", "refused", "unanswered"],
)
def test_a_finding_goes_from_red_to_green_and_stays_green(stack: LocalAws, damage: Any, lost: int) -> None:
    hour = files.an_hour()
    key = damage(hour)
    report = files.reconcile(hour, repair=True)
    assert (report["verdict"], report["tweets"]["lost"]) == ("trouble", lost)
    finding = listed(stack)[key]
    assert finding["finding_id"] == report["outstanding"]["shown"][0]["finding_id"]
    assert finding["tweets"] == lost and len(finding["to_do"]) > 40

    resolved = resolve(stack, finding["finding_id"]).json()
    assert (resolved["status"], resolved["reason"], resolved["to_do"]) == ("resolved", REASON, None)
    assert resolved["resolved_by"] and resolved["resolved_at"]
    for _ in range(2):
        report = files.reconcile(hour, repair=True)
        assert (report["verdict"], report["tweets"]["lost"], report["outstanding"]["findings"]) == ("well", 0, 0)
        assert report["resolved"] == {"findings": 1, "tweets": lost}
        assert files.actions(report)[key] == "resolved"
    assert key not in listed(stack) and listed(stack, "settled")[key]["reason"] == REASON


def test_who_resolved_a_finding_is_the_caller_whom_iam_knows(stack: LocalAws) -> None:
    hour = files.an_hour()
    key = unreadable(hour)
    files.reconcile(hour, repair=True)
    ann = "arn:aws:iam::123456789012:user/ann"
    request = Request(ann, "c6af9ac6-7b61-11e6-9a41-93e8deadbeef", raw_body=json.dumps({"reason": REASON}).encode())
    answer = findings.resolve(request, listed(stack)[key]["finding_id"])
    assert answer.body["resolved_by"] == ann
    (row,) = data_api.query(
        "SELECT * FROM disaster.finding_resolution WHERE finding_id = :id", {"id": answer.body["finding_id"]}
    )
    assert (row["resolved_by"], row["reason"], row["request_id"]) == (ann, REASON, request.request_id)


def test_a_finding_is_resolved_once_and_the_first_reason_stays(stack: LocalAws) -> None:
    hour = files.an_hour()
    key = unreadable(hour)
    files.reconcile(hour, repair=True)
    finding_id = listed(stack)[key]["finding_id"]
    assert resolve(stack, finding_id).status_code == 200
    again = resolve(stack, finding_id, {"reason": "somebody else's"})
    assert (again.status_code, again.json()["reason"]) == (200, REASON)


def test_new_damage_to_a_file_whose_finding_was_resolved_is_a_new_finding(stack: LocalAws) -> None:
    hour = files.an_hour()
    key = unreadable(hour)
    files.reconcile(hour, repair=True)
    former = listed(stack)[key]["finding_id"]
    resolve(stack, former)
    files.execute("UPDATE disaster.finding SET written_at = DATEADD(MINUTE, -1, written_at)")  # the file is rewritten
    report = files.reconcile(hour, repair=True)
    assert (report["verdict"], report["tweets"]["lost"], report["alerted"]) == ("trouble", 5, True)
    assert listed(stack)[key]["finding_id"] != former
    assert listed(stack, "settled")[key]["closed_as"] == "changed"


def test_an_orphan_whose_tweets_are_rows_of_another_file_is_resolved_by_the_reconciler(stack: LocalAws) -> None:
    hour = files.an_hour()
    key = orphaned(hour)
    assert files.reconcile(hour, repair=True)["verdict"] == "trouble"
    lines = files.lines(key, 5, hour)
    half, whole = files.put(hour, 2), files.put(hour)
    files.put_object(half, files.body_of([line.replace(key.encode(), half.encode()) for line in lines[:2]]))
    clients.s3().delete_object(Bucket=settings().bucket, Key=whole)
    assert files.reconcile(hour, repair=True)["outstanding"]["orphaned"] == 1  # two of five are no proof
    files.put_object(whole, files.body_of([line.replace(key.encode(), whole.encode()) for line in lines]))
    report = files.reconcile(hour, repair=True)
    assert (report["verdict"], report["resolved"]["findings"]) == ("repaired", 1)
    settled = listed(stack, "settled")[key]
    assert (settled["status"], settled["resolved_by"]) == ("resolved", "reconciler")
    assert files.reconcile(hour, repair=True)["verdict"] == "well"


def test_an_orphan_whose_file_is_restored_is_mended(stack: LocalAws) -> None:
    hour = files.an_hour()
    key = orphaned(hour)
    files.reconcile(hour, repair=True)
    files.put_object(key, files.body_of(files.lines(key, 5, hour)))
    assert files.reconcile(hour, repair=True)["verdict"] == "well"
    assert listed(stack, "settled")[key]["closed_as"] == "mended"
    assert resolve(stack, listed(stack, "settled")[key]["finding_id"]).status_code == 409


def test_records_that_were_sent_again_are_replaced(stack: LocalAws) -> None:
    hour = files.an_hour()
    key = files.put(hour)
    name = unsent(hour)
    source = json.dumps({"tweet_id": "1", "text": f"flood in {key} 1"}).encode()
    line = {"errorCode": "Lambda.FunctionError", "rawData": b64encode(source).decode()}
    files.put_object(name, json.dumps(line).encode() + b"\n")
    assert files.reconcile(hour, grace=3600)["tweets"]["lost"] == 1
    files.load(key)
    assert files.reconcile(hour)["verdict"] == "well"
    assert listed(stack, "settled")[name]["closed_as"] == "replaced"


def test_an_unreadable_file_that_is_deleted_is_still_a_loss() -> None:
    hour = files.an_hour()
    key = unreadable(hour)
    files.reconcile(hour, repair=True)
    clients.s3().delete_object(Bucket=settings().bucket, Key=key)
    report = files.reconcile(hour, repair=True)
    assert (report["verdict"], report["tweets"]["lost"]) == ("trouble", 5)


@pytest.mark.parametrize(
    "body", [{}, {"reason": ""}, {"reason": "  "}, {"reason": "a\nb"}, {"reason": "\ud800"}, {"reason": "x" * 1001}]
)
def test_a_resolution_needs_a_reason_in_a_line(stack: LocalAws, body: dict[str, str]) -> None:
    answer = requests.post(f"{stack.admin_url}/findings/0/resolve", json=body, timeout=30)
    assert answer.status_code == 400 and "reason" in answer.json()["Message"]


def test_a_finding_that_does_not_exist_is_404(stack: LocalAws) -> None:
    answer = resolve(stack, "nonsense")
    assert answer.status_code == 404 and "GET /findings" in answer.json()["Message"]


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (data_api.StillRunningError("Not done in time"), 503, "waking up"),
        (data_api.WarehouseError('ERROR: relation "disaster.finding_status" does not exist'), 409, "/warehouse/setup"),
        (data_api.WarehouseError("ERROR: disk full"), 502, "disk full"),
    ],
)
def test_a_warehouse_that_does_not_answer_says_what_to_do(error: Exception, status: int, words: str) -> None:
    with mock.patch.object(data_api, "run", side_effect=error):
        answer = findings.list_all(Request("", ""))
    assert answer.status == status and words in answer.body["Message"]
