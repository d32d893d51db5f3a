"""Evaluate the bundled classifier's recipe on tweets and events it never saw, with references in the same run."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from rich.console import Console
from rich.table import Table
from scipy.special import logit
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.svm import LinearSVC

from benchmarks import REAL, tweets
from chalicelib.classifier import RELEVANT_SHARE, bundled
from chalicelib.classifier.information import TYPES
from chalicelib.classifier.text import clean, tokens
from label_prep import clean as cleaning
from label_prep import evaluate, information, label, near, train

SEED = 2015
ROUNDS = 5
OFFERED = 20
SCORES = ("F1, CF", "AUC, CF", "AUC, T6", "AUC, T26", "AUC, en", "AUC, es", "AUC, fr", "kind F1, T26")

KEYWORDS = {
    "fire": ("wildfire", "fire", "volcano", "explosion", "burn", "blaze", "smoke"),
    "water": ("flood", "tsunami", "rain", "drown", "water"),
    "wind": ("storm", "hurricane", "tornado", "typhoon", "cyclone", "wind", "snow"),
    "earth": ("earthquake", "landslide", "collapse", "drought", "sinkhole"),
    "weapons": ("attack", "bomb", "shooting", "gun", "terror", "war", "kill", "crash"),
}
"""Rules after the original's: a label for each of five elements, given by the first word found anywhere in the text."""
AS_KIND = {"fire": "wildfire", "water": "flood", "wind": "storm", "earth": "earthquake", "weapons": "attack"}


def by_keywords(text: str, kindly: bool) -> str:
    """Return the kind that the rules tell; `kindly` maps the word that was found, not its element."""
    lowered = text.lower()
    for element, words in KEYWORDS.items():
        for word in words:
            if word in lowered:
                kind = "transport_accident" if word == "crash" else word
                return kind if kindly and kind in evaluate.SEVEN else AS_KIND[element]
    return "unspecified"


def tweets_of() -> pd.DataFrame:
    """Return the real collections, cleaned and labelled."""
    frame = pd.concat(cleaning.frames(REAL, Counter()), ignore_index=True)
    frame["group"] = near.groups([tokens(text) for text in frame["cleaning_text"]], SEED)
    return label.settle(frame)[0]


Trainer = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""The logits of the second rows by a model that learnt from the first."""


def held_out(frame: pd.DataFrame, plan: list[evaluate.Fold], trainer: Trainer) -> pd.DataFrame:
    """Return logits of the held-out rows, as `evaluate.held_out` has them."""
    return pd.concat(
        [
            pd.DataFrame(
                {"at": fold.test, "choice": fold.choice, "logit": trainer(evaluate.apart(frame, fold), fold.test)}
            )
            for fold in plan
        ],
        ignore_index=True,
    )


def tf_idf(frame: pd.DataFrame) -> Trainer:
    """TF-IDF of words and logistic regression with scikit-learn's defaults, on CrowdFlower alone."""
    everyday = (frame["source"] == "crowdflower").to_numpy()
    texts, relevant = frame["cleaning_text"].to_numpy(), frame["relevant"].to_numpy()

    def trained(rest: np.ndarray, test: np.ndarray) -> np.ndarray:
        own = rest[everyday[rest]]
        vectors = TfidfVectorizer()
        model = LogisticRegression().fit(vectors.fit_transform(texts[own]), relevant[own])
        found: np.ndarray = model.decision_function(vectors.transform(texts[test]))
        return found

    return trained


def grams(frame: pd.DataFrame) -> sp.csr_matrix:
    """TF-IDF of words and of character 3- to 5-grams. Counted over all texts, those held out too, which flatters it."""
    texts = frame["cleaning_text"]
    words = TfidfVectorizer(sublinear_tf=True, min_df=2, strip_accents="unicode").fit_transform(texts)
    parts = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(3, 5), min_df=3, sublinear_tf=True, max_features=150_000
    ).fit_transform(texts)
    return sp.hstack([words, parts]).tocsr()


def by_grams(frame: pd.DataFrame, matrix: sp.csr_matrix, of_crises: float) -> Trainer:
    """Logistic regression on them, vote shares squared as weights, tweets of crises and everyday posts at
    `of_crises`."""
    everyday = (frame["source"] == "crowdflower").to_numpy()
    weight = np.where(everyday, frame["vote_share"] ** 2, of_crises)
    voted = frame["voted"].to_numpy()

    def trained(rest: np.ndarray, test: np.ndarray) -> np.ndarray:
        some = rest[weight[rest] > 0]
        model = LogisticRegression(C=2, solver="liblinear").fit(matrix[some], voted[some], sample_weight=weight[some])
        found: np.ndarray = model.decision_function(matrix[test])
        return found

    return trained


