"""`python -m place_prep`: distils chalicelib/places/places.bin. Needs place_prep/requirements.txt.

python -m place_prep                      the gazetteer, to the same bytes each time
python -m place_prep words FOLDER         place_prep/words.txt, from the everyday posts in a folder
"""

from __future__ import annotations

import argparse
import hashlib
import math
from pathlib import Path

from chalicelib.places import gazetteer
from place_prep import distil, naming, words

INPUTS = ("names.toml", "words.txt", "requirements.txt")


def build() -> bytes:
    """Return the gazetteer's file."""
    places, names = distil.tables(frozenset(words.FILE.read_text().split()))
    number = {place.key: n for n, place in enumerate(places)}
    codes = sorted({place.country for place in places})
    longest: dict[str, int] = {}
    for name in names:
        first, *more = name.split(" ")
        longest[first] = max(longest.get(first, 1), 1 + len(more))
    found: list[int] = []
    values = {}
    marks = distil.anchors(names)
    capitals = sorted(
        _capital(name, kind)
        for name, (kind, _) in names.items()
        if kind in (gazetteer.WORD, gazetteer.CODE) or distil.is_initials(name)
    )
    for name in sorted({*names, *longest, *marks}, key=lambda name: (name not in marks, name)):
        kind, which = names.get(name, (gazetteer.TAG, []))
        values[name] = len(found) << 12 | len(which) << 8 | kind << 4 | longest.get(name, 0)
        found += which
    curated = naming.curated()
    words_around = {name: sorted(said.split()) for name, said in curated["context"].items()}
    words_around["events"] = sorted({*words_around["events"], *words_around["hazards"]})
    return gazetteer.write(
        values,
        len(marks),
        found,
        {"capitals": capitals, "tags": sorted(curated["hashtags"]["words"].split()), **words_around},
        codes,
        gazetteer.Table(
            [place.name for place in places],
            [codes.index(place.country) for place in places],
            [place.kind for place in places],
            [number.get(place.region, 0) for place in places],
            [round(20 * math.log10(max(place.people, 1))) for place in places],
            [round(place.latitude * 10_000) for place in places],
            [round(place.longitude * 10_000) for place in places],
        ),
        inputs(),
    )


def inputs() -> str:
    """Return the hash of what the gazetteer is made from, as far as it lies here."""
    found = hashlib.sha256()
    for name in INPUTS:
        found.update((Path(__file__).parent / name).read_bytes())
    return found.hexdigest()[:16]


def _capital(name: str, kind: int) -> str:
    """Return the word that a text must have to have a name that is a word in small letters."""
    if kind == gazetteer.CODE or distil.is_initials(name):
        return name.split(" ")[0].upper()
    return name.rpartition(" ")[2].capitalize()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m place_prep", description=__doc__)
    parser.add_argument("step", nargs="?", default="all", choices=("all", "words"))
    parser.add_argument("folder", nargs="?", type=Path, help="words: where the everyday posts lie")
    options = parser.parse_args()
    if options.step == "words":
        single = {name for name in distil.every_name() if " " not in name}
        words.FILE.write_text("\n".join(words.common(single, options.folder)) + "\n")
        return
    data = build()
    gazetteer.FILE.write_bytes(data)
    print(f"{len(data):,} bytes")


if __name__ == "__main__":
    main()
