"""Describe to the accelerator, once, the model, the lexicon, the names of fields and the form of a row.

The recipe is derived from the definitions in Python, so a column has to be added only there. The form of a row is
`facts` of a tweet with marks as values, cut at the marks. `Input` and the `init`s in accelerator/ read the recipe.
"""

from __future__ import annotations

import itertools
import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson

from chalicelib.classifier import Keyword, Prediction, bundled, information, lexicon, text
from chalicelib.classifier.taxonomy import CODES
from chalicelib.columns import BYTES, REPLAYED, SOURCES
from chalicelib.places import gazetteer, mentions
from chalicelib.places.find import AUTHOR_LOCATION
from chalicelib.transform import rows, text_key, told, unpack
from chalicelib.transform.unpack import Tweet

KINDS = tuple(dict.fromkeys((*CODES, lexicon.UNSPECIFIED)))
LABELS = (*KINDS, bundled.NOT_DISASTER)

UNUSUAL, TEXT, ID, TIME, STRING, LOCATION = range(6)  # Slot.Kind in Recipe.zig
NOTHING, ORIGINAL, CLEANED, ARRIVED, KEY, KEYWORDS, ARRIVED_AT, FIELD, WRITTEN, TEXT_KEY = range(10)  # Piece.What
PLACE, VERDICT, LABEL, SCORE, RELEVANCE, RELEVANT, INFORMATION = range(10, 17)

