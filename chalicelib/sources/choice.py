"""Choose the posts to forward: all, those in some languages, or those with a term of the lexicon."""

from __future__ import annotations

import re
from collections.abc import Callable

from chalicelib.settings import SettingsError
from chalicelib.sources.posts import Post

Choice = Callable[[Post], bool]

OFF, EVERYTHING, LEXICON = "off", "everything", "lexicon"
LANGUAGES = re.compile(r"[a-z]{2,3}(,[a-z]{2,3})*")


def of(setting: str) -> Choice | None:
    """Return the function that decides for a post: of `everything`, `lexicon` or `en,es`; None for `off`.

    Raises SettingsError for anything else.
    """
    if setting == OFF:
        return None
    if setting == EVERYTHING:
        return lambda _: True
    if setting == LEXICON:
        return names_a_disaster
    if LANGUAGES.fullmatch(setting):
        languages = frozenset(setting.split(","))
        return lambda post: any(lang.lower().split("-")[0] in languages for lang in post.langs)
    raise SettingsError(
        f"the setting of what is forwarded must be off, everything, lexicon or languages (en,es), not {setting!r}"
    )


def names_a_disaster(post: Post) -> bool:
    """Return whether the text has a term of the lexicon for a kind of disaster."""
    from chalicelib.classifier import bundled
    from chalicelib.classifier.text import clean

    return bundled.names_a_kind(clean(post.text))
