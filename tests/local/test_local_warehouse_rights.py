"""Who may what in the local warehouse: owners, grants, roles, default privileges; who may not is refused."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import boto3
import pytest

from chalicelib.warehouse import migrations
from infra import warehouse
from infra.stages import Stage
from local import provision
from local.aws.warehouse import WarehouseError
from local.aws.warehouse.responses import database_user
from local.server import LocalAws
from tests.support.warehouses import ROLE, Scratch, scratch

OF = Stage("local", {})


class Users(Scratch):
    """A warehouse with users."""

    def by(self, user: str | None, *statements: str) -> list[tuple[Any, ...]]:
        with self.warehouse.session(user) as session:
            return session.run(statements, alone=len(statements) == 1)[-1].rows or []

    def refused(self, user: str, *statements: str) -> str:
        with pytest.raises(WarehouseError) as raised:
            self.by(user, *statements)
        return str(raised.value)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Users]:
    with scratch(tmp_path_factory.mktemp("rights")) as made:
        made.__class__ = Users
        assert isinstance(made, Users)
        made.by(
            None,
            *(f"CREATE USER {name} PASSWORD DISABLE" for name in ("maker", "loader", "reader", "nobody")),
            "GRANT CREATE ON DATABASE tweets TO maker",
        )
        made.by("maker", "CREATE SCHEMA own")
        made.by("maker", "CREATE TABLE own.t (n INTEGER, tags SUPER)", "INSERT INTO own.t (n) VALUES (1)")
        made.by("maker", "CREATE VIEW own.v AS SELECT n FROM own.t")
        made.by("maker", "GRANT USAGE ON SCHEMA own TO loader, reader", "GRANT INSERT ON own.t TO loader")
        made.by(None, "CREATE ROLE readers", "GRANT ROLE readers TO reader")
        made.by("maker", "GRANT SELECT ON own.v TO ROLE readers")
        yield made


def copied(house: Users, user: str) -> str:
    house.objects["k"] = gzip.compress(b'{"n": 2}\n')
    return f"COPY own.t (n) FROM 's3://bucket/k' IAM_ROLE '{ROLE}' FORMAT JSON 'auto' GZIP"


def test_a_copy_by_who_may_not_is_refused(house: Users) -> None:
    sql = copied(house, "nobody")
    assert house.refused("nobody", sql) == "ERROR: permission denied for schema own"
    assert house.refused("reader", sql) == "ERROR: permission denied for relation t"
    with house.warehouse.session("loader") as session:
        assert session.run([sql], alone=True)[-1].changed == 1
    assert house.by(None, "SELECT COUNT(*) FROM own.t WHERE n = 2") == [(1,)]


@pytest.mark.parametrize(
    ("user", "sql", "message"),
    [
        ("loader", "SELECT n FROM own.t", "permission denied for relation t"),
        ("loader", "DELETE FROM own.t", "permission denied for relation t"),
        ("loader", "UPDATE own.t SET n = 3", "permission denied for relation t"),
        ("loader", "INSERT INTO own.t (n) SELECT n FROM own.v", "permission denied for relation v"),
        ("loader", "TRUNCATE own.t", "must be owner of relation t"),
        ("loader", "DROP TABLE own.t", "must be owner of relation t"),
        ("loader", "ALTER TABLE own.t ADD COLUMN m INTEGER", "must be owner of relation t"),
        ("loader", "CREATE TABLE own.u (n INTEGER)", "permission denied for schema own"),
        ("loader", "CREATE OR REPLACE VIEW own.v AS SELECT 1 AS n", "permission denied for schema own"),
        ("loader", "GRANT SELECT ON own.t TO loader", "permission denied for relation t"),
        ("loader", "CREATE USER more PASSWORD DISABLE", "permission denied to create user"),
        ("loader", "CREATE ROLE more", "permission denied to create role"),
        ("loader", "CREATE SCHEMA another", "permission denied for database"),
        ("loader", "DROP SCHEMA own CASCADE", "must be owner of schema own"),
        ("loader", "LOCK own.v", "permission denied for relation v"),
        ("loader", "VACUUM own.t", "must be owner of relation t"),
        ("loader", "SET SESSION AUTHORIZATION maker", "permission denied to set session authorization"),
        ("reader", "SELECT t.n FROM own.v AS v, own.t AS t", "permission denied for relation t"),
        ("reader", "WITH own AS (SELECT n FROM own.t) SELECT n FROM own", "permission denied for relation t"),
        ("reader", "SELECT n FROM own.v WHERE EXISTS (SELECT 1 FROM own.t)", "permission denied for relation t"),
    ],
)
def test_who_may_not_is_refused(house: Users, user: str, sql: str, message: str) -> None:
    assert message in house.refused(user, sql)


def test_who_may_may(house: Users) -> None:
    assert house.by("reader", "SELECT MIN(n) FROM own.v") == [(1,)]  # by its role, and not to the table behind it
    house.by("loader", "INSERT INTO own.t (n) VALUES (4)")
    house.by("loader", "CREATE TEMP TABLE mine AS SELECT 1 AS n", "DELETE FROM mine", "SELECT n FROM mine")
    house.by("loader", "CREATE TABLE public.open_to_all (n INTEGER)", "DROP TABLE public.open_to_all")
    assert house.by("nobody", "SELECT COUNT(*) FROM svv_roles WHERE role_name = 'readers'") == [(1,)]
    assert house.by("maker", "SELECT k FROM own.t AS t, t.tags AS k") == []


def test_a_grant_ends(house: Users) -> None:
    house.by("maker", "GRANT SELECT ON own.t TO nobody", "GRANT USAGE ON SCHEMA own TO nobody")
    assert house.by("nobody", "SELECT COUNT(*) FROM own.t")
    house.by("maker", "REVOKE SELECT ON own.t FROM nobody")
    assert "permission denied" in house.refused("nobody", "SELECT n FROM own.t")


def test_default_privileges_go_to_what_is_made_later(house: Users) -> None:
    house.by("maker", "ALTER DEFAULT PRIVILEGES IN SCHEMA own GRANT SELECT ON TABLES TO ROLE readers")
    house.by("maker", "CREATE TABLE own.later AS SELECT 7 AS n")
    assert house.by("reader", "SELECT n FROM own.later") == [(7,)]
    house.by("maker", "DROP TABLE own.later")


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("GRANT SELECT ON own.nowhere TO reader", 'relation "nowhere" does not exist'),
        ("GRANT SELECT ON own.t TO stranger", 'user "stranger" does not exist'),
        ("GRANT SELECT ON own.t TO ROLE strangers", 'role "strangers" does not exist'),
        ("GRANT ROLE strangers TO reader", 'role "strangers" does not exist'),
        ("CREATE USER reader PASSWORD DISABLE", 'user "reader" already exists'),
        ("DROP USER maker", "some objects depend on it"),
        ("GRANT ASSUMEROLE ON ALL TO reader FOR COPY", "does not do GRANT ASSUMEROLE ON"),
    ],
)
def test_what_is_not_there_is_not_granted(house: Users, sql: str, message: str) -> None:
    with pytest.raises(WarehouseError, match=message):
        house.by(None, sql)


def test_what_is_rolled_back_is_no_right(house: Users) -> None:
    house.refused("maker", "GRANT SELECT ON own.t TO reader", "SELECT n FROM own.nowhere")
    assert "permission denied" in house.refused("reader", "SELECT n FROM own.t")


@pytest.mark.parametrize(
    ("given", "password", "fits"),
    [
        ("'Correct1Horse'", "Correct1Horse", True),
        ("'Correct1Horse'", "Correct2Horse", False),
        (f"'{warehouse.hashed('Correct1Horse', bytes(32))}'", "Correct1Horse", True),
        (f"'{warehouse.hashed('Correct1Horse', bytes(32))}'", "Correct2Horse", False),
        ("'md52d706366efeb2b97c1d6ce6ed1f66675'", "ez", True),  # of "ezu1": the password and then the user
        ("DISABLE", "disable", False),
    ],
)
def test_who_logs_in_needs_the_password_that_was_given_last(
    house: Users, given: str, password: str, fits: bool
) -> None:
    """docs.aws.amazon.com/redshift/latest/dg/r_CREATE_USER.html"""
    for sql in ("CREATE USER u1 PASSWORD 'Another1Horse'", f"ALTER USER u1 PASSWORD {given}"):
        house.by(None, sql)
    with nullcontext() if fits else pytest.raises(WarehouseError, match='password authentication failed for user "u1"'):
        house.warehouse.log_in("u1", password)
    house.by(None, "DROP USER u1")
    with pytest.raises(WarehouseError, match="authentication failed"):
        house.warehouse.log_in("u1", password)


# ---- what the deployment grants


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Users]:
    """Users as `make deploy` makes them, and migrations applied by the function that applies them."""
    with scratch(tmp_path_factory.mktemp("deployed")) as made:
        made.__class__ = Users
        assert isinstance(made, Users)
        provision.users(made.warehouse)
        with made.warehouse.session(warehouse.database_user(OF, "jobs")) as session:
            for migration in migrations.read():
                planned = migrations.transaction(migration)
                if planned.alone:
                    session.run([planned.alone], alone=True)
                session.run(planned.statements, planned.parameters)
        yield made


@pytest.mark.parametrize(
    ("function", "sql", "refused"),
    [
        ("reconcile", "SELECT COUNT(*) FROM disaster.disaster_tweets", ""),
        ("reconcile", "DELETE FROM disaster.disaster_tweets WHERE s3_key = 'k'", ""),
        ("reconcile", "DROP TABLE disaster.disaster_tweets", "must be owner"),
        ("api_handler", "SELECT COUNT(*) FROM disaster.tweet", ""),
        ("api_handler", "DELETE FROM disaster.disaster_tweets", "permission denied"),
        ("api_handler", "INSERT INTO disaster.finding SELECT * FROM disaster.finding", "permission denied"),
        ("api_handler", "INSERT INTO disaster.finding_resolution SELECT * FROM disaster.finding_resolution", ""),
        ("api_handler", "INSERT INTO disaster.label_review SELECT * FROM disaster.label_review", ""),
    ],
)
def test_functions_may_what_they_need(deployed: Users, function: str, sql: str, refused: str) -> None:
    user = warehouse.database_user(OF, function)
    if refused:
        assert refused in deployed.refused(user, sql)
    else:
        deployed.by(user, sql)


def test_firehose_may_insert_and_nothing_else(deployed: Users) -> None:
    user = provision.FIREHOSE.user
    assert "permission denied" in deployed.refused(user, "SELECT * FROM disaster.disaster_tweets")
    assert "permission denied" in deployed.refused(user, "DELETE FROM disaster.disaster_tweets")
    assert "permission denied" in deployed.refused(user, "INSERT INTO disaster.finding SELECT * FROM disaster.finding")


def test_without_the_grants_nobody_loads(deployed: Users) -> None:
    """Else the tests above would pass with a warehouse that lets everybody in."""
    reconcile = warehouse.database_user(OF, "reconcile")
    deployed.by(None, f'REVOKE ROLE disaster_app FROM "{reconcile}"')
    try:
        assert "permission denied" in deployed.refused(reconcile, "SELECT COUNT(*) FROM disaster.disaster_tweets")
    finally:
        deployed.by(None, f'GRANT ROLE disaster_app TO "{reconcile}"')


def test_a_function_is_its_role(stack: LocalAws) -> None:
    signed = "AWS4-HMAC-SHA256 Credential={}/20260102/us-east-1/redshift-data/aws4_request, SignedHeaders=host"
    assert database_user({"Authorization": signed.format("role.disaster-tweets-local-jobs-us-east-1")}) == (
        "IAMR:disaster-tweets-local-jobs-us-east-1"
    )
    assert database_user({"Authorization": signed.format("local")}) is None
    api: Any = boto3.client("redshift-data")
    owner = "SELECT owner FROM main.local_owners WHERE object = 'disaster.disaster_tweets'"
    asked = api.execute_statement(Sql=owner, WorkgroupName=stack.stream, Database="tweets", WaitTimeSeconds=10)["Id"]
    (row,) = api.get_statement_result(Id=asked)["Records"]
    assert row == [{"stringValue": "IAMR:disaster-tweets-local-jobs-us-east-1"}]
