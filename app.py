"""Define the functions that AWS calls.

Wiring only: each function imports its own code when it is called, so it does not pay for the start of others.
"""

from typing import TYPE_CHECKING, Any

from chalice import Chalice, IAMAuthorizer, Rate
from chalice.app import CloudWatchEvent, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.admin.http import Answer

app = Chalice(app_name="disaster-tweets")
IAM = IAMAuthorizer()


@app.lambda_function()
def transform(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Firehose's data transformation: classifies a batch, writes its tweet file, answers every record."""
    from chalicelib.transform import handler

    return handler.transform(event, context)


@app.schedule(Rate(1, unit=Rate.MINUTES))
def reconcile(event: CloudWatchEvent) -> dict[str, Any]:
    """Look at S3 and load, compare and repair where that is due; or do a job of the admin API."""
    from chalicelib import jobs
    from chalicelib.reconcile import look

    if "kind" in event.detail:
        return jobs.run(event.detail, event.context)
    return look.look(event.context, event.detail.get("surge"))


@app.schedule(Rate(1, unit=Rate.MINUTES))
def collect(event: CloudWatchEvent) -> dict[str, Any]:
    """Bluesky's new posts into the stream, and its deletions onto their list."""
    from chalicelib.sources import collect

    return collect.collect(event.context)


@app.schedule(Rate(1, unit=Rate.HOURS))
def erase(event: CloudWatchEvent) -> dict[str, Any]:
    """Erase what was deleted at its source or over the admin API, and what came back of it; remove old rows."""
    from chalicelib.erasures import run

    return run.run(event.context)


@app.lambda_function(name="jobs")
def run_job(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Run what takes longer than a request of the admin API."""
    from chalicelib import jobs

    return jobs.run(event, context)


def admin(view: "Callable[..., Answer]", **arguments: str) -> Response:
    """Answer the current request with a view of chalicelib/admin/."""
    from chalicelib.admin import dispatch

    return dispatch.answer(view, app.current_request, arguments)


@app.middleware("http")
def explain_refusal(event: Any, get_response: Any) -> Response:
    """Say what to send instead, where Chalice itself refuses a request."""
    from chalicelib.admin import dispatch

    return dispatch.explained(get_response(event))


@app.route("/", methods=["GET"], authorizer=IAM)
def index() -> Response:
    from chalicelib.admin import index

    return admin(index.show)


@app.route("/overview", methods=["GET"], authorizer=IAM)
def show_overview() -> Response:
    from chalicelib.admin import overview

    return admin(overview.show)


@app.route("/warehouse", methods=["GET"], authorizer=IAM)
def show_warehouse() -> Response:
    from chalicelib.admin import warehouse

    return admin(warehouse.show)


@app.route("/warehouse/setup", methods=["POST"], authorizer=IAM)
def set_up_warehouse() -> Response:
    from chalicelib.admin import warehouse

    return admin(warehouse.set_up)


@app.route("/warehouse/setup/{job_id}", methods=["GET"], authorizer=IAM)
def show_setup(job_id: str) -> Response:
    from chalicelib.admin import warehouse

    return admin(warehouse.show_setup, job_id=job_id)


@app.route("/classifier/train", methods=["POST"], authorizer=IAM)
def train_classifier() -> Response:
    from chalicelib.admin import classifier

    return admin(classifier.train)


@app.route("/classifier/versions", methods=["GET"], authorizer=IAM)
def list_versions() -> Response:
    from chalicelib.admin import classifier

    return admin(classifier.list_versions)


@app.route("/classifier/versions/{version}", methods=["GET"], authorizer=IAM)
def show_version(version: str) -> Response:
    from chalicelib.admin import classifier

    return admin(classifier.show_version, version=version)


@app.route("/classifier/versions/{version}/endpoint", methods=["POST"], authorizer=IAM)
def create_endpoint(version: str) -> Response:
    from chalicelib.admin import classifier

    return admin(classifier.create_endpoint, version=version)


@app.route("/classifier/versions/{version}/endpoint", methods=["DELETE"], authorizer=IAM)
def delete_endpoint(version: str) -> Response:
    from chalicelib.admin import classifier

    return admin(classifier.delete_endpoint, version=version)


@app.route("/classifier/active", methods=["GET"], authorizer=IAM)
def show_active() -> Response:
    from chalicelib.admin import classifier

    return admin(classifier.show_active)


@app.route("/classifier/active", methods=["PUT"], authorizer=IAM)
def activate() -> Response:
    from chalicelib.admin import classifier

    return admin(classifier.activate)


@app.route("/classifier/evaluate", methods=["POST"], authorizer=IAM)
def evaluate() -> Response:
    from chalicelib.admin import classifier

    return admin(classifier.evaluate)


@app.route("/classifier/evaluations/{job_id}", methods=["GET"], authorizer=IAM)
def show_evaluation(job_id: str) -> Response:
    from chalicelib.admin import classifier

    return admin(classifier.show_evaluation, job_id=job_id)


@app.route("/reconciliations", methods=["POST"], authorizer=IAM)
def start_reconciliation() -> Response:
    from chalicelib.admin import reconciliations

    return admin(reconciliations.start)


@app.route("/reconciliations", methods=["GET"], authorizer=IAM)
def list_reconciliations() -> Response:
    from chalicelib.admin import reconciliations

    return admin(reconciliations.list_all)


@app.route("/findings", methods=["GET"], authorizer=IAM)
def list_findings() -> Response:
    from chalicelib.admin import findings

    return admin(findings.list_all)


@app.route("/findings/{finding_id}/resolve", methods=["POST"], authorizer=IAM)
def resolve_finding(finding_id: str) -> Response:
    from chalicelib.admin import findings

    return admin(findings.resolve, finding_id=finding_id)


@app.route("/labels", methods=["GET"], authorizer=IAM)
def offer_posts() -> Response:
    from chalicelib.admin import labels

    return admin(labels.queue)


@app.route("/labels", methods=["POST"], authorizer=IAM)
def review_post() -> Response:
    from chalicelib.admin import labels

    return admin(labels.review)


@app.route("/situations", methods=["GET"], authorizer=IAM)
def list_situations() -> Response:
    from chalicelib.admin import situations

    return admin(situations.list_all)


@app.route("/erasures", methods=["POST"], authorizer=IAM)
def start_erasure() -> Response:
    from chalicelib.admin import erasures

    return admin(erasures.start)


@app.route("/erasures", methods=["GET"], authorizer=IAM)
def list_erasures() -> Response:
    from chalicelib.admin import erasures

    return admin(erasures.list_all)


@app.route("/erasures/{job_id}", methods=["GET"], authorizer=IAM)
def show_erasure(job_id: str) -> Response:
    from chalicelib.admin import erasures

    return admin(erasures.show, job_id=job_id)


@app.route("/reconciliations/{job_id}", methods=["GET"], authorizer=IAM)
def show_reconciliation(job_id: str) -> Response:
    from chalicelib.admin import reconciliations

    return admin(reconciliations.show, job_id=job_id)
