"""What are thresholds per label worth, and how many planted mistakes do the lists of missing and superfluous tags hold?

Debian's packages, 136 tags with 100 rows or more. The model is scikit-learn's: one logistic regression per tag on
words, so that the figures are of thresholds and lists and not of an encoder.

    thresholds  macro and micro F1 on 4,000 other packages: with 0.5, and with thresholds that were chosen on
                out-of-fold answers to 7,000 training rows (or to 700 of them), by the weight of the shared cut
    planted     5 % of the tags of 7,000 further packages taken out, as many added at random; the model learns from what
                is left. Share of the planted mistakes in the first tenth of each list, and among as many pairs as a
                tenth of the given tags; with the row's other labels, and by the text alone

    python benchmarks/tag_review.py

Writes benchmarks/results/tag_review.json.
"""

import json
from collections import Counter
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from measure import SHARED_DATA, write_result
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from limbeck.evaluation import label_metrics, metrics
from limbeck.evaluation.label_thresholds import LabelGoal, choose_label_thresholds, decide_labels
from limbeck.review.tag_doubts import TagMistake
from limbeck.review.tag_issues import find_tag_issues

TRAIN, TEST, FEW, FOLDS, PLANTED = 7_000, 4_000, 700, 4, 0.05
"""Mistakes are planted in as many further training rows: the rules of the lists were chosen on the first."""
PRIORS = (0, 1, 3, 5, 10, 20, 50)


def read_tags(generator: np.random.Generator) -> dict[str, Any]:
    """Return texts and targets of drawn training and other rows, both with tags."""
    table = pq.read_table(SHARED_DATA / "debian" / "packages.en.parquet")
    tags, texts, split = (table[name].to_pylist() for name in ("tags", "text", "split"))
    counts = Counter(tag for row in tags for tag in row or [])
    places = {tag: place for place, tag in enumerate(sorted(tag for tag, count in counts.items() if count >= 100))}
    has = np.array([bool(row) for row in tags])
    is_train = np.array(split) == "train"
    drawn = {
        name: np.sort(generator.permutation(np.flatnonzero(has & mask))[:count])
        for name, mask, count in (("train", is_train, TRAIN), ("test", ~is_train, TEST))
    }
    others = np.setdiff1d(np.flatnonzero(has & is_train), drawn["train"])
    drawn["planted"] = np.sort(generator.permutation(others)[:TRAIN])
    found: dict[str, Any] = {"labels": len(places)}
    for name, rows in drawn.items():
        targets = np.zeros((len(rows), len(places)), bool)
        for place, row in enumerate(rows):
            targets[place, [places[tag] for tag in tags[row] if tag in places]] = True
        found |= {f"{name}_texts": [texts[row] for row in rows], f"{name}_targets": targets}
    return found


def answered(known: sparse.csr_matrix, targets: np.ndarray, asked: sparse.csr_matrix) -> np.ndarray:
    """Return a probability per label of each row that is asked for."""
    shares = np.zeros((asked.shape[0], targets.shape[1]))
    for label in np.flatnonzero(targets.any(axis=0)):
        model = LogisticRegression(C=10, solver="liblinear", tol=1e-2).fit(known, targets[:, label])
        shares[:, label] = model.predict_proba(asked)[:, 1]
    return shares


def out_of_fold(words: sparse.csr_matrix, targets: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Answer each row by a model that did not see it."""
    shares = np.zeros(targets.shape)
    for one in range(FOLDS):
        shares[fold == one] = answered(words[fold != one], targets[fold != one], words[fold == one])
    return shares


def f1_of(targets: np.ndarray, decided: np.ndarray) -> dict[str, float]:
    tally = label_metrics.tally_of_labels(targets, decided)
    return {"macro": round(float(metrics.f1_macro(tally)), 4), "micro": round(float(metrics.f1_micro(tally)), 4)}


def plant(texts: list[str], targets: np.ndarray, generator: np.random.Generator) -> dict[str, Any]:
    """Plant mistakes, and say how many of them each list finds."""
    removed = targets & (generator.random(targets.shape) < PLANTED)
    added = np.zeros_like(targets)
    added.ravel()[generator.choice(np.flatnonzero(~targets), int(PLANTED * targets.sum()), replace=False)] = True
    given = (targets & ~removed) | added
    words = TfidfVectorizer(sublinear_tf=True, min_df=3, max_features=30_000).fit_transform(texts)
    shares = out_of_fold(words, given, generator.permutation(np.arange(len(targets)) % FOLDS))
    order, tenth = find_tag_issues(given, shares), int(given.sum()) // 10
    found: dict[str, Any] = {"given_tags": int(given.sum())}
    planted: dict[TagMistake, np.ndarray] = {"missing": removed, "superfluous": added}
    for mistake, where in planted.items():
        pairs = order.pairs(mistake)
        hits = where[pairs[:, 0], pairs[:, 1]]
        by_text = np.where(given, -shares, shares)[given == (mistake == "superfluous")]
        alone = where[given == (mistake == "superfluous")][np.argsort(-by_text, kind="stable")]
        found[mistake] = {
            "planted": int(where.sum()),
            "pairs": len(pairs),
            "in_first_tenth_of_the_list": round(float(hits[: len(pairs) // 10].sum() / where.sum()), 3),
            "in_a_tenth_of_the_given_tags": round(float(hits[:tenth].sum() / where.sum()), 3),
            "by_the_text_alone": round(float(alone[:tenth].sum() / where.sum()), 3),
        }
    wrong = order.wrong_NC.ravel().argsort()[::-1][: 2 * tenth]
    share = (removed | added).ravel()[wrong].sum() / (removed | added).sum()
    found["in_a_fifth_of_the_given_tags_of_both_lists_together"] = round(float(share), 3)
    return found


def main() -> None:
    generator = np.random.default_rng(0)
    data = read_tags(generator)
    vectors = TfidfVectorizer(sublinear_tf=True, min_df=3, max_features=30_000)
    words, other = vectors.fit_transform(data["train_texts"]), vectors.transform(data["test_texts"])
    targets, judged = data["train_targets"], data["test_targets"]
    fold = generator.permutation(np.arange(len(targets)) % FOLDS)
    names = tuple(map(str, range(data["labels"])))
    unseen, asked = out_of_fold(words, targets, fold), answered(words, targets, other)
    few = generator.permutation(len(targets))[:FEW]
    thresholds = {
        f"{len(rows)} rows": {
            f"prior {prior}": f1_of(
                judged,
                decide_labels(
                    asked,
                    choose_label_thresholds(unseen[rows], targets[rows], names, LabelGoal(prior_rows=prior)).values,
                ),
            )
            for prior in PRIORS
        }
        for rows in (np.arange(len(targets)), few)
    }
    planted = plant(data["planted_texts"], data["planted_targets"], generator)
    result = {
        "labels": data["labels"],
        "rows": {"train": len(targets), "other": len(judged), "planted": len(data["planted_texts"])},
        "f1": {"at 0.5": f1_of(judged, asked >= 0.5), **thresholds},
        "planted": planted,
    }
    write_result("tag_review", result, packages=("limbeck", "scikit-learn"))
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
