"""How well are ratings of feeling predicted, as numbers and as ordered classes? VADER's ratings, four sources.

23,703 tweets and sentences, each rated from -4 to 4 by about twenty people; the embedded encoder, frozen, every layer.

    numbers    ridge regression on the mean rating, learned from three quarters of the rows: Pearson's correlation on the
               held-out quarter with its interval, beside what one rater reaches, and the ceiling that the raters' own
               disagreement sets
    transfer   learned from one source, judged on the three others
    ordered    the mean rating in five classes from very negative to very positive: our ordered probe (proportional
               odds) beside softmax, which knows no order, and beside CORN (each step by a logistic regression among the
               rows that reached it); quadratic kappa on the held-out quarter, paired over resampled rows

    python benchmarks/ratings.py [--pooling layers] [--rows N]

Writes benchmarks/results/ratings.json.
"""

import argparse
import json
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from measure import SHARED_DATA, write_result

import limbeck
from limbeck.evaluation.measured import told
from limbeck.evaluation.ordinal_evaluation import compare_ordinal, evaluate_ordinal
from limbeck.evaluation.rater_agreement import measure_agreement
from limbeck.evaluation.value_scores import score_values
from limbeck.linear.fit import ProbeFit, ProbeRows, fit_probe
from limbeck.linear.value_fit import NumberRows, fit_numbers, fit_ordered
from limbeck.settings import ProbeSettings
from limbeck.task import ORDINAL, SINGLE

EDGES = (-1.5, -0.5, 0.5, 1.5)
NAMES = ("very negative", "negative", "neutral", "positive", "very positive")
HELD_OUT = 0.25
Arrays = dict[str, np.ndarray]


def read_rows(most: int | None) -> tuple[list[str], Arrays, np.ndarray]:
    """Return texts, the arrays by row (source, rating, held out or not), and every rater's number, NaN where none."""
    table = pq.read_table(SHARED_DATA / "vader" / "ratings.parquet")
    order = np.random.default_rng(0).permutation(table.num_rows)[:most]
    table = table.take(order)
    lists = table["ratings"].to_pylist()
    ratings_NR = np.full((len(lists), max(map(len, lists))), np.nan)
    for row, given in enumerate(lists):
        ratings_NR[row, : len(given)] = given
    arrays = {
        "source": np.array(table["source"].to_pylist()),
        "rating": np.array(table["rating"], np.float64),
        "held_out": np.random.default_rng(1).random(len(order)) < HELD_OUT,
    }
    return table["text"].to_pylist(), arrays, ratings_NR


def logits_of(fit: ProbeFit, features_NF: np.ndarray) -> np.ndarray:
    """Return what a probe's layer makes of rows."""
    return features_NF @ fit.weight_CF.T + fit.bias_C


def numbers(features_NF: np.ndarray, rating_N: np.ndarray, learn_N: np.ndarray) -> tuple[ProbeFit, np.ndarray]:
    """Fit numbers on some rows; return the fit and the answer to every row."""
    fit = fit_numbers(features_NF[learn_N], NumberRows(numbers_N=rating_N[learn_N]), settings=ProbeSettings())
    return fit, logits_of(fit, features_NF)[:, 0]


def predicted_numbers(features_NF: np.ndarray, arrays: Arrays, ratings_NR: np.ndarray) -> dict[str, Any]:
    """Learn from three quarters of the rows, judge on the others, by source and in all."""
    test_N = arrays["held_out"]
    fit, answer_N = numbers(features_NF, arrays["rating"], ~test_N)
    kinds = {"all": test_N, **{source: test_N & (arrays["source"] == source) for source in np.unique(arrays["source"])}}
    return {
        "penalty": fit.penalty,
        "scores": [{"penalty": line.penalty, "squared_error": round(line.loss, 4)} for line in fit.scores],
        "held_out": {
            name: {
                "rows": int(rows_N.sum()),
                **{key: told(one) for key, one in score_values(answer_N[rows_N], arrays["rating"][rows_N]).items()},
                "raters": measure_agreement(ratings_NR[rows_N]).to_dict(),
            }
            for name, rows_N in kinds.items()
        },
    }


