"""Run `make bench`. Every table prints a reference measured in the same run; nothing here passes or fails."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import producer

ROOT = Path(__file__).parent.parent
REAL = ROOT.parent / "shared" / "data"
SAMPLE = ROOT / "data" / "sample_tweets.csv"


def source() -> Path:
    """Return the CrowdFlower set where it lies beside the repository, else the repository's own sample."""
    real = REAL / "crowdflower" / "disasters_on_social_media.csv"
    return real if real.exists() else SAMPLE


def records() -> list[bytes]:
    """Return what `producer.py` would send: one line of JSON a tweet."""
    return list(producer.read(source()))


@lru_cache
def tweets() -> list[str]:
    """Return texts of the tweets, as they were written; empty ones left out."""
    return [text for line in records() if (text := json.loads(line).get("text"))]
