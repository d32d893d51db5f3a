"""Render the page of the overview: situations, a map, kinds, information types, and posts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from chalicelib import times
from chalicelib.pages import charts, templating
from chalicelib.pages.words import counted, plural

MOST_KINDS = 10  # bars of a chart
NAMED = 3  # situations in the headline
MOST_PLACES = 6  # rows of the table beside the map
TONES = {"minor": "", "moderate": "warn", "major": "bad"}


def render(overview: Mapping[str, Any] | None, now: datetime) -> str:
    """Return the page of an overview of `figures.built`, None where there is none yet, as it is seen at a time."""
    functions = (headline, fresh, health, since, spoken, told, moment, where)
    return templating.render(
        "overview.html",
        title=headline(overview["situations"]) if overview else "Nothing to show yet",
        overview=overview,
        age=charts.duration(max(0, int((now - times.parsed(overview["as_of"])).total_seconds()))) if overview else "",
        tones=TONES,
        most_kinds=MOST_KINDS,
        most_places=MOST_PLACES,
        **{each.__name__: each for each in functions},
    )


def headline(situations: Iterable[Mapping[str, Any]]) -> str:
    """Say which situations go on: the first three by name."""
    going_on = [each for each in situations if not each["closed_at"]]
    if not going_on:
        return "No situation"
    count = going_on[0]["going_on"]
    named = [" in ".join(filter(None, (each["name"].split(":")[0], where(each)))) for each in going_on[:NAMED]]
    more = [f"{count - NAMED:,} more"] if count > NAMED else []
    return f"{plural(count, 'situation')}: {'; '.join([*named, *more])}"


def fresh(freshness: Mapping[str, Any]) -> str:
    """Say how fresh the warehouse is."""
    if not freshness["loaded_rows"]:
        return "No post arrived in the last 24 hours."
    newest = moment(freshness["newest_arrived_at"])
    median, most = (charts.duration(max(0, freshness[name])) for name in ("median_seconds", "p99_seconds"))
    return (
        f"{plural(freshness['loaded_rows'], 'row')} of the last 24 hours, the newest of {newest} UTC. "
        f"A post can be queried {median} after its arrival (median; 99 % of them within {most})."
    )


def health(health: Mapping[str, Any]) -> str:
    """Say whether everything is there."""
    said = [
        f"{health['loaded']:,} of {plural(health['tweets'], 'tweet')} in files are loaded.",
        counted(health["waiting"], "{} on the way.", "tweet", verb=True),
        counted(health["troubled_files"], "{} in trouble.", "file", verb=True),
        counted(health["outstanding"], "{} outstanding.", "finding", verb=True),
    ]
    return " ".join(filter(None, said))


def since(situation: Mapping[str, Any]) -> str:
    """Say when a situation began, had its peak, and was over."""
    said = [f"Since {moment(situation['began_at'])}, most in the hour from {moment(situation['peak_at'])}"]
    if situation["closed_at"]:
        said.append(f"over since {moment(situation['last_at'])}")
    return ", ".join(said)


def spoken(code: str) -> str:
    """Return a code as words: infrastructure_and_utilities without its underscores."""
    return code.replace("_", " ")


def told(rows: Iterable[Mapping[str, Any]], code: str) -> list[dict[str, Any]]:
    """Return rows with the name of their code, in words that fit above a bar."""
    return [{**each, "name": spoken(each[code])} for each in rows]


def where(place: Mapping[str, Any]) -> str:
    """Return a place with its country's code, as far as they are known."""
    known = [place.get("place"), place.get("country_code")]
    return ", ".join(dict.fromkeys(filter(None, known)))


def moment(time: str) -> str:
    """Return 2026-01-31T12:05:00Z as 2026-01-31 12:05."""
    return time[:16].replace("T", " ")
