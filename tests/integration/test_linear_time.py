"""Time is in proportion to the text, for every pattern of the code that runs and for all that is done to a post.

Texts are derived from the patterns (`adversarial.py`), so that a pattern added tomorrow is tested without a word here.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from chalicelib.classifier import bundled, text
from chalicelib.reconcile.firehose_failures import FailedFile, tweet_keys
from chalicelib.transform.unpack import unpack
from tests.support import adversarial
from tests.support.adversarial import MOST, Shape, patterns, shapes, slower

MODULES = adversarial.modules("chalicelib")
NAMES = {pattern: name for module in MODULES for name, pattern in reversed(patterns(module).items())}
PATTERNS = {name: pattern for pattern, name in NAMES.items()}  # each once
OF_TEXT = [*patterns(text).values(), html._charref]  # type: ignore[attr-defined]
PATTERN_SIZE, SIZE = 16_384, 8_192


def uses(pattern: re.Pattern[Any]) -> Iterator[Callable[[str], object]]:
    """Yield the ways in which a pattern is applied."""
    encoded = isinstance(pattern.pattern, bytes)
    yield lambda given: pattern.sub(b"", given.encode()) if encoded else pattern.sub("", given)
    yield lambda given: pattern.fullmatch(given.encode() if encoded else given)


def too_slow(run: Callable[[str], object], texts: dict[str, Shape], size: int) -> list[str]:
    return [
        f"{name}: twice the text takes {found:.1f} times as long"
        for name, shape in texts.items()
        if (found := slower(run, shape, size)) > MOST
    ]


def filled(unit: str, before: str = "", after: str = "") -> Shape:
    return lambda n: before + unit * (n // len(unit)) + after


def texts() -> dict[str, Shape]:
    """Return what the patterns on a post's text suggest, and what its library calls may be slow for."""
    found = {name: shape for pattern in OF_TEXT for name, shape in shapes(pattern).items()}
    for unit in (
        "&amp;", "amp;", "&x", "&#1", "&#x1", "&notit", "&", "&lt", "RT @a: ", "#aB", "#a_", "\u3000", "\x1c", " \n",
        "\u0301\u0323", "\u0f73", "\uff9e", "\ufdfa", "한", "é", "ﬁ", "İ", "🔥", "a'", "'", "Û\x89", "â€™", "http",
        "http:/", "www.", "pic.twitter.com/", "Http", "@", "@a", "@@",
    ):  # fmt: skip
        found[f"{unit!r} * n"] = filled(unit)
        found[f"'& # RT @a www \u00e5\u0302' + {unit!r} * n"] = filled(unit, "& # RT @a www \u00e5\u0302")
    found["'&' + 'amp;' * n"] = filled("amp;", "&")
    found["'&#' + '1' * n"] = filled("1", "&#")
    found["accents in falling order"] = lambda n: "\u0301" * (n // 2) + "\u0323" * (n // 2)
    found["entities within entities"] = lambda n: "&" + "amp;" * (n // 8) + " " + "&x" * (n // 4)
    return adversarial.once(found)


def of_lexicon() -> dict[str, Shape]:
    """Return texts of the lexicon's words and phrases, and of tokens that hold many of them."""
    lexicon = bundled._model().lexicon
    terms = [term for index in (lexicon.whole, lexicon.begin, lexicon.end) for some in index.values() for term in some]
    phrases = sorted({term.words.replace("*", "") for term in terms if " " in term.words})
    words = sorted({term.words.replace("*", "") for term in terms if " " not in term.words})
    figures = sorted({term.words.replace("*", "") for term in terms if not term.kinds})
    parts = "".join(sorted(lexicon.part))
    return {
        **{f"{unit!r} * n": filled(f"{unit} ") for unit in (*phrases[::150], *words[::300], *figures[:2])},
        "all words": filled(" ".join(words[::40]) + " "),
        "all phrases": filled(" ".join(phrases[::40]) + " "),
        "a token of parts": filled(parts),
        "tokens of parts": filled(f"{parts} "),
        "tokens never seen": lambda n: " ".join(f"{at:x}q" for at in range(n // 6)),
        "a long token": filled("x", "flood"),
    }  # fmt: skip


def of_records() -> dict[str, Shape]:
    """Return records that may be slow to unpack; a code point is a byte."""
    before = (
        "",
        '{"text":"x","y":',
        '{"data":[',
        '[{"text":"x"},',
        '{"text":"x"}\n',
        '{"text":"',
        '{"text":NaN,"id":"',
    )
    units = (
        "[", "{", '{"a":', "1,", "1", "[],", '"",', '"', "\\", "\\u0000", "\\ud800", "\xff", "\0", "x\n", "\n", " \n",
        "{}\n",
        '{"text":"a"}\n', '{"text":"a"},', '{"text":"a","id":1.0}\n', '{"text":"a","id":1.0},', "NaN,", "-", "1e",
        "\xef\xbf\xbf",
    )  # fmt: skip
    ends = {"": '"}', "{": "]}", "[": "]"}
    found = {f"{b!r} + {u!r} * n + {e!r}": filled(u, b, e) for b in before for u in units for e in (ends[b[:1]],)}
    for field in ("created_at", "location", "lang", "keyword", "id", "user_id"):
        for unit in ("1", " a", "é", "\\u0000"):
            found[f"{field} of {unit!r} * n"] = filled(unit, f'{{"text":"x","{field}":"', '"}')
    authors = '],"includes":{"users":[{"id":"8","x":"%s"}]}}'
    found["an author repeated"] = lambda n: (
        '{"data":[' + '{"text":"x","author_id":"8"},' * (n // 60) + "1" + authors % ("x" * (n // 2))
    )
    found["users whose hashes collide"] = lambda n: (
        '{"data":[' + ",".join('{"text":"x","author_id":1}' for _ in range(n // 50)) + '],"includes":{"users":['
        + ",".join(f'{{"id":{at}}}' for at in probes(n // 40)) + "]}}"
    )  # fmt: skip
    found["elements nested too deep"] = lambda n: (
        '[{"text":"x"},' + ",".join(["[" * 1000 + "]" * 1000] * (n // 2000)) + "]"
    )
    return found


def probes(count: int) -> Iterator[int]:
    """Yield numbers that all lie on the way on which a dict looks for 1."""
    size, at = 1 << (count * 2).bit_length(), 1
    for _ in range(count):
        yield at
        at = (5 * at + 1) % size


# ------------------------------------------------------------------ the tests can fail

OLD_RETWEET = r"(?<![\w@])(?:RT\s*:?\s*)?@\w+:?|^\s*RT\b\s*:?"


@pytest.mark.parametrize("pattern", [OLD_RETWEET, r"\s+$", r"(a+)+$", r"x*y*x*z", r"\d+\.\d+;"])
def test_a_slow_pattern_is_found(pattern: str) -> None:
    compiled = re.compile(pattern)
    assert any(slower(use, shape, 512) > MOST for use in uses(compiled) for shape in shapes(compiled).values())


def old_unescape(given: str) -> str:
    with suppress(ValueError):  # of a number of more than 4,300 digits
        while (plain := html.unescape(given)) != given:
            given = plain
    return given


def old_fold(given: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", given) if not unicodedata.combining(c))


@pytest.mark.parametrize("run", [old_unescape, old_fold], ids=["old unescape", "old fold"])
def test_a_slow_step_is_found(run: Callable[[str], str]) -> None:
    assert any(slower(run, shape, 2048, doublings=0) > MOST for shape in reversed(texts().values()))


def test_a_pattern_made_when_the_code_runs_is_refused(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "late.py").write_text("import re\ndef late(x):\n    return re.compile(x + '*')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="late:3 makes a pattern when it runs"):
        patterns(__import__("late"))


def test_the_patterns_of_all_modules_are_known() -> None:
    assert {"chalicelib.classifier.text._RETWEET", "chalicelib.layout.TWEET_FILE"} <= set(PATTERNS)
    assert len(PATTERNS) > 20


# ------------------------------------------------------------------ the code


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_takes_linear_time(name: str) -> None:
    pattern = PATTERNS[name]
    assert [found for use in uses(pattern) for found in too_slow(use, shapes(pattern), PATTERN_SIZE)] == []


STEPS = {"clean": text.clean, "tokens": text.tokens}


@pytest.mark.parametrize("run", STEPS.values(), ids=STEPS)
def test_what_is_done_to_a_text_takes_linear_time(run: Callable[[str], object]) -> None:
    assert too_slow(run, texts(), SIZE) == []


def classified(given: str) -> None:
    model = bundled._model()
    model._rows.forget()  # else the second look at a text would be the cheaper one
    model.classify([given])


def test_classifying_takes_linear_time() -> None:
    assert too_slow(classified, of_lexicon(), SIZE) == []


def test_unpacking_a_record_takes_linear_time() -> None:
    assert too_slow(lambda given: unpack(given.encode("latin-1", "ignore")), of_records(), SIZE) == []


def test_reading_a_record_that_firehose_gave_up_on_takes_linear_time() -> None:
    from base64 import b64encode

    line = filled('{"text":"a"}\n')
    run = lambda given: list(tweet_keys({"errorCode": "x", "rawData": b64encode(given.encode())}, FailedFile("x")))  # noqa: E731
    assert slower(run, line, SIZE) <= MOST
