"""The local Comprehend trains, hosts and classifies, with the states, limits and errors of the real one."""

import io
import json
import random
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.comprehend import urls
from moto.comprehend.responses import ComprehendResponse
from moto.core.exceptions import ServiceException

from local.aws.comprehend import service as module
from local.aws.comprehend import training
from local.aws.comprehend.responses import LiveComprehend
from local.aws.comprehend.service import Comprehend
from local.aws.comprehend.throughput import Throughput
from local.aws.faults import Faults

WORDS = {"wildfire": ["smoke", "burn", "blaze"], "flood": ["water", "river", "rain"], "not_disaster": ["pizza", "song"]}
OWNER = ("us-east-1", "123456789012")


def labelled(each: int, seed: int = 0) -> bytes:
    rng = random.Random(seed)
    rows = [f"{k},the {rng.choice(w)} {rng.choice(w)} today {i}" for i in range(each) for k, w in WORDS.items()]
    return "\n".join(rows).encode()


def request(version: str, key: str = "train.csv", **more: Any) -> dict[str, Any]:
    return {
        "DocumentClassifierName": "tweets",
        "VersionName": version,
        "LanguageCode": "en",
        "DataAccessRoleArn": "arn:aws:iam::123456789012:role/comprehend",
        "InputDataConfig": {"S3Uri": f"s3://bucket/{key}"},
        "OutputDataConfig": {"S3Uri": "s3://bucket/output/"},
        "ClientRequestToken": f"token-{version}",
        **more,
    }


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


class Bucket(dict[str, bytes]):
    def read(self, bucket: str, key: str) -> bytes:
        return self[key]

    def write(self, bucket: str, key: str, data: bytes) -> None:
        self[key] = data


@pytest.fixture(scope="module")
def bucket() -> Bucket:
    return Bucket({"train.csv": labelled(60), "few.csv": labelled(49)})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("comprehend")


@pytest.fixture(scope="module")
def comprehend(home: Path, bucket: Bucket) -> Iterator[Comprehend]:
    """With a trained classifier, tweets/version/v1, hosted on an endpoint of two units."""
    module.STATE_SECONDS = 0.05
    service = Comprehend(home, bucket.read, bucket.write, Faults(), throttle=False)
    arn = service.create_classifier(request("v1"), *OWNER)
    until(lambda: service.classifier(arn)["Status"] not in ("SUBMITTED", "TRAINING"))
    service.create_endpoint({"EndpointName": "v1", "ModelArn": arn, "DesiredInferenceUnits": 2}, *OWNER)
    until(lambda: service.endpoint(ENDPOINT)["Status"] == "IN_SERVICE")
    yield service
    module.STATE_SECONDS = 0.3


CLASSIFIER = "arn:aws:comprehend:us-east-1:123456789012:document-classifier/tweets/version/v1"
ENDPOINT = "arn:aws:comprehend:us-east-1:123456789012:document-classifier-endpoint/v1"


def refusal(call: Callable[..., Any], *arguments: Any) -> str:
    with pytest.raises(ServiceException) as error:
        call(*arguments)
    return str(error.value.code)


def test_a_classifier_trains_from_the_csv_and_leaves_its_confusion_matrix(
    comprehend: Comprehend, bucket: Bucket
) -> None:
    trained = comprehend.classifier(CLASSIFIER)
    assert trained["Status"] == "TRAINED"
    assert trained["SubmitTime"] <= trained["TrainingStartTime"] <= trained["TrainingEndTime"] <= trained["EndTime"]
    metadata = trained["ClassifierMetadata"]
    assert metadata["NumberOfLabels"] == 3
    assert metadata["NumberOfTrainedDocuments"] + metadata["NumberOfTestDocuments"] == 180
    assert metadata["EvaluationMetrics"]["Accuracy"] == 1.0

    key = trained["OutputDataConfig"]["S3Uri"].removeprefix("s3://bucket/")
    assert key.startswith("output/123456789012-CLR-") and key.endswith("/output/output.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(bucket[key])) as tar:
        matrix = json.load(tar.extractfile("output/confusion_matrix.json"))  # type: ignore[arg-type]
    assert matrix["labels"] == sorted(WORDS)
    assert sum(map(sum, matrix["confusion_matrix"])) == metadata["NumberOfTestDocuments"]


def test_the_endpoint_answers_with_all_classes_best_first(comprehend: Comprehend) -> None:
    classes = comprehend.classify("blaze and smoke", ENDPOINT)
    assert classes[0]["Name"] == "wildfire"
    assert sum(c["Score"] for c in classes) == pytest.approx(1)
    assert [c["Score"] for c in classes] == sorted((c["Score"] for c in classes), reverse=True)


def test_a_request_with_the_same_token_makes_nothing_new(comprehend: Comprehend) -> None:
    assert comprehend.create_classifier(request("v1"), *OWNER) == CLASSIFIER
    assert (
        refusal(comprehend.create_classifier, request("v1", ClientRequestToken="t"), *OWNER) == "ResourceInUseException"
    )
    assert len(comprehend.classifiers({"DocumentClassifierName": "tweets"}, "arn:aws:comprehend:us-east-1:")) == 1


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"VersionName": "-v"}, "InvalidRequestException"),
        ({"LanguageCode": "ja"}, "UnsupportedLanguageException"),
        ({"Mode": "MULTI_LABEL"}, "InvalidRequestException"),
        ({"InputDataConfig": {"S3Uri": "bucket/train.csv"}}, "InvalidRequestException"),
    ],
)
def test_a_bad_request_is_refused_at_once(comprehend: Comprehend, changed: dict[str, Any], code: str) -> None:
    assert refusal(comprehend.create_classifier, request("v9", **changed), *OWNER) == code