def transferred(features_NF: np.ndarray, arrays: Arrays) -> dict[str, Any]:
    """Learn from the training rows of one source; return Pearson's correlation on the held-out rows of each."""
    found: dict[str, Any] = {}
    for source in np.unique(arrays["source"]):
        _, answer_N = numbers(features_NF, arrays["rating"], ~arrays["held_out"] & (arrays["source"] == source))
        found[str(source)] = {
            str(other): told(
                score_values(answer_N[rows_N := arrays["held_out"] & (arrays["source"] == other)], arrays["rating"][rows_N])[
                    "pearson"
                ]
            )
            for other in np.unique(arrays["source"])
        }
    return found


def corn(features_NF: np.ndarray, labels_N: np.ndarray, learn_N: np.ndarray) -> np.ndarray:
    """Return the class probabilities of CORN: P(class > k | class ≥ k) by a probe each, multiplied.

    Source: Shi, Cao, Raschka, "Deep Neural Networks for Rank-Consistent Ordinal Regression" (2021), section 3.
    """
    above_NX = [np.ones(len(labels_N))]
    for k in range(len(NAMES) - 1):
        some_N = learn_N & (labels_N >= k)
        rows = ProbeRows(labels_N=(labels_N[some_N] > k).astype(np.int64), label_names=("here", "above"))
        fit = fit_probe(features_NF[some_N], rows, settings=ProbeSettings())
        above_NX.append(above_NX[-1] * SINGLE.answers(logits_of(fit, features_NF))[:, 1])
    return -np.diff(np.column_stack([*above_NX, np.zeros(len(labels_N))]), axis=1)


def ordered(features_NF: np.ndarray, arrays: Arrays) -> dict[str, Any]:
    """Learn the five classes in three ways; compare each with ours on the held-out rows."""
    labels_N = np.digitize(arrays["rating"], EDGES)
    test_N = arrays["held_out"]
    rows = ProbeRows(labels_N=labels_N[~test_N], label_names=NAMES)
    ours = fit_ordered(features_NF[~test_N], rows, settings=ProbeSettings())
    softmax = fit_probe(features_NF[~test_N], rows, settings=ProbeSettings())
    answers = {
        "ordered": ORDINAL.answers(logits_of(ours, features_NF)),
        "softmax": SINGLE.answers(logits_of(softmax, features_NF)),
        "CORN": corn(features_NF, labels_N, ~test_N).astype(np.float32),
    }
    judged = {name: answers_NC[test_N] for name, answers_NC in answers.items()}
    figures = {name: evaluate_ordinal(found_NC, labels_N[test_N], NAMES) for name, found_NC in judged.items()}
    return {
        "classes": dict(zip(NAMES, np.bincount(labels_N).tolist(), strict=True)),
        "penalties": {"ordered": ours.penalty, "softmax": softmax.penalty},
        "held_out": {
            name: {key: told(one) for key, one in found.figures.items()} for name, found in figures.items()
        },
        "ordered_minus": {
            name: compare_ordinal(judged[name], judged["ordered"], labels_N[test_N]).to_dict()
            for name in ("softmax", "CORN")
        },
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pooling", default="layers", choices=("mean", "layers"), help="what is learned from")
    parser.add_argument("--rows", type=int, default=None, help="fewer rows, drawn from all")
    arguments = parser.parse_args()
    texts, arrays, ratings_NR = read_rows(arguments.rows)
    features_NF = limbeck.load_encoder("minilm", device="cpu").encode(texts, pooling=arguments.pooling)
    result = {
        "rows": {"learned_from": int((~arrays["held_out"]).sum()), "held_out": int(arrays["held_out"].sum())},
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
