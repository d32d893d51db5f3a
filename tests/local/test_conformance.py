"""The local AWS does what docs/fidelity.md says that AWS does, asked from outside by the command that asks AWS too."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from chalice.app import ConflictError
from moto.core.exceptions import ServiceException
from moto.s3.exceptions import MissingKey

from chalicelib.admin import reconciliations
from chalicelib.reconcile import run
from chalicelib.transform import files, rows
from chalicelib.warehouse import status as warehouse_status
from chalicelib.warehouse.data_api import WarehouseError
from infra import conformance, data_plane, smoke, template
from infra.conformance import CHECKS, Place
from infra.conformance import run as run_conformance
from infra.stages import InfraError, stage
from local.aws import functions, kinesis, patches, ssm
from local.aws.aws_error import AwsError
from local.aws.comprehend import service as comprehend
from local.aws.firehose import delivery, responses, settings
from local.aws.warehouse import database, dialect, rights, statements, strict
from local.aws.warehouse import responses as data_api
from local.server import LocalAws

Patch = pytest.MonkeyPatch


@pytest.fixture(scope="module")
def place(stack: LocalAws) -> Place:
    return conformance.place_of(stage("local"), stack.admin_url, patience=30.0)


def test_the_local_aws_conforms(place: Place) -> None:
    answers = conformance.ask(place)
    assert [answer for answer in answers if answer.result != "same"] == []
    assert [answer.check for answer in answers] == list(CHECKS)


def nothing(*_: Any, **__: Any) -> None:
    """Check nothing."""


def without(pattern: str, by: str = "") -> Callable[[Patch], None]:
    """Change the template that would be sent."""

    def patched(patch: Patch) -> None:
        text = data_plane.TEMPLATE.read_text()
        assert re.search(pattern, text)
        changed = re.sub(pattern, by, text)
        patch.setattr(data_plane, "template", lambda of: changed)

    return patched


def with_error_prefix(patch: Patch) -> None:
    """Put what AWS refuses back into the template."""
    original = template.resources

    def resources(**parameters: str) -> Any:
        found = original(**parameters)
        into = found["Stream"]["Properties"]["RedshiftDestinationConfiguration"]
        into["S3Configuration"]["ErrorOutputPrefix"] = "rejected/firehose/"
        return found

    patch.setattr(template, "resources", resources)


def with_another_type(patch: Patch) -> None:
    """Let the type of the stream follow the delivery."""
    original = template.resources

    def resources(**parameters: str) -> Any:
        found = original(**parameters)
        found["Stream"]["Properties"]["DeliveryStreamType"] = parameters["Delivery"]
        return found

    patch.setattr(template, "resources", resources)


def setting(owner: Any, name: str, value: Any) -> Callable[[Patch], None]:
    return lambda patch: patch.setattr(owner, name, value)


def unlimited(owner: Any, *names: str) -> Callable[[Patch], None]:
    def patched(patch: Patch) -> None:
        for name in names:
            patch.setattr(owner, name, 10**9)

    return patched


def no_clause(patch: Patch) -> None:
    """Accept FILTER, RETURNING and the like, by an earlier version's eyes."""
    dialect._parsed.cache_clear()
    patch.setattr(strict, "check", nothing)


def no_token(patch: Patch) -> None:
    submit = statements.Statements.submit

    def forgetful(self: Any, sqls: Any, batch: bool, request: Any, user: Any) -> Any:
        return submit(self, sqls, batch, {key: value for key, value in request.items() if key != "ClientToken"}, user)

    patch.setattr(statements.Statements, "submit", forgetful)


def any_warehouse(patch: Patch) -> None:
    patch.setattr(data_api.LiveRedshiftData, "_check_target", nothing)


def no_condition(patch: Patch) -> None:
    from moto.s3.responses import S3Response

    original = S3Response.put_object

    def put_object(self: Any) -> Any:
        self.headers = {name: value for name, value in self.headers.items() if name.lower() != "if-none-match"}
        return original(self)

    patch.setattr(S3Response, "put_object", put_object)


def same_change_sets(patch: Patch) -> None:
    from moto.cloudformation.models import CloudFormationBackend

    patches.change_sets_of_one_name()
    changed = CloudFormationBackend.create_change_set
    held = dict(zip(changed.__code__.co_freevars, changed.__closure__, strict=True))
    original = held["original"].cell_contents
    patch.setattr(CloudFormationBackend, "create_change_set", original)


