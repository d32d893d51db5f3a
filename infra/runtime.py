"""Define the functions' runtime, whichever Python deploys: the newest that Chalice and every wheel support.

Chalice names the runtime after the interpreter that it runs in, and packs that one's wheels. So it is told the runtime
(chalice_cli.py), and finds the wheels unpacked (`unpack`).
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

from infra.stages import ROOT, InfraError, chalice_config

PYTHON = "3.14"
"""Looked up on 30 November 2026: Chalice 1.34 knows 3.15 as well, but orjson has no wheel for it yet."""
GLIBC = 34
"""2.34, of Amazon Linux 2023, on which runtimes are since Python 3.12:
docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html"""
REQUIREMENTS = ROOT / "requirements.txt"
COMPILE = """
import compileall, py_compile, sys
unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
sys.exit(not compileall.compile_dir(sys.argv[1], ddir=sys.argv[2], quiet=1, invalidation_mode=unchecked))
"""


class Target(NamedTuple):
    """A Python (`3.14`) and a machine, named as `os.uname()` names it."""

    python: str
    machine: str

    @property
    def tag(self) -> str:
        """Return the tag in the names of compiled modules."""
        return f"cpython-{self.python.replace('.', '')}-{self.machine}"


def of_lambda() -> Target:
    """Return what the functions run on. The architecture is in `.chalice/config.json`, where Chalice reads it too."""
    return Target(PYTHON, str(chalice_config()["lambda_architecture"]).replace("arm64", "aarch64"))


def unpack(into: Path, cache_folder: Path, target: Target | None) -> None:
    """Copy the pinned requirements, as wheels for a target have them, or for this machine where it is None.

    Raise InfraError where one has no wheel that fits: nothing is compiled.
    """
    said = [REQUIREMENTS.read_bytes(), repr(target or (sys.version, sys.platform)).encode()]
    kept = cache_folder / f"wheels-{hashlib.sha256(b''.join(said)).hexdigest()[:16]}"
    if not kept.exists():
        with tempfile.TemporaryDirectory(dir=cache_folder) as scratch:
            _install(Path(scratch, "made"), target)
            with suppress(OSError):  # another process was faster
                Path(scratch, "made").rename(kept)
    shutil.copytree(kept, into, dirs_exist_ok=True)


def _install(folder: Path, target: Target | None) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-compile", "--only-binary=:all:", "--target", str(folder), "--requirement", str(REQUIREMENTS)]
    if target:
        tag = f"cp{target.python.replace('.', '')}"
        command += ["--implementation", "cp", "--python-version", target.python]
        command += [each for abi in (tag, "abi3", "none") for each in ("--abi", abi)]
        platforms = [f"manylinux_2_{minor}_{target.machine}" for minor in range(17, GLIBC + 1)]
        command += [each for platform in (*platforms, "any") for each in ("--platform", platform)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        wanted = f"Python {target.python} on {target.machine}" if target else "this machine"
        raise InfraError(f"A requirement has no wheel for {wanted}:\n{done.stderr[-2000:]}")
    shutil.rmtree(folder / "bin", ignore_errors=True)


@cache
def interpreter() -> str | None:
    """Return an interpreter of the runtime's version, None where there is none: only that one makes its bytecode."""
    if sys.version_info[:2] == tuple(map(int, PYTHON.split("."))):
        return sys.executable
    found = shutil.which(f"python{PYTHON}")
    if found is None or subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode:  # noqa: S603
        return None
    return found


def compile_folder(folder: Path, prefix: str) -> bool:
    """Compile the modules of a folder, which lies at `prefix` in the bundle, to bytecode that Python takes unchecked.

    Lambda's file system is read-only: without bytecode in the bundle every cold start compiles anew. The zip's times
    mean nothing, so Python must not compare them (PEP 552). Return False where no interpreter can.
    """
    python = interpreter()
    if python is None:
        return False
    command = [python, "-c", COMPILE, str(folder), f"/var/task/{prefix}"]
    subprocess.run(command, capture_output=True, check=True)  # noqa: S603
    return True
