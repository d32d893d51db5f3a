"""What is changed in moto is still there to be changed, and still needs it; each test is about one patch."""

import inspect
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from local.aws import patches
from tests.support import ROOT

ARN = "arn:aws:lambda:us-east-1:123456789012:function:disaster-tweets-local"


Run = Callable[[str], str]
ASKED = """
import contextlib, io, json, sys
for line in sys.stdin:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(json.loads(line), {})
    print(json.dumps(said.getvalue().strip()), flush=True)
"""


@pytest.fixture(scope="module")
def unpatched() -> Iterator[Run]:
    """What a moto prints that nobody has changed: one process for all tests."""
    asked: Any = subprocess.Popen(
        [sys.executable, "-c", ASKED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    with asked:

        def run(code: str) -> str:
            asked.stdin.write(json.dumps(code) + "\n")
            asked.stdin.flush()
            said: str = json.loads(asked.stdout.readline())
            return said

        yield run
        asked.stdin.close()


@pytest.fixture(autouse=True)
def patched() -> None:
    patches.install()


def test_modules_are_looked_for_once(monkeypatch: pytest.MonkeyPatch, unpatched: Run) -> None:
    from moto import backends

    monkeypatch.setattr(Path, "iterdir", None)
    monkeypatch.setattr("os.listdir", None)
    assert "s3" in backends.list_of_moto_modules()
    code = (
        "import inspect; from moto import backends; print(inspect.isgeneratorfunction(backends.list_of_moto_modules))"
    )
    assert unpatched(code) == "True", "moto remembers its modules itself now: drop cache_modules"
    from moto.moto_server import werkzeug_app

    assert "backends.list_of_moto_modules()" in inspect.getsource(werkzeug_app), "moto asks elsewhere now"


def test_hosts_are_recognised_once() -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    application = DomainDispatcherApplication(create_backend_app)
    for _ in range(2):
        assert application.get_backend_for_host("firehose.us-east-1.amazonaws.com") == "firehose"
    assert DomainDispatcherApplication.get_backend_for_host.cache_info().hits >= 1
    assert "self.get_backend_for_host(" in inspect.getsource(DomainDispatcherApplication.get_application)


def test_the_methods_of_a_class_are_looked_for_once() -> None:
    from moto.core import responses
    from moto.firehose.responses import FirehoseResponse

    names = [responses.method_names_from_class(FirehoseResponse) for _ in range(2)]
    assert names[0] is names[1] and "put_record" in names[0]
    assert "method_names_from_class(self.__class__)" in inspect.getsource(responses.BaseResponse.call_action)


def test_an_object_has_its_etag_before_anybody_can_see_it(unpatched: Run) -> None:
    key = "from moto.s3.models import FakeKey; key = FakeKey('k', b'x', '123456789012', 'us-east-1'); "
    assert unpatched(key + "print(key._etag)") == "None", "moto computes it at once itself now: drop etag_at_birth"
    from moto.s3.models import FakeKey

    assert FakeKey("k", b"x", "123456789012", "us-east-1")._etag == "9dd4e461268c8034f5c8564e155c67a6"


def test_who_reads_an_object_that_is_overwritten_gets_its_bytes() -> None:
    from moto.s3 import utils
    from moto.s3.models import S3Backend

    assert "existing_version.dispose()" in inspect.getsource(utils), "moto leaves it open itself now"
    s3 = S3Backend("us-east-1", "123456789012")
    s3.create_bucket("overwritten", "us-east-1")
    s3.put_object("overwritten", "key", b"before")
    found = s3.get_object("overwritten", "key")
    s3.put_object("overwritten", "key", b"after")
    assert found and found.value == b"before"


def test_pages_of_objects_are_what_motos_own_are(unpatched: Run) -> None:
    code = """
from moto.s3.models import s3_backends
s3 = s3_backends["123456789012"]["aws"]
bucket = s3.create_bucket("pages", "us-east-1")
for name in ("b/1", "b/2", "a", "b", "c/1", "b/3", "\\u00e9", "b0", "b/"):
    s3.put_object("pages", name, b"")
for prefix in (None, "", "b", "b/", "b/1", "x", "\\u00e9"):
    for after in (None, "a", "b/1", "b/9", "z"):
        for size in (0, 1, 2, 100):
            keys, more, token = s3.list_objects_v2(bucket, prefix, None, None, after, size)
            while True:
                print([key.name for key in keys], more)
                if not more:
                    break
                keys, more, token = s3.list_objects_v2(bucket, prefix, None, token, after, size)
"""
    ours = io.StringIO()
    with redirect_stdout(ours):
        exec(code, {})
    assert ours.getvalue().count("\n") > 200
    assert ours.getvalue().strip() == unpatched(code)


def test_versions_are_listed_without_their_bytes() -> None:
    from moto.s3.models import S3Backend

    assert "copy.deepcopy(version_key)" in inspect.getsource(S3Backend.list_object_versions), "moto no longer copies"
    s3 = S3Backend("us-east-1", "123456789012")
    s3.create_bucket("versions", "us-east-1")
    s3.put_bucket_versioning("versions", "Enabled")
    for body in (b"first", b"second"):
        s3.put_object("versions", "key", body)
    s3.delete_object("versions", "key")
    versions, _, markers, *_ = s3.list_object_versions("versions")
    kept = s3.get_bucket("versions").keys.getlist("key")
    assert [each._value_buffer for each in versions] == [each._value_buffer for each in (kept[1], kept[0])]
    assert [(each.size, each.is_latest) for each in versions] == [(6, False), (5, False)]
    assert [each.is_latest for each in markers] == [True] and not hasattr(kept[2], "is_latest")
    del versions, markers
    assert [each.value for each in kept[:2]] == [b"first", b"second"]


def test_a_change_set_of_the_same_name_is_refused(unpatched: Run) -> None:
    twice = (
        "from moto.cloudformation.models import cloudformation_backends as all\n"
        "of = all['123456789012']['us-east-1']\n"
        "for _ in range(2): of.create_change_set('s', 'c', '{\"Resources\": {}}', {}, '', 'CREATE')\n"
        "print(len(of.change_sets))"
    )
    assert unpatched(twice) == "2", "moto refuses it itself now: drop change_sets_of_one_name"
    patches.change_sets_of_one_name()
    with pytest.raises(Exception, match="ChangeSet c already exists"):
        exec(twice, {})


def test_a_rule_is_listed_without_who_made_it(unpatched: Run) -> None:
    patches.rules_as_they_are_listed()
    code = (
        "from moto.events.models import Rule; "
        "print('CreatedBy' in Rule('r', '1', 'us-east-1', '', None, '', None, '', None, None).describe())"
    )
    assert unpatched(code) == "True", "moto keeps it from lists itself now: drop rules_as_they_are_listed"


def test_chalices_api_is_imported() -> None:
    patches.import_chalices_api()
    from chalice.deploy.swagger import SwaggerGenerator
    from moto.apigateway.models import apigateway_backends

    import app

    document: dict[str, Any] = SwaggerGenerator("us-east-1", {"api_handler_arn": ARN}).generate_swagger(app.app)
    api = apigateway_backends["123456789012"]["us-east-1"]
    imported = api.import_rest_api(document, fail_on_warnings=False)
    api.put_rest_api(imported.id, document, fail_on_warnings=False, mode="overwrite")
    paths = {resource.get_path() for resource in api.get_resources(imported.id)}
    assert set(app.app.routes) <= paths


def test_the_local_aws_starts_without_ec2_and_api_gateway() -> None:
    """Each takes as long to import as all the rest that a start needs; what asks for EC2 later gets the whole of it."""
    code = """if True:
        import sys, local.aws.ssm
        from local.aws import patches
        patches.install()
        print(*sorted(sys.modules))
        from moto.ec2 import ec2_backends
        print(type(ec2_backends).__name__)"""
    modules, backends = subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT).splitlines()
    assert not {"moto.ec2", "moto.ec2.models", "moto.apigateway", "moto.apigateway.models"} & set(modules.split())
    assert backends == "BackendDict"
    from moto.ssm import models

    assert "from moto.ec2 import ec2_backends" in inspect.getsource(models), "moto.ssm no longer needs EC2"
