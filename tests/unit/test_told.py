"""What a text tells is in its row: where it speaks of, what it tells, and which texts say the same."""

from __future__ import annotations

from unittest import mock

import orjson

from chalicelib import places
from chalicelib.classifier import Prediction
from chalicelib.places import Place
from chalicelib.transform import handler, rows
from chalicelib.transform.text_key import text_key
from chalicelib.transform.unpack import unpack

RECORD = b'{"text":"#Flood in Milan, https://t.co/x","location":"Italy","lang":"en","id":"7"}'
MILAN = Place("Mil\u00e1n", "IT", 45.46427, 9.18951, "text")


def row(place: Place | None) -> dict[str, object]:
    (tweet,), _ = unpack(RECORD)
    with mock.patch.object(places, "find", return_value=place) as asked:
        (draft,) = handler.drafts([(1_770_091_506_789, tweet)], 0.1)
    asked.assert_called_once_with("#Flood in Milan, https://t.co/x", "Italy")
    found: dict[str, object] = orjson.loads(draft.row + b"}")
    assert orjson.loads(draft.row[: draft.size] + b"}").items() <= found.items()
    assert b"disaster_label" not in draft.row[: draft.size]
    return found


def test_a_place_is_in_the_row() -> None:
    found = row(MILAN)
    assert [found[name] for name in ("place", "country_code", "place_basis")] == ["Mil\u00e1n", "IT", "text"]
    assert (found["latitude"], found["longitude"]) == (45.4643, 9.1895)
    assert row(MILAN._replace(country_code=None))["country_code"] is None


def test_a_row_of_a_tweet_with_coordinates_has_them() -> None:
    (tweet,), _ = unpack(b'{"text":"Water is rising","coordinates":{"type":"Point","coordinates":[85.33,27.69]}}')
    (draft,) = handler.drafts([(1_770_091_506_789, tweet)], 0.1)
    found = orjson.loads(draft.row + b"}")
    assert (found["place"], found["country_code"], found["place_basis"]) == ("Kathmandu", "NP", "coordinates")
    assert (found["latitude"], found["longitude"]) == (27.69, 85.33)


def test_coordinates_elsewhere_say_nothing_of_the_place_that_the_text_names() -> None:
    (tweet,), _ = unpack(b'{"text":"Flood in Milan","coordinates":{"type":"Point","coordinates":[85.33,27.69]}}')
    with mock.patch.object(places, "find", return_value=MILAN):
        (draft,) = handler.drafts([(1_770_091_506_789, tweet)], 0.1)
    found = orjson.loads(draft.row + b"}")
    assert [found[name] for name in ("place", "country_code", "place_basis")] == ["Mil\u00e1n", "IT", "text"]


def test_a_row_without_a_place_says_nothing_of_it() -> None:
    found = row(None)
    assert found["text_key"] == text_key("flood in milan")
    assert not {"place", "country_code", "latitude", "longitude", "place_basis"} & set(found)


def test_what_a_relevant_text_tells_is_part_of_the_verdict() -> None:
    said = rows.said(Prediction("flood", 0.9, 0.8, (), "v", ("caution_and_advice", 0.75)))
    found = orjson.loads(b"{" + said[1:] + b"}")
    assert (found["information_type"], found["information_score"]) == ("caution_and_advice", 0.75)
