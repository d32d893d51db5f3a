"""Whatever is done to files and rows, each file's state is as told, and after a repair each line is there once."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib import clients
from chalicelib.settings import settings as stage
from tests.support import tweet_files as files

TWEETS = 4
LINES = st.lists(st.integers(0, TWEETS + 1), max_size=2 * TWEETS) | st.just(list(range(1, TWEETS + 1)))
DAMAGE = st.lists(st.tuples(st.booleans(), LINES), min_size=1, max_size=12)
"""A file each: whether it is there, and the lines that have rows, in any number."""


def state(exists: bool, lines: Sequence[int]) -> str | None:
    """What the reconciler should say of a file; None if there is neither file nor rows."""
    there = Counter(lines)
    if not exists:
        return "orphaned" if there else None
    if not there:
        return "missing"
    if any(not there[line] for line in range(1, TWEETS + 1)):
        return "partial"
    return "loaded" if there.total() == TWEETS else "excess" if set(there) <= set(range(1, TWEETS + 1)) else "partial"


def plant(hour: datetime, exists: bool, lines: Sequence[int]) -> str:
    key = files.put(hour, TWEETS)
    if not exists:
        clients.s3().delete_object(Bucket=stage().bucket, Key=key)
    if lines:
        values = ", ".join(f"('{n:032}', :key, {line}, CAST(:at AS TIMESTAMP))" for n, line in enumerate(lines))
        columns = "(tweet_key, s3_key, s3_line, arrived_at)"
        files.execute(f"INSERT INTO {files.TABLE} {columns} VALUES {values}", key=key, at=f"{hour:%Y-%m-%d %H:%M:%S}")
    return key


@pytest.mark.usefixtures("stack")
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(DAMAGE)
def test_any_damage_is_told_and_mended(damage: list[tuple[bool, list[int]]]) -> None:
    hour = files.an_hour()
    planted = {plant(hour, exists, lines): (exists, lines) for exists, lines in damage}
    expected = {key: told for key, of in planted.items() if (told := state(*of)) not in {None, "loaded"}}
    report = files.reconcile(hour, repair=True)
    assert files.states(report) == expected
    for key, (exists, lines) in planted.items():
        assert files.rows_of(key) == (list(range(1, TWEETS + 1)) if exists else sorted(lines))
    assert set(files.states(files.reconcile(hour)).values()) <= {"orphaned"}
