"""Write the model card: data, recipe, scores with intervals, and known weaknesses."""

from __future__ import annotations

from typing import Any

import pandas as pd
from rich.table import Table

from chalicelib.classifier import RELEVANT_SHARE, bundled
from label_prep import vectors
from label_prep.features import MEANINGS, MOSTLY, Features
from label_prep.information import BEGINNING, SHARPNESS, cues
from label_prep.sources import EVERYDAY
from label_prep.train import CRISES_WEIGHT, EVERYDAY_WEIGHT, GATE, OWN_SERVED

ROWS = {
    "relevance_f1": "relevance F1 at .5, CrowdFlower",
    "relevance_precision": "relevance precision, CrowdFlower",
    "relevance_recall": "relevance recall, CrowdFlower",
    "relevance_auc": "relevance AUC, CrowdFlower",
    "relevance_average_precision": "relevance average precision, CrowdFlower",
    "relevance_auc_t6": "relevance AUC, CrisisLexT6, unseen events (mean over events)",
    "relevance_auc_t26": "relevance AUC, CrisisLexT26, unseen events (mean over events)",
    "f1_macro": "kind macro-F1, CrisisLexT26, unseen events (7 kinds), all relevant tweets",
    "f1_macro_informative": "the same, informative tweets",
    "f1_macro_named": "the same, tweets for which a kind is told at all",
    "kind_precision_told": "share of told kinds that are the event's",
    "f1_micro": "kind micro-F1 (all kinds)",
    "accuracy": "kind accuracy (all kinds)",
    "precision": "kind precision, macro (all kinds)",
    "recall": "kind recall, macro (all kinds)",
}


def table(measured: dict[str, Any]) -> Table:
    """Print what was measured."""
    found = Table(title="On near-duplicates and events not trained on, with 95 % intervals", title_justify="left")
    for column in ("", "score", "from", "to"):
        found.add_column(column, justify="right" if column else "left")
    for name, title in ROWS.items():
        if name in measured:
            found.add_row(title, *(f"{measured[name][key]:.3f}" for key in ("value", "low", "high")))
    return found


def information_table(measured: dict[str, Any]) -> Table | None:
    """Return how good the information types are, for a terminal; None where they could not be measured."""
    if not measured:
        return None
    title = f"Information types of crises not trained on: macro-F1 {measured['f1_macro']:.3f}"
    found = Table(title=title, title_justify="left")
    for column in ("", "tweets", "precision", "recall", "F1"):
        found.add_column(column, justify="right" if column else "left")
    for row in measured["types"]:
        found.add_row(
            row["type"], f"{row['tweets']:,}", *(f"{row[name]:.2f}" for name in ("precision", "recall", "f1"))
        )
    return found


def information_section(measured: dict[str, Any]) -> str:
    """Return the card's section on information types; nothing where they could not be measured."""
    if not measured:
        return ""
    rows = "\n".join(
        f"| `{row['type']}` | {row['tweets']:,} | {row['precision']:.2f} | {row['recall']:.2f} | {row['f1']:.2f} |"
        for row in measured["types"]
    )
    return f"""## Information types

`information_type` says what a relevant post tells, `information_score` how probable that is. A linear model of each
distinct word, its first {BEGINNING} letters and {len(cues()) + 1} groups of cues in five languages
(`label_prep/cues.toml`), learnt from the relevant tweets of CrisisLexT26. Each crisis was held out whole and told by
what had learnt from the others: macro-F1 **{measured["f1_macro"]:.3f}**, accuracy {measured["accuracy"]:.3f}, expected
calibration error {measured["calibration_error"]:.3f}. The regression's C ({SHARPNESS:g}, of .5, 1 and 2) was chosen
for each crisis by the macro-F1 on the other crises, held out alike: it came out the same for all. The rest of the
recipe was chosen on these same crises, and whoever wrote the cues had seen tweets of them, so expect a little less on
others.

| type | tweets | precision | recall | F1 |
|---|---:|---:|---:|---:|
{rows}

"""


