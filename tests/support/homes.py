"""Homes of the local AWS with the warehouse set up: made once a run of the tests, and copied."""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path

from tests.support.admin_api import finished
from tests.support.served import served


def prepared(folder: Path) -> Path:
    """Return a home in the folder that nobody serves from; the first of several processes that ask makes it."""
    home = folder / "prepared"
    with (folder / "prepared.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.exists():
            making = folder / "making"
            with served(making, "--look-every", "86400") as aws:
                finished(aws.admin_url, "/warehouse/setup")
                aws.stop()
            making.rename(home)
    return home


def copied(prepared: Path, home: Path) -> Path:
    """Copy a prepared home to a folder, which may be there; return that."""
    return Path(shutil.copytree(prepared, home, dirs_exist_ok=True))
