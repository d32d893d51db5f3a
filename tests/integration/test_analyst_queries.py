"""The analysts' fifteen questions have answers on tweets as they are, and the answers agree with one another."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import producer
from chalicelib.transform.handler import transform
from chalicelib.warehouse import migrations
from tests.support import ROOT
from tests.support.aws_in_memory import aws, event
from tests.support.warehouses import Scratch, scratch

QUERIES = {path.stem: path.read_text() for path in (ROOT / "sql" / "queries").glob("*.sql")}
SAMPLE = ROOT / "data" / "sample_tweets.csv"
REAL = ROOT.parent / "shared" / "data" / "crowdflower" / "disasters_on_social_media.csv"
BATCH = 100  # tweets an event


@pytest.fixture(scope="module", params=[SAMPLE, REAL], ids=["sample", "real"])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scratch]:
    """A warehouse with the tweets of a file, spread evenly over the two days until now."""
    if not request.param.exists():
        pytest.skip(f"{request.param} is not here: the real tweets are kept outside the repository")
    tweets = list(producer.read(request.param))
    batches = [tweets[at : at + BATCH] for at in range(0, len(tweets), BATCH)]
    now = datetime.now(UTC)
    with aws() as world:
        for nth, batch in enumerate(batches):
            arrived = now - timedelta(days=2) * (1 - (nth + 0.5) / len(batches))
            transform(event(*batch, arrived=int(arrived.timestamp() * 1000)), None)
    with scratch(tmp_path_factory.mktemp("house")) as made:
        made.set_up()
        for key, body in world.objects.items():
            if key.startswith("tweets/"):
                made.copy(key, body)
        yield made


def ask(house: Scratch, question: str) -> list[tuple[Any, ...]]:
    (statement,) = migrations.statements(QUERIES[question])
    return house.run(statement)


def one(house: Scratch, sql: str) -> Any:
    ((value,),) = house.run(sql)
    return value


@pytest.mark.parametrize("question", sorted(set(QUERIES) - {"02_surging_kinds", "12_onset_of_a_surge"}))
def test_each_has_an_answer(house: Scratch, question: str) -> None:
    answer = ask(house, question)
    assert answer
    assert all(len(set(map(type, cells)) - {type(None)}) <= 1 for cells in zip(*answer, strict=True))


def test_an_even_stream_does_not_surge_and_a_flood_in_it_does(house: Scratch, request: pytest.FixtureRequest) -> None:
    real = "[real]" in request.node.name
    assert "Flood" not in [row[0] for row in ask(house, "02_surging_kinds")]
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.000")
    key = "tweets/dt=2026-01-01/hh=00/surge-200.ndjson.gz"
    house.load(*({"arrived_at": now} for _ in range(200)), key=key)
    kind, last_hour, relevant, texts, mean, z = ask(house, "02_surging_kinds")[0]
    onsets = {row[0]: row[1:] for row in ask(house, "12_onset_of_a_surge")}
    house.run(f"DELETE FROM disaster.disaster_tweets WHERE s3_key = '{key}'")
    assert kind == "Flood"
    assert last_hour >= texts >= 200 and last_hour >= relevant >= 200 > mean
    assert z > 3
    onset, peak, hours = onsets["Flood"]
    assert peak >= 200
    if not real:  # the real tweets come by search word, one word after the other, so kinds do surge in them
        assert (str(onset)[:13], hours) == (now[:13], 1)


def test_the_kinds_of_two_days_are_the_relevant_tweets(house: Scratch) -> None:
    counted = sum(last + before for _, last, before in ask(house, "01_kinds_today"))
    assert counted == one(
        house,
        "SELECT COUNT(*) FROM disaster.tweet WHERE relevance_label = 'relevant' AND disaster_label <> 'not_disaster'",
    )


def test_the_groups_hold_all_that_names_a_disaster(house: Scratch) -> None:
    counted = sum(row[2] for row in ask(house, "04_natural_or_man_made"))
    assert counted == one(house, "SELECT COUNT(*) FROM disaster.tweet WHERE disaster_label <> 'not_disaster'")


def test_hours_add_up_to_their_total(house: Scratch) -> None:
    hours = ask(house, "03_hours_of_a_kind")
    assert [row[2] for row in hours] == [sum(row[1] for row in hours[: n + 1]) for n in range(len(hours))]
    assert hours == sorted(hours)


def test_words_stand_in_their_context(house: Scratch) -> None:
    for theme, place, word, times, example in ask(house, "05_words_of_a_kind"):
        assert 1 <= place <= 5, theme
        assert times >= 1
        assert f"[{word}]" in example


def test_a_row_leads_back_to_the_line_that_it_was(house: Scratch) -> None:
    rows = ask(house, "10_back_to_the_file")
    assert [row[5] for row in rows] == sorted((row[5] for row in rows), reverse=True)
    for tweet_key, _, _, s3_key, s3_line, _ in rows:
        assert house.line(s3_key, s3_line)["tweet_key"] == tweet_key


def test_evidence_is_each_text_once(house: Scratch) -> None:
    rows = ask(house, "11_evidence_for_a_kind")
    texts = [house.line(key, line)["text_key"] for *_, key, line in rows]
    assert len(set(texts)) == len(texts) == len(rows)
    assert [row[2] for row in rows] == sorted((row[2] for row in rows), reverse=True)


def test_days_of_writing_add_up(house: Scratch) -> None:
    rows = ask(house, "13_trends_as_written")
    last = {kind: so_far for kind, *_, so_far in rows}
    assert sum(last.values()) == sum(row[2] for row in rows) == sum(a + b for _, a, b in ask(house, "01_kinds_today"))


def test_what_people_said_is_beside_each_kind(house: Scratch) -> None:
    columns = "tweet_key, reviewed_at, reviewed_by, disaster_label, relevance_label, told_label"
    for who, label in (("ann", "'flood'"), ("bob", "'storm'")):
        house.run(
            f"INSERT INTO disaster.label_review ({columns}) SELECT MIN(tweet_key), '2026-01-01', '{who}', {label}, "
            "'relevant', 'flood' FROM disaster.tweet WHERE disaster_label = 'flood'"
        )
    found = {row[0]: row[3:] for row in ask(house, "14_precision_of_kinds")}
    house.run("DELETE FROM disaster.label_review")
    assert found.pop("Flood") == (2, 0.5)
    assert set(found.values()) == {(0, None)}


def test_places_are_those_of_their_kind(house: Scratch) -> None:
    for kind, nth, place, country, *_, tweets, texts in ask(house, "15_places_of_a_kind"):
        assert 1 <= nth <= 5, kind
        assert place and len(country) == 2
        assert tweets >= texts >= 1
