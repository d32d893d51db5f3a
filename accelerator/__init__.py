"""Builds the accelerator from its sources beside this file. What it is for says docs/architecture.md."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

SOURCES = Path(__file__).resolve().parent
HOME = SOURCES.parent / "chalicelib" / "transform"
"""Where the transform looks for it."""


class BuildError(Exception):
    """The compiler is missing, or refused the sources."""


def name(machine: str, system: str = sys.platform) -> str:
    """Return the program's file name for a machine, named as `os.uname()` names it."""
    return f"accelerator-{system}-{machine}"


def has_compiler() -> bool:
    return importlib.util.find_spec("ziglang") is not None


def digest() -> str:
    """Return what changes with the sources and with the compiler."""
    compiler = version("ziglang") if has_compiler() else ""
    found = hashlib.sha256(compiler.encode())
    for path in sorted(SOURCES.glob("*.zig")):
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()


def build(machine: str, folder: Path, system: str = sys.platform) -> Path:
    """Build the program for a machine into a folder, unless it is there already. Raises BuildError."""
    program = folder / name(machine, system)
    made_from = program.with_name(program.name + ".sources")
    wanted = digest()
    if program.exists() and made_from.exists() and made_from.read_text() == wanted:
        return program
    compile_into(program, machine, system)
    made_from.write_text(wanted)
    return program


def compile_into(
    program: Path, machine: str, system: str, sources: Path = SOURCES, optimize: str = "ReleaseSafe"
) -> None:
    """Run the compiler. `ReleaseSafe` and `Debug` check every index and every sum. Raises BuildError."""
    if not has_compiler():
        raise BuildError("ziglang is not installed: make setup installs it")
    target = f"{machine.replace('arm64', 'aarch64')}-{'macos' if system == 'darwin' else system}"
    with tempfile.TemporaryDirectory(dir=program.parent, prefix=".accelerator-") as scratch:
        made = Path(scratch, "made")
        command = [sys.executable, "-m", "ziglang", "build-exe", str(sources / "main.zig"), f"-femit-bin={made}"]
        command += ["-O", optimize, "-fstrip", "-target", target, "--cache-dir", scratch]
        command += ["-lc"] if system == "darwin" else []
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise BuildError(f"the accelerator can't be built:\n{done.stderr[-4000:]}")
        made.replace(program)


def forget(folder: Path = HOME) -> None:
    """Remove a program that other sources were built into."""
    for made_from in folder.glob("accelerator-*.sources"):
        made_from.with_suffix("").unlink(missing_ok=True)
        made_from.unlink()
