"""The model card: data, recipe, scores with intervals, and what the classifier is bad at."""

from __future__ import annotations

from typing import Any

import pandas as pd
from rich.table import Table

from label_prep import vectors
from label_prep.features import MEANINGS, Features
from label_prep.train import OWN_SERVED, RELEVANT_SHARE

ROWS = {
    "relevance_f1": "relevance F1, CrowdFlower",
    "relevance_precision": "relevance precision, CrowdFlower",
    "relevance_recall": "relevance recall, CrowdFlower",
    "relevance_auc": "relevance AUC, CrowdFlower",
    "relevance_average_precision": "relevance average precision, CrowdFlower",
    "relevance_auc_t6": "relevance AUC, CrisisLexT6, unseen events (mean over events)",
    "relevance_auc_t26": "relevance AUC, CrisisLexT26, unseen events (mean over events)",
    "f1_macro": "kind macro-F1, CrisisLexT26, unseen events (7 kinds), all relevant tweets",
    "f1_macro_informative": "the same, informative tweets",
    "f1_macro_named": "the same, tweets for which a kind is told at all",
    "f1_micro": "kind micro-F1 (all kinds)",
    "accuracy": "kind accuracy (all kinds)",
    "precision": "kind precision, macro (all kinds)",
    "recall": "kind recall, macro (all kinds)",
}


def table(measured: dict[str, Any]) -> Table:
    """What was measured, for a terminal."""
    found = Table(title="On near-duplicates and events not trained on, with 95 % intervals", title_justify="left")
    for column in ("", "score", "from", "to"):
        found.add_column(column, justify="right" if column else "left")
    for name, title in ROWS.items():
        if name in measured:
            found.add_row(title, *(f"{measured[name][key]:.3f}" for key in ("value", "low", "high")))
    return found


def page(frame: pd.DataFrame, measured: dict[str, Any], features: Features, size: int) -> str:
    """The card in Markdown."""
    counts = frame.groupby("source").agg(
        tweets=("row", "size"), events=("event", "nunique"), relevant=("relevant", "mean")
    )
    scores = "\n".join(
        f"| {title} | {measured[name]['value']:.3f} | {measured[name]['low']:.3f} – {measured[name]['high']:.3f} |"
        for name, title in ROWS.items()
        if name in measured
    )
    kinds = "\n".join(
        f"| `{kind}` | {s['tweets']:,} | {s['precision']:.2f} | {s['recall']:.2f} | {s['f1']:.2f} |"
        for kind, s in measured["kinds"].items()
    )
    data = "\n".join(
        f"| {name} | {row['tweets']:,.0f} | {row['events']:,.0f} | {row['relevant']:.0%} |"
        for name, row in counts.iterrows()
    )
    return f"""# Model card: the bundled classifier, `bundled-1`

Written by `python -m label_prep`; the figures are those of the run that trained the model in `chalicelib/classifier/`.

## What it does

It reads a tweet that `text.clean` has cleaned and tells the kind of disaster it speaks of (`disaster_label`, 23
values), the probability that it speaks of a real one (`relevance_label`), and the words that carried the kind. Pure
Python, one pass over the text, {size / 1e6:.2f} MB.

## Data

| collection | tweets | events | relevant |
|---|---:|---:|---:|
{data}

CrowdFlower, *Disasters on Social Media* (2015): words of disasters in everyday speech, voted on. CrisisLexT26 and T6
(Olteanu et al. 2014, 2015): tweets of crises in English, Spanish, Portuguese, Italian, French and more. Tweets of the
same words with contradicting votes are settled by the sum of squared vote shares.

## Recipe

* **Relevance**: logistic regression on words, their character 3- to 5-grams, the company they keep and the lexicon's
  evidence. Company: {MEANINGS} dimensions of an SVD of pointwise mutual information, from the same tweets without
  labels, and {vectors.DIMENSIONS} dimensions of GloVe for {vectors.WORDS:,} English words (`label_prep/vectors.py`),
  which bring words that these tweets hold rarely or never. CrowdFlower tweets weigh their vote share squared, tweets
  of crises half, less where they repeat each other. What only everyday speech teaches (Daumé III 2007) is learnt apart
  and served at {OWN_SERVED:.0%}: more says more about everyday speech, less about crises. All but the lexicon's
  evidence depends on a token alone and is summed into one 16-bit number for each of {len(features.tokens):,} tokens;
  an unknown one gets its number from its character n-grams.
* **Kind**: a lexicon (`label_prep/lexicon.toml`; en, es, pt, it, fr) of names, hints that count only in a relevant
  tweet, and figures of speech that silence the words in them, for relevance too. Whoever wrote it had seen tweets of
  these collections, but left out the names of their places, people and events. Of all its words the hashtag #RescuePH
  owes most to one of these events (the floods of Manila in 2012; others used it since): about .01 of the macro-F1.
* **Probabilities**: Platt scaling on predictions of models that had not seen the tweet, as if {RELEVANT_SHARE:.0%} of
  all tweets were relevant, as in the streams that CrisisLexT6 sampled: where fewer are, the true probability is lower.
  Expected calibration error on CrowdFlower {measured["calibration_error"]:.3f}.

## Scores

Relevance on CrowdFlower: 5 folds, near-duplicates in one fold. Unseen events: a quarter of the events held out at a
time, with every near-duplicate of their tweets, everything learnt anew from the rest; means over several such choices.
Intervals: bootstrap, of whole near-duplicate groups or of whole events.

| | score | 95 % interval |
|---|---:|---:|
{scores}

Truth is what people voted on each tweet, not what contradicting votes were settled as for training. A tweet of a crisis
counts as of the event's kind even if it names no hazard ("pray for them"): that is what bounds recall. Guessing the
kind of such tweets from their other words, learnt from other events, was tried and made the macro-F1 worse (by .005 to
.04). The lexicon is not trained, but its authors have seen these events' tweets; expect a little less on others.

| kind, T26 | tweets | precision | recall | F1 |
|---|---:|---:|---:|---:|
{kinds}

## Pictures

![Confusion matrix of the kinds](model-card/confusion.png)
![Precision and recall of relevance](model-card/precision-recall.png)
![Reliability of relevance](model-card/reliability.png)

## Tried and left out

* A teacher: MiniLM, fine-tuned on CrowdFlower's votes, said how likely those voters were to call each of 25,000 tweets
  of crises relevant, and the model learnt from these answers too. AUC on CrowdFlower .878 → .882 and F1 .781 → .785,
  but AUC on unseen events of T26 .791 → .771: CrowdFlower's voters want news, T26's take sympathy for relevant as well.
* What everyday speech teaches, as far as a text sounds everyday (a third weight a token): +.005 on unseen events of
  T26, +.003 on T6's, -.001 on CrowdFlower, for another sum over each text.
* Pairs of words, a text's shape, weights by event, other powers of the vote: nothing beyond the noise.

## What it is bad at

* Tweets about a crisis that name no hazard: it says `unspecified`, or `not_disaster` where they sound like everyday
  speech.
* Bombs called "explosions": without a word of intent they are `explosion`. Fires of refineries and clubs called only
  "fire".
* Irony, metaphors nobody wrote into the lexicon, news of long ago (the plane of last year), fiction.
* Languages other than English, Spanish, Portuguese, Italian and French; scripts other than Latin.
* Places: a token must come from everyday speech or from several events to have a weight of its own, but the name of
  a city may do so. The AUC on unseen events shows what that costs.

It must not be the only ground for sending, or not sending, help.
"""
