"""Texts that say the same share a key, and others don't; docs/benchmarks.md has how often on real tweets."""

from __future__ import annotations

import re

import pytest

from chalicelib.classifier.text import clean
from chalicelib.transform.text_key import CHARACTERS, WORDS, text_key

TEXT = "At least 12 dead as floods sweep Calgary, thousands evacuated http://t.co/a1B2"


def key(text: str) -> str | None:
    return text_key(clean(text))


@pytest.mark.parametrize(
    "again",
    [
        "RT @someone: At least 12 dead as floods sweep Calgary, thousands evacuated http://t.co/XYZ",
        "AT LEAST 15 DEAD AS FLOODS SWEEP #CALGARY - THOUSANDS EVACUATED!!! \U0001f622",
        "At least 12 dead as fl\u00f6\u00f6ds sweep C\u00e1lgary, thousands evacuated",
        "So sad RT @a: RT @b: At least 12 dead as floods sweep Calgary, thousands evacuated ht\u2026",
        "\u201c@news: At least 12 dead as floods sweep Calgary, thousands evacuated\u201d my God",
        "At least 12 dead as floods sweep Calgary, thousands evacuated #yyc via @news",
    ],
)
def test_what_says_the_same_has_the_same_key(again: str) -> None:
    assert key(again) == key(TEXT)


@pytest.mark.parametrize(
    "other",
    [
        "At least 12 dead as floods sweep Boulder, thousands evacuated",
        "At least 12 dead as storms sweep Calgary, hundreds evacuated",
        "Calgary",
    ],
)
def test_what_says_something_else_has_another(other: str) -> None:
    assert key(other) != key(TEXT)


def test_a_key_never_changes_for_rows_of_years_are_counted_by_it() -> None:
    assert key(TEXT) == "c7bb5a64fe72f807"
    assert (
        key("\u5730\u9707 \u0417\u0435\u043c\u043b\u0435\u0442\u0440\u044f\u0441\u0435\u043d\u0438\u0435 Stra\u00dfe")
        == "b0a18a76e9a58d93"
    )


@pytest.mark.parametrize("text", ["", "12:30 1.5", "http://t.co/a", "\U0001f622 !!", "@a @b"])
def test_a_text_without_a_word_has_none(text: str) -> None:
    assert key(text) is None


def test_what_is_no_letter_divides_words_and_an_accent_does_not() -> None:
    for between in ("1", "_", "'", "\t", "\u2014", "\U0001f622", "\u2461", "\u0661"):
        assert text_key(f"abc{between}def") == text_key("abc def"), ascii(between)
    assert text_key("Cafe\u0301 \ufb01re \u00d8") == text_key("caf\u00e9 fire \u00f8") != text_key("cafe fire o")


def test_what_follows_the_first_words_makes_no_difference() -> None:
    first = " ".join(f"w{chr(97 + n)}rd" for n in range(WORDS))
    assert text_key(first) == text_key(f"{first} extraordinarily")
    assert text_key(first) != text_key(f"extraordinarily {first}")
    long = "a" * CHARACTERS
    assert text_key(long) == text_key(f"{long}bbbb ccc") != text_key("a" * (CHARACTERS - 1))


def test_a_key_is_sixteen_hex_digits() -> None:
    assert re.fullmatch("[0-9a-f]{16}", str(key(TEXT)))
