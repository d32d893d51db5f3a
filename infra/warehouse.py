"""Prepare the warehouse: create database users with only the rights that they need, and apply migrations.

Redshift knows a Lambda by its role, as the user `IAMR:<role>` that has no right but what PUBLIC has. Here the
administrator makes these users and Firehose's, the admin API applies the migrations, and the administrator grants.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import boto3

from chalicelib.warehouse import migrations
from infra import regions, state
from infra.admin import Admin
from infra.checks import default
from infra.stages import InfraError, Stage

if TYPE_CHECKING:
    from mypy_boto3_redshift_data import RedshiftDataAPIServiceClient

DATABASE = "tweets"
MIGRATOR = "disaster_migrator"
"""The database role of the function that applies migrations: Redshift grants CREATE ROLE to roles alone."""
COMPUTE = "serverless-compute"
"""What a usage limit of RPU-hours is about."""
PATIENCE = 600.0  # seconds that a statement may take; the first one wakes the warehouse
POLL = 3.0  # seconds between looks at a namespace that changes


@dataclass(frozen=True)
class Login:
    """Firehose's user, as the secret has it. `version` changes with the password."""

    user: str
    password: str
    version: str


@dataclass(frozen=True)
class Administrator:
    """SQL as the warehouse's administrator, through the Data API. `target`: which warehouse, and how to log in."""

    target: dict[str, str]

    def run(self, statements: Sequence[str]) -> None:
        """Run statements as one transaction. Raises InfraError with Redshift's message."""
        if statements:
            self._finish(self._api().batch_execute_statement(Sqls=list(statements), **self.target)["Id"])  # type: ignore[arg-type]

    def run_alone(self, sql: str) -> None:
        """Run one statement outside of a transaction. Raises InfraError with Redshift's message."""
        self._finish(self._api().execute_statement(Sql=sql, **self.target)["Id"])  # type: ignore[arg-type]

    def column(self, sql: str) -> list[str]:
        """Run a SELECT; return its first column as text. Raises InfraError."""
        statement = self._api().execute_statement(Sql=sql, **self.target)["Id"]  # type: ignore[arg-type]
        self._finish(statement)
        pages = self._api().get_paginator("get_statement_result").paginate(Id=statement)
        return [str(next(iter(record[0].values()))) for page in pages for record in page["Records"]]

    def _finish(self, statement: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while (found := self._api().describe_statement(Id=statement))["Status"] not in {
            "FINISHED",
            "FAILED",
            "ABORTED",
        }:
            if time.monotonic() > deadline:
                raise InfraError(f"The warehouse did not answer within {PATIENCE:.0f} s (statement {statement})")
            time.sleep(0.5)
        if found["Status"] != "FINISHED":
            raise InfraError(f"The warehouse refused: {found.get('Error', found['Status'])} (statement {statement})")

    @staticmethod
    def _api() -> RedshiftDataAPIServiceClient:
        return boto3.client("redshift-data")


def apply(of: Stage, bucket: str, administrator: Administrator, admin: Admin, login: Login | None) -> bool:
    """Set up users, migrations and grants; whether anything was to do. `login` is Firehose's, where Firehose copies."""
    wanted = fingerprint(of, login)
    if state.read(bucket).get("warehouse") == wanted:
        return False
    known = set(administrator.column("SELECT usename FROM pg_user"))
    roles = set(administrator.column("SELECT role_name FROM svv_roles"))
    administrator.run([*users(of, known, login), *migrator(of, roles)])
    admin.job("/warehouse/setup")
    administrator.run(grants(of, login))
    state.write(bucket, warehouse=wanted)
    return True


def fingerprint(of: Stage, login: Login | None) -> str:
    """Return the digest of all that decides what is done here."""
    planned = [*grants(of, login), *migrator(of, ()), login.version if login else ""]
    return state.fingerprint([*planned, *(migration.checksum for migration in migrations.read())])


def database_user(of: Stage, function: str) -> str:
    """Who a function is in the database: its IAM role, or with a cluster the one user that they all share."""
    return of.parameters.get("DatabaseUser") or f"IAMR:{regions.role_name(of, function)}"


def users(of: Stage, known: Collection[str], login: Login | None) -> list[str]:
    """Return what makes the users that are missing; Firehose's gets the secret's password, as a hash."""
    wanted = {database_user(of, function) for function in ("jobs", "reconcile", "erase", "api_handler")}
    made = [f'CREATE USER "{user}" PASSWORD DISABLE' for user in sorted(wanted - set(known))]
    if login:
        verb = "ALTER" if login.user in known else "CREATE"
        made.append(f"{verb} USER {login.user} PASSWORD '{hashed(login.password, secrets.token_bytes(32))}'")
    return made


def hashed(password: str, salt: bytes) -> str:
    """Return a password as Redshift takes it, so that it is in no statement and in no log.

    `sha256|<digest>|<salt>`, both in hex; what is digested is the password and then the salt's bytes.
    docs.aws.amazon.com/redshift/latest/dg/r_CREATE_USER.html
    """
    return f"sha256|{hashlib.sha256(password.encode() + salt).hexdigest()}|{salt.hex()}"


def migrator(of: Stage, roles: Collection[str]) -> list[str]:
    """Let the jobs function make the schema and its roles: what it makes it owns, and so may change later."""
    jobs = database_user(of, "jobs")
    made = [] if MIGRATOR in roles else [f"CREATE ROLE {MIGRATOR}"]
    return [
        *made,
        f"GRANT CREATE ROLE TO ROLE {MIGRATOR}",
        f'GRANT ROLE {MIGRATOR} TO "{jobs}"',
        f'GRANT CREATE ON DATABASE {DATABASE} TO "{jobs}"',
    ]


def grants(of: Stage, login: Login | None) -> list[str]:
    """Grant what the others may do, once the schema is there. Each may be granted again."""
    reconcile, erase, api = (database_user(of, function) for function in ("reconcile", "erase", "api_handler"))
    granted = [
        # What the roles may is in sql/migrations/. It loads, compares, and repairs:
        f'GRANT ROLE disaster_app TO "{reconcile}"',
        # It finds and empties rows, and removes those that are too old:
        f'GRANT ROLE disaster_app TO "{erase}"',
        # It tells, and writes down who resolved which finding, and what people say of posts.
        f'GRANT ROLE disaster_analyst TO "{api}"',
        f'GRANT INSERT ON disaster.finding_resolution TO "{api}"',
        f'GRANT INSERT ON disaster.label_review TO "{api}"',
    ]
    if login:
        granted += [
            f"GRANT USAGE ON SCHEMA disaster TO {login.user}",
            f"GRANT INSERT ON disaster.disaster_tweets TO {login.user}",
        ]
    return granted


def administrator(of: Stage) -> Administrator:
    """Who may do all that: the managed admin of our own warehouse, else whoever deploys."""
    cluster = of.parameters.get("ExistingCluster")
    if cluster:
        return Administrator(
            {"ClusterIdentifier": cluster, "Database": DATABASE, "DbUser": of.parameters["DatabaseUser"]}
        )
    workgroup = of.parameters.get("ExistingWorkgroup") or of.prefix
    serverless: Any = boto3.client("redshift-serverless")
    namespace = serverless.get_workgroup(workgroupName=workgroup)["workgroup"]["namespaceName"]
    secret = serverless.get_namespace(namespaceName=namespace)["namespace"].get("adminPasswordSecretArn")
    return Administrator(
        {"WorkgroupName": workgroup, "Database": DATABASE, **({"SecretArn": secret} if secret else {})}
    )


def make_database(of: Stage, administrator: Administrator) -> bool:
    """Make the database in a workgroup or cluster that was there before; return whether it was missing.

    Raises InfraError where the administrator may not.
    """
    if not (of.parameters.get("ExistingWorkgroup") or of.parameters.get("ExistingCluster")):
        return False
    first = Administrator({**administrator.target, "Database": first_database(of)})
    if DATABASE in first.column("SELECT datname FROM pg_database"):
        return False
    first.run_alone(f"CREATE DATABASE {DATABASE}")
    return True


def first_database(of: Stage) -> str:
    """Return the database that an existing workgroup or cluster was made with."""
    if cluster := of.parameters.get("ExistingCluster"):
        redshift: Any = boto3.client("redshift")
        return str(redshift.describe_clusters(ClusterIdentifier=cluster)["Clusters"][0]["DBName"])
    serverless: Any = boto3.client("redshift-serverless")
    workgroup = serverless.get_workgroup(workgroupName=of.parameters["ExistingWorkgroup"])["workgroup"]
    return str(serverless.get_namespace(namespaceName=workgroup["namespaceName"])["namespace"].get("dbName") or "dev")


def attach_copy_role(of: Stage, role_arn: str) -> bool:
    """Attach the role that COPY reads S3 with to our own namespace; return whether it was missing.

    A namespace that an earlier `make destroy` kept has the role of the stack that is gone: importing a resource changes
    nothing about it (docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-automatically.html).
    Raise InfraError if the namespace is not available again in time.
    """
    if of.parameters.get("ExistingWorkgroup") or of.parameters.get("ExistingCluster"):
        return False
    serverless: Any = boto3.client("redshift-serverless")
    namespace = serverless.get_namespace(namespaceName=of.prefix)["namespace"]
    if any(role_arn in role for role in namespace.get("iamRoles", ())):
        return False
    serverless.update_namespace(namespaceName=of.prefix, iamRoles=[role_arn])
    deadline = time.monotonic() + PATIENCE
    while serverless.get_namespace(namespaceName=of.prefix)["namespace"]["status"] != "AVAILABLE":
        if time.monotonic() > deadline:
            raise InfraError(f"The namespace {of.prefix} is not available after {PATIENCE:.0f} s: make deploy again")
        time.sleep(POLL)
    return True


def limit_usage(of: Stage) -> bool:
    """Limit the RPU-hours that our own workgroup may use in a day; return whether there was something to change.

    CloudFormation has no resource for it:
    docs.aws.amazon.com/redshift-serverless/latest/APIReference/API_UsageLimit.html
    When the limit is reached no query runs until the day ends (UTC). Tweets wait in S3 meanwhile, and nothing is lost.
    """
    if of.parameters.get("ExistingWorkgroup") or of.parameters.get("ExistingCluster"):
        return False
    serverless: Any = boto3.client("redshift-serverless")
    arn = serverless.get_workgroup(workgroupName=of.prefix)["workgroup"]["workgroupArn"]
    wanted = {"amount": int(of.parameters.get("RpuHours") or default("RpuHours")), "breachAction": "deactivate"}
    found = serverless.list_usage_limits(resourceArn=arn, usageType=COMPUTE)["usageLimits"]
    for limit in (each for each in found if each["period"] == "daily"):
        if all(limit[name] == value for name, value in wanted.items()):
            return False
        serverless.update_usage_limit(usageLimitId=limit["usageLimitId"], **wanted)
        return True
    serverless.create_usage_limit(resourceArn=arn, usageType=COMPUTE, period="daily", **wanted)
    return True


def firehose_login(secret_arn: str) -> Login:
    """Firehose's user and password."""
    found = boto3.client("secretsmanager").get_secret_value(SecretId=secret_arn)
    secret = cast("dict[str, str]", json.loads(found["SecretString"]))
    return Login(secret["username"], secret["password"], found["VersionId"])
