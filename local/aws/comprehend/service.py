"""Emulate custom classification: classifiers that train, endpoints with states, and their answers.

State lives in `<home>/comprehend`: `state.json` and a directory for each trained model. A training that a restart
interrupts starts again; an endpoint is there again at once.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from moto.core.exceptions import ServiceException

from local.aws.comprehend.throughput import Throughput
from local.aws.faults import Faults

Read = Callable[[str, str], bytes]
"""Bucket and prefix to the bytes of all objects there; raises KeyError when there are none."""
Write = Callable[[str, str, bytes], None]

NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*")
LANGUAGES = ("en", "es", "de", "it", "fr", "pt")
TRAINED = ("TRAINED", "TRAINED_WITH_WARNING")
MAX_UNITS = 10
MAX_TEXT_BYTES = 10 * 1024
"""https://docs.aws.amazon.com/comprehend/latest/dg/idp-inputs-sync.html"""
STATE_SECONDS = 0.3
"""How long an endpoint stays in CREATING, UPDATING or DELETING at least, so that clients see it; AWS takes minutes."""
SLOW_SECONDS = 3.0
"""What the fault `comprehend_slow` adds to an answer."""


class AwsError(ServiceException):  # type: ignore[misc]
    """An error of the service, with its code and message. Must live outside moto to be serialised as such."""


def invalid(message: str) -> AwsError:
    return AwsError("InvalidRequestException", message)


def not_found() -> AwsError:
    return AwsError("ResourceNotFoundException", "RESOURCE_NOT_FOUND: Could not find specified resource.")


def in_use(message: str) -> AwsError:
    return AwsError("ResourceInUseException", message)


def bucket_and_key(uri: str) -> tuple[str, str]:
    """`s3://bucket/key` in two. Raises InvalidRequestException."""
    match = re.fullmatch(r"s3://([a-z0-9][-.a-z0-9]{1,61}[a-z0-9])(?:/(.*))?", uri or "", re.S)
    if not match:
        raise invalid(f"The S3 URI {uri} is not valid.")
    return match[1], match[2] or ""


