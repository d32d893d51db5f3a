"""Text is prepared in the same way in training and serving, also where it was made to be difficult."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.classifier import text
from chalicelib.classifier.text import clean, fold, tokens, unescape

EVERY_CHARACTER = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
ACCENTS = [c for c in EVERY_CHARACTER if unicodedata.combining(c)]


def without_accents(whole: str) -> str:
    """Return what `fold` returns, by NFKD of the text as a whole."""
    return "".join(c for c in unicodedata.normalize("NFKD", whole) if not unicodedata.combining(c))


def test_every_character_is_folded_as_nfkd_folds_it() -> None:
    assert [fold(c) for c in EVERY_CHARACTER] == [without_accents(c) for c in EVERY_CHARACTER]
    assert len(text._FOLDED) <= text.MOST_FOLDED


@given(st.text(st.sampled_from([*ACCENTS, *"aé한ﬁ㍿\u0f73\uff9eİ™"])))
def test_accents_in_any_order_are_folded_as_nfkd_folds_them(whole: str) -> None:
    assert fold(whole) == without_accents(whole)


@pytest.mark.parametrize(
    ("written", "words"), [("Flood™", ["floodtm"]), ("İstanbul", ["istanbul"]), ("Ｆｉｒｅ", ["fire"])]
)
def test_words_are_in_lower_case_whatever_letters_they_are_written_in(written: str, words: list[str]) -> None:
    assert tokens(written) == words


@pytest.mark.parametrize(
    ("escaped", "plain"),
    [
        ("&lt;3", "<3"),
        ("&amp;lt;3", "<3"),
        ("&amp;amp;amp;lt;3", "<3"),
        ("&amp;amp;amp;amp;lt;3", "&lt;3"),
        ("&#38;", "&"),
        ("a &#" + "1" * 5000 + "; b", "a \ufffd b"),
        ("a &#" + "1" * 5000 + " b", "a \ufffd b"),
        ("a &#x" + "1" * 5000 + "; b", "a \ufffd b"),
        ("&#" + "1" * 99 + ";", "\ufffd"),
    ],
)
def test_entities_are_resolved_four_times_and_no_number_is_too_long(escaped: str, plain: str) -> None:
    assert unescape(escaped) == plain


@pytest.mark.parametrize(
    ("written", "cleaned"),
    [
        ("RT @who: a flood", "a flood"),
        ("RT : @who a flood", "a flood"),
        ("RT:@who: a flood", "a flood"),
        ("RT  :  @who a flood", "a flood"),
        ("a flood RT @who: a fire", "a flood a fire"),
        ("a flood RT : : @who a fire", "a flood RT : : a fire"),
        ("RT : a flood", "a flood"),
        ("START @who", "START"),
    ],
)
def test_retweets_are_found_with_spaces_and_colon_in_any_place(written: str, cleaned: str) -> None:
    assert clean(written) == cleaned


def test_long_garbled_runs_are_mended_and_not_remembered() -> None:
    before = text._meant.cache_info().currsize
    assert text.mend("â€™" * 1000) == "’" * 1000
    assert text._meant.cache_info().currsize == before
