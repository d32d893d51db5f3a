"""Tweets that came more than once: found as they are loaded, and kept apart in `disaster.repeated_tweet`.

A look begins with rows that were loaded since the last one and asks where else their keys are. After each load that is
asked of the rows since two days ago, or since the earliest that was repaired: what it reads follows what is new. Once a
day, with the sweep, it is asked of the whole table, of all that was loaded since the day before the last sweep, and of
all tweets that are repeated already. So copies of two days are one tweet after a run, others after a day; and rows that
were deleted, or loaded where no run looked, are seen.

Whatever is found is what the rows say at that moment, so a look can be repeated at will. The rows themselves stay: a
repair may delete and load them as it likes.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chalicelib import times
from chalicelib.columns import NAMES
from chalicelib.reconcile import hours, transaction
from chalicelib.reconcile.compare import SEEN_UNTIL, Job, Known

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
OVERLAP = timedelta(days=1)
"""By which a sweep looks back behind the last one: the longest that a COPY may be under way, for its rows say when it
began. A statement ends after 24 hours: docs.aws.amazon.com/redshift/latest/mgmt/data-api.html"""

# From the newest row that was seen on, itself included: two COPYs may begin at the same moment.
NEW = f"""
CREATE TEMP TABLE new_key DISTKEY (tweet_key) AS
SELECT tweet_key, MAX(loaded_at) AS loaded_at
FROM disaster.disaster_tweets
WHERE arrived_at >= CAST(:since AS TIMESTAMP) AND loaded_at >= {SEEN_UNTIL}
GROUP BY tweet_key
"""  # noqa: S608 - text of our own

NEW_AND_KNOWN = """
CREATE TEMP TABLE new_key DISTKEY (tweet_key) AS
SELECT tweet_key, MAX(loaded_at) AS loaded_at
FROM (
    SELECT tweet_key, loaded_at
    FROM disaster.disaster_tweets
    WHERE arrived_at >= CAST(:since AS TIMESTAMP) AND loaded_at >= CAST(:loaded_since AS TIMESTAMP)
    UNION ALL
    SELECT tweet_key, newest_load FROM disaster.repeated_tweet
) AS every_key
GROUP BY tweet_key
"""

# All rows of a tweet lie on one slice: nothing moves.
REPEATS = """
CREATE TEMP TABLE repeat DISTKEY (tweet_key) AS
SELECT
    every_row.tweet_key AS tweet_key,
    COUNT(*) AS copies,
    MIN(every_row.arrived_at) AS first_arrived_at,
    MIN(every_row.arrived_datetime_from_kinesis) AS first_arrived,
    MAX(every_row.arrived_at) AS last_arrived_at,
    MAX(every_row.loaded_at) AS newest_load
FROM disaster.disaster_tweets AS every_row
INNER JOIN new_key ON new_key.tweet_key = every_row.tweet_key
WHERE every_row.arrived_at >= CAST(:since AS TIMESTAMP) AND every_row.erased_at IS NULL
GROUP BY every_row.tweet_key
HAVING COUNT(*) > 1
"""

# Rows come with a newer load, and go with a smaller number. If the number is the same because a run saw only the newest
# ones, the first is another.
_KNOWN = """
    repeated_tweet.tweet_key = repeat.tweet_key
    AND repeated_tweet.copies = repeat.copies
    AND repeated_tweet.arrived_at = repeat.first_arrived_at
    AND repeated_tweet.newest_load = repeat.newest_load
    AND repeated_tweet.erased_at IS NULL
"""

# A tweet that is known to have come before the rows that are looked at keeps what is known of it.
OUTDATED = f"""
DELETE FROM disaster.repeated_tweet
WHERE arrived_at >= CAST(:since AS TIMESTAMP)
    AND tweet_key IN (SELECT tweet_key FROM new_key)
    AND tweet_key NOT IN (
        SELECT repeat.tweet_key FROM repeat INNER JOIN disaster.repeated_tweet ON {_KNOWN}
    )
"""  # noqa: S608 - text of our own

LAST_OF_FOUND = f"""
SELECT MIN(repeat.last_arrived_at) AS since
FROM repeat
LEFT JOIN disaster.repeated_tweet ON {_KNOWN}
WHERE repeated_tweet.tweet_key IS NULL
"""  # noqa: S608 - text of our own

_FIRST = {"arrived_at": "repeat.first_arrived_at", "arrived_datetime_from_kinesis": "repeat.first_arrived"}
_ROW = (*NAMES, "loaded_at")

FOUND = f"""
INSERT INTO disaster.repeated_tweet ({", ".join(_ROW)}, copies, last_arrived_at, newest_load)
SELECT {", ".join(_ROW)}, copies, last_arrived_at, newest_load
FROM (
    SELECT
        {", ".join(f"{_FIRST.get(name, f'last_row.{name}')} AS {name}" for name in _ROW)},
        repeat.copies AS copies,
        repeat.last_arrived_at AS last_arrived_at,
        repeat.newest_load AS newest_load,
        ROW_NUMBER() OVER (
            PARTITION BY last_row.tweet_key
            ORDER BY last_row.s3_key DESC, last_row.s3_line DESC, last_row.loaded_at DESC
        ) AS nth
    FROM disaster.disaster_tweets AS last_row
    INNER JOIN repeat ON repeat.tweet_key = last_row.tweet_key AND repeat.last_arrived_at = last_row.arrived_at
    LEFT JOIN disaster.repeated_tweet ON repeated_tweet.tweet_key = repeat.tweet_key
    WHERE last_row.arrived_at >= CAST(:last_since AS TIMESTAMP) AND last_row.erased_at IS NULL
        AND repeated_tweet.tweet_key IS NULL
) AS numbered
WHERE nth = 1
"""  # noqa: S608 - text of our own

SEEN = """
UPDATE disaster.reconciliation
SET repeats_until = (SELECT MAX(loaded_at) FROM new_key)
WHERE reconciliation_id = :id
"""


def find(job: Job, known: Known, repaired_since: datetime | None, patience: float) -> None:
    """Bring `disaster.repeated_tweet` up to date, if anything may have changed.

    `repaired_since`: no row that this run has loaded arrived before; None where it loaded none. Raises WarehouseError.
    """
    if job.sweep:
        since = known.last_sweep - OVERLAP if known.last_sweep else ALWAYS
        given = {"since": times.sql(ALWAYS), "loaded_since": times.sql(since)}
        # Rows are wide: only where the last ones of what is found lie are they read.
        asked = [NEW_AND_KNOWN, REPEATS, LAST_OF_FOUND]
        ((row,),) = transaction.run(asked, given, answers=1, patience=patience)
        last_since = times.sql(row["since"] or job.now)
        _write(job, NEW_AND_KNOWN, {**given, "last_since": last_since}, patience)
    elif repaired_since or known.new_rows:
        since = hours.recent(job.now).start
        since = min(since, repaired_since) if repaired_since else since
        _write(job, NEW, {"since": times.sql(since), "last_since": times.sql(since)}, patience)


def _write(job: Job, new: str, given: dict[str, str], patience: float) -> None:
    transaction.run(statements(new), {**given, "id": job.id}, answers=0, patience=patience)


def statements(new: str) -> list[str]:
    """Return the transaction of a look; `new`: NEW, or NEW_AND_KNOWN.

    The lock comes first: no other look adds the same tweets, and no text comes back that is being erased.
    """
    return [transaction.LOCK, new, REPEATS, OUTDATED, FOUND, SEEN]