class Comprehend:
    """The service's state and behaviour. Requests are the API's own parameters, answers its own shapes."""

    def __init__(self, home: Path, read: Read, write: Write, faults: Faults, throttle: bool = True) -> None:
        self.home, self.read, self.write, self.throttle = home / "comprehend", read, write, throttle
        self.faults = faults
        self._lock, self._loading = threading.RLock(), threading.Lock()
        self._workers = ThreadPoolExecutor(4, thread_name_prefix="comprehend")
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._models: dict[str, Any] = {}
        self._throughput: dict[str, Throughput] = {}
        self.home.mkdir(parents=True, exist_ok=True)
        self._state = self._load()
        for arn, record in self._state["classifiers"].items():
            if record["Status"] in ("SUBMITTED", "TRAINING"):
                self._workers.submit(self._train, arn)
        for arn, record in list(self._state["endpoints"].items()):
            if record["Status"] == "DELETING":
                del self._state["endpoints"][arn]
            elif record["Status"] != "IN_SERVICE":
                self._workers.submit(self._provision, arn)

    # Classifiers

    def create_classifier(self, request: dict[str, Any], region: str, account: str) -> str:
        """CreateDocumentClassifier: the classifier's ARN; its training goes on in the background."""
        name, version = request["DocumentClassifierName"], request.get("VersionName")
        for given in (name, *([version] if version else [])):
            if len(given) > 63 or not NAME.fullmatch(given):
                raise invalid(f"The name {given} must have at most 63 letters, digits and hyphens.")
        data = request["InputDataConfig"]
        if (request.get("Mode", "MULTI_CLASS"), data.get("DataFormat", "COMPREHEND_CSV")) != (
            "MULTI_CLASS",
            "COMPREHEND_CSV",
        ):
            raise invalid("The local Comprehend trains MULTI_CLASS classifiers from COMPREHEND_CSV files only.")
        if request["LanguageCode"] not in LANGUAGES:
            raise AwsError(
                "UnsupportedLanguageException", f"Languages for custom classification: {', '.join(LANGUAGES)}"
            )
        bucket_and_key(data.get("S3Uri", ""))
        for uri in (data.get("TestS3Uri"), request.get("OutputDataConfig", {}).get("S3Uri")):
            if uri:
                bucket_and_key(uri)
        arn = f"arn:aws:comprehend:{region}:{account}:document-classifier/{name}"
        arn += f"/version/{version}" if version else ""
        with self._lock:
            if again := self._by_token("classifiers", request):
                return again
            if arn in self._state["classifiers"]:
                raise in_use(f"Document classifier already exists: {arn}")
            kept = ("InputDataConfig", "OutputDataConfig", "DataAccessRoleArn", "LanguageCode", "VersionName")
            record = {key: request[key] for key in kept if request.get(key)}
            record |= {"DocumentClassifierArn": arn, "Status": "SUBMITTED", "Mode": "MULTI_CLASS", "SubmitTime": now()}
            private = {"_token": request.get("ClientRequestToken"), "_directory": uuid.uuid4().hex}
            self._state["classifiers"][arn] = record | private
            self._save()
        self._workers.submit(self._train, arn)
        return arn

    def classifier(self, arn: str) -> dict[str, Any]:
        """DescribeDocumentClassifier."""
        return public(self._find("classifiers", arn))

    def classifiers(self, wanted: dict[str, Any], owner: str) -> list[dict[str, Any]]:
        """Return ListDocumentClassifiers of `owner` (an ARN's beginning), newest last."""
        name, status = wanted.get("DocumentClassifierName"), wanted.get("Status")
        found = [record for arn, record in self._state["classifiers"].items() if arn.startswith(owner)]
        return [
            public(record)
            for record in found
            if name in (None, record["DocumentClassifierArn"].split("/")[1]) and status in (None, record["Status"])
        ]

    def delete_classifier(self, arn: str) -> None:
        """DeleteDocumentClassifier: refused while it trains or an endpoint uses it."""
        with self._lock:
            record = self._find("classifiers", arn)
            if any(endpoint["ModelArn"] == arn for endpoint in self._state["endpoints"].values()):
                raise in_use("The document classifier is used by an endpoint: delete that first.")
            if record["Status"] in ("SUBMITTED", "TRAINING", "STOP_REQUESTED"):
                raise AwsError(
                    "ResourceUnavailableException", "The document classifier is in training: stop that first."
                )
            del self._state["classifiers"][arn]
            self._models.pop(arn, None)
            self._save()
        shutil.rmtree(self.home / record["_directory"], ignore_errors=True)

    def stop_training(self, arn: str) -> None:
        """StopTrainingDocumentClassifier: nothing to do unless it trains."""
        with self._lock:
            record = self._find("classifiers", arn)
            if record["Status"] not in ("SUBMITTED", "TRAINING"):
                return
            self._change(record, Status="STOP_REQUESTED")
            if process := self._running.get(arn):
                process.terminate()

    def _train(self, arn: str) -> None:
        record = self._state["classifiers"].get(arn)
        if not record:
            return
        try:
            outcome = self._outcome(arn, record)
        except Exception as error:  # whatever went wrong is the training's outcome, as on AWS
            outcome = {"Status": "IN_ERROR", "Message": f"INTERNAL_ERROR: {error}"}
        with self._lock:
            if record["Status"] == "STOP_REQUESTED":
                outcome = {"Status": "STOPPED"}
            self._change(record, **outcome, EndTime=now())

    def _outcome(self, arn: str, record: dict[str, Any]) -> dict[str, Any]:
        """Train in a process of its own; what then changes in the classifier's properties."""
        directory = self.home / record["_directory"]
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        data = record["InputDataConfig"]
        for key, name in (("S3Uri", "train.csv"), ("TestS3Uri", "test.csv")):
            if uri := data.get(key):
                try:
                    (directory / name).write_bytes(self.read(*bucket_and_key(uri)))
                except Exception as error:  # no such key, bucket or right: to Comprehend all one
                    message = f"NO_READ_ACCESS_TO_INPUT: nothing at {uri} that the data access role can read ({error})."
                    return {"Status": "IN_ERROR", "Message": message}
        with self._lock:
            if record["Status"] == "STOP_REQUESTED":
                return {}
            command = [sys.executable, "-m", "local.aws.comprehend.training", str(directory)]
            process = subprocess.Popen(command, cwd=Path(__file__).parents[3])  # noqa: S603 - our own module
            self._running[arn] = process
            self._change(record, Status="TRAINING", TrainingStartTime=now())
        status = process.wait()
        del self._running[arn]
        result = directory / "result.json"
        if status or not result.exists():
            return {"Status": "IN_ERROR", "Message": f"INTERNAL_ERROR: the training ended with status {status}."}
        outcome: dict[str, Any] = json.loads(result.read_bytes()) | {"TrainingEndTime": now()}
        output = record.get("OutputDataConfig", {})
        if outcome["Status"] in TRAINED and output.get("S3Uri"):
            bucket, prefix = bucket_and_key(output["S3Uri"])
            account, job = arn.split(":")[4], record["_directory"]
            key = f"{prefix.rstrip('/')}/{account}-CLR-{job}/output/output.tar.gz".lstrip("/")
            self.write(bucket, key, (directory / "output.tar.gz").read_bytes())
            outcome["OutputDataConfig"] = output | {"S3Uri": f"s3://{bucket}/{key}"}
        return outcome

    # Endpoints

    def create_endpoint(self, request: dict[str, Any], region: str, account: str) -> dict[str, str]:
        """CreateEndpoint: CREATING, then IN_SERVICE once the model is loaded."""
        name, model, units = request["EndpointName"], request.get("ModelArn", ""), request["DesiredInferenceUnits"]
        if len(name) > 40 or not NAME.fullmatch(name):
            raise invalid(f"The name {name} must have at most 40 letters, digits and hyphens.")
        arn = f"arn:aws:comprehend:{region}:{account}:document-classifier-endpoint/{name}"
        with self._lock:
            if again := self._by_token("endpoints", request):
                return {"EndpointArn": again, "ModelArn": self._state["endpoints"][again]["ModelArn"]}
            if arn in self._state["endpoints"]:
                raise in_use(f"Endpoint already exists: {arn}")
            if self._find("classifiers", model)["Status"] not in TRAINED:
                raise AwsError("ResourceUnavailableException", "The model is not trained.")
            check_units(units)
            record = {"EndpointArn": arn, "Status": "CREATING", "ModelArn": model, "DesiredModelArn": model}
            record |= {"DesiredInferenceUnits": units, "CreationTime": now(), "LastModifiedTime": now()}
            self._state["endpoints"][arn] = record | {"_token": request.get("ClientRequestToken")}
            self._save()
        self._workers.submit(self._provision, arn)
        return {"EndpointArn": arn, "ModelArn": model}

    def endpoint(self, arn: str) -> dict[str, Any]:
        """DescribeEndpoint."""
        return public(self._find("endpoints", arn))

    def endpoints(self, wanted: dict[str, Any], owner: str) -> list[dict[str, Any]]:
        """Return ListEndpoints of `owner` (an ARN's beginning)."""
        model, status = wanted.get("ModelArn"), wanted.get("Status")
        found = [record for arn, record in self._state["endpoints"].items() if arn.startswith(owner)]
        return [public(r) for r in found if model in (None, r["ModelArn"]) and status in (None, r["Status"])]

    def update_endpoint(self, request: dict[str, Any]) -> dict[str, str]:
        """UpdateEndpoint: UPDATING, then IN_SERVICE with the new units or model; it answers all the while."""
        with self._lock:
            record = self._find("endpoints", request["EndpointArn"])
            if record["Status"] != "IN_SERVICE":
                raise in_use(f"The endpoint is {record['Status']}.")
            model = request.get("DesiredModelArn") or record["ModelArn"]
            if self._find("classifiers", model)["Status"] not in TRAINED:
                raise AwsError("ResourceUnavailableException", "The model is not trained.")
            units = request.get("DesiredInferenceUnits") or record["DesiredInferenceUnits"]
            check_units(units)
            desired = {"DesiredModelArn": model, "DesiredInferenceUnits": units}
            self._change(record, Status="UPDATING", LastModifiedTime=now(), **desired)
        self._workers.submit(self._provision, request["EndpointArn"])
        return {"DesiredModelArn": model}

    def delete_endpoint(self, arn: str) -> None:
        """DeleteEndpoint: DELETING, then gone."""
        with self._lock:
            record = self._find("endpoints", arn)
            if record["Status"] in ("CREATING", "UPDATING"):
                raise in_use(f"The endpoint is {record['Status']}.")
            self._change(record, Status="DELETING", LastModifiedTime=now())
        self._workers.submit(self._remove, arn)

    def _provision(self, arn: str) -> None:
        record = self._state["endpoints"][arn]
        time.sleep(STATE_SECONDS)
        try:
            self._model(record["DesiredModelArn"])
            change = {"Status": "IN_SERVICE", "ModelArn": record["DesiredModelArn"]}
            change["CurrentInferenceUnits"] = record["DesiredInferenceUnits"]
        except Exception as error:
            change = {"Status": "FAILED", "Message": f"The model could not be loaded: {error}"}
        with self._lock:
            self._throughput.pop(arn, None)
            self._change(record, **change)

    def _remove(self, arn: str) -> None:
        time.sleep(STATE_SECONDS)
        with self._lock:
            self._state["endpoints"].pop(arn, None)
            self._throughput.pop(arn, None)
            self._save()

    # What it is all for

    def classify(self, text: str, endpoint_arn: str) -> list[dict[str, Any]]:
        """ClassifyDocument: classes with scores that sum to 1, best first. Faults and throughput apply."""
        record = self._state["endpoints"].get(endpoint_arn)
        if not record or record["Status"] not in ("IN_SERVICE", "UPDATING") or self.faults.strikes("comprehend_gone"):
            raise AwsError("ResourceUnavailableException", "The endpoint does not exist or is not in service.")
        if not text:
            raise invalid("Text must not be empty.")
        if (size := len(text.encode())) > MAX_TEXT_BYTES:
            message = f"Input text size exceeds limit. Max length is {MAX_TEXT_BYTES} bytes, the text has {size}."
            raise AwsError("TextSizeLimitExceededException", message)
        if self.faults.strikes("comprehend_fails"):
            raise AwsError("InternalServerException", "An internal server error occurred. Retry your request.")
        if self.faults.strikes("comprehend_throttled") or (self.throttle and not self._admits(record, len(text))):
            raise AwsError("ThrottlingException", "Rate exceeded")
        if self.faults.strikes("comprehend_slow"):
            time.sleep(SLOW_SECONDS)
        model = self._model(record["ModelArn"])
        scores = zip(model.classes_, model.predict_proba([text])[0], strict=True)
        return [{"Name": str(name), "Score": float(score)} for name, score in sorted(scores, key=lambda pair: -pair[1])]

    def _admits(self, record: dict[str, Any], characters: int) -> bool:
        with self._lock:
            units = record["CurrentInferenceUnits"]
            throughput = self._throughput.setdefault(record["EndpointArn"], Throughput(units))
        return throughput.admits(characters)

    def _model(self, arn: str) -> Any:
        with self._loading:  # once: scikit-learn's import alone takes a second
            if arn not in self._models:
                import joblib

                directory = self._find("classifiers", arn)["_directory"]
                self._models[arn] = joblib.load(self.home / directory / "model.joblib")
            return self._models[arn]

    # State

    def _find(self, kind: str, arn: str) -> dict[str, Any]:
        record: dict[str, Any] | None = self._state[kind].get(arn)
        if record is None:
            raise not_found()
        return record

    def _by_token(self, kind: str, request: dict[str, Any]) -> str | None:
        token = request.get("ClientRequestToken")
        return next((arn for arn, record in self._state[kind].items() if token and record["_token"] == token), None)

    def _change(self, record: dict[str, Any], **properties: Any) -> None:
        with self._lock:
            record.update(properties)
            self._save()

    def _load(self) -> dict[str, dict[str, dict[str, Any]]]:
        path = self.home / "state.json"
        empty: dict[str, dict[str, dict[str, Any]]] = {"classifiers": {}, "endpoints": {}}
        return json.loads(path.read_bytes(), object_hook=with_times) if path.exists() else empty

    def _save(self) -> None:
        new = self.home / "state.json.new"
        new.write_text(json.dumps(self._state, default=datetime.isoformat, indent=1))
        new.replace(self.home / "state.json")


def check_units(units: int) -> None:
    """Raise ResourceLimitExceededException above what one endpoint may have."""
    if units < 1:
        raise invalid("DesiredInferenceUnits must be at least 1.")
    if units > MAX_UNITS:
        raise AwsError("ResourceLimitExceededException", f"An endpoint has at most {MAX_UNITS} inference units.")


def now() -> datetime:
    return datetime.now(UTC)


def public(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if not key.startswith("_")}


def with_times(record: dict[str, Any]) -> dict[str, Any]:
    """Restore timestamps from their JSON form: every property whose name ends in Time is one."""
    return {key: datetime.fromisoformat(value) if key.endswith("Time") else value for key, value in record.items()}
