"""The classifier backends behind one interface: texts in, verdicts out, in order. They never fail."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

from chalicelib.classifier import Prediction, bundled
from chalicelib.classifier.active import Active


class Verdict(NamedTuple):
    """What a classifier says of a text, and the seconds it took to say so."""

    prediction: Prediction
    seconds: float


@dataclass(frozen=True)
class Verdicts:
    """One verdict a text, in order, and how they came about."""

    verdicts: list[Verdict]
    backends: Mapping[str, int]  # texts by the backend that told their kind
    fallbacks: int = 0  # texts that the bundled backend labelled in place of the active one
    failures: Mapping[str, int] = field(default_factory=dict)  # requests by the code of their error


def bundled_verdicts(texts: Sequence[str]) -> list[Verdict]:
    """What the bundled classifier says of each cleaned text; each distinct text is read once."""
    began = time.perf_counter()
    distinct = list(dict.fromkeys(texts))
    predictions = dict(zip(distinct, bundled.classify(distinct), strict=True))
    seconds = (time.perf_counter() - began) / max(1, len(texts))
    return [Verdict(predictions[text], seconds) for text in texts]


def classify(
    texts: Sequence[str], languages: Sequence[str | None], own: list[Verdict], active: Active, deadline: float
) -> Verdicts:
    """The active classifier's verdicts on cleaned texts. `own`: the bundled ones on the same texts.

    With Comprehend, each distinct text is asked for once; what it can't answer by `deadline` (time.monotonic()), or
    not at all (no words left, a language it has no models for), keeps the bundled verdict, and its version says so.
    Keywords stay the bundled classifier's, and relevance does where no endpoint for it is active.
    """
    if active.backend != "comprehend":
        return Verdicts(own, {"bundled": len(own)})
    return _by_comprehend(texts, languages, own, active, deadline)


def _by_comprehend(
    texts: Sequence[str], languages: Sequence[str | None], own: list[Verdict], active: Active, deadline: float
) -> Verdicts:
    from chalicelib.classifier import comprehend
    from chalicelib.classifier.taxonomy import CODES

    spoken = comprehend.LANGUAGES | comprehend.UNDETERMINED
    asked = list(
        dict.fromkeys(
            text
            for text, language in zip(texts, languages, strict=True)
            if (language or "").partition("-")[0].lower() in spoken and text.strip()
        )
    )
    arns = [arn for arn in (active.endpoint_arn, active.relevance_endpoint_arn) if arn]
    with ThreadPoolExecutor(len(arns)) as pool:  # each has units of its own, so both are asked at once
        answered = list(pool.map(lambda arn: comprehend.classify(asked, arn, active.inference_units, deadline), arns))
    by_text = [dict(zip(asked, answers, strict=True)) for answers, _ in answered]
    kinds, relevances = by_text[0], by_text[-1] if active.relevance_endpoint_arn else {}

    verdicts: dict[str, Verdict] = {}
    fallbacks = 0
    for text, ours in zip(texts, own, strict=True):
        answer = kinds.get(text)
        label = max(answer.scores, key=answer.scores.__getitem__, default="") if answer else ""
        if answer is None or label not in CODES:
            fallbacks += 1
            version = f"{ours.prediction.version} (fallback from {active.version})"
            verdicts[text] = Verdict(ours.prediction._replace(version=version), ours.seconds)
            continue
        relevance = relevances.get(text)
        relevant, version = ours.prediction.relevant, active.version
        if relevance and "relevant" in relevance.scores:
            relevant = relevance.scores["relevant"]
        elif active.relevance_endpoint_arn:
            version = f"{active.version} (relevance from {ours.prediction.version})"
        prediction = Prediction(label, answer.scores[label], relevant, ours.prediction.keywords, version)
        verdicts[text] = Verdict(prediction, ours.seconds + answer.seconds)

    return Verdicts(
        [verdicts[text] for text in texts],
        {"comprehend": len(texts) - fallbacks, "bundled": fallbacks},
        fallbacks,
        sum((reasons for _, reasons in answered), Counter()),
    )
