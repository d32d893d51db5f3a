"""Take the README's pictures of pages again: `python docs/pictures.py`.

It runs the demo on six hours of the made-up network and photographs the overview, and on the sample tweets and
photographs the report. The picture of the demo is made by docs/first_run.py. Needs Chromium.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
from PIL import Image
from rich.console import Console

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
HOURS = 6
sys.path.insert(0, str(ROOT))

from local import demo  # noqa: E402
from local.network.generated import Generated  # noqa: E402
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
    """Photograph the overview of six hours of the made-up network, sent by the demo."""
    with tempfile.TemporaryDirectory() as scratch:
        posts, home, picture = (Path(scratch, name) for name in ("posts.jsonl", "home", "overview.png"))
        posts.write_text("".join(map(told, last_hours(time.time()))))
        demo.run(Console(), posts, home, rate=0)
        photograph(home / "overview.html", picture, Path(scratch, "profile"), height=1500)
        with Image.open(picture) as opened:
            opened.save(IMAGES / "overview.webp", quality=80, method=6)


def last_hours(until: float) -> Iterator[dict[str, Any]]:
    """Yield the network's posts of the hours before a time, in seconds since 1970."""
    network = Generated(rate=1)
    first, last = (network.first(int((until - hours * 3600) * 1e6)) for hours in (HOURS, 0))
    events = (network.event(number) for number in range(first, last))
    yield from (event for event in events if event and "text" in event.get("commit", {}).get("record", {}))


def told(event: dict[str, Any]) -> str:
    """Return a post as a line that the producer takes."""
    record, commit = event["commit"]["record"], event["commit"]
    post = {"id": commit["rkey"], "user_id": event["did"], "lang": record["langs"][0]}
    return json.dumps({**post, "text": record["text"], "created_at": record["createdAt"]}) + "\n"


def photograph(page: Path, picture: Path, profile: Path, height: int = 1100) -> None:
    """Photograph a page in headless Chromium at 1,000 pixels' width."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome") or sys.exit("Chromium is not installed")
    quiet = ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"]
    command = [chromium, "--headless", "--no-sandbox", *quiet, "--disable-sync", f"--user-data-dir={profile}"]
    size = ["--hide-scrollbars", f"--window-size=1000,{height}"]
    subprocess.run([*command, *size, f"--screenshot={picture}", page.as_uri()], check=True, capture_output=True)  # noqa: S603


if __name__ == "__main__":
    main()
