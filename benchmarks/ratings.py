"""How well are ratings of feeling predicted, as numbers and as ordered classes? VADER's ratings, four sources.

23,703 tweets and sentences, each rated from -4 to 4 by about twenty people; the embedded encoder, frozen, every layer.

    numbers    ridge regression on the mean rating: Pearson's correlation on the test rows with its interval, beside
               what one rater reaches, and the ceiling that the raters' own disagreement sets
    transfer   learned from one source, judged on the test rows of all four
    ordered    the mean rating in five classes from very negative to very positive: our probe of ordered classes (going
               up the classes, each step by a question of its own) beside softmax, which knows no order; quadratic kappa
               on the test rows, paired over resampled rows

    python benchmarks/ratings.py [--pooling layers] [--rows N]

Learned from the train split; the validation split is left alone.

Writes benchmarks/results/ratings.json.
"""

import argparse
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from measure import SHARED_DATA, write_result

import limbeck
from limbeck.evaluation.figure_comparison import compare_figures
from limbeck.evaluation.measured import told
from limbeck.evaluation.ordinal_evaluation import evaluate_ordinal
from limbeck.evaluation.predictions import Predictions
from limbeck.evaluation.rater_agreement import measure_agreement
from limbeck.evaluation.value_scores import score_values
from limbeck.linear.fit import ProbeRows, fit_probe
from limbeck.linear.ridge_fit import NumberRows, RidgeFit, fit_numbers
from limbeck.linear.step_fit import fit_steps
from limbeck.settings import ProbeSettings
from limbeck.task import ORDINAL, SINGLE

EDGES = (-1.5, -0.5, 0.5, 1.5)
NAMES = ("very negative", "negative", "neutral", "positive", "very positive")
Arrays = dict[str, np.ndarray]


def read_rows(most: int | None) -> tuple[list[str], Arrays, np.ndarray]:
    """Return texts, arrays by row (source, rating, whether it is a test row), and every rater's number, NaN where none.

    Args:
        most: training rows of each source; all when not given.
    """
    table = pq.read_table(SHARED_DATA / "vader" / "ratings.parquet")
    source, split = (np.array(table[name].to_pylist()) for name in ("source", "split"))
    random = np.random.default_rng(0)
    trained = (np.flatnonzero((source == one) & (split == "train")) for one in np.unique(source))
    kept = [np.flatnonzero(split == "test"), *(random.permutation(rows_N)[:most] for rows_N in trained)]
    kept_N = np.sort(np.concatenate(kept))
    table = table.take(kept_N)
    lists = table["ratings"].to_pylist()
    ratings_NR = np.full((len(lists), max(map(len, lists))), np.nan)
    for row, given in enumerate(lists):
        ratings_NR[row, : len(given)] = given
    arrays = {"source": source[kept_N], "rating": np.array(table["rating"]), "is_test": split[kept_N] == "test"}
    return table["text"].to_pylist(), arrays, ratings_NR


def numbers(features_NF: np.ndarray, rating_N: np.ndarray, learn_N: np.ndarray) -> tuple[RidgeFit, np.ndarray]:
    """Fit numbers on some rows; return the fit and the answer to every row."""
    fit = fit_numbers(features_NF[learn_N], NumberRows(numbers_N=rating_N[learn_N]), settings=ProbeSettings())
    return fit, features_NF @ fit.weight_F + fit.bias


def predicted_numbers(features_NF: np.ndarray, arrays: Arrays, ratings_NR: np.ndarray) -> dict[str, Any]:
    """Learn from all sources, judge on the test rows, by source and in all."""
    test_N = arrays["is_test"]
    fit, answer_N = numbers(features_NF, arrays["rating"], ~test_N)
    kinds = {"all": test_N, **{source: test_N & (arrays["source"] == source) for source in np.unique(arrays["source"])}}
    return {
        "penalty": fit.penalty,
        "scores": [{"penalty": line.penalty, "squared_error": round(line.squared_error, 4)} for line in fit.scores],
        "test": {
            name: {
                "rows": int(rows_N.sum()),
                **{key: told(one) for key, one in score_values(answer_N[rows_N], arrays["rating"][rows_N]).items()},
                "raters": measure_agreement(ratings_NR[rows_N]).to_dict(),
            }
            for name, rows_N in kinds.items()
        },
    }


