"""The same labelled tweets through several versions, side by side: is the paid one worth it?"""

from __future__ import annotations

import hashlib
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from heapq import nsmallest
from itertools import combinations, islice
from math import comb, sqrt
from typing import Any

from botocore.exceptions import ClientError

from chalicelib import clients, jobs, layout
from chalicelib.classifier import bundled, labelled, text, versions
from chalicelib.settings import settings

SECONDS = 600.0  # of asking, where the Lambda's own limit isn't known
MARGIN = 30.0  # seconds kept for scores and report
THROTTLED = ("ThrottlingException", "TooManyRequestsException")

Labels = list[str | None]
"""A version's answers, in the order of the texts; None where there was none in time."""


def run(arguments: Mapping[str, Any], context: Any, job_id: str) -> dict[str, Any]:
    """Evaluate and return the report of `{"data", "versions", "sample"}`; its page goes to
    `reports/evaluations/<job_id>.html`.

    Scores are taken on the tweets that every version answered, so that they compare. Raises labelled.DataError.
    """
    file = labelled.locate(arguments["data"])
    checked = labelled.Checked(complete=file.size <= labelled.CHECKED_BYTES)
    chosen = draw(labelled.lines(file), checked, int(arguments["sample"]))
    if unknown := sorted(set(checked.classes) - set(labelled.LABELS[checked.head])):
        raise labelled.DataError(f"{file.uri} has labels that no version answers: {', '.join(unknown)[:200]}")
    if not chosen:
        raise labelled.DataError(f"{file.uri} has no usable document. {checked.message(file.uri)}")
    hosts = {version: host(version, checked.head) for version in arguments["versions"]}
    left = context.get_remaining_time_in_millis() / 1000 - MARGIN if context else SECONDS
    answers = ask(hosts, checked.head, [document.text for document in chosen], left)
    compared = compare([document.label for document in chosen], answers)
    for version in compared["versions"]:
        endpoint = hosts[version["version"]]
        version["usd_a_day"] = versions.usd_a_day(units_of(endpoint)) if endpoint else 0.0
    report = {
        "data": file.uri,
        "head": checked.head,
        "documents": checked.classes.total(),
        "sampled": len(chosen),
        "skipped": checked.found,
        **compared,
    }
    from chalicelib.pages import evaluation as page  # here, for a page alone needs Jinja2

    body = page.render(report, job_id).encode()
    key = layout.report("evaluations", job_id, "html")
    clients.s3().put_object(Bucket=settings().bucket, Key=key, Body=body, ContentType="text/html; charset=utf-8")
    return report


def draw(lines: Iterable[bytes], checked: labelled.Checked, most: int) -> list[labelled.Document]:
    """Return a sample of a file's documents and count their labels in `checked`, in memory for the sample alone."""

    def counted() -> Iterator[labelled.Document]:
        for document in islice(labelled.documents(lines, checked.complain), labelled.MAX_DOCUMENTS):
            checked.classes[document.label] += 1
            yield document

    return sample(counted(), most)


def sample(documents: Iterable[labelled.Document], most: int) -> list[labelled.Document]:
    """Return at most so many, drawn by a hash of their text: the same from the same file in any order."""
    return nsmallest(most, documents, key=lambda d: hashlib.sha256(d.text.encode()).digest())


Endpoint = Mapping[str, Any]
"""Comprehend's EndpointProperties."""


def host(version: str, head: str) -> Endpoint | None:
    """Return the endpoint that answers for a version; None for the bundled one. Raises labelled.DataError."""
    if version == bundled.version():
        return None
    if versions.head(version) != head:
        raise labelled.DataError(f"{version} tells {versions.head(version)}, but the file's labels are of {head}")
    properties = versions.find(version)
    endpoint = properties and versions.endpoints().get(properties["DocumentClassifierArn"])
    if not endpoint:
        raise labelled.DataError(f"{version} has no endpoint (any more): POST /classifier/versions/{version}/endpoint")
    return endpoint


def units_of(endpoint: Endpoint) -> int:
    return int(endpoint.get("CurrentInferenceUnits") or endpoint["DesiredInferenceUnits"])


def ask(hosts: Mapping[str, Endpoint | None], head: str, texts: Sequence[str], seconds: float) -> dict[str, Labels]:
    """Return each version's answers to the texts, cleaned as in service; the versions are asked at the same time.

    Tells the job's progress while it waits: how many answers of how many are there.
    """
    cleaned, deadline = [text.clean(original) for original in texts], time.monotonic() + seconds
    answered: deque[None] = deque()  # one a hosted text: appending is safe from any thread
    hosted = sum(endpoint is not None for endpoint in hosts.values())
    with ThreadPoolExecutor(len(hosts)) as pool:
        running = {
            version: pool.submit(ask_hosted, endpoint, cleaned, deadline, answered)
            if endpoint
            else pool.submit(ask_bundled, head, cleaned)
            for version, endpoint in hosts.items()
        }
        while wait(running.values(), timeout=jobs.PROGRESS_EVERY).not_done:
            jobs.progress("texts classified by endpoints", len(answered), hosted * len(cleaned))
        return {version: future.result() for version, future in running.items()}


