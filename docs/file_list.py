"""Write the list of modules in architecture.md from their docstrings: `python docs/file_list.py`."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "architecture.md"
TOP = ("app.py", "producer.py", "readers.py")
PACKAGES = (
    "chalicelib",
    "sources",
    "label_prep",
    "place_prep",
    "analysis",
    "infra",
    "local",
    "accelerator",
    "mutants",
    "benchmarks",
)
SECTION = re.compile(r"(?<=<!-- files: python docs/file_list.py -->\n).*?(?=<!-- /files -->)", re.DOTALL)


def modules() -> Iterator[Path]:
    """Yield the Python files that the list has, in its order."""
    yield from (ROOT / name for name in TOP)
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"), key=lambda path: (path.parent, path.name))


def summary(path: Path) -> str:
    """Return the first sentence of a module's docstring, on one line. Raises ValueError where there is none."""
    text = ast.get_docstring(ast.parse(path.read_text()))
    if not text:
        raise ValueError(f"{path.relative_to(ROOT)} has no docstring")
    return re.split(r"(?<=\.)\s|\n\n", text, maxsplit=1)[0].replace("\n", " ").strip()


def listed() -> str:
    """Return the section: a table for each folder, a line for each module."""
    out = []
    for folder, paths in itertools.groupby(modules(), key=lambda path: path.parent):
        name = "" if folder == ROOT else f"{folder.relative_to(ROOT)}/"
        out.append(f"\n| {name or 'top level'} | |\n|---|---|\n")
        out += [f"| `{path.name}` | {summary(path).replace('|', chr(92) + '|')} |\n" for path in paths]
    return "".join(out) + "\n"


if __name__ == "__main__":
    PAGE.write_text(SECTION.sub(lambda _: listed(), PAGE.read_text()))