@pytest.mark.parametrize(
    ("key", "message"), [("none.csv", "NO_READ_ACCESS_TO_INPUT"), ("few.csv", "too few: flood (49)")]
)
def test_a_training_that_cannot_work_ends_in_error(comprehend: Comprehend, key: str, message: str) -> None:
    arn = comprehend.create_classifier(request(f"e-{key[:3]}", key), *OWNER)
    until(lambda: comprehend.classifier(arn)["Status"] == "IN_ERROR")
    assert message in comprehend.classifier(arn)["Message"]
    endpoint = {"EndpointName": "e", "ModelArn": arn, "DesiredInferenceUnits": 1}
    assert refusal(comprehend.create_endpoint, endpoint, *OWNER) == "ResourceUnavailableException"
    comprehend.delete_classifier(arn)
    assert refusal(comprehend.classifier, arn) == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"flood,\xff\xfe", "not UTF-8"),
        (b"\n".join(b"flood,water %d" % i for i in range(60)), "from 2 to 1000 classes"),
        (labelled(50) + b"\n" + b"x" * 5001 + b",t" + (b"\n" + b"x" * 5001 + b",t") * 49, "at most 5000 characters"),
    ],
)
def test_files_are_refused_for_the_reasons_the_documentation_names(data: bytes, message: str) -> None:
    with pytest.raises(training.TrainingError, match=message):
        training.train(data, None)


def test_rows_that_cannot_be_used_are_skipped_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_bytes(labelled(50) + b"\nflood,\nflood\n")
    (tmp_path / "test.csv").write_bytes(labelled(5, seed=1))
    training.main(tmp_path)
    result = json.loads((tmp_path / "result.json").read_bytes())
    assert (result["Status"], result["ClassifierMetadata"]["NumberOfTestDocuments"]) == ("TRAINED_WITH_WARNING", 15)
    assert result["Message"].startswith("2 documents were skipped")


def test_a_training_can_be_stopped(comprehend: Comprehend) -> None:
    arn = comprehend.create_classifier(request("stopped"), *OWNER)
    comprehend.stop_training(arn)
    until(lambda: comprehend.classifier(arn)["Status"] == "STOPPED")
    comprehend.delete_classifier(arn)


def test_an_endpoint_goes_through_its_states(comprehend: Comprehend) -> None:
    new = {"EndpointName": "states", "ModelArn": CLASSIFIER, "DesiredInferenceUnits": 1, "ClientRequestToken": "s"}
    arn = comprehend.create_endpoint(new, *OWNER)["EndpointArn"]
    assert arn == "arn:aws:comprehend:us-east-1:123456789012:document-classifier-endpoint/states"
    assert comprehend.endpoint(arn)["Status"] == "CREATING"
    assert refusal(comprehend.classify, "rain", arn) == "ResourceUnavailableException"
    assert refusal(comprehend.delete_endpoint, arn) == "ResourceInUseException"
    assert comprehend.create_endpoint(new, *OWNER)["EndpointArn"] == arn
    until(lambda: comprehend.endpoint(arn)["Status"] == "IN_SERVICE")

    comprehend.update_endpoint({"EndpointArn": arn, "DesiredInferenceUnits": 3})
    updating = comprehend.endpoint(arn)
    assert (updating["Status"], updating["CurrentInferenceUnits"], updating["DesiredInferenceUnits"]) == (
        "UPDATING",
        1,
        3,
    )
    assert comprehend.classify("rain", arn)
    until(lambda: comprehend.endpoint(arn)["Status"] == "IN_SERVICE")
    assert comprehend.endpoint(arn)["CurrentInferenceUnits"] == 3

    comprehend.delete_endpoint(arn)
    assert comprehend.endpoint(arn)["Status"] == "DELETING"
    until(lambda: arn not in [e["EndpointArn"] for e in comprehend.endpoints({}, "arn:")])
    assert refusal(comprehend.endpoint, arn) == "ResourceNotFoundException"