PLAIN: dict[str, tuple[int, Sequence[str], int, Iterable[str]]] = {
    "text": (TEXT, unpack.TEXT, BYTES["original_text"] // 4, ()),
    "tweet_id": (ID, unpack.TWEET_ID, BYTES["tweet_id"], ()),
    "user_id": (ID, unpack.USER_ID, BYTES["user_id"], ()),
    "created_at": (TIME, ("created_at",), 64, ()),
    "location": (LOCATION, ("location",), BYTES["location"], ()),
    "lang": (STRING, ("lang",), BYTES["lang"], ()),
    "source_keyword": (STRING, unpack.KEYWORD, BYTES["source_keyword"], ()),
    "source": (STRING, ("source",), BYTES["source"], sorted(SOURCES)),
}
"""What the accelerator reads of a tweet, by its name in `Tweet`: its kind, what sources call it, the most bytes that it
has without being cut, and all the values that it may have, if they are few. A column that is copied as a record says it
needs a line here to be fast; a record with any other name that `unpack` reads is Python's."""

ARRIVAL = 1_770_091_506_789  # as good a mark as any


def recipe(header: dict[str, Any], body: bytes) -> bytes:
    """Return the recipe. `header` and `body` of the model's file."""
    return b"".join(
        [
            _fields(),
            _row(),
            _model(header),
            _characters(),
            _lexicon(header),
            _words(header, body),
            _information(header, body),
            _places(),
        ]
    )


def _short(content: bytes, size: str = "B") -> bytes:
    return struct.pack(f"<{size}", len(content)) + content


def _fields() -> bytes:
    slots = [*PLAIN.values(), (UNUSUAL, sorted(unpack.NAMES - names()), 0, ())]
    out = [bytes([len(slots)])]
    for kind, _, most, choices in slots:
        out += [struct.pack("<BI", kind, most), bytes([len(list(choices))])]
        out += [_short(choice.encode()) for choice in choices]
    said = [(name, slot, rank) for slot, (_, known, _, _) in enumerate(slots) for rank, name in enumerate(known)]
    out.append(bytes([len(said)]))
    out += [_short(name.encode()) + bytes([slot, rank]) for name, slot, rank in said]
    return b"".join(out)


def names() -> set[str]:
    """Return the names that the accelerator reads."""
    return {name for _, known, _, _ in PLAIN.values() for name in known}


def _row() -> bytes:
    texts: dict[str, Any] = {name: f"?{name}?" for name in PLAIN}
    tweet = Tweet(raw=b"{}", truncated=False, **texts)
    row = rows.facts(tweet, ARRIVAL, "?cleaned?", [])
    marks = {
        b'"?text?"': (ORIGINAL, 0),
        b'"?cleaned?"': (CLEANED, 0),
        b'"?created_at?"': (WRITTEN, list(PLAIN).index("created_at")),
        b"[]": (KEYWORDS, 0),
        str(ARRIVAL).encode(): (ARRIVED, 0),
        rows.timestamp(ARRIVAL).encode(): (ARRIVED_AT, 0),
        rows.tweet_key(b"{}").encode(): (KEY, 0),
    }
    marks |= {
        b'"?%b?"' % name.encode(): (FIELD, slot)
        for slot, name in enumerate(PLAIN)
        if f'"?{name}?"'.encode() not in marks
    }
    said = rows.said(Prediction("?label?", 0.123456, 0.654321, (), ""))
    labels = {
        b"?label?": (LABEL, 0),
        b"0.123456": (SCORE, 0),
        b'"relevant"': (RELEVANCE, 0),
        b"0.654321": (RELEVANT, 0),
    }
    pieces = [*_cut(row, marks, TEXT_KEY), (b"", (PLACE, 0)), (b"", (VERDICT, 0)), *_cut(said, labels, INFORMATION)]
    keyword = orjson.dumps(Keyword(prefix="?", word="?", suffix="?", theme="?")).split(b"?")
    out = [bytes([len(pieces)])] + [_short(literal, "H") + bytes(what) for literal, what in pieces]
    out += map(_short, [*keyword, *told.TEXT_KEY.split(b"%b"), *rows.INFORMATION.removesuffix(b"%.6f").split(b"%b")])
    out.append(struct.pack("<HBB", text_key.CHARACTERS, text_key.WORDS, text_key.LONGEST))
    return (
        b"".join(out)
        + struct.pack("<QQ", rows.EPOCH, rows.FIRST)
        + _short(REPLAYED)
        + b"".join(map(_short, rows.RELEVANCE))
    )


def _cut(row: bytes, marks: dict[bytes, tuple[int, int]], last: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Yield (bytes, what follows them). Raises ValueError for a mark that is not there once."""
    positions = sorted((row.index(mark), mark) for mark in marks)
    at = 0
    for start, mark in positions:
        if row.count(mark) != 1:
            raise ValueError(f"{mark!r} is in a row {row.count(mark)} times")
        literal, at = row[at:start], start + len(mark)
        if marks[mark][0] == KEYWORDS:
            yield literal + b"[", marks[mark]
            at -= 1
        else:
            yield literal, marks[mark]
    yield row[at:], (last, 0)


def _model(header: dict[str, Any]) -> bytes:
    named, much, any_, figurative, nothing = header["of_lexicon"][len(CODES) :]
    of_kind = dict(zip(CODES, header["of_lexicon"], strict=False))
    calibration = header["calibration"]
    constants = calibration["kind"]["constants"]
    slope, _ = calibration["relevance"]
    numbers = [bundled.scale_of(header), header["bias"], slope, *calibration["kind"]["of_weights"]]
    out = [struct.pack("<7d", *numbers, bundled.NAMED, bundled.HINTED)]
    out.append(struct.pack("<5d", named, much, any_, figurative, nothing))
    sizes = bundled.MOST_WEIGHT, bundled.MOST_KEYWORDS, bundled.CONTEXT, bundled.MOST_CHARACTERS
    out.append(struct.pack("<4I", *sizes) + bytes([len(KINDS)]))
    for code in KINDS:
        weight, constant = of_kind.get(code, 0.0) / bundled.MOST_WEIGHT, constants.get(code, constants[""])
        out.append(_short(code.encode()) + struct.pack("<dd", weight, constant))
    out.append(struct.pack("<d", constants[""]) + _short(bundled.NOT_DISASTER.encode()))
    out.append(struct.pack("<H", len(lexicon.PREFERRED)))
    out += [bytes(map(KINDS.index, pair)) for pair in sorted(lexicon.PREFERRED)]
    return b"".join(out)


BEYOND_ASCII = (
    range(0x80, 0x250),  # Latin
    range(0x2010, 0x2070),  # dashes, quotes, ellipsis
    range(0x20A0, 0x20C0),  # currencies
    range(0x2100, 0x2150),  # letter-like
    range(0x2190, 0x2200),  # arrows
    range(0x2600, 0x27C0),  # symbols, dingbats
    range(0xFE0F, 0xFE10),  # emoji follows
    range(0x1F300, 0x1F650),  # emoji
    range(0x1F680, 0x1F700),
    range(0x1F900, 0x1FA00),
)
"""Characters that the accelerator may take for plain; a text with any other is Python's. All of Unicode would take a
tenth of a second at each cold start."""
_LETTER_IN_ANY_CASE = re.compile("[a-z]", re.IGNORECASE)


def _characters() -> bytes:
    out = []
    for code in itertools.chain(range(128), *BEYOND_ASCII):
        character = chr(code)
        folded, plainer = text.fold(character).lower(), text.ODD.get(character)
        letters = folded.isalnum()
        if code >= 128:
            divided = not letters and any(map(str.isalnum, folded))  # `½` is two words
            odd = divided or not folded or character.isspace() or _LETTER_IN_ANY_CASE.match(character)
            if odd and plainer is None:
                continue
        flags = (character.isalnum() or character == "_") + 2 * character.isspace() + 4 * letters
        flags += 8 * (plainer is not None) + 16 * folded.isalpha()
        said = struct.pack("<IBB", code, flags, text.BYTE.get(character, 0))
        said += _short(character.encode()) + _short(folded.encode()) + _short(_plain(text.fold(character)))
        out.append(said if plainer is None else said + (plainer.encode() or b"\0"))
    return struct.pack("<H", len(out)) + b"".join(out) + bytes(map(_again, range(256)))


def _plain(folded: str) -> bytes:
    """Return ASCII unchanged, and other characters as `Characters.beyond` says: they only divide words."""
    return bytes(ord(c) if c.isascii() else 0x80 if c.isspace() else 0xFF for c in folded)


def _again(byte: int) -> int:
    """Return the cp1252 byte of a byte read as Mac Roman; 0 if there is none."""
    return (bytes([byte]).decode("mac_roman").encode("cp1252", "ignore") or b"\0")[0]


def _lexicon(header: dict[str, Any]) -> bytes:
    terms = bundled.terms_of(header)
    index = lexicon.Lexicon(terms)
    out = [
        struct.pack(
            "<I3BH", lexicon.NAME, KINDS.index(lexicon.UNSPECIFIED), lexicon.SHORTEST_STEM, index.longest, len(terms)
        )
    ]
    number = {term: at for at, term in enumerate(terms)}
    for term in terms:
        words = term.words.split(" ")
        anchor = lexicon.anchor(words)
        out.append(bytes([len(words)]))
        out += [
            bytes([word.endswith("*") + 2 * word.startswith("*")]) + _short(word.strip("*").encode()) for word in words
        ]
        out.append(bytes([anchor, (anchor - lexicon.beside(words)) % 3, len(term.kinds)]))
        out += [bytes([KINDS.index(kind), weight]) for kind, weight in term.kinds]
    for table, size in ((index.whole, "H"), (index.begin, "H"), (index.end, "H"), (index.part, "B")):
        out.append(struct.pack(f"<{size}", len(table)))
        for key, some in table.items():
            out.append(_short(key.encode()) + struct.pack(f"<H{len(some)}H", len(some), *map(number.__getitem__, some)))
    return b"".join(out)


def _words(header: dict[str, Any], body: bytes) -> bytes:
    names = body[: header["names"]]
    numbers = struct.pack(
        "<iIII", header["parts_scale"], header["unknown_norm"], text.LONGEST_WORD, names.count(b"\n") + 1
    )
    return numbers + _short(names, "I") + body[header["names"] : header["information"]["at"]]


def _information(header: dict[str, Any], body: bytes) -> bytes:
    section = header["information"]
    content = body[section["at"] :]
    names = content[: section["names"]]
    out = [bytes([len(information.TYPES)])]
    out += [
        _short(kind.encode()) + struct.pack("<d", bias)
        for kind, bias in zip(information.TYPES, section["bias"], strict=True)
    ]
    out.append(struct.pack("<ddBI", section["scale"], section["slope"], information.LONGEST, names.count(b"\n") + 1))
    return b"".join(out) + _short(names, "I") + content[section["names"] :]


def _places() -> bytes:
    """Return the form of a place in a row, and the gazetteer."""
    anchors, texts, called, arrays = gazetteer.parts(gazetteer.FILE.read_bytes())
    names, *lists, codes = texts
    roles: dict[bytes, int] = {}
    for bit, words in enumerate(lists):
        for word in words.split(b"\n"):
            roles[word] = roles.get(word, 0) | 1 << bit
    out = list(map(_short, re.split(rb"%b|%\.4f", told.PLACE)))
    out += [_short(basis.encode()) for basis in (mentions.TEXT, mentions.HASHTAG, AUTHOR_LOCATION)]
    out += [
        _short(b"\n".join(roles), "I"),
        _short(struct.pack(f"<{len(roles)}H", *roles.values()), "I"),
        struct.pack("<I", anchors),
    ]
    return b"".join(out) + b"".join(_short(part, "I") for part in (names, codes, called, *arrays))
