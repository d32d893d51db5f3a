"""`make package` refuses a bundle that couldn't run in Lambda, and runs the one it makes."""

import compileall
import gzip
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import pytest
from packaging.requirements import Requirement

from infra import package, sdk
from infra.stages import InfraError, stage
from tests.support.infra_templates import bundle

Edit = Callable[[dict[str, bytes]], object]


def faults(path: Path, edit: Edit = lambda files: None) -> list[str]:
    """What is wrong with the packaged app after an edit of its files."""
    with ZipFile(bundle().path) as source:
        files = {name: source.read(name) for name in source.namelist()}
        modes = {entry.filename: entry.external_attr for entry in source.infolist()}
    edit(files)
    doctored = path / "doctored.zip"
    with ZipFile(doctored, "w", ZIP_STORED) as target:
        for name, content in files.items():
            entry = ZipInfo(name)
            entry.external_attr = modes.get(name, 0)
            target.writestr(entry, content)
    return package.faults(doctored, package.requirements(), "x86_64")


def without(prefix: str) -> Edit:
    def edit(files: dict[str, bytes]) -> None:
        for name in [name for name in files if name.startswith(prefix)]:
            del files[name]

    return edit


def library(files: dict[str, bytes]) -> str:
    """The name of orjson's compiled library."""
    return next(name for name in files if name.startswith("orjson/") and name.endswith(".so"))


def arm(files: dict[str, bytes]) -> None:
    name = library(files)
    files[name] = files[name][:18] + (183).to_bytes(2, "little") + files[name][20:]


def test_the_app_as_it_is_is_fit(tmp_path: Path) -> None:
    assert faults(tmp_path) == []


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (without("orjson"), "orjson has no wheel that fits the runtime"),
        (without("aws_lambda_powertools"), "aws-lambda-powertools has no wheel that fits the runtime"),
        (without("sql/migrations/"), "sql/migrations/0001_*.sql is missing"),
        (without("sql/queries/"), "sql/queries/*.sql is missing"),
        (without("chalicelib/classifier/model"), "chalicelib/classifier/model* is missing"),
        (without("chalicelib/transform/accelerator-"), "chalicelib/transform/accelerator-linux-* is missing"),
        (without("app.py"), "app.py is missing"),
        (without("boto3/session.py"), "boto3/session.py is missing"),
        (without("botocore/__pycache__/session."), "botocore/__pycache__/session.*.pyc is missing"),
        (lambda files: files.update({"numpy/__init__.py": b""}), "numpy/* must not be in it"),
        (lambda files: files.update({"local/server.py": b""}), "local/* must not be in it"),
    ],
)
def test_what_is_missing_or_too_much_is_named(tmp_path: Path, edit: Edit, said: str) -> None:
    assert faults(tmp_path, edit) == [said]


def test_a_library_for_another_architecture_is_named(tmp_path: Path) -> None:
    ((said,),) = [faults(tmp_path, arm)]
    assert said.startswith("orjson/") and said.endswith("is not made for x86_64")


def test_a_library_that_is_no_elf_file_is_named(tmp_path: Path) -> None:
    ((said,),) = [faults(tmp_path, lambda files: files.update({"orjson/mac.so": b"\xcf\xfa\xed\xfe" * 8}))]
    assert said == "orjson/mac.so is not made for x86_64"


def test_more_than_20_mb_is_refused(tmp_path: Path) -> None:
    ((said,),) = [faults(tmp_path, lambda files: files.update({"big": bytes(package.MOST_ZIPPED)}))]
    assert said.endswith("more than 20,000,000")


def test_another_version_than_the_pinned_is_named() -> None:
    (said,) = package.faults(bundle().path, [Requirement("orjson==1.0.0")], "x86_64")
    assert said.startswith("orjson is 3.") and said.endswith("but ==1.0.0 is asked for")


def test_both_sizes_are_told() -> None:
    assert "MB zipped" in package.described(bundle()) and "MB unzipped, 6 functions" in package.described(bundle())


def test_chalice_skipping_a_wheel_is_a_failure_although_it_exits_with_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "Could not install dependencies:\nnumpy==2.4.6\n"
    monkeypatch.setattr(package, "chalice", lambda *_: subprocess.CompletedProcess([], 0, "", said))
    monkeypatch.setattr(package, "CACHE", tmp_path)
    (tmp_path / "broken-python3.11.zip").touch()
    with pytest.raises(InfraError, match=r"numpy==2\.4\.6"):
        package.build(stage("dev"), tmp_path / "out")
    assert not list(tmp_path.glob("*.zip"))  # or the broken bundle would be taken from there the next time


def test_bytecode_is_made_for_the_bundle_and_taken_unchecked() -> None:
    """Whoever has run the app has a `__pycache__` whose times mean nothing in a zip: that is not what is packed."""
    compileall.compile_file(package.ROOT / "chalicelib" / "__init__.py", quiet=1)
    with package.staged() as project:
        compiled = list((project / "chalicelib").rglob("*.pyc"))
        assert len(compiled) == len(list((project / "chalicelib").rglob("*.py")))
        for path in compiled:  # PEP 552: flags of an unchecked hash
            assert path.read_bytes()[4:8] == (1).to_bytes(4, "little"), path


def test_the_bundle_has_the_sdk_with_the_models_that_the_functions_use_and_no_other() -> None:
    with ZipFile(bundle().path) as zipped:
        names = zipped.namelist()
    models = {name.split("/")[2] for name in names if re.match(r"botocore/data/[^/]+/", name)}
    assert models == set(sdk.services()) >= {"s3", "ssm", "redshift-data", "firehose"}


def test_the_sdk_in_the_bundle_takes_parameters_in_a_batch() -> None:
    """Since botocore 1.42.88; Lambda's runtime may have an older one."""
    with ZipFile(bundle().path) as zipped:
        model = zipped.read("botocore/data/redshift-data/2019-12-20/service-2.json.gz")
    assert "Parameters" in json.loads(gzip.decompress(model))["shapes"]["BatchExecuteStatementInput"]["members"]


def test_a_bundle_that_imports_what_lambda_lacks_does_not_run(tmp_path: Path) -> None:
    with ZipFile(bundle().path) as source, ZipFile(tmp_path / "broken.zip", "w") as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, b"import pandas\n" + content if name == "app.py" else content)
    with pytest.raises(InfraError, match="No module named 'pandas'"):
        package.run_alone(tmp_path / "broken.zip")


def test_the_bundle_runs_alone(capsys: pytest.CaptureFixture[str]) -> None:
    package.run_alone(bundle().path)
    assert "one Firehose event, warehouse setup, one admin call, one reconciliation" in capsys.readouterr().out
