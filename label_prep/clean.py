"""Clean the collections into one frame, and report what was mended or dropped, with the reason."""

from __future__ import annotations

import hashlib
import html
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from chalicelib.classifier.information import TYPES
from chalicelib.classifier.text import clean, mend, tokens
from label_prep import languages
from label_prep.sources import SOURCES, Source, pieces

RELEVANT = {
    "Relevant": 1.0,
    "Not Relevant": 0.0,
    "Related and informative": 1.0,
    "Related - but not informative": 1.0,
    "Not related": 0.0,
    "on-topic": 1.0,
    "off-topic": 0.0,
    "0": 0.0,
}
"""What the votes say of relevance. Those of no use (`Can't Decide`, `Not applicable`) are none of these."""
KINDS = {
    "Bombings": "attack",
    "Shootings": "attack",
    "Collapse": "building_collapse",
    "Crash": "transport_accident",
    "Derailment": "transport_accident",
    "Earthquake": "earthquake",
    "Explosion": "explosion",
    "Fire": "fire",
    "Floods": "flood",
    "Haze": "haze",
    "Meteorite": "meteorite",
    "Typhoon": "storm",
    "Wildfire": "wildfire",
}
"""CrisisLexT26's event types as kinds of ours."""
INFORMATION_TYPES = {name.replace("_", " ").capitalize(): name for name in TYPES} | {
    "Other Useful Information": "other_useful_information"
}
"""CrisisLexT26's information types as ours."""
EVENT_WORDS = {
    "hurricane": "storm",
    "tornado": "storm",
    "floods": "flood",
    "bombings": "attack",
    "explosion": "explosion",
}
"""CrisisLexT6 has no types, but an event's name ends in one."""
COLUMNS = (
    "source",
    "row",
    "tweet_id",
    "text",
    "cleaning_text",
    "event",
    "relevant",
    "vote_share",
    "informative",
    "gold_kind",
    "information_type",
    "source_keyword",
    "location",
    "lang",
    "same_words",
)
_LOST_DIGITS = re.compile(r"[\d.]+[eE]\+?\d+")
_DIGITS = re.compile(r"\d+")


def frames(data: Path, report: Counter[tuple[str, str]]) -> Iterator[pd.DataFrame]:
    """Tidy frames of all collections below `data`, piece by piece; the report counts (collection, what happened)."""
    for source in SOURCES:
        for piece in pieces(data / source.path, source.columns):
            yield tidy(piece, source, report)


def tidy(raw: pd.DataFrame, source: Source, report: Counter[tuple[str, str]]) -> pd.DataFrame:
    """Put a piece of a collection into COLUMNS. Rows without words or without a usable vote are dropped, and
    counted.
    """
    name = source.name
    frame = raw.copy()
    for column in source.columns:
        frame[column] = frame[column].str.strip() if column != "text" else frame[column]
    texts = frame["text"].tolist()
    frame["cleaning_text"] = cleaned = [clean(text) for text in texts]
    words = [tokens(text) for text in cleaned]
    frame["same_words"] = [key(each) for each in words]
    frame["relevant"] = frame["vote"].map(RELEVANT)
    frame["informative"] = frame["vote"].eq("Related and informative")
    frame["vote_share"] = pd.to_numeric(frame["vote_share"]) if "vote_share" in frame else 1.0
    frame["event"] = frame["event"].str.lower() if "event" in frame else source.collection or name
    frame["lang"] = frame["lang"] if "lang" in frame else [languages.guess(each) for each in words]
    frame["gold_kind"] = frame["event"].map(kind_of_event)
    if "event_type" in frame:
        frame["gold_kind"] = frame["event_type"].map(KINDS)
    told = frame["information_type"] if "information_type" in frame else pd.Series("", index=frame.index)
    frame["information_type"] = told.map(INFORMATION_TYPES)
    for column in ("source_keyword", "location"):
        frame[column] = frame[column].replace("", None) if column in frame else None
    frame["tweet_id"] = frame.get("tweet_id", pd.Series("", index=frame.index))
    lost = frame["tweet_id"].str.fullmatch(_LOST_DIGITS)
    frame["tweet_id"] = frame["tweet_id"].where(~lost, None)
    frame["source"] = name

    report[name, "rows read"] += len(frame)
    report[name, "mojibake mended"] += sum(not text.isascii() and mend(text) != text for text in texts)
    report[name, "HTML entities mended"] += sum("&" in text and html.unescape(text) != text for text in texts)
    report[name, "line breaks within a text"] += sum("\n" in text or "\r" in text for text in texts)
    report[name, "ids without their digits, no longer keys"] += int(lost.sum())
    empty = pd.Series([not each for each in words], index=frame.index)
    useless = frame["relevant"].isna() & ~empty
    report[name, "dropped: no words left"] += int(empty.sum())
    report[name, "dropped: the vote says nothing"] += int(useless.sum())
    kept = frame.loc[~empty & ~useless, list(COLUMNS)].reset_index(drop=True)
    report[name, "rows kept"] += len(kept)
    return kept


def kind_of_event(event: str) -> str | None:
    return next((kind for word, kind in EVENT_WORDS.items() if event.endswith(word)), None)


def key(words: list[str]) -> int:
    """Return a key that is the same for texts of the same words in any order and number, whatever their digits:
    retweets, with or without links and mentions, and the counters that news repeat with.
    """
    joined = " ".join(sorted({word for word in words if not _DIGITS.fullmatch(word)}))
    return int.from_bytes(hashlib.blake2b(joined.encode(), digest_size=8).digest(), "big", signed=True)
