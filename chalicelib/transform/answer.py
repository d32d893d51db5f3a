"""Firehose's answer: each record ID once, and never more bytes than Lambda may return."""

from __future__ import annotations

import json
from binascii import b2a_base64
from collections.abc import Iterable, Sequence
from typing import Any

MOST_BYTES = 6_000_000
"""Of the whole answer. Lambda allows 6 MB (docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)."""

RANK = {"ProcessingFailed": 0, "Dropped": 1, "Ok": 2}
_FRAME = len('{"records": []}')
_EMPTY = len('{"recordId": , "result": "ProcessingFailed", "data": ""}, ')


def capacity(record_ids: Iterable[str]) -> int:
    """How many bytes of rows fit into an answer to these records, as Lambda's runtime serialises it, before base64.

    Never negative. Answers alone never exceed the limit, because the request, no smaller, is held to it too.
    """
    # base64 turns three bytes into four and rounds up, once a record
    fixed = _FRAME + sum(_EMPTY + len(json.dumps(record_id)) + 4 for record_id in record_ids)
    return max(0, MOST_BYTES - fixed) * 3 // 4


def compose(results: Iterable[tuple[str, str, Sequence[bytes]]]) -> dict[str, Any]:
    """The answer from (record ID, result, its rows), each a line ending in a newline.

    Should an event carry an ID twice, the two are answered as one, with the rows of both: Firehose takes an ID once.
    """
    answers: dict[str, tuple[str, Sequence[bytes]]] = {}
    for record_id, result, rows in results:
        known = answers.get(record_id)
        if known is None:
            answers[record_id] = (result, rows)
        else:
            answers[record_id] = (max(known[0], result, key=RANK.__getitem__), [*known[1], *rows])
    return {
        "records": [
            {"recordId": record_id, "result": result, "data": b2a_base64(b"".join(rows), newline=False).decode()}
            for record_id, (result, rows) in answers.items()
        ]
    }
