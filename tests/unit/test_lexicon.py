"""The lexicon finds words, their parts and phrases; the longest wins; figures of speech silence the words in them."""

import pytest

from chalicelib.classifier.lexicon import Lexicon, Term, foremost, literal, weigh

TERMS = [
    Term("flood", (("flood", 10),)),
    Term("*quake", (("earthquake", 10),)),
    Term("evacuat*", (("unspecified", 10),)),
    Term("fire", (("fire", 3),)),
    Term("forest fire*", (("wildfire", 10),)),
    Term("fire broke out", (("fire", 10),)),
    Term("fire me", ()),
    Term("*fires", (("wildfire", 3),)),
    Term("tsunami", (("tsunami", 10),)),
]


def found(text: str) -> list[str]:
    return [term.words for match in Lexicon(TERMS).find(text.split()) for term in match.sense.terms]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("a flood here", ["flood"]),
        ("the bigquake", ["*quake"]),
        ("evacuated now", ["evacuat*"]),
        ("a forest fires update", ["forest fire*"]),
        ("fire broke out", ["fire broke out"]),
        ("fire broke", ["fire"]),
        ("do not fire me", ["fire me"]),
        ("bushfires", ["*fires"]),
        ("floods", []),
    ],
)
def test_terms_are_found_as_words_parts_and_phrases(text: str, terms: list[str]) -> None:
    assert found(text) == terms


def test_a_word_counts_once_however_often_it_is_said() -> None:
    assert weigh(Lexicon(TERMS).find(["flood", "flood", "flood"])).weights == {"flood": 10}


def test_a_figure_of_speech_is_noted_and_speaks_for_nothing() -> None:
    evidence = weigh(Lexicon(TERMS).find(["fire", "me"]))
    assert (evidence.weights, evidence.figurative) == ({}, True)


def test_what_is_literal_is_outside_of_figures_of_speech() -> None:
    tokens = ["they", "fire", "me", "while", "the", "forest", "fire", "burns"]
    assert literal(tokens, Lexicon(TERMS).find(tokens)) == ["they", "while", "the", "forest", "fire", "burns"]


def test_the_cause_comes_before_its_effect() -> None:
    assert foremost({"tsunami": 10, "earthquake": 10}) == ("earthquake", 10, 10)
    assert foremost({"earthquake": 10, "tsunami": 13}) == ("tsunami", 13, 10)
    assert foremost({"unspecified": 30}) == ("", 0, 0)
