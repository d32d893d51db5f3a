"""The overview: its figures are those of the statements behind it, and its page says no other number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import escape, unescape
from pathlib import Path
from typing import Any
from unittest import mock

import orjson
import pytest
import requests

from chalicelib import clients, layout
from chalicelib.overview import figures, stored
from chalicelib.pages import charts
from chalicelib.pages import overview as page
from chalicelib.warehouse import statements
from tests.support import browser as browsers
from tests.support import tweet_files as files
from tests.support.admin_api import finished
from tests.support.browser import browser, needs_chromium
from tests.support.warehouses import Scratch, scratch

AS_OF = datetime(2026, 3, 2, 12, tzinfo=UTC)
LATER = AS_OF + timedelta(minutes=7)
KEY = "tweets/dt=2026-03-02/hh=03/a-1.ndjson.gz"
SITUATION = "5" * 32
SPAIN = {"country_code": "ES", "place_basis": "text"}
VALENCIA = {**SPAIN, "place": "Valencia", "latitude": 39.47, "longitude": -0.38}
POINTS = [{**VALENCIA, "latitude": latitude, "place_basis": "coordinates"} for latitude in (39.46, 39.48)]
TURIS = {**SPAIN, "place": "Turís", "latitude": 39.39, "longitude": -0.71}
HELP, WARN = "donations_and_volunteering", "caution_and_advice"


def arrived(hours_ago: float) -> str:
    return f"{AS_OF - timedelta(hours=hours_ago):%Y-%m-%d %H:%M:%S.000}"


def post(text_key: str, hours_ago: float, **more: Any) -> dict[str, Any]:
    at = arrived(hours_ago)
    return {"arrived_at": at, "created_at": at, "text_key": text_key * 16, "information_type": WARN, **more}


POSTS = [
    *[post("a", 2.5, **VALENCIA) for _ in range(5)],
    *[post("a", 2.5, **point) for point in POINTS],
    *[post(each, 1.5, **VALENCIA, information_type=HELP) for each in "bcd"],
    post("e", 1.25, **TURIS),
    post("f", 30, **VALENCIA),
    post("f", 31, **VALENCIA, information_type=HELP),
    post("0", 3, disaster_label="storm", information_type=None),
    post("1", 40, disaster_label="storm"),
    post("2", 40, disaster_label="drought"),
    post("3", 1, **VALENCIA, relevance_label="not_relevant", information_type=None),  # counts nowhere, but as a row
    post("4", 49, **VALENCIA),  # too long ago
    post("5", -1, **VALENCIA),  # not yet
]
FLOOD_TEXTS = len({"a", *"bcd", "e"})


def seeded(house: Scratch) -> None:
    house.load(*({**each, "tweet_key": f"{n:032x}"} for n, each in enumerate(POSTS)), key=KEY)
    house.run(
        "INSERT INTO disaster.situation (situation_id, kind, country_code, place, began_at, peak_at, last_at, posts,"
        " distinct_texts, peak_posts, peak_texts, expected_texts, severity, information_types, opened_at, opened_by,"
        f" seen_at) VALUES ('{SITUATION}', 'flood', 'ES', 'Valencia', '{arrived(3)}', '{arrived(2.5)}',"
        f" '{arrived(1)}', 61, 53, 47, 43, 0.5, 'moderate',"
        f""" JSON_PARSE('[{{"information_type": "{HELP}", "posts": 37, "distinct_texts": 29}}]'),"""
        f" '{arrived(2)}', 'run', '{arrived(0.5)}')"
    )
    house.run(
        f"INSERT INTO disaster.situation_post VALUES ('{SITUATION}', 1, '{0:032x}', 7),"
        f" ('{SITUATION}', 2, '{7:032x}', 1), ('{SITUATION}', 4, '{8:032x}', 1)"
    )
    house.run(
        "INSERT INTO disaster.tweet_hour (hour, hour_key, files, tweets, loaded, waiting, waiting_files,"
        " troubled_files, state, settled_checks, checked_at, next_check_at) VALUES"
        f" ('{arrived(3)}', 'x', 3, 1234, 1211, 23, 1, 2, 'open', 0, '{arrived(0)}', '{arrived(0)}'),"
        f" ('{arrived(25)}', 'y', 1, 99, 99, 0, 0, 0, 'settled', 1, '{arrived(0)}', '{arrived(0)}')"
    )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scratch]:
    with scratch(tmp_path_factory.mktemp("house")) as made:
        yield made.set_up()


def asked(house: Scratch, as_of: datetime) -> dict[str, list[dict[str, Any]]]:
    """What each statement answers."""
    answers = {}
    with house.warehouse.session() as session:
        for question in figures.QUESTIONS:
            (found,) = session.run([statements.named(f"overview/{question}")], {"as_of": f"{as_of:%Y-%m-%d %H:%M:%S}"})
            names = [column.name for column in found.columns or []]
            rows = [dict(zip(names, row, strict=True)) for row in found.rows or []]
            for row in rows:  # as the Data API's SUPER comes: parsed
                if isinstance(told := row.get("information_types"), str):
                    row["information_types"] = orjson.loads(told)
            answers[question] = rows
    return answers


@pytest.fixture(scope="module")
def empty(house: Scratch) -> dict[str, Any]:
    return figures.built(asked(house, AS_OF), AS_OF)


@pytest.fixture(scope="module")
def overview(house: Scratch, empty: dict[str, Any]) -> dict[str, Any]:
    seeded(house)
    return figures.built(asked(house, AS_OF), AS_OF)


def shown(overview: dict[str, Any], *names: str, of: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in overview[of]]


NOTHING = {
    **{question: [] for question in figures.QUESTIONS},
    "freshness": {"loaded_rows": 0},
    "health": dict.fromkeys(("tweets", "loaded", "waiting", "troubled_files", "outstanding"), 0),
}
COUNTS = ("posts", "distinct_texts", "posts_before", "distinct_texts_before")


def test_kinds_and_information_types_now_stand_against_before(overview: dict[str, Any]) -> None:
    assert shown(overview, "kind", *COUNTS, of="kinds") == [
        ("flood", 11, FLOOD_TEXTS, 2, 1),
        ("storm", 1, 1, 1, 1),
        ("drought", 0, 0, 1, 1),
    ]
    assert shown(overview, "information_type", *COUNTS, of="information_types") == [
        (WARN, 8, 2, 3, 3),
        (HELP, 3, 3, 1, 1),
    ]


def test_places_have_their_posts_and_texts(overview: dict[str, Any]) -> None:
    assert shown(overview, "place", "posts", "distinct_texts", of="places") == [("Valencia", 10, 4), ("Turís", 1, 1)]


def test_a_situation_has_its_curve_and_its_posts_with_file_and_line(overview: dict[str, Any]) -> None:
    (situation,) = overview["situations"]
    assert (situation["name"], situation["posts"], situation["closed_at"]) == ("Flood", 61, None)
    hours = [(each["hour"][5:13], each["posts"], each["distinct_texts"]) for each in situation["hours"]]
    assert hours == [("03-01T05", 1, 1), ("03-01T06", 1, 1), ("03-02T09", 7, 1), ("03-02T10", 4, 4)]
    posts = [(each["nth"], each["posts"], each["s3_key"], each["s3_line"]) for each in situation["posts_shown"]]
    assert posts == [(1, 7, KEY, 1), (2, 1, KEY, 8)]


def test_freshness_and_health_are_of_the_last_day(overview: dict[str, Any]) -> None:
    assert overview["freshness"]["loaded_rows"] == 13
    assert overview["freshness"]["newest_arrived_at"] == "2026-03-02T11:00:00Z"
    assert overview["health"] == {
        "tweets": 1234, "loaded": 1211, "waiting": 23, "troubled_files": 2, "outstanding": 0
    }  # fmt: skip


def with_texts(overview: dict[str, Any], text: str) -> dict[str, Any]:
    def told(posts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**each, "text": text} for each in posts]

    situations = [{**each, "posts_shown": told(each["posts_shown"])} for each in overview["situations"]]
    return {**overview, "situations": situations, "posts": told(overview["posts"])}


def said(html: str) -> str:
    """What a reader sees, titles of SVG included."""
    return unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.S))


def values(told: Any) -> Iterator[Any]:
    if isinstance(told, dict | list):
        for each in told.values() if isinstance(told, dict) else told:
            yield from values(each)
    else:
        yield told


def test_every_number_of_the_page_is_of_a_statement(overview: dict[str, Any]) -> None:
    text = said(page.render(overview, LATER))
    known = set[str]()
    for value in values(overview):
        if isinstance(value, int | float):
            known |= {f"{value:,}", charts.duration(value), charts.short(charts.nice(value))}
        elif isinstance(value, str):
            known |= {value, value[:16].replace("T", " ")}
    known |= {"7 min", "2026-03-02 12:00"}  # its age; when it was asked
    fixed = ("last 24 hours", "the 24 before", "over the 24 hours", "99 %", "00:00", "12:00", "Mon 2", "Sun 1")
    for words in sorted(known, key=len, reverse=True):
        if re.search(r"\d", words):
            text = re.sub(rf"(?<![\w.,:-]){re.escape(words)}(?!\w|[.,:]\d)", " ", text)
    for words in fixed:
        text = text.replace(words, " ")
    assert re.findall(r"\S*\d\S*", text) == []


def test_the_page_tells_what_the_statements_found(overview: dict[str, Any]) -> None:
    text = " ".join(said(page.render(overview, LATER)).split())
    for words in (
        "1 situation: Flood in Valencia, ES",
        "1,211 of 1,234 tweets in files are loaded. 23 tweets are on the way. 2 files are in trouble.",
        "As of 2026-03-02 12:00 UTC, 7 min ago",
        "Flood in Valencia, ES moderate",
        "61 posts, 53 texts; 47 posts in the hour of its peak",
        "donations and volunteering 37",
        "7 posts with this text",
        f"{KEY} , line 8",
        "11 posts, 5 texts; 2 before",
    ):
        assert words in text


HOSTILE = '<script src="http://evil">\u202e</script><img src=x onerror=alert(1)> http://evil &amp;'


def test_a_hostile_text_is_text(overview: dict[str, Any]) -> None:
    html = page.render(with_texts(overview, HOSTILE), LATER)
    plain = page.render(with_texts(overview, "text"), LATER)
    assert escape(HOSTILE, quote=False).replace('"', "&#34;") in html
    assert re.findall(r"<[\w/]+", html) == re.findall(r"<[\w/]+", plain)
    assert not re.search(r"<(script|img|link|a|iframe|object|base|form)\b|\son\w+=|\bsrc=|\bhref=|url\(|@import", plain)


def test_a_text_is_cut_to_a_line() -> None:
    assert stored.cut("one\n two\t three") == "one two three"
    assert stored.cut("x" * 100_000) == "x" * (stored.MOST_CHARACTERS - 1) + "…"


def test_an_empty_warehouse_has_a_page(empty: dict[str, Any]) -> None:
    text = " ".join(said(page.render(empty, LATER)).split())
    for words in ("No situation", "No post arrived in the last 24 hours", "No post of the last 24 hours names a place"):
        assert words in text
    assert "Nothing to show yet" in page.render(None, LATER)


def test_the_map_has_a_dot_where_the_place_is(overview: dict[str, Any]) -> None:
    html = page.render(overview, LATER)
    assert 'viewBox="-900 -420 1800 710"' in html
    assert '<title>Valencia: 10 posts, 4 texts</title><circle class="place" cx="-2" cy="-197" r="40"/>' in html
    assert '<title>Turís: 1 post, 1 text</title><circle class="place" cx="-4" cy="-197" r="13"/>' in html


# ---- as a browser shows it


@browser
@needs_chromium
def test_it_fits_phones_and_desktops_light_and_dark_and_prints(overview: dict[str, Any], tmp_path: Path) -> None:
    html = page.render(with_texts(overview, f"{HOSTILE} {'x' * 300}"), LATER)
    papers = []
    for scheme, widths in ((1, {320: 1, 768: 2}), (0, {390: 1, 1280: 2})):
        light_or_dark = f"--blink-settings=preferredColorScheme={scheme}"
        seen = browsers.measured(tmp_path, html, [*widths], light_or_dark)
        for each, columns in zip(seen, widths.values(), strict=True):
            assert each["content"] <= each["width"], "it scrolls sideways"
            assert each["smallest"] >= 9, "letters in charts are too small to read"
            assert each["charts"] == columns
            papers.append(each["paper"])
    assert papers == ["rgb(255, 255, 255)"] * 2 + ["rgb(13, 17, 23)"] * 2
    assert 1 <= browsers.printed(tmp_path, html) <= 4


# ---- as it is stored


def test_it_is_asked_for_at_most_once_in_a_while_unless_somebody_asks(stack: Any) -> None:
    with mock.patch.object(figures, "ask", side_effect=lambda *_: {**NOTHING, "as_of": "2026-03-02T12:00:00Z"}) as ask:
        for asked_for in (True, False, False):
            stored.keep(asked_for)
        assert ask.call_count == 1
        with mock.patch.object(stored, "EVERY", 0.0):
            stored.keep(asked_for=False)
        assert ask.call_count == 2


def test_what_fails_fails_no_reconciliation(stack: Any) -> None:
    with mock.patch.object(figures, "ask", side_effect=ValueError("no such table")):
        stored.keep(asked_for=True)


def test_texts_are_those_of_the_files_as_they_are_now(stack: Any) -> None:
    erased, gone = files.put(files.an_hour(), 3), "tweets/dt=2025-03-01/hh=00/gone-1.ndjson.gz"
    lines = files.lines(erased, 3, AS_OF)
    files.put_object(erased, b"".join([lines[0], orjson.dumps({"erased_at": "x"}) + b"\n", lines[2]]))
    shown = [{"s3_key": erased, "s3_line": line} for line in (3, 2)]
    told = stored.with_texts({"posts": shown, "situations": [{"posts_shown": [{"s3_key": gone, "s3_line": 1}]}]})
    assert [post["text"] for post in told["posts"]] == [f"flood in {erased} 3", None]
    assert told["situations"][0]["posts_shown"][0]["text"] is None


# ---- as the admin API answers


def test_a_browser_gets_what_a_reconciliation_has_stored(stack: Any) -> None:
    finished(stack.admin_url, "/reconciliations")
    told = requests.get(stack.admin_url + "/overview", timeout=30).json()
    assert 0 <= told["age_seconds"] < 60
    assert set(told) == {"as_of", "age_seconds", *figures.QUESTIONS} - {"situation_hours", "situation_posts"}
    hour = datetime.fromisoformat(told["as_of"])
    kept, shown = (
        clients.s3().get_object(Bucket=stack.stream, Key=layout.overview_of(hour, suffix))["Body"].read()
        for suffix in ("json", "html")
    )
    assert orjson.loads(kept)["as_of"] >= told["as_of"] and b"<html" in shown
    for path in ("/overview", "/"):
        answer = requests.get(stack.admin_url + path, headers={"Accept": "text/html,*/*;q=0.8"}, timeout=30)
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert f"As of {told['as_of'][:16].replace('T', ' ')} UTC" in answer.text
    assert "routes" in requests.get(stack.admin_url + "/", headers={"Accept": "*/*"}, timeout=30).json()


def test_the_headline_counts_all_situations_and_names_the_first_three() -> None:
    def one(place: str) -> dict[str, Any]:
        return {"name": "Storm: cyclone", "place": place, "country_code": "US", "closed_at": None, "going_on": 12}

    assert page.headline(map(one, "abcd")) == "12 situations: Storm in a, US; Storm in b, US; Storm in c, US; 9 more"
    over = {**one("a"), "closed_at": "2026-03-02T12:00:00Z", "going_on": 0}
    assert page.headline([over]) == "No situation"
