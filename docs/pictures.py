"""Take the README's pictures of pages again: `python docs/pictures.py`.

It runs the simulated network and photographs its overview, and the demo and photographs its report. The picture of the
demo is made by docs/first_run.py. Needs Chromium.
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
MINUTES = 4
sys.path.insert(0, str(ROOT))

from local import demo  # noqa: E402
from local.server import LocalAws  # noqa: E402


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    overview()
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch, "home")
        demo.run(Console(), demo.SAMPLE, home, demo.RATE)
        with LocalAws(home, port=0, api_port=0, look_every=86_400) as aws:
            latest = f"{aws.admin_url}/reconciliations/latest"
            page = requests.get(latest, headers={"Accept": "text/html"}, timeout=30).text
        Path(scratch, "report.html").write_text(page)
        photograph(Path(scratch, "report.html"), IMAGES / "report.png", Path(scratch, "profile"))


def overview() -> None:
    """Photograph the overview of some minutes of the simulated network."""
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch, "home")
        live = ["--source", "simulated", "--seconds", str(MINUTES * 60), "--port", "0", "--api-port", "0"]
        subprocess.run([sys.executable, "-m", "local", "live", *live, "--home", home], cwd=ROOT, check=True)  # noqa: S603
        with LocalAws(home, port=0, api_port=0, look_every=86_400, collect_every=86_400) as aws:
            demo.job(aws.admin_url, "/reconciliations", {"repair": True})
            demo.keep_overview(aws.admin_url, Path(scratch, "overview.html"))
        photograph(Path(scratch, "overview.html"), Path(scratch, "overview.png"), Path(scratch, "profile"))
        with Image.open(Path(scratch, "overview.png")) as picture:
            picture.save(IMAGES / "overview.webp", quality=80, method=6)


def photograph(page: Path, picture: Path, profile: Path) -> None:
    """Photograph a page in headless Chromium at 1,000 pixels' width."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome") or sys.exit("Chromium is not installed")
    quiet = ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"]
    command = [chromium, "--headless", "--no-sandbox", *quiet, "--disable-sync", f"--user-data-dir={profile}"]
    size = ["--hide-scrollbars", "--window-size=1000,1100"]
    subprocess.run([*command, *size, f"--screenshot={picture}", page.as_uri()], check=True, capture_output=True)  # noqa: S603


if __name__ == "__main__":
    main()
