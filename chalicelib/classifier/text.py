"""Prepare text for the classifier. Training and serving share every function here: one that differs would be a bug
that no score shows.

Every function takes time in proportion to its text, whatever the text is: `tests/integration/test_linear_time.py`
derives hostile texts from each pattern. The pitfalls are adjacent quantifiers that match the same characters, loops
that go on for as long as a text changes, and NFKD, which sorts a run of accents by insertion.
"""

from __future__ import annotations

import html
import re
import unicodedata
import zlib
from functools import lru_cache

_GARBLED = re.compile(r"[\x89‰]Û.?|[^\x00-\x7f]{2,}")
_SIGNS_OF_GARBLING = re.compile(r"[\x89‰]Û|[åÌÂ][^\x00-\x7f]|â€|Ã[^\x00-\x7f]")
# What most tweets have is found by patterns that begin with a literal, for these are ten times as fast to look for.
_LINK = re.compile(r"https?:/\S*")
_ODD_LINK = re.compile(r"(?:https?:/|www\.|pic\.twitter\.com/)\S*", re.IGNORECASE)
_MENTION = re.compile(r"@(?<![\w@]@)\w+:?")
_RETWEET = re.compile(r"(?<![\w@])(?:RT\s*+(?::\s*+)?)?@\w+:?|^\s*RT\b\s*:?")
_HASHTAG = re.compile(r"#(\w*)")
_HUMPED_HASHTAG = re.compile(r"#\w*[a-z][A-Z]")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
ODD = {chr(code): " " for code in (*range(32), *range(127, 161))} | dict.fromkeys("\u200d\ufe0f", "")
ODD |= dict.fromkeys("\u2018\u2019", "'")
_ANY_ODD = re.compile(f"[{''.join(map(re.escape, ODD))}]")
_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_QUOTE = re.compile(r"'(?![^\W_])|'(?<![^\W_]')")  # that is no apostrophe
_NO_CHARACTER = re.compile(r"&#[0-9]{100,};?")
UNESCAPED = 4
"""Times that entities are resolved: some tweets were escaped twice, none is known that was escaped more often."""
_LETTERS = bytes(ord(c.lower() if c.isalnum() or c == "'" else " ") for c in map(chr, range(128))) + bytes(128)


def clean(text: str) -> str:
    """Return `cleaning_text`: entities, mojibake and spaces mended, links and mentions out, hashtags as their words.

    Case, accents, digits and punctuation stay, so that it reads as a sentence, to people and to Comprehend alike.
    The result may be longer than the text: a hashtag gets spaces between its words.
    """
    if "&" in text:
        text = unescape(text)
    if not text.isascii():
        text = _ANY_ODD.sub(_plainer, mend(text))
    if "http" in text:
        text = _LINK.sub(" ", text)
    if "www" in text or "HTTP" in text or "Http" in text or "pic.t" in text:
        text = _ODD_LINK.sub(" ", text)
    if "RT" in text:
        text = _RETWEET.sub(" ", text)
    elif "@" in text:
        text = _MENTION.sub(" ", text)
    if "#" in text:
        text = _HASHTAG.sub(_words_of_hashtag, text) if _HUMPED_HASHTAG.search(text) else text.replace("#", " ")
    text = text.strip()
    return text if "  " not in text and text.isprintable() else " ".join(text.split())


def unescape(text: str) -> str:
    """Return the text with its HTML entities resolved, and those that appear when they are, UNESCAPED times at most."""
    for _ in range(UNESCAPED):
        # html.unescape raises ValueError for a number of more than 4,300 digits
        plain = html.unescape(_NO_CHARACTER.sub("\ufffd", text) if "&#" in text else text)
        if plain == text:
            break
        text = plain
    return text


def _plainer(match: re.Match[str]) -> str:
    return ODD[match[0]]


def _words_of_hashtag(match: re.Match[str]) -> str:
    return f" {_HUMP.sub(' ', match[1])}"


def mend(text: str) -> str:
    """Undo UTF-8 read as cp1252, and that read as Mac Roman once more, as in the CrowdFlower set.

    Only runs of characters that turn into valid UTF-8 change.
    """
    return _GARBLED.sub(_mended, text) if _SIGNS_OF_GARBLING.search(text) else text


def _mended(match: re.Match[str]) -> str:
    garbled = match[0]
    return _meant(garbled) if len(garbled) <= REMEMBERED else _meant.__wrapped__(garbled)


REMEMBERED = 16
"""Characters at most of a garbled run whose meaning is kept: mostly quotes and dashes. Longer runs rarely recur."""


@lru_cache(maxsize=1024)
def _meant(garbled: str) -> str:
    try:
        raw = bytes(BYTE[character] for character in garbled)
    except KeyError:
        return garbled
    for twice in (False, True):
        try:
            return (raw.decode("mac_roman").encode("cp1252") if twice else raw).decode()
        except UnicodeError:
            continue
    # the third byte of a quote, dash or ellipsis was lost on the way
    return f" {garbled[2:].lstrip('_')}" if garbled[1:2] == "Û" else garbled


BYTE = {bytes([b]).decode("cp1252", "ignore") or chr(b): b for b in range(256)} | {chr(b): b for b in range(128, 160)}


def tokens(text: str) -> list[str]:
    """Return a cleaned text's words in order, in lower case, accents folded (`inundação` → `inundacao`), `'s` kept."""
    if not text.isascii():
        return _TOKEN.findall(fold(text).lower())  # in this order: `™` folds to `TM`
    if "'" in text:
        text = _QUOTE.sub(" ", text)
    return text.encode().translate(_LETTERS).decode().split()  # the same, four times as fast


class _Folded(dict[int, str]):
    """Maps code points to their letters without accents, computed when first met."""

    def __missing__(self, code: int) -> str:
        if len(self) >= MOST_FOLDED:
            self.clear()
        letters = unicodedata.normalize("NFKD", chr(code))
        self[code] = folded = "".join(c for c in letters if not unicodedata.combining(c))
        return folded


MOST_FOLDED = 1 << 14
"""Code points remembered: some 2 MB."""
_FOLDED = _Folded()


def fold(text: str) -> str:
    """Return the letters without their accents.

    Each character on its own: NFKD of a whole text sorts its accents, which takes quadratic time, and they go anyway.
    """
    return text.translate(_FOLDED)


PARTS = 1 << 17
"""Buckets of parts of words."""
LONGEST_WORD = 30  # characters


def parts(token: str) -> list[int]:
    """Return the buckets of a token's character 3- to 5-grams, its ends marked: what it shares with similar words.

    Those of a token longer than LONGEST_WORD are left out: such a token is no word.
    """
    if len(token) > LONGEST_WORD:
        return []
    marked = f"<{token}>".encode()
    last = len(marked) + 1
    return sorted({zlib.crc32(marked[at : at + n]) % PARTS for n in (3, 4, 5) for at in range(last - n)})
