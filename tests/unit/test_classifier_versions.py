"""What the API says of a version: AWS's states as a job's, scores, costs, and who is idle."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.classifier.active import Active
from chalicelib.comprehend import endpoints, idle, scores, training, versions

MODEL = (
    "arn:aws:comprehend:us-east-1:123456789012:document-classifier/disaster-tweets-local/version/mine-kind-0123456789"
)
ENDPOINT = "arn:aws:comprehend:us-east-1:123456789012:document-classifier-endpoint/disaster-tweets-local-01234567"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def properties(**changed: Any) -> dict[str, Any]:
    return {
        "DocumentClassifierArn": MODEL,
        "VersionName": "mine-kind-0123456789",
        "Status": "TRAINED",
        "LanguageCode": "en",
        "SubmitTime": NOON,
        "TrainingStartTime": NOON,
        "TrainingEndTime": NOON + timedelta(minutes=30),
        "InputDataConfig": {"S3Uri": "s3://b/train.csv"},
        "ClassifierMetadata": {
            "NumberOfTrainedDocuments": 90,
            "NumberOfTestDocuments": 10,
            "EvaluationMetrics": {
                "Accuracy": 0.9,
                "Precision": 0.8,
                "Recall": 0.7,
                "F1Score": 0.75,
                "MicroF1Score": 0.9,
            },
        },
        **changed,
    }


def endpoint(**changed: Any) -> dict[str, Any]:
    return {
        "EndpointArn": ENDPOINT,
        "ModelArn": MODEL,
        "Status": "IN_SERVICE",
        "DesiredInferenceUnits": 2,
        "CurrentInferenceUnits": 2,
        "CreationTime": datetime.now(UTC) - timedelta(hours=1),
        **changed,
    }


def test_a_hosted_version_is_ready_and_says_what_it_costs() -> None:
    found = versions.summary(properties(), endpoint(), Active("bundled-1"))
    assert (found["version"], found["head"]) == ("mine-kind-0123456789", "kind")
    assert (found["status"], found["aws_status"], found["ready"], found["active"]) == (
        "succeeded",
        "TRAINED",
        True,
        False,
    )
    assert found["metrics"] == {
        "accuracy": 0.9,
        "precision_macro": 0.8,
        "recall_macro": 0.7,
        "f1_macro": 0.75,
        "f1_micro": 0.9,
    }
    assert found["cost"] == {
        "training_usd": 1.5,
        "model_usd_a_month": 0.5,
        "endpoint_usd_a_day": 86.4,
        "endpoint_usd_so_far": 3.6,
        "inference_unit_usd_an_hour": 1.8,
        "inference_unit_usd_a_day": 43.2,
    }


def test_a_version_is_active_by_its_endpoint_for_either_head() -> None:
    for active in (Active("x", "comprehend", ENDPOINT), Active("x", "comprehend", "other", 1, ENDPOINT)):
        assert versions.summary(properties(), endpoint(), active)["active"]
    assert not versions.summary(properties(), None, Active("x"))["active"]


@pytest.mark.parametrize(
    ("classifier", "endpoint", "status"),
    [
        ("SUBMITTED", None, "running"),
        ("TRAINING", None, "running"),
        ("TRAINED", None, "succeeded"),
        ("TRAINED_WITH_WARNING", "IN_SERVICE", "succeeded"),
        ("TRAINED", "CREATING", "running"),
        ("TRAINED", "UPDATING", "running"),
        ("TRAINED", "DELETING", "running"),
        ("TRAINED", "FAILED", "failed"),
        ("IN_ERROR", None, "failed"),
        ("STOPPED", None, "failed"),
        ("STOP_REQUESTED", None, "running"),
        ("DELETING", None, "running"),
    ],
)
def test_training_and_endpoint_have_one_status(classifier: str, endpoint: str | None, status: str) -> None:
    assert versions.status(classifier, endpoint) == status


def test_only_a_version_with_a_serving_endpoint_is_ready() -> None:
    states = {"CREATING": False, "IN_SERVICE": True, "UPDATING": True, "DELETING": False, "FAILED": False}
    for state, ready in states.items():
        assert versions.summary(properties(), endpoint(Status=state), Active("x"))["ready"] is ready
    assert not versions.summary(properties(Status="TRAINING"), None, Active("x"))["ready"]


def test_the_scores_of_each_label_come_from_the_confusion_matrix() -> None:
    each = scores.per_label(["flood", "storm", "haze"], [[8, 2, 0], [1, 4, 0], [0, 0, 0]])
    assert each["flood"] == {"precision": 8 / 9, "recall": 0.8, "f1": 16 / 19, "support": 10}
    assert each["haze"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}


def test_a_version_is_named_by_what_it_is_trained_on() -> None:
    one = training.identity("mine", "kind", {"data": ["s3://b/k", "etag"]})
    assert one == training.identity("mine", "kind", {"data": ["s3://b/k", "etag"]})
    assert one != training.identity("mine", "kind", {"data": ["s3://b/k", "other"]})
    version, token = one
    assert version.startswith("mine-kind-") and len(token) == 64
    assert [versions.head(v) for v in (version, "a-b-relevance-0123456789")] == ["kind", "relevance"]


def test_names_keep_to_comprehends_limits() -> None:
    longest = training.identity("n" * 40, "relevance", {})[0]
    assert len(longest) <= 63
    assert len(endpoints.name_for("s" * 15, longest)) == 40


def test_an_endpoint_is_idle_after_an_hour_without_a_tweet_of_its_version() -> None:
    assert idle.idleness(endpoint(), NOON, NOON + timedelta(minutes=59)) is None
    assert idle.idleness(endpoint(), NOON, NOON + timedelta(hours=2)) == {
        "version": "mine-kind-0123456789",
        "endpoint_arn": ENDPOINT,
        "idle_seconds": 7200,
        "cost_usd": 7.2,
    }


def test_an_endpoint_for_relevance_is_of_use_with_the_version_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from chalicelib.warehouse import data_api

    asked = []

    def query(sql: str, parameters: dict[str, str]) -> list[dict[str, Any]]:
        asked.append(parameters)
        return [{"last_use": NOON.timestamp()}]

    monkeypatch.setattr(data_api, "query", query)
    created = NOON - timedelta(days=1)
    beside = Active("kind-kind-1", "comprehend", "arn:kind", 1, ENDPOINT)
    assert idle.last_use(endpoint(CreationTime=created), beside) == NOON
    assert idle.last_use(endpoint(CreationTime=created), Active("bundled-1")) == NOON
    assert [a["version"] for a in asked] == ["kind-kind-1", "mine-kind-0123456789"]
    assert asked[0]["since"] == "2025-12-31 12:00:00"
