"""The course's IMDb notebook, re-told: a classifier on the frozen encoder's [CLS], its loss by epoch, its accuracy.

    python examples/imdb.py                                hub:stanfordnlp/imdb; needs pip install "limbeck[hub]"
    python examples/imdb.py --local ../shared/data/imdb    a folder with train and test; no network
    python examples/imdb.py --local FOLDER --quick         1,500 reviews to train, 500 to test: a few minutes
    python examples/imdb.py --encoder hub:distilbert/distilbert-base-uncased       the course's own encoder

Ten epochs, Adam at 1e-3, 64 reviews a step, 400 tokens a review, as in the course. The encoder runs once, not ten
times: it is frozen, so its features do not change. The epoch is chosen on a tenth of the training rows; the course
has no validation split. Runs and pictures go into --out. docs/course.md puts it all beside the course's figures.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import limbeck
from limbeck.display.tables import Table
from limbeck.evaluation.summary_table import summary_table
from limbeck.progress import for_stream
from limbeck.reporting.curves import learning_curves

MAX_TOKENS = 400
QUICK_ROWS = {"train": 1500, "test": 500}


def main(words: Sequence[str] | None = None) -> None:
    """Walk through the notebook."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--local", type=Path, help="folder with the data, instead of the hub")
    parser.add_argument("--encoder", default="minilm", help="a preset, a folder, or hub:OWNER/NAME")
    parser.add_argument("--pooling", default="cls", choices=("cls", "mean"), help="the course takes [CLS]")
    parser.add_argument("--out", type=Path, default=Path("runs-imdb"), help="folder of runs and pictures")
    parser.add_argument("--quick", action="store_true", help="a slice of the rows")
    chosen = parser.parse_args(words)
    data = limbeck.read(chosen.local or "hub:stanfordnlp/imdb#/train,test")
    if chosen.quick:
        data = data.select(np.sort(np.concatenate([draw_rows(data, *one) for one in QUICK_ROWS.items()])))
    print(data)
    look_at_lengths(data.split("train"), chosen.encoder)
    features = limbeck.FeatureSettings(encoder=chosen.encoder, pooling=chosen.pooling, max_tokens=MAX_TOKENS)
    train_and_score(data, features, chosen.out / f"head-{chosen.pooling}")


def draw_rows(data: limbeck.Dataset, split: str, count: int) -> np.ndarray:
    """Draw some rows of a split, which is sorted by label: their places in the data."""
    places = np.flatnonzero(np.array(data.table["split"].to_pylist()) == split)
    return np.random.default_rng(0).permutation(places)[:count]


def look_at_lengths(train: limbeck.Dataset, encoder: str) -> None:
    """Tell how much of the reviews is lost at the limit."""
    tokenized = limbeck.load_tokenizer(encoder).encode(train.texts, max_tokens=MAX_TOKENS)
    lost = tokenized.cut_tokens.sum() / (tokenized.lengths.sum() + tokenized.cut_tokens.sum())
    cut = tokenized.truncated.mean()
    print(f"at {MAX_TOKENS} tokens {cut:.1%} of the reviews are cut, and {lost:.1%} of the tokens are lost")


def train_and_score(data: limbeck.Dataset, features: limbeck.FeatureSettings, out: Path) -> None:
    """Train a linear head for ten epochs, show its loss by epoch, then its accuracy on training and test rows."""
    settings = limbeck.HeadTraining(features=features, head=limbeck.HeadSettings(epochs=10))
    run = limbeck.train_head(data, out, settings, start="overwrite", progress=for_stream())
    table = Table(header=run.epochs[0].head, rows=tuple(tuple(line.cells()) for line in run.epochs))
    print(f"\nLinear head on frozen features; the best epoch, {run.best_epoch}, is kept", table.text(), sep="\n")
    learning_curves(run.metrics["epochs"], best_epoch=run.best_epoch).write(run.folder.pictures, "learning_curves")

    head, train, scores = limbeck.load(out).bundle.head, run.dataset.split("train"), {}
    encoder = limbeck.TextFeatures(features.encoder, pooling=features.pooling, max_tokens=MAX_TOKENS, verbose=True)
    encoder.fit(train.texts)
    majority = int(np.bincount(train.labels).argmax())
    for split in ("train", "validation", "test"):
        rows = run.dataset.split(split)
        answers = head.probabilities(encoder.transform(rows.texts))  # features of train and validation are in the cache
        scores[split] = limbeck.evaluate(answers, rows.labels, rows.label_names, majority_label=majority)
    print("\n" + summary_table(scores).text())


if __name__ == "__main__":
    main()
