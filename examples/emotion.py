"""The course's emotion notebook, re-told: from reading tweets to the rows that the model finds hardest.

    python examples/emotion.py                                  hub:dair-ai/emotion; needs pip install "limbeck[hub]"
    python examples/emotion.py --local ../shared/data/emotion   a folder with train, val and test; no network
    python examples/emotion.py --local FOLDER --quick           2,000 tweets to train, 500 to validate: a few minutes
    python examples/emotion.py --encoder hub:distilbert/distilbert-base-uncased       the course's own encoder

Runs and pictures go into --out. docs/course.md puts it all beside the course's figures.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from textwrap import shorten

import numpy as np

import limbeck
from limbeck.display.tables import Table
from limbeck.evaluation.summary_table import summary_table
from limbeck.progress import for_stream
from limbeck.reporting.charts import class_frequency, confusion_matrix
from limbeck.reporting.curves import learning_curves
from limbeck.reporting.maps import Mapped, class_density, feature_map
from limbeck.reporting.plane import principal_plane, sample_rows

QUICK_ROWS = {"train": 2000, "validation": 500, "test": 500}
FINETUNINGS = {
    "textbook": limbeck.FinetuneSettings(epochs=2, learning_rate=2e-5, warmup_share=0.0),
    "defaults": limbeck.FinetuneSettings(),
}


def main(words: Sequence[str] | None = None) -> None:
    """Walk through the notebook."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--local", type=Path, help="folder with the data, instead of the hub")
    parser.add_argument("--encoder", default="minilm", help="a preset, a folder, or hub:OWNER/NAME")
    parser.add_argument("--out", type=Path, default=Path("runs-emotion"), help="folder of runs and pictures")
    parser.add_argument("--quick", action="store_true", help="a slice of the rows")
    chosen = parser.parse_args(words)
    data = limbeck.read(chosen.local or "hub:dair-ai/emotion")
    if chosen.quick:
        data = data.select(np.sort(np.concatenate([draw_rows(data, *one) for one in QUICK_ROWS.items()])))
    look_at_data(data, chosen.encoder, chosen.out / "pictures")
    compare_probes(data, chosen.encoder, chosen.out)
    draw_maps(data.split("train"), chosen.encoder, chosen.out)
    for name, settings in FINETUNINGS.items():
        finetune(data, chosen.encoder, settings, chosen.out / f"finetune-{name}")
    look_at_errors(data, chosen.out / "finetune-defaults")


def draw_rows(data: limbeck.Dataset, split: str, count: int) -> np.ndarray:
    """Draw some rows of a split: their places in the data."""
    places = np.flatnonzero(np.array(data.table["split"].to_pylist()) == split)
    return np.random.default_rng(0).permutation(places)[:count]


def look_at_data(data: limbeck.Dataset, encoder: str, pictures: Path) -> None:
    """Show rows, draw the class frequency, cut a sentence into tokens."""
    print(data, data.to_pandas()[["text", "label_name"]].head(), sep="\n")
    classes = len(data.label_names)
    counts = {name: np.bincount(data.split(name).labels, minlength=classes).tolist() for name in data.split_names}
    class_frequency(counts, data.label_names).write(pictures, "class_frequency")
    tokenizer = limbeck.load_tokenizer(encoder)
    print(*[piece.token for piece in tokenizer.pieces("Tokenizing text is a core task of NLP.")])
    lengths = tokenizer.encode(data.texts).lengths
    print(
        f"tokens a text: {lengths.mean():.1f} on average, {lengths.max()} at most, of {tokenizer.max_tokens} possible"
    )


def compare_probes(data: limbeck.Dataset, encoder: str, out: Path) -> None:
    """Fit logistic regressions on frozen features: each pooling, then SMOTE, which sees the training folds only."""
    found = {}
    for pooling, balance in (("cls", "none"), ("cls", "smote"), ("mean", "none"), ("max", "none"), ("layers", "none")):
        settings = limbeck.ProbeTraining(
            features=limbeck.FeatureSettings(encoder=encoder, pooling=pooling),
            probe=limbeck.ProbeSettings(balance=balance),
        )
        folder = out / f"probe-{pooling}-{balance}"
        run = limbeck.train_probe(data, folder, settings, start="overwrite", progress=for_stream())
        found[pooling if balance == "none" else f"{pooling}, {balance}"] = run.validation
    print("\nFrozen features and logistic regression, validation split", summary_table(found).text(), sep="\n")


def draw_maps(train: limbeck.Dataset, encoder: str, out: Path) -> None:
    """Lay the [CLS] features of training rows on a plane, with what cross-validation said of each row."""
    rows = sample_rows(len(train))
    features = limbeck.TextFeatures(encoder, pooling="cls").fit_transform(train.texts)  # from the cache by now
    answers = limbeck.read_predictions(out / "probe-cls-none" / "predictions" / "out_of_fold.parquet")
    plane, labels, said = principal_plane(features[rows]), train.labels[rows], answers.predicted[rows]
    mapped = Mapped(plane=plane, labels_N=labels, said_N=said, label_names=train.label_names, of=len(train))
    feature_map(mapped).write(out / "pictures", "feature_map")
    class_density(mapped).write(out / "pictures", "class_density")


def finetune(data: limbeck.Dataset, encoder: str, settings: limbeck.FinetuneSettings, out: Path) -> None:
    """Train all weights, and show the figures after each epoch."""
    stages = limbeck.Finetuning(features=limbeck.FeatureSettings(encoder=encoder, pooling="cls"), finetune=settings)
    run = limbeck.finetune(data, out, stages, start="overwrite", progress=for_stream())
    table = Table(header=run.epochs[0].head, rows=tuple(tuple(line.cells()) for line in run.epochs))
    print(f"\nFine-tuned, {out.name}; the best epoch, {run.best_epoch}, is kept", table.text(), sep="\n")
    learning_curves(run.metrics["epochs"], best_epoch=run.best_epoch).write(run.folder.pictures, "learning_curves")
    confusion_matrix(run.validation.confusion_counts, data.label_names).write(run.folder.pictures, "confusion")


def look_at_errors(data: limbeck.Dataset, run: Path) -> None:
    """Score the test split once, and read the validation rows of the highest and of the lowest loss."""
    model = limbeck.load(run)
    scored = {split: limbeck.score(model, data.split(split)) for split in ("validation", "test")}
    print("\n" + summary_table({name: one.evaluation for name, one in scored.items()}).text())
    cases = limbeck.find_hard_cases(scored["validation"].predictions)
    for name, rows in (("Highest", cases.highest(10)), ("Lowest", cases.lowest(10))):
        lines = tuple((shorten(row.text or "", 80), row.label, row.predicted, f"{row.loss:.3f}") for row in rows)
        print(f"\n{name} loss", Table(header=("text", "label", "predicted", "loss"), rows=lines).text(), sep="\n")


if __name__ == "__main__":
    main()
