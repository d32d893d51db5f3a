"""The classifier that comes with the app: kind and relevance from one pass over a text, in pure Python."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from chalicelib.classifier import Keyword, Prediction
from chalicelib.classifier.text import tokens

MODEL = Path(__file__).with_name("model.json")
CONTEXT = 3  # words either side of a keyword


@lru_cache(maxsize=1)
def _model() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(MODEL.read_text())
    found["patterns"] = re.compile(found["patterns"]) if found["patterns"] else None
    return found


def version() -> str:
    """What rows name as their `classifier_version`."""
    return "bundled-1"


def metrics() -> dict[str, Any]:
    """Scores measured on tweets and events never trained on, as in the model card."""
    found: dict[str, Any] = _model()["metrics"]
    return found


def classify(texts: Sequence[str]) -> list[Prediction]:
    """A prediction for each text that `text.clean` has cleaned."""
    return [_classify(text) for text in texts]


def _classify(text: str) -> Prediction:
    model = _model()
    weights, words, phrases = model["relevance"], model["words"], model["phrases"]
    found = tokens(text)
    total = model["bias"]
    evidence: dict[str, float] = {}
    places: list[tuple[int, int, str]] = []
    for at, token in enumerate(found):
        total += weights.get(token, 0)
        length = next((n for n in (3, 2) if " ".join(found[at : at + n]) in phrases and len(found) >= at + n), 1)
        kind = phrases[" ".join(found[at : at + length])] if length > 1 else words.get(token) or _stem(token)
        if kind:
            evidence[kind] = evidence.get(kind, 0) + length
            places.append((at, length, kind))
    relevant = 1 / (1 + math.exp(-total / 100))
    named = {kind: n for kind, n in evidence.items() if kind != "unspecified"}
    if named:
        label = max(named, key=named.__getitem__)
        score = named[label] / (sum(named.values()) + 0.2)
    elif evidence or relevant >= 0.5:
        label, score = ("unspecified", relevant) if relevant >= 0.5 else ("not_disaster", 1 - relevant)
    else:
        label, score = "not_disaster", 1 - relevant
    keywords = tuple(
        Keyword(
            " ".join(found[max(0, at - CONTEXT) : at]),
            " ".join(found[at : at + length]),
            " ".join(found[at + length : at + length + CONTEXT]),
            kind,
        )
        for at, length, kind in places
        if kind != "unspecified"
    )
    return Prediction(label, score, relevant, keywords, version())


@lru_cache(maxsize=65536)
def _stem(token: str) -> str | None:
    match = _model()["patterns"].fullmatch(token)
    return match.lastgroup if match else None
