"""Train the model for information types of relevant posts on the crises of CrisisLexT26."""

from __future__ import annotations

import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from chalicelib.classifier.information import LONGEST, TYPES, Information, shape
from chalicelib.classifier.text import tokens
from label_prep.evaluate import calibration_error
from producer import InputError

CUES = Path(__file__).with_name("cues.toml")
RAREST = 6  # texts that a word must be in to have a weight of its own
BEGINNING = 4  # characters that words share which are alike
BEGINNING_SHARE = 0.7  # of a beginning beside a group of cues
OWN_SHARE = 0.25  # of a word beside the same, times its idf
SHARPNESS = 0.5  # C of the logistic regression
STEPS = 85
"""Of the greatest weight: fewer than a byte holds, so that SAME can be 1 and the file as small."""
SAME = 1
"""Steps by which a word's weights may differ from its beginning's for the word to be left out of the file."""


@lru_cache
def cues() -> list[list[str]]:
    """Return the words of each group of cues."""
    return [words.split() for words in tomllib.loads(CUES.read_text()).values()]


@lru_cache(maxsize=1 << 17)
def groups(word: str) -> frozenset[int]:
    """Return the groups of cues that a word is in; the last one is of numbers."""
    whole, begins = _index()
    found = {group for length in range(1, len(word) + 1) for group in begins.get(word[:length], ())}
    return frozenset(found | whole.get(word, set()) | ({len(cues())} if word.isdigit() else set()))


@lru_cache
def _index() -> tuple[dict[str, set[int]], dict[str, set[int]]]:
    whole: dict[str, set[int]] = defaultdict(set)
    begins: dict[str, set[int]] = defaultdict(set)
    for group, words in enumerate(cues()):
        for word in words:
            (begins if word.endswith("*") else whole)[word.rstrip("*")].add(group)
    return whole, begins


def gold(frame: pd.DataFrame) -> np.ndarray:
    """Return the rows that people gave a type, of the posts that they called relevant."""
    return np.flatnonzero(frame["information_type"].notna() & (frame["voted"] == 1))


@dataclass(frozen=True)
class Features:
    """The words and beginnings that have weights of their own, and what each word is worth."""

    words: dict[str, int]  # to their columns
    beginnings: dict[str, int]
    idf: np.ndarray  # of the words

    @property
    def width(self) -> int:
        return len(self.words) + len(self.beginnings) + len(cues()) + 1

    def of(self, word: str) -> list[tuple[int, float]]:
        """Return the columns that a word, or the beginning `word*` of unknown ones, is in, and its value in each."""
        bare = word.removesuffix("*")
        found = [(self.words[word], OWN_SHARE * self.idf[self.words[word]])] if word in self.words else []
        begins = self.beginnings.get(bare[:BEGINNING])
        if begins is not None and len(bare) >= BEGINNING:
            found.append((begins, BEGINNING_SHARE))
        first = len(self.words) + len(self.beginnings)
        return found + [(first + group, 1.0) for group in sorted(groups(bare))]

    def matrix(self, texts: Sequence[Collection[str]]) -> sp.csr_matrix:
        """Return texts, each the set of its words, as rows."""
        known: dict[str, list[tuple[int, float]]] = {}
        rows, columns, values = [], [], []
        for row, words in enumerate(texts):
            for token in sorted(words):
                if len(token) > LONGEST:
                    continue
                word = shape(token)
                if word not in known:
                    known[word] = self.of(word)
                for column, value in known[word]:
                    rows.append(row)
                    columns.append(column)
                    values.append(value / np.sqrt(len(words)))
        return sp.csr_matrix((values, (rows, columns)), shape=(len(texts), self.width))


def learn(texts: Sequence[Collection[str]]) -> Features:
    """Return the features of a corpus."""
    shapes = [{shape(token) for token in text if len(token) <= LONGEST} for text in texts]
    often = Counter(word for words in shapes for word in words)
    begun = Counter(begin for words in shapes for begin in {w[:BEGINNING] for w in words if len(w) >= BEGINNING})
    words = sorted(word for word, count in often.items() if count >= RAREST)
    beginnings = sorted(begin for begin, count in begun.items() if count >= RAREST)
    idf = np.log((1 + len(texts)) / (1 + np.array([often[word] for word in words])))
    return Features(
        {word: at for at, word in enumerate(words)},
        {begin: len(words) + at for at, begin in enumerate(beginnings)},
        idf,
    )


