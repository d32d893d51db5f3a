"""Over the attack corpus no function takes more memory than half of what it has, measured in a process of its own.

The other half is for what isn't there in this process: Lambda's runtime and open connections.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support import ROOT, peak

CONFIG = json.loads((ROOT / ".chalice" / "config.json").read_text())
MEMORY = {
    name: min(stage["lambda_functions"][name]["lambda_memory_size"] for stage in CONFIG["stages"].values())
    for name in peak.FUNCTIONS
}
"""MB of each function, on the stage that gives it the least."""


@pytest.mark.parametrize("function", peak.FUNCTIONS)
def test_a_function_keeps_within_half_of_its_memory(function: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.peak", function], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = [json.loads(line) for line in done.stderr.splitlines() if line.startswith('{"attack"')]
    assert [each["attack"] for each in found] == peak.FUNCTIONS[function][1]
    assert [each for each in found if each["peak_mib"] > MEMORY[function] / 2] == []
