"""Which texts say the same: retweets, quotes and near-repeats share a key."""

from __future__ import annotations

import hashlib

from chalicelib.classifier.text import tokens

_DIGEST = hashlib.blake2b(digest_size=8)  # copied: three times as fast as made anew


def text_key(cleaned: str) -> str:
    """Return a hash of a cleaned text's words: 16 hex digits. Links and mentions are out of it already.

    Case, accents, punctuation and numbers make no difference.
    """
    digest = _DIGEST.copy()
    digest.update(" ".join(word for word in tokens(cleaned) if not word.isdecimal()).encode())
    return digest.hexdigest()
