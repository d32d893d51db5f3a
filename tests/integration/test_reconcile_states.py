"""Damage done by hand is found, named, and repaired as said."""

import gzip

import pytest

from chalicelib import clients
from chalicelib.settings import settings
from chalicelib.warehouse import data_api
from local.server import LocalAws
from tests.support import tweet_files as files

pytestmark = pytest.mark.usefixtures("stack")


def test_a_whole_file_is_no_finding(stack: LocalAws) -> None:
    hour = files.an_hour()
    files.loaded(hour)
    report = files.reconcile(hour)
    assert report["findings"] == []
    assert report["verdict"] == "well" and report["complete"]
    assert report["tweets"] == {
        "expected": 5,
        "loaded": 5,
        "waiting": 0,
        "late": 0,
        "repaired": 0,
        "lost": 0,
        "surplus_rows_removed": 0,
        "orphaned_rows": 0,
    }


def test_a_file_without_rows_is_missing_and_loaded() -> None:
    hour = files.an_hour()
    key = files.put(hour, 7)
    report = files.reconcile(hour, repair=True)
    assert files.states(report) == {key: "missing"} and files.actions(report) == {key: "repaired"}
    assert files.rows_of(key) == [1, 2, 3, 4, 5, 6, 7]
    assert (report["verdict"], report["tweets"]["late"], report["tweets"]["repaired"]) == ("repaired", 7, 7)
    assert files.reconcile(hour)["verdict"] == "well"


def test_a_deleted_row_makes_it_partial() -> None:
    hour = files.an_hour()
    key = files.loaded(hour)
    files.delete(key, 3)
    report = files.reconcile(hour, repair=True)
    assert files.states(report) == {key: "partial"}
    assert (report["tweets"]["late"], report["tweets"]["repaired"]) == (1, 1)
    assert files.rows_of(key) == [1, 2, 3, 4, 5]


def test_a_doubled_row_makes_it_excess() -> None:
    hour = files.an_hour()
    key = files.loaded(hour)
    files.double(key, 2)
    report = files.reconcile(hour, repair=True)
    assert files.states(report) == {key: "excess"}
    assert (report["tweets"]["late"], report["tweets"]["surplus_rows_removed"]) == (0, 1)
    assert files.rows_of(key) == [1, 2, 3, 4, 5]


def test_equal_counts_don_t_hide_a_lost_line_and_a_doubled_one() -> None:
    hour = files.an_hour()
    key = files.loaded(hour)
    files.delete(key, 4)
    files.double(key, 1)
    assert len(files.rows_of(key)) == 5
    report = files.reconcile(hour, repair=True)
    assert files.states(report) == {key: "partial"}
    assert files.rows_of(key) == [1, 2, 3, 4, 5]


def test_lines_that_the_file_can_t_have_are_found() -> None:
    hour = files.an_hour()
    key = files.loaded(hour)
    files.execute("UPDATE disaster.disaster_tweets SET s3_line = 6 WHERE s3_key = :key AND s3_line = 5", key=key)
    assert files.states(files.reconcile(hour, repair=True)) == {key: "partial"}
    assert files.rows_of(key) == [1, 2, 3, 4, 5]


def test_rows_whose_file_is_gone_are_orphans_and_stay() -> None:
    hour = files.an_hour()
    key = files.loaded(hour)
    clients.s3().delete_object(Bucket=settings().bucket, Key=key)
    report = files.reconcile(hour, repair=True)
    assert files.states(report) == {key: "orphaned"} and files.actions(report) == {key: "none"}
    assert (report["verdict"], report["tweets"]["orphaned_rows"], report["tweets"]["lost"]) == ("trouble", 5, 0)
    assert files.rows_of(key) == [1, 2, 3, 4, 5]


def test_a_young_file_is_waited_for() -> None:
    hour = files.an_hour()
    key = files.put(hour)
    report = files.reconcile(hour, repair=True, grace=3600)
    assert report["findings"] == [] and report["files"]["waiting"] == 1
    assert (report["tweets"]["waiting"], report["tweets"]["late"]) == (5, 0)
    assert files.rows_of(key) == []


def test_what_comes_within_the_grace_period_needs_no_repair() -> None:
    hour = files.an_hour()
    key = files.put(hour)
    when = "SELECT loaded_at FROM disaster.tweet_file WHERE s3_key = :key"
    files.reconcile(hour, repair=True, grace=3600)
    assert data_api.query(when, {"key": key}) == [{"loaded_at": None}]
    files.load(key)
    report = files.reconcile(hour, repair=True, grace=3600)
    assert (report["verdict"], report["repairs"]["transactions"]) == ("well", 0)
    (file,) = data_api.query(when, {"key": key})
    assert file["loaded_at"] is not None
    assert files.rows_of(key) == [1, 2, 3, 4, 5]


def test_a_delivery_that_comes_after_the_repair_is_undone_by_the_next_run() -> None:
    hour = files.an_hour()
    key = files.put(hour)
    files.reconcile(hour, repair=True)
    files.load(key)
    report = files.reconcile(hour, repair=True)
    assert files.states(report) == {key: "excess"} and report["tweets"]["surplus_rows_removed"] == 5
    assert files.rows_of(key) == [1, 2, 3, 4, 5]