def page(frame: pd.DataFrame, measured: dict[str, Any], features: Features, content: bytes) -> str:
    """Return the card in Markdown. `content`: of the model file."""
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
    everyday = "\n".join(
        f"| {row['language']} | {row['posts']:,} | {row['false_alarms']:.1%} | {row['kind']:.1%} "
        f"| {row['tweets']:,} | {row['recall']:.2f} | {row['auc']:.3f} |"
        for row in measured["everyday"]
    )
    collections = "\n".join(
        f"| {row['collection']} | {row['posts']:,} | {row['relevant']:.1%} | {row['kind']:.1%} |"
        for row in measured["collections"]
    )
    shares = "\n".join(
        f"| {row['share']:.1%} | {row['precision']:.2f} | {row['recall']:.2f} | {row['recall_at_90']:.2f} "
        f"| {row['calibration_error']:.4f} |"
        for row in measured["shares"]
    )
    doubted = frame["source"].eq(EVERYDAY) & frame["doubtful"]
    return f"""# Model card: the bundled classifier, `{bundled.version_of(content)}`

Written by `python -m label_prep`; the figures are those of the run that trained the model in `chalicelib/classifier/`.
The name holds the first 8 hex digits of the SHA-256 of the model file: another file has another name.

## What it does

It reads a tweet that `text.clean` has cleaned and tells the kind of disaster it speaks of (`disaster_label`, 23
values), the probability that it speaks of a real one (`relevance_label`), and the words that carried the kind. Pure
Python, one pass over the text, {len(content) / 1e6:.2f} MB.

## False alarms among everyday posts

Each collection of everyday posts was held out whole, and each crisis too: the model had seen none of their posts. All
are at the default threshold, a probability of .5, with the default share of relevant posts, {RELEVANT_SHARE:.0%}.
Everyday posts count as false alarms even where they do speak of a disaster. AUC: crises' relevant tweets against
everyday posts.

| language | everyday posts | called relevant | with a kind | crises' relevant tweets | recall | AUC |
|---|---:|---:|---:|---:|---:|---:|
{everyday}

| collection | posts | called relevant | with a kind |
|---|---:|---:|---:|
{collections}

Recall in Portuguese, French and Italian is of events that were held out together with most of what was known of crises
in that language; the model that is served has learnt from all of them. A tweet counts as relevant where people called
it related to the crisis, sympathy included.

## Probabilities and the share of relevant posts

A probability is for a stream of which a stated share of posts is about a disaster: the stage's `RelevantShare`
(`infra/stages.json`), {RELEVANT_SHARE:g} where none is stated. Another share adds a constant to the log-odds. A row
labelled with another share says so in its `classifier_version`, as in `{bundled.version_of(content)} (share 0.01)`.
English, held out as above:

| share | precision at .5 | recall at .5 | recall at a precision of .90 | calibration error |
|---:|---:|---:|---:|---:|
{shares}

Calibration error: expected, over ten bins. `classifier_score` of a kind is the probability of relevance times the
probability that the kind is the right one if the tweet is relevant, calibrated for each kind on held-out tweets. Of
`unspecified` it is the probability of relevance, of `not_disaster` the rest to 1.

![Reliability of relevance](model-card/reliability.png)
![Reliability of the kinds' scores](model-card/reliability-kind.png)

## Data

| collection | posts | events or collections | relevant |
|---|---:|---:|---:|
{data}

CrowdFlower, *Disasters on Social Media* (2015): words of disasters in everyday speech, voted on. CrisisLexT26 and T6
(Olteanu et al. 2014, 2015): tweets of crises in English, Spanish, Portuguese, Italian, French and more. Everyday:
tweets of seven languages (XLM-T), Sentiment140, TweetEval's geotagged tweets, GoEmotions, Davidson's hate speech and
film subtitles (XED). Nobody judged whether an everyday post speaks of a disaster: {int(doubted.sum()):,} that name a
kind of disaster together with its consequences, or two names, teach nothing. Tweets of the same words with
contradicting votes are settled by the sum of squared vote shares.

## Recipe

* **Relevance**: logistic regression on words, their character 3- to 5-grams, the company they keep and the lexicon's
  evidence. Company: {MEANINGS} dimensions of an SVD of pointwise mutual information, from the same tweets without
  labels, and {vectors.DIMENSIONS} dimensions of GloVe for {vectors.WORDS:,} English words (`label_prep/vectors.py`),
  which bring words that these tweets hold rarely or never. CrowdFlower tweets weigh their vote share squared, tweets
  of crises {CRISES_WEIGHT:g} and everyday posts {EVERYDAY_WEIGHT:g}, less where they repeat each other. What
  CrowdFlower alone teaches and what the everyday posts alone teach (Daumé III 2007) is learnt apart and served at
  {OWN_SERVED["crowdflower"]:.0%} and {OWN_SERVED[EVERYDAY]:.0%}. A text without any term of the lexicon loses {GATE:g}
  of its log-odds. A word that {MOSTLY:.0%} of its relevant texts owe to one crisis, such as the name of its city, has
  no weight of its own. All but the lexicon's evidence depends on a token alone and is summed into one 16-bit number for
  each of {len(features.tokens):,} tokens; an unknown one gets its number from its character n-grams.
* **Kind**: a lexicon (`label_prep/lexicon.toml`; en, es, pt, it, fr) of names, hints that count only in a relevant
  tweet, and figures of speech that silence the words in them, for relevance too. A name tells the kind from a relevance
  of {bundled.NAMED:g} on, hints from {bundled.HINTED:g} on. Whoever wrote it had seen tweets of
  these collections, but left out the names of their places, people and events. Of all its words the hashtag #RescuePH
  owes most to one of these events (the floods of Manila in 2012; others used it since): about .01 of the macro-F1.
* **Probabilities**: Platt scaling on English predictions of models that had not seen the post: crises' relevant tweets
  against everyday posts.

## Scores

Four folds. Each holds out a quarter of CrowdFlower, whole crises and whole everyday collections, with every
near-duplicate of their posts, and learns everything anew from the rest. Intervals: bootstrap, of whole near-duplicate
groups or of whole events.

The figures are somewhat too good: the share that is the default, the parts at which what one domain alone teaches is
served, what a text without a term loses, and the relevance from which a kind is told were chosen on these same folds.

| | score | 95 % interval |
|---|---:|---:|
{scores}

Truth is what people voted on each tweet, not what contradicting votes were settled as for training. A tweet of a crisis
counts as of the event's kind even if it names no hazard ("pray for them"): that is what bounds recall. The lexicon is
not trained, but its authors have seen these events' tweets; expect a little less on others.

| kind, T26 | tweets | precision | recall | F1 |
|---|---:|---:|---:|---:|
{kinds}

![Confusion matrix of the kinds](model-card/confusion.png)
![Precision and recall of relevance](model-card/precision-recall.png)

{information_section(measured["information"])}## Tried and left out

* Vectors of a multilingual sentence model (multilingual-e5-small) for 22,000 words, as more dimensions of company: they
  changed the AUC of crises against everyday posts by less than .01 in English and Spanish, and lowered it in
  Portuguese.
* Everyday posts as one more crisis, without a domain of their own: the same false alarms in English, but
  recall in Italian at 3 % false alarms fell from .60 to .32, in Portuguese from .79 to .72.
* Everyday posts in one domain with CrowdFlower: CrowdFlower's AUC .877 → .873, T26's .801 → .778.
* A teacher: MiniLM, fine-tuned on CrowdFlower's votes, said how likely those voters were to call each of 25,000 tweets
  of crises relevant, and the model learnt from these answers too. AUC on CrowdFlower rose by .004, but AUC on unseen
  events of T26 fell by .020: CrowdFlower's voters want news, T26's take sympathy for relevant as well.
* Pairs of words, a text's shape, weights by event, other powers of the vote: nothing beyond the noise.
* A second, larger model: 65,853 words, each with its place in 256 dimensions by MiniLM, a word at a time, and in the
  100 of GloVe, averaged over a text, then a hidden layer of 64. F1 of relevance on unseen crises (mean over crises):
  .820 alone, .842 together with the bundled model, .835 by the bundled model alone; 2 points were wanted for 23 MB. AUC
  alone, together and without it: CrowdFlower .858, .872, .871; T26 .785, .789, .782; English .979, .983, .982; French
  .748, .738, .695.
* 128 of MiniLM's dimensions as more company in the bundled model: F1 on CrowdFlower .770 → .768, its AUC .871 → .872,
  T26's .782 → .779, English .982 both times.

## What it is bad at

* Tweets about a crisis that name no hazard: it says `unspecified`, or `not_disaster` where they sound like everyday
  speech. So it does with a storm's name that says nothing else ("#Harvey"); in a
  relevant tweet such a name tells a storm, if it is one of those that few people bear.
* Bombs called "explosions": without a word of intent they are `explosion`. Fires of refineries and clubs called only
  "fire".
* Irony, metaphors nobody wrote into the lexicon, news of long ago (the plane of last year), fiction.
* Languages other than English, Spanish, Portuguese, Italian and French; scripts other than Latin.

It must not be the only ground for sending, or not sending, help.
"""
