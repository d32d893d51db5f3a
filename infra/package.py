"""Run `make package`: build the bundle with Chalice, and refuse one that couldn't run alone in Lambda."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from zipfile import ZipFile

import boto3
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import accelerator
from infra import regions, runtime, sdk
from infra.runtime import Target
from infra.stages import ROOT, InfraError, Stage
from local import server

MOST_ZIPPED = 20 * 1000 * 1000
"""Bytes. Lambda takes 50 MB, but what a function unpacks it pays for at every cold start."""
CACHE = ROOT / ".chalice" / "deployments"
NEEDED = (
    "app.py",
    "chalicelib/settings.py",
    "chalicelib/classifier/model*",
    "chalicelib/places/places.bin",
    "chalicelib/transform/accelerator-linux-*",
    *(f"sql/{folder.name}/*.sql" for folder in sorted((ROOT / "sql").iterdir()) if folder.is_dir()),
    "chalicelib/pages/templates/*",
    "chalicelib/pages/world.txt",
    *("boto3/session.py", "botocore/cacert.pem", "botocore/data/redshift-data/*"),
)
BYTECODE = ("chalicelib/__pycache__/settings.*.pyc", "botocore/__pycache__/session.*.pyc", "orjson/__pycache__/*.pyc")
"""Where an interpreter of the runtime's version made it."""
NEVER = (
    *("numpy/*", "pandas/*", "sklearn/*", "botocore/data/ec2/*"),
    *("local/*", "infra/*", "tests/*", "label_prep/*", "place_prep/*", "analysis/*", "benchmarks/*"),
)
MACHINES = {"x86_64": 62, "aarch64": 183}
"""e_machine in an ELF header, by machine."""
START = 60.0  # seconds that the local AWS may take


@dataclass(frozen=True)
class Bundle:
    path: Path
    template: Path
    zipped: int
    unzipped: int


def package(stage: Stage, out: Path = ROOT / "build") -> Bundle:
    """Build into `out` (`deployment.zip`, `sam.json`), inspect the zip and run it. Raises InfraError."""
    bundle = build(stage, out)
    found = faults(bundle.path, requirements(), runtime.of_lambda(), BYTECODE if runtime.interpreter() else ())
    if found:
        raise InfraError("The bundle is not fit for Lambda:\n" + "\n".join(f"  - {fault}" for fault in found))
    run_alone(bundle.path)
    return bundle


def build(stage: Stage, out: Path) -> Bundle:
    """Run `chalice package`. Raises InfraError with what Chalice said."""
    with staged() as project:
        done = chalice(project, "package", "--stage", stage.name, str(out))
    if done.returncode:
        raise InfraError(f"chalice package failed:\n{done.stdout}{done.stderr}".rstrip())
    path = out / "deployment.zip"
    with ZipFile(path) as bundle:
        unzipped = sum(entry.file_size for entry in bundle.infolist())
    return Bundle(path, out / "sam.json", path.stat().st_size, unzipped)


@contextmanager
def staged() -> Iterator[Path]:
    """Yield a copy of what Chalice works on, with the requirements' wheels for Lambda, boto3, and bytecode where an
    interpreter of Lambda's version is at hand. Chalice leaves its own files beside the app.

    The copies share a cache of wheels and bundles, and so take turns.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, Path(CACHE, "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        project = Path(scratch, "project")
        left_out = shutil.ignore_patterns("__pycache__", "accelerator-*", ".accelerator-*")  # one may be being built
        shutil.copytree(ROOT / "chalicelib", project / "chalicelib", ignore=left_out)
        shutil.copy(accelerated(runtime.of_lambda().machine), project / "chalicelib" / "transform")
        shutil.copytree(ROOT / "sql", project / "sql")
        shutil.copytree(ROOT / "vendor", project / "vendor", symlinks=True)
        ours = shutil.ignore_patterns("deployed", "deployments", "venv")
        shutil.copytree(ROOT / ".chalice", project / ".chalice", ignore=ours)
        shutil.copy(ROOT / "app.py", project)
        (project / "requirements.txt").touch()  # Chalice has nothing to look for
        for policy in (project / ".chalice").glob("policy-*.json"):
            policy.write_text(policy.read_text().replace("arn:aws:", f"arn:{regions.partition()}:"))
        sdk.add(project / "vendor")
        runtime.unpack(project / "vendor", CACHE, runtime.of_lambda())
        runtime.compile_folder(project / "vendor", "")
        runtime.compile_folder(project / "chalicelib", "chalicelib")
        (project / ".chalice" / "deployments").symlink_to(CACHE)
        yield project


def accelerated(machine: str, system: str = "linux") -> Path:
    """Return the accelerator, built for a machine. Raises InfraError."""
    try:
        return accelerator.build(machine, accelerator.HOME, system)
    except accelerator.BuildError as error:
        raise InfraError(str(error)) from error


def chalice(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Chalice, for the runtime that is pinned."""
    region = boto3.Session().region_name or "us-east-1"  # a bundle is the same for every Region
    run = Path(__file__).with_name("chalice_cli.py").read_text()
    given = [f"python{runtime.PYTHON}", region, "--project-dir", str(project), *arguments]
    command = [sys.executable, "-c", run, *given]
    environment = {**os.environ, "AWS_DEFAULT_REGION": region, "PYTHONPATH": str(project)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)  # noqa: S603


def requirements(file: Path = ROOT / "requirements.txt") -> list[Requirement]:
    lines = (line.split("#")[0].strip() for line in file.read_text().splitlines())
    wanted = (Requirement(line) for line in lines if line)
    there = {"python_version": runtime.PYTHON, "sys_platform": "linux", "platform_machine": runtime.of_lambda().machine}
    return [each for each in wanted if not each.marker or each.marker.evaluate(there)]


