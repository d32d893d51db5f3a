"""Draw the overview's charts as SVG: kinds now and before, and a situation's posts hour by hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

from chalicelib.pages import charts
from chalicelib.pages.words import plural

HEIGHT = 60
HOURS = 48  # shown
LINE = 66  # characters that fit beside each other over a bar


def compared(rows: Sequence[Mapping[str, Any]], what: str) -> str:
    """Return posts now as bars, with a thin bar below for the time before.

    Of each row: `name`, `posts`, `posts_before`, `distinct_texts`.
    """
    top = max((max(row["posts"], row["posts_before"]) for row in rows), default=0) or 1
    parts = []
    for n, row in enumerate(rows):
        y = 34 * n
        now, before = (charts.WIDTH * row[name] / top for name in ("posts", "posts_before"))
        counts = f"{plural(row['posts'], 'post')}, {plural(row['distinct_texts'], 'text')}"
        told = f"{counts}; {row['posts_before']:,} before"
        parts.append(
            f"{charts.label(0, y + 13, _fitting(row['name'], LINE - len(told)), 'start')}"
            f"{charts.label(charts.WIDTH, y + 13, told, 'end')}"
            f'<rect class="track" x="0" y="{y + 18}" width="{charts.WIDTH}" height="7" rx="3.5"/>'
            f'<rect class="bar" x="0" y="{y + 18}" width="{now:.1f}" height="7" rx="3.5"/>'
            f'<rect class="weak" x="0" y="{y + 26}" width="{before:.1f}" height="3" rx="1.5"/>'
        )
    return charts.svg(34 * len(rows), what, parts)


def _fitting(name: str, most: int) -> str:
    return name if len(name) <= most else f"{name[: most - 1].rstrip()}…"


def curve(hours: charts.Hours, until: str) -> str:
    """Return posts an hour as bars, of these the distinct texts in the stronger colour, for the two days before a time.

    Of each hour: `hour`, `posts`, `distinct_texts`. An hour that is missing had none.
    """
    last = datetime.fromisoformat(until).replace(minute=0, second=0, microsecond=0)
    first = last - (HOURS - 1) * charts.HOUR
    top = charts.nice(max((hour["posts"] for hour in hours), default=0))
    step = charts.PLOT / HOURS
    parts = [
        f'<path class="grid" d="M{charts.LEFT} {8 + HEIGHT * (1 - share):.1f}H{charts.WIDTH}"/>'
        f"{charts.label(charts.LEFT - 6, 12 + HEIGHT * (1 - share), charts.short(top * share), 'end')}"
        for share in (0, 1)
    ]
    for hour in hours:
        moment = datetime.fromisoformat(hour["hour"])
        nth = (moment - first) // charts.HOUR
        if not 0 <= nth < HOURS:
            continue
        x = charts.LEFT + step * nth
        title = f"{moment:%Y-%m-%d %H:%M}: {plural(hour['posts'], 'post')}, {plural(hour['distinct_texts'], 'text')}"
        bars = "".join(
            f'<rect class="{name}" x="{x:.1f}" y="{8 + HEIGHT * (1 - share):.1f}" width="{step * 0.8:.1f}" '
            f'height="{HEIGHT * share:.1f}"/>'
            for name, share in (("weak", hour["posts"] / top), ("bar", hour["distinct_texts"] / top))
        )
        parts.append(f"<g><title>{escape(title)}</title>{bars}</g>")
    for nth in range(HOURS):
        if (first + nth * charts.HOUR).hour % 12 == 0:
            moment, x = first + nth * charts.HOUR, charts.LEFT + step * nth
            parts.append(f'<path class="grid" d="M{x:.1f} {8 + HEIGHT}v5"/>')
            text = f"{moment:%a %-d}" if moment.hour == 0 else f"{moment:%H:%M}"
            parts.append(charts.label(x, HEIGHT + 25, text, "start" if x < charts.WIDTH - 40 else "end"))
    return charts.svg(HEIGHT + 30, "Posts an hour", parts)