def answered(frame: pd.DataFrame, logits: pd.DataFrame) -> pd.DataFrame:
    """Return the held-out rows as `evaluate` scores them, by what each was voted; an AUC asks for the order alone, so
    that the logit does for the probability.
    """
    rows = frame.iloc[logits["at"]].reset_index(drop=True)
    return rows.assign(relevant=rows["voted"], probability=logits["logit"].to_numpy())


def measured(frame: pd.DataFrame, logits: pd.DataFrame, told: pd.Series | None) -> list[str]:
    """Return the cells of a row: relevance F1 and AUC on CrowdFlower, AUC on T6 and T26, AUC of crises' relevant tweets
    against everyday posts in three languages, kind macro-F1 on T26."""
    rows = answered(frame, logits)
    everyday = rows[rows["source"] == "crowdflower"]
    stream = rows[evaluate.in_stream(rows)]
    apart = (evaluate.auc(stream[stream["lang"] == language]) for language in ("en", "es", "fr"))
    within = (evaluate.mean_auc(rows[rows["source"] == source]) for source in ("t6", "t26"))
    scores = (f1_score(everyday["relevant"], everyday["probability"] >= 0), evaluate.auc(everyday), *within, *apart)
    return [*(f"{score:.3f}" for score in scores), kind(frame, told) if told is not None else ""]


def kind(frame: pd.DataFrame, told: pd.Series) -> str:
    crisis = (frame["source"] == "t26") & (frame["voted"] == 1)
    gold = frame.loc[crisis, "gold_kind"]
    return f"{f1_score(gold, told[crisis], labels=list(evaluate.SEVEN), average='macro', zero_division=0):.3f}"


def speed(console: Console) -> None:
    """Print microseconds a distinct tweet, beside scikit-learn's on the same texts."""
    texts = list(dict.fromkeys(clean(text) for text in tweets()))
    labels = [prediction.label for prediction in bundled.classify(texts)]
    vectors = TfidfVectorizer()
    model = LogisticRegression(max_iter=200).fit(vectors.fit_transform(texts), labels)
    table = Table(title=f"{len(texts):,} distinct tweets, one thread, best of {ROUNDS} rounds")
    table.add_column("")
    table.add_column("µs a tweet", justify="right")
    functions: dict[str, Callable[[], object]] = {
        "scikit-learn: TF-IDF of words and LR, one head": lambda: model.predict_proba(vectors.transform(texts)),
        "bundled: kind, relevance and keywords": lambda: bundled.classify(texts),
    }
    for name, function in functions.items():
        best = float("inf")
        for _ in range(ROUNDS):
            began = time.perf_counter()
            function()
            best = min(best, time.perf_counter() - began)
        table.add_row(name, f"{best / len(texts) * 1e6:.1f}")
    console.print(table)


def alarms(measured: dict[str, Any]) -> list[Table]:
    """Return what the recipe calls relevant among everyday posts, and what it is worth at several shares of relevant
    posts."""
    languages = Table(title=f"At a share of relevant posts of {RELEVANT_SHARE:.0%}, collections held out whole")
    for name in ("", "everyday posts", "called relevant", "with a kind", "crises' tweets", "recall", "AUC"):
        languages.add_column(name, justify="right" if name else "left")
    for row in measured["everyday"]:
        shares = (f"{row[name]:.2%}" for name in ("false_alarms", "kind"))
        rest = (f"{row['tweets']:,}", f"{row['recall']:.3f}", f"{row['auc']:.3f}")
        languages.add_row(row["language"], f"{row['posts']:,}", *shares, *rest)
    shares_table = Table(title="English, by the share of relevant posts")
    for name in ("share", "precision", "recall", "recall at precision .90", "calibration error"):
        shares_table.add_column(name, justify="right")
    for row in measured["shares"]:
        cells = (f"{row[name]:.2f}" for name in ("precision", "recall", "recall_at_90"))
        shares_table.add_row(f"{row['share']:.1%}", *cells, f"{row['calibration_error']:.4f}")
    return [languages, shares_table]


