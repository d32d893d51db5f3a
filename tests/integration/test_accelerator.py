"""The accelerator drafts the rows that Python drafts, to the byte, or none; if it fails, Python does all of them."""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import accelerator as program
from accelerator import fuzz_places
from benchmarks import SAMPLE
from chalicelib.classifier import RELEVANT_SHARE, bundled
from chalicelib.transform import accelerator, batch, handler, recipe, unpack
from chalicelib.transform.accelerator import Accelerator
from chalicelib.transform.rows import Draft
from producer import read
from tests.support import attack_corpus
from tests.support.aws_in_memory import aws, event, rows

ARRIVED = 1_770_091_506_789
PLAIN = b'{"text":"Forest fire near La Ronge","id":629098231000000001}'


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accelerator]:
    built = program.HOME if Path(program.HOME, program.name(os.uname().machine)).exists() else None
    started = Accelerator(program.build(os.uname().machine, built or tmp_path_factory.mktemp("accelerator")))
    yield started
    started.close()


def in_python(data: bytes, share: float = RELEVANT_SHARE) -> list[Draft]:
    tweets, refusals = unpack.unpack(data)
    assert not refusals, "the accelerator took a record that Python refuses"
    return handler.drafts([(ARRIVED, tweet) for tweet in tweets], share)


def essence(drafts: list[Draft]) -> list[tuple[bytes, int, str, str]]:
    return [(draft.row, draft.size, draft.label, draft.version) for draft in drafts]


def program_of(native: Accelerator) -> Path:
    command = native._process.args
    assert isinstance(command, list)
    return Path(str(command[0]))


def same(native: Accelerator, datas: list[bytes], share: float = RELEVANT_SHARE) -> int:
    """Compare; return how many records the accelerator did."""
    done = 0
    for data, drafts in zip(datas, native.drafts(datas, [ARRIVED] * len(datas), share), strict=True):
        if drafts is not None:
            done += 1
            assert essence(drafts) == essence(in_python(data, share)), data
    return done


# ------------------------------------------------------------------ the same rows

