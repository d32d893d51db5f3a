"""`python -m accelerator.fuzz --seconds 60`: made-up records, each drafted by the accelerator and by Python.

It fails where the two differ and where the accelerator ends. With afl-fuzz on the path (AFL++, in Debian's `afl++`)
half of the time is AFL++'s: it looks for records that take new ways through the code, and these are compared too.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import accelerator as program
from accelerator import fuzz_places
from benchmarks import SAMPLE
from chalicelib.classifier import RELEVANT_SHARE, bundled
from chalicelib.transform import handler, recipe
from chalicelib.transform.accelerator import Accelerator
from chalicelib.transform.unpack import unpack
from producer import read

ARRIVED = 1_770_091_506_789
BATCH = 500
RUNTIME = Path("/usr/lib/afl/afl-compiler-rt.o")
PIECES = (
    *(
        b'"text":"',
        b'"full_text":"',
        b'"id":',
        b'"user":{',
        b'"created_at":"2018-10-10T20:19:24.000Z"',
        b',"lang":"pt"',
    ),
    *(
        b'"source":"replay"}',
        b'"keyword":"k"',
        b"null",
        b"-0.5e9",
        b"123456789012345678",
        b"\\u00e9",
        b"\\ud83d\\ude00",
    ),
    *(
        b"\\",
        b'"',
        b"\n",
        b"\0",
        b"RT @a: ",
        b"#aBcD ",
        b"http://x ",
        b"&amp;lt; ",
        b"&#39;",
        b"it's ",
        b"like a bomb ",
    ),
    *("\u0089Ûªs", "\u0089Û_", "Ã©", "â€œ", "\u2019", "🔥", "½", "™", "é", "\u00a0"),
    *("\u00e0 ", "\u210ettp", "Uganda", "US ", "Rwandans ", "Paulo ", " in London"),
)
HARD = (
    b'{"full_text":"RT @a: b&amp;lt; #aBc \\u00e9 http://x it\'s","id":629098231000000001,"user_id":"7","lang":"pt",'
    b'"created_at":"Wed Oct 10 20:19:24 +0000 2018","location":"S\xc3\xa3o","keyword":"k","source":"replay"}',
    b'{"text":"fire \xc2\x89\xc3\x9b\xc2\xaas \xc3\x83\xc2\xa9 on fire like a bomb","x":-1.5,"y":true}'
    b'\n{"text":"flood"}',
)


def seeds() -> list[bytes]:
    words = fuzz_places.Words(random.Random(0))  # noqa: S311
    return [*HARD, *(words.record() for _ in range(10)), *(line.rstrip(b"\n") for line in read(SAMPLE))]


def made_up(known: Sequence[bytes], dice: random.Random) -> bytes:
    """Change a record here and there."""
    data = bytearray(dice.choice(known))
    for _ in range(dice.randrange(1, 6)):
        at, piece = dice.randrange(len(data) + 1), dice.choice(PIECES)
        kind = dice.randrange(5)
        if kind == 0 and data:
            data[at % len(data)] = dice.randrange(256)
        elif kind == 1:
            data[at:at] = piece.encode() if isinstance(piece, str) else piece
        elif kind == 2:
            del data[at : at + dice.randrange(1, 12)]
        elif kind == 3:
            data[at:at] = data[at : at + dice.randrange(1, 40)]
        else:
            other = dice.choice(known)
            cut = dice.randrange(len(other) + 1)
            data[at : at + dice.randrange(40)] = other[cut : cut + dice.randrange(1, 60)]
    return bytes(data)


def differing(native: Accelerator, datas: list[bytes]) -> tuple[int, list[bytes]]:
    """Return how many records the accelerator did, and those that it did otherwise than Python."""
    found, done = [], 0
    share = RELEVANT_SHARE
    for data, drafts in zip(datas, native.drafts(datas, [ARRIVED] * len(datas), share), strict=True):
        if drafts is None:
            continue
        done += 1
        tweets, refusals = unpack(data)
        expected = handler.drafts([(ARRIVED, tweet) for tweet in tweets], share)
        if refusals or [(d.row, d.size, d.label) for d in drafts] != [(d.row, d.size, d.label) for d in expected]:
            found.append(data)
    return done, found


def compare(batches: Iterator[list[bytes]]) -> bool:
    """Print how many records there were; return whether all were the same."""
    native = Accelerator()
    records = done = 0
    wrong: list[bytes] = []
    for datas in batches:
        did, found = differing(native, datas)
        records, done, wrong = records + len(datas), done + did, wrong + found
        if wrong:
            break
    native.close()
    print(
        f"{records:,} records compared, {done:,} done by the accelerator, {len(wrong)} of them otherwise than by Python"
    )
    for data in wrong[:3]:
        print(json.dumps(data.decode("latin-1")), "in latin-1")
    return not wrong


def by_chance(seconds: float) -> Iterator[list[bytes]]:
    known, seed = seeds(), random.randrange(1 << 32)  # noqa: S311
    print(f"seed {seed}")
    dice = random.Random(seed)  # noqa: S311
    words = fuzz_places.Words(dice)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        places = [words.record() for _ in range(BATCH)]
        yield places
        yield [made_up([*known, *places], dice) for _ in range(BATCH)]


def explore(folder: Path, seconds: float) -> bool:
    """Run AFL++; return whether nothing crashed. What it found is in `folder`/found/default/queue."""
    taught, given, target = folder / "taught", folder / "given", folder / "target"
    taught.write_bytes(recipe.recipe(*bundled.contents()))
    given.mkdir()
    for number, data in enumerate(seeds()[:40]):
        (given / str(number)).write_bytes(data)
    command = [
        sys.executable,
        "-m",
        "ziglang",
        "build-exe",
        "fuzz.zig",
        "fuzz.c",
        str(RUNTIME),
        "-lc",
        "-O",
        "ReleaseSafe",
    ]
    command += ["-fsanitize-coverage-trace-pc-guard", f"-femit-bin={target}", "--cache-dir", str(folder / "cache")]
    subprocess.run(command, cwd=program.SOURCES, check=True)  # noqa: S603
    quiet = {
        "AFL_SKIP_CPUFREQ": "1",
        "AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES": "1",
        "AFL_NO_UI": "1",
        "AFL_NO_AFFINITY": "1",
    }
    command = [
        "afl-fuzz",
        "-V",
        str(int(seconds)),
        "-i",
        str(given),
        "-o",
        str(folder / "found"),
        "-t",
        "1000",
        "-m",
        "none",
    ]
    command += ["--", str(target), str(taught)]
    subprocess.run(command, env={**os.environ, **quiet}, stdout=subprocess.DEVNULL, check=True)  # noqa: S603
    said = dict(line.split(":", 1) for line in (folder / "found/default/fuzzer_stats").read_text().splitlines())
    numbers = {name.strip(): value.strip() for name, value in said.items()}
    print(
        f"AFL++: {int(numbers['execs_done']):,} records in {numbers['run_time']} s, {numbers['corpus_count']} ways, "
        f"{numbers['saved_crashes']} crashes, {numbers['saved_hangs']} hangs"
    )
    return numbers["saved_crashes"] == numbers["saved_hangs"] == "0"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m accelerator.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--found", type=Path, help="a folder that AFL++ left: compare what is in it, and end")
    given = parser.parse_args()
    program.build(os.uname().machine, program.HOME)
    if given.found:
        return 0 if compare(chunks(given.found)) else 1
    if not (shutil.which("afl-fuzz") and RUNTIME.exists()):
        return 0 if compare(by_chance(given.seconds)) else 1
    with tempfile.TemporaryDirectory() as folder:
        well = explore(Path(folder), given.seconds / 2)
        well = compare(chunks(Path(folder, "found"))) and well
    return 0 if compare(by_chance(given.seconds / 2)) and well else 1


def chunks(found: Path) -> Iterator[list[bytes]]:
    datas = [path.read_bytes() for path in sorted(found.glob("default/queue/id*"))]
    for start in range(0, len(datas), BATCH):
        yield datas[start : start + BATCH]


if __name__ == "__main__":
    sys.exit(main())
