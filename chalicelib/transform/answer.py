"""Build the answer to Firehose: each record ID once, and never more bytes than Lambda may return."""

from __future__ import annotations

import json
from binascii import a2b_base64
from collections.abc import Iterable, Sequence
from typing import Any

from pybase64 import b64encode_as_string

MOST_BYTES = 6_000_000
"""Of the whole answer. Lambda allows 6 MB (docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)."""

RANK = {"ProcessingFailed": 0, "Dropped": 1, "Ok": 2}
_FRAME = len('{"records": []}')
_EMPTY = len('{"recordId": "result": "ProcessingFailed", "data": ""}, ')  # after the ID, a comma


def capacity(record_ids: Iterable[str]) -> int:
    """Return how many bytes of rows fit into an answer to these records, as Lambda's runtime serialises it, before
    base64.

    Never negative. Answers alone never exceed the limit, because the request, no smaller, is held to it too.
    """
    ids = list(record_ids)
    # base64 turns three bytes into four and rounds up, once a record
    fixed = _FRAME + len(json.dumps(ids)) + len(ids) * (_EMPTY + 4)
    return max(0, MOST_BYTES - fixed) * 3 // 4


def compose(results: Iterable[tuple[str, str, Sequence[bytes]]]) -> dict[str, Any]:
    """Compose the answer from (record ID, result, its rows), each a line ending in a newline.

    Should an event carry an ID twice, the two are answered as one, with the rows of both: Firehose takes an ID once.
    """
    records = [
        {"recordId": record_id, "result": result, "data": b64encode_as_string(b"".join(rows))}
        for record_id, result, rows in results
    ]
    answers = {record["recordId"]: record for record in records}
    return {"records": records if len(answers) == len(records) else _merged(records)}


def _merged(records: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    answers: dict[str, dict[str, str]] = {}
    for record in records:
        known = answers.setdefault(record["recordId"], record)
        if known is not record:
            known["result"] = max(known["result"], record["result"], key=RANK.__getitem__)
            both = a2b_base64(known["data"]) + a2b_base64(record["data"])
            known["data"] = b64encode_as_string(both)
    return list(answers.values())
