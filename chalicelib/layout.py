"""Define the keys of the bucket. infra/data-plane.yaml has the same folders, in its rules of retention.

tweets/dt=2026-01-31/hh=12/{batch}-{rows}.ndjson.gz    tweet files, by the hour (UTC) of their earliest arrival
rejected/dt=2026-01-31/hh=12/{batch}-{lines}.ndjson.gz refusals
delivery/2026/01/31/12/...                             rows that Firehose keeps for its COPY
delivery/processing-failed/, delivery/errors/          records and files that Firehose gave up
source/2026/01/31/12/...                               records as they came, where Firehose backs them up
reports/{kind}/{job}.json, .html                       jobs of the admin API and their reports
reports/overview/latest.json                           the newest overview
reports/overview/dt=2026-01-31/hh=12.json, .html       the last overview of each hour
classifier/, collect/, erasures/                       training data, cursors of sources, erasures
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

TWEETS = "tweets/"
REJECTED = "rejected/"
DELIVERY = "delivery/"
FAILED = f"{DELIVERY}processing-failed/"
GIVEN_UP = f"{DELIVERY}errors/manifests/"
SOURCE = "source/"
REPORTS = "reports/"
WORK = f"{REPORTS}work/"
OVERVIEW = f"{REPORTS}overview/latest.json"
CLASSIFIER = "classifier/"
COLLECT = "collect/"
ERASURES = "erasures/"

HOUR_KEY = len(f"{TWEETS}dt=2026-01-31/hh=12/")
"""How many characters of a tweet file's key name its hour: 27, which the SQL writes as a number."""

TWEET_FILE = re.compile(
    rf"{TWEETS}(dt=\d{{4}}-\d{{2}}-\d{{2}}/hh=\d{{2}}/)[^/]+-([1-9]\d{{0,8}})\.ndjson\.gz", re.ASCII
)
"""The key of a tweet file: the folder of its hour, and the number of its rows."""


def day_folder(day: date) -> str:
    return f"dt={day:%Y-%m-%d}/"


def hour_folder(hour: datetime) -> str:
    """Return `dt=YYYY-MM-DD/hh=HH/`, which follows TWEETS or REJECTED. `hour` in UTC."""
    return f"dt={hour:%Y-%m-%d}/hh={hour:%H}/"


def firehose_folder(hour: datetime) -> str:
    """Return `YYYY/MM/DD/HH/`, which Firehose puts behind a prefix of its own. `hour` in UTC."""
    return f"{hour:%Y/%m/%d/%H}/"


def tweet_file(folder: str, batch: str, rows: int) -> str:
    """Return the key of a tweet file. `folder` of its hour, as `hour_folder` returns it."""
    return f"{TWEETS}{folder}{batch}-{rows}.ndjson.gz"


def rejected_file(folder: str, batch: str, lines: int) -> str:
    return f"{REJECTED}{folder}{batch}-{lines}.ndjson.gz"


def hour_of(tweet_file_key: str) -> datetime:
    """Return the hour of a tweet file, UTC. Raises ValueError for another key."""
    return datetime.strptime(tweet_file_key[:HOUR_KEY], f"{TWEETS}dt=%Y-%m-%d/hh=%H/").replace(tzinfo=UTC)


def report(kind: str, job_id: str, suffix: str = "json") -> str:
    """Return the key of a job (`json`) or of its page (`html`)."""
    return f"{REPORTS}{kind}/{job_id}.{suffix}"


def overview_of(hour: datetime, suffix: str) -> str:
    """Return the key of an hour's overview, as `json` or `html`. `hour` in UTC."""
    return f"{REPORTS}overview/{day_folder(hour.date())}hh={hour:%H}.{suffix}"
