"""Start the training of a Comprehend version, whose name follows from its training data."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from chalicelib import layout
from chalicelib.comprehend import RefusedError, client, labelled
from chalicelib.settings import Settings, settings


def identity(name: str, head: str, parameters: dict[str, Any]) -> tuple[str, str]:
    """Version and client token, both from what is trained on: the same data and parameters give the same version.

    A version is `<name>-<head>-<10 hex digits>`, so that it says which head it is for.
    """
    token = hashlib.sha256(json.dumps([name, head, parameters], sort_keys=True).encode()).hexdigest()
    return f"{name}-{head}-{token[:10]}", token


def start(data: str, test_data: str | None, language: str, name: str) -> tuple[str, labelled.Checked]:
    """Check the files and start the training, unless the very same has been started before.

    Returns the version and what the check found. Raises labelled.DataError, RefusedError, and Comprehend's ClientError.
    """
    file = labelled.locate(data)
    checked = labelled.check_file(file)
    test = labelled.locate(test_data) if test_data else None
    if test:
        labelled.check_file(test, 1, checked.classes if checked.complete else labelled.LABELS[checked.head])
    parameters = {"data": [file.uri, file.etag], "test": [test.uri, test.etag] if test else None, "language": language}
    version, token = identity(name, checked.head, parameters)
    if not client.find(version):
        client.train(request(settings(), version, token, language, file, test))
    return version, checked


def request(
    where: Settings,
    version: str,
    token: str,
    language: str,
    file: labelled.Located,
    test: labelled.Located | None,
) -> Any:
    """Return CreateDocumentClassifier's parameters. Raises RefusedError where the stage has no role for Comprehend."""
    if not where.comprehend_role_arn:
        raise RefusedError("This stage has no role for Comprehend (SSM comprehend_role_arn): run make deploy")
    return {
        "DocumentClassifierName": client.classifier_name(where.stage),
        "VersionName": version,
        "ClientRequestToken": token,
        "DataAccessRoleArn": where.comprehend_role_arn,
        "InputDataConfig": {
            "DataFormat": "COMPREHEND_CSV",
            "S3Uri": file.uri,
            **({"TestS3Uri": test.uri} if test else {}),
        },
        "OutputDataConfig": {"S3Uri": f"s3://{where.bucket}/{layout.CLASSIFIER}output/"},
        "LanguageCode": language,
        "Mode": "MULTI_CLASS",
    }
