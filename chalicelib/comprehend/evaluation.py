"""Compare several versions on the same labelled tweets."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from heapq import nsmallest
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from chalicelib import clients, jobs, layout
from chalicelib.classifier import bundled, text
from chalicelib.comprehend import client, labelled, scores, versions
from chalicelib.comprehend.scores import Labels
from chalicelib.settings import settings

SECONDS = 600.0  # of asking, where the Lambda's own limit isn't known
MARGIN = 30.0  # seconds kept for scores and report
THROTTLED = ("ThrottlingException", "TooManyRequestsException")


def run(arguments: Mapping[str, Any], context: Any, job_id: str) -> dict[str, Any]:
    """Evaluate and return the report of `{"data", "versions", "sample"}`; its page goes to
    `reports/evaluations/<job_id>.html`.

    Scores are taken on the tweets that every version answered, so that they compare. Raises labelled.DataError.
    """
    file = labelled.locate(arguments["data"])
    checked = labelled.Checked(complete=file.size <= labelled.CHECKED_BYTES)
    chosen = draw(labelled.csv_lines(file), checked, int(arguments["sample"]))
    if unknown := sorted(set(checked.classes) - set(labelled.LABELS[checked.head])):
        raise labelled.DataError(f"{file.uri} has labels that no version answers: {', '.join(unknown)[:200]}")
    if not chosen:
        raise labelled.DataError(f"{file.uri} has no usable document. {checked.message(file.uri)}")
    hosts = {version: host(version, checked.head) for version in arguments["versions"]}
    left = context.get_remaining_time_in_millis() / 1000 - MARGIN if context else SECONDS
    answers = ask(hosts, checked.head, [document.text for document in chosen], left)
    compared = scores.compare([document.label for document in chosen], answers)
    for version in compared["versions"]:
        endpoint = hosts[version["version"]]
        version["usd_a_day"] = versions.usd_a_day(client.inference_units(endpoint)) if endpoint else 0.0
    report = {
        "data": file.uri,
        "head": checked.head,
        "documents": checked.classes.total(),
        "sampled": len(chosen),
        "skipped": checked.problems,
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
    """Return a sample drawn by a hash of each text: the same for the same file in any order."""
    return nsmallest(most, documents, key=lambda d: hashlib.sha256(d.text.encode()).digest())


Endpoint = Mapping[str, Any]
"""Comprehend's EndpointProperties."""


def host(version: str, head: str) -> Endpoint | None:
    """Return the endpoint that answers for a version; None for the bundled one. Raises labelled.DataError."""
    if version == bundled.version():
        return None
    if versions.head(version) != head:
        raise labelled.DataError(f"{version} tells {versions.head(version)}, but the file's labels are of {head}")
    properties = client.find(version)
    endpoint = properties and client.endpoints().get(properties["DocumentClassifierArn"])
    if not endpoint:
        raise labelled.DataError(f"{version} has no endpoint (any more): POST /classifier/versions/{version}/endpoint")
    return endpoint


def ask(hosts: Mapping[str, Endpoint | None], head: str, texts: Sequence[str], seconds: float) -> dict[str, Labels]:
    """Return each version's answers to the texts, cleaned as the transform cleans them. Versions are asked in parallel.

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

    with ThreadPoolExecutor(client.inference_units(endpoint)) as pool:
        return list(pool.map(ask_one, cleaned))


def relevance(probability: float) -> str:
    return labelled.RELEVANCE_LABELS[0] if probability >= 0.5 else labelled.RELEVANCE_LABELS[1]


def hosted_label(cleaned: str, endpoint_arn: str, deadline: float) -> str | None:
    """Return the endpoint's label, waiting out its throttling; None after the deadline, for an empty text, or on an
    error.
    """
    while cleaned.strip() and time.monotonic() < deadline:
        try:
            return client.label(client.classify(cleaned, endpoint_arn))
        except ClientError as error:
            if error.response["Error"]["Code"] not in THROTTLED:
                return None
            time.sleep(0.5)
    return None