def fit(frame: pd.DataFrame, seed: int) -> tuple[dict[str, Any], bytes]:
    """Return what `Information` reads, learnt from rows (cleaning_text, information_type, group).

    Raise InputError where no row is of one of the types.
    """
    if missing := sorted(set(TYPES) - set(frame["information_type"])):
        raise InputError(f"no relevant tweet is labelled {', '.join(missing)}")
    texts = [set(tokens(text)) for text in frame["cleaning_text"]]
    features = learn(texts)
    alike = frame.groupby("group")["group"].transform("size").to_numpy()
    model = LogisticRegression(C=SHARPNESS, class_weight="balanced", max_iter=200, tol=1e-3, random_state=seed)
    model.fit(features.matrix(texts), frame["information_type"].map(TYPES.index), sample_weight=1 / np.sqrt(alike))
    return pack(features, model.coef_, model.intercept_)


def pack(features: Features, weights: np.ndarray, bias: np.ndarray) -> tuple[dict[str, Any], bytes]:
    """Return header and content: a row of weights each word and beginning, but for the words that are like their
    beginnings."""
    begins = {f"{word.rstrip('*')}*" for words in cues() for word in words if word.endswith("*")}
    begins |= {f"{begin}*" for begin in features.beginnings}
    wholes = {word for words in cues() for word in words if not word.endswith("*")} | features.words.keys() - begins
    rows = {word: sum(weights[:, column] * value for column, value in features.of(word)) for word in begins | wholes}
    step = max(np.abs(row).max() for row in rows.values()) / STEPS
    whole_steps = {word: np.round(row / step).astype(int) for word, row in rows.items() if np.ndim(row)}
    kept: dict[str, np.ndarray] = {}
    for word in sorted(whole_steps, key=lambda word: (len(word), word)):
        bare = word.removesuffix("*")
        shorter = (f"{bare[:n]}*" for n in range(len(bare) - word.endswith("*"), 0, -1))
        like = next((kept[each] for each in shorter if each in kept), np.zeros(len(TYPES), dtype=int))
        if np.abs(whole_steps[word] - like).max() > SAME:
            kept[word] = whole_steps[word]
    names = "\n".join(sorted(kept)).encode()
    header = {"bias": [float(each) for each in bias], "names": len(names), "scale": float(step), "slope": 1.0}
    return header, names + np.array([kept[word] for word in sorted(kept)], dtype=np.int8).tobytes()


def held_out(frame: pd.DataFrame, seed: int, tell: Callable[[str, int, int], None]) -> pd.DataFrame:
    """Return event, gold type, the type told and the logits of rows that people gave a type: of each crisis by what
    learnt from the others, near-duplicates left out."""
    rows = frame.iloc[gold(frame)]
    events = sorted(rows["event"].unique())
    found = []
    for done, event in enumerate(events):
        tell(f"information types of {event}", done, len(events))
        test = rows[rows["event"] == event]
        rest = rows[(rows["event"] != event) & ~rows["group"].isin(set(test["group"]))]
        if rest["information_type"].nunique() < len(TYPES):
            continue
        model = Information(*fit(rest, seed))
        logits = [model.logits(tokens(text)) for text in test["cleaning_text"]]
        found.append(
            pd.DataFrame({"event": event, "gold": test["information_type"].to_numpy(), "logits": logits}).assign(
                told=[TYPES[int(np.argmax(each))] for each in logits]
            )
        )
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=["event", "gold", "logits", "told"])


def fit_slope(held: pd.DataFrame) -> float:
    """Return what held-out logits are multiplied by to give the likeliest probabilities (Guo et al. 2017)."""
    if held.empty:
        return 1.0
    logits, true = np.array(held["logits"].tolist()), held["gold"].map(TYPES.index).to_numpy()

    def surprise(slope: float) -> float:
        return -float(log_softmax(slope * logits, axis=1)[np.arange(len(true)), true].mean())

    return float(minimize_scalar(surprise, bounds=(0.05, 3.0), method="bounded").x)


def measure(held: pd.DataFrame, slope: float) -> dict[str, Any]:
    """Return macro-F1, accuracy, calibration error, and each type's F1 and number of tweets."""
    if held.empty:
        return {}
    logits = np.array(held["logits"].tolist())
    probability = np.exp(log_softmax(slope * logits, axis=1)).max(1)
    right = (held["gold"] == held["told"]).to_numpy()
    each = f1_score(held["gold"], held["told"], labels=list(TYPES), average=None, zero_division=0)
    return {
        "f1_macro": float(each.mean()),
        "accuracy": float(right.mean()),
        "calibration_error": float(calibration_error(probability, right, np.ones(len(held)))),
        "types": [
            {
                "type": name,
                "tweets": int((held["gold"] == name).sum()),
                "precision": float(right[held["told"] == name].mean()),
                "recall": float(right[held["gold"] == name].mean()),
                "f1": float(f1),
            }
            for name, f1 in zip(TYPES, each, strict=True)
        ],
    }
