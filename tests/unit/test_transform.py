"""A batch from Firehose becomes rows that know their file and line, and an answer to every record."""

import base64
import gzip
import io
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from aws_lambda_powertools.utilities.data_classes import KinesisFirehoseEvent
from aws_lambda_powertools.utilities.data_classes.kinesis_firehose_event import (
    KinesisFirehoseDataTransformationRecord,
    KinesisFirehoseDataTransformationResponse,
)

from chalicelib import clients
from chalicelib.classifier import Prediction, backends, taxonomy
from chalicelib.classifier.active import Active
from chalicelib.columns import BYTES, COLUMNS, NAMES
from chalicelib.transform import answer, files
from chalicelib.transform.batch import LATEST, read
from chalicelib.transform.handler import transform
from chalicelib.transform.rows import CLASSIFICATION_BYTES, MOST_VERSION_CHARACTERS, Draft, classification, file_lines
from tests.support import EVENTS
from tests.support.aws_in_memory import SOURCE, Aws, aws, client_error, event, results, rows

NULL_IF_ABSENT = {"erased_at", "place", "country_code", "latitude", "longitude", "place_basis"}
NULL_IF_ABSENT |= {"information_type", "information_score", "text_key"}


def recorded(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return loaded


@pytest.mark.parametrize(("name", "usable"), [("direct_put", 3), ("kinesis_stream", 3)])
def test_a_recorded_event_is_answered_as_firehose_expects(name: str, usable: int) -> None:
    sent = recorded(name)
    with aws() as world:
        response = transform(sent, None)
    assert [r["recordId"] for r in response["records"]] == [r.record_id for r in KinesisFirehoseEvent(sent).records]
    assert results(response) == ["Ok"] * usable + ["ProcessingFailed"] * (len(sent["records"]) - usable)
    answers = [
        KinesisFirehoseDataTransformationRecord(r["recordId"], r["result"], r["data"]) for r in response["records"]
    ]
    assert response == KinesisFirehoseDataTransformationResponse(answers).asdict()
    assert all(a.data_as_bytes.endswith(b"\n") for a in answers if a.result == "Ok")
    assert len(world.lines("tweets/")) == usable


def test_a_row_has_the_columns_of_the_table_and_fits_them() -> None:
    with aws():
        [first, second, third] = rows(transform(recorded("direct_put"), None))
    for row in (first, second, third):
        assert set(NAMES) - NULL_IF_ABSENT <= set(row) <= set(NAMES)
        for column in COLUMNS:
            assert column.bytes is None or len((row.get(column.name) or "").encode()) <= column.bytes
        assert row["disaster_label"] in taxonomy.CODES
        assert 0 <= row["classifier_score"] <= 1
        assert 0 <= row["relevance_score"] <= 1
        assert row["relevance_label"] == ("relevant" if row["relevance_score"] >= 0.5 else "not_relevant")
        assert row["processing_time"] >= 0
        assert row["classifier_version"].startswith("bundled-")
    assert first["disaster_label"] == "flood"
    assert first["original_text"].endswith("http://t.co/abc")
    assert "http" not in first["cleaning_text"]
    assert first["arrived_datetime_from_kinesis"] == 1770091506789
    assert first["arrived_at"] == "2026-02-03 04:05:06.789"
    assert (first["tweet_id"], first["source_keyword"]) == ("629098231000000001", "flood")
    assert {"prefix", "word", "suffix", "theme"} == set(first["keywords"][0])
    assert (second["tweet_id"], second["user_id"], second["location"]) == ("6.29005e+17", "245002421.0", None)


def test_a_row_is_linked_to_its_file_and_line() -> None:
    with aws() as world:
        found = rows(transform(event(b'{"text":"a"}\n{"text":"b"}', b"junk", b'[{"text":"c"},{"text":"d"}]'), None))
    [key] = [key for key in world.objects if key.startswith("tweets/")]
    stored = gzip.decompress(world.objects[key]).splitlines()
    assert re.fullmatch(r"tweets/dt=2026-02-03/hh=04/[0-9a-f]{32}-4\.ndjson\.gz", key)
    assert key.endswith("-4.ndjson.gz")
    assert [row["original_text"] for row in found] == ["a", "b", "c", "d"]
    for row in found:
        assert row["s3_key"] == key
        assert json.loads(stored[row["s3_line"] - 1]) == row


def test_the_hour_is_that_of_the_earliest_arrival() -> None:
    late = event(b'{"text":"a"}', b'{"text":"b"}')
    late["records"][0]["approximateArrivalTimestamp"] = 1_770_094_800_000
    late["records"][1]["approximateArrivalTimestamp"] = 1_770_094_799_999
    with aws() as world:
        transform(late, None)
    assert [key[:27] for key in world.objects] == ["tweets/dt=2026-02-03/hh=04/"]


@pytest.fixture
def far_away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock is not in UTC."""
    with monkeypatch.context() as changed:
        changed.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


def test_the_hour_does_not_depend_on_the_time_zone_of_the_machine(far_away: None) -> None:
    with aws() as world:
        transform(event(b'{"text":"a"}'), None)
    assert [key[:27] for key in world.objects] == ["tweets/dt=2026-02-03/hh=04/"]


@pytest.mark.parametrize("missing", [None, "soon", -5, 10**17])
def test_a_record_without_an_arrival_gets_the_batchs_earliest(missing: object) -> None:
    sent = event(b'{"text":"a"}', b'{"text":"b"}')
    sent["records"][0]["approximateArrivalTimestamp"] = missing
    if missing is None:
        del sent["records"][0]["approximateArrivalTimestamp"]
    with aws():
        [first, second] = rows(transform(sent, None))
    assert first["arrived_at"] == second["arrived_at"]


def test_records_with_an_arrival_keep_it_beside_those_without() -> None:
    sent = event(b'{"text":"a"}', b'{"text":"b"}', b'{"text":"c"}')
    for record, arrived in zip(sent["records"], (2000, None, 1000), strict=True):
        record["approximateArrivalTimestamp"] = arrived
    with aws():
        found = rows(transform(sent, None))
    assert [row["arrived_datetime_from_kinesis"] for row in found] == [2000, 1000, 1000]


@pytest.mark.parametrize(("stamp", "usable"), [(0, False), (1, True), (LATEST - 1, True), (LATEST, False)])
def test_an_arrival_is_usable_from_the_epoch_to_the_year_10000(stamp: int, usable: bool) -> None:
    sent = event(b'{"text":"a"}', b'{"text":"b"}')
    sent["records"][0]["approximateArrivalTimestamp"] = stamp
    with aws():
        [first, second] = rows(transform(sent, None))
    assert first["arrived_datetime_from_kinesis"] == (stamp if usable else second["arrived_datetime_from_kinesis"])
    assert datetime(9999, 12, 31, tzinfo=UTC).timestamp() * 1000 + 86_400_000 == LATEST


def test_the_arrival_in_the_kinesis_data_stream_stands_in_for_firehoses() -> None:
    sent = event(b'{"text":"a"}', source=SOURCE)
    record = sent["records"][0]
    record["kinesisRecordMetadata"]["approximateArrivalTimestamp"] = record.pop("approximateArrivalTimestamp")
    with aws():
        [row] = rows(transform(sent, None))
    assert row["arrived_datetime_from_kinesis"] == 1_770_091_506_789


def test_a_record_knows_its_key_in_the_kinesis_data_stream_if_it_came_from_one() -> None:
    found = read(event(b'{"text":"a"}', b'{"text":"b"}', source=SOURCE))
    assert [record.partition_key for record in found.records] == ["user-0", "user-1"]
    assert found.source_arn == SOURCE
    found = read(event(b'{"text":"a"}'))
    assert [record.partition_key for record in found.records] == [None]
    assert (found.source_arn, found.stream) == (None, "disaster-tweets-local")


def test_no_arrival_at_all_is_now() -> None:
    sent = event(b'{"text":"a"}')
    del sent["records"][0]["approximateArrivalTimestamp"]
    before = datetime.now(UTC)
    with aws() as world:
        [row] = rows(transform(sent, None))
    arrived = datetime.fromtimestamp(row["arrived_datetime_from_kinesis"] / 1000, UTC)
    assert before - timedelta(seconds=1) <= arrived <= datetime.now(UTC)
    assert len(world.objects) == 1


def test_what_is_refused_is_kept_with_its_reason() -> None:
    with aws() as world:
        response = transform(event(b'{"text":"a"}\nbroken', b"\0\0", b""), None)
    assert results(response) == ["Ok", "ProcessingFailed", "ProcessingFailed"]
    refused = world.lines("rejected/dt=2026-02-03/hh=04/")
    [tweets, rejected] = sorted(world.objects, reverse=True)
    batch = tweets.rpartition("/")[2][:32]
    assert rejected == f"rejected/dt=2026-02-03/hh=04/{batch}-3.ndjson.gz"
    assert [(line["reason"], base64.b64decode(line["raw"])) for line in refused] == [
        ("not_json", b"broken"),
        ("not_json", b"\0\0"),
        ("empty", b""),
    ]
    assert [line["record_id"] for line in refused] == [f"{n:056}" for n in range(3)]
    assert all(line["message"] and line["arrived_at"].startswith("2026-02-03 04:05:06.7") for line in refused)


def test_data_that_is_not_base64_is_refused() -> None:
    sent = event(b'{"text":"a"}', b"x")
    sent["records"][1]["data"] = "é no base64"
    with aws() as world:
        assert results(transform(sent, None)) == ["Ok", "ProcessingFailed"]
    [line] = world.lines("rejected/")
    assert (line["reason"], line["message"]) == ("not_base64", "the record's data is not base64")
    assert base64.b64decode(line["raw"]).decode() == "é no base64"


def test_data_that_is_no_text_at_all_is_refused() -> None:
    sent = event(b"x", b"y", b"z")
    for record, data in zip(sent["records"], (None, "\ud800", ["eA=="]), strict=True):
        record["data"] = data
    with aws() as world:
        assert results(transform(sent, None)) == ["ProcessingFailed"] * 3
    raw = [base64.b64decode(line["raw"]) for line in world.lines("rejected/")]
    assert raw == [b"None", b"\xed\xa0\x80", b"['eA==']"]


def test_an_empty_batch_writes_nothing() -> None:
    with aws() as world:
        assert transform(event(), None) == {"records": []}
    assert world.objects == {}


def test_a_batch_without_a_usable_tweet_writes_no_tweet_file() -> None:
    with aws() as world:
        transform(event(b"junk"), None)
    assert [key.split("/")[0] for key in world.objects] == ["rejected"]


def test_an_id_that_comes_twice_in_an_event_is_answered_once_and_nothing_is_lost() -> None:
    sent = event(b"junk", b'{"text":"a"}', b'{"text":"c"}', b"more junk", b'{"text":"d"}')
    sent["records"][1]["recordId"] = sent["records"][2]["recordId"] = sent["records"][0]["recordId"]
    with aws() as world:
        response = transform(sent, None)
    assert results(response) == ["Ok", "ProcessingFailed", "Ok"]
    assert [row["original_text"] for row in rows(response)] == ["a", "c", "d"]
    assert all(set(record) == {"recordId", "result", "data"} for record in response["records"])
    assert "\n" not in response["records"][0]["data"]
    assert (len(world.lines("tweets/")), len(world.lines("rejected/"))) == (3, 2)


def test_the_same_source_has_the_same_key_wherever_it_comes() -> None:
    one, other = b'{"text":"a","id":"1"}', b'{"text":"a","id":"2"}'
    with aws():
        found = rows(transform(event(one, b" " + one + b"\n", one + b"\n" + other, b"[%b]" % one), None))
    keys = [row["tweet_key"] for row in found]
    assert keys == [keys[0]] * 3 + [keys[3]] + [keys[0]]
    assert keys[0] != keys[3]
    assert all(len(key) == 32 and int(key, 16) for key in keys)
    with aws():
        [again] = rows(transform(event(one[:-1] + b',"source":"replay"}'), None))
    assert (again["tweet_key"], again["source"]) == (keys[0], "replay")


# ------------------------------------------------------------------ retries


def test_a_retried_batch_is_answered_from_the_file_its_first_attempt_wrote(capsys: pytest.CaptureFixture[str]) -> None:
    sent = event(b'{"text":"a flood"}\nbroken', b'{"text":"b"}')
    with aws() as world:
        first = transform(sent, None)
        before = dict(world.objects)
        capsys.readouterr()
        assert transform(sent, None) == first
    assert world.objects == before
    assert '"Repeated":[1.0]' in capsys.readouterr().out.replace(" ", "")


def test_the_same_lines_make_the_same_file_at_any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    made = set()
    for now in (1e9, 2e9):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        made.add(files.compress([b"{}\n"]))
    assert len(made) == 1


def test_another_batch_gets_another_file() -> None:
    with aws() as world:
        transform(event(b'{"text":"a"}'), None)
        transform(event(b'{"text":"b"}'), None)
        transform(event(b'{"text":"a"}', arrived=1_770_091_506_790), None)
    assert len(world.objects) == 3


def test_records_with_other_ids_are_another_batch_though_they_say_the_same_at_the_same_time() -> None:
    again = event(b'{"text":"a"}')
    again["records"][0]["recordId"] = "another"
    with aws() as world:
        transform(event(b'{"text":"a"}'), None)
        transform(again, None)
    assert len(world.objects) == 2


@pytest.mark.parametrize("broken", ["tweets/", "rejected/"])
def test_a_file_that_cannot_be_written_fails_the_batch_and_the_retry_completes_it(broken: str) -> None:
    sent = event(b'{"text":"a"}\nbroken')
    with aws() as world:

        def refuse(**arguments: Any) -> None:
            if arguments["Key"].startswith(broken):
                raise client_error("InternalError")
            Aws.put_object(world, **arguments)

        world.s3.put_object.side_effect = refuse
        with pytest.raises(Exception, match="InternalError"):
            transform(sent, None)
        world.s3.put_object.side_effect = world.put_object
        assert results(transform(sent, None)) == ["Ok"]
        assert len(world.objects) == 2


def test_a_write_whose_answer_was_lost_is_found_again() -> None:
    with aws() as world:

        def write_and_fail(**arguments: Any) -> None:
            world.put_object(**arguments)
            raise client_error("InternalError")

        world.s3.put_object.side_effect = write_and_fail
        with pytest.raises(Exception, match="InternalError"):
            transform(event(b'{"text":"a"}'), None)
        world.s3.put_object.side_effect = world.put_object
        [row] = rows(transform(event(b'{"text":"a"}'), None))
        assert world.lines("tweets/") == [row]


def test_two_attempts_at_once_end_with_one_file() -> None:
    with aws() as world:
        conflicts = [client_error("ConditionalRequestConflict")] * 2
        world.s3.put_object.side_effect = [*conflicts, client_error("PreconditionFailed")]
        world.s3.get_object.side_effect = lambda **_: {"Body": io.BytesIO(files.compress([b"{}\n"]))}
        assert rows(transform(event(b'{"text":"a"}'), None)) == [{}]


def test_a_conflict_that_lasts_is_not_taken_for_a_file_that_is_there() -> None:
    """409 says that another write is under way, not that it succeeded."""
    with aws() as world:
        world.objects["tweets/"] = b""
        world.s3.put_object.side_effect = client_error("ConditionalRequestConflict")
        with pytest.raises(Exception, match="ConditionalRequestConflict"):
            transform(event(b'{"text":"a"}'), None)
    assert world.s3.put_object.call_count == files.CONFLICTS == 5
    assert not world.s3.get_object.called


@pytest.mark.parametrize("stored", [[], [b"{}\n"] * 2])
def test_a_stored_file_with_another_number_of_lines_answers_nothing(stored: list[bytes]) -> None:
    with aws() as world:
        world.s3.put_object.side_effect = client_error("PreconditionFailed")
        world.s3.get_object.side_effect = lambda **_: {"Body": io.BytesIO(files.compress(stored))}
        with pytest.raises(ValueError, match=f"has {len(stored)} lines"):
            transform(event(b'{"text":"a"}'), None)


# ------------------------------------------------------------------ what does not fit


def halves() -> bytes:
    """A record whose tweets are more than an answer holds, with a broken line before them."""
    return b"broken\n" + b"\n".join(b'{"text":"%s %d"}' % (b"storm " * 120, n) for n in range(2500))


def test_nothing_is_put_back_before_the_tweet_file_is_written() -> None:
    """Else a batch that fails there would leave its last tweets in the stream, once more for each attempt."""
    with aws() as world:
        world.s3.put_object.side_effect = [None, client_error("InternalError")]  # the rejected file, the tweet file
        with pytest.raises(Exception, match="InternalError"):
            transform(event(halves()), None)
        assert world.taken_back == []
        world.objects.clear()
        world.s3.put_object.side_effect = world.put_object
        transform(event(halves()), None)
        assert world.taken_back


def test_what_is_refused_of_a_record_that_is_cut_in_two_is_kept_too() -> None:
    with aws() as world:
        response = transform(event(halves()), None)
        assert world.taken_back, "the record is more than an answer holds"
    assert results(response) == ["Ok"]
    assert [base64.b64decode(line["raw"]) for line in world.lines("rejected/")] == [b"broken"]


def test_the_classifier_is_asked_about_what_becomes_a_row_alone_and_in_three_quarters_of_the_time_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[int, int, int, float]] = []
    classify = backends.classify

    def noted(texts: Any, languages: Any, own: Any, by: Any, deadline: float) -> Any:
        asked.append((len(texts), len(languages), len(own), deadline))
        return classify(texts, languages, own, by, deadline)

    context = mock.Mock()
    context.get_remaining_time_in_millis.return_value = 40_000
    monkeypatch.setattr(backends, "classify", noted)
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    monkeypatch.setattr(answer, "MOST_BYTES", 20_000)
    sent = event(b"\n".join(b'{"text":"storm %d"}' % n for n in range(60)))
    with aws() as world:
        for given in (context, None):
            transform(sent, given)
        kept = len(world.lines("tweets/"))
    assert 0 < kept < 60
    assert asked == [(kept, kept, kept, 1030.0), (kept, kept, kept, 1045.0)]


def test_where_another_classifier_is_active_rows_have_its_classifications() -> None:
    endpoint = mock.Mock()
    endpoint.classify_document.return_value = {"Classes": [{"Name": "storm", "Score": 0.75}]}
    sent = event(b'{"text":"flood in Rome"}\n{"text":"fire in Rome"}', b'{"text":"flood in Rome"}')
    with aws(Active("c-1", "comprehend", "arn:kind")), mock.patch.object(clients, "comprehend", lambda: endpoint):
        found = rows(transform(sent, None))
    said = [(row["disaster_label"], row["classifier_score"], row["classifier_version"]) for row in found]
    assert said == [("storm", 0.75, "c-1")] * 3
    assert [row["original_text"] for row in found] == ["flood in Rome", "fire in Rome", "flood in Rome"]
    assert ["flood" in row["keywords"][0]["word"] for row in found] == [True, False, True], "ours, whoever is asked"


def test_a_version_may_have_any_character() -> None:
    drafts = [Draft(b'{"a":1', 6, "flood", 0.5, "100%d") for _ in range(2)]
    assert [json.loads(line) for line in file_lines(drafts, "tweets/x")] == [
        {"a": 1, "processing_time": 0.5, "classifier_version": "100%d", "s3_key": "tweets/x", "s3_line": number}
        for number in (1, 2)
    ]


def test_a_cleaned_text_that_is_longer_than_its_column_is_cut_and_marked() -> None:
    long = "#" + "aB" * 22_000
    with aws():
        found = rows(transform(event(*(json.dumps({"text": text}).encode() for text in (long, "short", long))), None))
    assert [row["truncated"] for row in found] == [True, False, True]
    size = next(column.bytes for column in COLUMNS if column.name == "cleaning_text")
    assert size is not None
    assert all(len(row["cleaning_text"].encode()) <= size < 65_536 for row in found)


def test_a_classification_keeps_to_its_bytes_whatever_the_classifier_is_called() -> None:
    """How many rows fit an answer is decided before they are classified, so no classification may be longer."""
    longest = max(taxonomy.CODES, key=len)
    told = "x" * BYTES["information_type"], 1.0
    said = classification(Prediction(longest, 1.0, 0.0, (), "v" * 500, told), 9999.0)
    assert len(said) <= CLASSIFICATION_BYTES
    assert json.loads(b"{" + said[1:] + b"}")["classifier_version"] == "v" * MOST_VERSION_CHARACTERS


# ------------------------------------------------------------------ what it says of itself


def test_a_batch_leaves_one_log_line_and_its_metrics_and_never_a_text(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    minute_ago = int((time.time() - 60) * 1000)
    with aws() as world:
        transform(event(b'{"text":"a secret flood in Rome"}\nbroken secret', b"junk secret", arrived=minute_ago), None)
        transform(event(b"junk secret"), None)
    printed, _ = [each for each in capsys.readouterr().out.splitlines() if '"_aws"' in each]
    metrics = json.loads(printed)
    [told] = metrics["_aws"]["CloudWatchMetrics"]
    units = {each["Name"]: each["Unit"] for each in told["Metrics"]}
    assert {units.pop("Seconds"), units.pop("OldestSeconds")} == {"Seconds"}
    assert {units.pop("BytesIn"), units.pop("BytesOut")} == {"Bytes"}
    assert set(units.values()) == {"Count"}
    record, without = [each for each in caplog.records if each.message == "batch"]  # a local stack beside it logs too
    line = vars(record)
    [key] = [key for key in world.objects if key.startswith("tweets/")]
    assert (line["tweet_file"], line["batch"], vars(without)["tweet_file"]) == (key, key.split("/")[3][:32], None)
    assert (line["bytes_in"], line["bytes_out"]) == (metrics["BytesIn"][0], metrics["BytesOut"][0])
    assert line["seconds"] == pytest.approx(metrics["Seconds"][0], abs=0.001)
    assert line["comprehend_failures"] == {}
    counted = {"Records": 2, "Tweets": 1, "Rejected": 2, "RecordsFailed": 1, "Fallbacks": 0, "Backend_bundled": 1}
    counted |= {"Kind_flood": 1, "RecordsPutBack": 0}
    assert {name: metrics[name] for name in counted} == {name: [float(n)] for name, n in counted.items()}
    assert {name: line[name] for name in counted} == counted
    assert metrics["BytesIn"] == [float(len(b'{"text":"a secret flood in Rome"}\nbroken secretjunk secret'))]
    assert metrics["BytesOut"][0] > 0
    assert metrics["Seconds"][0] > 0
    assert 60 <= metrics["OldestSeconds"][0] < 90
    assert metrics["Repeated"] == [0.0]
    assert (record.levelname, record.message) == ("INFO", "batch")
    assert "secret" not in f"{metrics} {line}"