def transferred(features_NF: np.ndarray, arrays: Arrays) -> dict[str, Any]:
    """Learn from the training rows of one source; return Pearson's correlation on the test rows of each."""
    found: dict[str, Any] = {}
    for source in np.unique(arrays["source"]):
        _, answer_N = numbers(features_NF, arrays["rating"], ~arrays["is_test"] & (arrays["source"] == source))
        found[str(source)] = {
            str(other): told(
                score_values(
                    answer_N[rows_N := arrays["is_test"] & (arrays["source"] == other)], arrays["rating"][rows_N]
                )["pearson"]
            )
            for other in np.unique(arrays["source"])
        }
    return found


def ordered(features_NF: np.ndarray, arrays: Arrays) -> dict[str, Any]:
    """Learn the five classes with their order and without; compare both on the test rows."""
    labels_N, test_N = np.digitize(arrays["rating"], EDGES), arrays["is_test"]
    rows = ProbeRows(labels_N=labels_N[~test_N], label_names=NAMES)
    ours = fit_steps(features_NF[~test_N], rows, settings=ProbeSettings())
    softmax = fit_probe(features_NF[~test_N], rows, settings=ProbeSettings())
    judged = {
        "ordered": ORDINAL.answers(features_NF[test_N] @ ours.weight_LF.T + ours.bias_L),
        "softmax": SINGLE.answers(features_NF[test_N] @ softmax.weight_CF.T + softmax.bias_C),
    }
    figures = {name: evaluate_ordinal(found_NC, labels_N[test_N], NAMES).figures for name, found_NC in judged.items()}
    sides = {name: [answered(found_NC, labels_N[test_N])] for name, found_NC in judged.items()}
    differences = compare_figures(sides["softmax"], sides["ordered"])
    return {
        "classes": dict(zip(NAMES, np.bincount(labels_N).tolist(), strict=True)),
        "penalties": {"ordered": ours.penalty_L.tolist(), "softmax": softmax.penalty},
        "test": {name: {key: told(one) for key, one in found.items()} for name, found in figures.items()},
        "ordered_minus_softmax": {one.name: {**told(one.difference), "p_value": one.p_value} for one in differences},
    }


def answered(shares_NC: np.ndarray, labels_N: np.ndarray) -> Predictions:
    """Return answers about ordered classes as `compare_figures` takes them; each row is judged by its median class."""
    nothing_N = np.zeros(len(labels_N))
    return Predictions(
        row_ids=tuple(map(str, range(len(labels_N)))),
        label_names=NAMES,
        probabilities=shares_NC,
        true_labels=pa.array(labels_N, pa.int32()),
        tokens=nothing_N,
        truncated=nothing_N,
        task=ORDINAL,
    )


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pooling", default="layers", choices=("mean", "layers"), help="what is learned from")
    parser.add_argument("--rows", type=int, default=None, help="training rows of each source; all when not given")
    arguments = parser.parse_args()
    texts, arrays, ratings_NR = read_rows(arguments.rows)
    features_NF = limbeck.load_encoder("minilm", device="cpu").encode(texts, pooling=arguments.pooling)
    result = {
        "rows": {"learned_from": int((~arrays["is_test"]).sum()), "test": int(arrays["is_test"].sum())},
        "pooling": arguments.pooling,
        "numbers": predicted_numbers(features_NF, arrays, ratings_NR),
        "transfer": transferred(features_NF, arrays),
        "ordered": ordered(features_NF, arrays),
    }
    print(json.dumps(result, indent=1))
    if arguments.rows is None:
        print(f"written to {write_result('ratings', result, packages=('limbeck', 'torch', 'numpy'))}")


if __name__ == "__main__":
    main()