def test_without_repair_nothing_is_changed() -> None:
    hour = files.an_hour()
    key = files.put(hour)
    report = files.reconcile(hour)
    assert files.actions(report) == {key: "none"}
    assert (report["verdict"], report["tweets"]["late"], report["tweets"]["lost"]) == ("differs", 5, 0)
    assert files.rows_of(key) == []


@pytest.mark.parametrize(
    ("body", "why"),
    [
        pytest.param(b"this is no gzip", "not valid gzip", id="no gzip"),
        pytest.param(gzip.compress(b"a" * 100_000)[:-6], "cut off", id="cut off"),
        pytest.param(gzip.compress(b"{this is no JSON\n"), "line 1 is not JSON", id="no JSON"),
        pytest.param(gzip.compress(b"[]\n" * 5), "line 1 is not a JSON object", id="no objects"),
    ],
)
def test_an_unreadable_file_is_named_and_its_neighbours_get_in(body: bytes, why: str) -> None:
    hour = files.an_hour()
    bad = files.put(hour, body=body)
    good = [files.put(hour) for _ in range(6)]
    report = files.reconcile(hour, repair=True)
    assert files.states(report) == {bad: "unreadable", **dict.fromkeys(good, "missing")}
    assert files.actions(report) == {bad: "failed", **dict.fromkeys(good, "repaired")}
    (finding,) = (each for each in report["findings"] if each["s3_key"] == bad)
    assert why in finding["detail"]
    assert all(files.rows_of(key) == [1, 2, 3, 4, 5] for key in good)
    assert files.rows_of(bad) == []
    assert (report["verdict"], report["tweets"]["lost"], report["tweets"]["repaired"]) == ("trouble", 5, 30)


def test_a_file_with_fewer_lines_than_its_name_says_is_loaded_and_named() -> None:
    hour = files.an_hour()
    key = files.put(hour)
    files.put_object(key, files.body_of(files.lines(key, 5, hour)[:3]))
    report = files.reconcile(hour, repair=True)
    assert files.states(report) == {key: "unreadable"}
    assert "3 lines, its name says 5" in report["findings"][0]["detail"]
    assert (report["tweets"]["lost"], report["tweets"]["repaired"]) == (2, 3)
    assert files.rows_of(key) == [1, 2, 3]


def test_a_file_with_another_file_s_lines_is_named() -> None:
    hour = files.an_hour()
    other = files.loaded(hour)
    key = files.put(hour, body=files.body_of(files.lines(other, 5, hour)))
    report = files.reconcile(hour, repair=True)
    assert files.states(report)[key] == "unreadable"
    assert other in report["findings"][0]["detail"]
    files.reconcile(hour, repair=True)  # its lines were loaded as the other's, which is put right
    files.reconcile(hour, repair=True)


def test_an_unreadable_file_is_tried_again_once_it_has_changed() -> None:
    hour = files.an_hour()
    key = files.put(hour, body=b"broken")
    files.reconcile(hour, repair=True)
    files.put_object(key, files.body_of(files.lines(key, 5, hour)))
    assert files.actions(files.reconcile(hour, repair=True)) == {key: "repaired"}
    assert files.rows_of(key) == [1, 2, 3, 4, 5]


def test_a_file_that_is_repaired_is_written_down() -> None:
    hour = files.an_hour()
    key = files.loaded(hour)
    files.delete(key)
    report = files.reconcile(hour, repair=True, job_id=(job_id := files.an_id()))
    (file,) = data_api.query("SELECT * FROM disaster.tweet_file WHERE s3_key = :key", {"key": key})
    assert (file["state"], file["repairs"], file["expected_rows"], file["hour"]) == ("loaded", 2, 5, hour)
    (run,) = data_api.query("SELECT * FROM disaster.reconciliation WHERE reconciliation_id = :id", {"id": job_id})
    assert (run["repaired"], run["lost"], run["complete"]) == (5, 0, True)
    assert run["finished_at"] is not None and run["files"] == report["files"]["listed"]
    (finding,) = data_api.query(
        "SELECT * FROM disaster.reconciliation_finding WHERE reconciliation_id = :id", {"id": job_id}
    )
    assert (finding["s3_key"], finding["state"], finding["action"]) == (key, "missing", "repaired")


def test_objects_that_are_no_tweet_files_are_named_and_left_alone() -> None:
    hour = files.an_hour()
    files.put_object(key := f"tweets/{hour:dt=%Y-%m-%d/hh=%H}/notes.txt", b"hello")
    report = files.reconcile(hour, repair=True)
    assert report["foreign_objects"] == [key] and report["verdict"] == "well"


def test_a_tweet_in_two_files_is_counted() -> None:
    hour = files.an_hour()
    first, second = files.put(hour, 2), files.put(hour, 2)
    same = [line.replace(first.encode(), second.encode()) for line in files.lines(first, 2, hour)]
    one_of_them = same[0].replace(b"flood in " + second.encode(), b"flood in " + first.encode())
    files.put_object(second, files.body_of([one_of_them, files.lines(second, 2, hour)[1]]))
    report = files.reconcile(hour, repair=True)
    assert report["twice"] == {"tweets": 1, "extra_rows": 1}