def known_to_all(patch: Patch) -> None:
    """Find what there is none of, as trained and in service."""

    def found(_: Any, kind: str, *__: Any) -> dict[str, str]:
        return {"Status": "IN_SERVICE" if kind == "endpoints" else "TRAINED", "EndpointArn": "a", "ModelArn": "b"}

    patch.setattr(comprehend.Comprehend, "_find", found)


def failures_elsewhere(patch: Patch) -> None:
    """As it was: under a prefix that Firehose does not write to."""
    original = delivery.put_failures

    def put_failures(outside: Any, settings: Any, *args: Any) -> bool:
        moved = settings.place.__class__(**{**vars(settings.place), "error_prefix": "rejected/firehose/"})
        return original(outside, settings.__class__(**{**vars(settings), "place": moved}), *args)

    patch.setattr(delivery, "put_failures", put_failures)


def cancels_all(patch: Patch) -> None:
    patch.setattr(statements.Statements, "cancel", lambda *_: True)


def no_rights(patch: Patch) -> None:
    patch.setattr(rights.Book, "check", nothing)
    patch.setattr(rights.Book, "check_copy", nothing)


def no_such_parameter(patch: Patch) -> None:
    original = ssm.KeptParameters.get_parameter
    known = "/disaster-tweets/local/bucket"
    patch.setattr(ssm.KeptParameters, "get_parameter", lambda self, name: original(self, name) or original(self, known))


def no_such_function(patch: Patch) -> None:
    find = functions.Functions.find
    known = "disaster-tweets-local-jobs"
    patch.setattr(functions.Functions, "find", lambda self, name: find(self, name) or find(self, known))


def another_error(code: str, of: str) -> Callable[[Patch], None]:
    """Refuse a put with another error than the one with this code."""

    def patched(patch: Patch) -> None:
        find = responses.LiveFirehose._find

        def changed(self: Any, request: Any) -> Any:
            try:
                return find(self, request)
            except ServiceException as error:
                raise AwsError(of if error.code == code else error.code, "Something else.") from error

        patch.setattr(responses.LiveFirehose, "_find", changed)

    return patched


def no_bytedict_for_text(patch: Patch) -> None:
    patch.setitem(strict.TYPES_BY_ENCODING, "BYTEDICT", strict.TYPES_BY_ENCODING["BYTEDICT"] - strict._TEXTS)


def translated_otherwise(name: str, value: Any) -> Callable[[Patch], None]:
    """Change a function of the translation, and forget what was translated before."""

    def patched(patch: Patch) -> None:
        dialect._translated.cache_clear()
        patch.setattr(dialect, name, value)

    return patched


def keys_enforced(patch: Patch) -> None:
    original = dialect._statements
    translated_otherwise(
        "_statements", lambda tree: (sql.replace("NOT NULL", "PRIMARY KEY", 1) for sql in original(tree))
    )(patch)


def no_transaction(patch: Patch) -> None:
    """Commit each statement of a batch."""
    original = database.Session._transaction

    def each(self: Any, begin: str, statements: Any, planned: Any) -> Any:
        done = [original(self, begin, [sql], [plan]) for sql, plan in zip(statements, planned, strict=True)]
        return [result for (result,) in done]

    patch.setattr(database.Session, "_transaction", each)


def serializable(patch: Patch) -> None:
    """Show the other level."""
    original = dialect._statements
    translated_otherwise(
        "_statements", lambda tree: (sql.replace("TRIM(isolation_level)", "'Serializable'") for sql in original(tree))
    )(patch)


def no_reconciliation(patch: Patch) -> None:
    def fail(*_: Any) -> None:
        raise WarehouseError("no such table")

    patch.setattr(run, "reconcile", fail)


def refused_otherwise(patch: Patch) -> None:
    def conflict(*_: Any) -> None:
        raise ConflictError("not now")

    patch.setattr(reconciliations, "validate", conflict)


