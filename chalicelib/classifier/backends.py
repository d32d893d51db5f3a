"""Classify texts with the active backend: texts in, classifications out, in order. Never fails."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from operator import itemgetter
from typing import NamedTuple

from chalicelib.classifier import RELEVANT_SHARE, Prediction, bundled
from chalicelib.classifier.active import Active


class Classification(NamedTuple):
    """What a classifier says of a text, and the seconds it took to say so."""

    prediction: Prediction
    seconds: float


@dataclass(frozen=True)
class Classified:
    """One classification a text, in order, and how they came about."""

    classifications: list[Classification]
    backends: Mapping[str, int]  # texts by the backend that told their kind
    fallbacks: int = 0  # texts that the bundled backend labelled in place of the active one
    failures: Mapping[str, int] = field(default_factory=dict)  # requests by the code of their error


def bundled_classifications(texts: Sequence[str], share: float = RELEVANT_SHARE) -> list[Classification]:
    """Return what the bundled classifier says of each cleaned text, where `share` of all posts are about a disaster.

    Each distinct text is read once.
    """
    began = time.perf_counter()
    distinct = list(dict.fromkeys(texts))
    predictions = dict(zip(distinct, bundled.classify(distinct, share), strict=True))
    seconds = (time.perf_counter() - began) / max(1, len(texts))
    return [Classification(predictions[text], seconds) for text in texts]


def classify(
    texts: Sequence[str], languages: Sequence[str | None], own: list[Classification], active: Active, deadline: float
) -> Classified:
    """Return the active classifier's classifications on cleaned texts. `own`: the bundled ones on the same texts.

    With Comprehend, each distinct text is asked for once, but not those without words or in a language it has no
    models for: these are the bundled classifier's. So is, as a fallback, what Comprehend can't answer by `deadline`
    (time.monotonic()); the version then names both. Keywords and what the text tells stay the bundled classifier's,
    and relevance does where no endpoint for it is active.
    """
    if active.backend != "comprehend":
        return Classified(own, {"bundled": len(own)})
    return _by_comprehend(texts, languages, own, active, deadline)


def _by_comprehend(
    texts: Sequence[str], languages: Sequence[str | None], own: list[Classification], active: Active, deadline: float
) -> Classified:
    from chalicelib.classifier import hosted
    from chalicelib.classifier.taxonomy import CODES
    from chalicelib.comprehend.client import LANGUAGES

    spoken = {*LANGUAGES, *hosted.UNDETERMINED}
    asked = list(
        dict.fromkeys(
            text
            for text, language in zip(texts, languages, strict=True)
            if (language or "").partition("-")[0].lower() in spoken and text.strip()
        )
    )
    arns = [arn for arn in (active.endpoint_arn, active.relevance_endpoint_arn) if arn]
    with ThreadPoolExecutor(len(arns)) as pool:  # each has units of its own, so both are asked at once
        answered = list(pool.map(lambda arn: hosted.classify(asked, arn, active.inference_units, deadline), arns))
    replies = [dict(zip(asked, answers, strict=True)) for answers, _ in answered]
    relevances = replies[1] if active.relevance_endpoint_arn else {}
    told = {
        text: answer
        for text, answer in replies[0].items()
        if answer and max(answer.scores, key=answer.scores.__getitem__, default="") in CODES
    }

    def combined(text: str, ours: Classification) -> Classification:
        version = active.version
        if text not in told:
            if text not in replies[0]:
                return ours
            version = f"{ours.prediction.version} (fallback from {version})"
            return Classification(ours.prediction._replace(version=version), ours.seconds)
        answer, relevance, relevant = told[text], relevances.get(text), ours.prediction.relevant
        if relevance and "relevant" in relevance.scores:
            relevant = relevance.scores["relevant"]
        elif active.relevance_endpoint_arn:
            version += f" (relevance from {ours.prediction.version})"
        label, score = max(answer.scores.items(), key=itemgetter(1))
        information = (ours.prediction.information or bundled.information(text)) if relevant >= 0.5 else None
        prediction = Prediction(label, score, relevant, ours.prediction.keywords, version, information)
        return Classification(prediction, ours.seconds + answer.seconds)

    by_text = {text: combined(text, ours) for text, ours in zip(texts, own, strict=True)}
    by_comprehend = sum(text in told for text in texts)
    return Classified(
        [by_text[text] for text in texts],
        {"comprehend": by_comprehend, "bundled": len(texts) - by_comprehend},
        sum(text in replies[0] and text not in told for text in texts),
        sum((failures for _, failures in answered), Counter()),
    )