def ask_bundled(head: str, cleaned: Sequence[str]) -> Labels:
    predictions = bundled.classify(cleaned, settings().relevant_share)
    return [p.label if head == "kind" else relevance(p.relevant) for p in predictions]


def ask_hosted(endpoint: Endpoint, cleaned: Sequence[str], deadline: float, answered: deque[None]) -> Labels:
    """Return the endpoint's labels; as many requests are in flight as it has units.

    `deadline` is a time.monotonic(). `answered` grows by one a text.
    """
    arn = endpoint["EndpointArn"]

    def ask_one(one: str) -> str | None:
        label = hosted_label(one, arn, deadline)
        answered.append(None)
        return label

    with ThreadPoolExecutor(units_of(endpoint)) as pool:
        return list(pool.map(ask_one, cleaned))


def relevance(probability: float) -> str:
    return labelled.RELEVANCE_LABELS[0] if probability >= 0.5 else labelled.RELEVANCE_LABELS[1]


def hosted_label(cleaned: str, endpoint_arn: str, deadline: float) -> str | None:
    """Return the endpoint's label, waiting out its throttling; None after the deadline, for an empty text, or on an
    error.
    """
    while cleaned.strip() and time.monotonic() < deadline:
        try:
            answer = clients.comprehend().classify_document(Text=cleaned, EndpointArn=endpoint_arn)
            return max(answer["Classes"], key=lambda c: c["Score"])["Name"]
        except ClientError as error:
            if error.response["Error"]["Code"] not in THROTTLED:
                return None
            time.sleep(0.5)
    return None


def compare(true: Sequence[str], answers: Mapping[str, Labels]) -> dict[str, Any]:
    """Score each version, and say for each pair whether their difference could be chance."""
    common = [i for i in range(len(true)) if all(labels[i] is not None for labels in answers.values())]
    expected = [true[i] for i in common]
    given = {version: [str(labels[i]) for i in common] for version, labels in answers.items()}
    scored = [
        {"version": version, "answered": sum(a is not None for a in answers[version]), **scores(expected, labels)}
        for version, labels in given.items()
    ]
    pairs = [paired(expected, given, a, b) for a, b in combinations(given, 2)]
    return {"scored": len(common), "versions": scored, "comparisons": pairs}


def scores(true: Sequence[str], predicted: Sequence[str]) -> dict[str, Any]:
    """Accuracy with its 95 % interval, macro averages over the labels of the file, and the scores of each label.

    A label that a version answers and the file hasn't got costs the labels that it took the tweets from. Averaged in as
    another 0, it would count twice against a version that knows more labels than the file.
    """
    labels = sorted(set(true) | set(predicted))
    count = Counter(zip(true, predicted, strict=True))
    matrix = [[count[actual, guess] for guess in labels] for actual in labels]
    each = versions.per_label(labels, matrix)
    right, n = sum(matrix[i][i] for i in range(len(labels))), len(true)
    of_file = [each[label] for label in sorted(set(true))]
    macro = {
        f"{m}_macro": sum(s[m] for s in of_file) / len(of_file) if of_file else 0.0
        for m in ("precision", "recall", "f1")
    }
    return {
        "right": right,
        "accuracy": right / n if n else 0.0,
        "accuracy_interval": wilson(right, n),
        **macro,
        "labels": each,
        "confusion_matrix": {"labels": labels, "matrix": matrix},
    }


def wilson(right: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Return the 95 % interval of a proportion (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
    if not n:
        return 0.0, 1.0
    p, spread = right / n, z * sqrt(right / n * (1 - right / n) / n + z * z / (4 * n * n))
    middle, scale = p + z * z / (2 * n), 1 + z * z / n
    return (middle - spread) / scale, (middle + spread) / scale


def paired(true: Sequence[str], given: Mapping[str, Sequence[str]], a: str, b: str) -> dict[str, Any]:
    """McNemar's exact test on the tweets that only one of two versions gets right (two-sided binomial, p = 1/2)."""
    only_a = sum(x == t != y for t, x, y in zip(true, given[a], given[b], strict=True))
    only_b = sum(y == t != x for t, x, y in zip(true, given[a], given[b], strict=True))
    n = only_a + only_b
    chance = min(1.0, 2 * sum(comb(n, k) for k in range(min(only_a, only_b) + 1)) / 2**n)
    return {"a": a, "b": b, "only_a_right": only_a, "only_b_right": only_b, "p": chance}