def test_what_is_in_use_or_too_much_is_refused(comprehend: Comprehend) -> None:
    assert refusal(comprehend.delete_classifier, CLASSIFIER) == "ResourceInUseException"
    update = {"EndpointArn": ENDPOINT, "DesiredInferenceUnits": 11}
    assert refusal(comprehend.update_endpoint, update) == "ResourceLimitExceededException"
    assert refusal(comprehend.classify, "x" * 10_241, ENDPOINT) == "TextSizeLimitExceededException"
    assert refusal(comprehend.classify, "", ENDPOINT) == "InvalidRequestException"


def test_an_inference_unit_takes_100_characters_and_2_documents_a_second() -> None:
    now = [0.0]
    unit = Throughput(1, lambda: now[0])
    assert [unit.admits(60), unit.admits(60)] == [True, False]
    now[0] = 0.2
    assert unit.admits(60)
    assert not unit.admits(1)  # characters are used up
    now[0] = 10.0
    assert [unit.admits(1), unit.admits(1), unit.admits(1)] == [True, True, False]  # a third document
    now[0] = 20.0
    assert [unit.admits(280), unit.admits(1)] == [True, False]
    now[0] = 22.0
    assert unit.admits(1)
    assert [Throughput(10, lambda: 0.0).admits(1000)] == [True]


def test_an_endpoint_throttles_unless_that_is_switched_off(
    comprehend: Comprehend, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        comprehend.classify("r" * 100, ENDPOINT)
    monkeypatch.setattr(comprehend, "throttle", True)
    codes = [
        refusal(comprehend.classify, "r" * 200, ENDPOINT)
        for i in range(3)
        if i or not comprehend.classify("r" * 200, ENDPOINT)
    ]
    assert codes == ["ThrottlingException"] * 2


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("comprehend_throttled", "ThrottlingException"),
        ("comprehend_fails", "InternalServerException"),
        ("comprehend_gone", "ResourceUnavailableException"),
    ],
)
def test_faults_strike(comprehend: Comprehend, monkeypatch: pytest.MonkeyPatch, fault: str, code: str) -> None:
    monkeypatch.setattr(comprehend, "faults", Faults({fault: 1.0}))
    assert refusal(comprehend.classify, "rain", ENDPOINT) == code


def test_the_fault_slow_delays_the_answer(comprehend: Comprehend, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(comprehend, "faults", Faults({"comprehend_slow": 1.0}))
    monkeypatch.setattr(time, "sleep", slept.append)
    assert comprehend.classify("rain", ENDPOINT)
    assert slept == [module.SLOW_SECONDS]


def test_a_restart_keeps_models_and_endpoints_and_takes_trainings_up_again(
    comprehend: Comprehend, bucket: Bucket
) -> None:
    state = comprehend.home / "state.json"
    record = json.loads(state.read_bytes())
    interrupted = record["classifiers"][CLASSIFIER] | {"Status": "TRAINING", "_directory": "few", "_token": "few"}
    interrupted["InputDataConfig"] = {"S3Uri": "s3://bucket/few.csv"}
    record["classifiers"][CLASSIFIER + "-few"] = interrupted | {"DocumentClassifierArn": CLASSIFIER + "-few"}
    state.write_text(json.dumps(record))

    again = Comprehend(comprehend.home.parent, bucket.read, bucket.write, Faults(), throttle=False)
    assert again.endpoint(ENDPOINT) == comprehend.endpoint(ENDPOINT)
    assert again.classify("blaze", ENDPOINT) == comprehend.classify("blaze", ENDPOINT)
    until(lambda: again.classifier(CLASSIFIER + "-few")["Status"] == "IN_ERROR")


def test_moto_is_hooked_where_it_is_expected() -> None:
    """Fails when a new moto moves what `local.comprehend` replaces."""
    assert set(urls.url_paths) == {"{0}/$"}
    ours = [name for name, member in vars(LiveComprehend).items() if callable(member) and not name.startswith("_")]
    missing = [name for name in ours if not hasattr(ComprehendResponse, name)]
    assert missing == ["classify_document"]