WORDS = [
    *("flood", "fire", "like", "earthquake", "RT", "@user", "@üser:", "#FloodRelief", "#caféFire", "http://t.co/x"),
    *("HTTPS://T.CO/x", "www.x.org", "pic.twitter.com/a", "&amp;", "&amp;lt;", "&gt;", "&eacute;", "&#39;", "& "),
    *("don't", "'quoted'", "it's'", "\u201cwir\u201d", "\u2019s", "\x89Û_", "\x89Ûªs", "Ã©", "â€™", "naïve", "Straße"),
    *(
        "½",
        "™",
        "é",
        "e\u0301",
        "🔥",
        "👍🏽",
        "日本",
        "Ё",
        "\u00a0",
        "\u2028",
        "\x1c",
        "\x85",
        "a_b",
        "x" * 31,
        "--",
        ":",
    ),
    *(
        "in Nepal",
        "London,",
        "the US",
        "us",
        "S\u00e3o Paulo",
        "Ugan\u00e0 ",
        "Nepal\u210ettp://x",
        "Nepalhttp://x London",
        "#abflood",
    ),
    *("on fire", "killed", "bombing", "like a bomb", "storm", "of the", "Snow", "wildfires", "buildingcollapse"),
]
texts = st.lists(st.sampled_from(WORDS) | st.text(max_size=4), max_size=25).map(" ".join) | st.text(max_size=60)
ids = st.integers(-5, 10**22) | st.sampled_from(
    ["629098231000000001", "6.29e+17", "", "x" * 300, "é", "12\0", True, 1.5]
)
times = st.sampled_from(
    [
        *("2018-10-10T20:19:24.000Z", "2018-02-29T20:19:24Z", "2020-02-29T00:00:00.120Z", "2018-10-10 20:19:24", ""),
        *("Wed Oct 10 20:19:24 +0000 2018", "Wed Oct 32 20:19:24 +0000 2018", "Wed Oct 10 20:19:24 +0200 2018"),
        *("0000-01-01T00:00:00Z", "2018-10-10T24:19:24Z", "xyz Oct 10 20:19:24 +0000 2018", 5, None),
    ]
)
others = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
strings = others | st.sampled_from(["en", "x" * 17, "x" * 513, "replay", "bluesky", "\ufffe", "\ud800", "São"])
FIELDS: dict[str, st.SearchStrategy[Any]] = dict.fromkeys(unpack.NAMES, strings) | dict.fromkeys(unpack.TEXT, texts)
FIELDS |= dict.fromkeys((*unpack.TWEET_ID, *unpack.USER_ID), ids) | {"created_at": times, "x": strings}
FIELDS |= {
    "y": st.lists(strings, max_size=2),
    "user": st.none() | st.dictionaries(st.sampled_from(["id", "name"]), ids),
}
shapes = st.dictionaries(st.sampled_from(sorted(FIELDS)), st.none(), max_size=6).flatmap(
    lambda some: st.fixed_dictionaries({"text": texts, **{name: FIELDS[name] for name in some}})
)
documents = st.builds(
    lambda shape, ascii_only, spaces: json.dumps(shape, ensure_ascii=ascii_only, separators=spaces).encode(
        errors="surrogatepass"
    ),
    shapes,
    st.booleans(),
    st.sampled_from([(",", ":"), (", ", ": "), ("\n,\t", " :\r")]),
)
lines = st.lists(documents | st.sampled_from([b"", b" \r", b"{}", b"nul"]), max_size=4).map(b"\n".join)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A record with some bytes changed, left out or doubled."""
    data = bytearray(draw(documents))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 2))] = draw(
            st.sampled_from([b"", b"\\", b'"', b"}", b",", b"0"]) | st.binary(max_size=2)
        )
    return bytes(data)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    datas=st.lists(documents | lines | damaged() | st.binary(max_size=60), max_size=12),
    share=st.sampled_from([0.1, 0.5]),
)
def test_any_records(native: Accelerator, datas: list[bytes], share: float) -> None:
    same(native, datas, share)


def test_sample_tweets_are_nearly_all_done(native: Accelerator) -> None:
    datas = list(read(SAMPLE))
    assert same(native, datas) > 0.9 * len(datas)


def with_each(codes: Iterable[int]) -> list[bytes]:
    """Records with each character where it may be a letter, a space, part of a link, a mention, a hashtag, an entity or
    garbled."""
    form = "RT @u%cr: a%c fire %c don%ct #aB%cC @%c www%c HTTP:/%cx y \u0089Û%c Ã%c &%c z"
    texts = [(form.replace("%c", chr(code)), f"fire{chr(code)}Fire's {chr(code)}") for code in codes]
    datas = [json.dumps({"text": text}).encode() for text, _ in texts]
    datas += [json.dumps({"text": text}, ensure_ascii=False).encode(errors="surrogatepass") for _, text in texts]
    return datas


OURS = {*range(0x80), *itertools.chain(*recipe.BEYOND_ASCII)}


def test_every_code_point_that_it_may_take_for_plain(native: Accelerator) -> None:
    datas = with_each(sorted(OURS))
    assert same(native, datas) > 2500


def test_every_other_code_point_is_left_to_python(native: Accelerator) -> None:
    datas = with_each(
        code for code in (*range(0x3000), *range(0xD7F0, 0x10000), *range(0x1F000, 0x1FB00)) if code not in OURS
    )
    assert native.drafts(datas, [ARRIVED] * len(datas), 0.1) == [None] * len(datas)


PLACES = [
    *(
        "floods in Nepal",
        "a day in Bath, England",
        "so sad #abflood",
        "http://t.co/x floods in Nepal",
        "Nepalhttp://t.co/x",
    ),
    *("see http://t.co/x\u2026London", "S\u00e3o Paulo", "\u00abLondon\u00bb", "from the US", "Nepal\u210ettp://x"),
]


MANY = [
    "floods in Nepal " * 7 + "floods in Kenya " * 8 + "floods in Nepal " + "floods in Kenya",  # 16 mentions count
    "x " * 398 + "in Nepal",  # 400 words are read
    "x " * 399 + "in Nepal",
    "#helpSaoTomeAndPrincipeNow",  # a name of as many words as one in a hashtag may have
    *("Egypt's politics", "politics of Egypt's"),
]


@pytest.mark.parametrize("text", MANY)
def test_places_at_the_limits(native: Accelerator, text: str) -> None:
    assert same(native, [json.dumps({"text": text}).encode()]) == 1


def test_a_location_is_read_up_to_its_limit(native: Accelerator) -> None:
    datas = [
        json.dumps({"text": "floods in Cambridge", "location": " Massachusetts".rjust(size, "x")}).encode()
        for size in (199, 200, 201)
    ]
    assert same(native, datas) == 3
    assert [b"author_location" in in_python(data)[0].row for data in datas] == [True, True, False]


def test_places(native: Accelerator) -> None:
    datas = [json.dumps({"text": text}).encode() for text in [*PLACES, "Ugan\u00e0 a", "bath and barking", "us"]]
    assert same(native, datas) == len(datas)
    assert sum(b'"place"' in draft.row for data in datas for draft in in_python(data)) > 4


def test_places_of_all_kinds_in_all_contexts(native: Accelerator) -> None:
    words = fuzz_places.Words(random.Random(7))
    datas = [words.record() for _ in range(4000)]
    assert same(native, datas) > 3500
    drafts = [draft for made in native.drafts(datas, [ARRIVED] * len(datas), 0.1) for draft in made or ()]
    bases = Counter(json.loads(draft.row + b"}").get("place_basis") for draft in drafts)
    assert min(bases[basis] for basis in (None, "text", "hashtag", "author_location")) > 50, bases


def test_every_escape(native: Accelerator) -> None:
    datas = [b'{"text":"fire a\\%cb"}' % code for code in range(1, 128)]
    assert same(native, datas) == 8, "quote, backslash, slash, b, f, n, r and t; \\u wants digits"


def test_every_term_and_every_beginning_with_every_end(native: Accelerator) -> None:
    lexicon = bundled._model().lexicon
    begins, ends = sorted(lexicon.begin), sorted([*lexicon.end, *lexicon.part])
    terms = [term.words.replace("*", "") for term in bundled.terms_of(bundled.contents()[0])]
    joined = [f"{begin}{end} {end}{begin}" for at, begin in enumerate(begins) for end in ends[at % 5 :: 5]]
    texts = [*terms, *joined, *(" ".join(terms[at : at + 7]) for at in range(0, len(terms), 7))]
    datas = [json.dumps({"text": text}).encode() for text in texts]
    assert same(native, datas) > 0.99 * len(datas)


def test_texts_made_to_take_long(native: Accelerator) -> None:
    datas = [json.dumps({"text": text[:16_000]}).encode() for text in attack_corpus.SLOW_TEXTS]
    same(native, [*datas, *attack_corpus.five_slow_texts_among_good_ones()])


def test_every_column_has_its_place_in_the_recipe(native: Accelerator) -> None:
    """A column that is added to `facts` is added to what the accelerator writes."""
    full = {"text": "fire", "id": "1", "user_id": "2", "location": "x", "lang": "en", "keyword": "k", "source": "x"}
    full["created_at"] = "2018-10-10T20:19:24.000Z"
    assert same(native, [json.dumps(full).encode()]) == 1


def test_every_key_that_is_looked_up_has_a_name() -> None:
    """A record with a key that the accelerator doesn't know is Python's: so it must know which keys mean something."""
    asked: set[str] = set()

    class Spied(dict[str, Any]):
        def get(self, key: str, *default: Any) -> Any:
            asked.add(key)
            return super().get(key, *default)

        def __contains__(self, key: object) -> bool:
            asked.add(str(key))
            return super().__contains__(key)

    unpack._tweet(Spied(text="fire"), None, b"{}")
    assert asked
    assert asked <= unpack.NAMES
    with pytest.raises(unpack._RefusalError):
        unpack._tweet(Spied(), None, b"{}")
    assert asked <= unpack.NAMES
    assert recipe.names() <= unpack.NAMES


def test_one_byte_of_its_logic_changed_is_noticed(tmp_path: Path) -> None:
    for file, before, after in [("clean.zig", "'A' and character <= 'Z'", "'B' and character <= 'Z'")]:
        sources = tmp_path / file
        shutil.copytree(program.SOURCES, sources)
        path = sources / file
        assert before in path.read_text()
        path.write_text(path.read_text().replace(before, after))
        program.compile_into(tmp_path / "changed", os.uname().machine, sys.platform, sources, optimize="Debug")
        changed = Accelerator(tmp_path / "changed")
        with pytest.raises(AssertionError):
            same(changed, [b'{"text":"#aAbB HTTP://A.B"}', *read(SAMPLE)])
        changed.close()


# ------------------------------------------------------------------ records of several tweets

UNUSUAL = b'{"text":"flood","user":{"id":7}}'
LENIENT = b'{"text":"flood in Nepal","id":1.5}'  # an ID whose digits are lost: then keys lose their NULs, too
NUL_IN_A_KEY = b'{"text":"fire","te\\u0000xt":"no fire"}'


def unpacked(datas: Iterable[bytes], native: Accelerator | None, share: float = RELEVANT_SHARE) -> batch.Batch:
    draft = partial(native.drafts, share=share) if native else batch.in_python
    return batch.read(event(*datas), draft)


def drafted(found: batch.Batch, share: float) -> list[list[tuple[bytes, int, str, str]]]:
    return [
        [
            essence([each] if isinstance(each, Draft) else handler.drafts([(record.arrived, each)], share))[0]
            for each in record.tweets
        ]
        for record in found.records
    ]


@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    datas=st.lists(st.lists(documents | damaged() | lines, min_size=2, max_size=4).map(b"\n".join), max_size=4),
    share=st.sampled_from([0.1, 0.5]),
)
@example([LENIENT + b"\n" + NUL_IN_A_KEY], 0.1)
@example([UNUSUAL + b"\n" + PLAIN, b"[" + PLAIN + b",\n" + UNUSUAL + b"]", PLAIN + b"\n" + PLAIN], 0.1)
@example([b'{"data":[{"text":"a flood","author_id":"1"},{"text":"a fire"}],"includes":{"users":[{"id":"1"}]}}'], 0.1)
def test_records_of_several_tweets(native: Accelerator, datas: list[bytes], share: float) -> None:
    by_both, by_python = unpacked(datas, native, share), unpacked(datas, None)
    assert drafted(by_both, share) == drafted(by_python, share)
    assert [record.refusals for record in by_both.records] == [record.refusals for record in by_python.records]
    assert [record.sources() for record in by_both.records] == [record.sources() for record in by_python.records]


def test_one_unusual_tweet_leaves_the_others_of_its_record_to_the_accelerator(native: Accelerator) -> None:
    (record,) = unpacked([b"\n".join([PLAIN, UNUSUAL, PLAIN, b"junk", PLAIN])], native).records
    assert [isinstance(each, Draft) for each in record.tweets] == [True, False, True, True]
    assert [refusal.reason for refusal in record.refusals] == ["not_json"]


# ------------------------------------------------------------------ whatever becomes of it


@pytest.fixture
def kept(native: Accelerator) -> Iterator[None]:
    """The transform with an accelerator of its own."""
    kept = accelerator._Kept
    with (
        mock.patch.object(accelerator, "PROGRAM", program_of(native)),
        mock.patch.multiple(kept, accelerator=None, failures=0),
    ):
        yield
        if kept.accelerator:
            kept.accelerator.close()


SEVERAL = [PLAIN, b'{"text":"\xd0\x81"}', b"junk", PLAIN + b"\n" + PLAIN, b'{"text":"flood","user":{"id":7}}']


def answered() -> list[dict[str, Any]]:
    with aws():
        return [{**row, "processing_time": 0} for row in rows(handler.transform(event(*SEVERAL), None))]


def test_a_batch_is_done_by_both_and_each_row_has_its_line(kept: None, caplog: Any) -> None:
    found = answered()
    assert accelerator._Kept.accelerator
    assert [each.accelerated for each in caplog.records if each.message == "batch"] == [3], "already of the first batch"
    assert [row["s3_line"] for row in found] == [1, 2, 3, 4, 5]
    with (
        mock.patch.object(accelerator, "PROGRAM", Path("none")),
        mock.patch.multiple(accelerator._Kept, accelerator=None),
    ):
        assert not accelerator.present()
        assert answered() == found


def test_a_process_that_dies_costs_the_batch_nothing_and_is_started_again(kept: None, caplog: Any) -> None:
    found = answered()
    for failures in range(1, accelerator.MOST_FAILURES + 1):
        assert accelerator._Kept.accelerator
        os.kill(accelerator._Kept.accelerator.pid, signal.SIGKILL)
        caplog.clear()
        assert answered() == found
        [logged] = [record for record in caplog.records if hasattr(record, "given_up")]
        assert (logged.failures, logged.given_up) == (failures, failures == accelerator.MOST_FAILURES)
        assert answered() == found
    assert accelerator._Kept.accelerator is None
    assert not accelerator.present()


def test_a_process_that_hangs_is_given_up_after_a_while(kept: None) -> None:
    found = answered()
    started = accelerator._Kept.accelerator
    assert started
    started._line.settimeout(0.05)
    os.kill(started.pid, signal.SIGSTOP)
    assert answered() == found
    assert accelerator._Kept.accelerator is not started
    assert started._process.returncode == -signal.SIGKILL, "what is given up is ended"


def test_a_program_that_never_answers_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def noted(*arguments: Any, **named: Any) -> subprocess.Popen[bytes]:
        begun.append(popen(*arguments, **named))
        return begun[-1]

    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nexec sleep 60\n")
    silent.chmod(0o700)
    monkeypatch.setattr(accelerator, "MOST_SECONDS", 0.05)
    monkeypatch.setattr(subprocess, "Popen", noted)
    with pytest.raises(accelerator.DiedError, match="TimeoutError"):
        Accelerator(silent)
    [process] = begun
    assert process.returncode == -signal.SIGKILL


def test_a_program_that_is_none_is_done_without(kept: None, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o700)
    found = answered()
    with mock.patch.object(accelerator, "PROGRAM", broken), mock.patch.multiple(accelerator._Kept, accelerator=None):
        assert answered() == found


def test_a_program_that_ends_instead_of_an_answer_is_said_to_have_died(tmp_path: Path) -> None:
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nhead -c1 <&1 >/dev/null\nexit 3\n")
    silent.chmod(0o700)
    with pytest.raises(accelerator.DiedError, match="ended with status 3"):
        Accelerator(silent)


def test_closing_it_ends_the_process_and_leaves_nothing_open(native: Accelerator) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    started = Accelerator(program_of(native))
    started.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert started._process.returncode == -signal.SIGKILL


def test_what_has_no_room_in_the_shared_memory_is_neither_written_nor_read(native: Accelerator) -> None:
    head = native._get("head", accelerator.PLACES["head"].size)
    native._put("head", head)
    with pytest.raises(accelerator.DiedError, match="head has 17 bytes; there is room for 16"):
        native._put("head", head + b"x")
    with pytest.raises(accelerator.DiedError, match="head has 17 bytes; there is room for 16"):
        native._get("head", len(head) + 1)


def test_the_shared_memory_is_as_large_as_the_program_takes_it_to_be() -> None:
    source = (program.SOURCES / "main.zig").read_text()
    for name, constant in (("data", accelerator.MOST_DATA), ("written", accelerator.MOST_WRITTEN)):
        [megabytes] = re.findall(rf"^    {name}: \[(\d+) << 20\]u8,", source, re.MULTILINE)
        assert int(megabytes) << 20 == constant


def test_a_forked_process_has_one_of_its_own(kept: None) -> None:
    answered()
    kept_by_parent = accelerator._Kept.accelerator
    assert kept_by_parent
    with mock.patch.object(os, "getpid", lambda: -1):
        answered()
        assert accelerator._Kept.accelerator is not kept_by_parent
    kept_by_parent.close()


def test_it_ends_with_the_process_that_started_it(native: Accelerator) -> None:
    code = "import sys; from chalicelib.transform.accelerator import Accelerator; print(Accelerator(sys.argv[1]).pid)"
    path = str(program_of(native))
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True, cwd=program.SOURCES.parent
    )
    assert (
        not Path("/proc", done.stdout.strip()).exists()
        or b"Z" in Path("/proc", done.stdout.strip(), "stat").read_bytes()
    )


def test_as_many_records_as_there_is_room_for_are_done(native: Accelerator) -> None:
    datas = [PLAIN, *[b""] * (accelerator.MOST_RECORDS - 1)]
    made = native.drafts(datas, [ARRIVED] * len(datas), 0.1)
    assert made[0] and len(made) == len(datas)
    assert native.drafts([*datas, b""], [ARRIVED] * (len(datas) + 1), 0.1) == [None] * (len(datas) + 1)
    full = PLAIN + b" " * (accelerator.MOST_DATA - len(PLAIN))
    assert native.drafts([full], [ARRIVED], 0.1)[0]


def test_records_that_do_not_fit_are_left_to_python(native: Accelerator) -> None:
    assert native.drafts([PLAIN] * (accelerator.MOST_RECORDS + 1), [ARRIVED] * (accelerator.MOST_RECORDS + 1), 0.1) == [
        None
    ] * (accelerator.MOST_RECORDS + 1)
    assert native.drafts([b" " * (accelerator.MOST_DATA + 1)], [ARRIVED], 0.1) == [None]
    many = native.drafts([PLAIN] * accelerator.MOST_RECORDS, [ARRIVED] * accelerator.MOST_RECORDS, 0.1)
    assert many[0] and many[-1] is None, "there is no room for so many rows"


# ------------------------------------------------------------------ where it runs


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_it_is_built_for_lambda_without_a_library_of_the_system(machine: str) -> None:
    built = program.build(machine, program.HOME, "linux").read_bytes()  # as infra/package.py does, which takes it
    assert re.search(rb"\x7fELF", built[:4])
    assert b"ld-linux" not in built, "it is linked statically, so that no version of glibc matters"
