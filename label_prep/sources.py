"""Read the public collections as they are published, in pieces that fit in memory."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pandas as pd

import producer

PIECE = 50_000  # rows


EVERYDAY = "everyday"
"""The source of posts of daily life."""
COLLECTIONS = (
    "davidson_hate",
    "film_xed_en",
    "film_xed_es",
    "film_xed_fr",
    "film_xed_it",
    "film_xed_pt",
    "goemotions_reddit",
    "sentiment140",
    "te_emoji",
    "xlmt_ar",
    "xlmt_de",
    "xlmt_es",
    "xlmt_fr",
    "xlmt_hi",
    "xlmt_it",
    "xlmt_pt",
)
"""Its collections: posts in English where the name ends in no language."""


@dataclass(frozen=True)
class Source:
    """A collection: where it lies below the data folder, and its columns by our names."""

    name: str
    path: str
    columns: dict[str, str]  # ours to theirs
    collection: str = ""  # what counts as its one event, where it has no column for events; its name where empty


SOURCES = (
    Source(
        "crowdflower",
        "crowdflower/disasters_on_social_media.csv",
        {
            "text": "text",
            "vote": "choose_one",
            "vote_share": "choose_one:confidence",
            "tweet_id": "tweetid",
            "source_keyword": "keyword",
            "location": "location",
        },
    ),
    Source(
        "t26",
        "crisislex/t26_dev.csv",
        {
            "text": "text",
            "vote": "informativeness",
            "tweet_id": "tweet_id",
            "event": "event",
            "event_type": "event_type",
            "information_type": "information_type",
        },
    ),
    Source("t6", "crisislex/t6_dev.csv", {"text": "text", "vote": "label", "tweet_id": "tweet_id", "event": "event"}),
    *(
        Source(EVERYDAY, f"everyday/{name}.csv", {"text": "text", "vote": "label", "lang": "lang"}, name)
        for name in COLLECTIONS
    ),
)


def pieces(path: Path, columns: dict[str, str], size: int = PIECE) -> Iterator[pd.DataFrame]:
    """Yield frames of at most `size` rows with our columns, texts all, and `row`, counted from 1.

    UTF-8, cp1252 or latin-9; CR, LF or CRLF between rows, any of them within quotes. Raises producer.InputError for a
    file without a column it should have.
    """
    csv.field_size_limit(1 << 30)
    with path.open(encoding=producer.encoding_of(path), newline="") as file:
        rows = csv.reader(file)
        header = next(rows, [])
        missing = [theirs for theirs in columns.values() if theirs not in header]
        if missing:
            raise producer.InputError(f"{path} has no column {', '.join(missing)}. Found: {', '.join(header)}")
        places = {ours: header.index(theirs) for ours, theirs in columns.items()}
        last = max(places.values())
        first = 1
        while piece := list(islice(rows, size)):
            padded = [row + [""] * (last + 1 - len(row)) for row in piece]  # a broken row is refused later, and counted
            numbers = range(first, first + len(piece))
            columns_of = {ours: pd.Series([row[at] for row in padded], dtype=object) for ours, at in places.items()}
            yield pd.DataFrame({"row": numbers, **columns_of})
            first += len(piece)
