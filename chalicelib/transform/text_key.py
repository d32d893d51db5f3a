"""Compute the key that retweets, quotes and near-repeats of a text share.

The key is the hash of a text's longest words. They carry the subject of a text, and mostly stay when it is repeated: in
a retweet that is cut, after a comment, or with another number, link or hashtag. The function keeps no state between
texts. docs/benchmarks.md compares it with other methods.
"""

from __future__ import annotations

import codecs
import hashlib
import unicodedata
from functools import lru_cache

CHARACTERS, WORDS, LONGEST = 160, 16, 5
"""The LONGEST longest of the first WORDS words in the first CHARACTERS characters make the key. Words behind are those
that a retweet cuts off, and those that are added at a text's end."""

_LETTERS = bytes(ord(c.lower()) if c.isalpha() else ord(" ") for c in map(chr, range(128))) + bytes(range(128, 256))
_DIGEST = hashlib.blake2b(digest_size=8)  # copied: three times as fast as made anew


def text_key(cleaned: str) -> str | None:
    """Return the key of a cleaned text, 16 hex digits; None for a text without a word.

    Case, accents, punctuation, numbers and emoji make no difference, and words of the same length count in their order.
    """
    text = cleaned[:CHARACTERS]
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text)  # of so few characters: it may take quadratic time
    words = text.encode("ascii", "text_key").translate(_LETTERS).split()[:WORDS]
    if not words:
        return None
    words.sort(key=len, reverse=True)  # keeps the order of words as long as each other
    digest = _DIGEST.copy()
    digest.update(b" ".join(words[:LONGEST]))
    return digest.hexdigest()


def _beyond_ascii(error: UnicodeError) -> tuple[bytes, int]:
    assert isinstance(error, UnicodeEncodeError)
    return b"".join(map(_encoded, error.object[error.start : error.end])), error.end


@lru_cache(1 << 12)
def _encoded(character: str) -> bytes:
    """Return a letter in lower case, nothing for an accent, a space for all else."""
    if unicodedata.combining(character):
        return b""
    return character.lower().encode() if character.isalpha() else b" "


codecs.register_error("text_key", _beyond_ascii)
