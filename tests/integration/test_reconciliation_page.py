"""The report as a page: says what happened, at any width, in light and dark, with nothing from outside."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import escape

from chalicelib.pages import charts, templating
from chalicelib.pages import evaluation as evaluation_page
from chalicelib.pages import job as job_page
from chalicelib.pages import reconciliation as page
from infra.stages import ROOT
from tests.support import browser as browsers
from tests.support.browser import browser, needs_chromium
from tests.support.page_parts import part

REPORT = json.loads((ROOT / "tests" / "events" / "reconciliation_report.json").read_text())
JOB = "20260131T101500Z-abc123"


LABELS = {f"kind_{n}": {"support": 100 - n, "f1": 0.7} for n in range(22)}
EVALUATION = {
    "scored": 2000,
    "data": "s3://disaster-tweets-prod/classifier/data/test.csv",
    "documents": 4000,
    "sampled": 2000,
    "head": "disaster",
    "versions": [
        {
            "version": version,
            "accuracy": 0.8,
            "accuracy_interval": [0.78, 0.82],
            **dict.fromkeys(("precision_macro", "recall_macro", "f1_macro"), 0.7),
            "answered": 2000,
            "usd_a_day": 43.2,
            "labels": LABELS,
        }
        for version in ("bundled-1", "comprehend-2026-11-24-everything", "x" * 63)
    ],
    "comparisons": [{"a": "bundled-1", "b": "x" * 63, "only_a_right": 120, "only_b_right": 180, "p": 0.0012}],
}


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


@pytest.mark.parametrize("kind", ["reconciliations", "evaluations"])
def test_a_job_without_a_report_has_a_page_that_says_why_and_what_to_do(kind: str) -> None:
    job = {
        "kind": kind,
        "id": JOB,
        "status": "failed",
        "error": "<b>no such workgroup</b>",
        "started_at": "2026-01-31T10:15:00Z",
    }
    html = job_page.render(job)
    assert tags(html)
    told = text_of(html)
    assert "failed" in told and "&lt;b&gt;no such workgroup&lt;/b&gt;" in told and "Do:" in told and JOB in told
    running = {**job, "status": "running", "progress": {"step": "listing tweet files", "done": 1200, "of": 5000}}
    assert "still running So far: listing tweet files (1,200 of 5,000)." in text_of(job_page.render(running))


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


TAGS = {tag for tag, _ in tags(page.render(REPORT, JOB))}
HOSTILE = st.text(st.sampled_from("<>&\"'/ab"), min_size=1) | st.text(min_size=1)


@given(HOSTILE)
@settings(max_examples=50, deadline=None)
def test_everything_is_escaped(text: str) -> None:
    hostile = report(
        findings=[{**REPORT["findings"][0], "s3_key": text, "detail": text}],
        rejected={
            "tweets": 1,
            "files": 1,
            "reasons": [{"reason": text, "tweets": 1}],
            "unread_tweets": 0,
            "samples": [{"reason": text, "message": text, "s3_key": text, "line": 1}],
        },
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
    assert names <= TAGS | {"ul", "li"}
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


OUTSTANDING = {
    "findings": 2,
    "untold": 0,
    "tweets": 900,
    "orphaned": 1,
    "unreadable": 1,
    "refused": 0,
    "unanswered": 0,
    "shown": [
        {
            "finding_id": "f0123456789abcde",
            "s3_key": "tweets/dt=2026-11-20/hh=10/aaa-1980.ndjson.gz",
            "kind": "unreadable",
            "hour": "2026-11-20T10:00:00Z",
            "expected_rows": 1980,
            "found_rows": 1080,
            "tweets": 900,
            "detail": "it has 1,080 lines, its name says 1,980",
            "opened_at": "2026-11-20T11:00:00Z",
            "told_at": None,
            "to_do": "Restore an earlier version of the file.",
        }
    ],
}


def test_what_needs_a_person_comes_first_with_why_and_what_to_do() -> None:
    told = text_of(page.render(report(outstanding=OUTSTANDING), JOB))
    places = [
        told.index(words)
        for words in (
            "Needs a person",
            "aaa-1980.ndjson.gz",
            "900 tweets are in no row",
            "it has 1,080 lines, its name says 1,980",
            "Restore an earlier version of the file.",
            "POST /findings/f0123456789abcde/resolve",
            "1 more",
            "tweets in files",
            "Files in trouble",
            "Hours and their state",
        )
    ]
    assert places == sorted(places)


def test_files_that_need_a_person_stand_before_those_that_were_mended_each_with_what_to_do() -> None:
    told = text_of(part("findings", REPORT))
    places = [
        told.index(words) for words in ("could not be loaded", "orphans are never", "the next run", "loaded again")
    ]
    assert places == sorted(places)
    for finding in REPORT["findings"]:
        assert page.to_do(finding) in told.replace("&#34;", '"')


@pytest.mark.parametrize(
    ("state", "expected", "rows", "found", "said"),
    [
        ("orphaned", 0, 14_480, 1, "14,480 rows of no file"),
        ("orphaned", 500, 500, 500, "500 rows of no file"),
        ("partial", 0, 388, 388, "388 rows of no file"),
        ("missing", 1, 0, 0, "0 of 1 line"),
        ("partial", 1980, 1000, 990, "990 of 1,980 lines, 10 rows too many"),
        ("excess", 1980, 1981, 1980, "1,980 of 1,980 lines, 1 row too many"),
    ],
)
def test_what_was_found_is_said_in_words(state: str, expected: int, rows: int, found: int, said: str) -> None:
    finding = {"state": state, "expected_rows": expected, "found_rows": rows, "found_lines": found}
    assert page.loaded_lines(finding) == said


def test_an_hour_that_is_not_over_ends_now() -> None:
    told = text_of(page.render(report(as_of="2026-11-24T10:24:38Z"), JOB))
    assert "2026-11-22 00:00 to 2026-11-24 10:24 UTC" in told
    assert "to 2026-11-24 10:59 UTC" in text_of(page.render(report(as_of="2026-11-24T12:00:00Z"), JOB))


@pytest.mark.parametrize(
    "hours", [REPORT["hours"], REPORT["hours"][-24:], [*REPORT["hours"][-30:-20], *REPORT["hours"][-9:]]]
)
@pytest.mark.parametrize("chart", [charts.arrivals, charts.lag])
def test_labels_stand_under_the_bars_of_their_hours(chart: Any, hours: Any) -> None:
    drawn = chart(hours)
    bars = {
        told: float(x) + float(width) / 2
        for told, x, width in re.findall(
            r'<title>(\S+ \S+):.*?<rect class="\w+" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', drawn
        )
    }
    ticks = [float(x) for x in re.findall(r'<path class="grid" d="M([\d.]+) [\d.]+v5"/>', drawn)]
    labels = [(float(x), text) for x, text in re.findall(r'<text x="([\d.]+)" y="146.0"[^>]*>([^<]+)<', drawn)]
    assert ticks == [x for x, _ in labels] != []
    seen = 0
    for told, middle in bars.items():
        day, hour = told.split()
        wanted = hour if ":" in labels[0][1] else charts.short_day(day) if hour == "00:00" else ""
        if places := [x for x, text in labels if text == wanted]:
            assert min(abs(x - middle) for x in places) < 0.2
            seen += 1
    assert seen


def luminance(colour: str) -> float:
    """Of a colour, as WCAG 2 defines it (www.w3.org/TR/WCAG22/#dfn-relative-luminance)."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    linear = [
        (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4)
        for value in (int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_that_stand_side_by_side_can_be_told_apart(scheme: str) -> None:
    light, dark, *_ = re.findall(r":root \{(.*?)\}", templating.style(), re.S)
    colours = dict(re.findall(r"--(\w+): (#\w+)", light)) | (
        dict(re.findall(r"--(\w+): (#\w+)", dark)) if scheme == "dark" else {}
    )
    for one, other in (("bar", "calm"), ("bar", "weak")):
        assert contrast(colours[one], colours[other]) >= 2, (one, other)
    for shown in ("bar", "weak", "calm", "good", "bad", "amber"):
        assert contrast(colours[shown], colours["paper"]) >= 1.5, shown


# ---- as a browser shows it


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield tmp_path_factory.mktemp("chromium")


LIGHT, DARK = (f"--blink-settings=preferredColorScheme={scheme}" for scheme in (1, 0))
Measures = dict[int, dict[str, Any]]
"""By the width of the window. A run of the browser takes them all."""


def measured(profile: Path, html: str, widths: Sequence[int], scheme: str = LIGHT) -> Measures:
    return dict(zip(widths, browsers.measured(profile, html, widths, scheme), strict=True))


@pytest.fixture(scope="module")
def shown(profile: Path) -> Measures:
    return measured(profile, page.render(report(outstanding=OUTSTANDING), JOB), (320, 390, 768, 800, 1280))


@pytest.fixture(scope="module")
def evaluation(profile: Path) -> Measures:
    return measured(profile, evaluation_page.render(EVALUATION, JOB), (320, 390, 700))


@browser
@needs_chromium
@pytest.mark.parametrize(("width", "columns"), [(320, 1), (390, 1), (768, 2), (1280, 2)])
def test_it_fits_phones_and_desktops(shown: Measures, width: int, columns: int) -> None:
    seen = shown[width]
    assert seen["width"] == width
    assert seen["content"] <= seen["width"], "it scrolls sideways"
    assert seen["smallest"] >= 9, "letters in charts are too small to read"
    assert seen["charts"] == columns
    assert (seen["head"] == 0) == (width < 640), "on a phone rows of tables stand as blocks"


@browser
@needs_chromium
@pytest.mark.parametrize("width", [320, 390, 700])  # 700: what paper has
def test_an_evaluation_is_cut_nowhere(evaluation: Measures, width: int) -> None:
    seen = evaluation[width]
    assert seen["content"] <= seen["width"], "it scrolls sideways, and is cut in print"
    assert (seen["head"] == 0) == (width < 640), "on a phone rows of tables stand as blocks"


@browser
@needs_chromium
def test_light_and_dark(profile: Path, shown: Measures) -> None:
    light = shown[800]
    dark = measured(profile, page.render(report(outstanding=OUTSTANDING), JOB), [800], DARK)[800]
    assert (light["paper"], dark["paper"]) == ("rgb(255, 255, 255)", "rgb(13, 17, 23)")
    assert light["ink"] != dark["ink"]


@browser
@needs_chromium
def test_it_prints(profile: Path) -> None:
    assert 1 <= browsers.printed(profile, page.render(REPORT, JOB)) <= 4


def test_no_value_of_a_template_is_taken_as_html_but_charts_and_the_style() -> None:
    for template in templating.FOLDER.glob("*.html"):
        for value in re.findall(r"\{\{([^}]*)\|\s*safe\b", template.read_text()):
            assert re.match(r"\s*((\w*charts|world)\.\w+\(|style$)", value), (template.name, value)