TAKEN_BACK: dict[str, Callable[[Patch], None]] = {
    "the_template_fits_into_one_request": without(r"\Z", "# " + "x" * 10_000),
    "a_rolled_back_creation_keeps_nothing": without("RetainExceptOnCreate", "Retain"),
    "what_is_imported_has_a_literal_name": without("nothing at all|(?=)", ""),
    "no_delivery_replaces_the_stream": with_another_type,
    "no_region_is_looked_up": without(r"\Z", "# !FindInMap [Firehose, !Ref AWS::Region, Address]"),
    "copy_takes_no_statupdate": without("COMPUPDATE OFF", "COMPUPDATE OFF STATUPDATE OFF"),
    "stream_of_the_template_is_accepted": with_error_prefix,
    "redshift_takes_no_error_prefix": setting(settings, "check", nothing),
    "redshift_reads_no_snappy_and_no_zip": setting(settings, "check", nothing),
    "redshift_needs_a_login": setting(settings, "check", nothing),
    "buffers_and_retries_have_bounds": unlimited(settings, "MOST_SECONDS"),
    "a_batch_of_puts_has_bounds": unlimited(responses, "MOST_BATCH_BYTES"),
    "a_batch_for_a_data_stream_has_bounds": unlimited(kinesis, "MOST_BATCH_BYTES"),
    "some_statements_run_in_no_transaction": setting(strict, "check_transaction", nothing),
    "isolation_is_by_snapshots": serializable,
    "a_column_is_not_given_the_size_that_it_has": setting(database, "_widen", nothing),
    "truncate_commits": setting(strict, "TRUNCATE", re.compile("never")),
    "an_encoding_fits_its_type": setting(strict, "check_design", nothing),
    "super_is_no_key": setting(strict, "check_design", nothing),
    "percentiles_have_one_order": no_clause,
    "a_running_sum_needs_its_frame": no_clause,
    "some_of_postgresql_is_not_there": no_clause,
    "subqueries_skip_no_level": no_clause,
    "super_goes_through_no_full_join": setting(strict, "check_super", nothing),
    "who_has_no_right_is_refused": no_rights,
    "a_view_keeps_its_columns": setting(database, "_replaced_wrongly", nothing),
    "an_unknown_warehouse_is_refused": any_warehouse,
    "an_unknown_database_is_refused": any_warehouse,
    "a_batch_has_bounds": unlimited(data_api, "MOST_BYTES"),
    "every_parameter_is_given_and_used": setting(data_api, "_check_parameters", nothing),
    "the_same_token_runs_once": no_token,
    "what_has_ended_is_not_cancelled": cancels_all,
    "a_row_has_a_bound": unlimited(statements, "MOST_ROW_BYTES"),
    "one_of_many_creates_an_object": no_condition,
    "a_request_of_a_function_has_bounds": unlimited(functions, "MOST_BYTES"),
    "an_unknown_classifier_is_not_found": known_to_all,
    "the_name_of_a_change_set_is_used_once": same_change_sets,
    "the_admin_api_answers": setting(warehouse_status, "overview", lambda _: {"status": "not_set_up"}),
    "a_reconciliation_ends": no_reconciliation,
    "a_wrong_request_is_refused": refused_otherwise,
    "a_missing_object_is_no_such_key": setting(MissingKey, "code", "AccessDenied"),
    "an_unknown_function_is_not_found": no_such_function,
    "an_unknown_parameter_is_not_found": no_such_parameter,
    "an_unknown_stream_is_not_found": another_error("ResourceNotFoundException", "InvalidArgumentException"),
    "a_stream_with_a_source_takes_no_puts": another_error("InvalidArgumentException", "ResourceNotFoundException"),
    "bytedict_suits_text": no_bytedict_for_text,
    "text_is_counted_in_bytes": translated_otherwise("_bytes", lambda _: 10**6),
    "keys_are_not_enforced": keys_enforced,
    "whole_numbers_stay_whole": translated_otherwise("_average", nothing),
    "a_batch_is_one_transaction": no_transaction,
}
"""By check: the fix that it is about, taken back."""


@pytest.mark.parametrize("name", TAKEN_BACK)
def test_a_fix_that_is_taken_back_is_seen(place: Place, monkeypatch: Patch, name: str) -> None:
    TAKEN_BACK[name](monkeypatch)
    try:
        (answer,) = conformance.ask(place, [name])
    finally:
        dialect._parsed.cache_clear()
        dialect._translated.cache_clear()
    assert answer.result == "differs", answer


