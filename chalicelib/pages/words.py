"""Put numbers and times into words."""

from __future__ import annotations


def thousands(count: int) -> str:
    """Return 1234567 as 1,234,567."""
    return f"{count:,}"


def plural(count: int, noun: str) -> str:
    """Return a count with its noun: "1 tweet", "1,200 tweets"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def counted(count: int, sentence: str, noun: str, verb: bool = False) -> str:
    """Put a count and its noun (and is or are) into a sentence at {}; return nothing for none."""
    what = plural(count, noun) + (f" {'is' if count == 1 else 'are'}" if verb else "")
    return sentence.format(what) if count else ""
