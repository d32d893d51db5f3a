"""Fill the templates. Jinja2 takes 0.1 s to import, so only code that writes a page imports this."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from chalicelib.pages import charts, overview_charts, words, world

FOLDER = Path(__file__).parent / "templates"


@cache
def environment() -> Environment:
    """Return the templates' environment: it escapes every value but the charts', and refuses a name it doesn't know."""
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["thousands"] = words.thousands
    made.globals.update(charts=charts, overview_charts=overview_charts, world=world, plural=words.plural, style=style())
    made.globals["parts"] = made.get_template("parts.html").module
    return made


def style() -> str:
    """Return the style sheet of every page."""
    return (FOLDER / "style.css").read_text()


def render(template: str, **values: Any) -> str:
    """Return the page that a template makes of the values."""
    return environment().get_template(template).render(values)