def doubt(rows: pd.DataFrame) -> Table:
    """Return how often relevance is wrong among the posts that `GET /labels` offers first, those in most doubt."""
    first = rows.assign(doubt=(rows["probability"] - 0.5).abs()).sort_values("doubt").groupby("told").head(OFFERED)
    table = Table(title="Relevance told wrong, of posts held out", title_justify="left")
    for name in ("", "posts", "wrong"):
        table.add_column(name, justify="right" if name else "left")
    for name, some in ((f"the {OFFERED} of each kind in most doubt", first), ("all", rows)):
        wrong = (some["probability"] >= 0.5) != (some["relevant"] == 1)
        table.add_row(name, f"{len(some):,}", f"{wrong.mean():.1%}")
    return table


def information_types(frame: pd.DataFrame, console: Console) -> Table:
    """Return how good information types are on crises not trained on, beside a plain classifier."""
    with console.status("information types") as status:
        held = information.held_out(frame, SEED, lambda name, *_: status.update(name))
    rows = frame.iloc[information.gold(frame)]
    told = pd.Series("", index=rows.index)
    for event in sorted(rows["event"].unique()):
        test = rows[rows["event"] == event]
        rest = rows[(rows["event"] != event) & ~rows["group"].isin(set(test["group"]))]
        vectors = TfidfVectorizer()
        model = LinearSVC(random_state=SEED).fit(vectors.fit_transform(rest["cleaning_text"]), rest["information_type"])
        told[test.index] = model.predict(vectors.transform(test["cleaning_text"]))
    table = Table(title=f"Information types, {len(rows):,} relevant tweets of T26, each crisis held out whole")
    for name in ("", "macro-F1", "accuracy"):
        table.add_column(name, justify="right" if name else "left")
    for name, gold, answer in (
        ("TF-IDF of words + linear SVM", rows["information_type"], told),
        ("bundled", held["gold"], held["told"]),
    ):
        macro = f1_score(gold, answer, labels=list(TYPES), average="macro", zero_division=0)
        table.add_row(name, f"{macro:.3f}", f"{np.mean(gold == answer):.3f}")
    return table


def run(console: Console) -> None:
    """Print the tables. Without the real tweets beside the repository, speed alone."""
    speed(console)
    if not REAL.exists():
        console.print(f"Quality is measured on the collections in {REAL}, which are not there; see docs/model-card.md")
        return
    with console.status("reading the collections"):
        frame = tweets_of()
        read = train.read(frame["cleaning_text"].tolist())
    plan = evaluate.folds(frame, 1, SEED)
    with console.status("TF-IDF") as status:
        matrix = grams(frame)
        reference = held_out(frame, plan, tf_idf(frame))
        on_everyday, on_all = (held_out(frame, plan, by_grams(frame, matrix, weight)) for weight in (0.0, 0.5))
        ours = evaluate.held_out(frame, read, 1, SEED, lambda name, *_: status.update(f"bundled's recipe: {name}"))
    scores = evaluate.score(frame, read, ours, SEED)
    calibrated = ours.assign(logit=logit(scores.rows["probability"].to_numpy()))
    labels = np.full(len(frame), "", dtype=object)
    labels[ours["at"]] = scores.rows["told"]
    told = pd.Series(labels, index=frame.index)
    plain = frame["cleaning_text"].map(lambda text: by_keywords(text, kindly=False))
    kindly = frame["cleaning_text"].map(lambda text: by_keywords(text, kindly=True))
    rules = ours.assign(logit=np.where(plain.iloc[ours["at"]] == "unspecified", -1.0, 1.0))

    *by_rules, kind_plain = measured(frame, rules, plain)
    rows = {
        "keyword rules after the original's (kindly)": [*by_rules, f"{kind_plain} ({kind(frame, kindly)})"],
        "TF-IDF of words + LR, CF alone": measured(frame, reference, None),
        "words, 3- to 5-grams + LR, CF alone": measured(frame, on_everyday, None),
        "the same on all collections": measured(frame, on_all, None),
        "bundled": measured(frame, calibrated, told),
    }
    table = Table(title="On near-duplicates and events not trained on")
    table.add_column("")
    for name in SCORES:
        table.add_column(name, justify="right")
    for name, cells in rows.items():
        table.add_row(name, *cells)
    console.print(table)
    for found in (*alarms(scores.measured), doubt(scores.rows), information_types(frame, console)):
        console.print(found)
    console.print(
        "CF: CrowdFlower; T6, T26: CrisisLex, means over events; en, es, fr: crises' relevant tweets against everyday "
        "posts. Four folds, each without a quarter of CrowdFlower, of the events and of the everyday collections. "
        "F1 of relevance; kind macro-F1 over 7 kinds, on all relevant tweets. Kindly: a word counts as its kind. "
        "The first LR has scikit-learn's defaults; the others C=2, vote shares squared as weights, all other posts at "
        "half weight."
    )
