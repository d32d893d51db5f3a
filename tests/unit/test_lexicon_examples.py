"""Every kind in the lexicon comes with texts that it must be told of, and with texts whose words only look alike."""

import tomllib

import pytest

from chalicelib.classifier.lexicon import NAME, foremost, weigh
from chalicelib.classifier.taxonomy import CODES
from chalicelib.classifier.text import clean, tokens
from label_prep.lexicon import FIGURATIVE, SOURCE, lexicon

KINDS = tomllib.loads(SOURCE.read_text())


def named(text: str) -> str | None:
    """The kind that a text names, None for hints alone."""
    kind, most, _ = foremost(weigh(lexicon().find(tokens(clean(text)))).weights)
    return kind if most >= NAME else None


def texts(name: str) -> list[tuple[str, str]]:
    return [(kind, text) for kind, lists in KINDS.items() for text in lists.get(name, ())]


@pytest.mark.parametrize(("kind", "text"), texts("examples"))
def test_an_example_names_its_kind(kind: str, text: str) -> None:
    assert named(text) == kind


@pytest.mark.parametrize(("kind", "text"), texts("not"))
def test_a_counter_example_does_not_name_the_kind(kind: str, text: str) -> None:
    assert named(text) != kind


def test_every_kind_has_both() -> None:
    for kind in set(CODES) - {"unspecified", "not_disaster"}:
        assert KINDS[kind]["examples"], kind
        assert KINDS[kind]["not"], kind


def test_every_section_is_a_kind_or_the_figures_of_speech() -> None:
    assert set(KINDS) - set(CODES) == {FIGURATIVE}


def told(text: str) -> str:
    """The foremost kind of a text, names and hints alike; empty without any."""
    return foremost(weigh(lexicon().find(tokens(clean(text)))).weights)[0]


@pytest.mark.parametrize(
    "text", ["Shelter is open at the school #Irma", "#Dorian: they need water and food", "A new life after Idai"]
)
def test_a_storms_name_alone_hints_at_a_storm(text: str) -> None:
    assert told(text) == "storm"


@pytest.mark.parametrize(
    "text", ["Donate water and blankets", "We need food, water and medicine", "Bottles of water for the families"]
)
def test_water_that_people_are_given_is_no_flood(text: str) -> None:
    assert told(text) == ""


def test_water_in_the_streets_hints_at_a_flood() -> None:
    assert told("Water in our street, and no bottled water to drink") == "flood"
