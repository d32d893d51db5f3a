"""The report as a page: says what happened, at any width, in light and dark, with nothing from outside."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.reconcile import charts, page
from infra.stages import ROOT

REPORT = json.loads((ROOT / "tests" / "events" / "reconciliation_report.json").read_text())
JOB = "20260131T101500Z-abc123"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

browser = pytest.mark.browser
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="needs headless Chromium: apt-get install chromium")


def report(**changes: Any) -> dict[str, Any]:
    return {**REPORT, **changes}


def text_of(html: str) -> str:
    """What a reader sees, titles of SVG included."""
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.S).split())


def test_the_example_is_a_report() -> None:
    fastjsonschema.validate(json.loads((ROOT / "docs" / "reconciliation-report.schema.json").read_text()), REPORT)


def test_it_says_what_happened() -> None:
    told = text_of(page.render(REPORT, JOB))
    assert "Something needs a person" in told
    for number in ("412,345", "3,345", "2,445", "900"):
        assert number in told
    for finding in REPORT["findings"]:
        assert finding["s3_key"] in told and finding["state"] in told
    assert "it has 1,080 lines, its name says 1,980" in told
    assert "not_json" in told and "Lambda.FunctionTimedOut" in told and JOB in told
    assert "40.00 USD" in told and "DELETE /classifier/versions/comprehend-3f2a/endpoint" in told


@pytest.mark.parametrize("verdict", ["well", "repaired", "differs", "trouble"])
def test_each_verdict_has_its_headline(verdict: str) -> None:
    assert page.VERDICTS[verdict] in page.render(report(verdict=verdict), JOB)


def test_what_needs_a_person_says_what_to_do_whichever_hours_the_run_looked_at() -> None:
    told = page.render(report(findings=[]), JOB)
    for each in REPORT["outstanding"]["shown"]:
        assert each["finding_id"] in told and escape(each["to_do"]) in told and escape(each["s3_key"]) in told
    quiet = {**REPORT["outstanding"], "findings": 0, "shown": []}
    assert "Needs a person" not in page.render(report(outstanding=quiet), JOB)


def test_a_run_on_nothing_has_a_page() -> None:
    empty = report(
        verdict="well",
        looked_at={"from": None, "to": None, "hours": 0, "list_requests": 1, "swept": False},
        tweets=dict.fromkeys(REPORT["tweets"], 0),
        files=dict.fromkeys(REPORT["files"], 0),
        repairs={"transactions": 0, "files": 0, "left_files": 0, "stopped": None},
        findings=[],
        rejected={"tweets": 0, "files": 0, "reasons": [], "unread_tweets": 0},
        unanswered={"files": 0, "records": 0, "tweets": 0, "lost": 0, "shown": []},
        given_up={"manifests": 0, "shown": []},
        foreign_objects=[],
        twice={"tweets": 0, "extra_rows": 0},
        hours=[],
        kinds=[],
        idle_endpoints=None,
    )
    told = text_of(page.render(empty, JOB))
    assert "No hour was due" in told and "nothing had to be done" in told


class Tags(HTMLParser):
    """Checks that tags are closed as they were opened, and gathers them."""

    VOID = frozenset({"meta", "br", "rect", "path", "circle"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def tags(html: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(html)
    assert parser.open == []
    return parser.seen


def test_nothing_runs_and_nothing_is_fetched() -> None:
    html = page.render(REPORT, JOB)
    for tag, attributes in tags(html):
        assert tag not in {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
        assert not {"src", "href", "srcset", "action", "style"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
    assert "url(" not in html and "@import" not in html and "http" not in html.replace("http-equiv", "")


HOSTILE = st.text(st.sampled_from("<>&\"'/ab"), min_size=1) | st.text(min_size=1)


@given(HOSTILE)
@settings(max_examples=50, deadline=None)
def test_everything_is_escaped(text: str) -> None:
    hostile = report(
        findings=[{**REPORT["findings"][0], "s3_key": text, "detail": text}],
        rejected={"tweets": 1, "files": 1, "reasons": [{"reason": text, "tweets": 1}], "unread_tweets": 0},
        unanswered={
            **REPORT["unanswered"],
            "shown": [{**REPORT["unanswered"]["shown"][0], "s3_key": text, "error_codes": {text: 1}}],
        },
        foreign_objects=[text],
        kinds=[{"code": text, "name": text, "tweets": 2, "relevant": 1}],
        idle_endpoints=[{"version": text, "endpoint_arn": text, "idle_seconds": 3600, "cost_usd": 1.8}],
        repairs={**REPORT["repairs"], "stopped": text},
    )
    html = page.render(hostile, text)
    names = {tag for tag, _ in tags(html)}
    assert names <= {tag for tag, _ in tags(page.render(REPORT, JOB))} | {"ul", "li"}
    assert html.count(escape(text)) >= 8


@given(st.floats(0.001, 1e12))
def test_an_axis_ends_above_its_data_and_not_far(most: float) -> None:
    assert most <= charts.nice(most) * (1 + 1e-9) and charts.nice(most) <= 2.5 * most * (1 + 1e-9)
    assert charts.nice_seconds(most) >= most


def test_every_hour_has_a_cell_with_its_numbers() -> None:
    drawn = charts.strip(REPORT["hours"])
    assert drawn.count("<rect") == len(REPORT["hours"])
    troubled = next(hour for hour in REPORT["hours"] if hour["state"] == "troubled")
    assert f"{troubled['loaded']:,} of {troubled['tweets']:,} tweets" in drawn and 'class="mark"' in drawn


# ---- as a browser shows it

MEASURE = """
<!doctype html><meta charset="utf-8">
<iframe id="f" style="width:{width}px;height:800px;border:0" srcdoc="{page}"></iframe>
<pre id="out"></pre><script>
const frame = document.getElementById('f');
frame.onload = () => {{
  const doc = frame.contentDocument, root = doc.documentElement;
  const texts = [...doc.querySelectorAll('svg text')].map(e => e.getBoundingClientRect().height);
  document.getElementById('out').textContent = JSON.stringify({{
    width: root.clientWidth, content: root.scrollWidth,
    smallest: Math.min(...texts), charts: new Set([...doc.querySelectorAll('.charts section')].map(
      e => Math.round(e.getBoundingClientRect().left))).size,
    head: doc.querySelector('.wide thead').getBoundingClientRect().height,
    paper: doc.defaultView.getComputedStyle(doc.body).backgroundColor,
    ink: doc.defaultView.getComputedStyle(doc.body).color,
  }});
}};
</script>
"""


def chromium(directory: Path, file: Path, *options: str) -> str:
    """What headless Chromium prints."""
    assert CHROMIUM
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={directory}", *options]
    ended = subprocess.run([*command, file.as_uri()], capture_output=True, timeout=60, check=True, text=True)
    return ended.stdout


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield tmp_path_factory.mktemp("chromium")


def measured(profile: Path, width: int, *options: str) -> dict[str, Any]:
    file = profile / f"measure-{width}.html"
    html = page.render(REPORT, JOB)
    file.write_text(MEASURE.format(width=width, page=escape(html, quote=True)))
    dom = chromium(
        profile,
        file,
        "--virtual-time-budget=3000",
        "--window-size=1600,1000",
        "--hide-scrollbars",
        "--dump-dom",
        *options,
    )
    found = re.search(r'<pre id="out">(\{.*?\})</pre>', dom)
    assert found, dom[-2000:]
    measures: dict[str, Any] = json.loads(found[1])
    return measures


@browser
@needs_chromium
@pytest.mark.parametrize(("width", "columns"), [(320, 1), (390, 1), (768, 2), (1280, 2)])
def test_it_fits_phones_and_desktops(profile: Path, width: int, columns: int) -> None:
    seen = measured(profile, width)
    assert seen["content"] <= seen["width"], "it scrolls sideways"
    assert seen["smallest"] >= 9, "letters in charts are too small to read"
    assert seen["charts"] == columns
    assert (seen["head"] == 0) == (width < 640), "on a phone rows of tables stand as blocks"


@browser
@needs_chromium
def test_light_and_dark(profile: Path) -> None:
    light, dark = (measured(profile, 800, f"--blink-settings=preferredColorScheme={scheme}") for scheme in (1, 0))
    assert (light["paper"], dark["paper"]) == ("rgb(255, 255, 255)", "rgb(13, 17, 23)")
    assert light["ink"] != dark["ink"]


@browser
@needs_chromium
def test_it_prints(profile: Path) -> None:
    file, pdf = profile / "page.html", profile / "page.pdf"
    file.write_text(page.render(REPORT, JOB))
    chromium(profile, file, f"--print-to-pdf={pdf}", "--no-pdf-header-footer")
    pages = len(re.findall(rb"/Type\s*/Page\b", pdf.read_bytes()))
    assert 1 <= pages <= 4
