"""Takes the README's picture of the report again: `python docs/pictures.py` runs the demo, and photographs its report.

The picture of the demo is made by docs/first_run.py.

Needs Chromium for the report.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import requests
from rich.console import Console

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
sys.path.insert(0, str(ROOT))


def main() -> None:
    from local import demo
    from local.server import LocalAws

    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch, "home")
        demo.run(Console(), demo.SAMPLE, home, demo.RATE)
        with LocalAws(home, port=0, api_port=0, look_every=86_400) as aws:
            latest = f"{aws.admin_url}/reconciliations/latest"
            page = requests.get(latest, headers={"Accept": "text/html"}, timeout=30).text
        Path(scratch, "report.html").write_text(page)
        photograph(Path(scratch, "report.html"), IMAGES / "report.png", Path(scratch, "profile"))


def photograph(page: Path, picture: Path, profile: Path) -> None:
    """Photograph a page in headless Chromium at 1,000 pixels' width."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome") or sys.exit("Chromium is not installed")
    quiet = ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"]
    command = [chromium, "--headless", "--no-sandbox", *quiet, "--disable-sync", f"--user-data-dir={profile}"]
    size = ["--hide-scrollbars", "--window-size=1000,1100"]
    subprocess.run([*command, *size, f"--screenshot={picture}", page.as_uri()], check=True, capture_output=True)  # noqa: S603


if __name__ == "__main__":
    main()
