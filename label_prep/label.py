"""Assign labels: relevance from people's votes, the kind from gold labels if there are any, else from the lexicon."""

from __future__ import annotations

import numpy as np
import pandas as pd

from chalicelib.classifier import lexicon as lex
from chalicelib.classifier.text import tokens
from label_prep.lexicon import lexicon

UNSPECIFIED, NOT_DISASTER = "unspecified", "not_disaster"


def kinds(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with `kind`, the `rule` that gave it and the `words` that the rule saw, joined by `|`.

    Rules: `gold` the event's kind, for its relevant tweets; `names` the lexicon, by words that name a kind; `hints`
    it too, by words that only go with one, in a relevant tweet; `vote` where it finds neither.
    """
    found = [
        label(text, gold if isinstance(gold, str) else None, relevant)
        for text, gold, relevant in zip(frame["cleaning_text"], frame["gold_kind"], frame["relevant"], strict=True)
    ]
    return (
        frame.assign(
            **{
                name: list(column)
                for name, column in zip(("kind", "rule", "words"), zip(*found, strict=True), strict=True)
            }
        )
        if found
        else frame.assign(kind=[], rule=[], words=[])
    )


def label(text: str, gold: str | None, relevant: float) -> tuple[str, str, str]:
    """(kind, rule, words) of a cleaned text."""
    matches = lexicon().find(tokens(text))
    kind, most, _ = lex.foremost(lex.weigh(matches).weights)
    said = (term for match in matches for term in match.sense.terms if any(k == (gold or kind) for k, _ in term.kinds))
    words = "|".join(dict.fromkeys(term.words for term in said))
    if gold and relevant:
        return gold, "gold", words
    if most >= lex.NAME:
        return kind, "names", words
    if most and relevant:
        return kind, "hints", words
    return (UNSPECIFIED if relevant else NOT_DISASTER), "vote", ""


def settle(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(the frame with one relevance for all tweets of the same words, the rows where votes contradicted each other).

    `voted` keeps what the row itself was voted.

    The side with the greater sum of squared vote shares wins, a tie is relevant; `weight`, a row's squared vote share,
    is multiplied by the share that the winner had.
    """
    weight = frame["vote_share"] ** 2
    within = frame["same_words"] if "event" not in frame else frame["same_words"].astype(str) + frame["event"]
    total = weight.groupby(within).transform("sum")
    yes = (weight * frame["relevant"]).groupby(within).transform("sum") / total
    settled = (yes >= 0.5).astype(float)
    conflicting = (yes > 0) & (yes < 1)
    out = frame.assign(voted=frame["relevant"], relevant=settled, weight=weight * np.maximum(yes, 1 - yes))
    listed = frame[conflicting].assign(settled_as=settled[conflicting]).sort_values(["same_words", "row"])
    return out, listed
