"""Words that our tweets hold rarely or never get a meaning from vectors learnt elsewhere."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from label_prep import vectors
from tests.support.later import Later

if TYPE_CHECKING:
    from label_prep import features
else:
    features = Later("label_prep.features")

TEXTS = [["flood", "hits", "town"], ["flood", "in", "the", "town"], ["the", "song", "hits"]]
RELEVANT = [1.0, 1.0, 0.0]


def test_the_file_holds_what_it_says() -> None:
    found = vectors.load()
    assert len(found) == vectors.WORDS
    assert {vector.shape for vector in found.values()} == {(vectors.DIMENSIONS,)}


def alike(one: str, other: str) -> float:
    a, b = (vectors.load()[word].astype(float) for word in (one, other))
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.mark.parametrize(("word", "near", "far"), [("hurricane", "typhoon", "album"), ("derailed", "train", "singer")])
def test_words_of_one_kind_are_near_each_other(word: str, near: str, far: str) -> None:
    assert alike(word, near) > 0.4 > alike(word, far) + 0.2


def test_words_outside_the_corpus_are_known_by_their_vectors_alone() -> None:
    found = features.learn(TEXTS, [features.EVERYDAY] * 3, RELEVANT, 1)
    at = found.tokens.index("hurricane")
    assert found.idf[at] == found.idf[-1]
    assert not found.by_meaning[at, : -vectors.DIMENSIONS].any()
    assert np.linalg.norm(found.by_meaning[at]) == pytest.approx(features.LENT_SHARE)


def test_a_possessive_means_what_its_noun_does() -> None:
    corpus = [[*text, "mayor's"] for text in TEXTS]
    found = features.learn(corpus, [features.EVERYDAY] * 3, RELEVANT, 1)
    places = found.by_meaning[:, -vectors.DIMENSIONS :]
    assert np.array_equal(places[found.tokens.index("mayor's")], places[found.tokens.index("mayor")])


def test_published_vectors_are_made_small(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    words = ["the", "n't", "flood", "café", "storm", "rare"]
    published = tmp_path / "vectors.json"
    numbers = {word: [*rng.normal(size=vectors.DIMENSIONS), 7.0] for word in words}
    published.write_text(json.dumps({"words": words, "vectors": numbers}))
    found = vectors.shrink(published, 3)
    assert list(found) == ["the", "flood", "storm"]
    assert max(np.abs(vector).max() for vector in found.values()) == 127
