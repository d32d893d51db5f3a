"""Draw the report's charts as SVG text, in the page's colours. Nothing is fetched or run.

All are WIDTH units wide, about as many pixels as a phone has, so that their letters can be read there too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from math import ceil, floor, log10
from typing import Any

WIDTH = 400
LEFT = 54  # room for the labels of an axis
PLOT = WIDTH - LEFT - 4
HEIGHT = 120  # of a plot
HOUR = timedelta(hours=1)

Hours = Sequence[Mapping[str, Any]]
"""`hours` of the report, in order."""

STATES = {
    "settled": "all there",
    "open": "still filling",
    "repaired": "repaired",
    "troubled": "in trouble",
}


def strip(hours: Hours) -> str:
    """Draw hours × state: a line a day, a cell an hour. Trouble is red and has a mark, for those who don't see red."""
    by_day: dict[str, list[Mapping[str, Any]]] = {}
    for hour in hours:
        by_day.setdefault(hour["hour"][:10], []).append(hour)
    step, cell = PLOT / 24, PLOT / 24 - 2
    parts = [label(LEFT + step * hour + cell / 2, 10, f"{hour:02}", "middle") for hour in range(0, 24, 3)]
    for line, (day, of_day) in enumerate(by_day.items()):
        y = 18 + line * (step + 3)
        parts.append(label(LEFT - 6, y + cell * 0.75, short_day(day), "end"))
        parts += [_cell(hour, LEFT + step * int(hour["hour"][11:13]), y, cell) for hour in of_day]
    return svg(18 + len(by_day) * (step + 3), "Hours and their state", parts)


def _cell(hour: Mapping[str, Any], x: float, y: float, size: float) -> str:
    state = hour["state"] if hour["tweets"] or hour["state"] != "settled" else "empty"
    told = STATES.get(hour["state"], hour["state"])
    title = f"{hour['hour'][:10]} {hour['hour'][11:16]}: {told}; {hour['loaded']:,} of {hour['tweets']:,} tweets"
    if hour["troubled_files"]:
        title += f", {hour['troubled_files']:,} files in trouble"
    middle, stroke = x + size / 2, f"v{size * 0.38:.1f}m0 {size * 0.16:.1f}v1.6"
    marks = {
        "troubled": f'<path class="mark" d="M{middle:.1f} {y + size * 0.2:.1f}{stroke}"/>',
        "repaired": f'<circle class="dot" cx="{middle:.1f}" cy="{y + size / 2:.1f}" r="{size * 0.18:.1f}"/>',
    }
    box = f'<rect class="{escape(state)}" x="{x:.1f}" y="{y:.1f}" width="{size:.1f}" height="{size:.1f}" rx="2.5"/>'
    return f"<g><title>{escape(title)}</title>{box}{marks.get(state, '')}</g>"


def arrivals(hours: Hours) -> str:
    """Draw tweets an hour as bars: loaded, on the way, and on top in red what isn't there."""
    top = nice(max((hour["tweets"] for hour in hours), default=0))
    step = step_of(hours)
    parts = [*axis([(0.0, "0"), (0.5, short(top / 2)), (1.0, short(top))]), *times(hours, step)]
    for n, hour in zip(places(hours), hours, strict=True):
        if not hour["tweets"]:
            continue
        whole, there = (HEIGHT * hour[name] / top for name in ("tweets", "loaded"))
        width = max(step * 0.8, 1)
        x = middle(n, step) - width / 2
        title = f"{hour['hour'][:10]} {hour['hour'][11:16]}: {hour['tweets']:,} tweets, {hour['loaded']:,} loaded"
        waiting = HEIGHT * hour["waiting"] / top
        bars = [("absent", whole, whole - there - waiting), ("open", there + waiting, waiting), ("bar", there, there)]
        boxes = "".join(
            f'<rect class="{name}" x="{x:.1f}" y="{top_of(upto):.1f}" width="{width:.1f}" height="{high:.1f}"/>'
            for name, upto, high in bars
            if high > 0
        )
        parts.append(f"<g><title>{escape(title)}</title>{boxes}</g>")
    return svg(HEIGHT + 32, "Tweets an hour", parts)


def lag(hours: Hours) -> str:
    """Draw the seconds from arrival to load: the mean of each hour as a line, its longest as a thin column behind
    it.
    """
    known = [(n, hour) for n, hour in zip(places(hours), hours, strict=True) if hour["lag_seconds"] is not None]
    top = nice_seconds(max((hour["longest_lag_seconds"] for _, hour in known), default=0))
    step = step_of(hours)
    parts = [*axis([(0.0, "0"), (0.5, duration(top / 2)), (1.0, duration(top))]), *times(hours, step)]
    points, former = [], -2
    for n, hour in known:
        x = middle(n, step)
        mean, longest = (HEIGHT * max(0, hour[name]) / top for name in ("lag_seconds", "longest_lag_seconds"))
        title = (
            f"{hour['hour'][:10]} {hour['hour'][11:16]}: {duration(hour['lag_seconds'])} on average, "
            f"{duration(hour['longest_lag_seconds'])} at most"
        )
        width = max(step * 0.8, 1)
        parts.append(
            f'<g><title>{escape(title)}</title><rect class="range" x="{x - width / 2:.1f}" y="{top_of(longest):.1f}" '
            f'width="{width:.1f}" height="{longest:.1f}"/>'
            f'<circle class="point" cx="{x:.1f}" cy="{top_of(mean):.1f}" r="1.8"/></g>'
        )
        points.append(f"{'L' if n == former + 1 else 'M'}{x:.1f} {top_of(mean):.1f}")
        former = n
    parts.append(f'<path class="line" d="{"".join(points)}"/>' if points else "")
    return svg(HEIGHT + 32, "Time from arrival to load", parts)


