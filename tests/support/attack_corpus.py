"""Batches made to take more time or memory than their bytes deserve, each within what Firehose hands to the transform.

Each function returns the records of one batch; at the end are what the reconciler reads of such batches. `peak.py` runs
the functions over all of it, and `test_peak_memory.py` says how much memory that may take.
"""

from __future__ import annotations

import gzip
import json
import zlib
from base64 import b64encode
from collections.abc import Callable
from functools import partial

from chalicelib.classifier import bundled

RECORD = 1000 * 1024
"""Bytes of the largest record: docs.aws.amazon.com/firehose/latest/dev/limits.html"""
BATCH = 4_300_000
"""Bytes of a batch's data: 6 MB of JSON in base64, with an ID and a time for each record."""
RECORDS = BATCH // RECORD
POST = 65_000
"""Bytes of a post that is stored whole."""

MANY_ELEMENTS = b"[" + b"1," * 511_980 + b'{"text":"flood"}]'
MANY_LINES = b'{"text":"flood"}\n' + b"x\n" * 511_990
SLOW_TEXTS = [
    "RT" + " " * 32_000,
    "&" + "amp;" * 8000 + " " + "&x" * 16_600,
    "\u0301" * 16_000 + "\u0323" * 16_000,
    "fire broke out " * 4_300,
    "&#" + "1" * 65_000 + ";",
]


def posts(*texts: str) -> list[bytes]:
    return [json.dumps({"text": text}, ensure_ascii=False).encode() for text in texts]


