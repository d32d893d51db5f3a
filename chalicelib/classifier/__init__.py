"""Define the interface of every classifier backend: texts in, predictions out."""

from __future__ import annotations

from typing import NamedTuple, TypedDict

RELEVANT_SHARE = 0.1
"""Share of posts that are about a disaster, where a stage's `RelevantShare` states none: probabilities are for it."""


class Keyword(TypedDict):
    """A word that tied the text to a kind, with its context (up to three words either side, '' at the ends)."""

    prefix: str
    word: str
    suffix: str
    theme: str  # a code of disaster.disaster_kind


class Prediction(NamedTuple):
    """What a classifier says of one text. Scores are calibrated probabilities, 0 to 1."""

    label: str  # a code of the taxonomy
    score: float  # probability of `label`
    relevant: float  # probability that the text speaks of a real disaster
    keywords: tuple[Keyword, ...]
    version: str  # which classifier said so
    information: tuple[str, float] | None = None  # what a relevant text tells, and how probable that is
