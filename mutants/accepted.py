"""Read the mutants that no test needs to kill, each with its reason: `mutants/accepted.toml`."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

FILE = Path(__file__).with_name("accepted.toml")
Key = tuple[str, str, str, str]


class AcceptedError(Exception):
    """The list of accepted mutants is not well formed."""


def read(path: Path = FILE) -> dict[Key, str]:
    """Return reasons by mutant: (file, function, changed lines before, after). Raises AcceptedError."""
    found: dict[Key, str] = {}
    for each in tomllib.loads(path.read_text())["accepted"]:
        reason = each.get("reason", "")
        if len(reason.split()) < 4:
            raise AcceptedError(f"{each}: a reason takes more than {len(reason.split())} words")
        for after in [each["after"]] if isinstance(each["after"], str) else each["after"]:
            key = (each["file"], each["where"], each["before"], after)
            if key in found:
                raise AcceptedError(f"{key} is there twice")
            found[key] = reason
    return found


def judge(
    survivors: Iterable[Key], tried: Iterable[Key], known: Iterable[Key], accepted: Iterable[Key]
) -> tuple[list[Key], list[Key]]:
    """Return (survivors that nobody explained, explanations that explain nothing any more).

    `tried`: all that were tried; `known`: all there are in the files looked at. An explanation is of no use when its
    mutant is killed, or is none of its file's any more.
    """
    left, listed, all_known = Counter(survivors), set(accepted), set(known)
    unexplained = [key for key in left if key not in listed]
    looked_at, tested = {key[0] for key in all_known}, set(tried)
    useless = [
        key for key in listed if key[0] in looked_at and (key not in all_known or (key in tested and key not in left))
    ]
    return unexplained, sorted(useless)
