"""Store the overview in S3 and read it, so that showing it does not wake the warehouse.

What is stored names each post's file and line and holds no text. Texts are read from the tweet files when somebody
looks: so what was erased meanwhile is shown no more, and no report has to be erased.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import orjson
from botocore.exceptions import ClientError

from chalicelib import bodies, clients, conditional, layout
from chalicelib.overview import figures
from chalicelib.settings import settings
from chalicelib.telemetry import logger
from chalicelib.transform.answer import MOST_BYTES

EVERY = 300.0  # seconds from one overview to the next, at least, where nobody asks for it
EVERY_HERE = 10.0  # where rows are loaded at once: 1,000,000 rows take DuckDB half a second
PATIENCE = 30.0  # seconds that the warehouse is given
MOST_CHARACTERS = 400  # of a text
THREADS = 8

Overview = dict[str, Any]


def keep(asked_for: bool) -> None:
    """Ask for the figures and store them, where those that are stored are old enough or somebody asks for them.

    Whoever calls has woken the warehouse. What fails is logged: the next call tries again.
    """
    now = datetime.now(UTC)
    try:
        known = conditional.read(settings().bucket, layout.OVERVIEW)
        every = min(EVERY, max(EVERY_HERE, settings().load_seconds))
        if asked_for or known is None or known.age >= every:
            _store(figures.ask(now, PATIENCE), now)
    except Exception:
        logger.exception("overview not written")


def _store(overview: Overview, now: datetime) -> None:
    from chalicelib.pages import overview as page  # here, for a page alone needs Jinja2

    body = orjson.dumps(overview)
    html = page.render(overview, now).encode()
    for key, content, kind in (
        (layout.OVERVIEW, body, "application/json"),
        (layout.overview_of(now, "json"), body, "application/json"),
        (layout.overview_of(now, "html"), html, "text/html; charset=utf-8"),
    ):
        clients.s3().put_object(Bucket=settings().bucket, Key=key, Body=content, ContentType=kind)


def latest() -> Overview | None:
    """Return the newest overview, None where there is none yet. Raises what boto3 raises."""
    stored = conditional.read(settings().bucket, layout.OVERVIEW)
    return stored.said if stored else None


def with_texts(overview: Overview) -> Overview:
    """Return the overview, each post with its `text` as the tweet file has it now; None where that can't be read."""
    shown = [overview["posts"], *(each["posts_shown"] for each in overview["situations"])]
    wanted: dict[str, set[int]] = {}
    for post in (post for posts in shown for post in posts):
        wanted.setdefault(post["s3_key"], set()).add(post["s3_line"])
    with ThreadPoolExecutor(THREADS) as pool:
        texts = dict(zip(wanted, pool.map(_texts, wanted, wanted.values()), strict=True))

    def told(posts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [{**post, "text": texts[post["s3_key"]].get(post["s3_line"])} for post in posts]

    situations = [{**each, "posts_shown": told(each["posts_shown"])} for each in overview["situations"]]
    return {**overview, "situations": situations, "posts": told(overview["posts"])}


def _texts(key: str, numbers: set[int]) -> dict[int, str]:
    """Return the texts of some lines of a tweet file by their numbers, without those that are gone or erased."""
    texts: dict[int, str] = {}
    try:
        answer = clients.s3().get_object(Bucket=settings().bucket, Key=key)
        for number, line in enumerate(bodies.lines(answer["Body"], MOST_BYTES, MOST_BYTES), 1):
            if number in numbers and (text := orjson.loads(line).get("original_text")):
                texts[number] = cut(text)
            if number >= max(numbers):
                break
    except (ClientError, OSError, EOFError, ValueError, zlib.error):
        logger.exception("texts not read", extra={"s3_key": key})
    return texts


def cut(text: str) -> str:
    """Return a text as one line of MOST_CHARACTERS at most."""
    line = " ".join(text[: 4 * MOST_CHARACTERS].split())
    return line if len(line) <= MOST_CHARACTERS else line[: MOST_CHARACTERS - 1] + "…"
