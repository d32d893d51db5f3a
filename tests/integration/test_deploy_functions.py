"""`chalice deploy`, a second one, and `chalice delete` against the local endpoint: what they make, and what is left."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from app import app
from infra import functions, package, policies, regions, state
from infra.stages import FUNCTIONS, ROOT, InfraError, stage
from local.server import LocalAws
from tests.support.infra_templates import bundle

OF = stage("dev")
BUCKET = "disaster-tweets-dev-somewhere"


@pytest.fixture(scope="module", autouse=True)
def data_plane(stack: LocalAws) -> Iterator[None]:
    """The data plane's bucket is all that is needed of it."""
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    yield
    functions.delete(OF, BUCKET)


def made() -> dict[str, Any]:
    """What there is of stage dev: functions and roles with what they may, APIs, rules."""
    lambdas = [
        f
        for f in boto3.client("lambda").list_functions()["Functions"]
        if f["FunctionName"].startswith(OF.prefix + "-") or f["FunctionName"] == OF.prefix
    ]
    roles = [r["RoleName"] for r in boto3.client("iam").list_roles()["Roles"] if r["RoleName"].startswith(OF.prefix)]
    apis = [a for a in boto3.client("apigateway").get_rest_apis()["items"] if a["name"] == "disaster-tweets"]
    rules = [r for r in boto3.client("events").list_rules()["Rules"] if r["Name"].startswith(OF.prefix)]
    return {
        "functions": {f["FunctionName"]: (f["CodeSha256"], f["MemorySize"], f["Timeout"], f["Role"]) for f in lambdas},
        "roles": sorted(roles),
        "apis": [api["id"] for api in apis],
        "rules": {rule["Name"]: rule["ScheduleExpression"] for rule in rules},
    }


def test_the_first_deployment_makes_everything() -> None:
    assert functions.apply(OF, BUCKET, bundle().path) is True
    found = made()
    assert set(found["functions"]) == {OF.function_name(function) for function in FUNCTIONS}
    assert len(found["roles"]) == len(FUNCTIONS) and len(found["apis"]) == 1
    assert sorted(found["rules"].values()) == ["rate(1 hour)", "rate(1 minute)", "rate(1 minute)"]
    _, memory, timeout, role = found["functions"]["disaster-tweets-dev-transform"]
    assert (memory, timeout) == (1769, 300)
    assert role.endswith("role/disaster-tweets-dev-transform-us-east-1")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_function_may_what_its_policy_says_and_no_more(function: str) -> None:
    iam = boto3.client("iam")
    role = regions.role_name(OF, function)
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    assert iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] == policies.policy(OF, function)
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []


def test_functions_know_their_stage_and_nothing_secret() -> None:
    for function in map(OF.function_name, FUNCTIONS):
        configuration = boto3.client("lambda").get_function_configuration(FunctionName=function)
        assert configuration["Environment"]["Variables"] == {"STAGE": "dev"}


def test_the_api_has_every_route() -> None:
    """That each wants a signature is tested on the template: moto forgets it."""
    gateway = boto3.client("apigateway")
    (api,) = made()["apis"]
    found = {
        (resource["path"], method)
        for resource in gateway.get_resources(restApiId=api, limit=500, embed=["methods"])["items"]
        for method in resource.get("resourceMethods", {})
    }
    assert found == {(path, method) for path, methods in app.routes.items() for method in methods}
    assert functions.url(BUCKET).endswith("/api")


def test_a_second_deployment_changes_nothing() -> None:
    before = made()
    assert functions.apply(OF, BUCKET, bundle().path) is False
    assert made() == before


def test_a_forced_second_chalice_deploy_makes_nothing_twice() -> None:
    before = made()
    state.write(BUCKET, functions=None)
    assert functions.apply(OF, BUCKET, bundle().path) is True
    assert made() == before


def test_another_operator_goes_on_from_there() -> None:
    """What Chalice knows is in the bucket alone: from a fresh clone no second API is made."""
    assert not (ROOT / ".chalice" / "deployed" / "dev.json").exists()
    (resource,) = [each for each in state.read(BUCKET)["chalice"]["resources"] if each["resource_type"] == "rest_api"]
    assert made()["apis"] == [resource["rest_api_id"]]


def test_what_somebody_has_deleted_comes_back() -> None:
    boto3.client("lambda").delete_function(FunctionName=OF.function_name("jobs"))
    assert functions.apply(OF, BUCKET, bundle().path) is True
    assert OF.function_name("jobs") in made()["functions"]


def test_a_failure_says_what_chalice_said_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = package.staged

    @contextmanager
    def without_a_policy() -> Iterator[Path]:
        with whole() as project:
            (project / ".chalice" / "policy-dev-jobs.json").unlink()
            yield project

    state.write(BUCKET, functions=None)
    with monkeypatch.context() as patch, pytest.raises(InfraError, match="policy-dev-jobs"):
        patch.setattr(package, "staged", without_a_policy)
        functions.apply(OF, BUCKET, bundle().path)
    assert "functions" not in state.read(BUCKET)
    assert functions.apply(OF, BUCKET, bundle().path) is True


def test_a_late_failure_leaves_no_api_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chalice records what it made only at its end: the next attempt would make a second API."""
    functions.delete(OF, BUCKET)
    chalice = package.chalice

    def fails_late(project: Path, *arguments: str) -> Any:
        done = chalice(project, *arguments)
        (project / ".chalice" / "deployed" / "dev.json").unlink()
        done.returncode = 1
        return done

    with monkeypatch.context() as patch, pytest.raises(InfraError, match="chalice deploy failed"):
        patch.setattr(package, "chalice", fails_late)
        functions.apply(OF, BUCKET, bundle().path)
    assert made()["apis"] == []
    assert functions.apply(OF, BUCKET, bundle().path) is True
    assert len(made()["apis"]) == 1


def test_deletion_leaves_nothing() -> None:
    functions.delete(OF, BUCKET)
    assert made() == {"functions": {}, "roles": [], "apis": [], "rules": {}}
    assert "chalice" not in state.read(BUCKET)
    functions.delete(OF, BUCKET)  # again changes nothing
