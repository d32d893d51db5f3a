"""Tests on every CPython from 3.11 up that this machine has; for the others, that the pins resolve to wheels.

The interpreter that runs this has passed `make test`. Each has its own virtual environment, `.venv-3.N`, which is kept.
"""
# ruff: noqa: S603, T201

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
SUPPORTED = [(3, minor) for minor in range(11, 15)]
PINS = tuple(ROOT / name for name in ("requirements.txt", "requirements-local.txt", "requirements-dev.txt"))
TESTS = ("tests/unit", "tests/integration/test_whole_flow.py")
"""What another interpreter may break: the code, and what serves it. All tests would take minutes on each."""
Version = tuple[int, int]


def found() -> dict[Version, str]:
    """Return interpreters that start and can make a virtual environment, by version: on the path, or made by pyenv."""
    working: dict[Version, str] = {}
    for candidate in candidates():
        asked = subprocess.run(
            [
                candidate,
                "-c",
                "import sys, ssl, sqlite3, ensurepip; print(*sys.version_info[:2], sys.implementation.name)",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if asked.returncode == 0:
            major, minor, implementation = asked.stdout.split()
            if implementation == "cpython":
                working.setdefault((int(major), int(minor)), candidate)
    return working


def candidates() -> Iterator[str]:
    for folder in map(Path, os.get_exec_path()):
        if folder.is_dir():
            yield from sorted(str(path) for path in folder.iterdir() if re.fullmatch(r"python3\.\d+", path.name))
    made = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    yield from sorted((str(path) for path in made.glob("3.*/bin/python3")), reverse=True)


def tests(python: str, version: Version) -> bool:
    """Run the tests; return whether they pass. What CI does beside them (linters, scanners) is the same for every
    interpreter.
    """
    environment = f".venv-{named(version)}"
    subprocess.run(["make", "setup", f"PYTHON={python}", f"VENV={environment}"], cwd=ROOT, check=True)  # noqa: S607
    command = [str(ROOT / environment / "bin" / "python"), "-m", "pytest", "--numprocesses", "auto"]
    return subprocess.run([*command, *TESTS], cwd=ROOT, check=False).returncode == 0


def resolves(version: Version) -> bool:
    """Return whether every pin that applies to a version has a wheel for it.

    Markers are judged here, for pip judges them by the interpreter that it runs on.
    """
    with tempfile.TemporaryDirectory() as scratch:
        for pins in PINS:
            applicable = Path(scratch, pins.name)
            applicable.write_text("\n".join(pinned(pins.read_text(), version)))
            command = [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--dry-run"]
            command += [
                "--ignore-installed",
                "--no-deps",
                "--only-binary=:all:",
                "--target",
                str(Path(scratch, "none")),
            ]
            command += ["--implementation", "cp", "--python-version", named(version), "--requirement", str(applicable)]
            if subprocess.run(command, check=False).returncode:
                return False
    return True


def pinned(lines: str, version: Version) -> Iterator[str]:
    """`name==version` of the requirements that apply to a version of Python, without their markers."""
    environment = {"python_version": named(version), "python_full_version": f"{named(version)}.0"}
    for line in filter(None, lines.splitlines()):
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            yield f"{requirement.name}{requirement.specifier}"


def named(version: Version) -> str:
    return ".".join(map(str, version))


def main() -> int:
    here, failed = found(), []
    for version in SUPPORTED:
        began = time.monotonic()
        if version == sys.version_info[:2]:
            does, passed = "tested by make test", True
        elif version in here:
            does, passed = f"tests with {here[version]}", tests(here[version], version)
        else:
            does, passed = "not on this machine: the pins resolve to wheels", resolves(version)
        print(
            f"Python {named(version)}: {does}: {'ok' if passed else 'FAILED'}, {time.monotonic() - began:.0f} s",
            flush=True,
        )
        failed += [] if passed else [version]
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
