"""What only some functions need, the others don't import."""

from __future__ import annotations

import subprocess
import sys

from tests.support import ROOT

IMPORTS = """
import sys
import app
from chalicelib.admin import dispatch, index
from chalicelib.reconcile import look, run
from chalicelib.transform import handler
print(*(name for name in ("jinja2", "markupsafe") if name in sys.modules))
"""


def test_templates_are_imported_by_whoever_writes_a_page_and_nobody_else() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTS], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


LOADED = """
import app
from chalicelib.places import gazetteer
from chalicelib.transform import handler
print(gazetteer.gazetteer.cache_info().currsize)
"""


def test_the_gazetteer_is_loaded_with_the_first_tweet_and_by_no_import() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"
