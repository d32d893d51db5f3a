"""Take the README's pictures of pages again: `python docs/pictures.py`.

It runs the demo and photographs the overview and the report. The picture of the demo is made by docs/first_run.py.
Needs Chromium.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import requests
from PIL import Image
from rich.console import Console

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
sys.path.insert(0, str(ROOT))

from local import demo  # noqa: E402
from local.server import LocalAws  # noqa: E402


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        home, profile, overview = (Path(scratch, name) for name in ("home", "profile", "overview.png"))
        demo.run(Console(), None, home, demo.RATE)
        photograph(home / "overview.html", overview, profile, height=1500)
        with Image.open(overview) as opened:
            opened.save(IMAGES / "overview.webp", quality=80, method=6)
        with LocalAws(home, port=0, api_port=0, look_every=86_400) as aws:
            latest = f"{aws.admin_url}/reconciliations/latest"
            page = requests.get(latest, headers={"Accept": "text/html"}, timeout=30).text
        Path(scratch, "report.html").write_text(page)
        photograph(Path(scratch, "report.html"), IMAGES / "report.png", profile)


def photograph(page: Path, picture: Path, profile: Path, height: int = 1100) -> None:
    """Photograph a page in headless Chromium at 1,000 pixels' width."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome") or sys.exit("Chromium is not installed")
    quiet = ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"]
    command = [chromium, "--headless", "--no-sandbox", *quiet, "--disable-sync", f"--user-data-dir={profile}"]
    size = ["--hide-scrollbars", f"--window-size=1000,{height}"]
    subprocess.run([*command, *size, f"--screenshot={picture}", page.as_uri()], check=True, capture_output=True)  # noqa: S603


if __name__ == "__main__":
    main()
