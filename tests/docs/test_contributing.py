"""What CONTRIBUTING.md, CHANGELOG.md and `make help` say is so."""

import ast
import re
import subprocess
import tomllib

import pytest
import yaml

from tests.support import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()


def test_make_alone_lists_every_command() -> None:
    said = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    phony = set(re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[0].split())
    assert {line.split()[1] for line in said.splitlines()} == phony - {"ready"}  # which others need, and nobody types
    assert all(len(line.split(maxsplit=2)) == 3 for line in said.splitlines())


def test_every_make_command_that_a_page_names_is_there() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "local" / "README.md", *(ROOT / "docs").glob("*.md")]
    code = "\n".join(
        re.findall(r"```sh\n(.*?)```|`([^`\n]+)`", page.read_text(), re.DOTALL).__str__() for page in pages
    )
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)", code))
    assert {"demo", "test", "live", "soak"} <= named
    assert named <= set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def test_the_version_is_one() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())["info"]["version"] == version


def test_what_runs_before_a_commit_is_what_make_lint_runs() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    lint = re.search(r"^lint:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert lint
    typed = lint[1].replace("$(BIN)", ".venv/bin").replace("$(PY)", ".venv/bin/python")
    assert [line.strip("\t@").removesuffix(" .") for line in typed.splitlines()] == [hook["entry"] for hook in hooks]


def test_every_test_lies_in_a_tier_that_the_page_names() -> None:
    named = set(re.findall(r"`tests/([a-z]+)`", (ROOT / "CONTRIBUTING.md").read_text())) - {"support", "events"}
    assert {path.relative_to(ROOT / "tests").parts[0] for path in (ROOT / "tests").rglob("test_*.py")} == named


def test_a_local_aws_is_started_in_one_way() -> None:
    starts = re.compile(r'"-m", ?"local"|executable\} -m local|\bLocalAws\(')
    paths = sorted((ROOT / "tests").rglob("*.py"))
    found = [str(path.relative_to(ROOT)) for path in paths if starts.search(path.read_text())]
    assert found == ["tests/conftest.py", "tests/support/served.py"], (
        "take the fixture stack, or tests/support/served.py"
    )


LISTS = {
    title: (example, re.findall(r"`([a-z_]+(?:/[A-Za-z_-]+)*(?:\.[a-z]+|/))`", body))
    for title, example, body in re.findall(
        r"^### (.*)\n\nExample: `(.*)`\n\n((?:.+\n)+)", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE
    )
}
WITHOUT = {("A route", "chalicelib/admin/"), ("A route", "infra/policies.py"), ("A route", "docs/admin-api.md")}
WITHOUT |= {("A migration", "docs/data-model.md"), ("A service of the local AWS", "docs/fidelity.md")}
"""Files of a list that name the example in other words, or that it did not need."""


def test_there_are_five_lists_of_places_to_touch() -> None:
    assert len(LISTS) == 5 and all(len(paths) >= 2 for _, paths in LISTS.values()), LISTS


@pytest.mark.parametrize("title", LISTS)
def test_every_place_to_touch_has_the_example(title: str) -> None:
    example, paths = LISTS[title]
    for path in paths:
        found = sorted((ROOT / path).glob("*")) if path.endswith("/") else [ROOT / path]
        assert found and all(file.exists() for file in found), path
        if (title, path) not in WITHOUT:
            assert any(example in file.read_text(errors="ignore") for file in found if file.is_file()), (path, example)


NO_IMPERATIVES = re.compile(
    r"(?:What|Which|Where|Whether|How|Who|When|Whose|The|An?|Of|Those|All|Its?|Every|Each|One|(?!Pass|Compress|Address)[A-Z]\w+s)\b"
)
WITH_FUNCTIONS = (
    "app.py",
    "producer.py",
    "readers.py",
    "chalicelib",
    "sources",
    "label_prep",
    "local",
    "benchmarks",
    "mutants",
)


def test_docstrings_of_functions_begin_with_an_imperative() -> None:
    begun = []
    for path in sorted(
        path for name in WITH_FUNCTIONS for path in [ROOT / name, *(ROOT / name).rglob("*.py")] if path.is_file()
    ):
        for node in ast.walk(ast.parse(path.read_text())):
            said = ast.get_docstring(node) if isinstance(node, ast.FunctionDef) else None
            if said and NO_IMPERATIVES.match(said):
                begun.append(f"{path.name}: {said[:60]}")
    assert begun == []
