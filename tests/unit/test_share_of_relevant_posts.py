"""A stage states which share of its stream is about a disaster: the log-odds move by it, and the rows say so."""

import json
from math import log

import pytest

from chalicelib import settings
from chalicelib.classifier import RELEVANT_SHARE, backends, bundled

TEXTS = ["Earthquake kills 20 in the city", "Nice weather today", "Heavy rain, the river is rising"]


def odds(probability: float) -> float:
    return log(probability / (1 - probability))


def test_the_log_odds_of_relevance_move_by_those_of_the_share() -> None:
    before, after = bundled.classify(TEXTS), bundled.classify(TEXTS, 0.01)
    expected = odds(0.01) - odds(RELEVANT_SHARE)
    for one, other in zip(before, after, strict=True):
        assert odds(other.relevant) - odds(one.relevant) == pytest.approx(expected)


def test_the_version_says_which_share_a_row_was_labelled_with() -> None:
    assert {p.version for p in bundled.classify(TEXTS)} == {bundled.version()}
    assert {p.version for p in bundled.classify(TEXTS, 0.01)} == {f"{bundled.version()} (share 0.01)"}
    (classification,) = backends.bundled_classifications(TEXTS[:1], 0.5)
    assert classification.prediction.version == f"{bundled.version()} (share 0.5)"


def test_the_default_share_is_the_one_that_the_model_was_calibrated_for() -> None:
    header = json.loads(bundled.MODEL.read_bytes().partition(b"\n")[0])
    assert header["relevant_share"] == RELEVANT_SHARE


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 2.0, float("nan")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="above 0 and below 1"):
        bundled.classify(TEXTS, share)


def test_a_stage_states_its_share_and_has_a_default() -> None:
    names = {"bucket": "b", "stream": "s", "database": "d", "copy_role_arn": "r"}
    assert settings.from_parameters("dev", names).relevant_share == RELEVANT_SHARE
    assert settings.from_parameters("dev", names | {"relevant_share": "0.01"}).relevant_share == 0.01
    for wrong in ("0", "1", "many", "nan"):
        with pytest.raises(settings.SettingsError, match="relevant_share"):
            settings.from_parameters("dev", names | {"relevant_share": wrong})