def faults(path: Path, wanted: list[Requirement], target: Target, more: Collection[str] = ()) -> list[str]:
    """Return everything that is wrong with a bundle for a target, in words; empty when it is fit. `more`: patterns of
    what it needs besides."""
    with ZipFile(path) as bundle:
        names = bundle.namelist()
        native = [name for name in names if name.endswith(".so") or ".so." in name or "/accelerator-" in name]
        libraries = {name: bundle.read(name)[:20] for name in native}
        modes = {name: bundle.getinfo(name).external_attr >> 16 for name in native if "/accelerator-" in name}
    found = [
        f"{pattern} is missing" for pattern in (*NEEDED, *more) if not any(fnmatch(name, pattern) for name in names)
    ]
    found += [f"{pattern} must not be in it" for pattern in NEVER if any(fnmatch(name, pattern) for name in names)]
    installed = {
        canonicalize_name(parts[0]): parts[1]
        for name in names
        if name.endswith(".dist-info/METADATA")
        for parts in [name.split("/")[0].removesuffix(".dist-info").split("-")]
    }
    for requirement in wanted:
        version = installed.get(canonicalize_name(requirement.name))
        if version is None:
            found.append(f"{requirement.name} has no wheel that fits the runtime")
        elif version not in requirement.specifier:
            found.append(f"{requirement.name} is {version}, but {requirement.specifier} is asked for")
    for name, header in libraries.items():
        if machine(header) != MACHINES[target.machine]:
            found.append(f"{name} is not made for {target.machine}")
        if ".cpython-" in name and target.tag not in name:
            found.append(f"{name} is not made for Python {target.python}")
    found += [f"{name} may not be executed" for name, mode in modes.items() if mode & 0o555 != 0o555]
    if path.stat().st_size > MOST_ZIPPED:
        found.append(f"it has {path.stat().st_size:,} bytes, more than {MOST_ZIPPED:,}")
    return found


def machine(header: bytes) -> int | None:
    """Return e_machine from the first 20 bytes of an ELF file; None for other files."""
    return int.from_bytes(header[18:20], "little") if header[:4] == b"\x7fELF" and len(header) >= 20 else None


def unzip(path: Path, folder: Path) -> None:
    """Unzip the bundle so that this machine can run it.

    What is compiled in it is Lambda's, so over it the same requirements and accelerator are put as this machine runs
    them.
    """
    with ZipFile(path) as bundle:
        for entry in bundle.infolist():
            Path(bundle.extract(entry, folder)).chmod(entry.external_attr >> 16)  # as Lambda does
    runtime.unpack(folder, CACHE, None)
    shutil.copy(accelerated(os.uname().machine, sys.platform), folder / "chalicelib" / "transform")


def run_alone(path: Path) -> None:
    """Run the unzipped bundle against a local AWS: one Firehose event, one admin call, one reconciliation.

    The interpreter is isolated: on its path are the standard library and the bundle. Raise InfraError with what the
    bundle said.
    """
    with tempfile.TemporaryDirectory() as scratch:
        unzipped = Path(scratch, "task")
        unzip(path, unzipped)
        with local_aws(Path(scratch, "home")) as endpoint_url:
            environment = {
                "PATH": os.defpath,
                "HOME": scratch,
                "STAGE": "local",
                "LAMBDA_TASK_ROOT": str(unzipped),
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_ACCESS_KEY_ID": "bundle",
                "AWS_SECRET_ACCESS_KEY": "bundle",
                "AWS_ENDPOINT_URL": endpoint_url,
            }
            probe = Path(__file__).with_name("bundle_probe.py").read_text()
            command = [sys.executable, "-I", "-S", "-B", "-c", probe, str(unzipped)]
            try:
                done = subprocess.run(  # noqa: S603
                    command, capture_output=True, text=True, env=environment, cwd=unzipped, timeout=120, check=False
                )
            except subprocess.TimeoutExpired as error:
                raise InfraError(f"The bundle hangs when it runs alone: {error.stdout!r} {error.stderr!r}") from error
    if done.returncode:
        raise InfraError(f"The bundle does not run alone:\n{done.stdout[-2000:]}{done.stderr[-4000:]}".rstrip())
    print(done.stdout.rstrip().splitlines()[-1])


@contextmanager
def local_aws(home: Path) -> Iterator[str]:
    """Start a local AWS in a process of its own; yield its endpoint URL: in this one, boto3 may be talking to the real
    one.
    """
    home.mkdir()
    command = [sys.executable, "-m", "local", "serve", "--port", "0", "--api-port", "0", "--home", str(home)]
    with Path(home, "said").open("w+") as said:
        process = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT)  # noqa: S603
        try:
            deadline = time.monotonic() + START
            while not (announced := server.running(home)):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise InfraError(f"The local AWS does not start:\n{Path(home, 'said').read_text()[-2000:]}")
                time.sleep(0.05)
            yield announced["endpoint_url"]
        finally:
            process.terminate()
            process.wait()


def described(bundle: Bundle) -> str:
    resources = json.loads(bundle.template.read_text())["Resources"]
    functions = sorted(name for name, resource in resources.items() if resource["Type"] == "AWS::Serverless::Function")
    return (
        f"{bundle.path.relative_to(ROOT) if bundle.path.is_relative_to(ROOT) else bundle.path}: "
        f"{bundle.zipped / 1e6:.1f} MB zipped, {bundle.unzipped / 1e6:.1f} MB unzipped, {len(functions)} functions, "
        f"Python {runtime.PYTHON} on {runtime.of_lambda().machine}"
        + ("" if runtime.interpreter() else f", without bytecode: there is no python{runtime.PYTHON} here to make it")
    )
