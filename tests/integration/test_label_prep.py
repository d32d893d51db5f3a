"""Dirty collections become a tidy frame, labels that say why, a split without leaks, and a model that serving reads."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from rich.console import Console

from chalicelib.classifier import bundled
from chalicelib.classifier.information import TYPES, Information
from chalicelib.classifier.lexicon import Evidence
from chalicelib.classifier.text import tokens
from producer import InputError
from tests.support import ROOT
from tests.support.later import Later

if TYPE_CHECKING:
    import pandas as pd

    from label_prep import __main__ as command
    from label_prep import (
        clean,
        evaluate,
        features,
        files,
        information,
        label,
        languages,
        near,
        sources,
        split,
        steps,
        train,
    )
else:
    pd, command = Later("pandas"), Later("label_prep.__main__")
    names = "clean evaluate features files information label languages near sources split steps train"
    clean, evaluate, features, files, information, label, languages, near, sources, split, steps, train = (
        Later(f"label_prep.{name}") for name in names.split()
    )

REAL = ROOT.parent / "shared" / "data"
HEADER = ["choose_one", "choose_one:confidence", "keyword", "location", "text", "tweetid"]


def crowdflower(folder: Path, rows: list[tuple[str, str, str, str]]) -> pd.DataFrame:
    """Rows of (vote, share, text, tweetid), written as CrowdFlower did: latin-9, bare CR between rows."""
    path = folder / "tweets.csv"
    with path.open("w", encoding="iso8859-15", newline="") as file:
        writer = csv.writer(file, lineterminator="\r", quoting=csv.QUOTE_ALL)
        writer.writerow(HEADER)
        writer.writerows([vote, share, "", "", text, tweet] for vote, share, text, tweet in rows)
    source = sources.SOURCES[0]
    return pd.concat(clean.tidy(piece, source, REPORT) for piece in sources.pieces(path, source.columns, 2))


REPORT: Counter[tuple[str, str]] = Counter()


def test_dirt_is_mended_dropped_and_counted(tmp_path: Path) -> None:
    REPORT.clear()
    frame = crowdflower(
        tmp_path,
        [
            ("Relevant", "1", "Flood &amp; rain\nin town http://t.co/a", "6.29E+17"),
            ("Can't Decide", "0.5", "What is this", "1"),
            ("Not Relevant", "0.8", "http://t.co/b @me", "2"),
            ("Not Relevant", "0.8", "It\x89Ûªs nice", "3"),
        ],
    )
    assert frame["cleaning_text"].tolist() == ["Flood & rain in town", "It's nice"]
    assert frame["tweet_id"].tolist() == [None, "3"]
    assert frame["relevant"].tolist() == [1.0, 0.0]
    counts = {what: count for (_, what), count in REPORT.items()}
    assert counts == {
        "rows read": 4,
        "mojibake mended": 1,
        "HTML entities mended": 1,
        "line breaks within a text": 1,
        "ids without their digits, no longer keys": 1,
        "dropped: no words left": 1,
        "dropped: the vote says nothing": 1,
        "rows kept": 2,
    }


def test_a_file_without_a_needed_column_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,other\nx,y\n")
    with pytest.raises(InputError, match="no column choose_one"):
        list(sources.pieces(tmp_path / "a.csv", {"text": "text", "vote": "choose_one"}))


@pytest.mark.parametrize(
    ("text", "gold", "relevant", "expected"),
    [
        ("Pray for them", "attack", 1.0, ("attack", "gold", "")),
        ("Flood in town", None, 0.0, ("flood", "names", "flood|flood*")),
        ("They evacuated us", None, 1.0, ("unspecified", "vote", "")),
        ("A flood of emails", None, 0.0, ("not_disaster", "vote", "")),
    ],
)
def test_a_label_says_which_rule_and_words_gave_it(
    text: str, gold: str | None, relevant: float, expected: tuple[str, str, str]
) -> None:
    kind, rule, words = label.label(text, gold, relevant)
    assert (kind, rule) == expected[:2]
    assert set(words.split("|")) >= set(expected[2].split("|")) - {"flood*"}


def test_contradicting_votes_on_the_same_words_are_settled_and_listed() -> None:
    frame = pd.DataFrame(
        {
            "same_words": [1, 1, 1, 2],
            "event": "crowdflower",
            "row": [1, 2, 3, 4],
            "relevant": [1.0, 0.0, 0.0, 1.0],
            "vote_share": [1.0, 0.6, 0.6, 0.9],
        }
    )
    settled, listed = label.settle(frame)
    assert settled["relevant"].tolist() == [1.0, 1.0, 1.0, 1.0]
    assert settled["weight"].tolist() == pytest.approx([1 / 1.72, 0.36 / 1.72, 0.36 / 1.72, 0.81])
    assert listed["row"].tolist() == [1, 2, 3]
    assert set(listed["settled_as"]) == {1.0}


def test_near_duplicates_fall_together_and_others_do_not() -> None:
    texts = [
        "flood in the valley leaves ten families without their homes tonight",
        "flood in the valley leaves 10 families without their homes tonight via news",
        "flood in the valley leaves ten families without their homes tonight",
        "nothing at all happened here today except for some very fine weather",
    ]
    one, two, three, other = near.groups([text.split() for text in texts], 1)
    assert one == two == three != other


def frame_of(texts: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    events = np.array(["crowdflower", *(f"event {n}" for n in range(19))])[rng.integers(0, 20, texts)]
    return pd.DataFrame(
        {
            "event": events,
            "source": np.where(events == "crowdflower", "crowdflower", "t26"),
            "group": rng.integers(0, 10 * texts, texts),
        }
    )


def test_neither_events_nor_near_duplicates_straddle_the_split() -> None:
    frame = frame_of(2000)
    frame["part"] = split.assign(frame, 3)
    used = frame[frame["part"] != "left out"]
    assert used.groupby("group")["part"].nunique().max() == 1
    assert used[used["source"] == "t26"].groupby("event")["part"].nunique().max() == 1
    assert split.assign(frame, 3).equals(frame["part"])
    assert (frame["part"] == "train").sum() > len(frame) / 2


def test_small_classes_are_folded_with_a_note() -> None:
    labels = pd.Series(["flood"] * 60 + ["haze"] * 30 + ["tsunami"] * 30)
    folded, notes = split.fold(labels, pd.Series(True, index=labels.index))
    assert folded.value_counts().to_dict() == {"flood": 60, "other_disaster": 60}
    assert notes == [f"{kind}: 30 documents, fewer than 50, folded into other_disaster" for kind in ("haze", "tsunami")]
    folded, notes = split.fold(labels[:90], pd.Series(True, index=range(90)))
    assert folded.dropna().unique().tolist() == ["flood"]
    assert notes[-1] == "other_disaster: 30 documents, dropped"


TEXTS = [
    f"{subject} {verb} {place} number {n}"
    for n in range(12)
    for subject, verb, place in [
        ("flood", "hits", "the town"),
        ("I", "love", "this song"),
        ("earthquake", "shakes", "the coast"),
        ("my phone", "exploded with", "messages"),
    ]
]


def typed_posts() -> pd.DataFrame:
    said = dict(
        zip(
            TYPES,
            (
                "232 people died, a hundred hurt",
                "the bridge is closed and the power is out",
                "warning: avoid the coast tonight",
                "volunteers needed, donate food and blankets",
                "praying for all who lost a friend",
                "officials hold a press conference on the inquiry",
            ),
            strict=True,
        )
    )
    rows = [(f"{text} in {place}", kind) for place in "abcdefgh" for kind, text in said.items()]
    return pd.DataFrame(rows, columns=["cleaning_text", "information_type"]).assign(group=range(len(rows)))


def test_information_types_are_learnt_as_they_are_served_and_the_same_again() -> None:
    frame = typed_posts()
    header, content = information.fit(frame, 1)
    assert information.fit(frame, 1) == (header, content)
    model = Information(header, content)
    told = [model.tell(tokens(text)) for text in frame["cleaning_text"]]
    assert [kind for kind, _ in told] == frame["information_type"].tolist()
    assert all(1 / len(TYPES) < probability <= 1 for _, probability in told)
    # by cues alone, in other words and languages: numbers by their shape, unknown words by their beginnings
    for text, expected in (
        ("417 fallecidos", "affected_individuals"),
        ("se necesitan donativos", "donations_and_volunteering"),
    ):
        assert model.tell(tokens(text))[0] == expected
    with pytest.raises(InputError, match="caution_and_advice"):
        information.fit(frame[frame["information_type"] != "caution_and_advice"], 1)


def test_a_crisis_is_held_out_whole_when_information_types_are_measured() -> None:
    frame = typed_posts().assign(voted=1)
    frame["event"] = frame["cleaning_text"].str[-1]
    frame.loc[frame["event"] == "a", "information_type"] = "other_useful_information"  # a contrary crisis
    held = information.held_out(frame, 1, lambda *_: None)
    assert len(held) == len(frame)
    contrary = held[held["event"] == "a"]
    assert (contrary["told"] != contrary["gold"]).sum() == 5  # nothing was learnt from the crisis itself
    measured = information.measure(held, information.fit_slope(held))
    assert measured["accuracy"] == pytest.approx(43 / 48)


def test_what_is_no_model_of_information_types_is_refused() -> None:
    header, content = information.fit(typed_posts(), 1)
    with pytest.raises(ValueError, match="not a model file"):
        Information(header, content[:-1])


def test_training_and_serving_agree_and_the_file_is_the_same_again() -> None:
    frame = pd.DataFrame(
        {
            "source": ["crowdflower", "t26", "everyday", "t26"] * 12,
            "event": ["crowdflower", "2012_flood", "xlmt_es", "2013_quake"] * 12,
            "relevant": [1.0, 0.0, 0.0, 1.0] * 12,
            "weight": 1.0,
            "group": range(48),
        }
    )
    calibration = {"relevance": [1.0, 2.0], "kind": {"of_weights": [0.1, 0.0], "constants": {"": 0.0, "flood": 1.0}}}

    told = information.fit(typed_posts(), 1)

    def build() -> tuple[bytes, features.Features, train.Linear]:
        read = train.read(TEXTS)
        found, linear = train.fit(frame, read.tokens, read.evidence, 1)
        return train.pack(found, linear, calibration, {}, {}, told), found, linear

    content, found, linear = build()
    assert build()[0] == content
    unseen = [
        *TEXTS,
        "Floods and earthquakes near Springfield, zyxwv",
        "unheard-of words only",
        "no flood, no no flood",
    ]
    read = train.read(unseen)
    logits = linear.logits(found, features.matrix(found, read.tokens, read.evidence))
    expected = 1 / (1 + np.exp(-(logits + 2.0)))
    predictions = bundled.Model(content).classify(unseen, 0.5)
    assert [prediction.relevant for prediction in predictions] == pytest.approx(expected.tolist(), abs=0.005)
    assert [prediction.label for prediction in predictions] == [
        bundled.kind_told(evidence.weights, p) for evidence, p in zip(read.evidence, expected, strict=True)
    ]


def test_a_crisis_alone_teaches_no_name_of_its_places() -> None:
    corpus = [["boston", "flood"], ["boston", "river"], ["berlin", "flood"], ["berlin", "song"]]
    events = ["2012_flood", "2012_flood", "2013_flood", features.EVERYDAY]
    found = features.learn(corpus, events, [1.0, 1.0, 1.0, 0.0], 1)
    own = dict(zip(found.tokens, found.own, strict=True))
    assert (own["boston"], own["berlin"], own["flood"]) == (False, True, True)
    matrix = features.matrix(found, corpus, [Evidence({}, False)] * len(corpus))
    weights = np.zeros((found.width, 1))
    weights[found.tokens.index("boston")] = weights[found.tokens.index("berlin")] = 1.0
    of_tokens = found.of_tokens(weights, matrix.by_part)[:, 0]
    assert (of_tokens[found.tokens.index("boston")], of_tokens[found.tokens.index("berlin")]) == (0.0, 1.0)


def test_everyday_posts_that_also_hold_the_name_of_a_place_give_it_no_weight_of_its_own() -> None:
    corpus = [["boston", "flood"]] * 20 + [["boston", "song"], ["boston", "lunch"]] + [["river", "flood"]] * 5
    events = ["2013_flood"] * 20 + [features.EVERYDAY] * 2 + ["2012_flood"] * 5
    found = features.learn(corpus, events, [1.0] * 20 + [0.0, 0.0] + [1.0] * 5, 1)
    assert not found.own[found.tokens.index("boston")]
    assert found.own[found.tokens.index("flood")]


def test_whole_events_and_near_duplicates_are_held_out_together() -> None:
    frame = frame_of(400)
    frame.loc[:39, ["event", "source"]] = ["xlmt_es", "everyday"]
    for choice in (0, 1):
        some = [fold for fold in evaluate.folds(frame, 2, 1) if fold.choice == choice]
        assert sorted(np.concatenate([fold.test for fold in some])) == list(range(len(frame)))
        for fold in some:
            test, rest = frame.iloc[fold.test], frame.iloc[evaluate.apart(frame, fold)]
            whole = test[test["source"] != "crowdflower"]
            assert set(whole["event"]).isdisjoint(frame.drop(frame.index[fold.test])["event"])
            assert set(test["group"]).isdisjoint(rest["group"])


def test_no_fold_holds_out_all_of_a_language() -> None:
    held = [collection for fold in evaluate.HELD for collection in fold]
    assert sorted(held) == sorted(sources.COLLECTIONS)
    for fold in evaluate.HELD:
        rest = set(held) - set(fold)
        assert all(any(name.endswith(f"_{language}") for name in rest) for language in languages.SPOKEN[1:])


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ({}, False),
        ({"flood": 10}, False),
        ({"flood": 10, "unspecified": 10}, True),
        ({"flood": 3, "unspecified": 20}, False),
        ({"flood": 10, "storm": 10}, True),
    ],
)
def test_an_everyday_post_that_likely_speaks_of_a_disaster_teaches_nothing(
    weights: dict[str, int], expected: bool
) -> None:
    assert train.doubtful(Evidence(weights, False)) is expected


def test_the_share_of_relevant_posts_decides_precision_and_calibration() -> None:
    ratio = np.repeat([3.0, -3.0], [100, 100])
    right = np.tile([1.0] * 19 + [0.0], 5).tolist() + np.tile([0.0] * 19 + [1.0], 5).tolist()
    rows = pd.DataFrame({"source": np.where(np.array(right) == 1, "t26", "everyday"), "relevant": right})
    rows["log_ratio"] = ratio
    even, rare = evaluate.at_share(rows, 0.5), evaluate.at_share(rows, 0.1)
    assert even["precision"] == pytest.approx(0.95) == even["recall"]
    assert even["calibration_error"] < 0.01
    assert rare["precision"] == pytest.approx(0.1 * 0.95 / (0.1 * 0.95 + 0.9 * 0.05))


def test_a_folder_is_scored_with_a_line_a_set_everyday_apart_from_crises(tmp_path: Path) -> None:
    (tmp_path / "daily.csv").write_text("text,label,kind,lang\nI love this song,0,,en\nQue bueno,0,,es\n")
    (tmp_path / "quake.csv").write_text(
        "text,label,kind,lang\nEarthquake kills 20 in the city,1,earthquake,en\nGood morning,0,,en\n"
    )
    everyday, crises = files.survey(tmp_path)
    assert list(everyday.columns[0].cells) == ["daily en", "daily es"]
    assert list(everyday.columns[2].cells) == ["0.00%", "0.00%"]
    assert list(crises.columns[0].cells) == ["quake"]
    assert list(crises.columns[4].cells) == ["1.000"]
    assert command.main(["evaluate", str(tmp_path)]) == 0
    with pytest.raises(InputError, match="holds no CSV"):
        files.survey(tmp_path / "none")


@pytest.mark.parametrize(
    "content",
    [
        "text,label\nFlood in town,flood\nQuake here,earthquake\nLovely,not_disaster\n",
        'flood,"Flood, in town"\nearthquake,Quake here\n',
    ],
)
def test_any_file_with_text_and_labels_is_scored(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tweets.csv"
    path.write_text(content)
    assert command.main(["evaluate", str(path), "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "pictures" / "tweets" / "confusion.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("header", "people", "infrastructure"),
    [
        (
            "relevance_label,information_type",
            "relevant,affected_individuals",
            "relevant,infrastructure_and_utilities",
        ),
        ("information_type", "Affected individuals", "Infrastructure and utilities"),  # as CrisisLex has them
    ],
)
def test_information_types_by_people_are_scored(tmp_path: Path, header: str, people: str, infrastructure: str) -> None:
    lines = [f"text,{header}", f"20 dead and 31 injured,{people}", f"God bless and pray for them,{infrastructure}"]
    if "relevance" in header:
        lines += ["It has no type,relevant,", "Two dead in my dream,not_relevant,affected_individuals"]
    (tmp_path / "reviews.csv").write_text("\n".join(lines))
    _, tables = files.score(tmp_path / "reviews.csv")
    [found] = [table for table in tables if str(table.title).startswith("Information type")]
    assert found.title == "Information type, 2 tweets"
    assert list(found.columns[0].cells) == ["affected_individuals", "infrastructure_and_utilities", "macro"]
    assert list(found.columns[4].cells) == ["1.000", "0.000", "0.500"]
    [crises] = files.survey(tmp_path)
    assert list(crises.columns[-1].cells) == ["0.500"]
    assert command.main(["evaluate", str(tmp_path / "reviews.csv"), "--out", str(tmp_path)]) == 0


def test_a_file_without_labels_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "tweets.csv"
    path.write_text("text,a,b\nx,y,z\n")
    with pytest.raises(InputError, match="one for labels"):
        files.score(path)
    assert command.main(["evaluate", str(path)]) == 1
    assert command.main(["clean", "--data", str(tmp_path), "--out", str(tmp_path)]) == 1


@pytest.mark.skipif(not REAL.exists(), reason="the real tweets are not beside the repository (../shared/data)")
def test_the_real_collections_are_cleaned_and_labelled(tmp_path: Path) -> None:
    source = sources.SOURCES[0]
    report: Counter[tuple[str, str]] = Counter()
    frame = pd.concat(clean.tidy(piece, source, report) for piece in sources.pieces(REAL / source.path, source.columns))
    assert report["crowdflower", "rows read"] == 8749
    assert report["crowdflower", "rows kept"] == len(frame)
    assert not frame["cleaning_text"].str.contains("Û|http", regex=True).mean() > 0.001
    settled, conflicts = label.settle(frame.reset_index(drop=True))
    labelled = label.kinds(settled.head(1500))
    assert {"names", "vote"} <= set(labelled["rule"])
    assert len(conflicts) > 0
    assert all(tokens(text) for text in labelled["cleaning_text"])
    steps.say(Console(quiet=True), "kinds", pd.crosstab(labelled["kind"], labelled["rule"]))