FLOW = (
    "tweets_become_rows",
    "each_row_is_where_it_says",
    "what_is_refused_says_why",
    "what_failed_lies_under_processing_failed",
)
"""What the four say is seen taken back by the two tests below, for each needs tweets of its own."""


def test_each_check_is_seen_to_differ() -> None:
    assert set(CHECKS) - set(TAKEN_BACK) == set(FLOW)


def test_rows_elsewhere_and_refusals_without_a_reason_are_seen(stack: LocalAws, monkeypatch: Patch) -> None:
    lines, refusal = rows.file_lines, files.refusal_line
    monkeypatch.setattr(rows, "file_lines", lambda drafts, key: lines(drafts, key)[::-1])
    monkeypatch.setattr(
        files, "refusal_line", lambda *given: refusal(*given).replace(b'"reason":"', b'"reason":"","was":"')
    )
    impatient = conformance.place_of(stage("local"), stack.admin_url, patience=4.0)
    asked = conformance.ask(impatient, FLOW[:2])
    asked += conformance.ask(replace(impatient, patience=0.5), FLOW[2:3])
    assert [answer.result for answer in asked] == ["same", "differs", "differs"]


def test_tweets_that_become_no_rows_are_seen(stack: LocalAws, monkeypatch: Patch) -> None:
    monkeypatch.setattr(smoke, "send", nothing)
    impatient = conformance.place_of(stage("local"), stack.admin_url, patience=1.0)
    (answer,) = conformance.ask(impatient, FLOW[:1])
    assert (answer.result, answer.found) == ("differs", "fewer than ten rows after 1 s")


def test_firehoses_failures_under_another_prefix_are_seen(stack: LocalAws, place: Place, monkeypatch: Patch) -> None:
    failures_elsewhere(monkeypatch)
    impatient = conformance.place_of(stage("local"), stack.admin_url, patience=4.0)
    asked = conformance.ask(impatient, ["tweets_become_rows", "what_failed_lies_under_processing_failed"])
    assert [answer.result for answer in asked] == ["same", "differs"]


def test_the_report_can_be_sent_in(
    stack: LocalAws, monkeypatch: Patch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What differed is in a file, with versions and without account numbers; the command fails."""
    asked = {"an_unknown_warehouse_is_refused", "a_missing_object_is_no_such_key", "an_unknown_stream_is_not_found"}
    monkeypatch.setattr(conformance, "ask", lambda place, ask=conformance.ask: ask(place, asked))
    any_warehouse(monkeypatch)
    out = tmp_path / "found.json"
    with pytest.raises(InfraError, match=r"1 differ from docs/fidelity\.md: .*found\.json says how"):
        run_conformance(stage("local"), api=stack.admin_url, out=out)
    assert "2 as on AWS, 1 differ, 0 not asked" in capsys.readouterr().out
    report = json.loads(out.read_text())
    assert report["botocore"] and report["region"] == "us-east-1"
    assert {each["check"]: each["result"] for each in report["answers"]} == {
        "an_unknown_warehouse_is_refused": "differs",
        "a_missing_object_is_no_such_key": "same",
        "an_unknown_stream_is_not_found": "same",
    }
    assert "123456789012" not in out.read_text()


def test_what_a_run_makes_it_takes_away(stack: LocalAws, place: Place) -> None:
    conformance.ask(
        place, ["one_of_many_creates_an_object", "stream_of_the_template_is_accepted", "keys_are_not_enforced"]
    )
    api = boto3.client("redshift-data")
    target: Any = place.warehouse
    assert [name for name in api.list_schemas(**target)["Schemas"] if name.startswith("conformance")] == []
    streams = boto3.client("firehose").list_delivery_streams()["DeliveryStreamNames"]
    assert [name for name in streams if name.startswith("conformance")] == []
    assert "Contents" not in boto3.client("s3").list_objects_v2(Bucket=place.bucket, Prefix="conformance")


def test_a_stage_that_is_not_deployed_is_named(stack: LocalAws) -> None:
    with pytest.raises(InfraError, match="There is no stage prod here"):
        conformance.place_of(stage("prod"))


def test_every_check_says_what_aws_does() -> None:
    assert [name for name, check in CHECKS.items() if not (check.__doc__ or "").strip().endswith(".")] == []
