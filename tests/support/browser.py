"""Headless Chromium: a page as it is laid out at several widths, and printed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

browser = pytest.mark.browser
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="needs headless Chromium: apt-get install chromium")

FRAME = '<iframe style="width:{width}px;height:800px;border:0" srcdoc="{page}"></iframe>'
MEASURE = """
<!doctype html><meta charset="utf-8">{frames}
<pre id="out"></pre><script>
function measured(frame) {{
  const doc = frame.contentDocument, root = doc.documentElement;
  const texts = [...doc.querySelectorAll('svg text')].map(e => e.getBoundingClientRect().height);
  return {{
    width: root.clientWidth, content: root.scrollWidth,
    smallest: Math.min(...texts), charts: new Set([...doc.querySelectorAll('.charts section')].map(
      e => Math.round(e.getBoundingClientRect().left))).size,
    head: doc.querySelector('thead').getBoundingClientRect().height,
    paper: doc.defaultView.getComputedStyle(doc.body).backgroundColor,
    ink: doc.defaultView.getComputedStyle(doc.body).color,
  }};
}}
window.onload = () => {{
  const all = [...document.querySelectorAll('iframe')].map(measured);
  document.getElementById('out').textContent = JSON.stringify(all);
}};
</script>
"""


def chromium(directory: Path, file: Path, *options: str) -> str:
    """What headless Chromium prints."""
    assert CHROMIUM
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={directory}", *options]
    ended = subprocess.run([*command, file.as_uri()], capture_output=True, timeout=60, check=True, text=True)
    return ended.stdout


def measured(profile: Path, html: str, widths: Sequence[int], *options: str) -> list[dict[str, Any]]:
    """What a page measures at each width, in one run of the browser."""
    file = profile / "measure.html"
    frames = "".join(FRAME.format(width=width, page=escape(html)) for width in widths)
    file.write_text(MEASURE.format(frames=frames))
    window = ("--virtual-time-budget=3000", "--window-size=1600,1000", "--hide-scrollbars", "--dump-dom")
    dom = chromium(profile, file, *window, *options)
    found = re.search(r'<pre id="out">(\[.*?\])</pre>', dom)
    assert found, dom[-2000:]
    measures: list[dict[str, Any]] = json.loads(found[1])
    return measures


def printed(profile: Path, html: str) -> int:
    """How many pages of paper a page takes."""
    file, pdf = profile / "page.html", profile / "page.pdf"
    file.write_text(html)
    chromium(profile, file, f"--print-to-pdf={pdf}", "--no-pdf-header-footer")
    return len(re.findall(rb"/Type\s*/Page\b", pdf.read_bytes()))