def filled(line: bytes) -> bytes:
    """Return a record full of one line."""
    return (line + b"\n") * (RECORD // (len(line) + 1))


def of_posts(characters: Callable[[int], str]) -> list[bytes]:
    """Return a quarter of a batch of the largest posts, each made by its number."""
    texts = (characters(n).encode()[:POST].decode(errors="ignore") for n in range(BATCH // POST // 4))
    return posts(*texts)


def words(word: Callable[[int], str]) -> list[bytes]:
    """Return posts of 30,000 distinct words, made by their number.

    A batch may have twenty times as many. They would take as much more time, and no more memory than half of them do,
    for that is bounded after each post.
    """
    each = [word(n) for n in range(30_000)]
    a_post = POST // (max(map(len, each)) + 1)
    return posts(*(" ".join(each[at : at + a_post]) for at in range(0, len(each), a_post)))[: BATCH // POST]


def an_array_of_numbers_with_one_tweet() -> list[bytes]:
    return [MANY_ELEMENTS] * RECORDS


def lines_that_are_no_json_after_a_tweet() -> list[bytes]:
    return [MANY_LINES] * RECORDS


def objects_without_a_text() -> list[bytes]:
    return [b'{"text":"flood"}\n' + filled(b"{}")[:-18]] * RECORDS


def the_smallest_tweets() -> list[bytes]:
    return [filled(b'{"text":"a"}')] * RECORDS


def an_array_of_the_smallest_tweets() -> list[bytes]:
    return [b"[" + b",".join([b'{"text":"a"}'] * (RECORD // 13 - 1)) + b"]"] * 2


def one_author_for_many_tweets() -> list[bytes]:
    author = {"id": "8", "description": "x" * 15_000}
    data = [{"text": "flood", "author_id": "8", "x": "y" * 500} for _ in range(1500)]
    return [json.dumps({"data": data, "includes": {"users": [author]}}).encode()] * RECORDS


def an_author_as_large_as_the_payload() -> list[bytes]:
    author = {"id": "8", "description": "x" * 600_000}
    data = [{"text": "flood", "author_id": "8"} for _ in range(5_000)]
    return [json.dumps({"data": data, "includes": {"users": [author]}}).encode()] * RECORDS


def elements_nested_too_deep() -> list[bytes]:
    deep = b"[" * 1010 + b"]" * 1010
    return [b'[{"text":"flood"},' + b",".join([deep] * 480) + b"]"] * RECORDS


def lists_in_lists() -> list[bytes]:
    return [b'{"text":"flood","x":[' + b",".join([b"[" * 500 + b"]" * 500] * 1000) + b"]}"] * RECORDS


def records_with_as_many_refusals_as_they_may_have() -> list[bytes]:
    return [b"x\n" * 15 + b"[]"] * (6_000_000 // 400)


def bytes_that_are_no_utf8() -> list[bytes]:
    return [b'{"text":"' + b"\xe9" * (RECORD - 20) + b'"}']


def five_slow_texts_among_good_ones() -> list[bytes]:
    good = posts(*(f"flood {n} in Padang" for n in range(300)))
    return [*good[:150], b"\n".join(posts(*SLOW_TEXTS)), *good[150:]]


def accents() -> list[bytes]:
    return of_posts(lambda n: f"{n}" + "\u0301" * 16_000 + "\u0323" * 16_400)


def letters_that_fold_to_eighteen() -> list[bytes]:
    return of_posts(lambda n: f"{n}" + "\ufdfa" * 22_000)


def every_character() -> list[bytes]:
    return of_posts(lambda n: "".join(chr(0x10000 + (n * 17_000 + at) % 0xF0000) for at in range(16_000)))


def posts_of_one_word() -> list[bytes]:
    return of_posts(lambda n: f"{n}" + "x" * POST)


def posts_of_one_word_with_a_stem() -> list[bytes]:
    return of_posts(lambda n: f"flood{n}" + "x" * POST)


def distinct_words() -> list[bytes]:
    return words(lambda n: f"{n:x}")


def distinct_words_with_a_stem() -> list[bytes]:
    return words(lambda n: f"storm{n:x}")


def words_of_many_terms() -> list[bytes]:
    lexicon = bundled._model().lexicon
    begin, part, end = sorted(lexicon.begin), sorted(lexicon.part), sorted(lexicon.end)

    def word(n: int) -> str:
        n, first = divmod(n, len(begin))
        n, last = divmod(n, len(end))
        return begin[first] + "".join(each for at, each in enumerate(part) if n >> at & 1) + end[last]

    return words(word)


def keywords() -> list[bytes]:
    return of_posts(lambda n: f"{n} " + "flood " * 11_000)


def phrases() -> list[bytes]:
    return of_posts(lambda n: f"{n} " + "fire broke out " * 5_000)


def hashtags_of_many_words() -> list[bytes]:
    return of_posts(lambda n: f"#{n}" + "aB" * 33_000)


def entities_without_end() -> list[bytes]:
    return of_posts(lambda n: f"{n} &" + "amp;" * 16_200)


def garbled_runs() -> list[bytes]:
    return of_posts(lambda n: f"{n}" + "Û\u0089" * 16_500)


def control_characters() -> list[bytes]:
    return [json.dumps({"text": "\u0001" * 10_000}).encode()] * (BATCH // 60_100)


BATCHES: dict[str, Callable[[], list[bytes]]] = {
    made.__name__: made
    for made in (
        an_array_of_numbers_with_one_tweet,
        lines_that_are_no_json_after_a_tweet,
        objects_without_a_text,
        the_smallest_tweets,
        an_array_of_the_smallest_tweets,
        one_author_for_many_tweets,
        an_author_as_large_as_the_payload,
        elements_nested_too_deep,
        lists_in_lists,
        records_with_as_many_refusals_as_they_may_have,
        bytes_that_are_no_utf8,
        five_slow_texts_among_good_ones,
        accents,
        letters_that_fold_to_eighteen,
        every_character,
        posts_of_one_word,
        posts_of_one_word_with_a_stem,
        distinct_words,
        distinct_words_with_a_stem,
        words_of_many_terms,
        keywords,
        phrases,
        hashtags_of_many_words,
        entities_without_end,
        garbled_runs,
        control_characters,
    )
}


def given_up(name: str) -> bytes:
    """Return the file that Firehose writes of a batch of that name, which the transform never answered for."""
    lines = (
        b'{"attemptsMade":4,"errorCode":"Lambda.FunctionError","rawData":"%b"}\n' % b64encode(record)
        for record in BATCHES[name]()
    )
    return b"".join(lines)


def bomb(byte: bytes) -> bytes:
    """Return 0.1 MB of gzip that unpack to 100 MB of one byte."""
    packed = zlib.compressobj(9, wbits=31)
    return b"".join(packed.compress(byte * 1_000_000) for _ in range(100)) + packed.flush()


REFUSAL = (
    b'{"reason":"not_json","message":"a line that is not JSON","record_id":"%056d","arrived_at":"","raw":"eA=="}\n' % 1
)

REJECTED: dict[str, Callable[[], bytes]] = {
    "files of many refusals": lambda: gzip.compress(REFUSAL * 120_000, 1),
    "files of one long line": lambda: gzip.compress(b'{"reason":"not_json","raw":"' + b"eA==" * 4_000_000 + b'"}\n', 1),
    "bombs of newlines": lambda: bomb(b"\n"),
    "bombs without a newline": lambda: bomb(b"\0"),
}
"""Bodies of rejected files; the first is of such as were written before a record's refusals were bounded."""
GIVEN_UP: dict[str, Callable[[], bytes]] = {
    name: partial(given_up, name)
    for name in (
        "an_array_of_numbers_with_one_tweet",
        "lines_that_are_no_json_after_a_tweet",
        "an_array_of_the_smallest_tweets",
        "one_author_for_many_tweets",
        "an_author_as_large_as_the_payload",
        "elements_nested_too_deep",
    )
} | {"a bomb": REJECTED["bombs without a newline"], "packed": lambda: gzip.compress(given_up("lists_in_lists"), 1)}
"""Bodies of files of Firehose's with records that it gave up on."""
