"""The report's charts, as they are drawn: each expected text is the picture, with a line for each of its elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.pages import charts


def hour(at: str, **told: Any) -> dict[str, Any]:
    whole = {"state": "settled", "tweets": 1000, "loaded": 1000, "waiting": 0, "troubled_files": 0}
    return {"hour": f"2026-01-{at}:00:00Z", **whole, "lag_seconds": 30, "longest_lag_seconds": 90, **told}


NOTHING = {"tweets": 0, "loaded": 0, "lag_seconds": None, "longest_lag_seconds": None}
HOURS = [
    hour("30T23", **NOTHING),
    hour("31T00"),
    hour("31T02", state="troubled", tweets=2000, loaded=500, waiting=250, troubled_files=1200, lag_seconds=-3),
    hour("31T03", state="repaired", tweets=500, loaded=500, longest_lag_seconds=100),
    hour("31T04", state="open", **NOTHING),
]
KINDS = [
    {"name": "flood", "tweets": 1200, "relevant": 900},
    {"name": "<storm>", "tweets": 600, "relevant": 0},
    {"name": "drought", "tweets": 30, "relevant": 20},
    {"name": "haze", "tweets": 20, "relevant": 10},
]


def lines(drawn: str) -> str:
    return drawn.replace("><", ">\n<")


STRIP_DRAWN = """\
<svg viewBox="0 0 400 52" role="img" aria-label="Hours and their state">
<text x="60.1" y="10.0" text-anchor="middle">00</text>
<text x="102.9" y="10.0" text-anchor="middle">03</text>
<text x="145.6" y="10.0" text-anchor="middle">06</text>
<text x="188.4" y="10.0" text-anchor="middle">09</text>
<text x="231.1" y="10.0" text-anchor="middle">12</text>
<text x="273.9" y="10.0" text-anchor="middle">15</text>
<text x="316.6" y="10.0" text-anchor="middle">18</text>
<text x="359.4" y="10.0" text-anchor="middle">21</text>
<text x="48.0" y="27.2" text-anchor="end">Fri 30</text>
<g>
<title>2026-01-30 23:00: all there; 0 of 0 tweets</title>
<rect class="empty" x="381.8" y="18.0" width="12.2" height="12.2" rx="2.5"/>
</g>
<text x="48.0" y="44.4" text-anchor="end">Sat 31</text>
<g>
<title>2026-01-31 00:00: all there; 1,000 of 1,000 tweets</title>
<rect class="settled" x="54.0" y="35.2" width="12.2" height="12.2" rx="2.5"/>
</g>
<g>
<title>2026-01-31 02:00: in trouble; 500 of 2,000 tweets, 1,200 files in trouble</title>
<rect class="troubled" x="82.5" y="35.2" width="12.2" height="12.2" rx="2.5"/>
<path class="mark" d="M88.6 37.7v4.7m0 2.0v1.6"/>
</g>
<g>
<title>2026-01-31 03:00: repaired; 500 of 500 tweets</title>
<rect class="repaired" x="96.8" y="35.2" width="12.2" height="12.2" rx="2.5"/>
<circle class="dot" cx="102.9" cy="41.4" r="2.2"/>
</g>
<g>
<title>2026-01-31 04:00: still filling; 0 of 0 tweets</title>
<rect class="open" x="111.0" y="35.2" width="12.2" height="12.2" rx="2.5"/>
</g>
</svg>"""

ARRIVALS_DRAWN = """\
<svg viewBox="0 0 400 152" role="img" aria-label="Tweets an hour">
<path class="grid" d="M54 128.0H400"/>
<text x="48.0" y="132.0" text-anchor="end">0</text>
<path class="grid" d="M54 68.0H400"/>
<text x="48.0" y="72.0" text-anchor="end">1k</text>
<path class="grid" d="M54 8.0H400"/>
<text x="48.0" y="12.0" text-anchor="end">2k</text>
<path class="grid" d="M75.4 128.0v5"/>
<text x="75.4" y="146.0" text-anchor="middle">00:00</text>
<g>
<title>2026-01-31 00:00: 1,000 tweets, 1,000 loaded</title>
<rect class="bar" x="69.7" y="68.0" width="11.4" height="60.0"/>
</g>
<g>
<title>2026-01-31 02:00: 2,000 tweets, 500 loaded</title>
<rect class="absent" x="98.2" y="8.0" width="11.4" height="75.0"/>
<rect class="open" x="98.2" y="83.0" width="11.4" height="15.0"/>
<rect class="bar" x="98.2" y="98.0" width="11.4" height="30.0"/>
</g>
<g>
<title>2026-01-31 03:00: 500 tweets, 500 loaded</title>
<rect class="bar" x="112.4" y="98.0" width="11.4" height="30.0"/>
</g>
</svg>"""

LAG_DRAWN = """\
<svg viewBox="0 0 400 152" role="img" aria-label="Time from arrival to load">
<path class="grid" d="M54 128.0H400"/>
<text x="48.0" y="132.0" text-anchor="end">0</text>
<path class="grid" d="M54 68.0H400"/>
<text x="48.0" y="72.0" text-anchor="end">1 min</text>
<path class="grid" d="M54 8.0H400"/>
<text x="48.0" y="12.0" text-anchor="end">2 min</text>
<path class="grid" d="M75.4 128.0v5"/>
<text x="75.4" y="146.0" text-anchor="middle">00:00</text>
<g>
<title>2026-01-31 00:00: 30 s on average, 1.5 min at most</title>
<rect class="range" x="69.7" y="38.0" width="11.4" height="90.0"/>
<circle class="point" cx="75.4" cy="98.0" r="1.8"/>
</g>
<g>
<title>2026-01-31 02:00: -3 s on average, 1.5 min at most</title>
<rect class="range" x="98.2" y="38.0" width="11.4" height="90.0"/>
<circle class="point" cx="103.9" cy="128.0" r="1.8"/>
</g>
<g>
<title>2026-01-31 03:00: 30 s on average, 1.67 min at most</title>
<rect class="range" x="112.4" y="28.0" width="11.4" height="100.0"/>
<circle class="point" cx="118.1" cy="98.0" r="1.8"/>
</g>
<path class="line" d="M75.4 98.0M103.9 128.0L118.1 98.0"/>
</svg>"""

KINDS_DRAWN = """\
<svg viewBox="0 0 400 90" role="img" aria-label="Tweets by kind of disaster">
<text x="0.0" y="13.0" text-anchor="start">flood</text>
<text x="400.0" y="13.0" text-anchor="end">1,200</text>
<rect class="track" x="0" y="18" width="400" height="7" rx="3.5"/>
<rect class="weak" x="0" y="18" width="400.0" height="7" rx="3.5"/>
<rect class="bar" x="0" y="18" width="300.0" height="7" rx="3.5"/>
<text x="0.0" y="43.0" text-anchor="start">&lt;storm&gt;</text>
<text x="400.0" y="43.0" text-anchor="end">600</text>
<rect class="track" x="0" y="48" width="400" height="7" rx="3.5"/>
<rect class="weak" x="0" y="48" width="200.0" height="7" rx="3.5"/>
<rect class="bar" x="0" y="48" width="0.0" height="7" rx="3.5"/>
<text x="0.0" y="73.0" text-anchor="start">2 others</text>
<text x="400.0" y="73.0" text-anchor="end">50</text>
<rect class="track" x="0" y="78" width="400" height="7" rx="3.5"/>
<rect class="weak" x="0" y="78" width="16.7" height="7" rx="3.5"/>
<rect class="bar" x="0" y="78" width="10.0" height="7" rx="3.5"/>
</svg>"""


@pytest.mark.parametrize(
    ("chart", "given", "wanted"),
    [
        (charts.strip, HOURS, STRIP_DRAWN),
        (charts.arrivals, HOURS, ARRIVALS_DRAWN),
        (charts.lag, HOURS, LAG_DRAWN),
        (lambda rows: charts.kinds(rows, 2), KINDS, KINDS_DRAWN),
    ],
    ids=["strip", "arrivals", "lag", "kinds"],
)
def test_a_chart_is_drawn_so(chart: Callable[[Any], str], given: Any, wanted: str) -> None:
    assert lines(chart(given)) == wanted


def test_a_chart_of_nothing_has_its_axes_alone() -> None:
    axes = "".join(
        f'<path class="grid" d="M54 {y}.0H400"/><text x="48.0" y="{y + 4}.0" text-anchor="end">{{}}</text>'
        for y in (128, 68, 8)
    )
    for chart, title, marks in (
        (charts.arrivals, "Tweets an hour", ("0", "0.5", "1")),
        (charts.lag, "Time from arrival to load", ("0", "0.5 s", "1 s")),
    ):
        start = f'<svg viewBox="0 0 400 152" role="img" aria-label="{title}">'
        assert chart([]) == f"{start}{axes.format(*marks)}</svg>"
    assert charts.kinds([]) == '<svg viewBox="0 0 400 0" role="img" aria-label="Tweets by kind of disaster"></svg>'


def test_kinds_without_tweets_have_no_bars_and_the_twelve_first_are_shown() -> None:
    assert charts.kinds([{"name": "haze", "tweets": 0, "relevant": 0}]).count('width="0.0"') == 2
    rows = [{"name": f"kind {n}", "tweets": 100 - n, "relevant": 1} for n in range(13)]
    assert "others" not in charts.kinds(rows[:12])
    assert "kind 11<" in charts.kinds(rows)
    assert "kind 12<" not in charts.kinds(rows)
    assert "1 others" in charts.kinds(rows)


def test_a_legend_is_a_square_of_the_colour_and_its_words() -> None:
    key = (
        '<svg class="key" viewBox="0 0 10 10" aria-hidden="true"><rect class="{}" width="10" height="10" rx="2"/></svg>'
    )
    assert charts.legend([("bar", "loaded"), ("a&b", "<x>")]) == (
        f'<p class="legend"><span>{key.format("bar")}loaded</span><span>{key.format("a&amp;b")}&lt;x&gt;</span></p>'
    )


def test_days_are_named_where_they_begin_if_there_is_room_for_them() -> None:
    week = [hour(f"{day:02}T{at:02}") for day in range(1, 8) for at in range(24)]
    step = charts.step_of(week)
    assert step == pytest.approx(342 / 168)
    labelled = [each for each in charts.times(week, step) if each.startswith("<text")]
    assert [each.partition(">")[2].removesuffix("</text>") for each in labelled] == [
        "Thu 1", "Fri 2", "Sat 3", "Sun 4", "Mon 5", "Tue 6", "Wed 7",
    ]  # fmt: skip
    assert labelled[0] == '<text x="55.0" y="146.0" text-anchor="start">Thu 1</text>'
    half = week[:36]  # a day and
    assert [each[-12:-7] for each in charts.times(half, charts.step_of(half)) if "<text" in each] == [
        "00:00", "06:00", "12:00", "18:00", "00:00", "06:00",
    ]  # fmt: skip
    assert not [each for each in charts.times(week[:37], charts.step_of(week[:37])) if "06:00" in each]


@pytest.mark.parametrize(("days", "width"), [(7, "1.6"), (14, "1.0")])
def test_bars_grow_thinner_with_the_hours_but_stay_to_be_seen(days: int, width: str) -> None:
    many = [hour(f"{day + 1:02}T{at:02}") for day in range(days) for at in range(24)]
    assert f'width="{width}" height="120.0"' in charts.arrivals(many)
    assert f'width="{width}" height="90.0"' in charts.lag(many)


@pytest.mark.parametrize(
    ("most", "top"),
    [(0, 1), (-1, 1), (0.3, 0.5), (1, 1), (1.1, 2), (2, 2), (2.1, 5), (5, 5), (5.1, 10), (10, 10), (11, 20), (99, 100)],
)
def test_an_axis_ends_at_a_round_number(most: float, top: float) -> None:
    assert charts.nice(most) == pytest.approx(top)


def test_an_axis_of_time_ends_at_a_round_time() -> None:
    tops = [1, 2, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400]
    assert [charts.nice_seconds(top) for top in tops] == tops
    assert [charts.nice_seconds(top + 0.1) for top in tops] == [*tops[1:], 2 * 86400]
    assert [charts.nice_seconds(days * 86400) for days in (2, 2.5)] == [2 * 86400, 3 * 86400]
    assert charts.nice_seconds(0) == 1


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"), (0.5, "0.5"), (999, "999"), (1000, "1k"), (1234, "1.23k"), (999_499, "999k"), (1_000_000, "1M"),
        (1_234_567, "1.23M"), (1_000_000_000, "1G"), (20_500_000_000, "20.5G"),
    ],
)  # fmt: skip
def test_a_large_number_is_short(number: float, text: str) -> None:
    assert charts.short(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.5, "0.5 s"), (59, "59 s"), (60, "1 min"), (90, "1.5 min"), (3599, "60 min"), (3600, "1 h"), (9000, "2.5 h"),
        (86399, "24 h"), (86400, "1 d"), (345_600, "4 d"),
    ],
)  # fmt: skip
def test_a_time_is_told_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert charts.duration(seconds) == text
