"""The Comprehend backend: each distinct text once, within its units and its deadline, and never a failure."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest

from chalicelib import clients
from chalicelib.classifier import backends, bundled, hosted
from chalicelib.classifier.active import Active
from chalicelib.classifier.backends import Classified
from tests.support.aws_in_memory import client_error

KIND = "arn:aws:comprehend:us-east-1:123456789012:document-classifier-endpoint/kind"
RELEVANCE = KIND.replace("kind", "relevance")
ACTIVE = Active("c-1", "comprehend", KIND, inference_units=1)
FALLBACK = f"{bundled.version()} (fallback from c-1)"

Answer = Callable[[str, str], dict[str, float]]


class Endpoint:
    """Comprehend's client: answers what `answer` says of a text and an endpoint, and remembers how it was asked."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: Counter[tuple[str, str]] = Counter()
        self.most_at_once = 0
        self._now = 0
        self._lock = threading.Lock()

    def classify_document(self, *, Text: str, EndpointArn: str) -> dict[str, Any]:
        with self._lock:
            self.asked[Text, EndpointArn] += 1
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            scores = self.answer(Text, EndpointArn)
        finally:
            with self._lock:
                self._now -= 1
        return {"Classes": [{"Name": name, "Score": score} for name, score in scores.items()]}


@contextmanager
def comprehend_that(answer: Answer) -> Iterator[Endpoint]:
    endpoint = Endpoint(answer)
    with mock.patch.object(clients, "comprehend", lambda: endpoint):
        yield endpoint


def classify(
    texts: list[str], active: Active = ACTIVE, seconds: float = 5.0, languages: list[str | None] | None = None
) -> Classified:
    own = backends.bundled_classifications(texts)
    return backends.classify(texts, languages or [None] * len(texts), own, active, time.monotonic() + seconds)


def versions(classified: Classified) -> list[str]:
    return [classification.prediction.version for classification in classified.classifications]


def labels(classified: Classified) -> list[str]:
    return [classification.prediction.label for classification in classified.classifications]


def by_first_letter(text: str, _: str) -> dict[str, float]:
    return {"flood": 0.9, "storm": 0.1} if text[0] == "f" else {"storm": 0.8, "flood": 0.2}


def raising(code: str) -> Answer:
    def answer(*_: str) -> dict[str, float]:
        raise client_error(code)

    return answer


def test_each_distinct_text_is_asked_once_and_answers_come_in_order() -> None:
    texts = ["first", "second", "first", "first", "second"]
    with comprehend_that(by_first_letter) as endpoint:
        found = classify(texts)
    assert labels(found) == ["flood", "storm", "flood", "flood", "storm"]
    assert set(endpoint.asked.values()) == {1}
    assert (found.backends, found.fallbacks) == ({"comprehend": 5, "bundled": 0}, 0)


def test_relevance_and_keywords_stay_with_the_bundled_classifier() -> None:
    (own,) = backends.bundled_classifications(["flood in the valley"])
    with comprehend_that(lambda *_: {"storm": 0.7, "flood": 0.3}):
        (classification,) = classify(["flood in the valley"]).classifications
    assert (classification.prediction.label, classification.prediction.score) == ("storm", 0.7)
    assert classification.prediction.relevant == own.prediction.relevant
    assert classification.prediction.keywords == own.prediction.keywords


def test_a_second_endpoint_tells_relevance() -> None:
    active = Active("c-1", "comprehend", KIND, 1, RELEVANCE)
    with comprehend_that(lambda _, arn: {"flood": 1.0} if arn == KIND else {"relevant": 0.11, "not_relevant": 0.89}):
        (classification,) = classify(["x"], active).classifications
    assert (classification.prediction.label, classification.prediction.relevant) == ("flood", 0.11)


@pytest.mark.parametrize("units", [1, 3])
def test_as_many_requests_are_in_flight_as_the_units_allow(units: int) -> None:
    def slow(text: str, arn: str) -> dict[str, float]:
        time.sleep(0.02)
        return by_first_letter(text, arn)

    with comprehend_that(slow) as endpoint:
        classify([f"text {n}" for n in range(12)], Active("c-1", "comprehend", KIND, units))
    assert endpoint.most_at_once == units * hosted.DOCUMENTS_A_UNIT


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServerException", "ResourceUnavailableException"])
def test_what_comprehend_refuses_the_bundled_classifier_labels_and_says_so(code: str) -> None:
    with comprehend_that(raising(code)):
        found = classify(["flood", "storm", "flood"])
    assert versions(found) == [FALLBACK] * 3
    assert found.fallbacks == 3
    assert set(found.failures) == {code}


def test_an_endpoint_that_is_gone_is_asked_no_more() -> None:
    with comprehend_that(raising("ResourceNotFoundException")) as endpoint:
        found = classify([f"text {n}" for n in range(200)])
    assert found.fallbacks == 200
    assert endpoint.asked.total() <= hosted.DOCUMENTS_A_UNIT * 2


def test_one_that_fails_again_and_again_is_left_alone() -> None:
    with comprehend_that(raising("InternalServerException")) as endpoint:
        classify([f"text {n}" for n in range(200)])
    assert endpoint.asked.total() <= hosted.GIVE_UP_AFTER + hosted.DOCUMENTS_A_UNIT


def test_one_failure_among_answers_costs_one_fallback() -> None:
    def answer(text: str, arn: str) -> dict[str, float]:
        if text == "bad":
            raise client_error("ThrottlingException")
        return by_first_letter(text, arn)

    with comprehend_that(answer):
        found = classify(["fine", "bad", "fair"])
    assert versions(found) == ["c-1", FALLBACK, "c-1"]


def test_the_deadline_holds_and_what_came_by_then_counts() -> None:
    def answer(text: str, arn: str) -> dict[str, float]:
        time.sleep(0.01 if text == "fast" else 3)
        return by_first_letter(text, arn)

    began = time.monotonic()
    with comprehend_that(answer):
        found = classify(["fast", "slow", "slower", "slowest"], seconds=0.4)
    assert time.monotonic() - began < 1.5
    assert versions(found) == ["c-1", FALLBACK, FALLBACK, FALLBACK]


def test_a_deadline_that_has_passed_asks_nobody() -> None:
    with comprehend_that(by_first_letter) as endpoint:
        found = classify(["flood"], seconds=-1)
    assert not endpoint.asked
    assert versions(found) == [FALLBACK]


@pytest.mark.parametrize(
    ("language", "asked"), [("es", True), ("und", True), (None, True), ("ja", False), ("tl", False)]
)
def test_languages_it_has_no_models_for_are_the_bundled_classifiers(language: str | None, asked: bool) -> None:
    with comprehend_that(by_first_letter) as endpoint:
        found = classify(["flood"], languages=[language])
    assert bool(endpoint.asked) == asked
    assert versions(found) == (["c-1"] if asked else [bundled.version()])
    assert found.fallbacks == 0


def test_a_text_without_words_is_never_sent() -> None:
    with comprehend_that(by_first_letter) as endpoint:
        assert versions(classify(["", "  "])) == [bundled.version()] * 2
    assert not endpoint.asked


def test_a_long_text_is_cut_at_a_character() -> None:
    with comprehend_that(by_first_letter) as endpoint:
        classify(["é" * 4000])
    ((text, _),) = endpoint.asked
    assert text == "é" * 2500


def test_a_label_the_warehouse_does_not_know_is_no_answer() -> None:
    with comprehend_that(lambda *_: {"disaster with weapons": 0.9}):
        assert versions(classify(["flood"])) == [FALLBACK]
