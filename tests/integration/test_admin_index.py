"""GET / names every route there is."""

from typing import Any

import requests

from app import app
from chalicelib.classifier import bundled
from chalicelib.transform import accelerator


def test_the_index_names_every_route_and_no_other(stack: Any) -> None:
    shown = requests.get(stack.admin_url + "/", timeout=30).json()
    declared = {
        f"{method} {path.replace('job_id', 'id')}" for path, methods in app.routes.items() for method in methods
    }
    assert set(shown["routes"]) == declared
    assert (shown["stage"], shown["classifier"]) == ("local", bundled.version())
    assert shown["accelerator"] == ("present" if accelerator.PROGRAM.exists() else "absent")
