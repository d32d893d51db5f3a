"""`make package` refuses a bundle that couldn't run in Lambda, and runs the one it makes."""

import gzip
import json
import re
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import pytest
from packaging.requirements import Requirement

from infra import package, runtime, sdk
from infra.stages import InfraError
from tests.support.infra_templates import bundle, of_type

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
    return package.faults(doctored, package.requirements(), runtime.of_lambda())


def without(prefix: str) -> Edit:
    def edit(files: dict[str, bytes]) -> None:
        for name in [name for name in files if name.startswith(prefix)]:
            del files[name]

    return edit


def library(files: dict[str, bytes]) -> str:
    """The name of orjson's compiled library."""
    return next(name for name in files if name.startswith("orjson/") and name.endswith(".so"))


def intel(files: dict[str, bytes]) -> None:
    name = library(files)
    files[name] = files[name][:18] + (62).to_bytes(2, "little") + files[name][20:]


def older(files: dict[str, bytes]) -> None:
    name = library(files)
    files[name.replace("cpython-314", "cpython-311")] = files.pop(name)


def test_the_app_as_it_is_is_fit(tmp_path: Path) -> None:
    assert faults(tmp_path) == []


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (without("orjson"), "orjson has no wheel that fits the runtime"),
        (without("aws_lambda_powertools"), "aws-lambda-powertools has no wheel that fits the runtime"),
        (without("sql/migrations/"), "sql/migrations/*.sql is missing"),
        (without("sql/queries/"), "sql/queries/*.sql is missing"),
        (without("chalicelib/classifier/model"), "chalicelib/classifier/model* is missing"),
        (without("chalicelib/transform/accelerator-"), "chalicelib/transform/accelerator-linux-* is missing"),
        (without("app.py"), "app.py is missing"),
        (without("boto3/session.py"), "boto3/session.py is missing"),
        (lambda files: files.update({"numpy/__init__.py": b""}), "numpy/* must not be in it"),
        (lambda files: files.update({"local/server.py": b""}), "local/* must not be in it"),
    ],
)
def test_what_is_missing_or_too_much_is_named(tmp_path: Path, edit: Edit, said: str) -> None:
    assert faults(tmp_path, edit) == [said]


def test_a_library_for_another_architecture_is_named(tmp_path: Path) -> None:
    ((said,),) = [faults(tmp_path, intel)]
    assert said.startswith("orjson/") and said.endswith("is not made for aarch64")


def test_a_library_for_another_python_is_named(tmp_path: Path) -> None:
    ((said,),) = [faults(tmp_path, older)]
    assert said.startswith("orjson/") and said.endswith("is not made for Python 3.14")


def test_all_that_is_compiled_is_for_the_runtime_and_says_so() -> None:
    """Whichever Python deploys: each library is for Python 3.14 on arm64, and Lambda is told so."""
    with ZipFile(bundle().path) as zipped:
        compiled = {name: package.machine(zipped.read(name)[:20]) for name in zipped.namelist() if name.endswith(".so")}
        (accelerator,) = [name for name in zipped.namelist() if "/accelerator-" in name]
        assert package.machine(zipped.read(accelerator)[:20]) == 183
    assert len(compiled) > 4 and set(compiled.values()) == {183}
    assert accelerator == "chalicelib/transform/accelerator-linux-aarch64"
    assert {name.split("/")[0] for name in compiled} >= {"orjson", "isal", "pybase64", "websockets"}
    made = of_type(json.loads(bundle().template.read_text())["Resources"], "AWS::Serverless::Function").values()
    assert {(each["Runtime"], *each["Architectures"]) for each in made} == {("python3.14", "arm64")}


def test_bytecode_is_asked_for_where_an_interpreter_could_make_it() -> None:
    said = package.faults(bundle().path, [], runtime.of_lambda(), ("botocore/__pycache__/none.*.pyc",))
    assert said == ["botocore/__pycache__/none.*.pyc is missing"]


def test_a_library_that_is_no_elf_file_is_named(tmp_path: Path) -> None:
    ((said,),) = [faults(tmp_path, lambda files: files.update({"orjson/mac.so": b"\xcf\xfa\xed\xfe" * 8}))]
    assert said == "orjson/mac.so is not made for aarch64"


def test_more_than_20_mb_is_refused(tmp_path: Path) -> None:
    ((said,),) = [faults(tmp_path, lambda files: files.update({"big": bytes(package.MOST_ZIPPED)}))]
    assert said.endswith("more than 20,000,000")


def test_another_version_than_the_pinned_is_named() -> None:
    (said,) = package.faults(bundle().path, [Requirement("orjson==1.0.0")], runtime.of_lambda())
    assert said.startswith("orjson is 3.") and said.endswith("but ==1.0.0 is asked for")


def test_both_sizes_are_told() -> None:
    assert "MB zipped" in package.described(bundle()) and "MB unzipped, 6 functions" in package.described(bundle())


def test_a_requirement_without_a_wheel_is_a_failure_and_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "REQUIREMENTS", tmp_path / "requirements.txt")
    runtime.REQUIREMENTS.write_text("orjson==0.0.1\n")
    with pytest.raises(InfraError, match=r"(?s)no wheel for Python 3\.14 on aarch64.*orjson==0\.0\.1"):
        runtime.unpack(tmp_path / "into", tmp_path, runtime.of_lambda())
    assert not list(tmp_path.glob("wheels-*"))


def test_bytecode_is_made_by_the_runtimes_python_alone_and_taken_unchecked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "module.py").write_text("x = 1\n")
    monkeypatch.setattr(runtime, "interpreter", lambda: None)
    assert runtime.compile_folder(tmp_path, "") is False
    assert not list(tmp_path.rglob("*.pyc"))
    monkeypatch.setattr(runtime, "interpreter", lambda: sys.executable)
    assert runtime.compile_folder(tmp_path, "") is True
    (compiled,) = tmp_path.rglob("*.pyc")
    assert compiled.read_bytes()[4:8] == (1).to_bytes(4, "little")  # PEP 552: flags of an unchecked hash


def test_the_interpreter_of_the_runtime_is_found_and_one_that_does_not_start_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(runtime, "PYTHON", "3.99")
    find = runtime.interpreter.__wrapped__
    assert find() is None
    python = tmp_path / "python3.99"
    for status, found in ((1, None), (0, str(python))):
        python.write_text(f"#!/bin/sh\nexit {status}\n")
        python.chmod(0o755)
        assert find() == found


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


def test_a_bundle_that_imports_what_lambda_lacks_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "local_aws", lambda home: nullcontext("http://127.0.0.1:9"))  # it is not asked
    with ZipFile(bundle().path) as source, ZipFile(tmp_path / "broken.zip", "w") as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, b"import pandas\n" + content if name == "app.py" else content)
    with pytest.raises(InfraError, match="No module named 'pandas'"):
        package.run_alone(tmp_path / "broken.zip")


def test_the_bundle_runs_alone(capsys: pytest.CaptureFixture[str]) -> None:
    package.run_alone(bundle().path)
    assert "one Firehose event, warehouse setup, one admin call, one reconciliation" in capsys.readouterr().out
