"""What emulates AWS imports nothing of the app, so that it can be lifted out; what wires the app to it may."""

import ast
from pathlib import Path

import pytest

LOCAL = Path(__file__).parents[2] / "local"
OF_THE_APP = {"app", "chalicelib", "infra", "label_prep", "producer", "readers", "sources"}
EMULATOR = sorted((LOCAL / "aws").rglob("*.py"))


@pytest.mark.parametrize("path", EMULATOR, ids=lambda path: str(path.relative_to(LOCAL)))
def test_the_emulator_imports_nothing_of_the_app_and_nothing_of_the_wiring(path: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported |= {node.module or "", *(f"{node.module}.{each.name}" for each in node.names)}
    assert not {name for name in imported if name.split(".")[0] in OF_THE_APP}
    wiring = {name for name in imported if f"{name}.".startswith("local.")} - {"local"}
    assert all(f"{name}.".startswith("local.aws.") for name in wiring)


def test_there_is_an_emulator() -> None:
    assert {"functions.py", "s3.py", "kinesis.py"} <= {path.name for path in EMULATOR} and len(EMULATOR) > 30