def kinds(rows: Sequence[Mapping[str, Any]], most: int = 12) -> str:
    """Draw tweets by kind as bars, those that speak of a real disaster in the stronger colour."""
    shown = [*rows[:most]]
    if rest := rows[most:]:
        shown.append(
            {"name": f"{len(rest)} others", **{n: sum(row[n] for row in rest) for n in ("tweets", "relevant")}}
        )
    top = max((row["tweets"] for row in shown), default=0) or 1
    parts = []
    for n, row in enumerate(shown):
        y = 30 * n
        whole, real = (WIDTH * row[name] / top for name in ("tweets", "relevant"))
        parts.append(
            f"{label(0, y + 13, row['name'], 'start')}"
            f"{label(WIDTH, y + 13, format(row['tweets'], ','), 'end')}"
            f'<rect class="track" x="0" y="{y + 18}" width="{WIDTH}" height="7" rx="3.5"/>'
            f'<rect class="weak" x="0" y="{y + 18}" width="{whole:.1f}" height="7" rx="3.5"/>'
            f'<rect class="bar" x="0" y="{y + 18}" width="{real:.1f}" height="7" rx="3.5"/>'
        )
    return svg(30 * len(shown), "Tweets by kind of disaster", parts)


def scale(share: float, interval: tuple[float, float], what: str) -> str:
    """Return a share as a bar from 0 to 1, with a whisker for its interval."""
    low, high = interval
    return (
        f'<svg viewBox="0 0 {WIDTH} 8" role="img" aria-label="{escape(what)}">'
        f'<rect class="bar" y="0.5" width="{WIDTH * share:.1f}" height="7"/>'
        f'<path class="whisker" d="M{WIDTH * low:.1f} 4H{WIDTH * high:.1f}"/></svg>'
    )


def legend(entries: Iterable[tuple[str, str]]) -> str:
    """Explain the colours: (class, words)."""
    items = (
        f'<span><svg class="key" viewBox="0 0 10 10" aria-hidden="true">'
        f'<rect class="{escape(name)}" width="10" height="10" rx="2"/></svg>{escape(words)}</span>'
        for name, words in entries
    )
    return f'<p class="legend">{"".join(items)}</p>'


def svg(height: float, what: str, parts: Iterable[str]) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(what)}">{"".join(parts)}</svg>'


def label(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def top_of(height: float) -> float:
    """Return the y coordinate of a bar's top, for its height."""
    return 8 + HEIGHT - height


def axis(marks: Iterable[tuple[float, str]]) -> list[str]:
    """Draw lines across the plot at shares of its height, each with its label."""
    return [
        f'<path class="grid" d="M{LEFT} {top_of(HEIGHT * share):.1f}H{WIDTH}"/>'
        f"{label(LEFT - 6, top_of(HEIGHT * share) + 4, text, 'end')}"
        for share, text in marks
    ]


def places(hours: Hours) -> list[int]:
    """Return how many hours each lies after the first: an hour that is missing leaves its place empty."""
    moments = [datetime.fromisoformat(hour["hour"]) for hour in hours]
    return [int((moment - moments[0]) / HOUR) for moment in moments]


def step_of(hours: Hours) -> float:
    """Return the width of an hour in a plot of all of them, a day at least."""
    return PLOT / max(places(hours)[-1] + 1 if hours else 0, 24)


def middle(place: int, step: float) -> float:
    """Return the x at which the bar of an hour and its label have their middle."""
    return LEFT + (place + 0.5) * step


def times(hours: Hours, step: float) -> list[str]:
    """Return the labels below a plot: each day's where it begins; every sixth hour where there is but a day or so.

    Each has a tick under the bar of its hour. An hour's stands with its middle there, a day's begins there.
    """
    by_day = step * 36 < PLOT
    parts = []
    for place, hour in zip(places(hours), hours, strict=True):
        x = middle(place, step)
        if int(hour["hour"][11:13]) % (24 if by_day else 6) or x > WIDTH - (30 if by_day else 18):
            continue
        parts.append(f'<path class="grid" d="M{x:.1f} {top_of(0):.1f}v5"/>')
        text = short_day(hour["hour"][:10]) if by_day else hour["hour"][11:16]
        parts.append(label(x, HEIGHT + 26, text, "start" if by_day else "middle"))
    return parts


def short_day(day: str) -> str:
    return datetime.fromisoformat(day).strftime("%a %-d")


def nice(most: float) -> float:
    """Round up to a round number: 1, 2, 5, 10, 20, …"""
    if most <= 0:
        return 1
    power = 10.0 ** floor(log10(most))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= most)


def nice_seconds(most: float) -> float:
    """Round up to a round time."""
    steps = (1, 2, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400)
    return next((step for step in steps if step >= most), ceil(most / 86400) * 86400)


def short(number: float) -> str:
    """1,234,567 as 1.2M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return f"{number:.3g}"


def duration(seconds: float) -> str:
    """In the unit that fits: 0.5 s, 12 s, 3 min, 2.5 h, 4 d."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
